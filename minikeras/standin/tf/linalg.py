"""`tf.linalg`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.ops.base import array_of
from minikeras.standin.tf import named, public
from minikeras.standin.tf.math import l2_normalize  # noqa: F401
from minikeras.standin.tf.tensors import convert_to_tensor
from minikeras.standin.tf.top import FUNCTIONS as _TOP
from minikeras.standin.tf.top import eye, matmul  # noqa: F401
from minikeras.standin.tf.top import linalg_global_norm as global_norm  # noqa: F401

ops: Any = _ops
norm, einsum, tensordot = (_TOP[one] for one in ("norm", "einsum", "tensordot"))


def diag(diagonal: Any, name: Any = "diag", k: int = 0, **_: Any) -> Any:
    """Matrices with these diagonals."""
    diagonal = convert_to_tensor(diagonal)
    count = diagonal.shape[-1]
    if k:
        return ops.diag(diagonal, k)
    return ops.multiply(ops.expand_dims(diagonal, -1), np.eye(count, dtype=diagonal.dtype))


def diag_part(input: Any, name: Any = "diag_part", k: int = 0, **_: Any) -> Any:
    """The diagonals of matrices."""
    return ops.diagonal(convert_to_tensor(input), k, -2, -1)


def set_diag(input: Any, diagonal: Any, name: Any = "set_diag", k: int = 0, **_: Any) -> Any:
    """Matrices with other diagonals."""
    input, diagonal = convert_to_tensor(input), convert_to_tensor(diagonal)
    if k:
        raise NotImplementedError("tf.linalg.set_diag sets the main diagonal, k=0, alone here.")
    on = np.eye(*input.shape[-2:]) == 1
    short = input.shape[-2] - diagonal.shape[-1]
    columns = ops.expand_dims(diagonal, -1)
    if short > 0:
        columns = ops.pad(columns, [(0, 0)] * (len(columns.shape) - 2) + [(0, short), (0, 0)])
    return ops.where(on, columns, input)


def band_part(input: Any, num_lower: Any, num_upper: Any, name: Any = None) -> Any:
    """Matrices with zeros outside of a band; -1 keeps all on that side."""
    input, lower, upper = convert_to_tensor(input), int(num_lower), int(num_upper)
    distance = np.arange(input.shape[-1]) - np.arange(input.shape[-2])[:, None]
    keep = (distance >= -lower if lower >= 0 else True) & (
        distance <= upper if upper >= 0 else True
    )
    return ops.where(np.broadcast_to(keep, distance.shape), input, ops.zeros_like(input))


def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, *_: Any, **__: Any
) -> Any:
    """Products of matrices and vectors."""
    product = matmul(a, ops.expand_dims(convert_to_tensor(b), -1), transpose_a, False, adjoint_a)
    return ops.squeeze(product, -1)


def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: Any = None) -> Any:
    """What, times the matrix, is `rhs`."""
    matrix = convert_to_tensor(matrix)
    return ops.solve(ops.swapaxes(matrix, -1, -2) if adjoint else matrix, rhs)


def triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: Any = None
) -> Any:
    """`solve` for a triangular matrix."""
    matrix = convert_to_tensor(matrix)
    if adjoint:
        matrix, lower = ops.swapaxes(matrix, -1, -2), not lower
    return ops.solve_triangular(matrix, rhs, lower=lower)


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: Any = None) -> Any:
    """Singular values; with vectors as (s, u, v)."""
    if not compute_uv:
        return ops.svd(tensor, full_matrices, False)
    u, s, vh = ops.svd(tensor, full_matrices, True)
    return s, u, ops.swapaxes(vh, -1, -2)


def lstsq(
    matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: Any = None
) -> Any:
    """The least-squares solution."""
    if l2_regularizer:
        a = convert_to_tensor(matrix)
        at = ops.swapaxes(a, -1, -2)
        square = ops.add(
            ops.matmul(at, a), l2_regularizer * np.eye(a.shape[-1], dtype=np.dtype(a.dtype))
        )
        return ops.solve(square, ops.matmul(at, rhs))
    return ops.lstsq(matrix, rhs)


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: Any = None) -> tuple:
    """A tensor over its norm, and the norm."""
    length = norm(tensor, ord, axis, True)
    return ops.divide(tensor, length), length


def tensor_diag(diagonal: Any, name: Any = None) -> Any:
    """A tensor of twice the axes, with these values on its diagonal."""
    diagonal = convert_to_tensor(diagonal)
    shape = tuple(diagonal.shape)
    return ops.reshape(ops.diag(ops.reshape(diagonal, (-1,))), (*shape, *shape))


def slogdet(input: Any, name: Any = None) -> tuple:
    """Sign and logarithm of determinants."""
    return tuple(ops.slogdet(input))


def eigh(tensor: Any, name: Any = None) -> tuple:
    """Eigenvalues and eigenvectors of symmetric matrices."""
    return tuple(ops.eigh(tensor))


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: Any = None) -> Any:
    """How many singular values are not (next to) 0."""
    values = array_of(ops.svd(a, compute_uv=False))
    if tol is None:
        largest = values.max(-1, initial=0)
        tol = largest * max(np.shape(a)[-2:]) * np.finfo(values.dtype).eps
    return (values > np.expand_dims(array_of(tol), -1)).sum(-1)


def expm(input: Any, name: Any = None) -> Any:
    """The exponential of matrices, by scaling and a Taylor series. It has gradients."""
    input = convert_to_tensor(input)
    size = float(np.abs(array_of(input)).sum(-1).max(initial=0.0))
    halvings = max(0, int(np.ceil(np.log2(size))) + 2) if size > 0 else 0
    small = ops.divide(input, 2.0**halvings)
    term = total = ops.add(
        ops.zeros_like(input), np.eye(input.shape[-1], dtype=np.dtype(input.dtype))
    )
    for order in range(1, 19):
        term = ops.divide(ops.matmul(term, small), float(order))
        total = ops.add(total, term)
    for _ in range(halvings):
        total = ops.matmul(total, total)
    return total


FUNCTIONS: dict[str, Callable] = {
    "adjoint": lambda matrix, name=None: ops.conj(ops.swapaxes(convert_to_tensor(matrix), -1, -2)),
    "cholesky": lambda input, name=None: ops.cholesky(input),
    "cross": lambda a, b, name=None: ops.cross(a, b),
    "det": lambda input, name=None: ops.det(input),
    "eig": lambda tensor, name=None: tuple(ops.eig(tensor)),
    "eigvalsh": lambda tensor, name=None: ops.eigh(tensor)[0],
    "inv": lambda input, adjoint=False, name=None: ops.inv(
        ops.swapaxes(convert_to_tensor(input), -1, -2) if adjoint else input
    ),
    "logdet": lambda matrix, name=None: ops.logdet(matrix),
    "matrix_transpose": lambda a, name=None, conjugate=False: ops.swapaxes(
        convert_to_tensor(a), -1, -2
    ),
    "pinv": lambda a, rcond=None, validate_args=False, name=None: ops.pinv(a),
    "qr": lambda input, full_matrices=False, name=None: tuple(
        ops.qr(input, "complete" if full_matrices else "reduced")
    ),
    "trace": lambda x, name=None: ops.trace(convert_to_tensor(x), 0, -2, -1),
}
globals().update(named(__name__, FUNCTIONS))
__all__ = public(
    globals(), "einsum", "eye", "global_norm", "l2_normalize", "matmul", "norm", "tensordot"
)
