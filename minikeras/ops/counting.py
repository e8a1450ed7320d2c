"""Counts, histograms and sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    common_dtype,
    static,
    tensor,
)


class Bincount(Kernel):
    """Number of occurrences of each integer."""

    weights: Any = None
    minlength: int = 0
    sparse: bool = False

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.ndim not in (1, 2):
            raise ValueError(f"`bincount` needs a tensor of 1 or 2 axes. Received shape: {x.shape}")
        if x.size and x.min() < 0:
            raise ValueError(f"`bincount` counts non-negative integers. Received: {x.min()}")
        size = max(self.minlength, int(x.max()) + 1 if x.size else 0)
        weights = None if self.weights is None else array_of(self.weights)
        dtype = np.dtype("int32")
        if weights is not None:
            dtype = common_dtype(x, weights)
        rows = np.atleast_2d(x).astype("int64")
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
        raise ValueError(
            f"Argument `bins` should be a non-negative integer, above 0. Received: bins={bins}"
        )
    if range and (len(range) < 2 or not isinstance(range, tuple)):
        raise ValueError(f"Argument `range` must be a tuple of two elements. Received: {range=}")
    if range and range[1] < range[0]:
        raise ValueError(
            f"The second element of `range` must be greater than the first. Received: range={range}"
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
            x, True, return_inverse=True, return_counts=True, axis=self.axis, equal_nan=False
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


__all__ = [
    "bincount",
    "histogram",
    "isin",
    "unique",
    "unravel_index",
]
