"""Sorting, searching, counting and sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    canonical_axis,
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
        canonical_axis(self.axis, len(x.shape))
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
        if self.axis is None or x.ndim == 0:
            x = x.reshape(-1)
        axis = -1 if self.axis is None else canonical_axis(self.axis, x.ndim)
        return np.argsort(x, axis, kind="stable").astype("int32")

    def compute_output_spec(self, x: Any) -> Any:
        if self.axis is None:
            return KerasTensor((None if None in x.shape else math.prod(x.shape),), dtype="int32")
        canonical_axis(self.axis, len(x.shape) or 1)
        return KerasTensor(x.shape or (1,), dtype="int32")


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
    kth = static(kth)
    if not isinstance(kth, int):
        raise ValueError(f"Argument `kth` must be an integer. Received: kth={kth}")
    return Argpartition(kth, axis)(x)


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
        return np.asarray(sequence.searchsorted(values, self.side), "int32")

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
        if len(bins.shape) > 1:
            raise ValueError(f"Argument `bins` must be a vector. Received shape: {bins.shape}")
        return KerasTensor(x.shape, dtype="int32")


def digitize(x: Any, bins: Any) -> Any:
    """The int32 index of the bin of each value: the number of edges that are not above it.

    >>> import minikeras
    >>> minikeras.ops.digitize([0.5, 1.5, 9.0], [1.0, 2.0]).tolist()
    [0, 1, 2]
    """
    return Digitize()(x, bins)


__all__ = [
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "digitize",
    "in_top_k",
    "nanargmax",
    "nanargmin",
    "searchsorted",
    "sort",
    "top_k",
]
