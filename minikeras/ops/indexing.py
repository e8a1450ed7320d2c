"""Reading and writing parts of tensors by index."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor, Operators
from minikeras.ops.base import (
    Kernel,
    array_of,
    broadcast_shapes,
    canonical_axis,
    common_dtype,
    dummy,
    is_inexact,
    kind_of,
    operand,
    static,
    tensor,
    unbroadcast,
)


def scatter_add(shape: tuple, key: Any, dy: np.ndarray) -> np.ndarray:
    """Zeros of `shape` with `dy` added at `key`; repeated places add up."""
    dx = np.zeros(shape, dy.dtype)
    basic = not isinstance(key, tuple) or builtins.all(
        one is None or one is Ellipsis or isinstance(one, (int, builtins.slice, np.integer))
        for one in key
    )
    if basic:
        dx[key] = dy
    else:
        np.add.at(dx, key, dy)
    return dx


class GetItem(Kernel):
    """NumPy's indexing."""

    def __call__(self, x: Any, key: Any) -> Any:
        return super(Kernel, self).__call__(tensor(x), key)

    def forward(self, ctx: Any, x: Any, *key: Any) -> Any:
        # A tuple as key arrives as its items; one item alone means the same as a tuple of it.
        key = tuple(array_of(one) if isinstance(one, Operators) else one for one in key)
        ctx.shape, ctx.key, ctx.dtype = x.shape, key, x.dtype
        try:
            return np.asarray(x[key])
        except IndexError as error:
            raise IndexError(f"{error}. Received: key={key}, x of shape {x.shape}") from None

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind not in "fc":
            return None
        return scatter_add(ctx.shape, ctx.key, dy)

    def compute_output_spec(self, x: Any, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        shapes = []
        for fill in ((2, 37), (3, 41)):
            part = tuple(
                np.zeros(dummy(one, fill).shape, dtypes.to_numpy_dtype(one.dtype))
                if isinstance(one, KerasTensor)
                else one.array
                if isinstance(one, Operators)
                else one
                for one in keys
            )
            try:
                shapes.append(_indexed_shape(dummy(x, fill), part, x.shape))
            except IndexError as error:
                raise ValueError(f"{error}. Received: key={key}, x of shape {x.shape}") from None
        shape = tuple(m if m == n else None for m, n in zip(*shapes))
        return KerasTensor(shape, dtype=x.dtype)


def _indexed_shape(x: np.ndarray, key: tuple, shape: tuple) -> tuple:
    # An index into an axis of unknown size may be anything.
    axis = 0
    safe: list = []
    consumed = builtins.sum(1 for one in key if one is not None and one is not Ellipsis)
    for one in key:
        if one is None:
            safe.append(one)
            continue
        if one is Ellipsis:
            axis += len(shape) - consumed
            safe.append(one)
            continue
        if axis < len(shape) and shape[axis] is None:
            if isinstance(one, (int, np.integer)):
                one = 0
            elif isinstance(one, np.ndarray) and one.dtype != bool:
                one = np.zeros_like(one)
        axis += one.ndim if isinstance(one, np.ndarray) and one.dtype == bool else 1
        safe.append(one)
    return x[tuple(safe)].shape


def _clean_key(one: Any) -> Any:
    if isinstance(one, builtins.slice):
        if builtins.any(isinstance(part, KerasTensor) for part in (one.start, one.stop, one.step)):
            raise ValueError(
                "A slice with symbolic bounds has no shape that could be known. Use `ops.slice`."
            )
        return builtins.slice(*(static(part) for part in (one.start, one.stop, one.step)))
    if isinstance(one, (list, np.ndarray)):
        array = array_of(one)
        return array.astype("int64") if array.size == 0 else array
    if isinstance(one, Operators) and not isinstance(one, KerasTensor):
        return one.array
    return one


def get_item(x: Any, key: Any) -> Any:
    """`x[key]`, with NumPy's meaning of integers, slices, `...`, None, arrays and masks.

    Args:
        x: Tensor.
        key: Index, or tuple of them.

    Example:

    >>> import minikeras
    >>> minikeras.ops.get_item([1, 2, 3], (Ellipsis, -1)).tolist()
    3
    """
    key = tuple(_clean_key(one) for one in key) if isinstance(key, tuple) else (_clean_key(key),)
    return GetItem()(x, key)


# Choice by condition


class Where(Kernel):
    """One of two values, by condition."""

    scalars = True
    named_by = builtins.slice(1, None)

    def forward(self, ctx: Any, condition: Any, a: Any, b: Any) -> Any:
        dtype = common_dtype(a, b)
        condition = array_of(condition).astype(bool, copy=False)
        ctx.save(condition)
        ctx.sources = [(x.shape, x.dtype) if is_inexact(x) else None for x in (a, b)]
        try:
            return np.where(condition, np.asarray(a).astype(dtype), np.asarray(b).astype(dtype))
        except ValueError:
            broadcast_shapes(np.shape(condition), np.shape(a), np.shape(b))
            raise

    def backward(self, ctx: Any, dy: Any) -> Any:
        (condition,) = ctx.saved
        result: list = [None, None, None]
        for i, (source, chosen) in enumerate(zip(ctx.sources, (condition, ~condition)), 1):
            if ctx.needs[i] and source is not None:
                result[i] = unbroadcast(np.where(chosen, dy, dy.dtype.type(0)), source[0]).astype(
                    source[1], copy=False
                )
        return result

    def compute_output_spec(self, condition: Any, a: Any, b: Any) -> Any:
        shape = broadcast_shapes(*(getattr(x, "shape", ()) for x in (condition, a, b)))
        return KerasTensor(shape, dtype=dtypes.result_type(kind_of(a), kind_of(b)))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """`x1` where the condition holds, else `x2`.

    Args:
        condition: Tensor of bools (numbers count as true if not 0).
        x1: Tensor or number.
        x2: Tensor or number.

    Returns:
        Tensor of the broadcast shape. With the condition alone: the indices where it holds, as
        `nonzero`.

    Raises:
        ValueError: if only one of `x1` and `x2` is given.

    Example:

    >>> import minikeras
    >>> minikeras.ops.where([True, False], 1.0, 2.0).tolist()
    [1.0, 2.0]
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("`x1` and `x2` either both should be `None` or neither of them.")
    if x1 is None:
        return nonzero(condition)
    return Where()(tensor(condition), operand(x1), operand(x2))


class Nonzero(Kernel):
    """Indices of values that are not zero."""

    def forward(self, ctx: Any, x: Any) -> Any:
        return tuple(index.astype("int32") for index in np.nonzero(x))

    def compute_output_spec(self, x: Any) -> Any:
        return tuple(KerasTensor((None,), dtype="int32") for _ in x.shape)


def nonzero(x: Any) -> Any:
    """Indices of the values that are not zero: a tuple of one int32 tensor an axis.

    >>> import minikeras
    >>> minikeras.ops.nonzero([0, 5, 6])[0].tolist()
    [1, 2]
    """
    return Nonzero()(x)


class Take(Kernel):
    """Slices along an axis, by index."""

    axis: Any = None

    def forward(self, ctx: Any, x: Any, indices: Any) -> Any:
        indices = array_of(indices)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"Argument `indices` must be integers. Received dtype {indices.dtype}")
        axis = self.axis
        if axis is None:
            size = x.size
        else:
            axis = canonical_axis(axis, x.ndim)
            size = x.shape[axis]
        _check_range(indices, size, self.axis)
        ctx.shape, ctx.axis, ctx.exact = x.shape, axis, is_inexact(x)
        ctx.save(indices)
        return np.take(x, indices, axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        (indices,) = ctx.saved
        if not ctx.exact:
            return None
        if ctx.axis is None:
            dx = np.zeros(int(np.prod(ctx.shape)), dy.dtype)
            np.add.at(dx, indices, dy)
            return dx.reshape(ctx.shape)
        dx = np.zeros(ctx.shape, dy.dtype)
        np.add.at(dx, (builtins.slice(None),) * ctx.axis + (indices,), dy)
        return dx

    def compute_output_spec(self, x: Any, indices: Any) -> Any:
        if self.axis is None:
            return KerasTensor(indices.shape, dtype=x.dtype)
        axis = canonical_axis(self.axis, len(x.shape))
        shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
        return KerasTensor(shape, dtype=x.dtype)


def _check_range(indices: np.ndarray, size: int, axis: Any) -> None:
    if indices.size and (indices.max() >= size or indices.min() < -size):
        raise ValueError(
            f"Argument `indices` must be between {-size} and {size - 1} for axis={axis} of size"
            f" {size}. Received values from {indices.min()} to {indices.max()}"
        )


def take(x: Any, indices: Any, axis: Any = None) -> Any:
    """Slices of `x` along an axis, by index.

    Args:
        x: Tensor.
        indices: Tensor of integers; negative ones count from the end.
        axis: Integer. None (default) flattens `x` first.

    Returns:
        Tensor with the shape of `indices` in the place of the axis.

    Raises:
        ValueError: if an index is out of range.

    Example:

    >>> import minikeras
    >>> minikeras.ops.take([10, 20, 30], [2, 0]).tolist()
    [30, 10]
    """
    return Take(axis)(x, indices)


class TakeAlongAxis(Kernel):
    """Values along an axis, by an index for each line."""

    axis: Any = None

    def forward(self, ctx: Any, x: Any, indices: Any) -> Any:
        ctx.source = x.shape
        ctx.exact = is_inexact(x)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"Argument `indices` must be integers. Received dtype {indices.dtype}")
        axis = self.axis
        if axis is None:
            x, indices, axis = x.reshape(-1), indices.reshape(-1), 0
        if x.ndim != indices.ndim:
            raise ValueError(
                "`take_along_axis` needs `indices` with as many axes as `x`. Received shapes:"
                f" {x.shape} and {indices.shape}"
            )
        axis = canonical_axis(axis, x.ndim)
        _check_range(indices, x.shape[axis], self.axis)
        rest = broadcast_shapes(
            tuple(1 if i == axis else n for i, n in enumerate(x.shape)),
            tuple(1 if i == axis else n for i, n in enumerate(indices.shape)),
        )
        whole = np.broadcast_to(x, [x.shape[axis] if i == axis else n for i, n in enumerate(rest)])
        indices = np.broadcast_to(
            indices, [indices.shape[axis] if i == axis else n for i, n in enumerate(rest)]
        )
        ctx.axis, ctx.whole, ctx.inner = axis, whole.shape, x.shape
        ctx.save(indices)
        return np.take_along_axis(whole, indices, axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not ctx.exact:
            return None
        (indices,) = ctx.saved
        dx = np.zeros(ctx.whole, dy.dtype)
        key: list = list(np.ogrid[tuple(builtins.slice(size) for size in indices.shape)])
        key[ctx.axis] = indices
        np.add.at(dx, tuple(key), dy)
        return unbroadcast(dx, ctx.inner).reshape(ctx.source)

    def compute_output_spec(self, x: Any, indices: Any) -> Any:
        if self.axis is None:
            size = None if None in indices.shape else int(np.prod(indices.shape))
            return KerasTensor((size,), dtype=x.dtype)
        axis = canonical_axis(self.axis, len(x.shape))
        rest = broadcast_shapes(
            tuple(1 if i == axis else n for i, n in enumerate(x.shape)),
            tuple(1 if i == axis else n for i, n in enumerate(indices.shape)),
        )
        shape = [indices.shape[axis] if i == axis else n for i, n in enumerate(rest)]
        return KerasTensor(shape, dtype=x.dtype)


def take_along_axis(x: Any, indices: Any, axis: Any = None) -> Any:
    """Values of `x` along an axis, by an index for each line.

    Args:
        x: Tensor.
        indices: Tensor of integers with as many axes as `x`; the other axes broadcast.
        axis: Integer. None (default) flattens both first.

    Raises:
        ValueError: if an index is out of range.

    Example:

    >>> import minikeras
    >>> minikeras.ops.take_along_axis([[10, 20], [30, 40]], [[1], [0]], axis=1).tolist()
    [[20], [30]]
    """
    return TakeAlongAxis(axis)(x, indices)


__all__ = [
    "get_item",
    "nonzero",
    "take",
    "take_along_axis",
    "where",
]
