"""Special functions that NumPy lacks, and the tapers of frames before Fourier transforms."""

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


def erf(x: Array) -> Array:
    """The error function: to 4e-7 relative in float32, to 1e-15 in float64."""
    if x.dtype == np.float16:
        return erf(x.astype(np.float32)).astype(np.float16)
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
