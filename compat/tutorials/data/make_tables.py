"""Makes the SYNTHETIC tables wages.csv and passengers.csv: no row describes a real person.

The columns are those of well-known teaching data (hourly wages; passengers of a ship), the values
are drawn at random with plausible relations between them.
"""

import csv
import os

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))


def write(name, header, rows):
    with open(os.path.join(FOLDER, name), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def wages(rng, rows=534):
    education = np.clip(rng.normal(13, 2.6, rows).round(), 2, 18)
    age = rng.integers(18, 64, rows)
    experience = np.maximum(age - education - 6, 0)
    female, union = rng.random(rows) < 0.46, rng.random(rows) < 0.18
    married, south = rng.random(rows) < 0.65, rng.random(rows) < 0.29
    wage = np.exp(
        0.55
        + 0.092 * education
        + 0.034 * experience
        - 0.00053 * experience**2
        - 0.23 * female
        + 0.2 * union
        - 0.1 * south
        + rng.normal(0, 0.35, rows)
    )
    header = "wage_per_hour education_yrs experience_yrs age female union married south".split()
    columns = [wage.round(2), education, experience, age, female, union, married, south]
    write("wages.csv", header, np.column_stack(columns).tolist())


def passengers(rng, rows=891):
    travel_class = rng.choice([1, 2, 3], rows, p=[0.24, 0.21, 0.55])
    male = rng.random(rows) < 0.65
    age = np.clip(rng.normal(30 + 8 * (travel_class == 1), 13, rows), 0.5, 75).round(1)
    relatives = rng.poisson(0.9, rows)
    fare = (np.exp(rng.normal(4.4 - 0.85 * (travel_class - 1), 0.5)) * (1 + 0.3 * relatives)).round(
        2
    )
    score = 3.2 - 0.95 * travel_class - 2.5 * male - 0.03 * age - 0.2 * relatives + 0.002 * fare
    survived = rng.random(rows) < 1 / (1 + np.exp(-score - 1))
    header = "survived class male age relatives fare".split()
    columns = [survived, travel_class, male, age, relatives, fare]
    write("passengers.csv", header, np.column_stack(columns).tolist())


if __name__ == "__main__":
    wages(np.random.default_rng(1))
    passengers(np.random.default_rng(2))
