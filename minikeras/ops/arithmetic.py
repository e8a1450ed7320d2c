"""Elementwise operations on two tensors: name, forward, derivative by each operand."""

# ruff: noqa: E501 - the tables are aligned, one operation a line

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.ops.tables import binary

_LN2 = math.log(2.0)


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


def _tie_first(mine: Any, other: Any) -> Any:
    """Half the gradient each where two operands are equal."""
    return np.where(mine == other, 0.5, 1.0).astype(mine.dtype)


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
bitwise_left_shift  = binary("BitwiseLeftShift",  _shift(np.left_shift),  None, None, "`x` with its bits moved left by `y`.", arguments="x y", example="[1], [3] -> [8]")
left_shift          = binary("LeftShift",         _shift(np.left_shift),  None, None, "`x` with its bits moved left by `y`.", arguments="x y", example="[1], [3] -> [8]")
bitwise_right_shift = binary("BitwiseRightShift", _shift(np.right_shift), None, None, "`x` with its bits moved right by `y`.", arguments="x y", example="[8], [3] -> [1]")
right_shift         = binary("RightShift",        _shift(np.right_shift), None, None, "`x` with its bits moved right by `y`.", arguments="x y", example="[8], [3] -> [1]")
# fmt: on

__all__ = [name for name, value in globals().items() if hasattr(value, "operation")]
