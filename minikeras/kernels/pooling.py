"""Max and average pooling with their derivatives, channels-last, in any number of dimensions.

A window's maximum or sum is the maximum or sum along one dimension after the other, each a few
passes over strided views: no patches are built. Geometry comes from `windows.geometry`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from .convolution import Epilogue, PatchBuffer, sum_over_batch, with_trailing_one
from .parallel import over_batch
from .rows import matmul
from .windows import Sizes, Windows, tiles, valid_range

# Input of one tile, so that the intermediate results of its dimensions stay in cache.
POOL_TILE = 1 << 20


def max_pool(
    x: np.ndarray, pool_size: Sizes, strides: Sizes, before: Sizes, outputs: Sizes
) -> np.ndarray:
    """Largest element of each window, ``(batch, *outputs, channels)``; padding never wins."""
    floating = np.issubdtype(x.dtype, np.inexact) or x.dtype.kind == "V"
    lowest = -np.inf if floating else np.iinfo(x.dtype).min
    return _reduce(np.maximum, x, pool_size, strides, before, outputs, lowest)


def max_pool_gradient(
    dy: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    pool_size: Sizes,
    strides: Sizes,
    before: Sizes,
) -> np.ndarray:
    """Gradient of `max_pool`: all of it to the first maximum of each window in row-major order.

    Args:
        dy: Gradient of the output.
        x: Input of `max_pool`.
        y: Its output.
        pool_size: Window, as are ``strides`` and ``before``.
        strides: Steps of the window.
        before: Padding in front.
    """
    sizes, outputs, channels = x.shape[1:-1], y.shape[1:-1], x.shape[-1]
    # Windows that do not overlap write each element of dx once.
    apart = all(s >= k for s, k in zip(strides, pool_size))
    covered = apart and all(
        s == k and p == 0 and o * s == i
        for s, k, p, o, i in zip(strides, pool_size, before, outputs, sizes)
    )
    dx = np.empty(x.shape, dy.dtype) if covered else np.zeros(x.shape, dy.dtype)
    image = math.prod(sizes) * channels * x.itemsize

    def part(batch: slice) -> None:
        for i, j, _, _ in tiles(batch.stop - batch.start, 1, image, POOL_TILE):
            free = np.ones(y[batch][i:j].shape, bool)
            hit = np.empty_like(free)
            product = None if apart else np.empty(free.shape, dy.dtype)
            for tap in np.ndindex(*pool_size):
                reads, writes = [slice(None)], [slice(None)]
                for t, size, count, s, p in zip(tap, sizes, outputs, strides, before):
                    low, high = valid_range(size, count, s, t - p)
                    reads.append(slice(low, high))
                    begin = low * s + t - p
                    writes.append(slice(begin, begin + max((high - low - 1) * s + 1, 0), s))
                source, target = tuple(reads), tuple(writes)
                won, left = hit[source], free[source]
                np.equal(x[batch][i:j][target], y[batch][i:j][source], out=won)
                won &= left
                left ^= won
                if product is None:
                    np.multiply(dy[batch][i:j][source], won, out=dx[batch][i:j][target])
                else:
                    view = dx[batch][i:j][target]
                    view += np.multiply(dy[batch][i:j][source], won, out=product[source])

    over_batch(part, len(x), math.prod(x.shape))
    return dx


def average_pool(
    x: np.ndarray, pool_size: Sizes, strides: Sizes, before: Sizes, outputs: Sizes
) -> np.ndarray:
    """Mean of each window, padding not counted: ``(batch, *outputs, channels)``."""
    y = _reduce(np.add, x, pool_size, strides, before, outputs, 0)
    y /= window_counts(x.shape[1:-1], pool_size, strides, before, outputs).astype(y.dtype)
    return y


def average_pool_gradient(
    dy: np.ndarray, input_shape: Sizes, pool_size: Sizes, strides: Sizes, before: Sizes
) -> np.ndarray:
    """Gradient of `average_pool` for an input of spatial sizes ``input_shape``."""
    outputs = dy.shape[1:-1]
    counts = window_counts(input_shape, pool_size, strides, before, outputs).astype(dy.dtype)
    dx = dy / counts
    for axis, (size, k, s, p) in enumerate(zip(input_shape, pool_size, strides, before), 1):
        dx = _spread(dx, axis, size, k, s, p)
    return dx


def window_counts(
    sizes: Sequence[int], pool_size: Sizes, strides: Sizes, before: Sizes, outputs: Sizes
) -> np.ndarray:
    """How many inputs each window holds, shape ``(*outputs, 1)``."""
    counts = np.ones((1,), np.int64)
    for axis, (size, k, s, p, o) in enumerate(zip(sizes, pool_size, strides, before, outputs)):
        start = np.arange(o) * s - p
        held = np.minimum(start + k, size) - np.maximum(start, 0)
        counts = counts * held.reshape(-1, *(1,) * (len(outputs) - axis))
    return counts


def adaptive_windows(size: int, output_size: int) -> list[tuple[int, int]]:
    """The ``output_size`` windows that cover ``size`` inputs as evenly as integers allow."""
    return [
        (i * size // output_size, -(-(i + 1) * size // output_size)) for i in range(output_size)
    ]


def adaptive_average_pool(x: np.ndarray, output_size: Sizes) -> np.ndarray:
    """Mean over evenly spread windows: ``(batch, *output_size, channels)``."""
    for axis, size in enumerate(output_size, 1):
        parts = adaptive_windows(x.shape[axis], size)
        x = np.stack([_at(x, axis, *part).mean(axis) for part in parts], axis)
    return x


def adaptive_average_pool_gradient(dy: np.ndarray, input_shape: Sizes) -> np.ndarray:
    """Gradient of `adaptive_average_pool` for an input of spatial sizes ``input_shape``."""
    for axis in range(len(input_shape), 0, -1):
        size = input_shape[axis - 1]
        dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]), dy.dtype)
        for i, (start, stop) in enumerate(adaptive_windows(size, dy.shape[axis])):
            view = _at(dx, axis, start, stop)
            view += _at(dy, axis, i, i + 1) / dy.dtype.type(stop - start)
        dy = dx
    return dy


def adaptive_max_pool(x: np.ndarray, output_size: Sizes) -> tuple[np.ndarray, list[np.ndarray]]:
    """Maximum over evenly spread windows, and what its gradient needs."""
    winners = []
    for axis, size in enumerate(output_size, 1):
        parts = adaptive_windows(x.shape[axis], size)
        index = np.stack([_at(x, axis, *part).argmax(axis) + part[0] for part in parts], axis)
        winners.append(index)
        x = np.take_along_axis(x, index, axis)
    return x, winners


def adaptive_max_pool_gradient(
    dy: np.ndarray, input_shape: Sizes, winners: list[np.ndarray]
) -> np.ndarray:
    """Gradient of `adaptive_max_pool`, to the first maximum of each window."""
    for axis in range(len(input_shape), 0, -1):
        index = winners[axis - 1]
        dx = np.zeros((*dy.shape[:axis], input_shape[axis - 1], *dy.shape[axis + 1 :]), dy.dtype)
        # One window at a time: neighbours may share their winner.
        for i in range(dy.shape[axis]):
            at, part = _at(index, axis, i, i + 1), _at(dy, axis, i, i + 1)
            np.put_along_axis(dx, at, np.take_along_axis(dx, at, axis) + part, axis)
        dy = dx
    return dy


def _reduce(
    combine: np.ufunc,
    x: np.ndarray,
    pool_size: Sizes,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    fill: float,
) -> np.ndarray:
    """Combine the elements of each window, one dimension after the other."""
    y = np.empty((len(x), *outputs, x.shape[-1]), x.dtype)
    steps = [n for n, (k, s) in enumerate(zip(pool_size, strides), 1) if k > 1 or s > 1]
    row_bytes = strides[0] * math.prod(x.shape[2:]) * x.itemsize

    def part(batch: slice) -> None:
        windows = Windows(x[batch], pool_size, strides, (1,) * len(outputs), before, outputs, fill)
        for i, j, a, b in tiles(batch.stop - batch.start, outputs[0], row_bytes, POOL_TILE):
            part, done = windows.source(i, j, a, b), y[batch][i:j, a:b]
            if not steps:
                done[...] = part
            for axis in steps:
                k, s = pool_size[axis - 1], strides[axis - 1]
                count = done.shape[axis]
                views = [_at(part, axis, t, t + (count - 1) * s + 1, s) for t in range(k)]
                target = done if axis == steps[-1] else np.empty(views[0].shape, x.dtype)
                if k == 1:
                    target[...] = views[0]
                else:
                    combine(views[0], views[1], out=target)
                for view in views[2:]:
                    combine(target, view, out=target)
                part = target

    over_batch(part, len(x), math.prod(x.shape))
    return y


def _spread(dy: np.ndarray, axis: int, size: int, k: int, s: int, p: int) -> np.ndarray:
    """Add ``dy`` to each element of its windows along ``axis``."""
    if k == 1 and s == 1 and p == 0 and dy.shape[axis] == size:
        return dy
    dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]), dy.dtype)
    for t in range(k):
        low, high = valid_range(size, dy.shape[axis], s, t - p)
        if high == low:
            continue
        begin = low * s + t - p
        view = _at(dx, axis, begin, begin + (high - low - 1) * s + 1, s)
        part = _at(dy, axis, low, high)
        if s >= k:
            view[...] = part
        else:
            view += part
    return dx


def _at(x: np.ndarray, axis: int, start: int, stop: int, step: int = 1) -> np.ndarray:
    return x[(slice(None),) * axis + (slice(start, stop, step),)]


def global_average(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """Mean over neighbouring ``axes``, where possible as one product with a vector."""
    count = math.prod(x.shape[axis] for axis in axes)
    if axes[0] == 1 and x.dtype.kind == "f" and x.dtype.itemsize >= 4:
        y = np.matmul(np.ones(count, x.dtype), x.reshape(len(x), count, x.shape[-1]))
        y /= x.dtype.type(count)
        return np.expand_dims(y, axes) if keepdims else y
    return x.mean(axes, keepdims=keepdims, dtype=x.dtype if x.dtype.kind == "f" else np.float32)


def global_max_gradient(
    dy: np.ndarray, x: np.ndarray, y: np.ndarray, axes: tuple[int, ...]
) -> np.ndarray:
    """Gradient of a maximum over ``axes`` (kept, with size 1), shared evenly by those that tie."""
    hits = x == y
    return hits * (dy / hits.sum(axes, keepdims=True).astype(dy.dtype))


# Gradients that `unpool` spreads at a time.
UNPOOL_TILE = 1 << 20


def convolve_max_pool(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    dilation: Sizes,
    pool_size: Sizes,
    *,
    keep: bool = False,
    epilogue: Epilogue | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Maxima of windows that do not overlap over a convolution, which is never stored.

    The rows of each product are ordered by their place in the window, so that the maximum is one of
    a few contiguous blocks. A bias and an increasing activation may as well come after the maximum:
    that is what ``epilogue`` is for.

    Args:
        x: Input, as are ``kernel``, ``strides``, ``before`` and ``dilation`` those of `convolve`.
        kernel: Kernel, without groups.
        strides: Steps of the convolution.
        before: Padding in front.
        outputs: Sizes of the result; the convolution is computed where these windows read.
        dilation: Distance between taps.
        pool_size: Windows.
        keep: Whether to tell where the maxima were.
        epilogue: Called with each finished block of rows.

    Returns:
        The maxima ``(batch, *outputs, filters)`` and, if ``keep``, for each place in the window the
        booleans of that shape that say whether the (first) maximum was there.
    """
    filters = kernel.shape[-1]
    dtype = np.result_type(x, kernel)
    y = np.empty((len(x), *outputs, filters), dtype)
    places = math.prod(pool_size)
    hits = np.empty((places, *y.shape), bool) if keep else None
    weights = kernel.reshape(-1, filters)

    def part(batch: slice) -> None:
        product = None
        for patches, i, j, a, b in _pooled_patches(
            x[batch], kernel.shape, strides, before, outputs, dilation, pool_size
        ):
            if product is None:
                product = np.empty(len(patches) * filters, dtype)
            z = product[: len(patches) * filters].reshape(len(patches), filters)
            matmul(patches, weights, out=z)
            blocks = z.reshape(places, -1, filters)
            best = y[batch][i:j, a:b].reshape(-1, filters)
            if places == 1:
                best[...] = blocks[0]
            else:
                np.maximum(blocks[0], blocks[1], out=best)
            for block in blocks[2:]:
                np.maximum(best, block, out=best)
            if hits is not None:
                free = np.ones(best.shape, bool)
                for place, block in enumerate(blocks):
                    hit = hits[place, batch][i:j, a:b].reshape(-1, filters)
                    np.equal(block, best, out=hit)
                    hit &= free
                    free ^= hit
            if epilogue is not None:
                epilogue(best)

    over_batch(part, len(x), math.prod(y.shape))
    return y, hits


def _pooled_patches(
    x: np.ndarray,
    kernel_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    dilation: Sizes,
    pool_size: Sizes,
) -> Iterator[tuple[np.ndarray, int, int, int, int]]:
    """Yield ``(matrix, i, j, a, b)``: the patches that rows ``a:b`` of images ``i:j`` pool.

    The patches are ordered by their place in the pooling window.
    """
    inner = tuple(o * p for o, p in zip(outputs, pool_size))
    if len(outputs) == 1:
        outputs, pool_size = (*outputs, 1), (*pool_size, 1)
    rank, numbers = len(outputs), math.prod(kernel_shape[:-1]) + kernel_shape[-1]
    # (images, rows, place in the row, columns, place in the column, ...) -> places first
    order = (*range(2, 2 * rank + 1, 2), 0, *range(1, 2 * rank, 2))
    row_bytes = math.prod(pool_size) * math.prod(outputs[1:]) * numbers * x.itemsize
    windows = Windows(*with_trailing_one(x, kernel_shape[:-2], strides, dilation, before, inner))
    fill = PatchBuffer(windows)
    for i, j, a, b in tiles(len(x), outputs[0], row_bytes):
        view = windows.tile(i, j, a * pool_size[0], b * pool_size[0])
        split = [n for pair in zip((b - a, *outputs[1:]), pool_size) for n in pair]
        view = view.reshape(j - i, *split, *view.shape[rank + 1 :])
        yield fill(view.transpose(*order, *range(2 * rank + 1, view.ndim))), i, j, a, b


def pooled_kernel_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    hits: np.ndarray,
    kernel_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    pool_size: Sizes,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Gradient of `convolve_max_pool` with respect to its kernel: `unpool` is done in the cache.

    Args:
        x: Input, as ``strides``, ``before``, ``dilation`` and ``pool_size`` of the forward pass.
        dy: Gradient of the maxima.
        hits: Where they were.
        kernel_shape: Shape of the kernel.
        out: C-contiguous array to write to.

    Returns:
        Array of shape ``kernel_shape``.
    """
    if out is None:
        out = np.empty(kernel_shape, np.result_type(x, dy))
    filters = kernel_shape[-1]

    def gradient(batch: slice, target: np.ndarray) -> None:
        flat = target.reshape(-1, filters)
        flat[...] = 0
        scratch = buffer = None
        for patches, i, j, a, b in _pooled_patches(
            x[batch], kernel_shape, strides, before, dy.shape[1:-1], dilation, pool_size
        ):
            if buffer is None:
                buffer = np.empty(len(patches) * filters, dy.dtype)
            dz = buffer[: len(patches) * filters].reshape(len(hits), -1, filters)
            part = dy[batch][i:j, a:b].reshape(-1, filters)
            for hit, place in zip(hits, dz):
                np.multiply(part, hit[batch][i:j, a:b].reshape(-1, filters), out=place)
            scratch = matmul(patches.T, dz.reshape(-1, filters), out=scratch)
            flat += scratch

    return sum_over_batch(gradient, out, len(x), math.prod(dy.shape) * len(hits))


def unpool(dy: np.ndarray, hits: np.ndarray, pool_size: Sizes) -> np.ndarray:
    """The gradient before the maximum of `convolve_max_pool`, where its windows read."""
    sizes = tuple(o * p for o, p in zip(dy.shape[1:-1], pool_size))
    dz = np.empty((len(dy), *sizes, dy.shape[-1]), dy.dtype)
    image_bytes = math.prod(dz.shape[1:]) * dz.itemsize

    def part(batch: slice) -> None:
        for i, j, _, _ in tiles(batch.stop - batch.start, 1, image_bytes, UNPOOL_TILE):
            for hit, place in zip(hits, np.ndindex(*pool_size)):
                write = (slice(i, j), *(slice(t, None, p) for t, p in zip(place, pool_size)))
                np.multiply(dy[batch][i:j], hit[batch][i:j], out=dz[batch][write])

    over_batch(part, len(dy), math.prod(dz.shape))
    return dz
