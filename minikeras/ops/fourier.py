"""Fourier transforms, frames of signals, and complex numbers as pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels.special import taper
from minikeras.ops.base import Kernel, array_of, composite, static, tensor
from minikeras.ops.elementwise import cos, sin
from minikeras.ops.layout import pad


def _check_rank(x: Any, least: int) -> None:
    if len(x.shape) < least:
        raise ValueError(f"Input should have rank >= {least}. Received: input.shape={x.shape}")


def _pair(x: Any, rank: int = 1) -> list:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(
            f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}"
        )
    real, imaginary = tensor(x[0]), tensor(x[1])
    if tuple(real.shape) != tuple(imaginary.shape):
        raise ValueError(
            "Both the real and imaginary parts should have the same shape. Received: x[0].shape ="
            f" {tuple(real.shape)}, x[1].shape = {tuple(imaginary.shape)}"
        )
    _check_rank(real, rank)
    if any(dtypes.to_numpy_dtype(part.dtype).kind != "f" for part in (real, imaginary)):
        raise ValueError(f"At least one tensor in input `x` is not of type float. Received: x={x}.")
    return [real, imaginary]


def _parts(z: np.ndarray, dtype: np.dtype) -> tuple:
    return z.real.astype(dtype), z.imag.astype(dtype)


def _whole(re: Any, im: Any) -> Any:
    if re is None:
        return 1j * im
    return re if im is None else re + 1j * im


class _Transform(Kernel):
    """A linear transform of complex numbers; `adjoint` is its conjugate transpose."""

    several = True

    def transform(self, z: Any) -> Any:
        raise NotImplementedError

    def adjoint(self, z: Any) -> Any:
        raise NotImplementedError

    def forward(self, ctx: Any, re: Any, im: Any) -> Any:
        ctx.dtype = re.dtype
        return _parts(self.transform(re + 1j * im), re.dtype)

    def backward(self, ctx: Any, dre: Any, dim: Any) -> Any:
        return _parts(self.adjoint(_whole(dre, dim)), ctx.dtype)

    def compute_output_spec(self, x: Any) -> Any:
        return tuple(KerasTensor(x[0].shape, dtype=x[0].dtype) for _ in range(2))


class FFT(_Transform):
    """Discrete Fourier transform along the last axis."""

    def transform(self, z: Any) -> Any:
        return np.fft.fft(z)

    def adjoint(self, z: Any) -> Any:
        return np.fft.ifft(z, norm="forward")


class FFT2(_Transform):
    """Discrete Fourier transform along the last two axes."""

    def transform(self, z: Any) -> Any:
        return np.fft.fft2(z)

    def adjoint(self, z: Any) -> Any:
        return np.fft.ifft2(z, norm="forward")


class IFFT2(_Transform):
    """Inverse of the discrete Fourier transform along the last two axes."""

    def transform(self, z: Any) -> Any:
        return np.fft.ifft2(z)

    def adjoint(self, z: Any) -> Any:
        return np.fft.fft2(z, norm="forward")


class RFFT(Kernel):
    """Fourier transform of real numbers."""

    fft_length: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        if x.dtype.kind != "f":
            raise ValueError(f"RFFT requires float32 or float64 inputs. Received dtype: {x.dtype}")
        n = x.shape[-1] if self.fft_length is None else self.fft_length
        ctx.size, ctx.n, ctx.dtype = x.shape[-1], n, x.dtype
        return _parts(np.fft.rfft(x, n), x.dtype)

    def backward(self, ctx: Any, dre: Any, dim: Any) -> Any:
        z = _whole(dre, dim)
        dx = np.fft.ifft(_resized(z, ctx.n), norm="forward").real
        return _resized(dx, ctx.size).astype(ctx.dtype)

    def compute_output_spec(self, x: Any) -> Any:
        n = x.shape[-1] if self.fft_length is None else self.fft_length
        shape = (*x.shape[:-1], None if n is None else n // 2 + 1)
        return tuple(KerasTensor(shape, dtype=x.dtype) for _ in range(2))


def _resized(x: np.ndarray, size: int) -> np.ndarray:
    """Cut, or filled with zeros, along the last axis."""
    if x.shape[-1] >= size:
        return x[..., :size]
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, size - x.shape[-1])])


class IRFFT(Kernel):
    """Inverse of the Fourier transform of real numbers."""

    fft_length: Any = None
    several = True

    def forward(self, ctx: Any, re: Any, im: Any) -> Any:
        n = 2 * (re.shape[-1] - 1) if self.fft_length is None else self.fft_length
        ctx.n, ctx.size = n, re.shape[-1]
        return np.fft.irfft(re + 1j * im, n).astype(re.dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        n = ctx.n
        weight = np.full(n // 2 + 1, 2.0)
        weight[0] = 1
        if n % 2 == 0:
            weight[-1] = 1
        dz = np.fft.rfft(dy, n, norm="forward") * weight
        return _parts(_resized(dz, ctx.size), dy.dtype)

    def compute_output_spec(self, x: Any) -> Any:
        n, size = self.fft_length, x[0].shape[-1]
        if n is None:
            n = None if size is None else 2 * (size - 1)
        return KerasTensor((*x[0].shape[:-1], n), dtype=x[0].dtype)


def fft(x: Any) -> Any:
    """Discrete Fourier transform along the last axis.

    Args:
        x: Pair of tensors: real and imaginary part.

    Returns:
        Pair of tensors: real and imaginary part.

    Raises:
        ValueError: if `x` is not such a pair.

    Example:

    >>> import minikeras
    >>> re, im = minikeras.ops.fft(([1.0, 1.0], [0.0, 0.0]))
    >>> re.tolist()
    [2.0, 0.0]
    """
    return FFT()(_pair(x))


def fft2(x: Any) -> Any:
    """Discrete Fourier transform along the last two axes, of and to pairs as in `fft`.

    >>> import minikeras
    >>> re, im = minikeras.ops.fft2(([[1.0, 1.0]], [[0.0, 0.0]]))
    >>> re.tolist()
    [[2.0, 0.0]]
    """
    return FFT2()(_pair(x, 2))


def ifft2(x: Any) -> Any:
    """Inverse of `fft2`.

    >>> import minikeras
    >>> re, im = minikeras.ops.ifft2(([[2.0, 0.0]], [[0.0, 0.0]]))
    >>> re.tolist()
    [[1.0, 1.0]]
    """
    return IFFT2()(_pair(x, 2))


def rfft(x: Any, fft_length: Any = None) -> Any:
    """Fourier transform of real numbers along the last axis: the half that is not redundant.

    Args:
        x: Tensor of floats.
        fft_length: Integer. `x` is cut, or filled with zeros, to it. Defaults to its length.

    Returns:
        Pair of tensors, real and imaginary part, of `fft_length // 2 + 1` values.

    Example:

    >>> import minikeras
    >>> re, im = minikeras.ops.rfft([1.0, 1.0])
    >>> re.tolist()
    [2.0, 0.0]
    """
    x = tensor(x)
    _check_rank(x, 1)
    return RFFT(static(fft_length))(x)


def irfft(x: Any, fft_length: Any = None) -> Any:
    """Inverse of `rfft`.

    Args:
        x: Pair of tensors: real and imaginary part.
        fft_length: Integer: the length of the result. Defaults to `2 * (length - 1)`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.irfft(([2.0, 0.0], [0.0, 0.0])).tolist()
    [1.0, 1.0]
    """
    return IRFFT(static(fft_length))(_pair(x))


# Frames


class ExtractSequences(Kernel):
    """Frames along the last axis."""

    sequence_length: int
    sequence_stride: int

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.size = x.shape[-1]
        count = self.count(x.shape[-1])
        if count == 0:
            return np.zeros((*x.shape[:-1], 0, self.sequence_length), x.dtype)
        frames = np.lib.stride_tricks.sliding_window_view(x, self.sequence_length, -1)
        return frames[..., :: self.sequence_stride, :][..., :count, :]

    def count(self, size: int) -> int:
        return max(0, 1 + (size - self.sequence_length) // self.sequence_stride)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return _resized(overlapped(dy, self.sequence_stride), ctx.size)

    def compute_output_spec(self, x: Any) -> Any:
        size = x.shape[-1]
        count = None if size is None else self.count(size)
        return KerasTensor((*x.shape[:-1], count, self.sequence_length), dtype=x.dtype)


def overlapped(frames: np.ndarray, stride: int) -> np.ndarray:
    """The sum of frames, each `stride` after the one before."""
    count, length = frames.shape[-2:]
    y = np.zeros((*frames.shape[:-2], max(0, (count - 1) * stride + length)), frames.dtype)
    for i in range(count):
        y[..., i * stride : i * stride + length] += frames[..., i, :]
    return y


class _OverlapAdd(Kernel):
    """The sum of frames, each a stride after the one before."""

    stride: int

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.length = x.shape[-1]
        return overlapped(x, self.stride)

    def backward(self, ctx: Any, dy: Any) -> Any:
        frames = np.lib.stride_tricks.sliding_window_view(dy, ctx.length, -1)
        return frames[..., :: self.stride, :]


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Frames of a signal.

    Args:
        x: Tensor; the signal is along the last axis.
        sequence_length: Integer: the length of a frame.
        sequence_stride: Integer: from the start of one to that of the next.

    Returns:
        Tensor of shape (..., frames, sequence_length).

    Example:

    >>> import minikeras
    >>> minikeras.ops.extract_sequences([1, 2, 3], 2, 1).tolist()
    [[1, 2], [2, 3]]
    """
    x = tensor(x)
    _check_rank(x, 1)
    return ExtractSequences(int(static(sequence_length)), int(static(sequence_stride)))(x)


def _window(window: Any, length: int, fft_length: int, dtype: Any) -> np.ndarray:
    """The window, with zeros around it up to `fft_length`."""
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(
                "If a string is passed to `window`, it must be one of 'hann', 'hamming'. Received:"
                f" window={window}"
            )
        values = taper(window, length)
    else:
        values = array_of(window)
    if values.shape != (length,):
        raise ValueError(
            "The shape of `window` must be equal to [sequence_length]. Received: window shape="
            f"{values.shape}"
        )
    before = (fft_length - length) // 2
    return np.pad(values, (before, fft_length - length - before)).astype(dtype)


def _check(sequence_length: int, sequence_stride: int, fft_length: int) -> None:
    if not isinstance(sequence_stride, int) or sequence_stride <= 0:
        raise ValueError(
            "`sequence_stride` must be a positive integer. Received: sequence_stride="
            f"{sequence_stride}"
        )
    if fft_length < sequence_length:
        raise ValueError(
            "`fft_length` must equal or larger than `sequence_length`. Received: sequence_length="
            f"{sequence_length}, fft_length={fft_length}"
        )


@composite(name="STFT")
def stft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """Short-time Fourier transform: `rfft` of windowed frames.

    Args:
        x: Tensor of floats; the signal is along the last axis.
        sequence_length: Integer: the length of a frame.
        sequence_stride: Integer: from the start of one to that of the next.
        fft_length: Integer, at least `sequence_length`.
        window: `"hann"` (default), `"hamming"`, None or a vector of `sequence_length`.
        center: Boolean, default True. Whether frames are centered on their place: the signal is
            reflected at both ends.

    Returns:
        Pair of tensors of shape (..., frames, fft_length // 2 + 1).

    Raises:
        TypeError: if `x` is not of floats.
        ValueError: for lengths or windows that do not fit.

    Example:

    >>> import minikeras
    >>> re, im = minikeras.ops.stft(minikeras.ops.ones(8), 4, 2, 4)
    >>> re.shape
    (5, 3)
    """
    _check(sequence_length, sequence_stride, fft_length)
    x = tensor(x)
    if str(x.dtype) not in ("float32", "float64"):
        raise TypeError(
            f"Invalid input type. Expected `float32` or `float64`. Received: input type={x.dtype}"
        )
    if center:
        width = [(0, 0)] * (len(x.shape) - 1) + [(fft_length // 2, fft_length // 2)]
        x = pad(x, width, mode="reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    if window is not None:
        frames = frames * _window(window, sequence_length, fft_length, x.dtype)
    return rfft(frames, fft_length)


@composite(name="ISTFT")
def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: Any = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """Inverse of `stft`: frames added where they overlap.

    Args:
        x: Pair of tensors of shape (..., frames, fft_length // 2 + 1).
        sequence_length: Integer: the length of a frame.
        sequence_stride: Integer: from the start of one to that of the next.
        fft_length: Integer, at least `sequence_length`.
        length: Integer: of the result. Defaults to what the frames reach.
        window: `"hann"` (default), `"hamming"`, None or a vector of `sequence_length`.
        center: Boolean, default True. Whether the frames were centered.

    Raises:
        ValueError: for lengths or windows that do not fit.

    Example:

    >>> import minikeras
    >>> x = minikeras.ops.ones(8)
    >>> minikeras.ops.istft(minikeras.ops.stft(x, 4, 2, 4), 4, 2, 4).shape
    (8,)
    """
    _check(sequence_length, sequence_stride, fft_length)
    real, imaginary = _pair(x, 2)
    frames = irfft((real, imaginary), fft_length)
    if window is not None:
        values = _window(window, sequence_length, fft_length, frames.dtype)
        # The sum of the squared windows that overlap at each place of the frame.
        overlaps = math.ceil(fft_length / sequence_stride)
        squares = np.pad(values**2, (0, overlaps * sequence_stride - fft_length))
        total = np.tile(squares.reshape(overlaps, sequence_stride).sum(0), overlaps)[:fft_length]
        with np.errstate(divide="ignore", invalid="ignore"):
            frames = frames * (values / total)
    signal = _OverlapAdd(sequence_stride)(frames)
    start = fft_length // 2 if center else 0
    if length is not None:
        return signal[..., start : start + length]
    return signal[..., start : -(fft_length // 2)] if center else signal


# Complex numbers


class ViewAsComplex(Kernel):
    """Pairs of floats as complex numbers."""

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.dtype = x.dtype
        if x.ndim < 1 or x.shape[-1] != 2:
            raise ValueError(
                "Last dimension of input must be size 2 (real and imaginary). Received shape:"
                f" {x.shape}"
            )
        dtype = "complex128" if x.dtype == np.float64 else "complex64"
        return (x[..., 0] + 1j * x[..., 1]).astype(dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind != "f":
            return None
        return np.stack([dy.real, dy.imag], -1).astype(ctx.dtype)


class ViewAsReal(Kernel):
    """Complex numbers as pairs of floats."""

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.kind = x.dtype.kind
        return np.stack([x.real, x.imag], -1)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy[..., 0] + 1j * dy[..., 1] if ctx.kind == "c" else dy[..., 0]


def view_as_complex(x: Any) -> Any:
    """Pairs along the last axis as complex numbers.

    >>> import minikeras
    >>> minikeras.ops.view_as_complex([[1.0, 2.0]]).tolist()
    [(1+2j)]
    """
    return ViewAsComplex()(x)


def view_as_real(x: Any) -> Any:
    """Complex numbers as pairs along a new last axis.

    >>> import minikeras
    >>> minikeras.ops.view_as_real(minikeras.ops.view_as_complex([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """
    return ViewAsReal()(x)


@composite(tensors=2)
def polar(abs_: Any, angle: Any) -> Any:
    """Complex numbers of a size and an angle in radians.

    >>> import minikeras
    >>> minikeras.ops.polar([2.0], [0.0]).tolist()
    [(2+0j)]
    """
    from minikeras.ops.joining import stack

    size, angle = tensor(abs_), tensor(angle)
    real, imaginary = _pair((size * cos(angle), size * sin(angle)))
    return view_as_complex(stack([real, imaginary], axis=-1))


__all__ = [
    "extract_sequences", "fft", "fft2", "ifft2", "irfft", "istft", "polar", "rfft", "stft",
    "view_as_complex", "view_as_real",
]  # fmt: skip
