"""`tf.signal`: Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf import public
from minikeras.standin.tf.tensors import convert_to_tensor

ops: Any = _ops


def _complex_of(array: np.ndarray) -> str:
    return "complex128" if array.dtype in ("float64", "complex128") else "complex64"


def fft(input: Any, name: Any = None) -> Any:
    """The Fourier transform along the last axis."""
    array = array_of(input)
    return Tensor(np.fft.fft(array).astype(_complex_of(array)))


def ifft(input: Any, name: Any = None) -> Any:
    """The inverse of `fft`."""
    array = array_of(input)
    return Tensor(np.fft.ifft(array).astype(_complex_of(array)))


def rfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The Fourier transform of real numbers."""
    array = array_of(input_tensor)
    count = None if fft_length is None else int(np.ravel(array_of(fft_length))[0])
    return Tensor(np.fft.rfft(array, count).astype(_complex_of(array)))


def irfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft`."""
    array = array_of(input_tensor)
    count = None if fft_length is None else int(np.ravel(array_of(fft_length))[0])
    real = "float64" if array.dtype == "complex128" else "float32"
    return Tensor(np.fft.irfft(array, count).astype(real))


def _window(values: Any, window_length: Any, periodic: bool, dtype: Any) -> Any:
    length = int(window_length)
    made = values(length + 1)[:-1] if periodic and length > 1 else values(length)
    return Tensor(made.astype(dtype))


def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = "float32", name: Any = None
) -> Any:
    """A raised cosine."""
    return _window(np.hanning, window_length, periodic, dtype)


def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = "float32", name: Any = None
) -> Any:
    """A raised cosine on a step."""
    return _window(
        lambda n: 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(n) / max(n - 1, 1)),
        window_length,
        periodic,
        dtype,
    )


def frame(
    signal: Any,
    frame_length: Any,
    frame_step: Any,
    pad_end: bool = False,
    pad_value: float = 0,
    axis: int = -1,
    name: Any = None,
) -> Any:
    """Overlapping pieces of the last axis."""
    if axis not in (-1, len(signal.shape) - 1):
        raise NotImplementedError("tf.signal.frame works along the last axis alone here.")
    signal, length, step = convert_to_tensor(signal), int(frame_length), int(frame_step)
    size = signal.shape[-1]
    count = -(-size // step) if pad_end else max(0, 1 + (size - length) // step)
    missing = (count - 1) * step + length - size
    if pad_end and missing > 0:
        spread = [(0, 0)] * (len(signal.shape) - 1) + [(0, missing)]
        signal = ops.pad(signal, spread, constant_values=pad_value)
    places = np.arange(count)[:, None] * step + np.arange(length)
    return ops.take(signal, places, axis=-1)


def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    pad_end: bool = False,
    name: Any = None,
) -> Any:
    """The Fourier transforms of overlapping pieces."""
    pieces = frame(signals, frame_length, frame_step, pad_end)
    if window_fn is not None:
        pieces = ops.multiply(pieces, window_fn(int(frame_length), dtype=pieces.dtype))
    count = 1 << (int(frame_length) - 1).bit_length() if fft_length is None else fft_length
    return rfft(pieces, [count])


__all__ = public(globals())
