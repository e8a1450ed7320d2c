"""Contractions of two arrays, written as in `einsum`, on the matrix product."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

Array = np.ndarray


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
        depth = int(np.prod(w.shape[stack : stack + inner]))
        product = (
            x.reshape(*sizes, -1, depth)
            if 0 not in x.shape
            else x.reshape(*sizes, int(np.prod(row_sizes)), depth)
        )
        product = product @ w.reshape(*sizes, depth, int(np.prod(column_sizes)))
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
