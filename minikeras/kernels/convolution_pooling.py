"""Convolution and the maximum pooling behind it in one pass, channels-last."""

from __future__ import annotations

import math

import numpy as np

from .convolution import Epilogue, PatchBuffer, with_trailing_one
from .parallel import over_batch
from .windows import Sizes, Windows, tiles

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
    inner = tuple(o * p for o, p in zip(outputs, pool_size))
    if len(outputs) == 1:
        outputs, pool_size = (*outputs, 1), (*pool_size, 1)
    weights = kernel.reshape(-1, filters)
    rank = len(outputs)
    # (images, rows, place in the row, columns, place in the column, ...) -> places first
    order = (*range(2, 2 * rank + 1, 2), 0, *range(1, 2 * rank, 2))
    row_bytes = places * math.prod(outputs[1:]) * (len(weights) + filters) * dtype.itemsize

    def part(batch: slice) -> None:
        windows = Windows(
            *with_trailing_one(x[batch], kernel.shape[:-2], strides, dilation, before, inner)
        )
        fill = PatchBuffer(windows)
        product = None
        for i, j, a, b in tiles(batch.stop - batch.start, outputs[0], row_bytes):
            view = windows.tile(i, j, a * pool_size[0], b * pool_size[0])
            sizes = (b - a, *outputs[1:])
            split = [n for pair in zip(sizes, pool_size) for n in pair]
            view = view.reshape(j - i, *split, *view.shape[rank + 1 :])
            patches = fill(view.transpose(*order, *range(2 * rank + 1, view.ndim)))
            if product is None:
                product = np.empty(len(patches) * filters, dtype)
            z = product[: len(patches) * filters].reshape(len(patches), filters)
            np.matmul(patches, weights, out=z)
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
