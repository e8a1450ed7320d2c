"""Activation functions, on the kernels that layers use too."""

# ruff: noqa: E501 - the tables are aligned, one operation a line

from __future__ import annotations

import warnings
from typing import Any

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels.activation import KERNELS
from minikeras.ops.base import Kernel, canonical_axes, static, tensor


class _Activation(Kernel):
    """An activation function; `kernel_name` is its entry in the table of kernels."""

    kernel_name = ""

    def kernel(self) -> Any:
        """The kernel for this operation's arguments."""
        return KERNELS[self.kernel_name](**{key: getattr(self, key) for key in self.fields})

    def forward(self, ctx: Any, x: Any) -> Any:
        kernel = self.kernel()
        ctx.shape, ctx.kernel = x.shape, kernel
        ctx.exact = x.dtype.kind in "fc"
        if not ctx.exact and not (kernel.integers and x.dtype.kind in "iu"):
            x = x.astype(config.floatx())
        elif kernel.keeps == "y":
            x = x.copy()
        y = kernel.forward(x if x.ndim else x.reshape(1))
        ctx.save(x if kernel.keeps == "z" else y)
        return (y if ctx.shape else y.reshape(())).astype(x.dtype, copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not ctx.exact:
            return None
        (kept,) = ctx.saved
        if ctx.shape:
            return ctx.kernel.backward(kept, dy)
        return ctx.kernel.backward(kept.reshape(1), dy.reshape(1)).reshape(())

    def compute_output_spec(self, x: Any) -> Any:
        dtype = x.dtype
        if dtypes.to_numpy_dtype(dtype).kind not in "fc" and not self.kernel().integers:
            dtype = config.floatx()
        return KerasTensor(x.shape, dtype=dtype)


def _simple(name: str, kernel_name: str, formula: str) -> Any:
    """The function for an activation without arguments."""
    kind = type(
        name,
        (_Activation,),
        {"__doc__": formula, "__module__": __name__, "kernel_name": kernel_name},
    )

    def function(x: Any) -> Any:
        return kind()(x)

    return function


def _documented(name: str, function: Any, formula: str, link: str = "") -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{formula}\n\n    Args:\n        x: Tensor of any shape.\n\n    Returns:\n        Tensor of"
        f" the shape of `x`; floats keep their dtype.\n{link}"
        f"\n    Example:\n\n    >>> import minikeras\n"
        f"    >>> minikeras.ops.{name}(minikeras.ops.zeros((2, 3))).shape\n    (2, 3)\n    "
    )
    return function


def _no_arguments(name: str, class_name: str, formula: str, kernel_name: str = "") -> Any:
    return _documented(name, _simple(class_name, kernel_name or name, formula), formula)


# fmt: off
relu           = _no_arguments("relu",           "Relu",          "Rectifier: max(x, 0).")
relu6          = _no_arguments("relu6",          "Relu6",         "Rectifier up to 6: min(max(x, 0), 6).")
sigmoid        = _no_arguments("sigmoid",        "Sigmoid",       "Logistic function: 1 / (1 + exp(-x)).")
sparse_sigmoid = _no_arguments("sparse_sigmoid", "SparseSigmoid", "0 up to -1, (x + 1) / 2 between, 1 from 1 on.")
softplus       = _no_arguments("softplus",       "Softplus",      "log(1 + exp(x)), a smooth rectifier.")
softsign       = _no_arguments("softsign",       "Softsign",      "x / (1 + |x|).")
sparse_plus    = _no_arguments("sparse_plus",    "SparsePlus",    "0 up to -1, (x + 1)² / 4 between, x from 1 on.")
silu           = _no_arguments("silu",           "Silu",          "x · sigmoid(x) (Ramachandran et al. 2017).")
log_sigmoid    = _no_arguments("log_sigmoid",    "LogSigmoid",    "log(sigmoid(x)), without overflow.")
hard_sigmoid   = _no_arguments("hard_sigmoid",   "HardSigmoid",   "relu6(x + 3) / 6.")
hard_silu      = _no_arguments("hard_silu",      "HardSilu",      "x · hard_sigmoid(x).")
hard_tanh      = _no_arguments("hard_tanh",      "HardTanh",      "x limited to the range from -1 to 1.")
tanh_shrink    = _no_arguments("tanh_shrink",    "TanhShrink",    "x - tanh(x).")
selu           = _no_arguments("selu",           "Selu",          "Scaled exponential unit, which keeps mean 0 and variance 1 (Klambauer et al. 2017).")
# fmt: on
swish = silu
hard_swish = hard_silu


class LeakyRelu(_Activation):
    """x above 0, `negative_slope` times x below."""

    kernel_name = "leaky_relu"
    negative_slope: float = 0.2


class Elu(_Activation):
    """x above 0, alpha (exp(x) - 1) below."""

    kernel_name = "elu"
    alpha: float = 1.0


class Celu(_Activation):
    """x above 0, alpha (exp(x / alpha) - 1) below."""

    kernel_name = "celu"
    alpha: float = 1.0


class Gelu(_Activation):
    """x times the probability that a standard normal variable is below x."""

    kernel_name = "gelu"
    approximate: bool = True


class SoftShrink(_Activation):
    """x moved towards 0 by the threshold."""

    kernel_name = "soft_shrink"
    threshold: float = 0.5


class HardShrink(_Activation):
    """x where it is larger than the threshold in size, else 0."""

    kernel_name = "hard_shrink"
    threshold: float = 0.5


class Squareplus(_Activation):
    """(x + √(x² + b)) / 2."""

    kernel_name = "squareplus"
    b: float = 4


class Threshold(_Activation):
    """x where it is above the threshold, else a default."""

    kernel_name = "threshold"
    threshold: float
    default_value: float


class Softmax(_Activation):
    """exp(x) divided by its sum along an axis."""

    kernel_name = "softmax"
    axis: Any = -1


class LogSoftmax(_Activation):
    """Logarithm of softmax."""

    kernel_name = "log_softmax"
    axis: Any = -1


class Sparsemax(_Activation):
    """The nearest point of the probability simplex."""

    kernel_name = "sparsemax"
    axis: int = -1


class Glu(_Activation):
    """One half of x, gated by the sigmoid of the other."""

    kernel_name = "glu"
    axis: int = -1

    def compute_output_spec(self, x: Any) -> Any:
        shape = list(x.shape)
        (axis,) = canonical_axes(self.axis, len(shape))
        size = shape[axis]
        if size is not None:
            if size % 2:
                raise ValueError(
                    f"`glu` halves an axis, so its size must be even. Received: axis={self.axis},"
                    f" x.shape={x.shape}"
                )
            shape[axis] = size // 2
        return KerasTensor(shape, dtype=x.dtype)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    return LeakyRelu(negative_slope)(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    return Elu(alpha)(x)


def celu(x: Any, alpha: float = 1.0) -> Any:
    return Celu(alpha)(x)


def gelu(x: Any, approximate: bool = True) -> Any:
    return Gelu(approximate)(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    return SoftShrink(threshold)(x)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    return HardShrink(threshold)(x)


def squareplus(x: Any, b: float = 4) -> Any:
    return Squareplus(b)(x)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where it is above `threshold`, else `default_value`.

    Args:
        x: Tensor.
        threshold: Number.
        default_value: Number.

    Example:

    >>> import minikeras
    >>> minikeras.ops.threshold([-1.0, 2.0], 0.0, 5.0).tolist()
    [5.0, 2.0]
    """
    return Threshold(threshold, default_value)(x)


def _softmax_axis(x: Any, axis: Any) -> Any:
    axis = static(axis)
    if isinstance(axis, (list, tuple)):
        axis = canonical_axes(axis, len(x.shape))
    elif axis is not None:
        canonical_axes(axis, len(x.shape))
    return axis


def softmax_along(x: Any, axis: Any = -1) -> Any:
    """`softmax` without a warning where there is one value to choose from."""
    x = tensor(x)
    return Softmax(_softmax_axis(x, axis))(x)


def softmax(x: Any, axis: Any = -1) -> Any:
    x = tensor(x)
    if isinstance(axis, int) and -len(x.shape) <= axis < len(x.shape) and x.shape[axis] == 1:
        warnings.warn(
            f"You are using a softmax over axis {axis} of a tensor of shape {x.shape}. This axis"
            " has size 1. The softmax operation will always return the value 1, which is likely"
            " not what you intended. Did you mean to use a sigmoid instead?",
            stacklevel=2,
        )
    return softmax_along(x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    x = tensor(x)
    return LogSoftmax(_softmax_axis(x, axis))(x)


def sparsemax(x: Any, axis: int = -1) -> Any:
    x = tensor(x)
    canonical_axes(axis, len(x.shape))
    return Sparsemax(axis)(x)


def glu(x: Any, axis: int = -1) -> Any:
    """One half of `x` along an axis, times the sigmoid of the other (Dauphin et al. 2017).

    Args:
        x: Tensor.
        axis: Integer, default -1. Its size must be even.

    Raises:
        ValueError: if the size is odd.

    Example:

    >>> import minikeras
    >>> minikeras.ops.glu([1.0, 2.0, 0.0, 0.0]).tolist()
    [0.5, 1.0]
    """
    return Glu(axis)(x)


# fmt: off
for _name, _function, _formula in (
    ("leaky_relu",  leaky_relu,  "x above 0, `negative_slope` (default 0.2) times x below."),
    ("elu",         elu,         "x above 0, alpha (exp(x) - 1) below; alpha is 1 by default (Clevert et al. 2016)."),
    ("celu",        celu,        "x above 0, alpha (exp(x / alpha) - 1) below; alpha is 1 by default (Barron 2017)."),
    ("gelu",        gelu,        "x P(X ≤ x) for a standard normal X, by tanh if `approximate` (default) (Hendrycks and Gimpel 2016)."),
    ("soft_shrink", soft_shrink, "x moved towards 0 by `threshold` (default 0.5), 0 where it is smaller."),
    ("hard_shrink", hard_shrink, "x where |x| is above `threshold` (default 0.5), else 0."),
    ("squareplus",  squareplus,  "(x + √(x² + b)) / 2, with b = 4 by default (Barron 2021)."),
    ("softmax",     softmax,     "exp(x) / Σ exp(x) along `axis` (default -1; a tuple or None for several)."),
    ("log_softmax", log_softmax, "log(softmax(x)) along `axis` (default -1), without overflow."),
    ("sparsemax",   sparsemax,   "The point of the probability simplex nearest to x, along `axis` (default -1) (Martins and Astudillo 2016)."),
):
    _documented(_name, _function, _formula)
# fmt: on
del _name, _function, _formula

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "relu", "relu6", "selu",
    "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh_shrink", "threshold",
]  # fmt: skip
