"""Depthwise convolution and its derivatives, channels-last: sums over taps of shifted views.

Arguments are those of the functions of the same name in `convolution`, but a kernel is
``(*kernel_size, channels, depth_multiplier)``.
"""

from __future__ import annotations

import math

import numpy as np

from .convolution import Epilogue, scatter_slices
from .parallel import over_batch
from .windows import Sizes, Windows, tiles

# A tile: input, output and product of one pass fit the inner caches.
DEPTHWISE_TILE = 1 << 18


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
    weights = [_row_weights(kernel[..., m], outputs[-1]) for m in range(multiplier)]
    row_bytes = math.prod(outputs[1:]) * channels * multiplier * dtype.itemsize

    def part(batch: slice) -> None:
        windows = Windows(x[batch], kernel.shape[:-2], strides, dilation, before, outputs)
        for i, j, a, b in tiles(batch.stop - batch.start, outputs[0], row_bytes, DEPTHWISE_TILE):
            source = windows.source(i, j, a, b)
            product = np.empty((j - i, b - a, *outputs[1:], channels), dtype)
            for m in range(multiplier):
                total = split[batch][i:j, a:b, ..., m]
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
                epilogue(out[batch][i:j, a:b].reshape(-1, channels * multiplier))

    over_batch(part, len(x), math.prod(out.shape) * math.prod(kernel.shape[:-2]))
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

    def part(batch: slice) -> None:
        for m in range(multiplier):
            weights = _row_weights(kernel[..., m], outputs[-1])
            for i, j, a, b in tiles(
                batch.stop - batch.start, outputs[0], row_bytes, DEPTHWISE_TILE
            ):
                part = np.ascontiguousarray(split[batch][i:j, a:b, ..., m])
                product = np.empty_like(part)
                for tap in np.ndindex(*kernel.shape[:-2]):
                    np.multiply(part, weights[tap], out=product)
                    reads, writes = scatter_slices(
                        tap, input_shape, outputs, strides, before, dilation, a, b
                    )
                    target = out[batch][i:j][writes]
                    target += product[reads]

    over_batch(part, len(dy), math.prod(dy.shape) * math.prod(kernel.shape[:-2]))
    return out


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
