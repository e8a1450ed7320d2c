"""Joins of tensors, and splits."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    canonical_axis,
    common_dtype,
    composite,
    static,
    tensor,
)
from minikeras.ops.shaping import expand_dims, reshape

# Joins


class Concatenate(Kernel):
    """Tensors one after the other along an axis."""

    axis: Any = 0
    several = True

    def forward(self, ctx: Any, *xs: Any) -> Any:
        axis = self.axis
        ctx.sizes = [x.size if axis is None else x.shape[axis] for x in xs]
        ctx.sources = [(x.shape, x.dtype) for x in xs]
        dtype = common_dtype(*xs)
        try:
            return np.concatenate([x.astype(dtype, copy=False) for x in xs], axis)
        except ValueError as error:
            raise ValueError(
                "Tensors can be concatenated if their shapes differ only along"
                f" axis={axis}. Received shapes: {[x.shape for x in xs]}"
            ) from error

    def backward(self, ctx: Any, dy: Any) -> Any:
        axis = -1 if self.axis is None else self.axis
        parts = np.split(dy, np.cumsum(ctx.sizes)[:-1], axis)
        return [
            part.reshape(shape).astype(dtype, copy=False) if dtype.kind in "fc" else None
            for part, (shape, dtype) in zip(parts, ctx.sources)
        ]

    def compute_output_spec(self, xs: Any) -> Any:
        dtype = dtypes.result_type(*[x.dtype for x in xs])
        if self.axis is None:
            sizes = [None if None in x.shape else math.prod(x.shape) for x in xs]
            return KerasTensor([None if None in sizes else builtins.sum(sizes)], dtype=dtype)
        ndim = len(xs[0].shape)
        axis = canonical_axis(self.axis, ndim)
        shape: list = []
        for i in range(ndim):
            sizes = [x.shape[i] if len(x.shape) == ndim else -1 for x in xs]
            if i == axis:
                shape.append(None if None in sizes else builtins.sum(sizes))
                continue
            known = {size for size in sizes if size is not None}
            if len(known) > 1:
                raise ValueError(
                    "Tensors can be concatenated if their shapes differ only along"
                    f" axis={self.axis}. Received shapes: {[tuple(x.shape) for x in xs]}"
                )
            shape.append(known.pop() if known else None)
        return KerasTensor(shape, dtype=dtype)


def concatenate(xs: Any, axis: Any = 0) -> Any:
    """Tensors one after the other along an axis.

    Args:
        xs: List of tensors.
        axis: Integer, default 0. None flattens them first.

    Raises:
        ValueError: if the shapes differ elsewhere.

    Example:

    >>> import minikeras
    >>> minikeras.ops.concatenate([[1, 2], [3]]).tolist()
    [1, 2, 3]
    """
    if axis is None:
        raise ValueError("Argument `axis` must be an integer. Received: axis=None")
    return Concatenate(axis)(list(xs))


class Stack(Kernel):
    """Tensors side by side along a new axis."""

    axis: int = 0
    several = True

    def forward(self, ctx: Any, *xs: Any) -> Any:
        dtype = common_dtype(*xs)
        ctx.dtypes = [x.dtype for x in xs]
        try:
            return np.stack([x.astype(dtype, copy=False) for x in xs], self.axis)
        except ValueError as error:
            raise ValueError(
                "Tensors can be stacked if their shapes are equal and axis is one of the result."
                f" Received: axis={self.axis}, shapes {[x.shape for x in xs]}"
            ) from error

    def backward(self, ctx: Any, dy: Any) -> Any:
        return [
            part.astype(dtype, copy=False) if dtype.kind in "fc" else None
            for part, dtype in zip(np.moveaxis(dy, self.axis, 0), ctx.dtypes)
        ]

    def compute_output_spec(self, x: Any) -> Any:
        shape: list = []
        if len({len(one.shape) for one in x}) > 1:
            raise ValueError(
                f"Tensors to stack must have equal shapes. Received: {[one.shape for one in x]}"
            )
        for sizes in zip(*(one.shape for one in x)):
            known = {size for size in sizes if size is not None}
            if len(known) > 1:
                raise ValueError(
                    "Tensors to stack must have equal shapes. Received:"
                    f" {[tuple(one.shape) for one in x]}"
                )
            shape.append(known.pop() if known else None)
        shape.insert(canonical_axis(self.axis, len(shape) + 1), len(x))
        return KerasTensor(shape, dtype=dtypes.result_type(*[one.dtype for one in x]))


def stack(x: Any, axis: int = 0) -> Any:
    """Tensors of one shape side by side along a new axis.

    Args:
        x: List of tensors.
        axis: Integer, default 0: where the new axis goes.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> import minikeras
    >>> minikeras.ops.stack([[1, 2], [3, 4]], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    if not isinstance(x, (list, tuple)):
        x = list(tensor(x))
    return Stack(axis)(list(x))


@composite
def hstack(xs: Any) -> Any:
    """Tensors joined along the second axis; along the first if they have only one.

    >>> import minikeras
    >>> minikeras.ops.hstack([[1], [2]]).tolist()
    [1, 2]
    """
    xs = [at_least(x, 1) for x in xs]
    return concatenate(xs, axis=0 if len(xs[0].shape) == 1 else 1)


@composite
def vstack(xs: Any) -> Any:
    """Tensors joined along the first axis; rows of one axis become rows of the result.

    >>> import minikeras
    >>> minikeras.ops.vstack([[1], [2]]).tolist()
    [[1], [2]]
    """
    return concatenate([at_least(x, 2) for x in xs], axis=0)


@composite
def dstack(xs: Any) -> Any:
    """Tensors joined along the third axis.

    >>> import minikeras
    >>> minikeras.ops.dstack([[1], [2]]).tolist()
    [[[1, 2]]]
    """
    return concatenate([at_least(x, 3) for x in xs], axis=2)


def at_least(x: Any, ndim: int) -> Any:
    """`x` with axes of size 1 added, as NumPy's `atleast_1d` to `atleast_3d` do."""
    x = tensor(x)
    have = len(x.shape)
    if have >= ndim:
        return x
    if ndim == 3 and have == 2:
        return expand_dims(x, 2)
    if ndim == 3 and have == 1:
        return expand_dims(expand_dims(x, 0), 2)
    return reshape(x, (1,) * (ndim - have) + tuple(x.shape))


@composite(tensors=2)
def append(x1: Any, x2: Any, axis: Any = None) -> Any:
    """`x2` after `x1` along an axis; both flattened if `axis` is None (default).

    >>> import minikeras
    >>> minikeras.ops.append([1, 2], [3]).tolist()
    [1, 2, 3]
    """
    x1, x2 = tensor(x1), tensor(x2)
    if axis is not None and len(x1.shape) != len(x2.shape):
        raise ValueError(
            "Tensors are appended along an axis if they have as many axes. Received shapes:"
            f" {x1.shape}, {x2.shape}"
        )
    return Concatenate(axis)([x1, x2])


# Splits


def _cuts(size: int, sections: Any, exact: bool, axis: int) -> list:
    """Where to cut an axis."""
    if isinstance(sections, int):
        if sections <= 0 or exact and size % sections:
            raise ValueError(
                f"Axis {axis} of size {size} cannot be split into equal parts. Received:"
                f" indices_or_sections={sections}"
            )
        base, rest = divmod(size, sections)
        sizes = [base + 1] * rest + [base] * (sections - rest)
        return list(np.cumsum(sizes)[:-1])
    return list(sections)


class Split(Kernel):
    """Parts along an axis."""

    indices_or_sections: Any
    axis: int = 0
    exact = True

    def forward(self, ctx: Any, x: Any) -> Any:
        axis = canonical_axis(self.axis, x.ndim)
        cuts = _cuts(x.shape[axis], self.indices_or_sections, self.exact, axis)
        parts = np.split(x, cuts, axis)
        ctx.shapes = [part.shape for part in parts]
        ctx.dtype = x.dtype
        ctx.axis = axis
        return parts

    def backward(self, ctx: Any, *douts: Any) -> Any:
        return np.concatenate(
            [
                np.zeros(shape, ctx.dtype) if dy is None else dy
                for dy, shape in zip(douts, ctx.shapes)
            ],
            ctx.axis,
        )

    def compute_output_spec(self, x: Any) -> Any:
        axis = canonical_axis(self.axis, len(x.shape))
        size, sections = x.shape[axis], self.indices_or_sections
        if size is None:
            if isinstance(sections, int):
                sizes = [None] * sections
            else:
                edges = [0, *sections]
                sizes = [b - a for a, b in zip(edges, sections)] + [None]
        else:
            edges = [0, *_cuts(size, sections, self.exact, axis), size]
            edges = [builtins.min(edge + size if edge < 0 else edge, size) for edge in edges]
            sizes = [builtins.max(b - a, 0) for a, b in zip(edges, edges[1:])]
        return [
            KerasTensor([*x.shape[:axis], part, *x.shape[axis + 1 :]], dtype=x.dtype)
            for part in sizes
        ]


class ArraySplit(Split):
    """Parts along an axis, as equal as can be."""

    exact = False


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts along an axis, as a list of tensors.

    Args:
        x: Tensor.
        indices_or_sections: Integer: so many equal parts. Or a list of the indices to cut at.
        axis: Integer, default 0.

    Raises:
        ValueError: if the size cannot be divided so.

    Example:

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.split([1, 2, 3, 4], 2)]
    [[1, 2], [3, 4]]
    """
    return list(Split(static(indices_or_sections), axis)(x))


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts along an axis, as equal as can be: the first ones may be larger by one.

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.array_split([1, 2, 3], 2)]
    [[1, 2], [3]]
    """
    return list(ArraySplit(static(indices_or_sections), axis)(x))


def _split_spec(axis: int) -> Any:
    def spec(x: Any, indices_or_sections: Any) -> Any:
        where = axis if len(x.shape) > 1 else 0
        return Split(static(indices_or_sections), where).compute_output_spec(x)

    return spec


@composite(spec=_split_spec(1))
def hsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts along the second axis; along the first if there is only one.

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.hsplit([[1, 2]], 2)]
    [[[1]], [[2]]]
    """
    x = tensor(x)
    return split(x, indices_or_sections, axis=0 if len(x.shape) == 1 else 1)


@composite(spec=_split_spec(0))
def vsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts along the first axis.

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.vsplit([[1], [2]], 2)]
    [[[1]], [[2]]]
    """
    return split(x, indices_or_sections, axis=0)


@composite(spec=_split_spec(2))
def dsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts along the third axis.

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.dsplit([[[1, 2]]], 2)]
    [[[[1]]], [[[2]]]]
    """
    return split(x, indices_or_sections, axis=2)


class Unstack(Kernel):
    """The slices along an axis."""

    num: Any = None
    axis: int = 0

    def forward(self, ctx: Any, x: Any) -> Any:
        axis = canonical_axis(self.axis, x.ndim)
        if self.num is not None and self.num != x.shape[axis]:
            raise ValueError(
                f"Argument `num` must be the size of the axis. Received: num={self.num}, axis="
                f"{self.axis}, x of shape {x.shape}"
            )
        ctx.source = (x.shape, x.dtype)
        return list(np.moveaxis(x, axis, 0))

    def backward(self, ctx: Any, *douts: Any) -> Any:
        dx = np.zeros(*ctx.source)
        view = np.moveaxis(dx, self.axis, 0)
        for i, dy in enumerate(douts):
            if dy is not None:
                view[i] = dy
        return dx

    def compute_output_spec(self, x: Any) -> Any:
        axis = canonical_axis(self.axis, len(x.shape))
        num = x.shape[axis] if self.num is None else self.num
        if num is None:
            raise ValueError(
                f"Cannot infer argument `num` from shape {x.shape}: the size of axis {self.axis}"
                " is unknown. Pass `num`."
            )
        shape = [size for i, size in enumerate(x.shape) if i != axis]
        return [KerasTensor(shape, dtype=x.dtype) for _ in range(num)]


def unstack(x: Any, num: Any = None, axis: int = 0) -> Any:
    """The slices along an axis, as a list of tensors without that axis.

    Args:
        x: Tensor.
        num: Integer. The size of the axis; needed only where it is unknown.
        axis: Integer, default 0.

    Example:

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    return list(Unstack(num, axis)(x))


__all__ = [
    "append",
    "array_split",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "split",
    "stack",
    "unstack",
    "vsplit",
    "vstack",
]
