"""Reductions that pass over NaN, differences, correlation, and comparisons with tolerance."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.ops.base import (
    Kernel,
    broadcast_shapes,
    canonical_axis,
    common_dtype,
    composite,
    tensor,
)
from minikeras.ops.core import cast
from minikeras.ops.cumulative import cumprod, cumsum
from minikeras.ops.elementwise import (
    add,
    divide,
    isnan,
    maximum,
    minimum,
    multiply,
    real,
    sqrt,
    square,
    subtract,
)
from minikeras.ops.indexing import get_item, where
from minikeras.ops.products import matmul
from minikeras.ops.reductions import all, max, min, prod, sum
from minikeras.ops.shaping import expand_dims, transpose

_DOC = """{summary}

    Args:
        x: Tensor.
        axis: Integer, tuple of integers or None (default, all).
        keepdims: Boolean, default False. Whether reduced axes stay, with size 1.

    Example:

    >>> import minikeras
    >>> float(minikeras.ops.{name}([1.0, float("nan"), 3.0]))
    {result}
    """


def _is_float(x: Any) -> bool:
    return np.dtype(dtypes.to_numpy_dtype(x.dtype)).kind in "fc"


@composite
def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    return sum(where(isnan(x), 0, x) if _is_float(x) else x, axis=axis, keepdims=keepdims)


@composite
def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    return prod(where(isnan(x), 1, x) if _is_float(x) else x, axis=axis, keepdims=keepdims)


@composite
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    if not _is_float(x):
        x = cast(x, config.floatx())
    valid = cast(cast(isnan(x), "int32") == 0, x.dtype)
    total = nansum(x, axis=axis, keepdims=keepdims)
    return _ratio(total, sum(valid, axis=axis, keepdims=keepdims))


def _ratio(total: Any, count: Any) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return divide(total, count)


@composite
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = tensor(x)
    if not _is_float(x):
        x = cast(x, config.floatx())
    missing = isnan(x)
    centered = where(missing, 0, subtract(x, nanmean(x, axis=axis, keepdims=True)))
    count = sum(cast(missing == False, x.dtype), axis=axis, keepdims=keepdims)  # noqa: E712
    return _ratio(sum(square(centered), axis=axis, keepdims=keepdims), count)


@composite
def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return sqrt(nanvar(x, axis=axis, keepdims=keepdims))


def _extreme(x: Any, function: Any, fill: float, axis: Any, keepdims: bool) -> Any:
    x = tensor(x)
    if not _is_float(x):
        return function(x, axis=axis, keepdims=keepdims)
    missing = isnan(x)
    found = function(where(missing, fill, x), axis=axis, keepdims=keepdims)
    return where(all(missing, axis=axis, keepdims=keepdims), float("nan"), found)


@composite
def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _extreme(x, max, -np.inf, axis, keepdims)


@composite
def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _extreme(x, min, np.inf, axis, keepdims)


for _function, _summary, _result in (
    (nansum, "Sum along axes, NaN counted as 0.", "4.0"),
    (nanprod, "Product along axes, NaN counted as 1.", "3.0"),
    (nanmean, "Mean along axes of what is a number.", "2.0"),
    (nanvar, "Variance along axes of what is a number.", "1.0"),
    (nanstd, "Standard deviation along axes of what is a number.", "1.0"),
    (nanmax, "Largest value along axes, passing over NaN; NaN where all are.", "3.0"),
    (nanmin, "Smallest value along axes, passing over NaN; NaN where all are.", "1.0"),
):
    _function.__doc__ = _DOC.format(summary=_summary, name=_function.__name__, result=_result)
del _function, _summary, _result


@composite
def nancumsum(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Sums of all values up to each along an axis, NaN counted as 0.

    >>> import minikeras
    >>> minikeras.ops.nancumsum([1.0, float("nan"), 2.0]).tolist()
    [1.0, 1.0, 3.0]
    """
    x = tensor(x)
    return cumsum(where(isnan(x), 0, x) if _is_float(x) else x, axis=axis, dtype=dtype)


@composite
def nancumprod(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Products of all values up to each along an axis, NaN counted as 1.

    >>> import minikeras
    >>> minikeras.ops.nancumprod([2.0, float("nan"), 3.0]).tolist()
    [2.0, 2.0, 6.0]
    """
    x = tensor(x)
    return cumprod(where(isnan(x), 1, x) if _is_float(x) else x, axis=axis, dtype=dtype)


@composite
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along an axis, `n` times.

    Args:
        a: Tensor.
        n: Integer, default 1.
        axis: Integer, default -1.

    Raises:
        ValueError: if `n` is negative or `a` is a scalar.

    Example:

    >>> import minikeras
    >>> minikeras.ops.diff([1, 4, 9]).tolist()
    [3, 5]
    """
    a = tensor(a)
    if n < 0:
        raise ValueError(f"Order `n` must be non-negative. Received n={n}")
    if n and not a.shape:
        raise ValueError(f"`diff` requires input that is at least one dimensional. Received: a={a}")
    for _ in range(n):
        axis = canonical_axis(axis, len(a.shape))
        before = (builtins.slice(None),) * axis
        upper = get_item(a, (*before, builtins.slice(1, None)))
        lower = get_item(a, (*before, builtins.slice(None, -1)))
        a = upper != lower if str(a.dtype) == "bool" else upper - lower
    return a


@composite
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integral by the trapezoid rule along an axis.

    Args:
        y: Tensor: the values.
        x: Tensor: where they are. Defaults to distances `dx`.
        dx: Number, default 1.0: their distance.
        axis: Integer, default -1.

    Example:

    >>> import minikeras
    >>> float(minikeras.ops.trapezoid([1.0, 2.0, 3.0]))
    4.0
    """
    from minikeras.ops.shaping import moveaxis

    y = tensor(y)
    dtype = dtypes.result_type(y.dtype, float)
    y = moveaxis(cast(y, dtype), axis, -1)
    widths = cast(dx, dtype)
    if x is not None:
        x = cast(x, dtype)
        widths = diff(x, axis=axis if len(x.shape) > 1 else -1)
        widths = moveaxis(widths, axis, -1) if len(x.shape) > 1 else widths
    heights = multiply(add(y[..., 1:], y[..., :-1]), 0.5)
    return sum(multiply(heights, widths), axis=-1)


@composite
def corrcoef(x: Any) -> Any:
    """Correlation of each two rows.

    >>> import minikeras
    >>> minikeras.ops.corrcoef([[1.0, 2.0], [2.0, 4.0]]).shape
    (2, 2)
    """
    from minikeras.ops.reductions import mean

    x = tensor(x)
    if not x.shape:
        return Tensor(np.asarray(np.nan, config.floatx()))
    if not _is_float(x):
        x = cast(x, "float64" if str(x.dtype) in ("int64", "uint64") else config.floatx())
    if len(x.shape) == 1:
        x = expand_dims(x, 0)
        return corrcoef(x)[0, 0]
    from minikeras.ops.elementwise import conj

    centered = subtract(x, mean(x, axis=-1, keepdims=True))
    covariance = matmul(centered, conj(transpose(centered)))
    covariance = divide(covariance, cast(x.shape[-1] - 1, x.dtype))
    from minikeras.ops.layout import diagonal

    deviation = sqrt(real(diagonal(covariance)))
    scale = multiply(expand_dims(deviation, 0), expand_dims(deviation, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        result = divide(covariance, scale)
    if str(result.dtype).startswith("complex"):
        return result
    return minimum(maximum(result, -1.0), 1.0)


class Correlate(Kernel):
    """Cross-correlation of two vectors."""

    mode: str = "valid"

    def forward(self, ctx: Any, a: Any, b: Any) -> Any:
        ctx.dtypes = (a.dtype, b.dtype)
        dtype = common_dtype(a, b)
        if dtype.kind not in "fc":
            dtype = np.dtype("float64" if dtype == np.int64 else "float32")
        a, b = a.astype(dtype), b.astype(dtype)
        ctx.save(a, b)
        if a.ndim != 1 or b.ndim != 1:
            raise ValueError(f"`correlate` needs vectors. Received shapes: {a.shape}, {b.shape}")
        return self.part(np.correlate(a, b, "full"), len(a), len(b)).astype(dtype)

    def bounds(self, n: int, m: int) -> tuple:
        """Which part of the full correlation it is."""
        full = n + m - 1
        size = {"full": full, "same": builtins.max(n, m), "valid": builtins.abs(n - m) + 1}[
            self.mode
        ]
        start = builtins.min(n, m) - 1 if self.mode == "valid" else (full - size) // 2
        return start, size

    def part(self, full: Any, n: int, m: int) -> Any:
        start, size = self.bounds(n, m)
        return full[start : start + size]

    def backward(self, ctx: Any, dy: Any) -> Any:
        a, b = ctx.saved
        n, m = len(a), len(b)
        start, size = self.bounds(n, m)
        full = np.zeros(n + m - 1, dy.dtype)
        full[start : start + size] = dy
        # full[k] = sum_i a[i] b[i - k + m - 1]
        da = np.convolve(full, b)[m - 1 : m - 1 + n]
        db = np.convolve(full[::-1], a)[n - 1 : n - 1 + m]
        return [
            one.astype(dtype) if dtype.kind == "f" else None
            for one, dtype in zip((da, db), ctx.dtypes)
        ]


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Cross-correlation of two vectors.

    Args:
        x1: Vector.
        x2: Vector.
        mode: `"valid"` (default): where they overlap wholly. `"same"`: as long as the longer.
            `"full"`: wherever they overlap.

    Raises:
        ValueError: for another `mode`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.correlate([1.0, 2.0, 3.0], [1.0, 1.0]).tolist()
    [3.0, 5.0]
    """
    if mode not in ("valid", "same", "full"):
        raise ValueError(
            f"Argument `mode` must be 'full', 'same' or 'valid'. Received: mode={mode!r}"
        )
    return Correlate(mode)(x1, x2)


class Isclose(Kernel):
    """Whether values are equal within a tolerance."""

    equal_nan: bool = False

    def forward(self, ctx: Any, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8) -> Any:
        dtype = common_dtype(a, b)
        a, b = a.astype(dtype), b.astype(dtype)
        if dtype.kind not in "fc":
            return np.asarray(a == b)
        return np.asarray(np.isclose(a, b, float(rtol), float(atol), self.equal_nan))

    def compute_output_spec(self, a: Any, b: Any, *_: Any) -> Any:
        return KerasTensor(broadcast_shapes(a.shape, b.shape), dtype="bool")


def isclose(
    x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Whether |x1 - x2| ≤ atol + rtol |x2|, element by element; integers must be equal.

    Args:
        x1: Tensor.
        x2: Tensor.
        rtol: Number, default 1e-5.
        atol: Number, default 1e-8.
        equal_nan: Boolean, default False. Whether NaN equals NaN.

    Example:

    >>> import minikeras
    >>> minikeras.ops.isclose([1.0, 2.0], [1.0, 2.1]).tolist()
    [True, False]
    """
    return Isclose(equal_nan)(x1, x2, rtol, atol)


@composite(tensors=2, name="AllClose")
def allclose(
    x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Whether all values are equal within the tolerances of `isclose`.

    >>> import minikeras
    >>> bool(minikeras.ops.allclose([1.0], [1.0]))
    True
    """
    return all(isclose(x1, x2, rtol=rtol, atol=atol, equal_nan=equal_nan))


allclose.operation.differentiable = False


@composite(tensors=2)
def ldexp(x1: Any, x2: Any) -> Any:
    """`x1` times 2 to the power of the integers `x2`.

    Raises:
        TypeError: if `x2` is not of integers.

    Example:

    >>> import minikeras
    >>> minikeras.ops.ldexp([1.5], [2]).tolist()
    [6.0]
    """
    from minikeras.ops.elementwise import exp2

    x1, x2 = tensor(x1), tensor(x2)
    if np.dtype(x2.dtype).kind not in "iu":
        raise TypeError(f"ldexp exponent must be an integer type. Received: x2 dtype={x2.dtype}")
    dtype = dtypes.result_type(x1.dtype, x2.dtype, float)
    x1 = cast(x1, dtype)
    return multiply(x1, cast(exp2(cast(x2, dtype)), dtype))


class Select(Kernel):
    """The first choice whose condition holds."""

    def __call__(self, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
        return super(Kernel, self).__call__(
            [tensor(one) for one in condlist], [tensor(one) for one in choicelist], tensor(default)
        )

    def call(self, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
        dtype = dtypes.result_type(*[one.dtype for one in choicelist], default.dtype)
        result = cast(default, dtype)
        for condition, choice in reversed(list(zip(condlist, choicelist))):
            result = where(condition, choice, result)
        return result

    def backward(self, ctx: Any, *douts: Any) -> Any:
        raise AssertionError("A composite is walked back through its parts.")


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """For each element, the first choice whose condition holds.

    Args:
        condlist: List of tensors of bools.
        choicelist: List of as many tensors.
        default: Number or tensor, default 0: where none holds.

    Raises:
        ValueError: if the lists are not equally long.

    Example:

    >>> import minikeras
    >>> minikeras.ops.select([[True, False]], [[1, 2]], 9).tolist()
    [1, 9]
    """
    if not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError(
            "`condlist` and `choicelist` must be lists. Received: condlist="
            f"{type(condlist)}, choicelist={type(choicelist)}"
        )
    if not condlist or len(condlist) != len(choicelist):
        raise ValueError(
            "`condlist` and `choicelist` must be equally long and not empty. Received lengths"
            f" {len(condlist)} and {len(choicelist)}"
        )
    return Select()(condlist, choicelist, default)


class View(Kernel):
    """The same bytes as another dtype."""

    dtype: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        dtype = x.dtype if self.dtype is None else dtypes.to_numpy_dtype(self.dtype)
        names = dtypes.label(x.dtype), dtypes.label(dtype)
        ctx.same = dtype == x.dtype and names[0] == names[1]
        if ctx.same:
            return x
        if {*names} & {*dtypes.FLOAT8}:
            raise ValueError(
                "The bytes of float8 tensors cannot be viewed: they are kept in float32. Use"
                " `ops.cast`."
            )
        # The two bytes of a bfloat16 are the upper half of a float32.
        if names[0]:
            x = (dtypes.narrowed(x, names[0]).view("uint32") >> 16).astype("uint16")
        try:
            y = (np.ascontiguousarray(x) if x.ndim else x).view("uint16" if names[1] else dtype)
            return (y.astype("uint32") << 16).view(dtype) if names[1] else y
        except ValueError as error:
            raise ValueError(
                f"Cannot view array of shape {x.shape} and dtype {x.dtype} as dtype"
                f" {dtypes.standardize_dtype(dtype)}:"
                " the bytes of the last axis do not fit."
            ) from error

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy if ctx.same else None


def view(x: Any, dtype: Any = None) -> Any:
    """The same bytes read as another dtype.

    >>> import minikeras
    >>> minikeras.ops.view(minikeras.ops.zeros(2, "float32"), "int32").tolist()
    [0, 0]
    """
    return View(None if dtype is None else dtypes.standardize_dtype(dtype))(x)


def vectorize(pyfunc: Any, *, excluded: Any = None, signature: Any = None) -> Any:
    """A function of single values as one of tensors.

    Args:
        pyfunc: Function of scalars (or of the core shapes of `signature`), made of `ops`.
        excluded: Set of the positions or names of arguments that are passed as they are.
        signature: String such as `"(n),(n)->()"`. The axes that the function takes whole.

    Example:

    >>> import minikeras
    >>> minikeras.ops.vectorize(lambda a, b: a * b)([1.0, 2.0], 3.0).tolist()
    [3.0, 6.0]
    """
    from minikeras.ops.control_flow import vectorize as vectorize_

    return vectorize_(pyfunc, excluded or set(), signature)


__all__ = [
    "allclose", "corrcoef", "correlate", "diff", "isclose", "ldexp", "nancumprod", "nancumsum",
    "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "select",
    "trapezoid", "vectorize", "view",
]  # fmt: skip
