"""Padding, repetition, diagonals, triangles, grids and ranges."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    canonical_axis,
    common_dtype,
    composite,
    is_inexact,
    static,
    tensor,
    view_spec,
)

_PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


class Pad(Kernel):
    """Values added around a tensor."""

    pad_width: Any
    mode: str = "constant"

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
            return dy[
                tuple(builtins.slice(a, a + n) for (a, _), n in zip(ctx.widths, ctx.shape))
            ]
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


# Grids and ranges


class Meshgrid(Kernel):
    """Coordinates of a grid."""

    indexing: str = "xy"

    def forward(self, ctx: Any, *xs: Any) -> Any:
        ctx.shapes = [x.shape for x in xs]
        return [
            np.array(grid) for grid in np.meshgrid(*xs, indexing=self.indexing)  # type: ignore
        ]

    def backward(self, ctx: Any, *douts: Any) -> Any:
        result = []
        n = len(ctx.shapes)
        for i, (dy, shape) in enumerate(zip(douts, ctx.shapes)):
            axis = 1 - i if self.indexing == "xy" and i < 2 and n > 1 else i
            result.append(
                None
                if dy is None
                else dy.sum(tuple(a for a in range(n) if a != axis)).reshape(shape)
            )
        return result


def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Coordinates of the grid that vectors span, as a list of tensors.

    Args:
        *x: Vectors.
        indexing: `"xy"` (default): the first two axes change places. `"ij"`: they do not.

    Raises:
        ValueError: for another `indexing`.

    Example:

    >>> import minikeras
    >>> [grid.tolist() for grid in minikeras.ops.meshgrid([1, 2], [3])]
    [[[1, 2]], [[3, 3]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Argument `indexing` must be 'xy' or 'ij'. Received: {indexing!r}")
    return list(Meshgrid(indexing)(*x))


class Linspace(Kernel):
    """Numbers at equal distances."""

    num: int = 50
    endpoint: bool = True
    retstep: bool = False
    dtype: Any = None
    axis: int = 0
    scalars = True

    def forward(self, ctx: Any, start: Any, stop: Any) -> Any:
        dtype = (
            common_dtype(start, stop, float)
            if self.dtype is None
            else dtypes.to_numpy_dtype(dtypes.standardize_dtype(self.dtype))
        )
        ctx.sources = [
            (np.shape(one), one.dtype if is_inexact(one) else None) for one in (start, stop)
        ]
        low, high = (np.asarray(one).astype(dtype) for one in (start, stop))
        parts = self.num - 1 if self.endpoint else self.num
        exact = dtype if dtype.kind in "fc" else np.dtype("float64")
        low, high = low.astype(exact), high.astype(exact)
        weight = (np.arange(self.num) / max(parts, 1)).astype(exact)
        ctx.weight = weight
        shape = np.broadcast_shapes(low.shape, high.shape)
        ctx.axis = axis = canonical_axis(self.axis, len(shape) + 1)
        weight = weight.reshape([-1 if i == axis else 1 for i in range(len(shape) + 1)])
        ctx.weights = weight
        a, b = (np.expand_dims(np.broadcast_to(one, shape), axis) for one in (low, high))
        y = a * (1 - weight) + b * weight
        if dtype.kind in "iu":
            y = np.floor(y)
        y = y.astype(dtype, copy=False)
        if not self.retstep:
            return y
        step = (high - low) / parts if parts > 0 else np.full(shape, np.nan)
        return y, np.asarray(step, exact)

    def backward(self, ctx: Any, dy: Any, dstep: Any = None) -> Any:
        from minikeras.ops.base import unbroadcast

        result: list = []
        parts = max(self.num - 1 if self.endpoint else self.num, 1)
        shares = (1 - ctx.weights, ctx.weights)
        for (shape, dtype), weight, sign in zip(ctx.sources, shares, (-1, 1)):
            if dtype is None:
                result.append(None)
                continue
            gradient: Any = 0 if dy is None else (dy * weight).sum(ctx.axis)
            if dstep is not None:
                gradient = gradient + sign * dstep / parts
            result.append(unbroadcast(np.asarray(gradient), shape).astype(dtype, copy=False))
        return result


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers from `start` to `stop` at equal distances.

    Args:
        start: Number or tensor.
        stop: Number or tensor.
        num: Integer, default 50.
        endpoint: Boolean, default True. Whether `stop` is the last.
        retstep: Boolean, default False. Whether to return the distance too.
        dtype: Name of the dtype. Defaults to that of the operands, made floating.
        axis: Integer, default 0: where the numbers go, if `start` or `stop` is a tensor.

    Raises:
        ValueError: if `num` is negative.

    Example:

    >>> import minikeras
    >>> minikeras.ops.linspace(0.0, 1.0, num=3).tolist()
    [0.0, 0.5, 1.0]
    """
    num = static(num)
    if num < 0:
        raise ValueError(f"`num` must be a non-negative integer. Received: num={num}")
    return Linspace(num, endpoint, retstep, dtype, axis)(start, stop)


@composite(tensors=2)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`base` to the power of `num` exponents at equal distances.

    >>> import minikeras
    >>> minikeras.ops.logspace(0.0, 2.0, num=3).tolist()
    [1.0, 10.0, 100.0]
    """
    from minikeras.ops.arithmetic import power
    from minikeras.ops.core import cast

    exponents = linspace(start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)
    return power(cast(base, exponents.dtype), exponents)


@composite(tensors=2)
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers from `start` to `stop` at equal ratios.

    >>> import minikeras
    >>> minikeras.ops.round(minikeras.ops.geomspace(1.0, 100.0, num=3)).tolist()
    [1.0, 10.0, 100.0]
    """
    from minikeras import config
    from minikeras.ops.arithmetic import multiply
    from minikeras.ops.core import cast
    from minikeras.ops.elementwise import abs, log10, sign

    exact = dtype or config.floatx()
    start, stop = cast(start, exact), cast(stop, exact)
    powers = logspace(
        log10(abs(start)), log10(abs(stop)), num=num, endpoint=endpoint, dtype=dtype, axis=axis
    )
    return multiply(powers, cast(sign(start), powers.dtype))


@composite
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:  # noqa: N803
    """The powers of a vector as columns.

    Args:
        x: Vector.
        N: Integer: the number of columns. Defaults to the length of `x`.
        increasing: Boolean, default False. Whether the powers grow from left to right.

    Example:

    >>> import minikeras
    >>> minikeras.ops.vander([1.0, 2.0, 3.0], 2).tolist()
    [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
    """
    from minikeras.ops.arithmetic import power
    from minikeras.ops.core import cast
    from minikeras.ops.shaping import expand_dims

    x = tensor(x)
    if len(x.shape) != 1:
        raise ValueError(f"Input tensor must be 1-dimensional. Received: input.shape={x.shape}")
    count = x.shape[0] if N is None else N
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    dtype = dtypes.result_type(x.dtype, "float32")
    return cast(power(expand_dims(cast(x, dtype), -1), powers.astype(dtype)), x.dtype)


# Windows


def _window(formula: Any) -> Any:
    def window(x: Any) -> Any:
        size = static(x)
        if not isinstance(size, (int, float)):
            raise ValueError(f"The length of a window must be a number. Received: {x!r}")
        size = int(size)
        n = np.arange(size)
        values = np.ones(size) if size == 1 else formula(n, size - 1)
        return Tensor(values.astype(dtypes.numpy_dtype(dtypes.standardize_dtype(None))))

    return window


def _cosines(n: Any, last: int, *weights: float) -> Any:
    return builtins.sum(w * np.cos(2 * math.pi * i * n / last) for i, w in enumerate(weights))


_WINDOWS = {
    "bartlett": (lambda n, last: 1 - np.abs(2 * n / last - 1), "Triangular window"),
    "hanning": (lambda n, last: _cosines(n, last, 0.5, -0.5), "Hann's window, a raised cosine"),
    "hamming": (lambda n, last: _cosines(n, last, 0.54, -0.46), "Hamming's window"),
    "blackman": (lambda n, last: _cosines(n, last, 0.42, -0.5, 0.08), "Blackman's window"),
}
bartlett, hanning, hamming, blackman = (_window(formula) for formula, _ in _WINDOWS.values())
for _name, _function in zip(_WINDOWS, (bartlett, hanning, hamming, blackman)):
    _function.__name__ = _function.__qualname__ = _name
    _function.__doc__ = (
        f"{_WINDOWS[_name][1]} of `x` values.\n\n    Args:\n        x: Integer: the length.\n\n"
        f"    Example:\n\n    >>> import minikeras\n    >>> minikeras.ops.{_name}(4).shape\n    (4,)\n"
    )


def kaiser(x: Any, beta: Any) -> Any:
    """Kaiser's window of `x` values.

    Args:
        x: Integer: the length.
        beta: Number: how narrow it is.

    Example:

    >>> import minikeras
    >>> minikeras.ops.kaiser(4, 5.0).shape
    (4,)
    """
    values = np.kaiser(int(static(x)), static(beta))
    return Tensor(values.astype(dtypes.numpy_dtype(dtypes.standardize_dtype(None))))


__all__ = [
    "bartlett", "blackman", "diag", "diagflat", "diagonal", "geomspace",
    "hamming", "hanning", "kaiser", "linspace", "logspace", "meshgrid", "pad", "repeat", "roll",
    "tile", "trace", "tril", "triu", "vander",
]  # fmt: skip
