"""Convolution layers in 1, 2 and 3 dimensions: ordinary and transposed."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.layers.convolution_base import ConvolutionLayer, positive, with_defaults
from minikeras.layers.quantized import LowRankAdaptation
from minikeras.ops.convolutional import TRANSPOSED
from minikeras.ops.spatial import conv_transpose_output_shape, standardize_tuple


class BaseConv(LowRankAdaptation, ConvolutionLayer):
    """Ordinary convolution of `rank` dimensions; see `Conv2D`."""

    _plain = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "groups",
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
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        lora_rank, lora_alpha = kwargs.pop("lora_rank", None), kwargs.pop("lora_alpha", None)
        Layer.__init__(self, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive(filters, "filters")
        if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)) or groups <= 0:
            raise ValueError(
                f"The number of groups must be a positive integer. Received: groups={groups}."
            )
        self.groups = int(groups)
        self._set_arguments(arguments)
        self._init_low_rank(lora_rank, lora_alpha)
        if self.filters is not None and self.filters % self.groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. Received:"
                f" groups={self.groups}, filters={self.filters}."
            )
        self._no_stride_with_dilation()

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the bias."""
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups."
                f" Received groups={self.groups}, but the input has {channels} channels (full input"
                f" shape is {input_shape})."
            )
        self.compute_output_shape(input_shape)
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self._kernel = self._add("kernel", shape, "kernel")
        self.bias = self._add("bias", (self.filters,), "bias") if self.use_bias else None
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, lora_alpha=self.lora_alpha)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "convolution_op" in cls.__dict__ and "call" not in cls.__dict__:
            cls.call = BaseConv._call_around  # type: ignore[method-assign,assignment]
        super().__init_subclass__(**kwargs)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution alone, with any kernel. Where a subclass overrides it, `call` uses it."""
        from minikeras import ops

        return ops.conv(
            inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )

    def _call_around(self, inputs: Any) -> Any:
        y = self.convolution_op(inputs, self.kernel)
        if self.use_bias:
            bias = self.bias
            for _ in range(self.rank * (self.data_format == "channels_first")):
                bias = bias[..., None]
            y = y + bias
        return y if self.activation is None else self.activation(y)

    @property
    def kernel(self) -> Any:
        """The kernel; with LoRA, the sum of the frozen kernel and its low-rank update."""
        if not self.built:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        if not self.lora_enabled:
            return self._kernel
        from minikeras import ops

        update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
        return self._kernel + (self.lora_alpha / self.lora_rank) * update

    _kernel_array = LowRankAdaptation._merged

    def _weight_shape(self) -> tuple:
        return self._kernel.shape

    def _kernel_backward(self, ctx: Any, x: np.ndarray, dz: np.ndarray, form: Any = None) -> None:
        form = form or self.form
        if not self.lora_enabled:
            self._add_kernel_gradient(ctx, self._kernel, form, x, dz, ctx.at)
            return
        gradient = form.kernel_gradient(x, dz, self._kernel.shape, ctx.at)
        self._add_merged_gradient(ctx, gradient)

    def joined_with(self, following: Any) -> Any:
        """With a maximum pooling that comes next: one operation; see `ConvolutionAndPooling`."""
        from minikeras.layers import convolution_base as base
        from minikeras.layers.pooling import BaseMaxPooling

        plain = type(self).forward is BaseConv.forward and type(self).backward is BaseConv.backward
        plain = plain and isinstance(following, BaseMaxPooling)
        if not plain or type(following).forward is not BaseMaxPooling.forward:
            return None
        if type(following).backward is not BaseMaxPooling.backward:
            return None
        if not base.joinable(self, following):
            return None
        return base.ConvolutionAndPooling(self, following)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), **self._low_rank_config()}


@registry.layers.register("Conv1D", "Convolution1D")
class Conv1D(BaseConv):
    """Convolution over time: `activation(conv(inputs, kernel) + bias)`.

    Args:
        filters: Positive integer. Channels of the output.
        kernel_size: Integer or tuple of 1 integer. Length of the window.
        strides: Integer or tuple of 1 integer, default 1.
        padding: `"valid"` (default: none), `"same"` (zeros on both sides) or `"causal"` (zeros in
            front, so that no output reads later inputs).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or tuple of 1 integer, default 1. Distance between taps.
        groups: Positive integer, default 1. Blocks of channels that are convolved apart.
        activation: Activation, or None (default: linear).
        use_bias: Boolean, default True.
        kernel_initializer: Defaults to `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        kernel_constraint: Constraint on the kernel, or None.
        bias_constraint: Constraint on the bias, or None.
        lora_rank: Positive integer or None (default). Rank of a low-rank update to train instead of
            the kernel.
        lora_alpha: Number or None (default: `lora_rank`). Scale of that update times its rank.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, new_steps, filters)`.

    Raises:
        ValueError: for arguments that are not positive, filters or channels that do not divide into
            the groups, strides with dilation, and a window larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 16), "float32")
    >>> minikeras.layers.Conv1D(32, 3, activation="relu")(x).shape
    (4, 8, 32)
    """

    _input_axes = (None,)

    rank = 1


@registry.layers.register("Conv2D", "Convolution2D")
class Conv2D(BaseConv):
    """Convolution over images: `activation(conv(inputs, kernel) + bias)`.

    Args:
        filters: Positive integer. Channels of the output.
        kernel_size: Integer or tuple of 2 integers. Height and width of the window.
        strides: Integer or tuple of 2 integers, default (1, 1).
        padding: `"valid"` (default: none) or `"same"` (zeros on all sides).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or tuple of 2 integers, default (1, 1). Distance between taps.
        groups: Positive integer, default 1. Blocks of channels that are convolved apart.
        activation: Activation, or None (default: linear).
        use_bias: Boolean, default True.
        kernel_initializer: Defaults to `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        kernel_constraint: Constraint on the kernel, or None.
        bias_constraint: Constraint on the bias, or None.
        lora_rank: Positive integer or None (default). Rank of a low-rank update to train instead of
            the kernel.
        lora_alpha: Number or None (default: `lora_rank`). Scale of that update times its rank.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
    `data_format="channels_first"`. Output shape: the same with new sizes and `filters` channels.

    Raises:
        ValueError: for arguments that are not positive, filters or channels that do not divide into
            the groups, strides with dilation, and a window larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 28, 28, 3), "float32")
    >>> minikeras.layers.Conv2D(8, 3, activation="relu")(x).shape
    (4, 26, 26, 8)
    """

    rank = 2
    __init__ = with_defaults(BaseConv.__init__, strides=(1, 1), dilation_rate=(1, 1))


@registry.layers.register("Conv3D", "Convolution3D")
class Conv3D(BaseConv):
    """Convolution over volumes: `activation(conv(inputs, kernel) + bias)`.

    The arguments are those of `Conv2D` with 3 dimensions.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with new sizes and `filters` channels.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((2, 8, 8, 8, 1), "float32")
    >>> minikeras.layers.Conv3D(4, 3, activation="relu")(x).shape
    (2, 6, 6, 6, 4)
    """

    rank = 3
    __init__ = with_defaults(BaseConv.__init__, strides=(1, 1, 1), dilation_rate=(1, 1, 1))


class BaseConvTranspose(ConvolutionLayer):
    """Transposed convolution of `rank` dimensions; see `Conv2DTranspose`."""

    form = TRANSPOSED
    _plain = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "output_padding",
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
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        arguments = dict(locals())
        Layer.__init__(self, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive(filters, "filters")
        self._set_arguments(arguments)
        if output_padding is not None:
            self.output_padding = standardize_tuple(
                output_padding, self.rank, "output_padding", allow_zero=True
            )
            if any(extra >= s for extra, s in zip(self.output_padding, self.strides)):
                raise ValueError(
                    "`output_padding` must be strictly less than `strides` for all dimensions."
                    f" Received: output_padding={self.output_padding}, strides={self.strides}"
                )
        self._no_stride_with_dilation()

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the bias."""
        channels = self._channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self._add("kernel", (*self.kernel_size, self.filters, channels), "kernel")
        self.bias = self._add("bias", (self.filters,), "bias") if self.use_bias else None
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input."""
        return conv_transpose_output_shape(
            input_shape,
            self.filters,
            self.kernel_size,
            self.strides,
            self.padding,
            self.output_padding,
            self.data_format,
            self.dilation_rate,
        )


@registry.layers.register("Conv1DTranspose", "Convolution1DTranspose")
class Conv1DTranspose(BaseConvTranspose):
    """Transposed convolution over time: makes sequences longer.

    The arguments are those of `Conv2DTranspose` with 1 dimension.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: the same with new
    steps and `filters` channels.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 16), "float32")
    >>> minikeras.layers.Conv1DTranspose(8, 3, strides=2, padding="same")(x).shape
    (4, 20, 8)
    """

    rank = 1


@registry.layers.register("Conv2DTranspose", "Convolution2DTranspose")
class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution over images: makes images larger.

    It is the gradient of a convolution with respect to its input, used as a layer.

    Args:
        filters: Positive integer. Channels of the output.
        kernel_size: Integer or tuple of 2 integers. Height and width of the window.
        strides: Integer or tuple of 2 integers, default (1, 1). Factor of enlargement.
        padding: `"valid"` (default) or `"same"` (output of size `strides * input`).
        output_padding: Integer, tuple of 2 integers or None (default: as the strides ask for).
            Added to the size of the output; less than `strides`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        dilation_rate: Integer or tuple of 2 integers, default (1, 1). Distance between taps.
        activation: Activation, or None (default: linear).
        use_bias: Boolean, default True.
        kernel_initializer: Defaults to `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        kernel_constraint: Constraint on the kernel, or None.
        bias_constraint: Constraint on the bias, or None.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    new sizes and `filters` channels. Without `output_padding` a size becomes `size * strides` with
    `"same"`, `(size - 1) * strides + max(window, strides)` with `"valid"`; with it
    `(size - 1) * strides + window % 2 + output_padding`, or
    `(size - 1) * strides + window + output_padding`.

    Raises:
        ValueError: for arguments that are not positive or do not fit together.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((4, 10, 8, 16), "float32")
    >>> minikeras.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(x).shape
    (4, 20, 16, 8)
    """

    rank = 2
    __init__ = with_defaults(BaseConvTranspose.__init__, strides=(1, 1), dilation_rate=(1, 1))


@registry.layers.register("Conv3DTranspose", "Convolution3DTranspose")
class Conv3DTranspose(BaseConvTranspose):
    """Transposed convolution over volumes: makes volumes larger.

    The arguments are those of `Conv2DTranspose` with 3 dimensions, but `data_format` comes before
    `output_padding`.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with new sizes and `filters` channels.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((1, 4, 4, 4, 2), "float32")
    >>> minikeras.layers.Conv3DTranspose(3, 3, strides=2)(x).shape
    (1, 9, 9, 9, 3)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = (1, 1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        arguments = {**locals(), **kwargs}
        for name in ("self", "kwargs", "__class__"):
            arguments.pop(name, None)
        super().__init__(**arguments)
