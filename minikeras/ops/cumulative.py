"""Running sums and products, counts, weighted means, quantiles and medians."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    as_float,
    canonical_axes,
    canonical_axis,
    composite,
    is_inexact,
    static,
    tensor,
)
from minikeras.ops.reductions import mean, reduced_shape, sum


class _Cumulative(Kernel):
    """Sums or products of all values up to each."""

    axis: Any = None
    dtype: Any = None

    def prepare(self, x: Any) -> Any:
        dtype = np.dtype("int32") if x.dtype == bool else x.dtype
        if self.dtype is not None:
            dtype = dtypes.to_numpy_dtype(self.dtype)
        axis = 0 if self.axis is None else canonical_axis(self.axis, x.ndim)
        return (x.reshape(-1) if self.axis is None else x).astype(dtype, copy=False), axis


class Cumsum(_Cumulative):
    """Sums of all values up to each."""

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = (x.shape, x.dtype)
        rows, axis = self.prepare(x)
        return np.cumsum(rows, axis, dtype=rows.dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        shape, dtype = ctx.source
        if dtype.kind not in "fc":
            return None
        axis = 0 if self.axis is None else self.axis
        return (
            np.flip(np.cumsum(np.flip(dy, axis), axis), axis)
            .reshape(shape)
            .astype(dtype, copy=False)
        )


class Cumprod(_Cumulative):
    """Products of all values up to each."""

    def forward(self, ctx: Any, x: Any) -> Any:
        rows, axis = self.prepare(x)
        ctx.save(x)
        return np.cumprod(rows, axis, dtype=rows.dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        (x,) = ctx.saved
        if not is_inexact(x):
            return None
        rows, axis = self.prepare(x)
        rows, dy = np.moveaxis(rows, axis, -1), np.moveaxis(dy, axis, -1)
        n = rows.shape[-1]
        dx = np.empty_like(dy)
        # d y_j / d x_i is the product up to j without i: right also where there are zeros.
        before = np.ones_like(rows[..., 0])
        for i in range(n):
            after = np.cumprod(np.concatenate([before[..., None], rows[..., i + 1 :]], -1), -1)
            dx[..., i] = (dy[..., i:] * after).sum(-1)
            before = before * rows[..., i]
        return np.moveaxis(dx, -1, axis).reshape(x.shape).astype(x.dtype, copy=False)


def cumsum(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Sums of all values up to each along an axis.

    Args:
        x: Tensor.
        axis: Integer. None (default) flattens `x` first.
        dtype: dtype of the result. Defaults to that of `x` (int32 for bools).

    Example:

    >>> import minikeras
    >>> minikeras.ops.cumsum([1, 2, 3]).tolist()
    [1, 3, 6]
    """
    return Cumsum(axis, dtype)(x)


def cumprod(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Products of all values up to each along an axis.

    Args:
        x: Tensor.
        axis: Integer. None (default) flattens `x` first.
        dtype: dtype of the result. Defaults to that of `x` (int32 for bools).

    Example:

    >>> import minikeras
    >>> minikeras.ops.cumprod([1, 2, 3]).tolist()
    [1, 2, 6]
    """
    return Cumprod(axis, dtype)(x)


class CountNonzero(Kernel):
    """Number of values that are not zero."""

    axis: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.asarray(np.count_nonzero(x, canonical_axes(self.axis, x.ndim)), "int32")


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """Number of values along axes that are not zero.

    Args:
        x: Tensor.
        axis: Integer, tuple of integers or None (default, all).

    Returns:
        int32 tensor.

    Example:

    >>> import minikeras
    >>> int(minikeras.ops.count_nonzero([0, 2, 3]))
    2
    """
    return CountNonzero(static(axis))(x)


def _average(x: Any, weights: Any = None, axis: Any = None) -> Any:
    from minikeras.ops.core import cast
    from minikeras.ops.elementwise import multiply, true_divide

    x = tensor(x)
    if weights is None:
        return mean(x, axis=axis)
    weights = tensor(weights)
    dtype = dtypes.result_type(x.dtype, weights.dtype, float)
    x, weights = cast(x, dtype), cast(weights, dtype)
    if len(weights.shape) != len(x.shape) and axis is not None:
        axis = canonical_axis(axis, len(x.shape))
        from minikeras.ops.shaping import reshape

        if len(weights.shape) != 1 or weights.shape[0] != x.shape[axis]:
            raise ValueError(
                "Argument `weights` must have the shape of `x`, or one value for each position"
                f" along `axis`. Received: weights of shape {tuple(weights.shape)}, x of shape"
                f" {tuple(x.shape)}, axis={axis}"
            )
        weights = reshape(weights, [1] * axis + [-1] + [1] * (len(x.shape) - axis - 1))
    total = sum(multiply(x, weights), axis=axis)
    if tuple(weights.shape) != tuple(x.shape):
        from minikeras.ops.creation import ones_like

        weights = multiply(weights, ones_like(x))
    return true_divide(total, sum(weights, axis=axis))


_average.__name__ = "average"
_average_op = composite(_average, tensors=2)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Weighted mean along axes.

    Args:
        x: Tensor.
        axis: Integer, tuple of integers or None (default, all).
        weights: Tensor of the shape of `x`, or of one value a position along `axis`. Defaults to
            equal weights.

    Returns:
        Tensor; integers become `floatx()`.

    Raises:
        ValueError: if `weights` does not fit.

    Example:

    >>> import minikeras
    >>> float(minikeras.ops.average([1.0, 4.0], weights=[2.0, 1.0]))
    2.0
    """
    if weights is None:
        return _average_op(x, axis=static(axis))
    return _average_op(x, weights, axis=static(axis))


# Quantiles


class _Quantile(Kernel):
    """Quantiles along axes."""

    axis: Any = None
    method: str = "linear"
    keepdims: bool = False
    named_by = slice(1)
    skip_nan = False
    scale = 1.0

    def forward(self, ctx: Any, x: Any, q: Any) -> Any:
        ctx.exact = is_inexact(x)
        x = as_float(x)
        q = q.astype("float64") / self.scale
        axes = tuple(range(x.ndim)) if self.axis is None else self.axis
        axes = axes if isinstance(axes, (tuple, list)) else (axes,)
        axes = [canonical_axis(axis, x.ndim) for axis in axes]
        order = [axis for axis in range(x.ndim) if axis not in axes] + axes
        kept = [x.shape[axis] for axis in order[: x.ndim - len(axes)]]
        rows = x.transpose(order).reshape((*kept, -1))
        rank = np.argsort(rows, -1, kind="stable")
        n = rows.shape[-1]
        count = n - np.isnan(rows).sum(-1, keepdims=True)
        flat = q.reshape(-1)
        size = np.maximum(count, 1) if self.skip_nan else np.full_like(count, n)
        exact = (size - 1) * flat
        low, high = np.floor(exact).astype(int), np.ceil(exact).astype(int)
        if self.method == "linear":
            # As one step down from the upper index: the fraction is exact in both.
            low = np.maximum(high - 1, 0)
            high = np.minimum(low + 1, size - 1)
            weight = np.where(high == low, 0.0, high - exact)
        elif self.method == "midpoint":
            weight = np.full(exact.shape, 0.5)
        elif self.method == "nearest":
            low = high = np.rint(exact).astype(int)
            weight = np.zeros(exact.shape)
        else:
            low, high = (low, low) if self.method == "lower" else (high, high)
            weight = np.zeros(exact.shape)
        weight = weight.astype(x.dtype)
        low, high = (np.take_along_axis(rank, np.clip(one, 0, n - 1), -1) for one in (low, high))
        y = np.take_along_axis(rows, low, -1) * weight + np.take_along_axis(rows, high, -1) * (
            1 - weight
        )
        # A single infinite value times a weight of zero is no NaN.
        y = np.where(low == high, np.take_along_axis(rows, high, -1), y)
        y = np.where((count == 0) if self.skip_nan else (count < n), np.nan, y).astype(x.dtype)
        ctx.save(low, high, weight, rows.shape, [x.shape[axis] for axis in order], order)
        ctx.q_shape, ctx.kept = q.shape, kept
        y = np.moveaxis(y, -1, 0).reshape((*q.shape, *kept))
        if self.keepdims:
            y = y.reshape((*q.shape, *[1 if i in axes else s for i, s in enumerate(x.shape)]))
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not ctx.exact:
            return None
        low, high, weight, rows_shape, shape, order = ctx.saved
        dy = np.moveaxis(dy.reshape((-1, *ctx.kept)), 0, -1)
        dx = np.zeros(rows_shape, dy.dtype)
        key: list = list(np.ogrid[tuple(slice(n) for n in dy.shape)])
        for index, part in ((low, weight), (high, 1 - weight)):
            key[-1] = index
            np.add.at(dx, tuple(key), dy * part)
        return dx.reshape(shape).transpose(np.argsort(order)), None

    def compute_output_spec(self, x: Any, q: Any) -> Any:
        shape = (*q.shape, *reduced_shape(x.shape, self.axis, self.keepdims))
        return KerasTensor(shape, dtype=dtypes.result_type(x.dtype, float))


class Quantile(_Quantile):
    """Quantiles along axes."""


class Percentile(_Quantile):
    """Percentiles along axes."""

    scale = 100.0


class Nanquantile(_Quantile):
    """Quantiles along axes, passing over NaN."""

    skip_nan = True


class Nanpercentile(_Quantile):
    """Percentiles along axes, passing over NaN."""

    skip_nan = True
    scale = 100.0


_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(kind: type, name: str, summary: str, example: float) -> Any:
    def function(
        x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
    ) -> Any:
        if method not in _METHODS:
            raise ValueError(
                f"Argument `method` must be one of {_METHODS}. Received: method={method!r}"
            )
        return kind(static(axis), method, keepdims)(x, q)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{summary}

    Args:
        x: Tensor.
        q: Number or tensor: which; its axes come first in the result.
        axis: Integer, tuple of integers or None (default, all).
        method: What lies between two values: `"linear"` (default), `"lower"`, `"higher"`,
            `"midpoint"`, `"nearest"`.
        keepdims: Boolean, default False. Whether reduced axes stay, with size 1.

    Returns:
        Tensor; integers become `floatx()`.

    Raises:
        ValueError: for another `method`.

    Example:

    >>> import minikeras
    >>> float(minikeras.ops.{name}([1.0, 2.0, 3.0], {example}))
    2.0
    """
    return function


quantile = _quantile(Quantile, "quantile", "Quantiles along axes.", 0.5)
percentile = _quantile(Percentile, "percentile", "Percentiles along axes.", 50.0)
nanquantile = _quantile(Nanquantile, "nanquantile", "Quantiles, passing over NaN.", 0.5)
nanpercentile = _quantile(Nanpercentile, "nanpercentile", "Percentiles, passing over NaN.", 50.0)


@composite
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Median along axes.

    >>> import minikeras
    >>> float(minikeras.ops.median([1.0, 5.0, 3.0]))
    3.0
    """
    return quantile(x, 0.5, axis=axis, keepdims=keepdims)


@composite
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Median along axes, passing over NaN.

    >>> import minikeras
    >>> float(minikeras.ops.nanmedian([1.0, float("nan"), 3.0]))
    2.0
    """
    return nanquantile(x, 0.5, axis=axis, keepdims=keepdims)


__all__ = [
    "average",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]
