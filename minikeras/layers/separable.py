"""Depthwise and separable convolution layers, in 1 and 2 dimensions."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.layers.convolution_base import ConvolutionLayer, positive, with_defaults
from minikeras.ops.convolutional import CONVOLUTION, DEPTHWISE, Where
from minikeras.ops.spatial import from_last, to_last, widened


class BaseDepthwiseConv(ConvolutionLayer):
    """Depthwise convolution of `rank` dimensions; see `DepthwiseConv2D`."""

    form = DEPTHWISE
    kernels = ("depthwise",)
    _plain = (
        "depth_multiplier",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "use_bias",
    )

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        Layer.__init__(self, activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier")
        self._set_arguments(arguments)

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the bias."""
        channels = self._channels(input_shape)
        self.compute_output_shape(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self._add("kernel", shape, "depthwise")
        outputs = channels * self.depth_multiplier
        self.bias = self._add("bias", (outputs,), "bias") if self.use_bias else None
        self.built = True

    def _output_channels(self, input_shape: Any) -> Any:
        channels = input_shape[-1 if self.data_format == "channels_last" else 1]
        return None if channels is None else channels * self.depth_multiplier


@registry.layers.register("DepthwiseConv1D")
class DepthwiseConv1D(BaseDepthwiseConv):
    """Convolution over time of each channel with kernels of its own.

    The arguments are those of `DepthwiseConv2D` with 1 dimension.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: the same with new
    steps and `channels * depth_multiplier` channels.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 12), "float32")
    >>> minikeras.layers.DepthwiseConv1D(3, depth_multiplier=3)(x).shape
    (4, 8, 36)
    """

    rank = 1


@registry.layers.register("DepthwiseConv2D")
class DepthwiseConv2D(BaseDepthwiseConv):
    """Convolution over images of each channel with kernels of its own.

    Args:
        kernel_size: Integer or tuple of 2 integers. Height and width of the window.
        strides: Integer or tuple of 2 integers, default (1, 1).
        padding: `"valid"` (default) or `"same"`.
        depth_multiplier: Positive integer, default 1. Kernels a channel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or tuple of 2 integers, default (1, 1). Distance between taps.
        activation: Activation, or None (default: linear).
        use_bias: Boolean, default True.
        depthwise_initializer: Initializer of the kernel, default `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        depthwise_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        depthwise_constraint: Constraint on the kernel, or None.
        bias_constraint: Constraint on the bias, or None.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    new sizes and `channels * depth_multiplier` channels.

    Raises:
        ValueError: for arguments that are not positive, and a window larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 10, 12), "float32")
    >>> minikeras.layers.DepthwiseConv2D(3, activation="relu")(x).shape
    (4, 8, 8, 12)
    """

    rank = 2
    __init__ = with_defaults(BaseDepthwiseConv.__init__, strides=(1, 1), dilation_rate=(1, 1))


class BaseSeparableConv(ConvolutionLayer):
    """Separable convolution of `rank` dimensions; see `SeparableConv2D`."""

    form = DEPTHWISE
    kernels = ("depthwise", "pointwise")
    _plain = (
        "depth_multiplier",
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "use_bias",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        Layer.__init__(self, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive(filters, "filters")
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier")
        self._set_arguments(arguments)

    def build(self, input_shape: Any) -> None:
        """Make the two kernels and the bias."""
        channels = self._channels(input_shape)
        self.compute_output_shape(input_shape)
        multiplier, ones = self.depth_multiplier, (1,) * self.rank
        self.depthwise_kernel = self._add(
            "depthwise_kernel", (*self.kernel_size, channels, multiplier), "depthwise"
        )
        self.pointwise_kernel = self._add(
            "pointwise_kernel", (*ones, channels * multiplier, self.filters), "pointwise"
        )
        self.bias = self._add("bias", (self.filters,), "bias") if self.use_bias else None
        self.built = True

    def forward(self, ctx: Any, x: Any) -> Any:
        dtype = x.dtype
        x, depthwise, pointwise = widened(
            to_last(x, self.data_format), self.depthwise_kernel.array, self.pointwise_kernel.array
        )
        ctx.at = at = self._where(x.shape, depthwise.shape)
        middle = self.form.forward(x, depthwise, at)
        ones = (1,) * self.rank
        ctx.point = point = Where(ones, (0,) * self.rank, at.outputs, ones)
        ctx.save(x, middle)
        return self._finish(
            ctx,
            lambda epilogue: CONVOLUTION.forward(middle, pointwise, point, epilogue),
            at.outputs[-1],
            dtype,
        )

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, middle = ctx.saved
        dz = self._begin(ctx, dy)
        depthwise, pointwise = widened(self.depthwise_kernel.array, self.pointwise_kernel.array)
        self._add_kernel_gradient(ctx, self.pointwise_kernel, CONVOLUTION, middle, dz, ctx.point)
        if not (ctx.needs[0] or self.depthwise_kernel.trainable):
            return None
        dmiddle = CONVOLUTION.input_gradient(dz, pointwise, middle.shape[1:-1], ctx.point)
        self._add_kernel_gradient(ctx, self.depthwise_kernel, self.form, x, dmiddle, ctx.at)
        if not ctx.needs[0]:
            return None
        dx = self.form.input_gradient(dmiddle, depthwise, x.shape[1:-1], ctx.at)
        return from_last(dx.astype(dy.dtype, copy=False), self.data_format)


@registry.layers.register("SeparableConv1D", "SeparableConvolution1D")
class SeparableConv1D(BaseSeparableConv):
    """Depthwise convolution over time, then a mix of the channels at each step.

    The arguments are those of `SeparableConv2D` with 1 dimension.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: the same with new
    steps and `filters` channels.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 12), "float32")
    >>> minikeras.layers.SeparableConv1D(3, 2)(x).shape
    (4, 9, 3)
    """

    rank = 1


@registry.layers.register("SeparableConv2D", "SeparableConvolution2D")
class SeparableConv2D(BaseSeparableConv):
    """Depthwise convolution over images, then a mix of the channels at each position.

    Args:
        filters: Positive integer. Channels of the output.
        kernel_size: Integer or tuple of 2 integers. Height and width of the window.
        strides: Integer or tuple of 2 integers, default (1, 1).
        padding: `"valid"` (default) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or tuple of 2 integers, default (1, 1). Distance between taps.
        depth_multiplier: Positive integer, default 1. Depthwise kernels a channel.
        activation: Activation, or None (default: linear).
        use_bias: Boolean, default True.
        depthwise_initializer: Initializer of the depthwise kernel, default `"glorot_uniform"`.
        pointwise_initializer: Initializer of the pointwise kernel, default `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        depthwise_regularizer: Regularizer of the depthwise kernel, or None.
        pointwise_regularizer: Regularizer of the pointwise kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        depthwise_constraint: Constraint on the depthwise kernel, or None.
        pointwise_constraint: Constraint on the pointwise kernel, or None.
        bias_constraint: Constraint on the bias, or None.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    new sizes and `filters` channels.

    Raises:
        ValueError: for arguments that are not positive, and a window larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 10, 12), "float32")
    >>> minikeras.layers.SeparableConv2D(3, 4, activation="relu")(x).shape
    (4, 7, 7, 3)
    """

    rank = 2
    __init__ = with_defaults(BaseSeparableConv.__init__, strides=(1, 1), dilation_rate=(1, 1))
