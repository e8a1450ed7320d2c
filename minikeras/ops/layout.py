"""Padding, repetition, diagonals, triangles, grids and ranges."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    canonical_axes,
    canonical_axis,
    composite,
    is_inexact,
    static,
    view_spec,
)

_PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


class Pad(Kernel):
    """Values added around a tensor."""

    pad_width: Any
    mode: str = "constant"
    named_by = builtins.slice(1)

    def widths(self, ndim: int) -> list:
        """Pairs (before, after), one an axis."""
        width = self.pad_width
        if isinstance(width, int):
            return [(width, width)] * ndim
        if len(width) == 2 and builtins.all(isinstance(one, int) for one in width):
            return [tuple(width)] * ndim
        pairs = [(one, one) if isinstance(one, int) else tuple(one) for one in width]
        pairs = [pair * 2 if len(pair) == 1 else pair for pair in pairs]
        if len(pairs) == 1:
            pairs = pairs * ndim
        if len(pairs) != ndim or builtins.any(len(pair) != 2 for pair in pairs):
            raise ValueError(
                f"Argument `pad_width` must be a pair for each of the {ndim} axes. Received:"
                f" pad_width={width}"
            )
        return pairs

    def forward(self, ctx: Any, x: Any, constant_values: Any = None) -> Any:
        widths = self.widths(x.ndim)
        ctx.shape, ctx.widths, ctx.exact = x.shape, widths, is_inexact(x)
        if self.mode == "constant":
            value = 0 if constant_values is None else array_of(constant_values)
            return np.pad(x, widths, constant_values=value)
        return np.pad(x, widths, mode=self.mode)  # type: ignore[call-overload]

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not ctx.exact:
            return None
        if self.mode == "constant":
            return dy[tuple(builtins.slice(a, a + n) for (a, _), n in zip(ctx.widths, ctx.shape))]
        # Where each padded position comes from, an axis at a time.
        for axis, (size, width) in enumerate(zip(ctx.shape, ctx.widths)):
            source = np.pad(np.arange(size), width, mode=self.mode)  # type: ignore[call-overload]
            shape = list(dy.shape)
            shape[axis] = size
            dx = np.zeros(shape, dy.dtype)
            np.add.at(np.moveaxis(dx, axis, 0), source, np.moveaxis(dy, axis, 0))
            dy = dx
        return dy

    def compute_output_spec(self, x: Any, constant_values: Any = None) -> Any:
        shape = [
            None if size is None else size + before + after
            for size, (before, after) in zip(x.shape, self.widths(len(x.shape)))
        ]
        return KerasTensor(shape, dtype=x.dtype)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Values added around a tensor.

    Args:
        x: Tensor.
        pad_width: How many: a pair (before, after) for each axis, or one pair or integer for all.
        mode: `"constant"` (default), `"reflect"`, `"symmetric"`, `"edge"` or `"wrap"`, as in NumPy.
        constant_values: Number, for `mode="constant"`; default 0.

    Raises:
        ValueError: for another mode, or `constant_values` with one that has no use for it.

    Example:

    >>> import minikeras
    >>> minikeras.ops.pad([1, 2], (1, 0)).tolist()
    [0, 1, 2]
    """
    if mode not in _PAD_MODES:
        raise ValueError(f"Argument `mode` must be one of {_PAD_MODES}. Received: mode={mode!r}")
    if constant_values is not None and mode != "constant":
        raise ValueError(
            "Argument `constant_values` can only be provided when `mode == 'constant'`. Received:"
            f" mode={mode!r}"
        )
    operation = Pad(static(pad_width), mode)
    return operation(x) if constant_values is None else operation(x, constant_values)


class Roll(Kernel):
    """Values moved along axes; those that leave come in again."""

    shift: Any
    axis: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.roll(x, self.shift, self.axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return np.roll(dy, np.negative(self.shift), self.axis)

    def compute_output_spec(self, x: Any) -> Any:
        canonical_axes(self.axis, len(x.shape))
        return KerasTensor(x.shape, dtype=x.dtype)


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Values moved by `shift` along axes; those that leave at one end come in at the other.

    Args:
        x: Tensor.
        shift: Integer, or one for each axis.
        axis: Integer or integers. None (default) rolls the flattened tensor.

    Example:

    >>> import minikeras
    >>> minikeras.ops.roll([1, 2, 3], 1).tolist()
    [3, 1, 2]
    """
    return Roll(static(shift), static(axis))(x)


class Tile(Kernel):
    """The whole tensor repeated."""

    repeats: Any

    def counts(self, ndim: int) -> list:
        counts = [self.repeats] if isinstance(self.repeats, int) else list(self.repeats)
        return [1] * (ndim - len(counts)) + counts

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        return np.tile(x, self.repeats)

    def backward(self, ctx: Any, dy: Any) -> Any:
        counts = self.counts(len(ctx.shape))
        shape = (1,) * (len(counts) - len(ctx.shape)) + ctx.shape
        pairs = [size for pair in zip(counts, shape) for size in pair]
        return dy.reshape(pairs).sum(tuple(range(0, len(pairs), 2))).reshape(ctx.shape)

    def compute_output_spec(self, x: Any) -> Any:
        counts = self.counts(len(x.shape))
        shape = (1,) * (len(counts) - len(x.shape)) + tuple(x.shape)
        return KerasTensor(
            [None if size is None else size * n for size, n in zip(shape, counts)], dtype=x.dtype
        )


def tile(x: Any, repeats: Any) -> Any:
    """The whole tensor repeated along each axis.

    >>> import minikeras
    >>> minikeras.ops.tile([1, 2], 2).tolist()
    [1, 2, 1, 2]
    """
    return Tile(static(repeats))(x)


class Repeat(Kernel):
    """Each value repeated."""

    repeats: Any
    axis: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        return np.repeat(x, self.repeats, self.axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        axis = self.axis
        shape = (math.prod(ctx.shape),) if axis is None else ctx.shape
        axis = 0 if axis is None else axis % len(shape)
        if isinstance(self.repeats, int):
            pair = [*shape[:axis], shape[axis], self.repeats, *shape[axis + 1 :]]
            return dy.reshape(pair).sum(axis + 1).reshape(ctx.shape)
        dx = np.zeros(shape, dy.dtype)
        source = np.repeat(np.arange(shape[axis]), self.repeats)
        np.add.at(np.moveaxis(dx, axis, 0), source, np.moveaxis(dy, axis, 0))
        return dx.reshape(ctx.shape)

    def compute_output_spec(self, x: Any) -> Any:
        if self.axis is None:
            shape: list = [None if None in x.shape else math.prod(x.shape)]
            axis = 0
        else:
            shape, axis = list(x.shape), canonical_axis(self.axis, len(x.shape))
        counts = [self.repeats] if isinstance(self.repeats, int) else list(self.repeats)
        if len(counts) > 1:
            if shape[axis] not in (len(counts), None):
                raise ValueError(
                    f"Argument `repeats` must have one count for each of the {shape[axis]} values"
                    f" along the axis, or one. Received: repeats={self.repeats}"
                )
            shape[axis] = builtins.sum(counts)
        elif shape[axis] is not None:
            shape[axis] *= counts[0]
        return KerasTensor(shape, dtype=x.dtype)


def repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    """Each value repeated.

    Args:
        x: Tensor.
        repeats: Integer, or one for each position along the axis.
        axis: Integer. None (default) flattens `x` first.

    Example:

    >>> import minikeras
    >>> minikeras.ops.repeat([1, 2], 2).tolist()
    [1, 1, 2, 2]
    """
    repeats = static(repeats)
    if isinstance(repeats, (list, tuple)) and len(repeats) == 1:
        repeats = repeats[0]
    return Repeat(repeats, axis)(x)


# Diagonals and triangles


class Diagonal(Kernel):
    """The diagonal of two axes."""

    offset: int = 0
    axis1: int = 0
    axis2: int = 1

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.ndim < 2:
            raise ValueError(
                f"`diagonal` needs a tensor of 2 or more axes. Received shape: {x.shape}"
            )
        ctx.shape = x.shape
        return np.diagonal(x, self.offset, self.axis1, self.axis2)

    def backward(self, ctx: Any, dy: Any) -> Any:
        dx = np.zeros(ctx.shape, dy.dtype)
        moved = np.moveaxis(dx, (self.axis1, self.axis2), (-2, -1))
        n = np.arange(dy.shape[-1])
        moved[..., n + max(-self.offset, 0), n + max(self.offset, 0)] = dy
        return dx

    def compute_output_spec(self, x: Any) -> Any:
        return view_spec(x, lambda a: np.diagonal(a, self.offset, self.axis1, self.axis2))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis.

    Args:
        x: Tensor.
        offset: Integer, default 0. Above the main diagonal if positive.
        axis1: Integer, default 0.
        axis2: Integer, default 1.

    Example:

    >>> import minikeras
    >>> minikeras.ops.diagonal([[1, 2], [3, 4]]).tolist()
    [1, 4]
    """
    return Diagonal(offset, axis1, axis2)(x)


class Diag(Kernel):
    """A diagonal matrix from a vector, or the diagonal of a matrix."""

    k: int = 0

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.ndim not in (1, 2):
            raise ValueError(f"`diag` needs a tensor of 1 or 2 axes. Received shape: {x.shape}")
        ctx.shape = x.shape
        return np.diag(x, self.k)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if len(ctx.shape) == 1:
            return np.diag(dy, self.k)
        dx = np.zeros(ctx.shape, dy.dtype)
        n = np.arange(len(dy))
        dx[n + max(-self.k, 0), n + max(self.k, 0)] = dy
        return dx


def diag(x: Any, k: int = 0) -> Any:
    """A matrix with `x` on its `k`-th diagonal; of a matrix, that diagonal.

    >>> import minikeras
    >>> minikeras.ops.diag([1, 2]).tolist()
    [[1, 0], [0, 2]]
    """
    return Diag(k)(x)


@composite
def diagflat(x: Any, k: int = 0) -> Any:
    """A matrix with the flattened `x` on its `k`-th diagonal.

    >>> import minikeras
    >>> minikeras.ops.diagflat([[1, 2]]).tolist()
    [[1, 0], [0, 2]]
    """
    from minikeras.ops.shaping import reshape

    return diag(reshape(x, (-1,)), k=k)


class Tril(Kernel):
    """The lower triangle."""

    k: int = 0
    function = np.tril

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.ndim = x.ndim
        if x.ndim < 2:
            raise ValueError(f"A triangle needs a tensor of 2 or more axes. Received: {x.shape}")
        return type(self).function(x, self.k)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return type(self).function(dy, self.k)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype)


class Triu(Tril):
    """The upper triangle."""

    function = np.triu


def tril(x: Any, k: int = 0) -> Any:
    """`x` with zeros above the `k`-th diagonal of its last two axes.

    >>> import minikeras
    >>> minikeras.ops.tril([[1, 2], [3, 4]]).tolist()
    [[1, 0], [3, 4]]
    """
    return Tril(k)(x)


def triu(x: Any, k: int = 0) -> Any:
    """`x` with zeros below the `k`-th diagonal of its last two axes.

    >>> import minikeras
    >>> minikeras.ops.triu([[1, 2], [3, 4]]).tolist()
    [[1, 2], [0, 4]]
    """
    return Triu(k)(x)


@composite
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum of the diagonal of two axes.

    >>> import minikeras
    >>> int(minikeras.ops.trace([[1, 2], [3, 4]]))
    5
    """
    from minikeras.ops.reductions import sum

    return sum(diagonal(x, offset=offset, axis1=axis1, axis2=axis2), axis=-1)


__all__ = [
    "diag",
    "diagflat",
    "diagonal",
    "pad",
    "repeat",
    "roll",
    "tile",
    "trace",
    "tril",
    "triu",
]
