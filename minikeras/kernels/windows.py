"""Geometry of sliding windows: how convolution and pooling walk over an array.

One rule serves every kernel: output position ``o`` reads the inputs ``o * stride + k * dilation -
before`` for each ``k`` of the window; what lies outside the input is padding. Arrays are
channels-last, ``(batch, *spatial, channels)``.

Resampling of images: every method is one small weight matrix a dimension.

The weights follow TensorFlow's kernels (half-pixel centres): its bicubic table of 1024 steps, its
antialiased and Lanczos filters, its area averages. Positions are computed in float32 as there, so
that large images agree too. Images are ``(batch, height, width, channels)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Sizes = tuple[int, ...]

# Patches of one tile. Large enough that a matrix product keeps all cores busy, small enough to
# stay in the outer cache and to bound the memory of a call.
TILE_BYTES = 4 << 20


def extent(kernel_size: int, dilation: int) -> int:
    """Length of the input stretch that a dilated window spans."""
    return (kernel_size - 1) * dilation + 1


def output_size(size: int, kernel_size: int, stride: int, padding: str, dilation: int = 1) -> int:
    """Length of the output along one dimension (may be <= 0 for ``"valid"``)."""
    if padding == "valid":
        return (size - extent(kernel_size, dilation)) // stride + 1
    return (size - 1) // stride + 1


def padding_before(
    size: int, kernel_size: int, stride: int, padding: str, dilation: int = 1
) -> int:
    """Padding in front of one dimension; ``"same"`` puts the odd one behind, as TensorFlow does."""
    span = extent(kernel_size, dilation)
    if padding == "valid":
        return 0
    if padding == "causal":
        return span - 1
    total = (output_size(size, kernel_size, stride, padding) - 1) * stride + span - size
    return max(total, 0) // 2


@lru_cache(maxsize=4096)
def geometry(
    spatial: Sizes,
    kernel_size: Sizes,
    strides: Sizes,
    padding: str,
    dilation: Sizes | None = None,
) -> tuple[Sizes, Sizes]:
    """Output sizes and paddings in front, dimension by dimension."""
    dilation = dilation or (1,) * len(spatial)
    each = list(zip(spatial, kernel_size, strides, dilation))
    return (
        tuple(output_size(i, k, s, padding, d) for i, k, s, d in each),
        tuple(padding_before(i, k, s, padding, d) for i, k, s, d in each),
    )


@lru_cache(maxsize=4096)
def transposed_geometry(
    spatial: Sizes,
    kernel_size: Sizes,
    strides: Sizes,
    padding: str,
    output_padding: Sizes | None = None,
    dilation: Sizes | None = None,
) -> tuple[Sizes, Sizes]:
    """Output sizes of a transposed convolution and the paddings of the convolution it reverses."""
    dilation = dilation or (1,) * len(spatial)
    sizes, before = [], []
    for axis, (size, kernel, stride, rate) in enumerate(
        zip(spatial, kernel_size, strides, dilation)
    ):
        span = extent(kernel, rate)
        extra = None if output_padding is None else output_padding[axis]
        start = (size - 1) * stride
        if padding == "valid":
            sizes.append(start + span + (max(stride - span, 0) if extra is None else extra))
            before.append(0)
        else:
            sizes.append(size * stride if extra is None else start + span % 2 + extra)
            before.append(max(start + span - sizes[-1], 0) // 2)
    return tuple(sizes), tuple(before)


def tiles(batch: int, rows: int, row_bytes: int, budget: int = 0) -> Iterator[tuple[int, ...]]:
    """Split ``batch`` images of ``rows`` rows into pieces of at most ``budget`` bytes.

    Yields ``(first image, last image, first row, last row)``, ends exclusive: whole images while
    they fit, otherwise bands of rows of one image.
    """
    budget = budget or TILE_BYTES
    image_bytes = max(rows * row_bytes, 1)
    if image_bytes <= budget or rows <= 1:
        # Pieces of equal size: a small last piece would waste a call on a short product.
        count = math.ceil(batch / max(budget // image_bytes, 1))
        step = max(math.ceil(batch / max(count, 1)), 1)
        for i in range(0, batch, step):
            yield i, min(i + step, batch), 0, rows
        return
    step = max(budget // row_bytes, 1)
    for i in range(batch):
        for a in range(0, rows, step):
            yield i, i + 1, a, min(a + step, rows)


def valid_range(size: int, outputs: int, stride: int, offset: int) -> tuple[int, int]:
    """The outputs ``o`` in ``[0, outputs)`` whose input ``o * stride + offset`` exists."""
    low = max(-(offset // stride), 0) if offset < 0 else 0
    high = min((size - 1 - offset) // stride + 1, outputs)
    return low, max(high, low)


class Windows:
    """The windows of an array as a view, tile by tile, with padding where needed.

    Args:
        x: Array of shape ``(batch, *spatial, channels)``, any strides.
        kernel_size, strides, dilation, before, outputs: One integer a dimension.
        fill: What padding reads as.
    """

    def __init__(
        self,
        x: np.ndarray,
        kernel_size: Sizes,
        strides: Sizes,
        dilation: Sizes,
        before: Sizes,
        outputs: Sizes,
        fill: float = 0,
    ):
        self.x, self.kernel_size, self.strides, self.dilation = x, kernel_size, strides, dilation
        self.before, self.outputs, self.fill = before, outputs, fill
        self.spans = tuple(
            (o - 1) * s + extent(k, d)
            for o, s, k, d in zip(outputs, strides, kernel_size, dilation)
        )
        spatial = x.shape[1:-1]
        self.padded = any(
            b > 0 or span - b > size for b, span, size in zip(before, self.spans, spatial)
        )
        self._buffer: np.ndarray | None = None

    def source(self, i: int, j: int, a: int, b: int) -> np.ndarray:
        """The padded input that rows ``a:b`` of images ``i:j`` read, first position first."""
        start = a * self.strides[0] - self.before[0]
        span = (b - a - 1) * self.strides[0] + extent(self.kernel_size[0], self.dilation[0])
        spans = (span, *self.spans[1:])
        starts = (start, *(-p for p in self.before[1:]))
        if not self.padded:
            read = (slice(i, j), *(slice(s, s + n) for s, n in zip(starts, spans)))
            return self.x[read]
        shape = (j - i, *spans, self.x.shape[-1])
        if self._buffer is None:
            self._buffer = np.full(shape, self.fill, self.x.dtype)
        # Every later tile is at most as large, and only its first dimension's border moves.
        view = self._buffer[: j - i, :span]
        inside, target = [slice(i, j)], [slice(None)]
        for begin, length, size in zip(starts, spans, self.x.shape[1:-1]):
            low, high = max(begin, 0), min(begin + length, size)
            inside.append(slice(low, max(high, low)))
            target.append(slice(low - begin, max(high, low) - begin))
        view[:, : target[1].start] = self.fill
        view[:, target[1].stop :] = self.fill
        view[tuple(target)] = self.x[tuple(inside)]
        return view

    def tile(self, i: int, j: int, a: int, b: int) -> np.ndarray:
        """View of shape ``(images, rows, *outputs[1:], *kernel_size, channels)``."""
        source = self.source(i, j, a, b)
        steps = source.strides
        return as_strided(
            source,
            (j - i, b - a, *self.outputs[1:], *self.kernel_size, source.shape[-1]),
            (
                steps[0],
                *(t * s for t, s in zip(steps[1:-1], self.strides)),
                *(t * d for t, d in zip(steps[1:-1], self.dilation)),
                steps[-1],
            ),
            writeable=False,
        )


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
