"""Normalization of arrays: statistics of columns (batch) and of rows (layer, group), and back.

Columns are worked through in blocks of rows that stay in the cache, with the parameters spread to
the size of a block, so that all elementwise work runs over long flat arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.kernels import parallel
from minikeras.kernels.parallel import each, summed

# Values a block; see the optimizers, which choose alike.
_BLOCK = 16384
# The same where threads share the work: short calls make them wait for each other.
_SHARED_BLOCK = 1 << 16
# The same for normalization of rows, which does more calls a block: larger ones pay.
_ROW_BLOCK = 1 << 18
# Below this many rows one product sums exactly enough in float32.
_ROWS = 4096

Array = np.ndarray


def column_sums(x: Array) -> Array:
    """The sum of each column of a matrix."""
    rows, columns = x.shape
    ones = np.ones(min(rows, _ROWS), x.dtype)
    if rows <= _ROWS:
        return ones @ x
    total = np.zeros(columns, np.float64)
    for start in range(0, rows, _ROWS):
        part = x[start : start + _ROWS]
        total += ones[: len(part)] @ part
    return total.astype(x.dtype)


def _blocks(x: Array, most: int | None = None) -> tuple[int, Iterator[slice]]:
    rows, columns = x.shape
    if most is None:
        most = _BLOCK if parallel.threads() == 1 else _SHARED_BLOCK
    size = min(rows, max(1, most // max(1, columns)))
    return size, (slice(start, start + size) for start in range(0, rows, max(1, size)))


def _spread(size: int, *vectors: Array) -> list[Array]:
    """Each vector repeated over `size` rows: long flat operands are faster than broadcasting."""
    spread = []
    for vector in vectors:
        matrix = np.empty((size, vector.size), vector.dtype)
        matrix[...] = vector
        spread.append(matrix)
    return spread


def column_moments(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each column."""
    rows = max(1, x.shape[0])
    mean = column_sums(x) / x.dtype.type(rows)

    def squares(part: slice) -> Array:
        size, blocks = _blocks(x[part])
        (means,) = _spread(size, mean)
        ones = np.ones(size, x.dtype)
        scratch = np.empty_like(means)
        total = np.zeros(x.shape[1], np.float64)
        for block in blocks:
            rows = x[part][block]
            n = len(rows)
            centered = np.subtract(rows, means[:n], scratch[:n])
            np.multiply(centered, centered, centered)
            total += ones[:n] @ centered
        return total

    return mean, (summed(squares, len(x), x.size) / rows).astype(x.dtype)


def affine_columns(x: Array, scale: Array, shift: Array) -> Array:
    """`x * scale + shift`, by column."""

    def part(x: Array, y: Array) -> None:
        size, blocks = _blocks(x)
        scales, shifts = _spread(size, scale, shift)
        for block in blocks:
            rows = y[block]
            n = len(rows)
            np.multiply(x[block], scales[:n], rows)
            np.add(rows, shifts[:n], rows)

    y = np.empty_like(x)
    each(part, x, y)
    return y


def column_products(dy: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """The column sums of `dy` and of `dy * (x - mean)`."""

    def sums(part: slice) -> tuple[Array, Array]:
        size, blocks = _blocks(x[part])
        (means,) = _spread(size, mean)
        ones = np.ones(size, x.dtype)
        scratch = np.empty_like(means)
        first = np.zeros(x.shape[1], np.float64)
        second = np.zeros(x.shape[1], np.float64)
        for block in blocks:
            rows = dy[part][block]
            n = len(rows)
            product = np.subtract(x[part][block], means[:n], scratch[:n])
            np.multiply(product, rows, product)
            first += ones[:n] @ rows
            second += ones[:n] @ product
        return first, second

    first, second = summed(sums, len(x), x.size)
    return first.astype(x.dtype), second.astype(x.dtype)


def combine_columns(dy: Array, x: Array, a: Array, b: Array, c: Array) -> Array:
    """`dy * a + x * b + c`, by column."""

    def part(dy: Array, x: Array, dx: Array) -> None:
        size, blocks = _blocks(x)
        many_a, many_b, many_c = _spread(size, a, b, c)
        scratch = np.empty_like(many_a)
        for block in blocks:
            rows = dx[block]
            n = len(rows)
            product = np.multiply(x[block], many_b[:n], scratch[:n])
            np.multiply(dy[block], many_a[:n], rows)
            np.add(rows, product, rows)
            np.add(rows, many_c[:n], rows)

    dx = np.empty_like(x)
    each(part, dy, x, dx)
    return dx


def batch_norm_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, needs_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """Gradients through `y = (x - mean) * inverse * scale + offset` with the batch's own moments.

    Args:
        dy: Gradient of the output, a matrix like `x`.
        x: The input, one column a channel.
        mean: Means of the columns.
        inverse: `1 / sqrt(variance + epsilon)` of the columns.
        scale: Factors of the columns.
        needs_dx: Whether the gradient of `x` is wanted.

    Returns:
        The gradients of `x`, of `scale` and of the offset.
    """
    rows = max(1, x.shape[0])
    doffset, products = column_products(dy, x, mean)
    dscale = products * inverse
    if not needs_dx:
        return None, dscale, doffset
    # dx = scale * inverse * (dy - mean(dy) - normalized * mean(dy * normalized))
    a = scale * inverse
    b = -a * inverse * dscale / rows
    c = -a * doffset / rows - b * mean
    return combine_columns(dy, x, a, b, c.astype(x.dtype)), dscale, doffset


def normalize_rows(
    x: Array,
    epsilon: float,
    center: bool = True,
    gamma: Array | None = None,
    beta: Array | None = None,
) -> tuple[Array, Array, Array]:
    """`(x - mean) / sqrt(variance + epsilon)` of each row, times `gamma`, plus `beta`.

    Without `center` the root mean square takes the place of the deviation.

    Returns:
        The result, the normalized rows, and `1 / sqrt(variance + epsilon)` as a column.
    """
    rows, columns = x.shape
    weights = np.full(columns, 1 / max(1, columns), x.dtype)
    normal, inverse = np.empty_like(x), np.empty((rows, 1), x.dtype)
    y = normal if gamma is None and beta is None else np.empty_like(x)

    def normalize(x: Array, normal: Array, inverse: Array, y: Array) -> None:
        for block in _blocks(x, _ROW_BLOCK)[1]:
            part, out, factor = x[block], normal[block], inverse[block]
            if center:
                part = np.subtract(part, (part @ weights)[:, None], out)
            np.vecdot(part, part, out=factor[:, 0])
            factor /= max(1, columns)
            factor += x.dtype.type(epsilon)
            np.sqrt(factor, factor)
            np.divide(x.dtype.type(1), factor, factor)
            np.multiply(part, factor, out)
            if gamma is not None:
                out = np.multiply(out, gamma, y[block])
            if beta is not None:
                np.add(out, beta, y[block])

    # OpenBLAS raises the flag of invalid numbers now and then while it multiplies finite ones.
    with np.errstate(invalid="ignore"):
        each(normalize, x, normal, inverse, y, smallest=_ROW_BLOCK)
    return y, normal, inverse


def normalize_rows_backward(
    dy: Array,
    normal: Array,
    inverse: Array,
    center: bool = True,
    gamma: Array | None = None,
    needs_dx: bool = True,
) -> tuple[Array | None, Array, Array]:
    """Gradients through `normalize_rows`.

    Returns:
        The gradients of `x`, of `gamma` and of `beta`.
    """
    columns = dy.shape[1]
    weights = np.full(columns, 1 / max(1, columns), dy.dtype)
    dx = np.empty_like(normal) if needs_dx else None

    def back(part: slice) -> tuple[Array, Array]:
        size, blocks = _blocks(dy[part], _ROW_BLOCK)
        ones, scratch = np.ones(size, dy.dtype), np.empty((size, columns), dy.dtype)
        dgamma, dbeta = np.zeros(columns, np.float64), np.zeros(columns, np.float64)
        for block in blocks:
            g, unit = dy[part][block], normal[part][block]
            n = len(g)
            dgamma += ones[:n] @ np.multiply(g, unit, scratch[:n])
            dbeta += ones[:n] @ g
            if dx is None:
                continue
            if gamma is not None:
                g = np.multiply(g, gamma, scratch[:n])
            out = dx[part][block]
            products = np.vecdot(g, unit)[:, None]
            products /= max(1, columns)
            np.multiply(unit, products, out)
            np.subtract(g, out, out)
            if center:
                out -= (g @ weights)[:, None]
            out *= inverse[part][block]
        return dgamma, dbeta

    dgamma, dbeta = summed(back, len(dy), dy.size, _ROW_BLOCK)
    return dx, dgamma.astype(dy.dtype), dbeta.astype(dy.dtype)


def last(x: Array, axes: tuple[int, ...]) -> Array:
    """`x` with `axes` (sorted) moved to the end."""
    if axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return x
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    return np.ascontiguousarray(x.transpose(*rest, *axes))


def back(x: Array, axes: tuple[int, ...]) -> Array:
    """The inverse of `last`."""
    if axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return x
    rest: list[Any] = [axis for axis in range(x.ndim) if axis not in axes]
    return np.ascontiguousarray(x.transpose(np.argsort([*rest, *axes])))
