"""Activation functions.

Each takes anything array-like, a tensor or a symbolic `KerasTensor`, and has a gradient. Floats
keep their dtype; integers become `floatx()` unless the function maps integers to integers.

Each carries its array function and derivative as `kernel` (for the default arguments): that is what
kernel layers run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minikeras import ops
from minikeras.engine import registry
from minikeras.kernels import activation as kernels
from minikeras.ops.activation import softmax_along

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


class ReLU(ops.activation._Activation):
    """Rectifier with a slope below a threshold and a largest value."""

    kernel_name = "relu"
    negative_slope: float = 0.0
    max_value: float | None = None
    threshold: float = 0.0


class Exponential(ops.activation._Activation):
    """exp(x), infinite where it overflows, without a warning."""

    kernel_name = "exponential"


class Mish(ops.activation._Activation):
    """x times tanh of its softplus."""

    kernel_name = "mish"


def _activation(*aliases: str) -> Callable:
    """Register an activation, with the kernel for its default arguments."""

    def decorator(function: Any) -> Any:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        if all(parameter.default is not parameter.empty for parameter in parameters):
            function.kernel = kernels.KERNELS[function.__name__]()
        registry.activations.register(function.__name__, *aliases)(function)
        return function

    return decorator


@_activation()
def linear(x: Any) -> Any:
    """Returns its input: `f(x) = x`.

    Args:
        x: Input, of any kind.

    Example:

    >>> from minikeras import activations
    >>> activations.linear(3.0)
    3.0
    """
    return x


linear.is_linear = True  # type: ignore[attr-defined]


@_activation()
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Rectified linear unit: `max(x, 0)` with the default arguments.

    With others: `max_value` for `x >= max_value`, `x` for `threshold <= x < max_value`, and
    `negative_slope * (x - threshold)` below.

    Args:
        x: Input, of any shape.
        negative_slope: Float, default 0. The slope below the threshold.
        max_value: Float or None (default). The largest value returned.
        threshold: Float, default 0. Where the slope sets in.

    Example:

    >>> from minikeras import activations
    >>> activations.relu([-10.0, -5.0, 0.0, 5.0, 10.0]).numpy()
    array([ 0.,  0.,  0.,  5., 10.], dtype=float32)
    >>> activations.relu([-10.0, 5.0, 10.0], negative_slope=0.5, max_value=6.0).numpy()
    array([-5.,  5.,  6.], dtype=float32)
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return ops.relu(x)
    return ReLU(negative_slope, max_value, threshold)(x)


@_activation()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """Leaky rectifier: `x` above 0, `negative_slope * x` below.

    Args:
        x: Input, of any shape.
        negative_slope: Float, default 0.2. The slope below 0.

    Example:

    >>> from minikeras import activations
    >>> activations.leaky_relu([-1.0, 1.0]).numpy()
    array([-0.2,  1. ], dtype=float32)
    """
    return ops.leaky_relu(x, negative_slope=negative_slope)


@_activation()
def relu6(x: Any) -> Any:
    """Rectifier bounded by 6: `min(max(x, 0), 6)`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.relu6([-1.0, 3.0, 8.0]).numpy()
    array([0., 3., 6.], dtype=float32)
    """
    return ops.relu6(x)


@_activation()
def softmax(x: Any, axis: Any = -1) -> Any:
    """Turns values into a probability distribution: `exp(x) / sum(exp(x))`.

    Args:
        x: Input, of any shape.
        axis: Integer, tuple of integers, or None for all. The axes that sum to 1. Defaults to -1.

    Example:

    >>> from minikeras import activations
    >>> activations.softmax([0.0, 0.0]).numpy()
    array([0.5, 0.5], dtype=float32)
    """
    return softmax_along(x, axis)


@_activation()
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Exponential linear unit: `x` above 0, `alpha * (exp(x) - 1)` below.

    From Clevert et al. 2016, "Fast and accurate deep network learning by exponential linear units".

    Args:
        x: Input, of any shape.
        alpha: Float, default 1. Minus the value approached far below 0.

    Example:

    >>> from minikeras import activations
    >>> activations.elu([-100.0, 2.0]).numpy()
    array([-1.,  2.], dtype=float32)
    """
    return ops.elu(x, alpha=alpha)


@_activation()
def selu(x: Any) -> Any:
    """Scaled exponential linear unit: `scale * elu(x, alpha)`.

    `scale = 1.05070098` and `alpha = 1.67326324` keep mean 0 and variance 1 through the layers of a
    network with `"lecun_normal"` weights. From Klambauer et al. 2017, "Self-normalizing neural
    networks".

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.selu([1.0]).numpy().round(4)
    array([1.0507], dtype=float32)
    """
    return ops.selu(x)


@_activation()
def softplus(x: Any) -> Any:
    """Smooth rectifier: `log(1 + exp(x))`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.softplus([0.0, 100.0]).numpy().round(4)
    array([  0.6931, 100.    ], dtype=float32)
    """
    return ops.softplus(x)


@_activation()
def softsign(x: Any) -> Any:
    """`x / (1 + |x|)`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.softsign([-1.0, 0.0, 3.0]).numpy()
    array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    return ops.softsign(x)


@_activation()
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Moves values towards 0 by the threshold; smaller ones become 0.

    Args:
        x: Input, of any shape.
        threshold: Float, default 0.5.

    Example:

    >>> from minikeras import activations
    >>> activations.soft_shrink([-1.0, 0.25, 1.0]).numpy()
    array([-0.5,  0. ,  0.5], dtype=float32)
    """
    return ops.soft_shrink(x, threshold=threshold)


@_activation()
def sparse_plus(x: Any) -> Any:
    """0 for `x <= -1`, `(x + 1)^2 / 4` for `-1 < x < 1`, `x` for `x >= 1`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.sparse_plus([-2.0, 0.0, 2.0]).numpy()
    array([0.  , 0.25, 2.  ], dtype=float32)
    """
    return ops.sparse_plus(x)


@_activation("swish")
def silu(x: Any) -> Any:
    """Sigmoid linear unit, also called swish: `x * sigmoid(x)`.

    From Ramachandran et al. 2017, "Searching for activation functions".

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.silu([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.7311], dtype=float32)
    """
    return ops.silu(x)


@_activation()
def squareplus(x: Any, b: float = 4) -> Any:
    """Smooth rectifier: `(x + sqrt(x^2 + b)) / 2`.

    From Barron 2021, "Squareplus: a softplus-like algebraic rectifier".

    Args:
        x: Input, of any shape.
        b: Float, default 4. Smoothness: larger is smoother.

    Example:

    >>> from minikeras import activations
    >>> activations.squareplus([0.0]).numpy()
    array([1.], dtype=float32)
    """
    return ops.squareplus(x, b=b)


@_activation()
def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit: `x * P(X <= x)` for a standard normal `X`.

    From Hendrycks and Gimpel 2016, "Gaussian error linear units".

    Args:
        x: Input, of any shape.
        approximate: Boolean, default False. Whether to use the approximation
            `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.

    Example:

    >>> from minikeras import activations
    >>> activations.gelu([-1.0, 0.0, 1.0]).numpy().round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    return ops.gelu(x, approximate=bool(approximate))


@_activation()
def celu(x: Any, alpha: float = 1.0) -> Any:
    """Continuously differentiable exponential linear unit.

    `max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)`; from Barron 2017, "Continuously
    differentiable exponential linear units".

    Args:
        x: Input, of any shape.
        alpha: Float, default 1. Minus the value approached far below 0.

    Example:

    >>> from minikeras import activations
    >>> activations.celu([-100.0, 2.0], alpha=0.5).numpy()
    array([-0.5,  2. ], dtype=float32)
    """
    return ops.celu(x, alpha=alpha)


@_activation()
def glu(x: Any, axis: int = -1) -> Any:
    """Gated linear unit: `a * sigmoid(b)` with `a` and `b` the two halves of `x`.

    From Dauphin et al. 2017, "Language modeling with gated convolutional networks".

    Args:
        x: Input, whose axis `axis` has an even size.
        axis: Integer, default -1. The axis that is split.

    Raises:
        ValueError: if the size is odd.

    Example:

    >>> from minikeras import activations
    >>> activations.glu([[2.0, 0.0]]).numpy()
    array([[1.]], dtype=float32)
    """
    return ops.glu(x, axis=axis)


@_activation()
def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.tanh([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.7616], dtype=float32)
    """
    return ops.tanh(x)  # type: ignore[attr-defined]


@_activation()
def tanh_shrink(x: Any) -> Any:
    """`x - tanh(x)`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.tanh_shrink([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.2384], dtype=float32)
    """
    return ops.tanh_shrink(x)


@_activation()
def hard_tanh(x: Any) -> Any:
    """`min(max(x, -1), 1)`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.hard_tanh([-2.0, 0.5]).numpy()
    array([-1. ,  0.5], dtype=float32)
    """
    return ops.hard_tanh(x)


@_activation()
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` where `|x| > threshold`, else 0.

    Args:
        x: Input, of any shape.
        threshold: Float, default 0.5.

    Example:

    >>> from minikeras import activations
    >>> activations.hard_shrink([0.25, 1.0]).numpy()
    array([0., 1.], dtype=float32)
    """
    return ops.hard_shrink(x, threshold=threshold)


@_activation()
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where `x > threshold`, else `default_value`.

    Args:
        x: Input, of any shape.
        threshold: Float.
        default_value: Float.

    Example:

    >>> from minikeras import activations
    >>> activations.threshold([0.25, 1.0], 0.5, -1.0).numpy()
    array([-1.,  1.], dtype=float32)
    """
    return ops.threshold(x, threshold, default_value)


@_activation()
def sigmoid(x: Any) -> Any:
    """The logistic function: `1 / (1 + exp(-x))`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.sigmoid([0.0, 1.0]).numpy().round(4)
    array([0.5   , 0.7311], dtype=float32)
    """
    return ops.sigmoid(x)


@_activation()
def exponential(x: Any) -> Any:
    """`exp(x)`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.exponential([0.0, 1.0]).numpy().round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return Exponential()(x)


@_activation()
def hard_sigmoid(x: Any) -> Any:
    """Piecewise linear sigmoid: `min(max(x + 3, 0), 6) / 6`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.hard_sigmoid([-3.0, 0.0, 3.0]).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return ops.hard_sigmoid(x)


@_activation()
def log_sigmoid(x: Any) -> Any:
    """`log(sigmoid(x))`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.log_sigmoid([-100.0, 0.0]).numpy().round(4)
    array([-100.    ,   -0.6931], dtype=float32)
    """
    return ops.log_sigmoid(x)


@_activation()
def sparse_sigmoid(x: Any) -> Any:
    """Piecewise linear sigmoid: `min(max((x + 1) / 2, 0), 1)`.

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.sparse_sigmoid([-1.0, 0.0, 1.0]).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return ops.sparse_sigmoid(x)


@_activation("hard_swish")
def hard_silu(x: Any) -> Any:
    """Piecewise form of `silu`, also called hard swish: `x * hard_sigmoid(x)`.

    From Howard et al. 2019, "Searching for MobileNetV3".

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.hard_silu([-3.0, 0.0, 3.0]).numpy()
    array([-0.,  0.,  3.], dtype=float32)
    """
    return ops.hard_silu(x)


@_activation()
def mish(x: Any) -> Any:
    """`x * tanh(softplus(x))`.

    From Misra 2019, "Mish: a self regularized non-monotonic activation function".

    Args:
        x: Input, of any shape.

    Example:

    >>> from minikeras import activations
    >>> activations.mish([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.8651], dtype=float32)
    """
    return Mish()(x)


@_activation()
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """`log(softmax(x))`, without overflow or underflow.

    Args:
        x: Input, of any shape.
        axis: Integer, tuple of integers, or None for all. The axes of the softmax. Defaults to -1.

    Example:

    >>> from minikeras import activations
    >>> activations.log_softmax([0.0, 0.0]).numpy().round(4)
    array([-0.6931, -0.6931], dtype=float32)
    """
    return ops.log_softmax(x, axis=axis)


@_activation()
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The probability distribution nearest to `x`, which may hold zeros.

    From Martins and Astudillo 2016, "From softmax to sparsemax".

    Args:
        x: Input, of any shape.
        axis: Integer, default -1. The axis that sums to 1.

    Example:

    >>> from minikeras import activations
    >>> activations.sparsemax([[0.0, 0.5, 2.0]]).numpy()
    array([[0., 0., 1.]], dtype=float32)
    """
    return ops.sparsemax(x, axis=axis)


swish = silu
hard_swish = hard_silu


def serialize(activation: Any) -> Any:
    """The name of a built-in activation, the config dict of any other.

    >>> from minikeras import activations
    >>> activations.serialize(activations.relu)
    'relu'
    """
    return registry.activations.serialize(activation)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The activation that a name or config dict stands for.

    Args:
        config: What `serialize` returned.
        custom_objects: dict of your own functions and classes by name.

    Example:

    >>> from minikeras import activations
    >>> activations.deserialize("relu") is activations.relu
    True
    """
    return registry.activations.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """The activation that `identifier` stands for.

    Args:
        identifier: None (`linear`), a name, a config dict or a callable.

    Raises:
        ValueError: if there is none; near matches are listed.

    Example:

    >>> from minikeras import activations
    >>> activations.get("swish") is activations.silu
    True
    """
    return registry.activations.get(identifier)
