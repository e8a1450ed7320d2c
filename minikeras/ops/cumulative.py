"""Sums and products of all values up to each, counts and weighted means."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.ops.base import (
    Kernel,
    canonical_axes,
    canonical_axis,
    composite,
    is_inexact,
    static,
    tensor,
)
from minikeras.ops.reductions import mean, sum


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


__all__ = [
    "average",
    "count_nonzero",
    "cumprod",
    "cumsum",
]
