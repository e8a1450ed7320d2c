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

from .parallel import over_batch
from .rows import matmul
from .windows import TILE_BYTES, Sizes, Windows, tiles, valid_range

Epilogue = Callable[[np.ndarray], object]

# Copying runs of consecutive elements shorter than this, one window at a time, is slower than
# copying whole rows of outputs, one window position at a time.
SHORT_RUN = 16


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

    def part(batch: slice) -> None:
        _convolve(
            x[batch], kernel, strides, before, outputs, dilation, groups, out[batch], epilogue
        )

    over_batch(part, len(x), math.prod(out.shape))
    return out


def _convolve(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sizes,
    before: Sizes,
    outputs: Sizes,
    dilation: Sizes,
    groups: int,
    out: np.ndarray,
    epilogue: Epilogue | None,
) -> None:
    flat = out.reshape(-1, kernel.shape[-1])
    for ins, outs in group_slices(kernel, groups):
        part = kernel[..., outs]
        weights = part.reshape(-1, part.shape[-1])
        target = flat[:, outs]
        for patches, i, j in _patches(
            x[..., ins], part.shape[:-2], strides, before, outputs, dilation
        ):
            matmul(patches, weights, out=target[i:j])
            if epilogue is not None and groups == 1:
                epilogue(target[i:j])
    if epilogue is not None and groups > 1:
        epilogue(flat)


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
    if out is None:
        out = np.empty(kernel_shape, np.result_type(x, dy))
        accumulate = False

    def gradient(batch: slice, target: np.ndarray) -> None:
        _kernel_gradient(
            x[batch], dy[batch], kernel_shape, strides, before, dilation, groups, target,
            accumulate and target is out,
        )  # fmt: skip

    return sum_over_batch(gradient, out, len(x), math.prod(dy.shape))


def sum_over_batch(
    gradient: Callable[[slice, np.ndarray], object], out: np.ndarray, batch: int, work: int
) -> np.ndarray:
    """Sum in ``out`` what ``gradient`` writes for parts of the batch, which `over_batch` makes.

    The first part is written to ``out`` itself.
    """
    sums: dict[int, np.ndarray] = {}

    def part(batch: slice) -> None:
        target = out if batch.start == 0 else sums.setdefault(batch.start, np.empty_like(out))
        gradient(batch, target)

    over_batch(part, batch, work)
    for start in sorted(sums):
        out += sums[start]
    return out


def _kernel_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    kernel_shape: Sizes,
    strides: Sizes,
    before: Sizes,
    dilation: Sizes,
    groups: int,
    out: np.ndarray,
    accumulate: bool,
) -> None:
    filters = kernel_shape[-1]
    rows = as_rows(dy)
    flat = out.reshape(-1, filters)
    for ins, outs in group_slices(out, groups):
        target, part = flat[:, outs], rows[:, outs]
        scratch, started = None, accumulate
        for patches, i, j in _patches(
            x[..., ins], kernel_shape[:-2], strides, before, dy.shape[1:-1], dilation
        ):
            if started:
                scratch = matmul(patches.T, part[i:j], out=scratch)
                target += scratch
            else:
                matmul(patches.T, part[i:j], out=target)
                started = True
        if not started:
            target[...] = 0


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

    def part(batch: slice) -> None:
        for ins, outs in group_slices(kernel, groups):
            part, block = kernel[..., outs], out[batch][..., ins]
            if len(input_shape) == 1:
                # A leading dimension of one to scatter along.
                _scatter_gather(
                    dy[batch][:, None, :, outs], part[None], block[:, None],
                    (1, *strides), (0, *before), (1, *dilation),
                )  # fmt: skip
            else:
                _scatter_gather(dy[batch][..., outs], part, block, strides, before, dilation)

    over_batch(part, len(dy), math.prod(out.shape))
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
    windows = Windows(*with_trailing_one(x, kernel_size, strides, dilation, before, outputs))
    outputs = windows.outputs
    per_row = math.prod(outputs[1:])
    width = math.prod(kernel_size) * x.shape[-1]
    fill = PatchBuffer(windows)
    for i, j, a, b in tiles(len(x), outputs[0], per_row * width * x.itemsize):
        first = (i * outputs[0] + a) * per_row
        yield fill(windows.tile(i, j, a, b)), first, first + (j - i) * (b - a) * per_row


def with_trailing_one(x: np.ndarray, *geometry: Sizes) -> tuple:
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


class PatchBuffer:
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
    buffer: np.ndarray | None = None
    products: np.ndarray | None = None
    for i, j, a, b in pieces:
        count = (j - i) * (b - a) * per_row
        view = windows.tile(i, j, a, b)
        if taps == 1 and not windows.padded and steps == outputs[-1]:
            patches = view.reshape(count, filters)
        else:
            if buffer is None:
                buffer = np.empty(count * taps * filters, dy.dtype)
            patches = buffer[: count * taps * filters].reshape(count, taps * filters)
            np.copyto(patches.reshape(view.shape), view)
        if straight:
            matmul(patches, weights[0], out=out[i:j, a:b].reshape(count, channels))
            continue
        if products is None:
            products = np.empty(len(offsets) * count * stride * channels, dtype)
        product = products[: len(offsets) * count * stride * channels]
        product = product.reshape(len(offsets), count, stride * channels)
        for one, target in zip(weights, product):
            matmul(patches, one, out=target)
        rows = product.reshape(-1, j - i, b - a, *outputs[1:-1], steps * stride, channels)
        rows = rows[..., crop : crop + size, :]
        for n, tap in enumerate(offsets):
            reads, writes = scatter_slices(
                tap, sizes[:-1], outputs[:-1], strides, before, dilation, a, b
            )
            target = out[i:j][writes]
            if full and n == 0:
                target[...] = rows[n][reads]
            else:
                target += rows[n][reads]


def scatter_slices(
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
