"""Tapers: the windows by which a frame of a signal is multiplied before its Fourier transform."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

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
