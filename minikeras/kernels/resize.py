"""Resizing images: each method is one matrix an axis, rows of weights over the input's pixels.

Pixel centres lie at half coordinates, as in `tf.image.resize`.
"""

from collections.abc import Callable

import numpy as np


def _lanczos(radius: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1.5, np.exp(-2.0 * x * x), 0.0)  # radius 1.5, sigma 0.5


def _cubic(b: float, c: float) -> Callable[[np.ndarray], np.ndarray]:
    """The family of D. Mitchell and A. Netravali (1988)."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        inner = ((12 - 9 * b - 6 * c) * x + (-18 + 12 * b + 6 * c)) * x * x + (6 - 2 * b)
        outer = (((-b - 6 * c) * x + (6 * b + 30 * c)) * x + (-12 * b - 48 * c)) * x + (
            8 * b + 24 * c
        )
        return np.where(x < 1, inner, np.where(x < 2, outer, 0.0)) / 6

    return kernel


# Method -> its kernel, and the distance at which that becomes zero.
_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bilinear": (lambda x: np.maximum(1.0 - np.abs(x), 0.0), 1.0),
    "bicubic": (_cubic(0.0, 0.5), 2.0),
    "lanczos3": (_lanczos(3.0), 3.0),
    "lanczos5": (_lanczos(5.0), 5.0),
    "gaussian": (_gaussian, 1.5),
    "mitchellcubic": (_cubic(1 / 3, 1 / 3), 2.0),
}
METHODS = (*_KERNELS, "nearest", "area")


def resize_weights(size_in: int, size_out: int, method: str, antialias: bool = False) -> np.ndarray:
    """Returns the weights of one axis, of shape `(size_out, size_in)`; each row adds up to 1.

    Args:
        size_in: The size of the axis.
        size_out: The size it gets.
        method: One of `METHODS`.
        antialias: Whether the kernel grows with the step where the axis shrinks.
    """
    scale = size_in / size_out
    if method == "nearest":
        nearest = np.floor((np.arange(size_out) + 0.5) * scale).astype(int)
        return np.eye(size_in)[np.minimum(nearest, size_in - 1)]
    pixels = np.arange(size_in)
    if method == "area":  # how much of each pixel lies in the output's pixel
        start = np.arange(size_out)[:, None] * scale
        covered = np.minimum(start + scale, pixels + 1) - np.maximum(start, pixels)
        weights = np.maximum(covered, 0.0)
    else:
        kernel, _ = _KERNELS[method]
        centre = (np.arange(size_out)[:, None] + 0.5) * scale - 0.5
        if method == "bilinear":  # beyond the outermost centres the border goes on
            centre = np.clip(centre, 0, size_in - 1)
        weights = kernel((pixels - centre) / (max(scale, 1.0) if antialias else 1.0))
    return weights / weights.sum(1, keepdims=True)


def resize(x: np.ndarray, height: int, width: int, method: str, antialias: bool = False):
    """Resizes the axes -3 and -2 of images of shape `(..., height, width, channels)`.

    The result is of the dtype of `x` for `'nearest'`, and floating (`float32` at least) otherwise.
    """
    if method == "nearest":
        rows, columns = (
            resize_weights(size, new, method).argmax(1)
            for size, new in ((x.shape[-3], height), (x.shape[-2], width))
        )
        return x[..., rows[:, None], columns, :]
    dtype = np.result_type(x.dtype, "float32") if x.dtype.kind == "f" else np.dtype("float32")
    down = resize_weights(x.shape[-3], height, method, antialias).astype(dtype)
    across = resize_weights(x.shape[-2], width, method, antialias).astype(dtype)
    x = x.astype(dtype, copy=False)
    rows = down @ x.reshape(*x.shape[:-2], -1)
    rows = rows.reshape(*x.shape[:-3], height, *x.shape[-2:])
    return across @ rows
