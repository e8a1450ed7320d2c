"""Products of a tall or deep matrix with a small one, in blocks.

A BLAS packs both operands and clears the result before it multiplies, which pays where each number
is used often. OpenBLAS multiplies matrices that need up to a million multiplications as they lie,
without any of that (where the processor has AVX-512), so a product in blocks of that size is up to
twice as fast, if the rows of the small matrix begin at cache lines. Elsewhere blocks cost nothing:
they stay in the cache. NumPy multiplies a stack of blocks in one call.
"""

from __future__ import annotations

import math

import numpy as np

from minikeras.kernels import blas

Array = np.ndarray

# What OpenBLAS calls small.
_SMALL = 1_000_000
# Fewer rows are not worth a copy of the small matrix; fewer rows than the second in a block, or
# more than the third, gain nothing.
_LEAST, _FEW, _MANY = 256, 16, 128
# Elements of the result of a deep product from which on its blocks no longer pay.
_WIDE = 4096
_LINE = 64


def in_blocks() -> bool:
    """Whether blocks are for this BLAS: OpenBLAS with one thread. More share whole products."""
    return bool(blas.functions()) and blas.threads() == 1


def matmul(x: Array, w: Array, out: Array | None = None) -> Array:
    """`x @ w` of two matrices of any strides.

    Args:
        x: `(m, k)`.
        w: `(k, n)`.
        out: Array to write to, of any strides.
    """
    (m, k), n = x.shape, w.shape[1]
    if m * k * n > _SMALL and x.dtype.char in "fd" and x.dtype == w.dtype and in_blocks():
        if m >= _LEAST and _FEW * k * n <= _SMALL:
            return _tall(x, w, out)
        if k >= _LEAST and m * n <= _WIDE:
            return _deep(x, w, out)
    # `dot` has half the overhead of `matmul`, and is particular about `out`.
    return np.dot(x, w) if out is None else np.matmul(x, w, out=out)


def empty(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """`np.empty` that begins at a cache line."""
    size = math.prod(shape)
    raw = np.empty(size + _LINE // dtype.itemsize, dtype)
    start = -_address(raw) % _LINE // dtype.itemsize
    return raw[start : start + size].reshape(shape)


def operand(w: Array) -> Array:
    """`w` with rows that begin at cache lines: a copy, unless they do."""
    steps = w.strides
    if steps[-1] == w.itemsize and not any(s % _LINE for s in (*steps[:-1], _address(w))):
        return w
    line = _LINE // w.itemsize
    copy = empty((*w.shape[:-1], -(-w.shape[-1] // line) * line), w.dtype)[..., : w.shape[-1]]
    copy[...] = w
    return copy


def _address(x: Array) -> int:
    return x.__array_interface__["data"][0]


def _rows(size: int) -> int:
    """Rows of a block: a power of two."""
    return min(_MANY, 1 << (_SMALL // size).bit_length() - 1)


def _tall(x: Array, w: Array, out: Array | None) -> Array:
    (m, k), n = x.shape, w.shape[1]
    if out is None:
        out = empty((m, n), x.dtype)
    rows, w = _rows(k * n), operand(w)
    end = m - m % rows
    # Splitting one axis is a view, whatever the strides.
    np.matmul(x[:end].reshape(-1, rows, k), w, out=out[:end].reshape(-1, rows, n))
    if end < m:
        np.matmul(x[end:], w, out=out[end:])
    return out


def _deep(x: Array, w: Array, out: Array | None) -> Array:
    (m, k), n = x.shape, w.shape[1]
    rows = _rows(m * n)
    end = k - k % rows
    blocks = x[:, :end].reshape(m, -1, rows).transpose(1, 0, 2)
    parts = np.matmul(blocks, w[:end].reshape(-1, rows, n))
    out = np.add.reduce(parts, axis=0, out=out)
    if end < k:
        out += x[:, end:] @ w[end:]
    return out
