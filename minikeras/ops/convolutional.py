"""Convolution as operations: `conv`, `depthwise_conv`, `separable_conv`, `conv_transpose`.

What the three kinds of convolution differ in is a `Form`; the layers use the same ones. Everything
here computes channels-last: channels-first arrays are read and returned as transposed views, so a
chain of channels-first operations moves no data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels import convolution as kernels
from minikeras.kernels import depthwise as depthwise_kernels
from minikeras.kernels import windows
from minikeras.ops.base import Kernel
from minikeras.ops.spatial import (
    Shape,
    conv_transpose_output_shape,
    from_last,
    split_shape,
    standardize_padding,
    standardize_tuple,
    to_last,
    widened,
    window_output_shape,
)

Epilogue = Callable[[np.ndarray], object]


# The kinds of convolution


class Where(NamedTuple):
    """Geometry of one call, see `kernels.windows`."""

    strides: tuple[int, ...]
    before: tuple[int, ...]
    outputs: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


class Form:
    """An ordinary convolution; kernels are `(*kernel_size, channels // groups, filters)`."""

    def where(
        self,
        shape: Sequence[int],
        kernel_shape: Sequence[int],
        strides: tuple[int, ...],
        padding: str,
        dilation: tuple[int, ...],
        output_padding: tuple[int, ...] | None = None,
    ) -> Where:
        """The geometry for a channels-last input of `shape`."""
        size = tuple(kernel_shape[:-2])
        groups = self.groups(shape[-1], tuple(kernel_shape))
        outputs, before = windows.geometry(shape[1:-1], size, strides, padding, dilation)
        if min(outputs, default=1) <= 0:
            window_output_shape(shape, None, size, strides, padding, "channels_last", dilation)
        return Where(strides, before, outputs, dilation, groups)

    def groups(self, channels: int, kernel_shape: Shape) -> int:
        """How many groups a kernel of `kernel_shape` makes of `channels`."""
        inputs, filters = kernel_shape[-2:]
        groups = channels // inputs
        if channels % inputs or filters % max(groups, 1):
            raise ValueError(
                "The number of input channels must be a multiple of the kernel's input channels,"
                " and its filters must divide into as many groups. Received: input"
                f" channels={channels}, kernel shape={kernel_shape}"
            )
        return groups

    def filters(self, kernel_shape: Sequence[int]) -> int:
        """Channels of the output."""
        return kernel_shape[-1]

    def forward(
        self, x: np.ndarray, kernel: np.ndarray, at: Where, epilogue: Epilogue | None = None
    ) -> np.ndarray:
        """The output; `epilogue` is applied to blocks of its rows, in place."""
        if at.groups > 1 and kernel.shape[-2] == 1:
            as_depthwise = kernel.reshape(*kernel.shape[:-2], at.groups, -1)
            return depthwise_kernels.depthwise(x, as_depthwise, *at[:4], epilogue=epilogue)
        return kernels.convolve(x, kernel, *at, epilogue=epilogue)

    def kernel_gradient(
        self,
        x: np.ndarray,
        dy: np.ndarray,
        kernel_shape: Shape,
        at: Where,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """The gradient with respect to the kernel, into `out` if given."""
        return kernels.kernel_gradient(
            x, dy, kernel_shape, at.strides, at.before, at.dilation, at.groups, out=out
        )

    def input_gradient(
        self, dy: np.ndarray, kernel: np.ndarray, sizes: Shape, at: Where
    ) -> np.ndarray:
        """The gradient with respect to the input of spatial `sizes`."""
        return kernels.input_gradient(
            dy, kernel, sizes, at.strides, at.before, at.dilation, at.groups
        )


class Depthwise(Form):
    """Each channel apart; kernels are `(*kernel_size, channels, depth_multiplier)`."""

    def groups(self, channels: int, kernel_shape: Shape) -> int:
        if channels != kernel_shape[-2]:
            raise ValueError(
                "The number of input channels must match the kernel's input channels. Received:"
                f" input channels={channels}, kernel input channels={kernel_shape[-2]}"
            )
        return channels

    def filters(self, kernel_shape: Sequence[int]) -> int:
        return kernel_shape[-2] * kernel_shape[-1]

    def forward(
        self, x: np.ndarray, kernel: np.ndarray, at: Where, epilogue: Epilogue | None = None
    ) -> np.ndarray:
        return depthwise_kernels.depthwise(x, kernel, *at[:4], epilogue=epilogue)

    def kernel_gradient(
        self,
        x: np.ndarray,
        dy: np.ndarray,
        kernel_shape: Shape,
        at: Where,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        return depthwise_kernels.depthwise_kernel_gradient(
            x, dy, kernel_shape, at.strides, at.before, at.dilation, out=out
        )

    def input_gradient(
        self, dy: np.ndarray, kernel: np.ndarray, sizes: Shape, at: Where
    ) -> np.ndarray:
        return depthwise_kernels.depthwise_input_gradient(
            dy, kernel, sizes, at.strides, at.before, at.dilation
        )


class Transposed(Form):
    """The reverse of a convolution; kernels are `(*kernel_size, filters, channels)`."""

    def where(
        self,
        shape: Sequence[int],
        kernel_shape: Sequence[int],
        strides: tuple[int, ...],
        padding: str,
        dilation: tuple[int, ...],
        output_padding: tuple[int, ...] | None = None,
    ) -> Where:
        self.groups(shape[-1], tuple(kernel_shape))
        outputs, before = windows.transposed_geometry(
            shape[1:-1], kernel_shape[:-2], strides, padding, output_padding, dilation
        )
        return Where(strides, before, outputs, dilation)

    def groups(self, channels: int, kernel_shape: Shape) -> int:
        if channels != kernel_shape[-1]:
            raise ValueError(
                "The number of input channels must match the kernel's input channels, which are its"
                f" last axis. Received: input channels={channels}, kernel shape={kernel_shape}"
            )
        return 1

    def filters(self, kernel_shape: Sequence[int]) -> int:
        return kernel_shape[-2]

    def forward(
        self, x: np.ndarray, kernel: np.ndarray, at: Where, epilogue: Epilogue | None = None
    ) -> np.ndarray:
        y = kernels.input_gradient(x, kernel, at.outputs, at.strides, at.before, at.dilation)
        if epilogue is not None:
            rows = kernels.as_rows(y)
            step = at.outputs[-1] * max(1, (1 << 16) // max(at.outputs[-1] * y.shape[-1], 1))
            for i in range(0, len(rows), step):
                epilogue(rows[i : i + step])
        return y

    def kernel_gradient(
        self,
        x: np.ndarray,
        dy: np.ndarray,
        kernel_shape: Shape,
        at: Where,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        return kernels.kernel_gradient(
            dy, x, kernel_shape, at.strides, at.before, at.dilation, out=out
        )

    def input_gradient(
        self, dy: np.ndarray, kernel: np.ndarray, sizes: Shape, at: Where
    ) -> np.ndarray:
        return kernels.convolve(dy, kernel, at.strides, at.before, sizes, at.dilation)


CONVOLUTION, DEPTHWISE, TRANSPOSED = Form(), Depthwise(), Transposed()


# Operations


class _Convolution(Kernel):
    form = CONVOLUTION
    # Not annotated: the fields of the constructor are those of each class below.
    strides = dilation_rate = 1
    padding = "valid"
    data_format = ""
    output_padding = None

    def _arguments(self, rank: int) -> tuple:
        extra = self.output_padding
        return (
            standardize_tuple(self.strides, rank, "strides"),
            standardize_padding(self.padding),
            standardize_tuple(self.dilation_rate, rank, "dilation_rate"),
            None
            if extra is None
            else standardize_tuple(extra, rank, "output_padding", allow_zero=True),
        )

    def forward(self, ctx: Any, x: Any, kernel: Any) -> Any:
        self._check_rank(x.shape, kernel.shape)
        ctx.save(x, kernel)
        dtype = np.result_type(x, kernel)
        x, kernel = widened(to_last(x, self.data_format), kernel)
        ctx.at = self.form.where(x.shape, kernel.shape, *self._arguments(x.ndim - 2))
        y = self.form.forward(x, kernel, ctx.at).astype(dtype, copy=False)
        return from_last(y, self.data_format)

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, kernel = ctx.saved
        dtypes = x.dtype, kernel.dtype
        dy, x, kernel = widened(to_last(dy, self.data_format), to_last(x, self.data_format), kernel)
        dx = dkernel = None
        if ctx.needs[0]:
            dx = self.form.input_gradient(dy, kernel, x.shape[1:-1], ctx.at)
            dx = from_last(dx.astype(dtypes[0], copy=False), self.data_format)
        if ctx.needs[1]:
            dkernel = self.form.kernel_gradient(x, dy, kernel.shape, ctx.at)
            dkernel = dkernel.astype(dtypes[1], copy=False)
        return dx, dkernel

    def _check_rank(self, shape: Shape, kernel_shape: Shape) -> None:
        if len(shape) != len(kernel_shape) or not 3 <= len(shape) <= 5:
            raise ValueError(
                "`inputs` and `kernel` must have the same number of axes: 3, 4 or 5 for 1, 2 or 3"
                f" spatial dimensions. Received: inputs.shape={tuple(shape)},"
                f" kernel.shape={tuple(kernel_shape)}"
            )

    def compute_output_spec(self, inputs: Any, kernel: Any) -> Any:
        self._check_rank(inputs.shape, kernel.shape)
        strides, padding, dilation, extra = self._arguments(len(inputs.shape) - 2)
        channels = split_shape(inputs.shape, self.data_format)[2]
        if channels is not None:
            self.form.groups(channels, tuple(kernel.shape))
        filters, size = self.form.filters(kernel.shape), tuple(kernel.shape[:-2])
        if self.form is TRANSPOSED:
            shape = conv_transpose_output_shape(
                inputs.shape, filters, size, strides, padding, extra, self.data_format, dilation
            )
        else:
            shape = window_output_shape(
                inputs.shape, filters, size, strides, padding, self.data_format, dilation
            )
        return KerasTensor(shape, dtype=inputs.dtype)


class Conv(_Convolution):
    """See `conv`."""

    strides: Any = 1
    padding: Any = "valid"
    data_format: Any = None
    dilation_rate: Any = 1


class DepthwiseConv(_Convolution):
    """See `depthwise_conv`."""

    form = DEPTHWISE
    strides: Any = 1
    padding: Any = "valid"
    data_format: Any = None
    dilation_rate: Any = 1


class ConvTranspose(_Convolution):
    """See `conv_transpose`."""

    form = TRANSPOSED
    strides: Any = 1
    padding: Any = "valid"
    output_padding: Any = None
    data_format: Any = None
    dilation_rate: Any = 1


def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Cross-correlate `inputs` with `kernel`, in 1, 2 or 3 spatial dimensions.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` with
            `data_format="channels_first"`.
        kernel: Tensor `(*kernel_size, channels // groups, filters)`. With fewer channels than the
            inputs have, these are convolved in groups.
        strides: Integer or one a dimension, default 1.
        padding: `"valid"` (default: none) or `"same"` (zeros, so that stride 1 keeps the size).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or one a dimension, default 1. Distance between the kernel's taps.

    Raises:
        ValueError: for shapes that do not fit, and for a kernel larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x, kernel = np.ones((1, 5, 5, 2), "float32"), np.ones((3, 3, 2, 4), "float32")
    >>> minikeras.ops.conv(x, kernel).shape
    (1, 3, 3, 4)
    """
    data_format = standardize_data_format(data_format)
    return Conv(strides, padding, data_format, dilation_rate)(inputs, kernel)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolve each channel with kernels of its own.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or channels-first.
        kernel: Tensor `(*kernel_size, channels, depth_multiplier)`.
        strides: Integer or one a dimension, default 1.
        padding: `"valid"` (default) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or one a dimension, default 1.

    Returns:
        Tensor `(batch, *outputs, channels * depth_multiplier)`, or channels-first.

    Raises:
        ValueError: for shapes that do not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x, kernel = np.ones((1, 5, 5, 2), "float32"), np.ones((3, 3, 2, 2), "float32")
    >>> minikeras.ops.depthwise_conv(x, kernel).shape
    (1, 3, 3, 4)
    """
    data_format = standardize_data_format(data_format)
    return DepthwiseConv(strides, padding, data_format, dilation_rate)(inputs, kernel)


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """The transposed convolution: the gradient of `conv` with respect to its inputs.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or channels-first.
        kernel: Tensor `(*kernel_size, filters, channels)`.
        strides: Integer or one a dimension, default 1. Factor by which the output is larger.
        padding: `"valid"` (default) or `"same"` (output of size `spatial * strides`).
        output_padding: Integer, one a dimension, or None (default: as large as the strides ask
            for). Added to the size of the output.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or one a dimension, default 1.

    Raises:
        ValueError: for shapes that do not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x, kernel = np.ones((1, 4, 4, 2), "float32"), np.ones((3, 3, 5, 2), "float32")
    >>> minikeras.ops.conv_transpose(x, kernel, strides=2, padding="same").shape
    (1, 8, 8, 5)
    """
    data_format = standardize_data_format(data_format)
    operation = ConvTranspose(strides, padding, output_padding, data_format, dilation_rate)
    return operation(inputs, kernel)


class SeparableConv(Kernel):
    """See `separable_conv`."""

    strides: Any = 1
    padding: Any = "valid"
    data_format: Any = None
    dilation_rate: Any = 1

    def call(self, inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any) -> Any:
        """The two convolutions, one after the other."""
        data_format = standardize_data_format(self.data_format)
        y = depthwise_conv(
            inputs, depthwise_kernel, self.strides, self.padding, data_format, self.dilation_rate
        )
        pointwise = tuple(pointwise_kernel.shape)
        if any(size != 1 for size in pointwise[:-2]) or pointwise[-2] != math.prod(
            depthwise_kernel.shape[-2:]
        ):
            raise ValueError(
                "`pointwise_kernel` must have shape (1, ..., 1, channels * depth_multiplier,"
                f" filters). Received: pointwise_kernel.shape={pointwise},"
                f" depthwise_kernel.shape={tuple(depthwise_kernel.shape)}"
            )
        return conv(y, pointwise_kernel, 1, "valid", data_format)

    def backward(self, ctx: Any, *douts: Any) -> Any:
        raise AssertionError("A composite is walked back through its parts.")


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A depthwise convolution, then one of size 1 that mixes the channels.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or channels-first.
        depthwise_kernel: Tensor `(*kernel_size, channels, depth_multiplier)`.
        pointwise_kernel: Tensor `(1, ..., 1, channels * depth_multiplier, filters)`.
        strides: Integer or one a dimension, default 1.
        padding: `"valid"` (default) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or one a dimension, default 1.

    Raises:
        ValueError: for shapes that do not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((1, 5, 5, 2), "float32")
    >>> depthwise, pointwise = np.ones((3, 3, 2, 2), "float32"), np.ones((1, 1, 4, 3), "float32")
    >>> minikeras.ops.separable_conv(x, depthwise, pointwise).shape
    (1, 3, 3, 3)
    """
    data_format = standardize_data_format(data_format)
    operation = SeparableConv(strides, padding, data_format, dilation_rate)
    return operation(inputs, depthwise_kernel, pointwise_kernel)


__all__ = ["conv", "conv_transpose", "depthwise_conv", "separable_conv"]
