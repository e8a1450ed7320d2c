"""Resampling of images: every method is one small weight matrix a dimension.

The weights follow TensorFlow's kernels (half-pixel centres): its bicubic table of 1024 steps, its
antialiased and Lanczos filters, its area averages. Positions are computed in float32 as there, so
that large images agree too. Images are ``(batch, height, width, channels)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic", "area")

_BICUBIC_STEPS = 1024
_HALF = np.float32(0.5)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(radius: float) -> Callable[[np.ndarray], np.ndarray]:
    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        safe = np.maximum(x, 1e-3)
        wave = radius * np.sin(np.pi * safe) * np.sin(np.pi * safe / radius)
        value = wave / (np.pi * np.pi * safe * safe)
        return np.where(x > radius, 0, np.where(x <= 1e-3, 1, value))

    return kernel


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1.5, np.exp(-2 * x * x), 0)  # radius 1.5, standard deviation 0.5


def _mitchell_cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = (7 / 6 * x - 2) * x * x + 8 / 9
    far = ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.where(x < 1, near, np.where(x < 2, far, 0))


FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": _triangle,
    "bicubic": _keys_cubic,
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
    "gaussian": _gaussian,
    "mitchellcubic": _mitchell_cubic,
}


def nearest_indices(size: int, output_size: int) -> np.ndarray:
    """The input position that each output position copies."""
    scale = np.float32(size) / np.float32(output_size)
    positions = (np.arange(output_size, dtype=np.float32) + np.float32(0.5)) * scale
    return np.minimum(np.floor(positions).astype(np.intp), size - 1)


def weights(size: int, output_size: int, interpolation: str, antialias: bool = False) -> np.ndarray:
    """Matrix ``(output_size, size)`` in float64 that resamples one dimension."""
    if interpolation == "nearest":
        return np.eye(size)[nearest_indices(size, output_size)]
    if interpolation == "area":
        return _area_weights(size, output_size)
    if interpolation == "bilinear_at_corners":
        # TensorFlow 1: positions count from the corners of pixels, not from their centres.
        return _interpolation_weights(size, output_size, "bilinear", np.float32(0))
    if interpolation in ("bilinear", "bicubic") and not antialias:
        return _interpolation_weights(size, output_size, interpolation)
    kernel = FILTERS[interpolation]
    half = np.float32(0.5)
    scale = np.float32(1) / (np.float32(output_size) / np.float32(size))
    centres = (np.arange(output_size, dtype=np.float32) + half) * scale
    width = max(scale, np.float32(1)) if antialias else np.float32(1)
    distance = (np.arange(size, dtype=np.float32) + half)[None, :] - centres[:, None]
    matrix = kernel(distance * (np.float32(1) / width)).astype(np.float64)
    return matrix / matrix.sum(1, keepdims=True)


def _interpolation_weights(
    size: int, output_size: int, interpolation: str, half: Any = _HALF
) -> np.ndarray:
    scale = np.float32(size) / np.float32(output_size)
    positions = (np.arange(output_size, dtype=np.float32) + half) * scale - half
    base = np.floor(positions)
    offset = positions - base
    if interpolation == "bicubic":
        offset = np.rint(offset * _BICUBIC_STEPS) / _BICUBIC_STEPS
    matrix = np.zeros((output_size, size))
    rows = np.arange(output_size)
    for shift in range(-1, 3):
        column = base.astype(np.intp) + shift
        inside = (column >= 0) & (column < size)
        weight = FILTERS[interpolation](offset.astype(np.float64) - shift)
        matrix[rows[inside], column[inside]] = weight[inside]
    return matrix / matrix.sum(1, keepdims=True)


def _area_weights(size: int, output_size: int) -> np.ndarray:
    scale = np.float32(size) / np.float32(output_size)
    edges = np.arange(output_size + 1) * float(scale)
    start, stop = edges[:-1, None], edges[1:, None]
    cells = np.arange(size)[None, :]
    cover = np.maximum(np.minimum(cells + 1, stop) - np.maximum(cells, start), 0)
    return cover / scale


def resize(
    x: np.ndarray, size: Sequence[int], interpolation: str = "bilinear", antialias: bool = False
) -> np.ndarray:
    """Resample ``(batch, height, width, channels)`` to ``size``; the dtype stays floating."""
    if interpolation == "nearest":
        for axis, output_size in enumerate(size, 1):
            x = x.take(nearest_indices(x.shape[axis], output_size), axis)
        return x
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
    matrices = [
        weights(n, o, interpolation, antialias).astype(dtype) for n, o in zip(x.shape[1:3], size)
    ]
    return _apply(x.astype(dtype, copy=False), matrices)


def resize_gradient(
    dy: np.ndarray,
    input_size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
) -> np.ndarray:
    """Gradient of `resize` for an input of height and width ``input_size``."""
    matrices = [
        weights(n, o, interpolation, antialias).T.astype(dy.dtype)
        for n, o in zip(input_size, dy.shape[1:3])
    ]
    return _apply(dy, matrices)


def _apply(x: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    rows, columns = matrices
    batch, height, width, channels = x.shape
    x = np.matmul(rows, x.reshape(batch, height, width * channels))
    x = np.matmul(columns, x.reshape(-1, width, channels))
    return x.reshape(batch, len(rows), len(columns), channels)


def repeat(x: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Repeat each element ``factors`` times along the spatial dimensions of channels-last ``x``."""
    target = (len(x), *(v for n, f in zip(x.shape[1:-1], factors) for v in (n, f)), x.shape[-1])
    source = x.reshape(len(x), *(v for n in x.shape[1:-1] for v in (n, 1)), x.shape[-1])
    shape = (len(x), *(n * f for n, f in zip(x.shape[1:-1], factors)), x.shape[-1])
    return np.broadcast_to(source, target).reshape(shape)


def repeat_gradient(dy: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Gradient of `repeat`: the sum over each element's copies."""
    shape = [v for n, f in zip(dy.shape[1:-1], factors) for v in (n // f, f)]
    blocks = dy.reshape(len(dy), *shape, dy.shape[-1])
    if math.prod(factors) == 1:
        return dy
    return blocks.sum(tuple(range(2, 2 * len(factors) + 1, 2)))
