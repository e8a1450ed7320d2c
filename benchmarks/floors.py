"""The unavoidable work of a layer: its matrix products, on arrays that are there already."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def arrays(*shapes: tuple) -> list[np.ndarray]:
    """Random float32 arrays."""
    rng = np.random.default_rng(0)
    return [rng.random(shape, dtype=np.float32) for shape in shapes]


def products(rows: int, fan_in: int, fan_out: int, first: bool = False) -> Callable:
    """The three products of one step of a dense layer; the first needs no gradient to its input."""
    x, w, dy, y, dw, dx = arrays(
        (rows, fan_in), (fan_in, fan_out), (rows, fan_out), (rows, fan_out), (fan_in, fan_out),
        (rows, fan_in),
    )  # fmt: skip

    def step() -> None:
        np.matmul(x, w, out=y)
        np.matmul(x.T, dy, out=dw)
        if not first:
            np.matmul(dy, w.T, out=dx)

    return step


def dense_epoch(rows: int, batch: int, sizes: list[int]) -> Callable:
    """One epoch of a network of dense layers of `sizes` (the input's first)."""
    layers = [
        products(batch, fan_in, fan_out, first=index == 0)
        for index, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:]))
    ]
    steps = -(-rows // batch)

    def epoch() -> None:
        for _ in range(steps):
            for layer in layers:
                layer()

    return epoch


def epoch_of(steps: int, layers: list[Callable]) -> Callable:
    """One epoch of `steps` steps through `layers`."""

    def epoch() -> None:
        for _ in range(steps):
            for layer in layers:
                layer()

    return epoch
