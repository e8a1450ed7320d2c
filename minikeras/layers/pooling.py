"""Pooling layers: windows, global and adaptive, in 1, 2 and 3 dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry, spelling
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.kernels import pooling as kernels
from minikeras.layers.convolution_base import with_defaults
from minikeras.ops.pooling import pool_backward, pool_forward
from minikeras.ops.spatial import (
    from_last,
    join_shape,
    split_shape,
    standardize_padding,
    standardize_tuple,
    to_last,
    window_output_shape,
)


class _Window(Layer):
    """A window that slides over the input."""

    rank = 2
    mode = "max"
    # Whether to pad as Theano did; see `dialects.eras`.
    _pads_half = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # In Keras 1 and 2 the size had a default.
        needed = cls.mode == "average" and not args and "pool_size" not in kwargs
        if needed and cls.__module__ == __name__:
            return spelling.understood(cls, args, kwargs)
        return super().__new__(cls, *args, **kwargs)

    def _set_arguments(self, pool_size: Any, strides: Any, padding: str, data_format: Any) -> None:
        self.pool_size = standardize_tuple(pool_size, self.rank, "pool_size")
        steps = self.pool_size if strides is None else strides
        self.strides = standardize_tuple(steps, self.rank, "strides")
        self.padding = standardize_padding(padding)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        before = None
        if self._pads_half and self.padding == "same":
            before = tuple(k - 2 if k > 2 and k % 2 else k - 1 for k in self.pool_size)
        return pool_forward(
            ctx, x, self.mode, self.pool_size, self.strides, self.padding, self.data_format, before
        )

    def backward(self, ctx: Any, dy: Any) -> Any:
        return pool_backward(ctx, dy, self.mode)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input."""
        return window_output_shape(
            input_shape,
            None,
            self.pool_size,
            self.strides,
            self.padding,
            self.data_format,
            what="pool_size",
        )

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class BaseMaxPooling(_Window):
    """Maximum pooling of `rank` dimensions; see `MaxPooling2D`."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        Layer.__init__(self, name=name, **kwargs)
        self._set_arguments(pool_size, strides, padding, data_format)


class BaseAveragePooling(_Window):
    """Average pooling of `rank` dimensions; see `AveragePooling2D`."""

    mode = "average"

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        Layer.__init__(self, name=name, **kwargs)
        self._set_arguments(pool_size, strides, padding, data_format)


@registry.layers.register("MaxPooling1D", "MaxPool1D")
class MaxPooling1D(BaseMaxPooling):
    """The largest value of each window of a sequence.

    The arguments are those of `MaxPooling2D` with 1 dimension; `pool_size` defaults to 2.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: the same with new
    steps.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.array([[[1.0], [5.0], [3.0], [2.0]]], "float32")
    >>> minikeras.layers.MaxPooling1D(2)(x).numpy().ravel().tolist()
    [5.0, 3.0]
    """

    rank = 1


@registry.layers.register("MaxPooling2D", "MaxPool2D")
class MaxPooling2D(BaseMaxPooling):
    """The largest value of each window of an image.

    Args:
        pool_size: Integer or tuple of 2 integers, default (2, 2). Height and width of the window.
        strides: Integer, tuple of 2 integers, or None (default: `pool_size`).
        padding: `"valid"` (default: none) or `"same"`. Padding never wins.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        name: String or None.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    new sizes.

    Raises:
        ValueError: for sizes that are not positive, and a window larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    >>> minikeras.layers.MaxPooling2D()(x).numpy().ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """

    rank = 2
    __init__ = with_defaults(BaseMaxPooling.__init__, pool_size=(2, 2))


@registry.layers.register("MaxPooling3D", "MaxPool3D")
class MaxPooling3D(BaseMaxPooling):
    """The largest value of each window of a volume.

    The arguments are those of `MaxPooling2D` with 3 dimensions; `pool_size` defaults to (2, 2, 2).

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with new sizes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.MaxPooling3D()(np.ones((2, 4, 4, 4, 3), "float32")).shape
    (2, 2, 2, 2, 3)
    """

    rank = 3
    __init__ = with_defaults(BaseMaxPooling.__init__, pool_size=(2, 2, 2))


@registry.layers.register("AveragePooling1D", "AvgPool1D")
class AveragePooling1D(BaseAveragePooling):
    """The mean of each window of a sequence.

    The arguments are those of `AveragePooling2D` with 1 dimension.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: the same with new
    steps.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.array([[[1.0], [5.0], [3.0], [2.0]]], "float32")
    >>> minikeras.layers.AveragePooling1D(2)(x).numpy().ravel().tolist()
    [3.0, 2.5]
    """

    rank = 1


@registry.layers.register("AveragePooling2D", "AvgPool2D")
class AveragePooling2D(BaseAveragePooling):
    """The mean of each window of an image; padding is not counted.

    Args:
        pool_size: Integer or tuple of 2 integers. Height and width of the window.
        strides: Integer, tuple of 2 integers, or None (default: `pool_size`).
        padding: `"valid"` (default: none) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        name: String or None.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    new sizes.

    Raises:
        ValueError: for sizes that are not positive, and a window larger than the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    >>> minikeras.layers.AveragePooling2D(2)(x).numpy().ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """

    rank = 2


@registry.layers.register("AveragePooling3D", "AvgPool3D")
class AveragePooling3D(BaseAveragePooling):
    """The mean of each window of a volume; padding is not counted.

    The arguments are those of `AveragePooling2D` with 3 dimensions.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with new sizes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.AveragePooling3D(2)(np.ones((2, 4, 4, 4, 3), "float32")).shape
    (2, 2, 2, 2, 3)
    """

    rank = 3


class BaseGlobalPooling(Layer):
    """Pooling over all positions at once."""

    rank = 2
    mode = "max"

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    @property
    def _axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def forward(self, ctx: Any, x: Any) -> Any:
        axes = self._axes
        if self.mode == "max":
            y = x.max(axes, keepdims=self.keepdims)
            ctx.save(x, y)
            return y
        ctx.shape = x.shape
        return kernels.global_average(x, axes, self.keepdims)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not self.keepdims:
            dy = np.expand_dims(dy, self._axes)
        if self.mode == "max":
            x, y = ctx.saved
            y = y if self.keepdims else np.expand_dims(y, self._axes)
            return kernels.global_max_gradient(dy, x, y, self._axes)
        count = dy.dtype.type(np.prod([ctx.shape[axis] for axis in self._axes]))
        return np.broadcast_to(dy / count, ctx.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input."""
        batch, _, channels = split_shape(input_shape, self.data_format)
        if not self.keepdims:
            return (batch, channels)
        return join_shape(batch, (1,) * self.rank, channels, self.data_format)

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "keepdims": self.keepdims,
        }


@registry.layers.register("GlobalMaxPooling1D", "GlobalMaxPool1D")
class GlobalMaxPooling1D(BaseGlobalPooling):
    """The largest value of each channel of a sequence.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        keepdims: Boolean, default False. Whether the axis of steps stays, with size 1.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: `(batch, channels)`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.GlobalMaxPooling1D()(np.ones((2, 3, 4), "float32")).shape
    (2, 4)
    """

    rank = 1


@registry.layers.register("GlobalMaxPooling2D", "GlobalMaxPool2D")
class GlobalMaxPooling2D(BaseGlobalPooling):
    """The largest value of each channel of an image.

    The gradient is shared evenly by positions that tie.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        keepdims: Boolean, default False. Whether the spatial axes stay, with size 1.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape:
    `(batch, channels)`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.GlobalMaxPooling2D()(np.ones((2, 4, 5, 3), "float32")).shape
    (2, 3)
    """

    rank = 2


@registry.layers.register("GlobalMaxPooling3D", "GlobalMaxPool3D")
class GlobalMaxPooling3D(BaseGlobalPooling):
    """The largest value of each channel of a volume.

    The arguments are those of `GlobalMaxPooling2D`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.GlobalMaxPooling3D()(np.ones((2, 4, 5, 4, 3), "float32")).shape
    (2, 3)
    """

    rank = 3


@registry.layers.register("GlobalAveragePooling1D", "GlobalAvgPool1D")
class GlobalAveragePooling1D(BaseGlobalPooling):
    """The mean of each channel of a sequence, over the steps that the mask keeps.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        keepdims: Boolean, default False. Whether the axis of steps stays, with size 1.

    Call arguments:
        inputs: Tensor of 3 axes.
        mask: Boolean tensor `(batch, steps)`, or None: steps to count. It comes with the inputs
            after `Masking` or `Embedding(mask_zero=True)`.

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: `(batch, channels)`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.array([[[1.0], [2.0], [9.0]]], "float32")
    >>> layer = minikeras.layers.GlobalAveragePooling1D()
    >>> layer(x, mask=np.array([[True, True, False]])).numpy().tolist()
    [[1.5]]
    """

    rank = 1
    mode = "average"
    supports_masking = True

    def forward(self, ctx: Any, x: Any, mask: Any = None) -> Any:
        if mask is None:
            ctx.share = None
            return super().forward(ctx, x)
        (axis,) = self._axes
        kept = np.expand_dims(np.asarray(mask, bool), 2 if axis == 1 else 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = kept / kept.sum(axis, keepdims=True).astype(x.dtype)
        ctx.share, ctx.shape = share.astype(x.dtype, copy=False), x.shape
        # A step that is not kept must not count even where it is not finite.
        x = np.where(kept, x, x.dtype.type(0))
        return (x * ctx.share).sum(axis, keepdims=self.keepdims)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.share is None:
            return super().backward(ctx, dy)
        if not self.keepdims:
            dy = np.expand_dims(dy, self._axes)
        return dy * ctx.share

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the steps are gone."""
        return None


@registry.layers.register("GlobalAveragePooling2D", "GlobalAvgPool2D")
class GlobalAveragePooling2D(BaseGlobalPooling):
    """The mean of each channel of an image.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        keepdims: Boolean, default False. Whether the spatial axes stay, with size 1.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape:
    `(batch, channels)`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.GlobalAveragePooling2D()(np.ones((2, 4, 5, 3), "float32")).shape
    (2, 3)
    """

    rank = 2
    mode = "average"


@registry.layers.register("GlobalAveragePooling3D", "GlobalAvgPool3D")
class GlobalAveragePooling3D(BaseGlobalPooling):
    """The mean of each channel of a volume.

    The arguments are those of `GlobalAveragePooling2D`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.GlobalAveragePooling3D()(np.ones((2, 4, 5, 4, 3), "float32")).shape
    (2, 3)
    """

    rank = 3
    mode = "average"


class BaseAdaptivePooling(Layer):
    """Pooling to a given size, whatever that of the input."""

    rank = 2
    mode = "max"

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = standardize_tuple(output_size, self.rank, "output_size")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        x = to_last(x, self.data_format)
        ctx.sizes = x.shape[1:-1]
        if self.mode == "max":
            y, winners = kernels.adaptive_max_pool(x, self.output_size)
            ctx.save(*winners)
        else:
            y = kernels.adaptive_average_pool(x, self.output_size)
        return from_last(y, self.data_format)

    def backward(self, ctx: Any, dy: Any) -> Any:
        dy = to_last(dy, self.data_format)
        if self.mode == "max":
            dx = kernels.adaptive_max_pool_gradient(dy, ctx.sizes, ctx.saved)
        else:
            dx = kernels.adaptive_average_pool_gradient(dy, ctx.sizes)
        return from_last(dx, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input."""
        batch, _, channels = split_shape(input_shape, self.data_format)
        return join_shape(batch, self.output_size, channels, self.data_format)

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "data_format": self.data_format,
        }


_ADAPTIVE = """{what} of windows that cover {of} evenly, so that the output has a given size.

    Window `i` of `n` over `size` inputs is `[floor(i * size / n), ceil((i + 1) * size / n))`.

    Args:
        output_size: Integer or tuple of {rank} integers. Size of the output.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, {axes}, channels)`, or channels-first. Output shape: the same with
    `output_size` in place of the sizes.

    Raises:
        ValueError: for an `output_size` that is not positive.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones({shape}, "float32")
    >>> minikeras.layers.{name}(3)(x).shape
    {result}
    """


def _adaptive(mode: str, rank: int) -> type[BaseAdaptivePooling]:
    name = f"Adaptive{'Max' if mode == 'max' else 'Average'}Pooling{rank}D"
    doc = _ADAPTIVE.format(
        what="Maxima" if mode == "max" else "Means",
        of=("a sequence", "an image", "a volume")[rank - 1],
        rank=rank,
        axes=("steps", "height, width", "dim1, dim2, dim3")[rank - 1],
        shape=(2, *(8, 7, 6)[:rank], 4),
        name=name,
        result=(2, *(3,) * rank, 4),
    )
    body = {"__doc__": doc, "__module__": __name__, "rank": rank, "mode": mode}
    return registry.layers.register(name)(type(name, (BaseAdaptivePooling,), body))


AdaptiveAveragePooling1D = _adaptive("average", 1)
AdaptiveAveragePooling2D = _adaptive("average", 2)
AdaptiveAveragePooling3D = _adaptive("average", 3)
AdaptiveMaxPooling1D = _adaptive("max", 1)
AdaptiveMaxPooling2D = _adaptive("max", 2)
AdaptiveMaxPooling3D = _adaptive("max", 3)
