"""Tensors from nothing but a shape or a range."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.ops.base import Kernel, array_of, static


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
    return Tensor(np.zeros(_shape(shape), _dtype(dtype)))


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
    "arange", "empty", "empty_like", "eye", "full", "full_like", "identity", "ones", "ones_like",
    "tri", "zeros", "zeros_like",
]  # fmt: skip
