"""Sums and maxima along the last axis, sums of the rows picked from a table, contractions.

NumPy reduces a short last axis row by row, at a cost of 0.1 to 0.3 microseconds each. A product
with ones, or a reduction of the transposed copy, takes a tenth of that for a few classes.

Products of a tall or deep matrix with a small one, in blocks.

A BLAS packs both operands and clears the result before it multiplies, which pays where each number
is used often. OpenBLAS multiplies matrices that need up to a million multiplications as they lie,
without any of that (where the processor has AVX-512), so a product in blocks of that size is up to
twice as fast, if the rows of the small matrix begin at cache lines. Elsewhere blocks cost nothing:
they stay in the cache. NumPy multiplies a stack of blocks in one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from minikeras.kernels import blas, parallel

Array = np.ndarray

# From here on NumPy's own reduction is faster than a transposed copy.
_LONG = 64


@lru_cache(maxsize=64)
def ones_of(size: int, dtype: np.dtype) -> Array:
    ones = np.ones(size, dtype)
    ones.setflags(write=False)
    return ones


def row_sum(x: Array) -> Array:
    """`x.sum(axis=-1)`."""
    if x.ndim < 2 or x.dtype.char not in "fd":
        return np.add.reduce(x, axis=-1)
    size = x.shape[-1]
    if x.ndim == 2:
        return x @ ones_of(size, x.dtype)
    if not size:
        return x.sum(-1)
    return (x.reshape(-1, size) @ ones_of(size, x.dtype)).reshape(x.shape[:-1])


def column_sum(x: Array, out: Array | None = None) -> Array:
    """`x.sum(axis=0)` of a matrix."""
    if x.dtype.char not in "fd" or not len(x):
        return np.add.reduce(x, axis=0, out=out)
    return np.dot(ones_of(len(x), x.dtype), x, out=out)


def row_max(x: Array) -> Array:
    """`x.max(axis=-1)`."""
    size = x.shape[-1]
    if x.ndim < 2 or not 0 < size <= _LONG:
        return np.maximum.reduce(x, axis=-1)
    columns = x.T.copy() if x.ndim == 2 else x.reshape(-1, size).T.copy()
    largest = np.maximum.reduce(columns, axis=0)
    return largest if x.ndim == 2 else largest.reshape(x.shape[:-1])


def row_sums(indices: Array, rows: Array) -> tuple[Array, Array]:
    """The different `indices` in order, and for each the sum of its `rows`.

    Args:
        indices: Integers, of any shape.
        rows: Array of the shape of `indices` and one axis more.
    """
    flat = indices.reshape(-1)
    rows = rows.reshape(-1, rows.shape[-1])
    if not flat.size:
        return flat, rows
    # A sort brings equal indices together; then neighbours are added up in pairs, pairs of pairs,
    # and so on. Where most indices are different, that is several times faster than reduceat.
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sizes = np.diff(starts, append=len(ordered))
    place = np.arange(len(ordered)) - np.repeat(starts, sizes)
    rest = np.repeat(sizes, sizes) - place
    rows = rows[order]
    picked = np.flatnonzero(rest > 1)
    step, largest = 1, sizes.max()
    while step < largest:
        picked = picked[(place[picked] % (2 * step) == 0) & (rest[picked] > step)]
        rows[picked] += rows[picked + step]
        step *= 2
    return ordered[starts], rows[starts]


@lru_cache(maxsize=512)
def _plan(a: str, b: str, out: str) -> tuple:
    """How to bring `a` and `b` to stacks of matrices, and the product to `out`."""
    stack = [label for label in out if label in a and label in b]
    inner = [label for label in a if label in b and label not in out]
    rows = [label for label in out if label in a and label not in b]
    columns = [label for label in out if label in b and label not in a]
    summed = [
        tuple(axis for axis, label in enumerate(term) if label not in other and label not in out)
        for term, other in ((a, b), (b, a))
    ]
    left, right = (
        "".join(label for axis, label in enumerate(term) if axis not in drop)
        for term, drop in zip((a, b), summed)
    )
    product = stack + rows + columns
    return (
        summed,
        tuple(left.index(label) for label in stack + rows + inner),
        tuple(right.index(label) for label in stack + inner + columns),
        (len(stack), len(rows), len(inner), len(columns)),
        tuple(product.index(label) for label in out),
    )


def flat_inner(a: str, b: str, out: str) -> int:
    """How many last axes of `a` a product of two flat matrices sums over; 0 where it is none."""
    summed, left, right, (stack, _, inner, _), order = _plan(a, b, out)
    as_it_lies = all(axes == tuple(range(len(axes))) for axes in (left, right, order))
    return inner if as_it_lies and not stack and not any(summed) else 0


def contract(a: str, b: str, out: str, x: Array, w: Array) -> Array:
    """`np.einsum(f"{a},{b}->{out}", x, w)` for terms without repeated labels."""
    summed, left, right, (stack, rows, inner, columns), order = _plan(a, b, out)
    if summed[0]:
        x = x.sum(axis=summed[0])
    if summed[1]:
        w = w.sum(axis=summed[1])
    x, w = x.transpose(left), w.transpose(right)
    row_sizes, column_sizes = x.shape[stack : stack + rows], w.shape[stack + inner :]
    if not stack and inner == 1 and columns == 1:
        # A product with a matrix needs no flattening.
        product = x @ w
    else:
        sizes = x.shape[:stack]
        depth = math.prod(w.shape[stack : stack + inner])
        product = (
            x.reshape(*sizes, -1, depth)
            if 0 not in x.shape
            else x.reshape(*sizes, math.prod(row_sizes), depth)
        )
        w = w.reshape(*sizes, depth, math.prod(column_sizes))
        product = product @ w if stack else matmul(product, w)
        product = product.reshape(*sizes, *row_sizes, *column_sizes)
    return product.transpose(order)


def contract_backward(
    a: str, b: str, out: str, x: Array, w: Array, dy: Array, need_x: bool, need_w: bool
) -> tuple[Array | None, Array | None]:
    """The gradients of `contract` with respect to `x` and `w`."""
    dx = _gradient(out, b, a, dy, w, x.shape) if need_x else None
    dw = _gradient(a, out, b, x, dy, w.shape) if need_w else None
    return dx, dw


def _gradient(a: str, b: str, wanted: str, x: Array, y: Array, shape: tuple) -> Array:
    # A label of the operand that neither the result nor the other operand has was summed over.
    missing = [axis for axis, label in enumerate(wanted) if label not in a and label not in b]
    kept = "".join(label for axis, label in enumerate(wanted) if axis not in missing)
    gradient = contract(a, b, kept, x, y)
    if missing:
        gradient = np.broadcast_to(np.expand_dims(gradient, tuple(missing)), shape)
    return gradient


# What OpenBLAS calls small.
_SMALL = 1_000_000
# Fewer rows are not worth a copy of the small matrix; fewer rows than the second in a block, or
# more than the third, gain nothing.
_LEAST, _FEW, _MANY = 256, 16, 128
# Elements of the result of a deep product from which on its blocks no longer pay.
_WIDE = 4096
_LINE = 64
# Multiplications that are worth a thread of their own.
_SHARE = 2_500_000


def in_blocks() -> bool:
    """Whether blocks are for this BLAS: OpenBLAS with one thread. More share whole products."""
    return bool(blas.functions()) and blas.threads() == 1


def matmul(x: Array, w: Array, out: Array | None = None) -> Array:
    """`x @ w` of two matrices of any strides, by several threads if that pays.

    Args:
        x: `(m, k)`.
        w: `(k, n)`.
        out: Array to write to, of any strides.
    """
    (m, k), n = x.shape, w.shape[1]
    if m * k * n > _SMALL and x.dtype.char in "fd" and x.dtype == w.dtype:
        count = parallel.parts_for(m * k * n, _SHARE)
        if count > 1:
            return _shared(x, w, out, count)
        if in_blocks():
            return _one(x, w, out)
    # `dot` has half the overhead of `matmul`, and is particular about `out`.
    return np.dot(x, w) if out is None else np.matmul(x, w, out=out)


def dot_for(m: int, k: int, n: int) -> Callable:
    """`matmul` for products of `(m, k)` by `(k, n)`, or `np.dot` where that is the same."""
    return matmul if m * k * n >= 2 * _SHARE else np.dot


def _one(x: Array, w: Array, out: Array | None) -> Array:
    (m, k), n = x.shape, w.shape[1]
    if m >= _LEAST and _FEW * k * n <= _SMALL:
        return _tall(x, w, out)
    if k >= _LEAST and m * n <= _WIDE:
        return _deep(x, w, out)
    return np.dot(x, w) if out is None else np.matmul(x, w, out=out)


def _shared(x: Array, w: Array, out: Array | None, count: int) -> Array:
    """`x @ w` by `count` threads, each of which has rows, columns or terms of the result."""
    (m, k), n = x.shape, w.shape[1]
    if out is None:
        out = empty((m, n), x.dtype)
    if k > 4 * max(m, n):
        parts = parallel.edges(k, count)
        sums = np.empty((count, m, n), x.dtype)
        parallel.side_by_side(lambda i: _one(x[:, parts[i]], w[parts[i]], sums[i]), count)
        return np.add.reduce(sums, axis=0, out=out)
    if m >= n:
        if m >= _LEAST:
            w = operand(w)
        parts = parallel.edges(m, count)
        parallel.side_by_side(lambda i: _one(x[parts[i]], w, out[parts[i]]), count)
    else:
        parts = parallel.edges(n, count)
        parallel.side_by_side(lambda i: _one(x, w[:, parts[i]], out[:, parts[i]]), count)
    return out


def affine(x: Array, w: Array, bias: Array | None, rectify: bool) -> Array:
    """`x @ w + bias`, cut off below 0 with `rectify`; each thread does all that to its part."""
    (m, k), n = x.shape, w.shape[1]

    def finish(z: Array, bias: Array | None) -> None:
        if bias is not None:
            np.add(z, bias, out=z)
        if rectify:
            np.maximum(z, 0, out=z)

    count = parallel.parts_for(m * k * n, _SHARE) if x.dtype == w.dtype else 1
    if count < 2:
        z = matmul(x, w)
        finish(z, bias)
        return z
    z = empty((m, n), x.dtype)
    if m >= n:
        rows, w = parallel.edges(m, count), operand(w) if m >= _LEAST else w
        parts = [(x[one], w, z[one], bias) for one in rows]
    else:
        columns = parallel.edges(n, count)
        parts = [(x, w[:, one], z[:, one], None if bias is None else bias[one]) for one in columns]

    def part(i: int) -> None:
        left, right, out, offset = parts[i]
        _one(left, right, out)
        finish(out, offset)

    parallel.side_by_side(part, count)
    return z


def affine_backward(
    x: Array, w: Array, y: Array | None, dy: Array, wanted: tuple[bool, bool, bool]
) -> tuple | None:
    """The gradients of `x`, `w` and `bias` through `affine`, by threads that have rows each.

    None where that does not pay; what is not wanted is not to be used.

    Args:
        y: The result if it was cut off below 0, or None.
        wanted: Whether the gradients of `x`, `w` and `bias` are wanted.
    """
    (m, k), n = x.shape, w.shape[1]
    one_type = x.dtype == w.dtype == dy.dtype and x.dtype.char in "fd"
    count = parallel.parts_for(m * k * n, _SHARE) if one_type and m > 4 * max(k, n) else 1
    if count < 2:
        return None
    dx = empty(x.shape, x.dtype) if wanted[0] else None
    back = operand(w.T) if wanted[0] else w

    def part(rows: slice) -> tuple:
        left, dz = x[rows], dy[rows]
        if y is not None:
            out = empty(dz.shape, dz.dtype)
            dz = np.multiply(dz, y[rows] > 0, out=out)
        if dx is not None:
            _one(dz, back, dx[rows])
        return (
            _one(left.T, dz, None) if wanted[1] else 0,
            np.dot(ones_of(len(dz), dz.dtype), dz) if wanted[2] else 0,
        )

    dw, dbias = parallel.summed(part, m, m * n * count, 1)
    return dx, dw, dbias


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
