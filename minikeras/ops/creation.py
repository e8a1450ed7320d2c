"""Tensors from a shape or a range; grids and windows."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.arena import charge
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    broadcast_shapes,
    canonical_axis,
    common_dtype,
    composite,
    is_inexact,
    static,
    tensor,
)


def _dtype(dtype: Any) -> np.dtype:
    return dtypes.to_numpy_dtype(dtypes.standardize_dtype(dtype))


def _shape(shape: Any) -> tuple:
    shape = static(shape)
    return (shape,) if isinstance(shape, int) else tuple(shape)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """A tensor of zeros.

    Args:
        shape: Integer or tuple of integers.
        dtype: Name of the dtype. Defaults to `floatx()`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.zeros((2,)).tolist()
    [0.0, 0.0]
    """
    shape = _shape(shape)
    charge(shape, 8, "zeros")  # states of a stranger's batch size
    return Tensor(np.zeros(shape, _dtype(dtype)))


def ones(shape: Any, dtype: Any = None) -> Any:
    """A tensor of ones.

    Args:
        shape: Integer or tuple of integers.
        dtype: Name of the dtype. Defaults to `floatx()`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.ones((2,)).tolist()
    [1.0, 1.0]
    """
    return Tensor(np.ones(_shape(shape), _dtype(dtype)))


def empty(shape: Any, dtype: Any = None) -> Any:
    """A tensor of zeros: memory is never left uninitialized.

    >>> import minikeras
    >>> minikeras.ops.empty((2,)).tolist()
    [0.0, 0.0]
    """
    return zeros(shape, dtype)


class _Like(Kernel):
    """One value everywhere, in the shape of another tensor."""

    dtype: Any = None
    value: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        dtype = x.dtype if self.dtype is None else _dtype(self.dtype)
        return np.full(x.shape, type(self).value, dtype)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype if self.dtype is None else self.dtype)


class ZerosLike(_Like):
    """Zeros in the shape of another tensor."""

    value = 0


class OnesLike(_Like):
    """Ones in the shape of another tensor."""

    value = 1


class EmptyLike(ZerosLike):
    """Zeros in the shape of another tensor."""


for _kind in (_Like, ZerosLike, OnesLike, EmptyLike):
    _kind.fields = {"dtype": None}


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape, and by default the dtype, of `x`.

    >>> import minikeras
    >>> minikeras.ops.zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return ZerosLike(dtype)(x)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape, and by default the dtype, of `x`.

    >>> import minikeras
    >>> minikeras.ops.ones_like([1, 2]).tolist()
    [1, 1]
    """
    return OnesLike(dtype)(x)


def empty_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape, and by default the dtype, of `x`.

    >>> import minikeras
    >>> minikeras.ops.empty_like([1, 2]).tolist()
    [0, 0]
    """
    return EmptyLike(dtype)(x)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of one value.

    Args:
        shape: Integer or tuple of integers.
        fill_value: Number, or tensor that broadcasts.
        dtype: Name of the dtype. Defaults to `floatx()`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.full((2,), 7).tolist()
    [7.0, 7.0]
    """
    from minikeras.ops.core import cast
    from minikeras.ops.shaping import broadcast_to

    return broadcast_to(cast(fill_value, dtypes.standardize_dtype(dtype)), _shape(shape))


class FullLike(Kernel):
    """One value everywhere, in the shape of another tensor."""

    dtype: Any = None
    named_by = slice(1)

    def forward(self, ctx: Any, x: Any, fill_value: Any) -> Any:
        dtype = x.dtype if self.dtype is None else _dtype(self.dtype)
        return np.full(x.shape, array_of(fill_value), dtype)

    def compute_output_spec(self, x: Any, fill_value: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype if self.dtype is None else self.dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value in the shape, and by default the dtype, of `x`.

    >>> import minikeras
    >>> minikeras.ops.full_like([1, 2], 5).tolist()
    [5, 5]
    """
    return FullLike(dtype)(x, fill_value)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Numbers from `start` up to, not including, `stop`.

    Args:
        start: Number. Where to start; if `stop` is None, where to stop (then it starts at 0).
        stop: Number.
        step: Number, default 1.
        dtype: Name of the dtype. Defaults to that of the arguments.

    Example:

    >>> import minikeras
    >>> minikeras.ops.arange(3).tolist()
    [0, 1, 2]
    """
    start, stop, step = (
        one if one is None or type(one) in (int, float) else array_of(one)[()]
        for one in (start, stop, step)
    )
    if dtype is None:
        kinds = [getattr(one, "dtype", type(one)) for one in (start, stop, step) if one is not None]
        dtype = dtypes.result_type(*kinds)
    if stop is None:
        start, stop = 0, start
    values = np.arange(start, stop, 1 if step is None else step)
    return Tensor(values.astype(_dtype(dtype)))


def eye(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on a diagonal, zeros elsewhere.

    Args:
        N: Integer: the number of rows.
        M: Integer: the number of columns. Defaults to `N`.
        k: Integer, default 0. Which diagonal: above the main one if positive.
        dtype: Name of the dtype. Defaults to `floatx()`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    N, M = _count("N", N), None if M is None else _count("M", M)
    return Tensor(np.eye(N, M, k, _dtype(dtype)))


def _count(argument: str, value: Any) -> int:
    value = static(value)
    if not isinstance(value, int):
        raise TypeError(f"Argument `{argument}` must be an integer. Received: {value!r}")
    return value


def identity(n: Any, dtype: Any = None) -> Any:
    """The identity matrix of `n` rows.

    >>> import minikeras
    >>> minikeras.ops.identity(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype)


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on and below a diagonal, zeros above.

    >>> import minikeras
    >>> minikeras.ops.tri(2).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return Tensor(np.tri(_count("N", N), None if M is None else _count("M", M), k, _dtype(dtype)))


__all__ = [
    "arange",
    "bartlett",
    "blackman",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "geomspace",
    "hamming",
    "hanning",
    "identity",
    "kaiser",
    "linspace",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tri",
    "vander",
    "zeros",
    "zeros_like",
]


# Grids and ranges


class Meshgrid(Kernel):
    """Coordinates of a grid."""

    indexing: str = "xy"

    def forward(self, ctx: Any, *xs: Any) -> Any:
        ctx.shapes = [x.shape for x in xs]
        return [
            np.array(grid)
            for grid in np.meshgrid(*xs, indexing=self.indexing)  # type: ignore
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
    from minikeras.ops.core import cast
    from minikeras.ops.elementwise import power

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
    from minikeras.ops.core import cast
    from minikeras.ops.elementwise import abs, log10, multiply, sign
    from minikeras.ops.shaping import broadcast_to, expand_dims

    exact = dtype or config.floatx()
    start, stop = cast(start, exact), cast(stop, exact)
    start = broadcast_to(start, broadcast_shapes(start.shape, stop.shape))
    powers = logspace(
        log10(abs(start)), log10(abs(stop)), num=num, endpoint=endpoint, dtype=dtype, axis=axis
    )
    signs = cast(sign(start), powers.dtype)
    return multiply(powers, expand_dims(signs, axis) if start.shape else signs)


@composite
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
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
    from minikeras.ops.core import cast
    from minikeras.ops.elementwise import power
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
        return Tensor(values.astype(dtypes.to_numpy_dtype(None)))

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
        f"    Example:\n\n    >>> import minikeras\n    >>> minikeras.ops.{_name}(4).shape\n"
        "    (4,)\n"
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
    return Tensor(values.astype(dtypes.to_numpy_dtype(None)))
