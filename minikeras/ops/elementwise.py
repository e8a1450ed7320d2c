"""Elementwise operations on one tensor or two: name, forward, derivative by each operand."""

# ruff: noqa: E501 - the tables are aligned, one operation a line

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.kernels import special
from minikeras.ops.base import Kernel, is_inexact, static
from minikeras.ops.tables import binary, unary

_LN2, _LN10 = math.log(2.0), math.log(10.0)


def _abs_derivative(dy: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        size = np.abs(x)
        return dy * np.divide(x, size, out=np.zeros_like(x), where=size != 0)
    return dy * np.sign(x)


def _conj(x: Any) -> Any:
    return x.conj() if x.dtype.kind == "c" else x


# fmt: off
# Trigonometry
sin       = unary("Sin",     np.sin,     lambda dy, x: dy * np.cos(x),                "Sine of `x` in radians.", example="[0.0] -> [0.0]")
cos       = unary("Cos",     np.cos,     lambda dy, x: -dy * np.sin(x),               "Cosine of `x` in radians.", example="[0.0] -> [1.0]")
tan       = unary("Tan",     np.tan,     lambda dy, y: dy * (1 + y * y),              "Tangent of `x` in radians.", example="[0.0] -> [0.0]")
arcsin    = unary("Arcsin",  np.arcsin,  lambda dy, x: dy / np.sqrt(1 - x * x),       "Inverse of the sine.", example="[0.0] -> [0.0]")
arccos    = unary("Arccos",  np.arccos,  lambda dy, x: -dy / np.sqrt(1 - x * x),      "Inverse of the cosine.", example="[1.0] -> [0.0]")
arctan    = unary("Arctan",  np.arctan,  lambda dy, x: dy / (1 + x * x),              "Inverse of the tangent.", example="[0.0] -> [0.0]")
sinh      = unary("Sinh",    np.sinh,    lambda dy, x: dy * np.cosh(x),               "Hyperbolic sine.", example="[0.0] -> [0.0]")
cosh      = unary("Cosh",    np.cosh,    lambda dy, x: dy * np.sinh(x),               "Hyperbolic cosine.", example="[0.0] -> [1.0]")
tanh      = unary("Tanh",    np.tanh,    lambda dy, y: dy * (1 - y * y),              "Hyperbolic tangent.", example="[0.0] -> [0.0]")
arcsinh   = unary("Arcsinh", np.arcsinh, lambda dy, x: dy / np.sqrt(x * x + 1),       "Inverse of the hyperbolic sine.", example="[0.0] -> [0.0]")
arccosh   = unary("Arccosh", np.arccosh, lambda dy, x: dy / np.sqrt(x * x - 1),       "Inverse of the hyperbolic cosine.", example="[1.0] -> [0.0]")
arctanh   = unary("Arctanh", np.arctanh, lambda dy, x: dy / (1 - x * x),              "Inverse of the hyperbolic tangent.", example="[0.0] -> [0.0]")
deg2rad   = unary("Deg2rad", np.deg2rad, lambda dy: dy * (math.pi / 180),             "Degrees to radians.", rule="wide", example="[0.0] -> [0.0]")
rad2deg   = unary("Rad2deg", np.rad2deg, lambda dy: dy * (180 / math.pi),             "Radians to degrees.", rule="wide", example="[0.0] -> [0.0]")
sinc      = unary("Sinc",    special.sinc, lambda dy, x: dy * special.sinc_derivative(x), "sin(πx) / (πx), and 1 at 0.", example="[0.0] -> [1.0]")

# Powers, exponentials and logarithms
exp        = unary("Exp",        np.exp,   lambda dy, y: dy * y,                        "e to the power of `x`.", example="[0.0] -> [1.0]")
exp2       = unary("Exp2",       np.exp2,  lambda dy, y: dy * y * _LN2,                 "2 to the power of `x`.", example="[3.0] -> [8.0]")
expm1      = unary("Expm1",      np.expm1, lambda dy, y: dy * (y + 1),                  "exp(x) - 1, exact near 0.", example="[0.0] -> [0.0]")
log        = unary("Log",        np.log,   lambda dy, x: dy / x,                        "Natural logarithm.", example="[1.0] -> [0.0]")
log2       = unary("Log2",       np.log2,  lambda dy, x: dy / (x * _LN2),               "Logarithm to base 2.", example="[8.0] -> [3.0]")
log10      = unary("Log10",      np.log10, lambda dy, x: dy / (x * _LN10),              "Logarithm to base 10.", example="[1.0] -> [0.0]")
log1p      = unary("Log1p",      np.log1p, lambda dy, x: dy / (1 + x),                  "log(1 + x), exact near 0.", example="[0.0] -> [0.0]")
sqrt       = unary("Sqrt",       np.sqrt,  lambda dy, y: dy / (2 * y),                  "Square root.", example="[4.0] -> [2.0]")
rsqrt      = unary("Rsqrt",      lambda x: (1 / np.sqrt(x)).astype(x.dtype, copy=False), lambda dy, y: dy * (-0.5) * y * y * y, "1 / √x.", example="[4.0] -> [0.5]")
cbrt       = unary("Cbrt",       special.cbrt, lambda dy, y: dy / (3 * y * y),          "Cube root.", rule="wide", example="[8.0] -> [2.0]")
square     = unary("Square",     np.square, lambda dy, x: dy * 2 * x,                   "`x` times itself.", rule="number", example="[3.0] -> [9.0]")
reciprocal = unary("Reciprocal", np.reciprocal, lambda dy, y: -dy * y * y,              "1 / x.", example="[4.0] -> [0.25]")

# Signs, steps
absolute  = unary("Absolute", np.abs,      _abs_derivative,                             "Absolute value.", rule="same", example="[-2.0] -> [2.0]")
abs       = unary("Abs",      np.abs,      _abs_derivative,                             "Absolute value.", rule="same", example="[-2.0] -> [2.0]")
fabs      = unary("Fabs",     np.fabs,     _abs_derivative,                             "Absolute value, as a float.", example="[-2.0] -> [2.0]")
negative  = unary("Negative", np.negative, lambda dy: -dy,                              "`x` with the sign reversed.", rule="same", example="[2.0] -> [-2.0]")
sign      = unary("Sign",     np.sign,     lambda dy: np.zeros_like(dy),                "-1, 0 or 1, as `x` is negative, zero or positive.", rule="same", example="[-3.0, 0.0] -> [-1.0, 0.0]")
floor     = unary("Floor",    np.floor,    None,                                        "The largest integer not above `x`.", example="[1.7] -> [1.0]")
ceil      = unary("Ceil",     np.ceil,     None,                                        "The smallest integer not below `x`.", example="[1.2] -> [2.0]")
trunc     = unary("Trunc",    lambda x: x if x.dtype.kind in "biu" else np.trunc(x), None, "`x` without its fraction.", rule="same", example="[-1.7] -> [-1.0]")

# Complex numbers
real      = unary("Real",      np.real,    lambda dy: dy,                               "Real part.", rule="same", example="[1.0] -> [1.0]")
imag      = unary("Imag",      np.imag,    lambda dy, x: 1j * dy if x.dtype.kind == "c" else np.zeros_like(dy), "Imaginary part.", rule="same", example="[1.0] -> [0.0]")
conjugate = unary("Conjugate", _conj,      lambda dy: np.conj(dy),                      "Complex conjugate.", rule="same", example="[1.0] -> [1.0]")
conj      = unary("Conj",      _conj,      lambda dy: np.conj(dy),                      "Complex conjugate.", rule="same", example="[1.0] -> [1.0]")
angle     = unary("Angle",     special.angle, lambda dy, x: special.angle_derivative(dy, x), "Angle of a complex number, in radians.", example="[1.0] -> [0.0]")

# Special functions
erf       = unary("Erf",    special.erf,    lambda dy, x: dy * special.gauss(x),        "Error function, 2/√π ∫₀ˣ exp(-t²) dt.", example="[0.0] -> [0.0]")
erfc      = unary("Erfc",   special.erfc,   lambda dy, x: -dy * special.gauss(x),       "1 - erf(x), exact in the tail.", example="[0.0] -> [1.0]")
erfinv    = unary("Erfinv", special.erfinv, lambda dy, y: dy / special.gauss(y),        "Inverse of the error function.", example="[0.0] -> [0.0]")
i0        = unary("I0",     special.i0,     lambda dy, x: dy * special.i1(x),           "Modified Bessel function of the first kind, order 0.", rule="wide", example="[0.0] -> [1.0]")

# Tests
isnan       = unary("Isnan",      np.isnan,      None, "Whether `x` is not a number.", example="[1.0] -> [False]")
isinf       = unary("Isinf",      np.isinf,      None, "Whether `x` is infinite.", example="[1.0] -> [False]")
isfinite    = unary("Isfinite",   np.isfinite,   None, "Whether `x` is neither infinite nor not a number.", example="[1.0] -> [True]")
isneginf    = unary("Isneginf",   lambda x: x == -np.inf, None, "Whether `x` is -∞.", rule="same", example="[1.0] -> [False]")
isposinf    = unary("Isposinf",   lambda x: x == np.inf,  None, "Whether `x` is +∞.", rule="same", example="[1.0] -> [False]")
isreal      = unary("Isreal",     np.isreal,     None, "Whether the imaginary part of `x` is 0.", rule="same", example="[1.0] -> [True]")
signbit     = unary("Signbit",    lambda x: x < 0 if x.dtype.kind in "biu" else np.signbit(x), None, "Whether the sign of `x` is minus (-0.0 included).", rule="same", example="[-1.0] -> [True]")
logical_not = unary("LogicalNot", np.logical_not, None, "Whether `x` is zero or False.", rule="same", example="[True] -> [False]")

# Bits
bitwise_not    = unary("BitwiseNot",    np.bitwise_not, None, "`x` with all bits inverted.", rule="same", example="[0] -> [-1]")
bitwise_invert = unary("BitwiseInvert", np.bitwise_not, None, "`x` with all bits inverted.", rule="same", example="[0] -> [-1]")
# fmt: on


class Round(Kernel):
    """Round to a number of decimals, halves to even."""

    decimals: int = 0

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.round(x, self.decimals)


Round.differentiable = False


def round(x: Any, decimals: int = 0) -> Any:
    """Round to `decimals` places; halves go to the even neighbour.

    Args:
        x: Tensor.
        decimals: Integer, default 0. Negative counts places before the point.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.round([0.5, 1.5, 2.4]).tolist()
    [0.0, 2.0, 2.0]
    """
    return Round(static(decimals))(x)


class Clip(Kernel):
    """Limit values to a range."""

    x_min: Any
    x_max: Any

    def __init__(self, x_min: Any, x_max: Any, *, name: str | None = None) -> None:
        super().__init__(x_min, x_max, name=name)

    def forward(self, ctx: Any, x: Any, low: Any = None, high: Any = None) -> Any:
        dtype = np.dtype("int32") if x.dtype == bool else x.dtype
        low, high = (
            None if limit is None else np.asarray(limit).astype(dtype)
            for limit in (self.x_min if low is None else low, self.x_max if high is None else high)
        )
        x = x.astype(dtype, copy=False)
        y = np.clip(x, low, high) if low is not None or high is not None else x
        if ctx.recording and is_inexact(x):
            inside = np.ones(y.shape, bool)
            if low is not None:
                inside &= x >= low
            if high is not None:
                inside &= x <= high
            ctx.save(inside, x.shape)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not ctx.saved:
            return None
        from minikeras.ops.base import unbroadcast

        inside, shape = ctx.saved
        return unbroadcast(dy * inside, shape)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """Limit values to the range from `x_min` to `x_max`.

    Args:
        x: Tensor.
        x_min: Number or tensor: values below become this. None sets no limit.
        x_max: Number or tensor: values above become this. None sets no limit.

    Returns:
        Tensor; bools become int32, else the dtype of `x` is kept.

    Example:

    >>> import minikeras
    >>> minikeras.ops.clip([-1.0, 0.5, 3.0], 0.0, 1.0).tolist()
    [0.0, 0.5, 1.0]
    """
    from minikeras.engine.symbolic import KerasTensor, Operators

    limits = (x_min, x_max)
    if any(isinstance(limit, KerasTensor) or getattr(limit, "slot", -1) >= 0 for limit in limits):
        x = x if x_min is None else maximum(x, x_min)
        return x if x_max is None else minimum(x, x_max)
    low, high = (limit.array if isinstance(limit, Operators) else limit for limit in limits)
    return Clip(low, high)(x)


class NanToNum(Kernel):
    """Replace what is not a finite number."""

    nan: float = 0.0
    posinf: Any = None
    neginf: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.dtype.kind not in "fc":
            ctx.save(None)
            return x
        if ctx.recording:
            ctx.save(np.isfinite(x))
        return np.nan_to_num(x, nan=self.nan, posinf=self.posinf, neginf=self.neginf)

    def backward(self, ctx: Any, dy: Any) -> Any:
        (finite,) = ctx.saved
        return None if finite is None else dy * finite


def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Replace NaN and infinities by numbers.

    Args:
        x: Tensor.
        nan: Number, default 0. What NaN becomes.
        posinf: Number. What +∞ becomes. Defaults to the largest number of the dtype.
        neginf: Number. What -∞ becomes. Defaults to the smallest number of the dtype.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.nan_to_num([1.0, float("nan")]).tolist()
    [1.0, 0.0]
    """
    return NanToNum(nan, posinf, neginf)(x)


def _power(a: Any, b: Any) -> Any:
    if a.dtype.kind in "iu" and np.any(b < 0):
        raise ValueError(
            "Integers cannot be raised to negative integer powers. Cast `x1` to a float first."
        )
    return np.power(a, b)


def _power_base(dy: Any, a: Any, b: Any) -> Any:
    return dy * b * np.power(a, np.where(b == 0, 1, b - 1))


def _power_exponent(dy: Any, a: Any, y: Any) -> Any:
    positive = (a > 0) if a.dtype.kind != "c" else a != 0
    return dy * y * np.log(np.where(positive, a, 1))


def _divide_no_nan(a: Any, b: Any) -> Any:
    shape = np.broadcast_shapes(a.shape, b.shape)
    return np.divide(a, b, out=np.zeros(shape, a.dtype), where=b != 0)


def _where_b(value: Any, b: Any) -> Any:
    return np.where(b != 0, value / np.where(b != 0, b, 1), 0)


def _floor_divide(a: Any, b: Any) -> Any:
    _no_integer_zero(b)
    return np.floor_divide(a, b)


def _no_integer_zero(b: Any) -> None:
    if b.dtype.kind in "iu" and not np.all(b):
        raise ValueError(
            "Integers cannot be divided by zero: `x2` contains 0. Cast to a float first, or use"
            " `divide_no_nan`."
        )


def _mod(a: Any, b: Any) -> Any:
    _no_integer_zero(b)
    return np.mod(a, b)


def _fmod(a: Any, b: Any) -> Any:
    _no_integer_zero(b)
    return np.fmod(a, b)


def _shift(function: Any) -> Any:
    def shift(a: Any, b: Any) -> Any:
        return function(a, np.clip(b, 0, a.dtype.itemsize * 8 - 1))

    return shift


# fmt: off
add           = binary("Add",         np.add,          lambda dy: dy,                  lambda dy: dy,                       "Sum of two tensors.", example="[1, 2], 3 -> [4, 5]")
subtract      = binary("Subtract",    np.subtract,     lambda dy: dy,                  lambda dy: -dy,                      "Difference of two tensors.", rule="number", example="[1, 2], 3 -> [-2, -1]")
multiply      = binary("Multiply",    np.multiply,     lambda dy, b: dy * b,           lambda dy, a: dy * a,                "Product of two tensors, element by element.", example="[1, 2], 3 -> [3, 6]")
divide        = binary("Divide",      np.true_divide,  lambda dy, b: dy / b,           lambda dy, b, y: -dy * y / b,        "Quotient of two tensors.", rule="float", example="[1, 2], 2 -> [0.5, 1.0]")
true_divide   = binary("TrueDivide",  np.true_divide,  lambda dy, b: dy / b,           lambda dy, b, y: -dy * y / b,        "Quotient of two tensors.", rule="float", example="[1, 2], 2 -> [0.5, 1.0]")
divide_no_nan = binary("DivideNoNan", _divide_no_nan,  lambda dy, b: _where_b(dy, b),  lambda dy, b, y: _where_b(-dy * y, b), "Quotient of two tensors, and 0 where the divisor is 0.", rule="float", example="[1.0, 2.0], [0.0, 2.0] -> [0.0, 1.0]")
power         = binary("Power",       _power,          _power_base,                    _power_exponent,                     "`x1` to the power of `x2`.", rule="number", example="[2, 3], 2 -> [4, 9]")
floor_divide  = binary("FloorDivide", _floor_divide,   None,                           None,                                "Largest integer not above the quotient.", rule="number", example="[7, -7], 2 -> [3, -4]")
mod           = binary("Mod",         _mod,            lambda dy: dy,                  lambda dy, a, b: -dy * np.floor_divide(a, b), "Remainder of the division, with the sign of `x2`.", rule="number", weak=False, example="[7, -7], 4 -> [3, 1]")
fmod          = binary("Fmod",        _fmod,           lambda dy: dy,                  lambda dy, a, b: -dy * np.trunc(a / b), "Remainder of the division, with the sign of `x1`.", rule="number", weak=False, example="[7, -7], 4 -> [3, -3]")
maximum       = binary("Maximum",     np.maximum,      lambda dy, a, b: dy * (a >= b), lambda dy, a, b: dy * (a < b),       "The larger of two values; NaN if one is.", example="[1, 5], 3 -> [3, 5]")
minimum       = binary("Minimum",     np.minimum,      lambda dy, a, b: dy * (a <= b), lambda dy, a, b: dy * (a > b),       "The smaller of two values; NaN if one is.", example="[1, 5], 3 -> [1, 3]")
fmax          = binary("Fmax",        np.fmax,         lambda dy, a, y: dy * (a == y), lambda dy, a, y: dy * (a != y),      "The larger of two values; a NaN is passed over.", example="[1, 5], 3 -> [3, 5]")
fmin          = binary("Fmin",        np.fmin,         lambda dy, a, y: dy * (a == y), lambda dy, a, y: dy * (a != y),      "The smaller of two values; a NaN is passed over.", example="[1, 5], 3 -> [1, 3]")
hypot         = binary("Hypot",       np.hypot,        lambda dy, a, y: dy * a / y,    lambda dy, b, y: dy * b / y,         "√(x1² + x2²).", rule="wide", weak=False, example="[3.0], [4.0] -> [5.0]")
arctan2       = binary("Arctan2",     np.arctan2,      lambda dy, a, b: dy * b / (a * a + b * b), lambda dy, a, b: -dy * a / (a * a + b * b), "Angle of the point (x2, x1), in radians.", rule="float", weak=False, example="[0.0], [1.0] -> [0.0]")
logaddexp     = binary("Logaddexp",   np.logaddexp,    lambda dy, a, y: dy * np.exp(a - y),  lambda dy, b, y: dy * np.exp(b - y),  "log(exp(x1) + exp(x2)), without overflow.", rule="float", weak=False, example="[0.0], [float('-inf')] -> [0.0]")
logaddexp2    = binary("Logaddexp2",  np.logaddexp2,   lambda dy, a, y: dy * np.exp2(a - y), lambda dy, b, y: dy * np.exp2(b - y), "log₂(2^x1 + 2^x2), without overflow.", rule="float", weak=False, example="[1.0], [1.0] -> [2.0]")
heaviside     = binary("Heaviside",   np.heaviside,    None,                           None,                                "0 where `x1` is negative, 1 where it is positive, `x2` where it is 0.", rule="wide", weak=False, example="[-1.0, 0.0, 2.0], 0.5 -> [0.0, 0.5, 1.0]")
nextafter     = binary("Nextafter",   np.nextafter,    None,                           None,                                "The next number after `x1` towards `x2`.", rule="float", weak=False, example="[0.0], [0.0] -> [0.0]")
gcd           = binary("Gcd",         np.gcd,          None,                           None,                                "Greatest common divisor.", weak=False, example="[12], [18] -> [6]")
lcm           = binary("Lcm",         np.lcm,          None,                           None,                                "Least common multiple.", weak=False, example="[4], [6] -> [12]")

# Comparisons
equal         = binary("Equal",        np.equal,         None, None, "Whether two values are equal.", rule="compare", example="[1, 2], 2 -> [False, True]")
not_equal     = binary("NotEqual",     np.not_equal,     None, None, "Whether two values differ.", rule="compare", example="[1, 2], 2 -> [True, False]")
less          = binary("Less",         np.less,          None, None, "Whether `x1` is less than `x2`.", rule="compare", example="[1, 2], 2 -> [True, False]")
less_equal    = binary("LessEqual",    np.less_equal,    None, None, "Whether `x1` is at most `x2`.", rule="compare", example="[1, 2], 2 -> [True, True]")
greater       = binary("Greater",      np.greater,       None, None, "Whether `x1` is greater than `x2`.", rule="compare", example="[1, 2], 2 -> [False, False]")
greater_equal = binary("GreaterEqual", np.greater_equal, None, None, "Whether `x1` is at least `x2`.", rule="compare", example="[1, 2], 2 -> [False, True]")
logical_and   = binary("LogicalAnd",   np.logical_and,   None, None, "Whether both are true.", rule="bool", example="[True, False], True -> [True, False]")
logical_or    = binary("LogicalOr",    np.logical_or,    None, None, "Whether one or both are true.", rule="bool", example="[True, False], False -> [True, False]")
logical_xor   = binary("LogicalXor",   np.logical_xor,   None, None, "Whether exactly one is true.", rule="bool", example="[True, False], True -> [False, True]")

# Bits
bitwise_and         = binary("BitwiseAnd",        np.bitwise_and,         None, None, "Bits that are set in both.", weak=False, arguments="x y", example="[6], [3] -> [2]")
bitwise_or          = binary("BitwiseOr",         np.bitwise_or,          None, None, "Bits that are set in one or both.", weak=False, arguments="x y", example="[6], [3] -> [7]")
bitwise_xor         = binary("BitwiseXor",        np.bitwise_xor,         None, None, "Bits that are set in exactly one.", weak=False, arguments="x y", example="[6], [3] -> [5]")
bitwise_left_shift  = binary("BitwiseLeftShift",  _shift(np.left_shift),  None, None, "`x` with its bits moved left by `y`.", rule="number", arguments="x y", example="[1], [3] -> [8]")
left_shift          = binary("LeftShift",         _shift(np.left_shift),  None, None, "`x` with its bits moved left by `y`.", rule="number", arguments="x y", example="[1], [3] -> [8]")
bitwise_right_shift = binary("BitwiseRightShift", _shift(np.right_shift), None, None, "`x` with its bits moved right by `y`.", rule="number", arguments="x y", example="[8], [3] -> [1]")
right_shift         = binary("RightShift",        _shift(np.right_shift), None, None, "`x` with its bits moved right by `y`.", rule="number", arguments="x y", example="[8], [3] -> [1]")
# fmt: on

__all__ = [name for name, value in globals().items() if hasattr(value, "operation")] + [
    "clip",
    "nan_to_num",
    "round",
]
