"""Activations that are layers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.kernels.activation import KERNELS


class _Elementwise(Layer):
    """A layer that is an entry of the table of activation kernels."""

    kernel_name = ""
    _computes_floats = True
    # Attributes that are arguments of the kernel and entries of the config.
    arguments: tuple[str, ...] = ()
    supports_masking = True

    def _kernel(self) -> Any:
        return KERNELS[self.kernel_name](**{name: getattr(self, name) for name in self.arguments})

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.kernel = kernel = self._kernel()
        y = kernel.forward(x.copy() if kernel.keeps == "y" else x)
        ctx.save(y if kernel.keeps == "y" else x)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        return ctx.kernel.backward(*ctx.saved, dy)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.arguments}}


def _not_negative(what: str, value: Any, wrong: str = "None or a negative value") -> None:
    if value is None or value < 0:
        raise ValueError(f"{what} layer cannot be {wrong}. Received: {value}")


@registry.layers.register("ReLU")
class ReLU(_Elementwise):
    """`max(x, 0)`, with a bound, a slope and a threshold if wanted.

    `max_value` where `x >= max_value`, `x` where `threshold <= x`, else
    `negative_slope * (x - threshold)`.

    Args:
        max_value: Float of at least 0, or None (default).
        negative_slope: Float of at least 0. Defaults to 0.0.
        threshold: Float of at least 0. Defaults to 0.0.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        ValueError: for negative numbers.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ReLU(max_value=2)
    >>> layer(np.array([-1.0, 1.0, 3.0], "float32")).numpy().tolist()
    [0.0, 1.0, 2.0]
    """

    kernel_name = "relu"
    _computes_floats = False
    arguments = ("max_value", "negative_slope", "threshold")

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None:
            _not_negative("max_value of a ReLU", max_value, "a negative value")
        _not_negative("negative_slope of a ReLU", negative_slope)
        _not_negative("threshold of a ReLU", threshold)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold
        self._build_at_init()


@registry.layers.register("LeakyReLU")
class LeakyReLU(_Elementwise):
    """`x` where it is positive, `negative_slope * x` else.

    Args:
        negative_slope: Float of at least 0. Defaults to 0.3.
        **kwargs: `name`, `dtype`, `trainable`. `alpha` is the older name of `negative_slope`.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a negative slope.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.LeakyReLU(negative_slope=0.5)
    >>> layer(np.array([-1.0, 2.0], "float32")).numpy().tolist()
    [-0.5, 2.0]
    """

    kernel_name = "leaky_relu"
    arguments = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn(
                "Argument `alpha` is deprecated. Use `negative_slope` instead.",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__init__(**kwargs)
        _not_negative("The negative_slope value of a Leaky ReLU", negative_slope)
        self.negative_slope = negative_slope
        self._build_at_init()


@registry.layers.register("ELU")
class ELU(_Elementwise):
    """`x` where it is positive, `alpha * (exp(x) - 1)` else (Clevert et al., 2015).

    Args:
        alpha: Float. Defaults to 1.0.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.
    """

    kernel_name = "elu"
    arguments = ("alpha",)

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self._build_at_init()


@registry.layers.register("PReLU")
class PReLU(Layer):
    """`x` where it is positive, `alpha * x` else, with a trained `alpha` (He et al., 2015).

    Args:
        alpha_initializer: Initializer. Defaults to `"Zeros"`.
        alpha_regularizer: Regularizer, or None (default).
        alpha_constraint: Constraint, or None (default).
        shared_axes: Integer or list of integers, or None (default). Axes (from 1) along which
            `alpha` is the same, such as `[1, 2]` for images.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.PReLU(alpha_initializer="ones")
    >>> layer(np.array([[-1.0, 2.0]], "float32")).numpy().tolist()
    [[-1.0, 2.0]]
    """

    _computes_floats = True
    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = registry.initializers.get(alpha_initializer)
        self.alpha_regularizer = registry.regularizers.get(alpha_regularizer)
        self.alpha_constraint = registry.constraints.get(alpha_constraint)
        if shared_axes is not None:
            many = isinstance(shared_axes, (list, tuple))
            shared_axes = list(shared_axes) if many else [shared_axes]
        self.shared_axes = shared_axes

    def build(self, input_shape: Any) -> None:
        """Make `alpha`."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        if None in shape:
            raise ValueError(
                "The axes of the inputs of a PReLU layer must be known, or be in `shared_axes`."
                f" Received: input_shape={input_shape}, shared_axes={self.shared_axes}"
            )
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        axes = {}
        if self.shared_axes:
            axes = {
                axis: input_shape[axis]
                for axis in range(1, len(input_shape))
                if axis not in self.shared_axes
            }
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)
        self.built = True

    def forward(self, ctx: Any, x: Any) -> Any:
        below = np.minimum(x, 0)
        ctx.save(x, below)
        alpha = self.alpha.array.astype(x.dtype, copy=False)
        return np.maximum(x, 0) + alpha * below

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, below = ctx.saved
        if self.alpha.trainable:
            axes = [0, *(i + 1 for i, n in enumerate(self.alpha.shape) if n == 1)]
            total = (dy * below).sum(tuple(axes), keepdims=True)
            ctx.add_grad(self.alpha, total.reshape(self.alpha.shape))
        if not ctx.needs[0]:
            return None
        # Zero where x is: both halves of the formula are flat there, as in Keras.
        slope = (x < 0) * self.alpha.array.astype(x.dtype, copy=False)
        slope += x > 0
        slope *= dy
        return slope

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "alpha_initializer": registry.initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": registry.regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": registry.constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


@registry.layers.register("Softmax")
class Softmax(Layer):
    """`exp(x) / sum(exp(x))` along an axis.

    Args:
        axis: Integer or tuple of integers. Defaults to -1.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Of any shape.
        mask: Boolean array that broadcasts to the inputs. What is False gets 0.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a mask that does not broadcast to the inputs.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Softmax()
    >>> layer(np.zeros((1, 3), "float32"), mask=np.array([[True, True, False]])).numpy().tolist()
    [[0.5, 0.5, 0.0]]
    """

    _computes_floats = True
    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self._build_at_init()

    def forward(self, ctx: Any, x: Any, mask: Any = None) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis
        ctx.kernel = KERNELS["softmax"](axis)
        ctx.mask = None
        if mask is None:
            y = ctx.kernel.forward(x.copy())
            ctx.save(y)
            return y
        sizes = list(zip(mask.shape[::-1], x.shape[::-1]))
        if mask.ndim > x.ndim:
            raise ValueError(
                "The `mask` must not have more dimensions than `inputs`. Received:"
                f" inputs.shape={x.shape}, mask.shape={mask.shape}"
            )
        if any(own not in (1, size) for own, size in sizes):
            raise ValueError(
                "The `mask` must be broadcastable to `inputs`: each of its dimensions must be 1 or"
                f" match that of the inputs. Received: inputs.shape={x.shape},"
                f" mask.shape={mask.shape}"
            )
        if mask.dtype != bool:
            mask = mask > 0.5
        low = x.dtype.type(-30000.0 if x.dtype == np.float16 else -1e9)
        y = ctx.kernel.forward(np.where(mask, x, low))
        ctx.save(y)
        ctx.mask = mask
        return np.where(mask, y, x.dtype.type(0))

    def backward(self, ctx: Any, dy: Any) -> Any:
        (y,) = ctx.saved
        if ctx.mask is None:
            return ctx.kernel.backward(y, dy)
        zero = dy.dtype.type(0)
        return np.where(ctx.mask, ctx.kernel.backward(y, np.where(ctx.mask, dy, zero)), zero)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "axis": self.axis}
