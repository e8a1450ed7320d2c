"""Decompositions of matrices and solutions of equations, with their derivatives.

The formulas are those of Giles (2008), "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation", and of Seeger et al. (2017), "Auto-differentiating linear
algebra".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.context import state
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import Kernel


def _t(x: np.ndarray) -> np.ndarray:
    """The conjugate transpose of matrices."""
    return np.conj(np.swapaxes(x, -1, -2))


def check_matrices(x: Any, name: str, square: bool = True) -> None:
    shape = tuple(x.shape)
    if len(shape) < 2:
        raise ValueError(
            f"Input should have rank >= 2. Received: {shape}. `{name}` needs matrices."
        )
    if square and shape[-1] != shape[-2]:
        raise ValueError(f"`{name}` needs square matrices. Received shape: {shape}")


class _Linalg(Kernel):
    """An operation on matrices; float16 is computed in float32."""

    square = True

    def forward(self, ctx: Any, x: Any, *rest: Any) -> Any:
        check_matrices(x, type(self).__name__.lower(), self.square)
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
            if state.inferring:  # made-up values
                return np.zeros_like(x)
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
        if np.any(np.real(sign) <= 0) and not state.inferring:
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
        check_matrices(x, "inv")
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
        check_matrices(x, "lu_factor", False)
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
        check_matrices(a, "solve")
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
            raise ValueError(f"The shapes do not fit: a has {a.shape}, b has {b.shape}.") from error
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
        check_matrices(a, "solve")
        if len(b.shape) not in (len(a.shape) - 1, len(a.shape)):
            raise ValueError(f"The shapes do not fit: a has {a.shape}, b has {b.shape}.")
        rows = b.shape[-1] if len(b.shape) == len(a.shape) - 1 else b.shape[-2]
        if rows not in (a.shape[-1], None):
            raise ValueError(f"The shapes do not fit: a has {a.shape}, b has {b.shape}.")
        return KerasTensor(b.shape, dtype=dtypes.result_type(a.dtype, b.dtype))


class SolveTriangular(Solve):
    """Solution of linear equations with a triangular matrix."""

    lower: bool = False

    def triangle(self, a: Any) -> Any:
        return np.tril(a) if self.lower else np.triu(a)

    def mask(self, da: Any) -> Any:
        return self.triangle(da)

    def solve(self, a: Any, b: Any, adjoint: bool = False) -> Any:
        a = self.triangle(a)
        a = _t(a) if adjoint else a
        forward = self.lower != adjoint
        n = a.shape[-1]
        y = np.array(
            np.broadcast_to(b, np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:])
        )
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
