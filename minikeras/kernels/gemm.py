"""Products of a tall or deep matrix with a small one, in blocks.

A BLAS packs both operands and clears the result before it multiplies, which pays where each number
is used often. Where one operand is small it is most of the work. OpenBLAS multiplies matrices that
need up to a million multiplications as they lie, without any of that (on AVX-512), so a product in
blocks of that size is up to twice as fast; elsewhere blocks cost nothing, for they stay in the
cache. NumPy multiplies a stack of blocks in one call.
"""

from __future__ import annotations

import os

import numpy as np

Array = np.ndarray

# What OpenBLAS calls small.
_SMALL = 1_000_000
# Fewer rows are not worth it. More rows than the second in a block gain nothing.
_LEAST, _MOST = 1024, 512
# Sizes of the small operand (the second: of the result, in a deep product) from which on packing
# pays.
_WIDE, _DEEP = 8192, 4096


def _one_thread() -> bool:
    """Whether BLAS has one thread, as far as can be seen; else it shares whole products out."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if name in os.environ:
            return os.environ[name] == "1"
    return os.cpu_count() == 1


_BLOCKS = _one_thread()


def matmul(x: Array, w: Array, out: Array | None = None) -> Array:
    """`x @ w` of two matrices of any strides.

    Args:
        x: `(m, k)`.
        w: `(k, n)`.
        out: Array to write to, of any strides.
    """
    (m, k), n = x.shape, w.shape[1]
    if m * k * n <= _SMALL or not _BLOCKS or x.dtype.char not in "fd" or x.dtype != w.dtype:
        # `dot` has half the overhead of `matmul`, and is particular about `out`.
        return np.dot(x, w) if out is None else np.matmul(x, w, out=out)
    if m >= _LEAST and (k * n <= _WIDE or (k * n <= 2 * _WIDE and k <= 64)):
        return _tall(x, w, out)
    if k >= _LEAST and m * n <= _DEEP:
        return _deep(x, w, out)
    return np.matmul(x, w, out=out)


def _rows(size: int) -> int:
    """Rows of a block: a power of two."""
    return min(_MOST, 1 << (_SMALL // max(size, 1)).bit_length() - 1)


def _tall(x: Array, w: Array, out: Array | None) -> Array:
    (m, k), n = x.shape, w.shape[1]
    if out is None:
        out = np.empty((m, n), x.dtype)
    rows = _rows(k * n)
    end = m - m % rows
    # Not for transposed operands on the right.
    w = np.ascontiguousarray(w)
    # Splitting one axis is a view, whatever the strides.
    np.matmul(x[:end].reshape(-1, rows, k), w, out=out[:end].reshape(-1, rows, n))
    if end < m:
        np.matmul(x[end:], w, out=out[end:])
    return out


def _deep(x: Array, w: Array, out: Array | None) -> Array:
    (m, k), n = x.shape, w.shape[1]
    rows = min(256, _rows(m * n))
    end = k - k % rows
    parts = np.matmul(
        x[:, :end].reshape(m, -1, rows).transpose(1, 0, 2), w[:end].reshape(-1, rows, n)
    )
    out = np.add.reduce(parts, axis=0, out=out)
    if end < k:
        out += x[:, end:] @ w[end:]
    return out
