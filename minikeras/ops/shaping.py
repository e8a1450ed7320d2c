"""Operations that change shapes and order, and joins and splits."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minikeras.engine.context import state
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    broadcast_shapes,
    canonical_axes,
    static,
    unbroadcast,
    view_spec,
)

_NO_PERMUTATION = (
    "Argument `axes` must be a valid permutation: each axis once. Received: axes={axes}, x of shape"
    " {shape}"
)


def new_shape(shape: tuple, target: Any) -> tuple:
    """What reshaping from `shape` (None where unknown) to `target` gives.

    Raises:
        ValueError: if the sizes do not fit.
    """
    target = tuple(None if size is None else size.__index__() for size in target)
    if target.count(-1) > 1 or builtins.any(size is not None and size < -1 for size in target):
        raise ValueError(
            "Sizes must be a non-negative integer each, or at most one of them -1 (whatever is"
            " left)."
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
                f"Cannot reshape a tensor of shape {shape} ({total} values). Received:"
                f" newshape={target}"
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
        if state.inferring == "loosely" and -1 not in self.newshape:
            return np.resize(x, self.newshape)
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
            raise ValueError(_NO_PERMUTATION.format(axes=list(self.axes), shape=x.shape))
        return x.transpose(self.axes)

    def back(self, dy: Any) -> Any:
        if self.axes is None:
            return dy.transpose()
        return dy.transpose(np.argsort([axis % dy.ndim for axis in self.axes]))

    def compute_output_spec(self, x: Any) -> Any:
        order = range(len(x.shape))[::-1] if self.axes is None else self.axes
        if sorted(canonical_axes(list(order), len(x.shape))) != list(range(len(x.shape))):
            raise ValueError(_NO_PERMUTATION.format(axes=list(order), shape=x.shape))
        return KerasTensor([x.shape[axis] for axis in order], dtype=x.dtype)


class Swapaxes(_View):
    """Two axes exchanged."""

    axis1: int
    axis2: int

    def view(self, x: Any) -> Any:
        return x.swapaxes(self.axis1, self.axis2)

    def back(self, dy: Any) -> Any:
        return self.view(dy)


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

    def back(self, dy: Any) -> Any:
        return self.view(dy)


class Fliplr(_View):
    """The order along the second axis reversed."""

    def view(self, x: Any) -> Any:
        return np.fliplr(x)

    def back(self, dy: Any) -> Any:
        return self.view(dy)


class Flipud(_View):
    """The order along the first axis reversed."""

    def view(self, x: Any) -> Any:
        return np.flipud(x)

    def back(self, dy: Any) -> Any:
        return self.view(dy)


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
        if builtins.any(x.shape[axis] != 1 for axis in axes):
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


__all__ = [
    "broadcast_to",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "moveaxis",
    "ravel",
    "reshape",
    "rot90",
    "squeeze",
    "swapaxes",
    "transpose",
]
