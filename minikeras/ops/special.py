"""Special functions on arrays, which NumPy lacks."""

from __future__ import annotations

import math

import numpy as np

from minikeras.kernels.special import erf as _erf

_SQRT_PI = math.sqrt(math.pi)


def gauss(x: np.ndarray) -> np.ndarray:
    """2/√π exp(-x²), the derivative of erf."""
    return np.exp(-x * x) * x.dtype.type(2 / _SQRT_PI)


# Cody (1969), "Rational Chebyshev approximations for the error function". Relative errors below
# 6e-19 in exact arithmetic; coefficients from the highest power down.
_A = (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
      3.77485237685302021e2, 3.20937758913846947e3)  # fmt: skip
_B = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
      2.84423683343917062e3)  # fmt: skip
_C = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
      2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
      1.23033935479799725e3)  # fmt: skip
_D = (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
      1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
      1.23033935480374942e3)  # fmt: skip
_P = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
      1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4)  # fmt: skip
_Q = (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
      6.05183413124413191e-2, 2.33520497626869185e-3)  # fmt: skip


def _erfc(x: np.ndarray) -> np.ndarray:
    dtype = x.dtype
    x = x.astype("float64")
    size = np.abs(x)
    low = size <= 0.46875
    z = np.where(low, x * x, 0.0)
    near = x * np.polyval(_A, z) / np.polyval(_B, z)
    with np.errstate(all="ignore"):
        middle = np.clip(size, 0.46875, 4.0)
        tail = np.polyval(_C, middle) / np.polyval(_D, middle)
        far = np.maximum(size, 4.0)
        inverse = 1.0 / (far * far)
        ratio = inverse * np.polyval(_P, inverse) / np.polyval(_Q, inverse)
        tail = np.where(size <= 4.0, tail, (1 / _SQRT_PI - ratio) / far)
        # exp(-x²) with the square split in two, so that its error is not amplified.
        head = np.trunc(size * 16) / 16
        tail = tail * np.exp(-head * head) * np.exp(-(size - head) * (size + head))
    tail = np.where(np.isinf(x), 0.0, tail)
    y = np.where(low, 1 - near, np.where(x < 0, 2 - tail, tail))
    return np.where(np.isnan(x), np.nan, y).astype(dtype)


def erf(x: np.ndarray) -> np.ndarray:
    """The error function."""
    return np.where(np.isnan(x), x, _erf(x.reshape(-1)).reshape(x.shape))


def erfc(x: np.ndarray) -> np.ndarray:
    """1 - erf(x)."""
    return _erfc(x)


def erfinv(x: np.ndarray) -> np.ndarray:
    """The inverse of erf: Giles's first guess (2012), then Halley's steps on erfc."""
    dtype = x.dtype
    x = x.astype("float64")
    with np.errstate(all="ignore"):
        w = -np.log1p(-x * x)
        a = 0.147
        first = 2 / (math.pi * a) - w / 2
        y = np.sign(x) * np.sqrt(np.sqrt(first * first + w / a) - first)
        size = np.abs(y)
        for _ in range(4):
            # In the tail the difference of complements keeps the digits that 1 - erf loses.
            error = (1 - np.abs(x)) - _erfc(size)
            step = error / gauss(size)
            size = np.where(np.isfinite(step), size - step / (1 + size * step), size)
        y = np.sign(x) * size
    y = np.where(x == 0, 0.0, y)
    y = np.where(np.abs(x) == 1, np.sign(x) * np.inf, y)
    return np.where(np.abs(x) > 1, np.nan, y).astype(dtype)


def i0(x: np.ndarray) -> np.ndarray:
    """Modified Bessel function of the first kind, order 0."""
    return np.i0(x.astype("float64")).astype(x.dtype).reshape(x.shape)


def i1(x: np.ndarray) -> np.ndarray:
    """Modified Bessel function of the first kind, order 1, by its integral.

    I₁(x) = 1/π ∫₀^π exp(x cos t) cos t dt; the trapezoid rule converges geometrically on a period.
    """
    t = (np.arange(512) + 0.5) * (math.pi / 512)
    terms = np.exp(x[..., None].astype("float64") * np.cos(t)) * np.cos(t)
    return terms.mean(-1).astype(x.dtype)


def cbrt(x: np.ndarray) -> np.ndarray:
    """The cube root."""
    return np.cbrt(x)


def sinc(x: np.ndarray) -> np.ndarray:
    """sin(πx) / (πx)."""
    return np.sinc(x).astype(x.dtype, copy=False)


def sinc_derivative(x: np.ndarray) -> np.ndarray:
    """(cos(πx) - sinc(x)) / x, and its limit 0 at 0."""
    safe = np.where(x == 0, 1, x)
    small = np.abs(x) < 1e-3
    value = np.where(small, -(math.pi**2) * x / 3, (np.cos(math.pi * safe) - np.sinc(safe)) / safe)
    return value.astype(x.dtype, copy=False)


def angle(x: np.ndarray) -> np.ndarray:
    """The argument of a complex number; 0 or π for a real one."""
    return np.angle(x).astype(x.real.dtype, copy=False)


def angle_derivative(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The gradient of `angle`; zero on real numbers."""
    if x.dtype.kind != "c":
        return np.zeros_like(dy)
    return dy * 1j * x / (np.abs(x) ** 2)
