"""Quantiles, percentiles and medians."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    as_float,
    canonical_axis,
    composite,
    is_inexact,
    static,
)
from minikeras.ops.reductions import reduced_shape

# Quantiles


class _Quantile(Kernel):
    """Quantiles along axes."""

    axis: Any = None
    method: str = "linear"
    keepdims: bool = False
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
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]
