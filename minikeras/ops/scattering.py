# ruff: noqa: E501 - the tables are aligned, one operation a line
"""Writing parts of tensors by index; reductions by segment, and distances."""

from __future__ import annotations

import builtins
from typing import Any, ClassVar

import numpy as np

from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    composite,
    is_inexact,
    static,
    tensor,
)
from minikeras.ops.elementwise import sqrt, square
from minikeras.ops.indexing import scatter_add
from minikeras.ops.reductions import sum
from minikeras.ops.shaping import expand_dims

# Writing


def _index_key(indices: np.ndarray, ndim: int) -> tuple:
    """Rows of coordinates as a NumPy key."""
    if indices.ndim == 0 or indices.shape[-1] > ndim:
        raise ValueError(
            "Argument `indices` must hold rows of coordinates, no longer than the tensor has axes"
            f" ({ndim}). Received shape: {indices.shape}"
        )
    return tuple(np.moveaxis(indices, -1, 0))


class Scatter(Kernel):
    """Values added into zeros."""

    shape: Any

    def forward(self, ctx: Any, indices: Any, values: Any) -> Any:
        key = _index_key(indices, len(self.shape))
        ctx.key, ctx.exact = key, is_inexact(values)
        result = np.zeros(self.shape, values.dtype)
        _check_bounds(key, self.shape)
        if values.dtype == bool:
            np.logical_or.at(result, key, values)
        else:
            np.add.at(result, key, values)
        return result

    def backward(self, ctx: Any, dy: Any) -> Any:
        return None, dy[ctx.key] if ctx.exact else None

    def compute_output_spec(self, indices: Any, values: Any) -> Any:
        return KerasTensor(self.shape, dtype=values.dtype)


def _check_bounds(key: tuple, shape: tuple) -> None:
    for axis, (index, size) in enumerate(zip(key, shape)):
        if index.size and (index.min() < -size or index.max() >= size):
            raise ValueError(
                f"Argument `indices` is out of range on axis {axis} of size {size}. Received values"
                f" from {index.min()} to {index.max()}"
            )


def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Values added into a tensor of zeros, at coordinates.

    Args:
        indices: Tensor of integers of shape (..., k): coordinates on the first k axes.
        values: Tensor: what goes there. Repeated places add up.
        shape: Tuple: the shape of the result.

    Example:

    >>> import minikeras
    >>> minikeras.ops.scatter([[0], [2], [2]], [1.0, 2.0, 3.0], (3,)).tolist()
    [1.0, 0.0, 5.0]
    """
    return Scatter(tuple(static(shape)))(indices, values)


class ScatterUpdate(Kernel):
    """Values written at coordinates."""

    reduction: Any = None

    def forward(self, ctx: Any, inputs: Any, indices: Any, updates: Any) -> Any:
        key = _index_key(indices, inputs.ndim)
        _check_bounds(key, inputs.shape)
        ctx.key = key
        ctx.exact = (is_inexact(inputs), is_inexact(updates))
        ctx.update_dtype = updates.dtype
        result = inputs.copy()
        updates = np.broadcast_to(updates.astype(inputs.dtype, copy=False), inputs[key].shape)
        if self.reduction is None:
            result[key] = updates
            if ctx.recording:
                # Of repeated places the last write counts.
                order = np.full(inputs.shape, -1)
                count = np.arange(updates.size).reshape(updates.shape)
                order[key] = count
                ctx.save(order[key] == count)
        else:
            function = _REDUCTIONS[self.reduction]
            function.at(result, key, updates)
            ctx.save(inputs, updates, result)
        return result

    def backward(self, ctx: Any, dy: Any) -> Any:
        key, dx, du = ctx.key, None, dy[ctx.key]
        if self.reduction is None:
            (last,) = ctx.saved
            dx = dy.copy()
            dx[key] = 0
            du = du * last
        elif self.reduction == "add":
            dx = dy
        elif self.reduction == "mul":
            inputs, updates, result = ctx.saved
            with np.errstate(divide="ignore", invalid="ignore"):
                dx = np.where(
                    inputs != 0, dy * result / inputs, dy * _product_at(inputs, key, updates)
                )
                du = du * result[key] / updates
        else:
            inputs, updates, result = ctx.saved
            hit = (updates == result[key]).astype(dy.dtype)
            kept = (inputs == result).astype(dy.dtype)
            count = kept.copy()
            np.add.at(count, key, hit)
            dx = dy * kept / np.maximum(count, 1)
            du = du * hit / np.maximum(count[key], 1)
        return (
            dx if ctx.exact[0] else None,
            None,
            du.astype(ctx.update_dtype, copy=False) if ctx.exact[1] else None,
        )

    def compute_output_spec(self, inputs: Any, indices: Any, updates: Any) -> Any:
        return KerasTensor(inputs.shape, dtype=inputs.dtype)


_REDUCTIONS: dict[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def _product_at(inputs: np.ndarray, key: tuple, updates: np.ndarray) -> np.ndarray:
    ones = np.ones_like(inputs)
    np.multiply.at(ones, key, updates)
    return ones


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: Any = None) -> Any:
    """A copy of `inputs` with values written at coordinates.

    Args:
        inputs: Tensor.
        indices: Tensor of integers of shape (..., k): coordinates on the first k axes.
        updates: Tensor: what is written.
        reduction: None (default): replaces. `"add"`, `"mul"`, `"max"`, `"min"`: combines with what
            is there.

    Raises:
        ValueError: for another `reduction`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.scatter_update([1.0, 2.0, 3.0], [[1]], [9.0]).tolist()
    [1.0, 9.0, 3.0]
    """
    if reduction is not None and reduction not in _REDUCTIONS:
        raise ValueError(
            f"Argument `reduction` must be None or one of {list(_REDUCTIONS)}. Received:"
            f" reduction={reduction!r}"
        )
    return ScatterUpdate(reduction)(inputs, indices, updates)


class Slice(Kernel):
    """A block that starts somewhere."""

    shape: Any

    def forward(self, ctx: Any, inputs: Any, start: Any) -> Any:
        start = [int(one) for one in start]
        shape = [
            inputs.shape[i] - start[i] if size == -1 else size for i, size in enumerate(self.shape)
        ]
        for axis, (first, size) in enumerate(zip(start, shape)):
            if first < 0 or first + size > inputs.shape[axis]:
                raise ValueError(
                    f"The slice from {first} of length {size} leaves axis {axis} of size"
                    f" {inputs.shape[axis]}."
                )
        ctx.key = tuple(builtins.slice(a, a + n) for a, n in zip(start, shape))
        ctx.source, ctx.exact = inputs.shape, is_inexact(inputs)
        return inputs[ctx.key]

    def backward(self, ctx: Any, dy: Any) -> Any:
        return scatter_add(ctx.source, ctx.key, dy) if ctx.exact else None

    def compute_output_spec(self, inputs: Any, start: Any) -> Any:
        shape = [
            None if size == -1 and (isinstance(start, KerasTensor) or inputs.shape[i] is None)
            else inputs.shape[i] - int(array_of(start)[i]) if size == -1 else size
            for i, size in enumerate(self.shape)
        ]  # fmt: skip
        return KerasTensor(shape, dtype=inputs.dtype)


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """A block of `inputs`.

    Args:
        inputs: Tensor.
        start_indices: Integers: where the block starts on each axis.
        shape: Integers: the size of the block. -1 is up to the end.

    Example:

    >>> import minikeras
    >>> minikeras.ops.slice([[1, 2], [3, 4]], (1, 0), (1, 2)).tolist()
    [[3, 4]]
    """
    inputs, shape = tensor(inputs), tuple(static(shape))
    start = start_indices if isinstance(start_indices, (list, tuple)) else tensor(start_indices)
    count = len(start) if isinstance(start, (list, tuple)) else start.shape[0]
    ndim = len(inputs.shape)
    for name, length in (("shape", len(shape)), ("start_indices", count)):
        if length not in (ndim, None):
            raise ValueError(
                "The number of dimensions in `start_indices` must match the number of dimensions"
                " in `inputs`, and the number of dimensions in `inputs` must match the number of"
                f" dimensions in `shape`. Received: {name} of length {length}, inputs.shape="
                f"{tuple(inputs.shape)}"
            )
    return Slice(shape)(inputs, start)


class SliceUpdate(Kernel):
    """A block written somewhere."""

    def forward(self, ctx: Any, inputs: Any, start: Any, updates: Any) -> Any:
        key = tuple(builtins.slice(int(a), int(a) + n) for a, n in zip(start, updates.shape))
        ctx.key = key
        ctx.exact = (is_inexact(inputs), is_inexact(updates))
        if inputs[key].shape != updates.shape:
            raise ValueError(
                f"An update of shape {updates.shape} at {tuple(int(a) for a in start)} leaves a"
                f" tensor of shape {inputs.shape}."
            )
        result = inputs.copy()
        result[key] = updates
        return result

    def backward(self, ctx: Any, dy: Any) -> Any:
        dx = dy.copy()
        dx[ctx.key] = 0
        return dx if ctx.exact[0] else None, None, dy[ctx.key] if ctx.exact[1] else None

    def compute_output_spec(self, inputs: Any, start: Any, updates: Any) -> Any:
        return KerasTensor(inputs.shape, dtype=inputs.dtype)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """A copy of `inputs` with the block `updates` written at `start_indices`.

    >>> import minikeras
    >>> minikeras.ops.slice_update([1, 2, 3], (1,), [9]).tolist()
    [1, 9, 3]
    """
    return SliceUpdate()(inputs, start_indices, updates)


__all__ = [
    "cdist",
    "scatter",
    "scatter_update",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "slice",
    "slice_update",
]


class _Segment(Kernel):
    """Reduce slices along the first axis by the segment they belong to."""

    num_segments: Any = None
    sorted: bool = False
    ufunc: ClassVar[Any] = np.add

    def start(self, dtype: np.dtype) -> Any:
        """What an empty segment gives."""
        raise NotImplementedError

    def forward(self, ctx: Any, data: Any, ids: Any) -> Any:
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise ValueError(
                "Argument `segment_ids` should be an 1-D vector, of integers. Received shape"
                f" {ids.shape}, dtype {ids.dtype}"
            )
        if len(ids) != len(data):
            raise ValueError(
                "Argument `segment_ids` and `data` should have same leading dimension. Received"
                f" shapes {ids.shape} and {data.shape}"
            )
        count = self.num_segments
        if count is None:
            count = int(ids.max()) + 1 if ids.size else 0
        kept = (ids >= 0) & (ids < count)
        result = np.full((count, *data.shape[1:]), self.start(data.dtype), data.dtype)
        type(self).ufunc.at(result, ids[kept], data[kept])
        ctx.save(data, ids, kept, result)
        return result

    def spread(self, values: np.ndarray, ids: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The value of the segment of each slice; 0 for slices of none."""
        out = (
            values[np.where(kept, ids, 0)]
            if len(values)
            else np.zeros((len(ids), *values.shape[1:]), values.dtype)
        )
        out[~kept] = 0
        return out

    def backward(self, ctx: Any, dy: Any) -> Any:
        data, ids, kept, result = ctx.saved
        if not is_inexact(data):
            return None
        return self.derivative(dy, data, ids, kept, result), None

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        """The gradient of `data`."""
        raise NotImplementedError

    def compute_output_spec(self, data: Any, ids: Any) -> Any:
        return KerasTensor((self.num_segments, *data.shape[1:]), dtype=data.dtype)


class SegmentSum(_Segment):
    """Sum of the slices of each segment."""

    ufunc: ClassVar[Any] = np.add

    def start(self, dtype: np.dtype) -> Any:
        return 0

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        return self.spread(dy, ids, kept)


class SegmentMax(_Segment):
    """Largest of the slices of each segment; equal ones share the gradient."""

    ufunc: ClassVar[Any] = np.maximum

    def start(self, dtype: np.dtype) -> Any:
        if dtype.kind == "f":
            return np.finfo(dtype).min
        return np.iinfo(dtype).min if dtype.kind in "iu" else False

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        chosen = (data == self.spread(result, ids, kept)).astype(data.dtype)
        chosen[~kept] = 0
        count = np.zeros_like(result)
        np.add.at(count, ids[kept], chosen[kept])
        return chosen * self.spread(dy / np.maximum(count, 1), ids, kept)


class SegmentMin(SegmentMax):
    """Smallest of the slices of each segment; equal ones share the gradient."""

    ufunc: ClassVar[Any] = np.minimum

    def start(self, dtype: np.dtype) -> Any:
        if dtype.kind == "f":
            return np.finfo(dtype).max
        return np.iinfo(dtype).max if dtype.kind in "iu" else True


class SegmentProd(_Segment):
    """Product of the slices of each segment."""

    ufunc: ClassVar[Any] = np.multiply

    def start(self, dtype: np.dtype) -> Any:
        return 1

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        zeros = np.zeros(result.shape, "int32")
        np.add.at(zeros, ids[kept], data[kept] == 0)
        others = np.ones_like(result)
        np.multiply.at(others, ids[kept], np.where(data == 0, 1, data)[kept])
        count = self.spread(zeros, ids, kept)
        mine = data == 0
        product = self.spread(others, ids, kept)
        # Without itself: nothing is left where another one is zero.
        without = np.where(
            mine, product * (count == 1), np.where(count == 0, product / np.where(mine, 1, data), 0)
        )
        return without * self.spread(dy, ids, kept)


def _segment(name: str, kind: Any, summary: str, empty: str, result: str) -> Any:
    def function(
        data: Any, segment_ids: Any, num_segments: Any = None, sorted: bool = False
    ) -> Any:
        return kind(static(num_segments), sorted)(data, segment_ids)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{summary}

    Args:
        data: Tensor; its slices along the first axis are reduced.
        segment_ids: Vector of integers: the segment of each slice. Negative ones, and those from
            `num_segments` on, are left out.
        num_segments: Integer. Defaults to the largest id plus 1.
        sorted: Boolean, default False. Whether the ids are in order; makes no difference here.

    Returns:
        Tensor of shape (num_segments, ...); empty segments give {empty}.

    Raises:
        ValueError: if the ids do not fit `data`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.{name}([1.0, 2.0, 3.0], [0, 0, 1]).tolist()
    {result}
    """
    return function


# fmt: off
segment_sum  = _segment("segment_sum",  SegmentSum,  "Sums by segment.",            "0",                     "[3.0, 3.0]")
segment_max  = _segment("segment_max",  SegmentMax,  "Largest values by segment.",  "the smallest number",   "[2.0, 3.0]")
segment_min  = _segment("segment_min",  SegmentMin,  "Smallest values by segment.", "the largest number",    "[1.0, 3.0]")
segment_prod = _segment("segment_prod", SegmentProd, "Products by segment.",        "1",                     "[2.0, 3.0]")
# fmt: on


@composite(tensors=2, name="CDist")
def cdist(x: Any, y: Any) -> Any:
    """Euclidean distance of each two rows.

    Args:
        x: Tensor of shape (..., m, size).
        y: Tensor of shape (..., n, size).

    Returns:
        Tensor of shape (..., m, n).

    Raises:
        ValueError: if the shapes do not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.cdist([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
    [[5.0]]
    """
    x, y = tensor(x), tensor(y)
    if len(x.shape) < 2 or len(y.shape) < 2:
        raise ValueError("`cdist` inputs must have rank >= 2")
    if x.shape[-1] != y.shape[-1]:
        raise ValueError("Last dimension of inputs to `cdist` must match")
    return sqrt(sum(square(expand_dims(x, -2) - expand_dims(y, -3)), axis=-1))
