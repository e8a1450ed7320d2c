"""Linear algebra: decompositions, solutions and norms."""

# ruff: noqa: E501 - the tables are aligned, one operation a line

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.ops import reductions
from minikeras.ops.base import canonical_axes, composite, static, tensor
from minikeras.ops.control_flow import jvp
from minikeras.ops.core import cast
from minikeras.ops.decompositions import (
    SVD,
    Cholesky,
    Det,
    Eig,
    Eigh,
    Inv,
    Logdet,
    LuFactor,
    MatrixRank,
    Pinv,
    Qr,
    Slogdet,
    Solve,
    SolveTriangular,
    check_matrices,
)
from minikeras.ops.elementwise import absolute, multiply, power, real, sqrt
from minikeras.ops.products import matmul
from minikeras.ops.shaping import expand_dims, moveaxis, squeeze, swapaxes

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor",
    "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _simple(name: str, kind: Any, summary: str) -> Any:
    def function(x: Any) -> Any:
        return kind()(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{summary}\n\n    Args:\n        x: Tensor of shape (..., n, n).\n\n    Raises:\n"
        "        ValueError: if the matrices are not square, or the decomposition fails.\n\n"
        f"    Example:\n\n    >>> import minikeras\n"
        f"    >>> result = minikeras.ops.{name}([[2.0, 0.0], [0.0, 3.0]])\n    "
    )
    return function


# fmt: off
det       = _simple("det",       Det,      "Determinants of square matrices.")
logdet    = _simple("logdet",    Logdet,   "Logarithms of the determinants of positive definite matrices.")
slogdet   = _simple("slogdet",   Slogdet,  "Signs, and logarithms of the sizes, of determinants.")
inv       = _simple("inv",       Inv,      "Inverses of square matrices.")
eigh      = _simple("eigh",      Eigh,     "Eigenvalues (ascending) and eigenvectors of symmetric matrices.")
eig       = _simple("eig",       Eig,      "Eigenvalues and eigenvectors of square matrices, as complex numbers; without gradient.")
lu_factor = _simple("lu_factor", LuFactor, "LU decomposition in one matrix, and where each row went; without gradient.")
# fmt: on


def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangular L with L Lᵀ = x, for positive definite x (the transpose of L if `upper`).

    Raises:
        ValueError: if x is not positive definite.

    Example:

    >>> import minikeras
    >>> minikeras.ops.cholesky([[4.0, 0.0], [0.0, 9.0]]).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    return Cholesky(upper)(x)


@composite
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of a matrix, from its Cholesky root.

    >>> import minikeras
    >>> minikeras.ops.cholesky_inverse([[2.0]]).tolist()
    [[0.25]]
    """
    x = tensor(x)
    check_matrices(x, "cholesky_inverse")
    unit = np.eye(x.shape[-1], dtype=dtypes.to_numpy_dtype(x.dtype))
    root = solve_triangular(x, np.broadcast_to(unit, x.shape), lower=not upper)
    other = swapaxes(root, -1, -2)
    return matmul(root, other) if upper else matmul(other, root)


def qr(x: Any, mode: str = "reduced") -> Any:
    """Orthogonal and upper triangular factors: x = q r.

    Args:
        x: Tensor of shape (..., m, n).
        mode: `"reduced"` (default) or `"complete"`.

    Raises:
        ValueError: for another `mode`.

    Example:

    >>> import minikeras
    >>> q, r = minikeras.ops.qr(minikeras.ops.eye(2))
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(
            "`mode` argument value not supported. Expected one of {'reduced', 'complete'}."
            f" Received: mode={mode}"
        )
    return Qr(mode)(x)


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular value decomposition: x = u diag(s) vh.

    Args:
        x: Tensor of shape (..., m, n).
        full_matrices: Boolean, default True. Whether u and vh are square.
        compute_uv: Boolean, default True. False returns s alone.

    Returns:
        Tuple (u, s, vh), or s.

    Example:

    >>> import minikeras
    >>> minikeras.ops.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).tolist()
    [4.0, 3.0]
    """
    return SVD(full_matrices, compute_uv)(x)


def solve(a: Any, b: Any) -> Any:
    """The x with a x = b.

    Args:
        a: Tensor of shape (..., n, n).
        b: Tensor of shape (..., n) or (..., n, m).

    Raises:
        ValueError: if `a` is singular or the shapes do not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 4.0]).tolist()
    [1.0, 1.0]
    """
    return Solve()(a, b)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The x with a x = b, for triangular `a`; what is on its other side is not read.

    >>> import minikeras
    >>> minikeras.ops.solve_triangular([[2.0, 0.0], [0.0, 4.0]], [2.0, 4.0]).tolist()
    [1.0, 1.0]
    """
    return SolveTriangular(lower)(a, b)


def pinv(x: Any, rcond: Any = None) -> Any:
    """Pseudoinverse (Moore and Penrose).

    Args:
        x: Tensor of shape (..., m, n).
        rcond: Number: singular values up to this part of the largest count as zero.

    Example:

    >>> import minikeras
    >>> minikeras.ops.pinv([[2.0]]).shape
    (1, 1)
    """
    return Pinv(static(rcond))(x)


def matrix_rank(x: Any, tol: Any = None) -> Any:
    """The number of singular values above `tol`, as int32.

    >>> import minikeras
    >>> int(minikeras.ops.matrix_rank([[1.0, 1.0], [1.0, 1.0]]))
    1
    """
    return MatrixRank(static(tol))(x)


@composite(tensors=2)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The x that makes |a x - b| least, and of these the shortest.

    Args:
        a: Tensor of shape (m, n).
        b: Tensor of shape (m,) or (m, k).
        rcond: Number: singular values up to this part of the largest count as zero.

    Raises:
        ValueError: if the shapes do not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.lstsq([[1.0], [1.0]], [1.0, 3.0]).shape
    (1,)
    """
    a, b = tensor(a), tensor(b)
    if len(a.shape) != 2 or len(b.shape) not in (1, 2):
        raise TypeError(
            "`lstsq` needs a matrix `a`, and `b` of one or two axes. Received shapes:"
            f" {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if a.shape[0] != b.shape[0]:
        raise ValueError(
            f"Leading dimensions of input arrays must match. Received: {a.shape} and {b.shape}"
        )
    eps = float(np.finfo(dtypes.to_numpy_dtype(a.dtype)).eps)
    rcond = eps * max(a.shape) if rcond is None else (eps if rcond < 0 else rcond)
    inverse = pinv(a, rcond=rcond)
    if len(b.shape) == 1:
        return squeeze(matmul(inverse, expand_dims(b, -1)), -1)
    return matmul(inverse, b)


@composite
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norms of vectors or matrices.

    Args:
        x: Tensor.
        ord: Of vectors: a number, or ±inf. Of matrices: `"fro"`, `"nuc"`, 1, -1, 2, -2, ±inf.
            Defaults to the root of the sum of squares.
        axis: Integer: vectors along it. Two integers: matrices. None (default): all axes, which
            must be one or two if `ord` is given.
        keepdims: Boolean, default False.

    Raises:
        ValueError: for another `ord`.

    Example:

    >>> import minikeras
    >>> float(minikeras.ops.norm([3.0, 4.0]))
    5.0
    """
    x = tensor(x)
    axes = canonical_axes(axis, len(x.shape))
    dtype = config.floatx() if str(x.dtype) == "int64" else dtypes.result_type(x.dtype, float)
    x = cast(x, dtype)
    if len(axes) > 2 and ord is None or not axes:
        return sqrt(reductions.sum(_squares(x), axis=axes, keepdims=keepdims))
    if len(axes) == 1:
        if ord is None or ord == 2:
            return sqrt(reductions.sum(_squares(x), axis=axes, keepdims=keepdims))
        if isinstance(ord, str):
            raise ValueError(f"Invalid `ord` argument for vector norm. Received: ord={ord}")
        if ord in (float("inf"), float("-inf")):
            function = reductions.max if ord > 0 else reductions.min
            return function(absolute(x), axis=axes, keepdims=keepdims)
        if ord == 0:
            return reductions.sum(cast(x != 0, dtype), axis=axes, keepdims=keepdims)
        total = reductions.sum(power(absolute(x), ord), axis=axes, keepdims=keepdims)
        return power(total, 1.0 / ord)
    if len(axes) != 2:
        raise ValueError(f"Invalid axis values. Received: axis={axis}")
    if ord is None or ord == "fro":
        return sqrt(reductions.sum(_squares(x), axis=axes, keepdims=keepdims))
    if ord in (1, -1, float("inf"), float("-inf")):
        inner, outer = axes if abs(ord) == 1 else axes[::-1]
        sums = reductions.sum(absolute(x), axis=inner, keepdims=True)
        function = reductions.max if ord > 0 else reductions.min
        result = function(sums, axis=outer, keepdims=True)
        return result if keepdims else squeeze(result, axes)
    if ord in ("nuc", 2, -2):
        values = svd(moveaxis(x, axes, (-2, -1)), compute_uv=False)
        reduce: Any = {"nuc": reductions.sum, 2: reductions.max, -2: reductions.min}[ord]
        result = reduce(values, axis=-1)
        return expand_dims(result, sorted(axes)) if keepdims else result
    raise ValueError(f"Invalid `ord` argument for matrix norm. Received: ord={ord}")


def _squares(x: Any) -> Any:
    from minikeras.ops.elementwise import conj

    if str(x.dtype).startswith("complex"):
        return real(multiply(x, conj(x)))
    return multiply(x, x)
