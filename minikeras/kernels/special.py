"""Special functions that NumPy lacks, and the tapers of frames before Fourier transforms.

Special functions on arrays, which NumPy lacks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Array = np.ndarray

# erf(x) / x in powers of x^2, for |x| <= 1: its Taylor series.
_ERF_SERIES = [
    2 / math.sqrt(math.pi) * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(18)
]
# exp(x^2) erfc(x) in powers of (x - 2) / (x + 2), for 1 <= x <= 6: an expansion in Chebyshev
# polynomials, to 2e-15.
_ERFC_TAIL = [
    0.2553956763105057,
    -0.42718584741395765,
    0.24165819424250334,
    -0.07897858101585123,
    0.0037328924003708526,
    0.006997461748610515,
    -0.0008471430864316116,
    -0.0009819774409926395,
    4.355240775890251e-05,
    0.0001743702429486772,
    2.7555499551106193e-05,
    -2.7680290503389657e-05,
    -1.4087100176961665e-05,
    1.9339030296871043e-06,
    3.8333666609952825e-06,
]
# erf(x) / x as a ratio of polynomials in x^2, for |x| <= 3.95: minimax, to 2e-8.
_ERF_ABOVE = [
    1.12837914,
    1.91549509e-01,
    5.28753256e-02,
    3.80812097e-03,
    2.84685762e-04,
    2.02590173e-06,
]
_ERF_BELOW = [
    1.0,
    5.03089009e-01,
    1.14559278e-01,
    1.50550123e-02,
    1.17071378e-03,
    3.78316299e-05,
]


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """`sum(c * x**i)` over the coefficients, in a new array (Horner's scheme)."""
    result = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result *= x
        result += coefficient
    return result


def fast_erf(x: Array) -> Array:
    """The error function: to 4e-7 relative in float32, to 1e-15 in float64."""
    if x.dtype == np.float16:
        return fast_erf(x.astype(np.float32)).astype(np.float16)
    if x.dtype == np.float32:
        bounded = np.clip(x, -3.95, 3.95)
        square = bounded * bounded
        bounded *= polynomial(square, _ERF_ABOVE)
        bounded /= polynomial(square, _ERF_BELOW)
        return np.clip(bounded, -1, 1, out=bounded)
    small = np.clip(x, -1, 1)
    small *= polynomial(small * small, _ERF_SERIES)
    size = np.clip(np.abs(x), 1, 6)
    tail = polynomial((size - 2) / (size + 2), _ERFC_TAIL)
    tail *= np.exp(-size * size)
    return np.where(np.abs(x) <= 1, small, np.copysign(1 - tail, x))


# Windows that are sums of cosines, `sum((-1)**k * a[k] * cos(2 * pi * k * t))` for t from 0 to 1
# (Harris 1978, "On the use of windows for harmonic analysis with the discrete Fourier transform").
_COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
_ALIASES = {
    "box": "boxcar",
    "ones": "boxcar",
    "rect": "boxcar",
    "rectangular": "boxcar",
    "hanning": "hann",
    "han": "hann",
    "hamm": "hamming",
    "ham": "hamming",
    "black": "blackman",
    "blk": "blackman",
    "nutl": "nuttall",
    "nut": "nuttall",
    "blackharr": "blackmanharris",
    "bkh": "blackmanharris",
    "flat": "flattop",
    "flt": "flattop",
    "tuk": "tukey",
    "parz": "parzen",
    "par": "parzen",
    "sinc": "lanczos",
    "brthan": "barthann",
    "bth": "barthann",
    "bart": "bartlett",
    "brt": "bartlett",
    "halfcosine": "cosine",
    "triangle": "triang",
    "tri": "triang",
}
NAMES = (
    *_COSINES,
    "bartlett",
    "triang",
    "cosine",
    "bohman",
    "tukey",
    "parzen",
    "barthann",
    "lanczos",
)


def taper(name: str, size: int, periodic: bool = True) -> Array:
    """The window called `name` (as in `scipy.signal.get_window`), float64 of shape `(size,)`.

    Args:
        name: One of `NAMES`.
        size: Number of samples.
        periodic: Whether it continues periodically, instead of being symmetric.

    Raises:
        ValueError: for an unknown name.
    """
    name = _ALIASES.get(name, name)
    if name not in NAMES:
        raise ValueError(
            f"Unknown window {name!r}. Known windows: {', '.join(NAMES)}. Pass any other as"
            " an array of samples."
        )
    if size <= 1:
        return np.ones(size)
    points = size + 1 if periodic else size
    t = np.arange(size) / (points - 1)
    centered = np.abs(2 * t - 1)
    if name == "bartlett":
        return 1 - centered
    if name == "triang":
        # Like Bartlett's, but not 0 at the ends.
        odd = points % 2
        return 1 - np.abs(2 * np.arange(size) - (points - 1)) / (points + odd)
    if name == "tukey":
        # Half of a period of a cosine at either side, level in the middle.
        return np.where(centered > 0.5, 0.5 * (1 + np.cos(2 * np.pi * (centered - 0.5))), 1.0)
    if name == "parzen":
        x = np.abs(2 * np.arange(size) - (points - 1)) / points
        return np.where(x <= 0.5, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)
    if name == "barthann":
        return 0.62 - 0.24 * centered + 0.38 * np.cos(np.pi * centered)
    if name == "lanczos":
        return np.sinc(centered)
    if name == "cosine":
        return np.sin(np.pi * (np.arange(size) + 0.5) / points)
    if name == "bohman":
        window = (1 - centered) * np.cos(np.pi * centered) + np.sin(np.pi * centered) / np.pi
        window[centered >= 1] = 0
        return window
    window = np.zeros(size)
    for k, weight in enumerate(_COSINES[name]):
        window += (-1) ** k * weight * np.cos(2 * np.pi * k * t)
    return window


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
    return np.where(np.isnan(x), x, fast_erf(x.reshape(-1)).reshape(x.shape))


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
