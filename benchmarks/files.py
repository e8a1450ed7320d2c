"""Loading and saving 100 MB of weights, against h5py reading and writing the same arrays plainly.

`python benchmarks/files.py` writes and reads in turns, in an order shuffled each round, and prints
medians of wall and processor time with their ratios to plain h5py. A save that replaces a file has
the new one on the disk before the old one goes (`fsync`), which plain h5py does not promise; the
rows `replace` compare with h5py doing as much by hand.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import minikeras as keras

WIDTH = 2048


def network(megabytes: int) -> keras.Model:
    """Dense layers of 16 MB each."""
    count = max(1, round(megabytes * 2**20 / (4 * WIDTH * WIDTH)))
    return keras.Sequential(
        [keras.Input((WIDTH,)), *(keras.layers.Dense(WIDTH) for _ in range(count))]
    )


def write(path: str, arrays: list[np.ndarray]) -> None:
    """The arrays as datasets, one after the other."""
    synced = os.path.exists(path)
    with h5py.File(path + ".new" if synced else path, "w") as file:
        for index, array in enumerate(arrays):
            file[str(index)] = array
    if synced:
        with open(path + ".new", "rb") as file:
            os.fsync(file.fileno())
        os.replace(path + ".new", path)


def read(path: str) -> list[np.ndarray]:
    """What `write` wrote."""
    with h5py.File(path, "r") as file:
        return [file[key][()] for key in file]


def measured(call: Callable) -> tuple[float, float]:
    """Milliseconds of wall and processor time of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - processor) * 1e3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", help="where to write; decides which disk is measured")
    options = parser.parse_args()
    model = network(options.megabytes)
    arrays = model.get_weights()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        plain = os.path.join(folder, "plain")
        calls = {
            ("replace", "h5py"): lambda: write(plain, arrays),
            ("save", "h5py"): lambda: write(plain + "_new", arrays),
            ("load", "h5py"): lambda: read(plain),
        }
        for ending in (".h5", ".keras", ".weights.h5"):
            path = os.path.join(folder, f"m{ending}")
            weights = "weights" in ending
            save = model.save_weights if weights else model.save
            load = model.load_weights if weights else keras.saving.load_model
            calls["replace", ending] = lambda save=save, path=path: save(path)
            new = os.path.join(folder, f"new{ending}")
            calls["save", ending] = lambda save=save, new=new: save(new)
            calls["load", ending] = lambda load=load, path=path: load(path)
        taken: dict = {key: [] for key in calls}
        for call in calls.values():
            call()
        for _ in range(options.rounds):
            for key in random.sample(list(calls), len(calls)):
                for name in os.listdir(folder):
                    if "new" in name:
                        os.unlink(os.path.join(folder, name))
                taken[key].append(measured(calls[key]))
    print("| | wall ms | ratio | processor ms | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for key in sorted(calls):
        cells = []
        for column in (0, 1):
            middle = statistics.median(one[column] for one in taken[key])
            base = statistics.median(one[column] for one in taken[key[0], "h5py"])
            cells.append(f"{middle:.0f} | {middle / base:.2f}")
        print(f"| {key[0]} {key[1]} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
