"""Geometry of sliding windows: how convolution and pooling walk over an array.

One rule serves every kernel: output position ``o`` reads the inputs ``o * stride + k * dilation -
before`` for each ``k`` of the window; what lies outside the input is padding. Arrays are
channels-last, ``(batch, *spatial, channels)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

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
