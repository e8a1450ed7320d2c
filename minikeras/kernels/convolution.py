"""N-D convolution and its derivatives, channels-last, as patches and matrix products.

Shapes: ``x`` is ``(batch, *spatial, channels)``, a kernel is ``(*kernel_size, channels // groups,
filters)``, ``y`` is ``(batch, *outputs, filters)``. `windows.geometry` gives ``outputs`` and
``before`` (the padding in front) for Keras's ``padding`` words. Patches are built tile by tile, so
that they stay in cache and a large image does not need ``prod(kernel_size)`` times its memory.

A transposed convolution is the input gradient of a convolution, and its own derivatives are
`convolve` (to the input) and `kernel_gradient` with ``x`` and ``dy`` exchanged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from .windows import TILE_BYTES, Sizes, Windows, tiles, valid_range

Epilogue = Callable[[np.ndarray], object]

# Copying runs of consecutive elements shorter than this, one window at a time, is slower than
# copying whole rows of outputs, one window position at a time.
SHORT_RUN = 16

# A tile of the depthwise kernels: input, output and product of one pass fit the inner caches.
DEPTHWISE_TILE = 1 << 18

# Gradients that `unpool` spreads at a time.
UNPOOL_TILE = 1 << 20


def convolve(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    dilation: Sizes,
    groups: int = 1,
    *,
    out: np.ndarray | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """Cross-correlate ``x`` with ``kernel``.

    Args:
        x: Input, any strides.
        kernel: Kernel, any strides.
        strides: One integer a spatial dimension, as are ``before``, ``outputs``, ``dilation``.
        before: Padding in front of each dimension.
        outputs: Sizes of the output.
        dilation: Distance between the taps of the kernel.
        groups: Blocks of channels that are convolved apart.
        out: C-contiguous array to write to.
        epilogue: Called with each finished block of rows ``(rows, filters)`` while it is in cache,
            to add a bias or apply an activation in place.

    Returns:
        Array of shape ``(batch, *outputs, filters)``.
    """
    if out is None:
        out = np.empty((x.shape[0], *outputs, kernel.shape[-1]), np.result_type(x, kernel))
    flat = out.reshape(-1, kernel.shape[-1])
    for ins, outs in group_slices(kernel, groups):
        part = kernel[..., outs]
        weights = part.reshape(-1, part.shape[-1])
        target = flat[:, outs]
        for patches, i, j in _patches(
            x[..., ins], part.shape[:-2], strides, before, outputs, dilation
        ):
            np.matmul(patches, weights, out=target[i:j])
            if epilogue is not None and groups == 1:
                epilogue(target[i:j])
    if epilogue is not None and groups > 1:
        epilogue(flat)
    return out


def kernel_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    kernel_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    groups: int = 1,
    *,
    out: np.ndarray | None = None,
    accumulate: bool = False,
) -> np.ndarray:
    """Gradient of `convolve` with respect to its kernel.

    Args:
        x: Input of the convolution.
        dy: Gradient of its output.
        kernel_shape: Shape of the kernel.
        strides: As in `convolve`, as are ``before``, ``dilation`` and ``groups``.
        before: Padding in front.
        dilation: Distance between taps.
        groups: Blocks of channels.
        out: C-contiguous array to write to.
        accumulate: Add to ``out`` instead of replacing it.

    Returns:
        Array of shape ``kernel_shape``.
    """
    filters = kernel_shape[-1]
    if out is None:
        out = np.empty(kernel_shape, np.result_type(x, dy))
        accumulate = False
    rows = as_rows(dy)
    flat = out.reshape(-1, filters)
    for ins, outs in group_slices(out, groups):
        target, part = flat[:, outs], rows[:, outs]
        scratch, started = None, accumulate
        for patches, i, j in _patches(
            x[..., ins], kernel_shape[:-2], strides, before, dy.shape[1:-1], dilation
        ):
            if started:
                scratch = np.matmul(patches.T, part[i:j], out=scratch)
                target += scratch
            else:
                np.matmul(patches.T, part[i:j], out=target)
                started = True
        if not started:
            target[...] = 0
    return out


def input_gradient(
    dy: np.ndarray,
    kernel: np.ndarray,
    input_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    groups: int = 1,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Gradient of `convolve` with respect to its input; also the transposed convolution of ``dy``.

    Along the last spatial dimension the gradient is gathered (a convolution of ``dy`` with the
    reversed kernel, all phases of a stride in one product); along the others it is scattered, one
    addition of whole rows a tap. That needs fewer copies than gathering along all dimensions and
    fewer additions than scattering along all.

    Args:
        dy: Gradient of the output, ``(batch, *outputs, filters)``.
        kernel: The kernel.
        input_shape: Spatial sizes of the input.
        strides: As in `convolve`, as are ``before``, ``dilation`` and ``groups``.
        before: Padding in front.
        dilation: Distance between taps.
        groups: Blocks of channels.
        out: C-contiguous array to write to.

    Returns:
        Array of shape ``(batch, *input_shape, channels)``.
    """
    channels = kernel.shape[-2] * groups
    if out is None:
        out = np.empty((dy.shape[0], *input_shape, channels), np.result_type(dy, kernel))
    for ins, outs in group_slices(kernel, groups):
        part, block = kernel[..., outs], out[..., ins]
        if len(input_shape) == 1:
            # A leading dimension of one to scatter along.
            _scatter_gather(
                dy[:, None, :, outs], part[None], block[:, None],
                (1, *strides), (0, *before), (1, *dilation),
            )  # fmt: skip
        else:
            _scatter_gather(dy[..., outs], part, block, strides, before, dilation)
    return out


def depthwise(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    dilation: Sizes,
    *,
    out: np.ndarray | None = None,
    epilogue: Epilogue | None = None,
) -> np.ndarray:
    """Convolve each channel with its own kernels, as a sum over taps of shifted views.

    Args:
        x: Input ``(batch, *spatial, channels)``.
        kernel: ``(*kernel_size, channels, depth_multiplier)``.
        strides: As in `convolve`, as are ``before``, ``outputs``, ``dilation``, ``out`` and
            ``epilogue``.
        before: Padding in front.
        outputs: Sizes of the output.
        dilation: Distance between taps.
        out: C-contiguous array to write to.
        epilogue: Called with each finished block of rows.

    Returns:
        Array of shape ``(batch, *outputs, channels * depth_multiplier)``.
    """
    channels, multiplier = kernel.shape[-2:]
    dtype = np.result_type(x, kernel)
    if out is None:
        out = np.empty((x.shape[0], *outputs, channels * multiplier), dtype)
    if len(outputs) == 1:
        depthwise(
            x[:, None], kernel[None], (1, *strides), (0, *before), (1, *outputs), (1, *dilation),
            out=out[:, None], epilogue=epilogue,
        )  # fmt: skip
        return out
    split = out.reshape(*out.shape[:-1], channels, multiplier)
    windows = Windows(x, kernel.shape[:-2], strides, dilation, before, outputs)
    weights = [_row_weights(kernel[..., m], outputs[-1]) for m in range(multiplier)]
    row_bytes = math.prod(outputs[1:]) * channels * multiplier * dtype.itemsize
    for i, j, a, b in tiles(x.shape[0], outputs[0], row_bytes, DEPTHWISE_TILE):
        source = windows.source(i, j, a, b)
        product = np.empty((j - i, b - a, *outputs[1:], channels), dtype)
        for m in range(multiplier):
            total = split[i:j, a:b, ..., m]
            # The innermost loop runs over a whole row of outputs where the memory allows.
            work = total if multiplier == 1 else np.empty_like(product)
            for n, tap in enumerate(np.ndindex(*kernel.shape[:-2])):
                view = source[_tap_slices(tap, strides, dilation, (b - a, *outputs[1:]))]
                if n == 0:
                    np.multiply(view, weights[m][tap], out=work)
                else:
                    np.multiply(view, weights[m][tap], out=product)
                    work += product
            if work is not total:
                total[...] = work
        if epilogue is not None:
            epilogue(out[i:j, a:b].reshape(-1, channels * multiplier))
    return out


def depthwise_kernel_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    kernel_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    *,
    out: np.ndarray | None = None,
    accumulate: bool = False,
) -> np.ndarray:
    """Gradient of `depthwise` with respect to its kernel; arguments as in `kernel_gradient`."""
    channels, multiplier = kernel_shape[-2:]
    outputs = dy.shape[1:-1]
    dtype = np.result_type(x, dy)
    if out is None:
        out, accumulate = np.empty(kernel_shape, dtype), False
    if not accumulate:
        out[...] = 0
    if len(outputs) == 1:
        depthwise_kernel_gradient(
            x[:, None], dy[:, None], (1, *kernel_shape), (1, *strides), (0, *before),
            (1, *dilation), out=out[None], accumulate=True,
        )  # fmt: skip
        return out
    split = dy.reshape(*dy.shape[:-1], channels, multiplier)
    windows = Windows(x, kernel_shape[:-2], strides, dilation, before, outputs)
    row_bytes = math.prod(outputs[1:]) * channels * multiplier * dtype.itemsize
    for i, j, a, b in tiles(x.shape[0], outputs[0], row_bytes, DEPTHWISE_TILE):
        source = windows.source(i, j, a, b)
        product = np.empty((j - i, b - a, *outputs[1:], channels), dtype)
        rows = product.reshape(-1, outputs[-1] * channels)
        ones = np.ones(len(rows), dtype)
        for m in range(multiplier):
            part = np.ascontiguousarray(split[i:j, a:b, ..., m])
            for tap in np.ndindex(*kernel_shape[:-2]):
                view = source[_tap_slices(tap, strides, dilation, (b - a, *outputs[1:]))]
                np.multiply(view, part, out=product)
                out[tap][:, m] += (ones @ rows).reshape(-1, channels).sum(0)
    return out


def depthwise_input_gradient(
    dy: np.ndarray,
    kernel: np.ndarray,
    input_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Gradient of `depthwise` with respect to its input; arguments as in `input_gradient`."""
    channels, multiplier = kernel.shape[-2:]
    outputs = dy.shape[1:-1]
    dtype = np.result_type(dy, kernel)
    if out is None:
        out = np.zeros((dy.shape[0], *input_shape, channels), dtype)
    else:
        out[...] = 0
    if len(outputs) == 1:
        depthwise_input_gradient(
            dy[:, None], kernel[None], (1, *input_shape), (1, *strides), (0, *before),
            (1, *dilation), out=out[:, None],
        )  # fmt: skip
        return out
    split = dy.reshape(*dy.shape[:-1], channels, multiplier)
    row_bytes = math.prod(outputs[1:]) * channels * multiplier * dtype.itemsize
    for m in range(multiplier):
        weights = _row_weights(kernel[..., m], outputs[-1])
        for i, j, a, b in tiles(dy.shape[0], outputs[0], row_bytes, DEPTHWISE_TILE):
            part = np.ascontiguousarray(split[i:j, a:b, ..., m])
            product = np.empty_like(part)
            for tap in np.ndindex(*kernel.shape[:-2]):
                np.multiply(part, weights[tap], out=product)
                reads, writes = _scatter_slices(
                    tap, input_shape, outputs, strides, before, dilation, a, b
                )
                target = out[i:j][writes]
                target += product[reads]
    return out


def bias_gradient(dy: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Sum of ``dy`` over all but the last axis: image by image, then over the images."""
    images = dy.reshape(len(dy), -1, dy.shape[-1])
    totals = np.matmul(np.ones(images.shape[1], dy.dtype), images)
    return np.add.reduce(totals, axis=0, out=out)


def as_rows(x: np.ndarray) -> np.ndarray:
    """``x`` as a matrix of its last axis, without a copy where its strides allow."""
    return x.reshape(-1, x.shape[-1])


def group_slices(kernel: np.ndarray, groups: int) -> Iterator[tuple[slice, slice]]:
    """The channels and the filters of each group."""
    channels, filters = kernel.shape[-2], kernel.shape[-1] // groups
    for g in range(groups):
        yield slice(g * channels, (g + 1) * channels), slice(g * filters, (g + 1) * filters)


def _patches(
    x: np.ndarray,
    kernel_size: Sizes,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    dilation: Sizes,
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield ``(matrix, i, j)``: the patches that output rows ``i:j`` (all but the filters) read.

    A matrix has one row an output and one column a ``(*kernel_size, channels)``.
    """
    unit = math.prod(kernel_size) == 1 and math.prod(strides) == 1
    if unit and not any(before) and x.shape[1:-1] == outputs:
        rows = as_rows(x)
        step = max(TILE_BYTES // max(x.shape[-1] * x.itemsize, 1), 1)
        for i in range(0, len(rows), step):
            yield rows[i : i + step], i, min(i + step, len(rows))
        return
    windows = Windows(*_with_trailing_one(x, kernel_size, strides, dilation, before, outputs))
    outputs = windows.outputs
    per_row = math.prod(outputs[1:])
    width = math.prod(kernel_size) * x.shape[-1]
    fill = _PatchBuffer(windows)
    for i, j, a, b in tiles(len(x), outputs[0], per_row * width * x.itemsize):
        first = (i * outputs[0] + a) * per_row
        yield fill(windows.tile(i, j, a, b)), first, first + (j - i) * (b - a) * per_row


def _with_trailing_one(x: np.ndarray, *geometry: Sizes) -> tuple:
    """Sequences as images of width one: tiles then split long sequences as they split rows."""
    if x.ndim > 3:
        return (x, *geometry)
    kernel_size, strides, dilation, before, outputs = geometry
    return (
        x[:, :, None],
        (*kernel_size, 1),
        (*strides, 1),
        (*dilation, 1),
        (*before, 0),
        (*outputs, 1),
    )


class _PatchBuffer:
    """Copies views of patches into one buffer, as matrices of one row a patch."""

    def __init__(self, windows: Windows):
        x, kernel_size, dilation = windows.x, windows.kernel_size, windows.dilation
        run = x.shape[-1] * (kernel_size[-1] if dilation[-1] == 1 else 1)
        if kernel_size[-1] == 1 and dilation[-2] == 1 and x.shape[-2] == 1:
            run *= kernel_size[-2]
        self.inside_out = run < SHORT_RUN
        self.width = math.prod(kernel_size) * x.shape[-1]
        self.columns = len(kernel_size) + 1
        self.buffer: np.ndarray | None = None

    def __call__(self, view: np.ndarray) -> np.ndarray:
        """The matrix of a view whose last axes are ``(*kernel_size, channels)``."""
        if self.buffer is None:
            self.buffer = np.empty(view.size, view.dtype)
        flat = self.buffer[: view.size]
        if not self.inside_out:
            np.copyto(flat.reshape(view.shape), view)
            return flat.reshape(-1, self.width)
        rows = view.ndim - self.columns
        view = view.transpose(*range(rows, view.ndim), *range(rows))
        np.copyto(flat.reshape(view.shape), view)
        return flat.reshape(self.width, -1).T


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
    windows = Windows(*_with_trailing_one(x, kernel.shape[:-2], strides, dilation, before, inner))
    if len(outputs) == 1:
        outputs, pool_size = (*outputs, 1), (*pool_size, 1)
    weights = kernel.reshape(-1, filters)
    fill = _PatchBuffer(windows)
    rank = len(outputs)
    # (images, rows, place in the row, columns, place in the column, ...) -> places first
    order = (*range(2, 2 * rank + 1, 2), 0, *range(1, 2 * rank, 2))
    row_bytes = places * math.prod(outputs[1:]) * (len(weights) + filters) * dtype.itemsize
    product = None
    for i, j, a, b in tiles(len(x), outputs[0], row_bytes):
        view = windows.tile(i, j, a * pool_size[0], b * pool_size[0])
        sizes = (b - a, *outputs[1:])
        split = [n for pair in zip(sizes, pool_size) for n in pair]
        view = view.reshape(j - i, *split, *view.shape[rank + 1 :])
        patches = fill(view.transpose(*order, *range(2 * rank + 1, view.ndim)))
        if product is None:
            product = np.empty(len(patches) * filters, dtype)
        z = product[: len(patches) * filters].reshape(len(patches), filters)
        np.matmul(patches, weights, out=z)
        z = z.reshape(places, -1, filters)
        best = y[i:j, a:b].reshape(-1, filters)
        if places == 1:
            best[...] = z[0]
        else:
            np.maximum(z[0], z[1], out=best)
        for block in z[2:]:
            np.maximum(best, block, out=best)
        if hits is not None:
            free = np.ones(best.shape, bool)
            for place, block in enumerate(z):
                hit = hits[place, i:j, a:b].reshape(-1, filters)
                np.equal(block, best, out=hit)
                hit &= free
                free ^= hit
        if epilogue is not None:
            epilogue(best)
    return y, hits


def unpool(dy: np.ndarray, hits: np.ndarray, pool_size: Sizes) -> np.ndarray:
    """The gradient before the maximum of `convolve_max_pool`, where its windows read."""
    sizes = tuple(o * p for o, p in zip(dy.shape[1:-1], pool_size))
    dz = np.empty((len(dy), *sizes, dy.shape[-1]), dy.dtype)
    image_bytes = math.prod(dz.shape[1:]) * dz.itemsize
    for i, j, _, _ in tiles(len(dy), 1, image_bytes, UNPOOL_TILE):
        for hit, place in zip(hits, np.ndindex(*pool_size)):
            target = dz[(slice(i, j), *(slice(t, None, p) for t, p in zip(place, pool_size)))]
            np.multiply(dy[i:j], hit[i:j], out=target)
    return dz


def _scatter_gather(
    dy: np.ndarray,
    kernel: np.ndarray,
    out: np.ndarray,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
) -> None:
    """Write the input gradient to ``out`` (any strides); at least two spatial dimensions."""
    *outer, taps = kernel.shape[:-2]
    channels, filters = kernel.shape[-2:]
    outputs, sizes = dy.shape[1:-1], out.shape[1:-1]
    stride, rate, front, size = strides[-1], dilation[-1], before[-1], sizes[-1]

    # Input position i = stride * (o + t) + phase - front: t indexes the taps of each phase.
    if stride > 1:
        if rate > 1:
            dense = np.zeros((*outer, (taps - 1) * rate + 1, channels, filters), kernel.dtype)
            dense[..., ::rate, :, :] = kernel
            kernel, taps, rate = dense, dense.shape[-3], 1
        missing = -taps % stride
        if missing:
            pad = np.zeros((*outer, missing, channels, filters), kernel.dtype)
            kernel = np.concatenate([kernel, pad], axis=-3)
        taps = (taps + missing) // stride
    weights = kernel.reshape(-1, taps, stride, channels, filters)[:, ::-1]
    weights = np.ascontiguousarray(weights.transpose(0, 1, 4, 2, 3))
    weights = weights.reshape(-1, taps * filters, stride * channels)
    start = front // stride
    steps = (front + size - 1) // stride + 1 - start
    crop = front - start * stride

    windows = Windows(
        dy,
        (*(1 for _ in outer), taps),
        (1,) * len(outputs),
        (*(1 for _ in outer), rate),
        (*(0 for _ in outer), (taps - 1) * rate - start),
        (*outputs[:-1], steps),
    )
    offsets = list(itertools.product(*(range(k) for k in outer)))
    per_row = math.prod(outputs[1:-1]) * steps
    width = taps * filters + len(offsets) * stride * channels
    dtype = out.dtype
    pieces = list(tiles(dy.shape[0], outputs[0], per_row * width * dtype.itemsize))
    whole_images = all(b - a == outputs[0] for _, _, a, b in pieces)
    full = [
        n
        for n, tap in enumerate(offsets)
        if whole_images
        and all(
            s == 1 and t * d == p and o == i
            for t, d, p, s, o, i in zip(tap, dilation, before, strides, outputs, sizes)
        )
    ]
    if full:
        # The tap that covers every row assigns, so that nothing needs to be zeroed.
        order = [full[0], *(n for n in range(len(offsets)) if n != full[0])]
        offsets, weights = [offsets[n] for n in order], weights[order]
    else:
        out[...] = 0

    straight = len(offsets) == 1 and full and steps == size and out.flags.c_contiguous
    buffer = products = None
    for i, j, a, b in pieces:
        count = (j - i) * (b - a) * per_row
        view = windows.tile(i, j, a, b)
        if taps == 1 and not windows.padded and steps == outputs[-1]:
            patches = view.reshape(count, filters)
        else:
            if buffer is None:
                buffer = np.empty(count * taps * filters, dy.dtype)
            patches = buffer[: count * taps * filters].reshape(view.shape)
            np.copyto(patches, view)
            patches = patches.reshape(count, taps * filters)
        if straight:
            np.matmul(patches, weights[0], out=out[i:j, a:b].reshape(count, channels))
            continue
        if products is None:
            products = np.empty(len(offsets) * count * stride * channels, dtype)
        product = products[: len(offsets) * count * stride * channels]
        product = product.reshape(len(offsets), count, stride * channels)
        np.matmul(patches, weights, out=product)
        rows = product.reshape(-1, j - i, b - a, *outputs[1:-1], steps * stride, channels)
        rows = rows[..., crop : crop + size, :]
        for n, tap in enumerate(offsets):
            reads, writes = _scatter_slices(
                tap, sizes[:-1], outputs[:-1], strides, before, dilation, a, b
            )
            target = out[i:j][writes]
            if full and n == 0:
                target[...] = rows[n][reads]
            else:
                target += rows[n][reads]


def _scatter_slices(
    tap: Sizes,
    sizes: Sizes,
    outputs: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    first: int,
    last: int,
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where one tap reads in rows ``first:last`` of the output and writes in the input."""
    reads, writes = [slice(None)], [slice(None)]
    for axis, (t, size, count, s, p, d) in enumerate(
        zip(tap, sizes, outputs, strides, before, dilation)
    ):
        offset = t * d - p
        low, high = valid_range(size, count, s, offset)
        base = 0
        if axis == 0:
            low, high, base = max(low, first), min(high, last), first
            high = max(high, low)
        reads.append(slice(low - base, high - base))
        begin = low * s + offset
        writes.append(slice(begin, begin + (high - low - 1) * s + 1 if high > low else begin, s))
    return tuple(reads), tuple(writes)


def _tap_slices(tap: Sizes, strides: Sizes, dilation: Sizes, outputs: Sizes) -> tuple[slice, ...]:
    """Where one tap reads in a source that starts at the first window."""
    return (
        slice(None),
        *(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, s, o in zip(tap, dilation, strides, outputs)
        ),
    )


def _row_weights(kernel: np.ndarray, width: int) -> np.ndarray:
    """Weights of each tap repeated along a row of outputs: ``(*kernel_size, width, channels)``."""
    shape = (*kernel.shape[:-1], width, kernel.shape[-1])
    return np.ascontiguousarray(np.broadcast_to(kernel[..., None, :], shape))
