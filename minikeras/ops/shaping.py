"""Operations that change shapes and order, and joins and splits."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    broadcast_shapes,
    canonical_axes,
    canonical_axis,
    common_dtype,
    composite,
    static,
    tensor,
    unbroadcast,
    view_spec,
)


def new_shape(shape: tuple, target: Any) -> tuple:
    """What reshaping from `shape` (None where unknown) to `target` gives.

    Raises:
        ValueError: if the sizes do not fit.
    """
    target = tuple(None if size is None else size.__index__() for size in target)
    if target.count(-1) > 1 or builtins.any(size is not None and size < -1 for size in target):
        raise ValueError(
            "Argument `newshape` must hold sizes, at most one of them -1 (whatever is left)."
            f" Received: newshape={target}"
        )
    if None in shape or None in target:
        known = [size for size in shape if size is not None]
        sizes = [size for size in target if size not in (None, -1)]
        if shape.count(None) == 1 and -1 in target and None not in target and 0 not in sizes:
            ratio = math.prod(known) / math.prod(sizes)
            # The rest may be known after all: (None, 4) to (-1, 4) stays unknown.
            if math.prod(known) % math.prod(sizes) and not ratio:
                raise ValueError(f"Cannot reshape {shape} to {target}.")
        return tuple(None if size in (None, -1) else size for size in target)
    total = math.prod(shape)
    rest = math.prod(size for size in target if size != -1)  # type: ignore[misc]
    if -1 in target:
        if rest == 0 or total % rest:
            raise ValueError(
                f"Cannot reshape a tensor of shape {shape} ({total} values). Received: newshape={target}"
            )
        return tuple(total // rest if size == -1 else size for size in target)
    if rest != total:
        raise ValueError(
            f"Cannot reshape a tensor of shape {shape} ({total} values): the new shape has {rest}."
            f" Received: newshape={target}"
        )
    return target


class Reshape(Kernel):
    """The same values in another shape."""

    newshape: Any

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        return x.reshape(new_shape(x.shape, self.newshape))

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.reshape(ctx.shape)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(new_shape(x.shape, self.newshape), dtype=x.dtype)


def reshape(x: Any, newshape: Any) -> Any:
    """The same values, in row-major order, in another shape.

    Args:
        x: Tensor.
        newshape: Integer or tuple of integers. One may be -1: whatever is left.

    Raises:
        ValueError: if the number of values does not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.reshape([1, 2, 3, 4], (2, -1)).tolist()
    [[1, 2], [3, 4]]
    """
    newshape = static(newshape)
    if not isinstance(newshape, (list, tuple)):
        newshape = (newshape,)
    newshape = tuple(-1 if size is None else size for size in newshape)
    return Reshape(newshape)(x)


class _View(Kernel):
    """A rearrangement of axes: a view, whose gradient is the view back."""

    def view(self, x: Any) -> Any:
        raise NotImplementedError

    def back(self, dy: Any) -> Any:
        raise NotImplementedError

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        return self.view(x)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return self.back(dy)

    def compute_output_spec(self, x: Any) -> Any:
        return view_spec(x, self.view)


class Transpose(_View):
    """The axes in another order."""

    axes: Any = None

    def view(self, x: Any) -> Any:
        if self.axes is not None and sorted(canonical_axes(self.axes, x.ndim)) != list(
            range(x.ndim)
        ):
            raise ValueError(
                f"Argument `axes` must name each of the {x.ndim} axes once. Received: axes="
                f"{self.axes}, x of shape {x.shape}"
            )
        return x.transpose(self.axes)

    def back(self, dy: Any) -> Any:
        if self.axes is None:
            return dy.transpose()
        return dy.transpose(np.argsort([axis % dy.ndim for axis in self.axes]))

    def compute_output_spec(self, x: Any) -> Any:
        order = range(len(x.shape))[::-1] if self.axes is None else self.axes
        if sorted(canonical_axes(list(order), len(x.shape))) != list(range(len(x.shape))):
            raise ValueError(
                f"Argument `axes` must name each of the {len(x.shape)} axes once. Received: axes="
                f"{self.axes}, x of shape {x.shape}"
            )
        return KerasTensor([x.shape[axis] for axis in order], dtype=x.dtype)


class Swapaxes(_View):
    """Two axes exchanged."""

    axis1: int
    axis2: int

    def view(self, x: Any) -> Any:
        return x.swapaxes(self.axis1, self.axis2)

    back = view


class Moveaxis(_View):
    """Axes moved to other places."""

    source: Any
    destination: Any

    def view(self, x: Any) -> Any:
        return np.moveaxis(x, self.source, self.destination)

    def back(self, dy: Any) -> Any:
        return np.moveaxis(dy, self.destination, self.source)


class Flip(_View):
    """The order along axes reversed."""

    axis: Any = None

    def view(self, x: Any) -> Any:
        return np.flip(x, canonical_axes(self.axis, x.ndim))

    back = view


class Fliplr(_View):
    """The order along the second axis reversed."""

    def view(self, x: Any) -> Any:
        return np.fliplr(x)

    back = view


class Flipud(_View):
    """The order along the first axis reversed."""

    def view(self, x: Any) -> Any:
        return np.flipud(x)

    back = view


class Rot90(_View):
    """A plane of axes turned by quarter turns."""

    k: int = 1
    axes: Any = (0, 1)

    def view(self, x: Any) -> Any:
        if x.ndim < 2:
            raise ValueError(f"`rot90` needs a tensor of 2 or more axes. Received shape: {x.shape}")
        return np.rot90(x, self.k, tuple(self.axes))

    def back(self, dy: Any) -> Any:
        return np.rot90(dy, -self.k, tuple(self.axes))


class ExpandDims(_View):
    """A new axis of size 1."""

    axis: Any

    def view(self, x: Any) -> Any:
        try:
            return np.expand_dims(x, self.axis)
        except np.exceptions.AxisError as error:
            raise ValueError(
                f"Argument `axis` is out of range for a tensor of {x.ndim} axes. Received: axis="
                f"{self.axis}"
            ) from error

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.reshape(ctx.shape)


class Squeeze(_View):
    """Without axes of size 1."""

    axis: Any = None

    def view(self, x: Any) -> Any:
        if self.axis is None:
            return np.squeeze(x)
        axes = canonical_axes(self.axis, x.ndim)
        wrong = [axis for axis in axes if x.shape[axis] != 1]
        if wrong:
            raise ValueError(
                f"Cannot squeeze axis={self.axis}: its size is not 1. Received shape: {x.shape}"
            )
        return np.squeeze(x, axes)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.reshape(ctx.shape)

    def compute_output_spec(self, x: Any) -> Any:
        if self.axis is None:
            return KerasTensor([size for size in x.shape if size != 1], dtype=x.dtype)
        axes = canonical_axes(self.axis, len(x.shape))
        if builtins.any(x.shape[axis] not in (1, None) for axis in axes):
            raise ValueError(
                f"Cannot squeeze axis={self.axis}: its size is not 1. Received shape: {x.shape}"
            )
        shape = [size for axis, size in enumerate(x.shape) if axis not in axes]
        return KerasTensor(shape, dtype=x.dtype)


class Ravel(_View):
    """All values in a row."""

    def view(self, x: Any) -> Any:
        return x.reshape(-1)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.reshape(ctx.shape)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(new_shape(x.shape, (-1,)), dtype=x.dtype)


def transpose(x: Any, axes: Any = None) -> Any:
    """The axes in another order.

    Args:
        x: Tensor.
        axes: Tuple of integers: which axis goes where. Defaults to the reverse order.

    Raises:
        ValueError: if `axes` is not a permutation of the axes.

    Example:

    >>> import minikeras
    >>> minikeras.ops.transpose([[1, 2, 3]]).tolist()
    [[1], [2], [3]]
    """
    return Transpose(None if axes is None else tuple(static(axes)))(x)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged.

    >>> import minikeras
    >>> minikeras.ops.swapaxes([[1, 2]], 0, 1).tolist()
    [[1], [2]]
    """
    return Swapaxes(axis1, axis2)(x)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places; the others keep their order.

    Args:
        x: Tensor.
        source: Integer or integers: the axes to move.
        destination: Integer or integers: where they go.

    Example:

    >>> import minikeras
    >>> minikeras.ops.moveaxis(minikeras.ops.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return Moveaxis(static(source), static(destination))(x)


def flip(x: Any, axis: Any = None) -> Any:
    """The order along axes reversed; along all by default.

    >>> import minikeras
    >>> minikeras.ops.flip([1, 2, 3]).tolist()
    [3, 2, 1]
    """
    return Flip(static(axis))(x)


def fliplr(x: Any) -> Any:
    """The order along the second axis reversed.

    >>> import minikeras
    >>> minikeras.ops.fliplr([[1, 2]]).tolist()
    [[2, 1]]
    """
    return Fliplr()(x)


def flipud(x: Any) -> Any:
    """The order along the first axis reversed.

    >>> import minikeras
    >>> minikeras.ops.flipud([[1], [2]]).tolist()
    [[2], [1]]
    """
    return Flipud()(x)


def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """A plane of axes turned by `k` quarter turns, from the first axis of `axes` to the second.

    >>> import minikeras
    >>> minikeras.ops.rot90([[1, 2], [3, 4]]).tolist()
    [[2, 4], [1, 3]]
    """
    if len(axes) != 2:
        raise ValueError(f"Argument `axes` must be two axes. Received: axes={axes}")
    return Rot90(k, axes)(array)


def expand_dims(x: Any, axis: Any) -> Any:
    """A new axis of size 1 at `axis` (an integer, or several).

    >>> import minikeras
    >>> minikeras.ops.expand_dims([1, 2], -1).shape
    (2, 1)
    """
    return ExpandDims(static(axis))(x)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Without the axes of size 1; all of them, or those of `axis`.

    Raises:
        ValueError: if the size of such an axis is not 1.

    Example:

    >>> import minikeras
    >>> minikeras.ops.squeeze([[1, 2]], axis=0).tolist()
    [1, 2]
    """
    return Squeeze(static(axis))(x)


def ravel(x: Any) -> Any:
    """All values in a row, in row-major order.

    >>> import minikeras
    >>> minikeras.ops.ravel([[1, 2], [3, 4]]).tolist()
    [1, 2, 3, 4]
    """
    return Ravel()(x)


class BroadcastTo(Kernel):
    """Repeat along axes of size 1, and new ones in front."""

    shape: Any

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = x.shape
        return np.broadcast_to(x, self.shape)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return unbroadcast(dy, ctx.source)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(broadcast_shapes(x.shape, self.shape), dtype=x.dtype)


def broadcast_to(x: Any, shape: Any) -> Any:
    """Repeat along axes of size 1, and along new ones in front, to reach `shape`.

    Raises:
        ValueError: if `x` does not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.broadcast_to([1, 2], (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    return BroadcastTo(tuple(static(shape)))(x)


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
    return concatenate([tensor(x1), tensor(x2)], axis=axis)


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


def hsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts along the second axis; along the first if there is only one.

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.hsplit([[1, 2]], 2)]
    [[[1]], [[2]]]
    """
    x = tensor(x)
    return split(x, indices_or_sections, axis=0 if len(x.shape) == 1 else 1)


def vsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts along the first axis.

    >>> import minikeras
    >>> [part.tolist() for part in minikeras.ops.vsplit([[1], [2]], 2)]
    [[[1]], [[2]]]
    """
    return split(x, indices_or_sections, axis=0)


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
                f"The size of axis {self.axis} is unknown: pass `num`. Received shape: {x.shape}"
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
    "append", "array_split", "broadcast_to", "concatenate", "dsplit", "dstack", "expand_dims",
    "flip", "fliplr", "flipud", "hsplit", "hstack", "moveaxis", "ravel", "reshape",
    "rot90", "split", "squeeze", "stack", "swapaxes", "transpose", "unstack", "vsplit", "vstack",
]  # fmt: skip
