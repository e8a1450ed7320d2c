"""Sorting, searching, counting and sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    as_float,
    canonical_axis,
    common_dtype,
    composite,
    is_inexact,
    static,
    tensor,
)
from minikeras.ops.reductions import reduced_shape


class Sort(Kernel):
    """Values in ascending order along an axis."""

    axis: Any = -1

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        axis = self.axis
        if axis is None:
            x, axis = x.reshape(-1), -1
        canonical_axis(axis, x.ndim)
        if not ctx.recording:
            return np.sort(x, axis)
        order = np.argsort(x, axis, kind="stable")
        ctx.save(order, is_inexact(x))
        return np.take_along_axis(x, order, axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        order, exact = ctx.saved
        if not exact:
            return None
        axis = -1 if self.axis is None else self.axis
        dx = np.empty_like(dy)
        np.put_along_axis(dx, order, dy, axis)
        return dx.reshape(ctx.shape)

    def compute_output_spec(self, x: Any) -> Any:
        if self.axis is None:
            return KerasTensor((None if None in x.shape else math.prod(x.shape),), dtype=x.dtype)
        return KerasTensor(x.shape, dtype=x.dtype)


def sort(x: Any, axis: Any = -1) -> Any:
    """Values in ascending order along an axis; None flattens first.

    >>> import minikeras
    >>> minikeras.ops.sort([3, 1, 2]).tolist()
    [1, 2, 3]
    """
    return Sort(axis)(x)


class Argsort(Kernel):
    """Indices that sort."""

    axis: Any = -1

    def forward(self, ctx: Any, x: Any) -> Any:
        if self.axis is None:
            x = x.reshape(-1)
        axis = -1 if self.axis is None else canonical_axis(self.axis, x.ndim)
        return np.argsort(x, axis, kind="stable").astype("int32")

    def compute_output_spec(self, x: Any) -> Any:
        if self.axis is None:
            return KerasTensor((None if None in x.shape else math.prod(x.shape),), dtype="int32")
        return KerasTensor(x.shape, dtype="int32")


def argsort(x: Any, axis: Any = -1) -> Any:
    """The int32 indices that sort `x` along an axis; equal values keep their order.

    >>> import minikeras
    >>> minikeras.ops.argsort([3, 1, 2]).tolist()
    [1, 2, 0]
    """
    return Argsort(axis)(x)


class Argpartition(Argsort):
    """Indices that put the k smallest first."""

    kth: int
    axis: Any = -1

    def forward(self, ctx: Any, x: Any) -> Any:
        if self.axis is None:
            x = x.reshape(-1)
        axis = -1 if self.axis is None else self.axis
        return np.argpartition(x, self.kth, axis).astype("int32")


Argpartition.fields = {"kth": Argpartition.fields["kth"], "axis": -1}


def argpartition(x: Any, kth: int, axis: Any = -1) -> Any:
    """int32 indices that put the value at `kth` where sorting would, smaller ones before it.

    >>> import minikeras
    >>> int(minikeras.ops.argpartition([3, 1, 2], 1)[1])
    2
    """
    return Argpartition(int(static(kth)), axis)(x)


class Argmax(Kernel):
    """Index of the largest value."""

    axis: Any = None
    keepdims: bool = False
    function = np.argmax

    def forward(self, ctx: Any, x: Any) -> Any:
        if self.axis is not None:
            canonical_axis(self.axis, x.ndim)
        index = type(self).function(x, self.axis, keepdims=self.keepdims)
        return np.asarray(index, "int32")

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(reduced_shape(x.shape, self.axis, self.keepdims), dtype="int32")


class Argmin(Argmax):
    """Index of the smallest value."""

    function = np.argmin


def _nan_index(function: Any, fill: float) -> Any:
    def index(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
        if x.dtype.kind != "f":
            return function(x, axis, keepdims=keepdims)
        nan = np.isnan(x)
        found = function(np.where(nan, fill, x), axis, keepdims=keepdims)
        return np.where(nan.all(axis, keepdims=keepdims), -1, found)

    return index


class Nanargmax(Argmax):
    """Index of the largest value that is a number."""

    function = staticmethod(_nan_index(np.argmax, -np.inf))


class Nanargmin(Argmax):
    """Index of the smallest value that is a number."""

    function = staticmethod(_nan_index(np.argmin, np.inf))


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """int32 index of the first largest value along an axis (of the flattened tensor by default).

    >>> import minikeras
    >>> int(minikeras.ops.argmax([1, 5, 3]))
    1
    """
    return Argmax(axis, keepdims)(x)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """int32 index of the first smallest value along an axis (of the flattened tensor by default).

    >>> import minikeras
    >>> int(minikeras.ops.argmin([4, 1, 3]))
    1
    """
    return Argmin(axis, keepdims)(x)


def nanargmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """As `argmax`, passing over NaN; -1 where all are NaN.

    >>> import minikeras
    >>> int(minikeras.ops.nanargmax([1.0, float("nan"), 3.0]))
    2
    """
    return Nanargmax(axis, keepdims)(x)


def nanargmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """As `argmin`, passing over NaN; -1 where all are NaN.

    >>> import minikeras
    >>> int(minikeras.ops.nanargmin([float("nan"), 3.0, 1.0]))
    2
    """
    return Nanargmin(axis, keepdims)(x)


class TopK(Kernel):
    """The largest values along the last axis, and where they are."""

    k: int
    sorted: bool = True

    def forward(self, ctx: Any, x: Any) -> Any:
        if not 0 <= self.k <= x.shape[-1]:
            raise ValueError(
                f"Argument `k` must be at most the size of the last axis. Received: k={self.k},"
                f" x.shape={x.shape}"
            )
        order = np.argsort(-x if x.dtype.kind in "fi" else x.max() - x, -1, kind="stable")
        index = order[..., : self.k]
        ctx.save(index)
        ctx.source = (x.shape, is_inexact(x))
        return np.take_along_axis(x, index, -1), index.astype("int32")

    def backward(self, ctx: Any, dy: Any, _: Any = None) -> Any:
        (index,) = ctx.saved
        shape, exact = ctx.source
        if dy is None or not exact:
            return None
        dx = np.zeros(shape, dy.dtype)
        np.put_along_axis(dx, index, dy, -1)
        return dx

    def compute_output_spec(self, x: Any) -> Any:
        shape = (*x.shape[:-1], self.k)
        return KerasTensor(shape, dtype=x.dtype), KerasTensor(shape, dtype="int32")


def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """The `k` largest values along the last axis, and their int32 indices.

    Args:
        x: Tensor.
        k: Integer.
        sorted: Boolean, default True. They are always in descending order.

    Example:

    >>> import minikeras
    >>> values, indices = minikeras.ops.top_k([1, 5, 3], 2)
    >>> values.tolist(), indices.tolist()
    ([5, 3], [1, 2])
    """
    return TopK(int(static(k)), sorted)(x)


class InTopK(Kernel):
    """Whether the target is among the k largest predictions."""

    k: int

    def forward(self, ctx: Any, targets: Any, predictions: Any) -> Any:
        value = np.take_along_axis(predictions, targets[:, None].astype("int64"), -1)
        above = (predictions > value).sum(-1)
        return (above < self.k) & np.isfinite(value[:, 0])

    def compute_output_spec(self, targets: Any, predictions: Any) -> Any:
        return KerasTensor(targets.shape, dtype="bool")


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether each target is among the `k` largest predictions of its row.

    Args:
        targets: Integer tensor of shape (n,).
        predictions: Tensor of shape (n, classes).
        k: Integer.

    Example:

    >>> import minikeras
    >>> minikeras.ops.in_top_k([1], [[0.1, 0.2, 0.7]], 2).tolist()
    [True]
    """
    return InTopK(int(static(k)))(targets, predictions)


class SearchSorted(Kernel):
    """Where values belong in a sorted sequence."""

    side: str = "left"

    def forward(self, ctx: Any, sequence: Any, values: Any) -> Any:
        return np.asarray(np.searchsorted(sequence, values, self.side), "int32")

    def compute_output_spec(self, sequence: Any, values: Any) -> Any:
        return KerasTensor(values.shape, dtype="int32")


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where values belong in a sorted sequence, as int32 indices.

    Args:
        sorted_sequence: Vector in ascending order.
        values: Tensor.
        side: `"left"` (default) or `"right"` of equal ones.

    Example:

    >>> import minikeras
    >>> minikeras.ops.searchsorted([1, 3, 5], [3]).tolist()
    [1]
    """
    sequence = tensor(sorted_sequence)
    if len(sequence.shape) != 1:
        raise ValueError(
            "`searchsorted` only supports 1-D sorted sequences. Received:"
            f" sorted_sequence.shape={tuple(sequence.shape)}"
        )
    if side not in ("left", "right"):
        raise ValueError(f"Argument `side` must be 'left' or 'right'. Received: side={side!r}")
    return SearchSorted(side)(sequence, values)


class Digitize(Kernel):
    """Which bin a value is in."""

    def forward(self, ctx: Any, x: Any, bins: Any) -> Any:
        return np.asarray(np.searchsorted(bins, x, "right"), "int32")

    def compute_output_spec(self, x: Any, bins: Any) -> Any:
        return KerasTensor(x.shape, dtype="int32")


def digitize(x: Any, bins: Any) -> Any:
    """The int32 index of the bin of each value: the number of edges that are not above it.

    >>> import minikeras
    >>> minikeras.ops.digitize([0.5, 1.5, 9.0], [1.0, 2.0]).tolist()
    [0, 1, 2]
    """
    return Digitize()(x, bins)


class Bincount(Kernel):
    """Number of occurrences of each integer."""

    weights: Any = None
    minlength: int = 0
    sparse: bool = False

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.ndim not in (1, 2):
            raise ValueError(f"`bincount` needs a tensor of 1 or 2 axes. Received shape: {x.shape}")
        x = x.astype("int64")
        if x.size and x.min() < 0:
            raise ValueError(f"`bincount` counts non-negative integers. Received: {x.min()}")
        size = max(self.minlength, int(x.max()) + 1 if x.size else 0)
        weights = None if self.weights is None else array_of(self.weights)
        dtype = np.dtype("int32")
        if weights is not None:
            dtype = common_dtype(x if ctx is None else np.empty(0, "int32"), weights)
        rows = np.atleast_2d(x)
        parts = [None] * len(rows) if weights is None else list(np.atleast_2d(weights))
        counts = [np.bincount(row, part, size) for row, part in zip(rows, parts)]
        result = np.stack(counts).astype(dtype)
        return result if x.ndim == 2 else result[0]

    def compute_output_spec(self, x: Any) -> Any:
        kinds = ["int32"] if self.weights is None else [x.dtype, array_of(self.weights).dtype]
        return KerasTensor((*x.shape[:-1], None), dtype=dtypes.result_type(*kinds))


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """Number of occurrences of each integer from 0 to the largest.

    Args:
        x: Tensor of non-negative integers, of 1 axis, or of 2 (counted row by row).
        weights: Tensor of the shape of `x`: what each counts. Defaults to 1.
        minlength: Integer, default 0: the least length of the result.
        sparse: Sparse results are not supported: False only.

    Raises:
        ValueError: for negative integers, or `sparse=True`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.bincount([0, 2, 2]).tolist()
    [1, 0, 2]
    """
    if sparse:
        raise ValueError("Sparse results are not supported. Use `sparse=False`.")
    return Bincount(weights, int(static(minlength)), False)(x)


class Histogram(Kernel):
    """Counts in bins of equal width."""

    bins: int = 10
    range: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        low, high = (x.min(), x.max()) if self.range is None else self.range
        edges = np.linspace(low, high, self.bins + 1).astype(x.dtype)
        inside = x[(x >= low) & (x <= high)]
        index = np.searchsorted(edges[1:-1], inside, "right")
        return np.bincount(index, minlength=self.bins).astype(x.dtype), edges

    def compute_output_spec(self, x: Any) -> Any:
        return (
            KerasTensor((self.bins,), dtype=x.dtype),
            KerasTensor((self.bins + 1,), dtype=x.dtype),
        )


def histogram(x: Any, bins: int = 10, range: Any = None) -> Any:
    """Counts of values in bins of equal width, and the edges of the bins.

    Args:
        x: Vector.
        bins: Integer, default 10.
        range: Pair (lowest, highest). Defaults to those of `x`.

    Returns:
        Pair of tensors: `bins` counts, `bins + 1` edges.

    Raises:
        ValueError: if `x` is not a vector, or for bad `bins` or `range`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.histogram([0.0, 1.0, 1.0, 2.0], bins=2)[0].tolist()
    [1.0, 3.0]
    """
    x = tensor(x)
    if len(x.shape) != 1:
        raise ValueError(f"Input tensor must be 1-dimensional. Received: input.shape={x.shape}")
    if not isinstance(bins, int) or bins <= 0:
        raise ValueError(f"Argument `bins` should be a positive integer. Received: bins={bins}")
    if range and (len(range) < 2 or not isinstance(range, tuple)):
        raise ValueError(f"range must be a tuple of two elements. Received: range={range}")
    if range and range[1] < range[0]:
        raise ValueError(
            "The second element of range must be greater than the first. Received: range=" f"{range}"
        )
    return Histogram(bins, range)(x)


class Unique(Kernel):
    """The values that occur."""

    sorted: bool = True
    return_index: bool = False
    return_inverse: bool = False
    return_counts: bool = False
    axis: Any = None
    size: Any = None
    fill_value: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        values, index, inverse, counts = np.unique(
            x, return_index=True, return_inverse=True, return_counts=True, axis=self.axis
        )
        axis = 0 if self.axis is None else self.axis
        inverse = inverse.reshape(x.shape if self.axis is None else -1)
        if not self.sorted:
            order = np.argsort(index)
            values, index, counts = values.take(order, axis), index[order], counts[order]
            inverse = np.argsort(order)[inverse]
        if self.size is not None:
            kept = min(self.size, len(index))
            more = self.size - kept
            values = values.take(np.arange(kept), axis)
            width = [(0, 0)] * values.ndim
            width[axis] = (0, more)
            values = np.pad(values, width, constant_values=self.fill_value or 0)
            index = np.pad(index[:kept], (0, more), constant_values=1)
            counts = np.pad(counts[:kept], (0, more))
        results = [values]
        for wanted, result in (
            (self.return_index, index),
            (self.return_inverse, inverse),
            (self.return_counts, counts),
        ):
            if wanted:
                results.append(result.astype("int32"))
        return tuple(results) if len(results) > 1 else results[0]

    def compute_output_spec(self, x: Any) -> Any:
        if self.axis is None:
            shape: list = [self.size]
        else:
            shape = list(x.shape)
            shape[self.axis] = self.size
        results = [KerasTensor(shape, dtype=x.dtype)]
        if self.return_index:
            results.append(KerasTensor((self.size,), dtype="int32"))
        if self.return_inverse:
            inverse = x.shape if self.axis is None else (x.shape[self.axis],)
            results.append(KerasTensor(inverse, dtype="int32"))
        if self.return_counts:
            results.append(KerasTensor((self.size,), dtype="int32"))
        return tuple(results) if len(results) > 1 else results[0]


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    size: Any = None,
    fill_value: Any = None,
) -> Any:
    """The values (or slices along `axis`) that occur, each once.

    Args:
        x: Tensor.
        sorted: Boolean, default True. False: in the order of their first occurrence.
        return_index: Boolean, default False. Whether to return where each occurs first.
        return_inverse: Boolean, default False. Whether to return which of them each value is.
        return_counts: Boolean, default False. Whether to return how often each occurs.
        axis: Integer. None (default) flattens `x` first.
        size: Integer. Cut, or filled, to this many.
        fill_value: Number to fill with. Defaults to 0.

    Returns:
        A tensor, or a tuple of tensors with what was asked for.

    Example:

    >>> import minikeras
    >>> minikeras.ops.unique([3, 1, 3]).tolist()
    [1, 3]
    """
    return Unique(
        sorted, return_index, return_inverse, return_counts, axis, static(size), static(fill_value)
    )(x)


class IsIn(Kernel):
    """Whether values are among others."""

    assume_unique: bool = False
    invert: bool = False

    def forward(self, ctx: Any, a: Any, b: Any) -> Any:
        dtype = common_dtype(a, b)
        a, b = a.astype(dtype), b.astype(dtype)
        return np.isin(a, b, assume_unique=self.assume_unique, invert=self.invert)

    def compute_output_spec(self, a: Any, b: Any) -> Any:
        return KerasTensor(a.shape, dtype="bool")


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each value of `x1` is in `x2`.

    Args:
        x1: Tensor.
        x2: Tensor.
        assume_unique: Boolean, default False. Both hold each value once; may be faster.
        invert: Boolean, default False. Whether to tell instead which are not.

    Example:

    >>> import minikeras
    >>> minikeras.ops.isin([1, 2], [2, 3]).tolist()
    [False, True]
    """
    return IsIn(False, invert)(x1, x2)


class UnravelIndex(Kernel):
    """Flat indices as coordinates."""

    shape: Any

    def forward(self, ctx: Any, indices: Any) -> Any:
        wrapped = np.where(indices < 0, indices + math.prod(self.shape), indices)
        return tuple(one.astype(indices.dtype) for one in np.unravel_index(wrapped, self.shape))

    def compute_output_spec(self, indices: Any) -> Any:
        return tuple(KerasTensor(indices.shape, dtype=indices.dtype) for _ in self.shape)


def unravel_index(indices: Any, shape: Any) -> Any:
    """Indices into a flattened tensor of `shape` as coordinates: a tuple of one tensor an axis.

    >>> import minikeras
    >>> [int(i) for i in minikeras.ops.unravel_index(5, (2, 3))]
    [1, 2]
    """
    if None in shape:
        raise ValueError(f"`shape` argument cannot contain `None`. Received: shape={shape}")
    return UnravelIndex(tuple(static(shape)))(indices)


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
    "argmax", "argmin", "argpartition", "argsort", "bincount", "digitize", "histogram", "in_top_k",
    "isin", "median", "nanargmax", "nanargmin", "nanmedian", "nanpercentile", "nanquantile",
    "percentile", "quantile", "searchsorted", "sort", "top_k", "unique", "unravel_index",
]  # fmt: skip
