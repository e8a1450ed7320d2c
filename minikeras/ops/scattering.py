"""Writing parts of tensors by index, and blocks of them."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    is_inexact,
    static,
    tensor,
)
from minikeras.ops.indexing import scatter_add

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
    "scatter",
    "scatter_update",
    "slice",
    "slice_update",
]
