"""Linear algebra: decompositions, solutions and norms, with their derivatives.

The formulas are those of Giles (2008), "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation", and of Seeger et al. (2017), "Auto-differentiating linear
algebra".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops import reductions
from minikeras.ops.arithmetic import multiply, power
from minikeras.ops.base import Kernel, canonical_axes, composite, static, tensor
from minikeras.ops.control_flow import jvp
from minikeras.ops.core import cast
from minikeras.ops.elementwise import absolute, real, sqrt
from minikeras.ops.products import matmul
from minikeras.ops.shaping import expand_dims, moveaxis, squeeze, swapaxes

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor",
    "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _t(x: np.ndarray) -> np.ndarray:
    """The conjugate transpose of matrices."""
    return np.conj(np.swapaxes(x, -1, -2))


def _matrices(x: Any, name: str, square: bool = True) -> None:
    shape = tuple(x.shape)
    if len(shape) < 2:
        raise ValueError(
            f"`{name}` needs matrices: a tensor of at least 2 axes. Received shape: {shape}"
        )
    if square and shape[-1] != shape[-2] and None not in shape[-2:]:
        raise ValueError(f"`{name}` needs square matrices. Received shape: {shape}")


class _Linalg(Kernel):
    """An operation on matrices; float16 is computed in float32."""

    square = True

    def forward(self, ctx: Any, x: Any, *rest: Any) -> Any:
        _matrices(x, type(self).__name__.lower(), self.square)
        ctx.dtype = x.dtype
        dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(config.floatx())
        wide = np.dtype("float32") if dtype == np.float16 else dtype
        try:
            result = self.compute(ctx, x.astype(wide, copy=False), *rest)
        except np.linalg.LinAlgError as error:
            raise ValueError(f"{type(self).__name__} failed: {error}.") from error
        if isinstance(result, tuple):
            return tuple(self.narrow(one, wide, dtype) for one in result)
        return self.narrow(result, wide, dtype)

    @staticmethod
    def narrow(x: np.ndarray, wide: np.dtype, dtype: np.dtype) -> np.ndarray:
        return x.astype(dtype) if x.dtype == wide != dtype else np.asarray(x)

    def compute(self, ctx: Any, x: np.ndarray) -> Any:
        """The result; saves what `backward` reads."""
        raise NotImplementedError


class Cholesky(_Linalg):
    """The triangular root of a positive definite matrix."""

    upper: bool = False

    def compute(self, ctx: Any, x: Any) -> Any:
        try:
            lower = np.linalg.cholesky(x)
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "Cholesky decomposition failed: the matrix is not positive definite."
            ) from error
        ctx.save(lower)
        return _t(lower) if self.upper else lower

    def backward(self, ctx: Any, dy: Any) -> Any:
        (lower,) = ctx.saved
        dy = _t(dy) if self.upper else dy
        phi = np.tril(_t(lower) @ dy)
        phi[..., range(phi.shape[-1]), range(phi.shape[-1])] *= 0.5
        inner = np.linalg.solve(_t(lower), phi)
        dx = _t(np.linalg.solve(_t(lower), _t(inner)))
        return (dx + _t(dx)) / 2


class Det(_Linalg):
    """Determinant."""

    def compute(self, ctx: Any, x: Any) -> Any:
        y = np.linalg.det(x)
        ctx.save(x, y)
        return np.asarray(y, x.dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, y = ctx.saved
        return (dy * np.conj(y))[..., None, None] * _t(np.linalg.inv(x))


class Logdet(_Linalg):
    """Logarithm of the determinant of a positive definite matrix."""

    def compute(self, ctx: Any, x: Any) -> Any:
        ctx.save(x)
        sign, y = np.linalg.slogdet(x)
        if np.any(np.real(sign) <= 0):
            raise ValueError("`logdet` needs positive definite matrices; see also `slogdet`.")
        return np.asarray(y)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy[..., None, None] * _t(np.linalg.inv(ctx.saved[0]))


class Slogdet(_Linalg):
    """Sign, and logarithm of the size, of the determinant."""

    def compute(self, ctx: Any, x: Any) -> Any:
        ctx.save(x)
        sign, y = np.linalg.slogdet(x)
        return np.asarray(sign), np.asarray(y)

    def backward(self, ctx: Any, dsign: Any, dy: Any) -> Any:
        return None if dy is None else dy[..., None, None] * _t(np.linalg.inv(ctx.saved[0]))


class Inv(_Linalg):
    """Inverse of a matrix."""

    def compute(self, ctx: Any, x: Any) -> Any:
        y = np.linalg.inv(x)
        ctx.save(y)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        (y,) = ctx.saved
        return -_t(y) @ dy @ _t(y)

    def compute_output_spec(self, x: Any) -> Any:
        _matrices(x, "inv")
        return KerasTensor(x.shape, dtype=x.dtype)


class Eigh(_Linalg):
    """Eigenvalues and eigenvectors of a symmetric matrix."""

    def compute(self, ctx: Any, x: Any) -> Any:
        w, v = np.linalg.eigh(x)
        ctx.save(w, v)
        return w.astype(x.dtype, copy=False), v

    def backward(self, ctx: Any, dw: Any, dv: Any) -> Any:
        w, v = ctx.saved
        inner = np.zeros(v.shape, v.dtype)
        if dv is not None:
            gap = w[..., None, :] - w[..., :, None]
            with np.errstate(divide="ignore"):
                factor = np.where(gap == 0, 0, 1 / np.where(gap == 0, 1, gap))
            inner = factor * (_t(v) @ dv)
        if dw is not None:
            inner = inner + dw[..., None, :] * np.eye(w.shape[-1])
        dx = v @ inner @ _t(v)
        return (dx + _t(dx)) / 2


class Eig(_Linalg):
    """Eigenvalues and eigenvectors of a matrix."""

    def compute(self, ctx: Any, x: Any) -> Any:
        w, v = np.linalg.eig(x)
        dtype = np.result_type(x.dtype, np.complex64)
        return w.astype(dtype), v.astype(dtype)


class LuFactor(_Linalg):
    """LU decomposition with row exchanges."""

    square = False

    def compute(self, ctx: Any, x: Any) -> Any:
        _matrices(x, "lu_factor", False)
        lu = np.array(x)
        m, n = x.shape[-2:]
        flat = lu.reshape(-1, m, n)
        order = np.tile(np.arange(m), (len(flat), 1))
        for a, rows in zip(flat, order):
            for k in range(min(m, n)):
                pivot = k + int(np.argmax(np.abs(a[k:, k])))
                if pivot != k:
                    a[[k, pivot]] = a[[pivot, k]]
                    rows[[k, pivot]] = rows[[pivot, k]]
                if a[k, k] != 0:
                    a[k + 1 :, k] /= a[k, k]
                    a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
        inverse = np.argsort(order, -1).astype("int32")
        return flat.reshape(x.shape), inverse.reshape(*x.shape[:-2], m)


class Qr(_Linalg):
    """QR decomposition."""

    mode: str = "reduced"
    square = False

    def compute(self, ctx: Any, x: Any) -> Any:
        q, r = np.linalg.qr(x, self.mode)  # type: ignore[call-overload]
        ctx.save(q, r)
        return q, r

    def backward(self, ctx: Any, dq: Any, dr: Any) -> Any:
        q, r = ctx.saved
        m, n = q.shape[-2], r.shape[-1]
        if q.shape[-1] != r.shape[-2] or m < n or q.shape[-1] != n:
            raise NotImplementedError(
                "`qr` has a gradient for matrices with at least as many rows as columns and"
                " mode='reduced'."
            )
        dq = np.zeros_like(q) if dq is None else dq
        dr = np.zeros_like(r) if dr is None else dr
        inner = r @ _t(dr) - _t(dq) @ q
        inner = np.tril(inner, -1) + _t(np.tril(inner, -1)) + inner * np.eye(n)
        return _t(np.linalg.solve(r, _t(dq + q @ inner)))


class SVD(_Linalg):
    """Singular value decomposition."""

    full_matrices: bool = True
    compute_uv: bool = True
    square = False

    def compute(self, ctx: Any, x: Any) -> Any:
        if not self.compute_uv:
            if not ctx.recording:
                return np.linalg.svd(x, compute_uv=False)
            u, s, vh = np.linalg.svd(x, full_matrices=False)
            ctx.save(u, s, vh)
            return s
        u, s, vh = np.linalg.svd(x, full_matrices=self.full_matrices)
        ctx.save(u, s, vh)
        return u, s, vh

    def backward(self, ctx: Any, *douts: Any) -> Any:
        u, s, vh = ctx.saved
        k = s.shape[-1]
        if len(douts) == 1:
            return u @ (douts[0][..., None] * vh)
        du, ds, dvh = douts
        if (du is not None or dvh is not None) and (u.shape[-1] != k or vh.shape[-2] != k):
            raise NotImplementedError(
                "`svd` has a gradient of its vectors for full_matrices=False only."
            )
        u, vh = u[..., :k], vh[..., :k, :]
        v = _t(vh)
        gap = s[..., None, :] ** 2 - s[..., :, None] ** 2
        factor = np.where(gap == 0, 0, 1 / np.where(gap == 0, 1, gap))
        inner = np.zeros((*s.shape, k), s.dtype)
        dx: Any = 0
        inverse = 1 / s
        if du is not None:
            part = factor * (_t(u) @ du)
            inner = inner + (part + _t(part)) * s[..., None, :]
            dx = dx + ((du - u @ (_t(u) @ du)) * inverse[..., None, :]) @ vh
        if dvh is not None:
            dv = _t(dvh)
            part = factor * (vh @ dv)
            inner = inner + s[..., :, None] * (part + _t(part))
            dx = dx + (u * inverse[..., None, :]) @ (_t(dv) - (_t(dv) @ v) @ vh)
        if ds is not None:
            inner = inner + ds[..., None] * np.eye(k)
        return u @ inner @ vh + dx


class Solve(Kernel):
    """Solution of linear equations."""

    def solve(self, a: Any, b: Any, adjoint: bool = False) -> Any:
        return np.linalg.solve(_t(a) if adjoint else a, b)

    def mask(self, da: Any) -> Any:
        return da

    def forward(self, ctx: Any, a: Any, b: Any) -> Any:
        _matrices(a, "solve")
        dtype = np.result_type(a.dtype, b.dtype)
        if dtype.kind not in "fc":
            dtype = np.dtype(config.floatx())
        wide = np.dtype("float32") if dtype == np.float16 else dtype
        ctx.vector = b.ndim == a.ndim - 1
        a, b = a.astype(wide, copy=False), b.astype(wide, copy=False)
        b = b[..., None] if ctx.vector else b
        try:
            y = self.solve(a, b)
        except np.linalg.LinAlgError as error:
            raise ValueError(f"The equations have no unique solution: {error}.") from error
        except ValueError as error:
            raise ValueError(
                f"The shapes do not fit: a has {a.shape}, b has {b.shape}."
            ) from error
        ctx.save(a, y)
        return (y[..., 0] if ctx.vector else y).astype(dtype, copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        from minikeras.ops.base import unbroadcast

        a, y = ctx.saved
        dy = dy[..., None] if ctx.vector else dy
        db = self.solve(a, dy, adjoint=True)
        da = self.mask(unbroadcast(-db @ _t(y), a.shape))
        return da, db[..., 0] if ctx.vector else db

    def compute_output_spec(self, a: Any, b: Any) -> Any:
        _matrices(a, "solve")
        return KerasTensor(b.shape, dtype=dtypes.result_type(a.dtype, b.dtype))


class SolveTriangular(Solve):
    """Solution of linear equations with a triangular matrix."""

    lower: bool = False

    def triangle(self, a: Any) -> Any:
        return np.tril(a) if self.lower else np.triu(a)

    mask = triangle

    def solve(self, a: Any, b: Any, adjoint: bool = False) -> Any:
        a = self.triangle(a)
        a = _t(a) if adjoint else a
        forward = self.lower != adjoint
        n = a.shape[-1]
        y = np.array(np.broadcast_to(b, np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:]))
        for i in range(n) if forward else range(n - 1, -1, -1):
            known = slice(0, i) if forward else slice(i + 1, n)
            y[..., i, :] -= np.einsum("...k,...kj->...j", a[..., i, known], y[..., known, :])
            y[..., i, :] /= a[..., i, i, None]
        return y


class Pinv(_Linalg):
    """Pseudoinverse."""

    rcond: Any = None
    square = False

    def compute(self, ctx: Any, x: Any) -> Any:
        rcond = self.rcond
        if rcond is None:
            rcond = 10 * max(x.shape[-2:]) * np.finfo(x.dtype).eps
        y = np.linalg.pinv(x, rcond)
        ctx.save(x, y)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        a, y = ctx.saved
        left = np.eye(a.shape[-2], dtype=a.dtype) - a @ y
        right = np.eye(a.shape[-1], dtype=a.dtype) - y @ a
        return -_t(y) @ dy @ _t(y) + left @ _t(dy) @ y @ _t(y) + _t(y) @ y @ _t(dy) @ right


class MatrixRank(_Linalg):
    """Rank of a matrix."""

    tol: Any = None
    square = False

    def compute(self, ctx: Any, x: Any) -> Any:
        s = np.linalg.svd(x, compute_uv=False)
        tol = self.tol
        if tol is None:
            tol = s.max(-1, keepdims=True) * max(x.shape[-2:]) * np.finfo(x.dtype).eps
        return np.asarray((s > tol).sum(-1), "int32")


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
    _matrices(x, "cholesky_inverse")
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
        function = {"nuc": reductions.sum, 2: reductions.max, -2: reductions.min}[ord]
        result = function(values, axis=-1)
        return expand_dims(result, sorted(axes)) if keepdims else result
    raise ValueError(f"Invalid `ord` argument for matrix norm. Received: ord={ord}")


def _squares(x: Any) -> Any:
    from minikeras.ops.elementwise import conj

    if str(x.dtype).startswith("complex"):
        return real(multiply(x, conj(x)))
    return multiply(x, x)

