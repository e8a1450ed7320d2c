"""The unavoidable work of a layer: its matrix products, on arrays that are there already.

Each product is done in the fastest of the ways that NumPy has: whole, or as a stack of blocks of
rows, which OpenBLAS multiplies without packing them (see `NOTES.md`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

LINE = 64


def arrays(*shapes: tuple) -> list[np.ndarray]:
    """Random float32 arrays that begin at cache lines."""
    rng = np.random.default_rng(0)
    made = []
    for shape in shapes:
        raw = rng.random(math.prod(shape) + LINE // 4, dtype=np.float32)
        start = -raw.ctypes.data % LINE // 4
        made.append(raw[start : start + math.prod(shape)].reshape(shape))
    return made


def fastest(ways: list[Callable]) -> Callable:
    """That of `ways` that takes the least processor time."""

    def seconds(way: Callable) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            way()
            times.append(time.process_time() - start)
        return min(times)

    return min(ways, key=seconds)


def tall(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> Callable:
    """`x @ w` to `out`."""
    ways = [lambda: np.matmul(x, w, out=out)]
    for rows in (16, 32, 64, 128):
        if len(x) % rows == 0:
            blocks, target = (a.reshape(-1, rows, a.shape[1]) for a in (x, out))
            ways.append(lambda a=blocks, b=target: np.matmul(a, w, out=b))
    return fastest(ways)


def deep(x: np.ndarray, dy: np.ndarray, out: np.ndarray) -> Callable:
    """`x.T @ dy` to `out`."""
    ways = [lambda: np.matmul(x.T, dy, out=out)]
    for rows in (128, 256):
        if len(x) % rows == 0 and out.size <= 4096:
            a = x.reshape(-1, rows, x.shape[1]).transpose(0, 2, 1)
            b = dy.reshape(-1, rows, dy.shape[1])
            parts = np.empty((len(a), *out.shape), np.float32)
            ways.append(
                lambda a=a, b=b, c=parts: np.add.reduce(np.matmul(a, b, out=c), axis=0, out=out)
            )
    return fastest(ways)


def products(rows: int, fan_in: int, fan_out: int, first: bool = False) -> Callable:
    """The three products of one step of a dense layer; the first needs no gradient to its input."""
    x, w, dy, y, dw, dx, back = arrays(
        (rows, fan_in), (fan_in, fan_out), (rows, fan_out), (rows, fan_out), (fan_in, fan_out),
        (rows, fan_in), (fan_out, fan_in),
    )  # fmt: skip
    forward, weights = tall(x, w, y), deep(x, dy, dw)
    backward = None if first else tall(dy, back, dx)

    def step() -> None:
        forward()
        weights()
        if backward is not None:
            backward()

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
