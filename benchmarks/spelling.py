"""What understanding old spellings costs a call in today's: layers made, and `fit` called.

`python benchmarks/spelling.py` times each with the notice of old spellings on and off, in turns,
and prints the ratio of the medians. 1.00 is no cost; the spread says what is noise.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from unittest import mock

import numpy as np

import minikeras
from minikeras import layers
from minikeras.engine import spelling
from minikeras.training.trainer import Trainer

X, Y = np.ones((32, 8), "float32"), np.ones((32, 1), "float32")


def dense() -> None:
    """One layer, most of it by keyword."""
    layers.Dense(16, activation="relu", kernel_initializer="he_normal", name="dense")


def convolution() -> None:
    """One layer with positional arguments, as two generations order them otherwise."""
    layers.Conv2D(16, 3, padding="same", activation="relu", name="convolution")


def model() -> minikeras.Model:
    """A small compiled model."""
    made = minikeras.Sequential([minikeras.Input((8,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def fit(made: minikeras.Model) -> None:
    """One step, so that the call is most of the time."""
    made.fit(X, Y, epochs=1, batch_size=32, verbose=0, shuffle=False)


class Off:
    """Nothing looks for old spellings: no check of keywords, of order, or of arguments."""

    def __enter__(self) -> None:
        self.patches = [
            mock.patch.object(spelling, "known_keywords", lambda cls: None),
            mock.patch.object(spelling, "OLD_ORDERS", {}),
            mock.patch.object(Trainer, "fit", Trainer.fit.__wrapped__),  # type: ignore[attr-defined]
        ]
        for patch in self.patches:
            patch.start()

    def __exit__(self, *_: object) -> None:
        for patch in self.patches:
            patch.stop()


def seconds(action: Callable, repeats: int) -> float:
    """Of one call, on average over `repeats`."""
    start = time.perf_counter()
    for _ in range(repeats):
        action()
    return (time.perf_counter() - start) / repeats


def compare(action: Callable, repeats: int, turns: int = 31) -> tuple[float, float, float]:
    """Microseconds with the notice on, the ratio to off, and the spread of that ratio."""
    action()
    on, ratios = [], []
    for _ in range(turns):
        with Off():
            without = seconds(action, repeats)
        on.append(seconds(action, repeats))
        ratios.append(on[-1] / without)
    spread = statistics.quantiles(ratios, n=4)
    return statistics.median(on) * 1e6, statistics.median(ratios), spread[2] - spread[0]


def main() -> None:
    """Print the table."""
    made = model()
    print(f"{'call':32} {'us':>8} {'on / off':>9} {'spread':>7}")
    for name, action, repeats in (
        ("Dense(16, activation=...)", dense, 300),
        ("Conv2D(16, 3, padding=...)", convolution, 300),
        ("model.fit, one step", lambda: fit(made), 60),
    ):
        print("{:32} {:8.1f} {:9.3f} {:7.3f}".format(name, *compare(action, repeats)))


if __name__ == "__main__":
    main()
