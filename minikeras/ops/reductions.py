"""Reductions along axes: sums, means, extremes, logical ones, cumulative ones."""

# ruff: noqa: E501 - the tables are aligned, one operation a line

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes, registry
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    as_float,
    canonical_axes,
    composite,
    is_inexact,
    static,
)

_REDUCTION = """{summary}

    Args:
        x: Tensor.
        axis: Integer, tuple of integers or None (default): the axis or axes to reduce; None is
            all.
        keepdims: Boolean, default False. Whether reduced axes stay, with size 1.{more}

    Returns:
        Tensor{dtype}.

    Raises:
        ValueError: if there is no such axis.

    Example:

    >>> import minikeras
    >>> minikeras.ops.{example}
    {result}
    """


def reduced_shape(shape: tuple, axis: Any, keepdims: bool) -> tuple:
    """The shape after reducing `axis`."""
    axes = canonical_axes(axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axes)


def sum_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of a sum: narrow integers widen to 32 bits."""
    if dtype.kind == "b" or dtype.kind == "i" and dtype.itemsize < 4:
        return np.dtype("int32")
    if dtype.kind == "u" and dtype.itemsize < 4:
        return np.dtype("uint32")
    return dtype


class Reduction(Kernel, register=False):
    """A reduction along axes."""

    axis: Any = None
    keepdims: bool = False

    def axes(self, x: Any) -> tuple:
        return canonical_axes(self.axis, x.ndim)

    def expand(self, dy: Any, shape: tuple) -> Any:
        """`dy` with the reduced axes back, with size 1."""
        if self.keepdims:
            return dy
        return dy.reshape(reduced_shape(shape, self.axis, True))

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        """The dtype of the result."""
        return dtype

    def compute_output_spec(self, x: Any) -> Any:
        shape = reduced_shape(x.shape, self.axis, self.keepdims)
        return KerasTensor(shape, dtype=self.result_dtype(dtypes.to_numpy_dtype(x.dtype)))


class Sum(Reduction):
    """Sum along axes."""

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        return sum_dtype(dtype)

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        ctx.dtype = x.dtype
        return np.asarray(x.sum(self.axes(x), dtype=sum_dtype(x.dtype), keepdims=self.keepdims))

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind not in "fc":
            return None
        return np.broadcast_to(self.expand(dy, ctx.shape), ctx.shape)


class Mean(Reduction):
    """Mean along axes."""

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        return dtype if dtype.kind in "fc" else np.dtype(config.floatx())

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        ctx.dtype = x.dtype
        if x.dtype.kind not in "fc":
            x = x.astype(config.floatx())
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(_mean(x, self.axes(x), self.keepdims))

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind not in "fc":
            return None
        count = int(np.prod(ctx.shape)) // builtins.max(dy.size, 1)
        return np.broadcast_to(self.expand(dy, ctx.shape) / dy.dtype.type(count), ctx.shape)


def _mean(x: np.ndarray, axes: tuple, keepdims: bool) -> Any:
    count = int(np.prod([x.shape[axis] for axis in axes]))
    if count == 0:
        return x.sum(axes, keepdims=keepdims) * x.dtype.type(np.nan)
    return x.mean(axes, keepdims=keepdims)


class Prod(Reduction):
    """Product along axes."""

    dtype: Any = None

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        if self.dtype is not None:
            return dtypes.to_numpy_dtype(self.dtype)
        return sum_dtype(dtype)

    def forward(self, ctx: Any, x: Any) -> Any:
        y = np.asarray(
            x.prod(self.axes(x), dtype=self.result_dtype(x.dtype), keepdims=self.keepdims)
        )
        ctx.save(x)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        (x,) = ctx.saved
        if not is_inexact(x):
            return None
        # The product of all others, also where some are zero: products from the left and right.
        axes = self.axes(x)
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        order = [*kept, *axes]
        rows = x.transpose(order).reshape(*[x.shape[axis] for axis in kept], -1)
        ones = np.ones_like(rows[..., :1])
        left = np.cumprod(np.concatenate([ones, rows[..., :-1]], -1), -1)
        right = np.cumprod(np.concatenate([ones, rows[..., :0:-1]], -1), -1)[..., ::-1]
        others = (left * right).reshape([x.shape[axis] for axis in order])
        return self.expand(dy, x.shape) * others.transpose(np.argsort(order))


class _Extreme(Reduction):
    """Largest or smallest value along axes; equal ones share the gradient."""

    initial: Any = None
    function: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.size == 0 and self.initial is None:
            axes = self.axes(x)
            if builtins.any(x.shape[axis] == 0 for axis in axes):
                raise ValueError(
                    f"An empty tensor of shape {x.shape} has no largest or smallest value along"
                    f" axis={self.axis}. Pass `initial`."
                )
        options = {} if self.initial is None else {"initial": np.asarray(self.initial, x.dtype)}
        y = np.asarray(
            type(self).function.reduce(x, self.axes(x), keepdims=self.keepdims, **options)
        )
        ctx.save(x, y)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, y = ctx.saved
        if not is_inexact(x):
            return None
        chosen = (x == self.expand(y, x.shape)).astype(x.dtype)
        count = np.maximum(chosen.sum(self.axes(x), keepdims=True), 1)
        return chosen * (self.expand(dy, x.shape) / count)


_Extreme.fields = {"axis": None, "keepdims": False, "initial": None}


class Max(_Extreme):
    """Largest value along axes."""

    function = np.maximum


class Min(_Extreme):
    """Smallest value along axes."""

    function = np.minimum


class Amax(_Extreme):
    """Largest value along axes."""

    function = np.maximum


class Amin(_Extreme):
    """Smallest value along axes."""

    function = np.minimum


Amax.fields = Amin.fields = {"axis": None, "keepdims": False}


class All(Reduction):
    """Whether all are true."""

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        return np.dtype(bool)

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.asarray(np.all(x, self.axes(x), keepdims=self.keepdims))


@registry.operations.register("Any")
class Any_(Reduction, register=False):
    """Whether any is true."""

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        return np.dtype(bool)

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.asarray(np.any(x, self.axes(x), keepdims=self.keepdims))


# Files name it so; here the name is taken by `typing`.
Any_.__name__ = "Any"


class Logsumexp(Reduction):
    """Logarithm of the sum of exponentials along axes."""

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        return dtype if dtype.kind in "fc" else np.dtype(config.floatx())

    def forward(self, ctx: Any, x: Any) -> Any:
        x = as_float(x)
        axes = self.axes(x)
        top = x.max(axes, keepdims=True)
        top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
        with np.errstate(divide="ignore"):
            y = np.log(np.exp(x - top).sum(axes, keepdims=True)) + top
        ctx.save(x, y)
        return y if self.keepdims else y.reshape(reduced_shape(x.shape, self.axis, False))

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, y = ctx.saved
        return self.expand(dy, x.shape) * np.exp(x - y)


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Sum(static(axis), keepdims)(x)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Mean(static(axis), keepdims)(x)


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    return Prod(static(axis), keepdims, dtype)(x)


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    return Max(static(axis), keepdims, initial)(x)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    return Min(static(axis), keepdims, initial)(x)


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Amax(static(axis), keepdims)(x)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Amin(static(axis), keepdims)(x)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return All(static(axis), keepdims)(x)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Any_(static(axis), keepdims)(x)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Logsumexp(static(axis), keepdims)(x)


class Var(Reduction):
    """Variance along axes: the mean of the squared distance from the mean."""

    def result_dtype(self, dtype: np.dtype) -> np.dtype:
        if dtype.kind == "c":
            return np.zeros((), dtype).real.dtype
        return dtype if dtype.kind == "f" else np.dtype(config.floatx())

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.exact = x.dtype.kind in "fc"
        x = as_float(x)
        axes = self.axes(x)
        # float16 would overflow in the squares.
        wide = x.astype("float32") if x.dtype == np.float16 else x
        centered = wide - wide.mean(axes, keepdims=True)
        ctx.save(centered)
        square = (centered * centered.conj()).real
        return np.asarray(square.mean(axes, keepdims=self.keepdims)).astype(
            self.result_dtype(x.dtype), copy=False
        )

    def backward(self, ctx: Any, dy: Any) -> Any:
        (centered,) = ctx.saved
        if not ctx.exact:
            return None
        count = centered.size // builtins.max(dy.size, 1)
        dx = self.expand(dy, centered.shape) * centered * (2 / count)
        return dx.astype(dy.dtype if centered.dtype.kind != "c" else dx.dtype, copy=False)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Var(static(axis), keepdims)(x)


@composite
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    from minikeras.ops.elementwise import sqrt

    return sqrt(var(x, axis=axis, keepdims=keepdims))


@composite
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    from minikeras.ops.elementwise import subtract

    return subtract(max(x, axis=axis, keepdims=keepdims), min(x, axis=axis, keepdims=keepdims))


def _document(
    function: Any, summary: str, example: str, result: str, dtype: str = "", more: str = ""
) -> None:
    function.__doc__ = _REDUCTION.format(
        summary=summary, example=example, result=result, dtype=dtype, more=more
    )


_INITIAL = "\n        initial: Number. Takes part too; what an empty reduction gives."
_FLOAT = "; floats keep their dtype, integers become `floatx()`"
_WIDE = "; integers narrower than 32 bits become int32 or uint32"
# fmt: off
_document(sum,  "Sum along axes.", "sum([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[4.0, 6.0]", _WIDE)
_document(mean, "Mean along axes.", "mean([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[2.0, 3.0]", _FLOAT)
_document(prod, "Product along axes.", "prod([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[3.0, 8.0]", _WIDE, "\n        dtype: dtype of the result. Defaults to that of `x`, widened as below.")
_document(max,  "Largest value along axes; equal ones share the gradient.", "max([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[3.0, 4.0]", more=_INITIAL)
_document(min,  "Smallest value along axes; equal ones share the gradient.", "min([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[1.0, 2.0]", more=_INITIAL)
_document(amax, "Largest value along axes.", "amax([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[3.0, 4.0]")
_document(amin, "Smallest value along axes.", "amin([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()", "[1.0, 2.0]")
_document(all,  "Whether all values along axes are true (nonzero).", "all([True, False]).tolist()", "False", " of bools")
_document(any,  "Whether some value along axes is true (nonzero).", "any([True, False]).tolist()", "True", " of bools")
_document(logsumexp, "log Σ exp(x) along axes, without overflow.", "logsumexp([0.0, float('-inf')]).tolist()", "0.0", _FLOAT)
_document(var,  "Variance along axes: the mean squared distance from the mean.", "var([1.0, 3.0]).tolist()", "1.0", _FLOAT)
_document(std,  "Standard deviation along axes.", "std([1.0, 3.0]).tolist()", "1.0", _FLOAT)
_document(ptp,  "Largest minus smallest value along axes.", "ptp([1.0, 3.0]).tolist()", "2.0")
# fmt: on


__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]
