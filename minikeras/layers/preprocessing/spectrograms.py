"""Layers that turn sound into pictures of its frequencies."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.kernels.special import taper
from minikeras.layers.preprocessing.normalization import DataLayer


def _mel(hertz: Any) -> Any:
    """The pitch on the mel scale."""
    return 1127.0 * np.log(1 + hertz / 700.0)


@registry.layers.register("MelSpectrogram")
class MelSpectrogram(DataLayer):
    """The strength of mel bands over time, in decibels.

    Args:
        fft_length: Integer, default 2048: the length of the Fourier transform.
        sequence_stride: Integer, default 512: from the start of a frame to that of the next.
        sequence_length: Integer: the length of a frame. Defaults to `fft_length`.
        window: `"hann"` (default), `"hamming"`, None or an array of `sequence_length` samples.
        sampling_rate: Integer, default 16000: samples a second.
        num_mel_bins: Integer, default 128: how many bands.
        min_freq: Float, default 20.0: the lowest frequency in Hertz.
        max_freq: Float: the highest. Defaults to half the sampling rate.
        power_to_db: Boolean, default True. Whether the result is in decibels.
        top_db: Float, default 80.0: values are at most that much below the largest one.
        mag_exp: Float, default 2.0: the power of the magnitude.
        min_power: Float, default 1e-10: smaller powers count as this.
        ref_power: Float, default 1.0: what 0 dB stands for.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, samples)`, or `(samples,)`.

    Output shape:
        `(batch, num_mel_bins, frames)`, or without `batch`.

    Raises:
        ValueError: if `sequence_length` is more than `fft_length`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.MelSpectrogram(256, 128, num_mel_bins=20)
    >>> layer(np.ones((2, 1024), "float32")).shape
    (2, 20, 9)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        if self.fft_length < self.sequence_length:
            raise ValueError(
                "`fft_length` must be greater than or equal to `sequence_length`. Received:"
                f" sequence_length={self.sequence_length}, fft_length={self.fft_length}"
            )
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power

    def call(self, inputs: Any) -> Any:
        """The spectrogram."""
        from minikeras import ops

        exact = self.compute_dtype if self.compute_dtype == "float64" else "float32"
        real, imaginary = ops.stft(
            ops.cast(inputs, exact),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            window=self.window,
            center=True,
        )
        power = ops.power(ops.sqrt(ops.square(real) + ops.square(imaginary)), self.mag_exp)  # type: ignore[attr-defined]
        bands = self.linear_to_mel_weight_matrix(
            self.num_mel_bins,
            power.shape[-1],
            self.sampling_rate,
            self.min_freq,
            self.max_freq,
            dtype=exact,
        )
        result = ops.matmul(power, bands)
        if self.power_to_db:
            result = (10 / math.log(10)) * ops.log(ops.maximum(result, self.min_power))  # type: ignore[attr-defined]
            result = result - 10 * math.log10(max(abs(self.ref_power), self.min_power))
            result = ops.maximum(result, ops.max(result) - self.top_db)  # type: ignore[attr-defined]
        return ops.cast(ops.swapaxes(result, -1, -2), self.compute_dtype)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: Any = "float32",
    ) -> np.ndarray:
        """The matrix that sums frequencies to mel bands: triangles on the mel scale.

        Args:
            num_mel_bins: Integer: how many bands.
            num_spectrogram_bins: Integer: how many frequencies, from 0 to half the sampling rate.
            sampling_rate: Number: samples a second.
            lower_edge_hertz: Float: where the first band starts.
            upper_edge_hertz: Float: where the last band ends.
            dtype: Dtype of the result.

        Returns:
            Array of shape (num_spectrogram_bins, num_mel_bins).
        """
        frequencies = np.linspace(0, sampling_rate / 2, num_spectrogram_bins)[1:]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
        pitch = _mel(frequencies)[:, None]
        rising, falling = (pitch - lower) / (center - lower), (upper - pitch) / (upper - center)
        weights = np.maximum(0, np.minimum(rising, falling))
        # The constant part belongs to no band.
        return np.pad(weights, ((1, 0), (0, 0))).astype(dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the spectrogram."""
        *batch, samples = input_shape
        frames = None
        if samples is not None:
            # Half a transform is added at either end.
            rest = samples + 2 * (self.fft_length // 2) - self.fft_length
            frames = rest // self.sequence_stride + 1
        return (*batch, self.num_mel_bins, frames)

    def get_config(self) -> dict:
        """The configuration."""
        names = (
            "fft_length", "sequence_stride", "sequence_length", "window", "sampling_rate",
            "num_mel_bins", "min_freq", "max_freq", "power_to_db", "top_db", "mag_exp",
            "min_power", "ref_power",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@registry.layers.register("STFTSpectrogram")
class STFTSpectrogram(Layer):
    """The short-time Fourier transform of signals, as a convolution with trainable kernels.

    Args:
        mode: What is returned: `"log"` (default) of the magnitude, `"magnitude"`, `"psd"` (power
            spectral density), `"real"` or `"imag"` part, `"angle"`, or `"stft"` (both parts).
        frame_length: Integer, default 256: the length of a frame.
        frame_step: Integer: from the start of a frame to that of the next. Defaults to half the
            length.
        fft_length: Integer: the length of the transform. Defaults to the power of two from
            `frame_length` on.
        window: Name of a window (default `"hann"`), array of `frame_length` samples, or None.
        periodic: Boolean, default False. Whether the window is periodic instead of symmetric.
        scaling: `"density"` (default), `"spectrum"` or None: what the window is divided by.
        padding: `"valid"` (default) or `"same"`.
        expand_dims: Boolean, default False. Whether channels get an axis of their own, instead of
            one together with the frequencies.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, samples, channels)`.

    Output shape:
        `(batch, frames, channels * frequencies)`, or `(batch, frames, frequencies, channels)` with
        `expand_dims`.

    Raises:
        ValueError: for lengths or choices that do not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.STFTSpectrogram(frame_length=16)
    >>> layer(np.ones((2, 64, 1), "float32")).shape
    (2, 7, 9)
    """

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ValueError(
                "`frame_step` should be a positive integer not greater than `frame_length`."
                f" Received: frame_step={frame_step}, frame_length={frame_length}"
            )
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                "`fft_length` should be not less than `frame_length`. Received:"
                f" fft_length={fft_length}, frame_length={frame_length}"
            )
        if fft_length is not None and fft_length & (fft_length - 1):
            warnings.warn(
                "`fft_length` is recommended to be a power of two. Received:"
                f" fft_length={fft_length}",
                stacklevel=2,
            )
        for name, value, allowed in (
            ("mode", mode, MODES),
            ("scaling", scaling, (None, "density", "spectrum")),
            ("padding", padding, ("valid", "same")),
        ):
            if value not in allowed:
                raise ValueError(
                    f"Argument `{name}` must be one of {allowed}. Received: {name}={value!r}"
                )
        if isinstance(window, str):
            # Names that do not exist are found now.
            taper(window, 1)
        super().__init__(**kwargs)
        self.mode = mode
        self.frame_length = frame_length
        self.frame_step = frame_step
        self._frame_step = frame_step or frame_length // 2
        self.fft_length = fft_length
        self._fft_length = fft_length or 2 ** math.ceil(math.log2(frame_length))
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = padding
        self.expand_dims = expand_dims
        self.data_format = settings.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape: Any) -> None:
        """Make the kernels."""
        for part, other in (("real", "imag"), ("imag", "real")):
            if self.mode == other:
                continue
            initializer = registry.initializers.find("STFT")(
                part, self.window, self.scaling, self.periodic
            )
            kernel = self.add_weight(
                name=f"{part}_kernel",
                shape=(self.frame_length, 1, self._fft_length // 2 + 1),
                initializer=initializer,
            )
            setattr(self, f"{part}_kernel", kernel)

    def _part(self, signals: Any, channels: int, kernel: Any) -> Any:
        """The real or imaginary part, (batch, channels, frames, frequencies)."""
        from minikeras import ops

        part = ops.conv(
            signals,
            ops.cast(kernel, signals.dtype),
            strides=self._frame_step,
            padding=self.padding,
            data_format="channels_last",
        )
        return ops.reshape(part, (-1, channels, *part.shape[1:]))

    def _spectrum(self, inputs: Any) -> Any:
        from minikeras import ops

        if self.data_format == "channels_last":
            inputs = ops.transpose(inputs, (0, 2, 1))
        _, channels, samples = inputs.shape
        signals = ops.reshape(inputs, (-1, samples, 1))
        if self.mode in ("real", "imag"):
            return self._part(signals, channels, getattr(self, f"{self.mode}_kernel"))
        real = self._part(signals, channels, self.real_kernel)
        imaginary = self._part(signals, channels, self.imag_kernel)
        if self.mode == "angle":
            return ops.arctan2(imaginary, real)  # type: ignore[attr-defined]
        if self.mode == "stft":
            return ops.concatenate([real, imaginary], axis=-1)
        power = ops.square(real) + ops.square(imaginary)  # type: ignore[attr-defined]
        if self.mode == "psd":
            # Frequencies between the ends stand for their negatives too.
            return power + ops.pad(power[..., 1:-1], [[0, 0], [0, 0], [0, 0], [1, 1]])
        tiny = settings.epsilon()
        magnitude = ops.sqrt(ops.maximum(power, tiny))  # type: ignore[attr-defined]
        return magnitude if self.mode == "magnitude" else ops.log(ops.maximum(magnitude, tiny))  # type: ignore[attr-defined]

    def call(self, inputs: Any) -> Any:
        """The transform."""
        from minikeras import ops

        if str(inputs.dtype) not in ("float16", "float32", "float64"):
            raise TypeError(
                "Invalid input type. Expected `float16`, `float32` or `float64`. Received: input"
                f" type={inputs.dtype}"
            )
        result = self._spectrum(inputs)
        _, channels, frames, frequencies = result.shape
        if self.data_format == "channels_last":
            if self.expand_dims:
                return ops.transpose(result, (0, 2, 3, 1))
            result = ops.transpose(result, (0, 2, 1, 3))
            return ops.reshape(result, (-1, frames, channels * frequencies))
        if self.expand_dims:
            return result
        result = ops.transpose(result, (0, 1, 3, 2))
        return ops.reshape(result, (-1, channels * frequencies, frames))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the transform."""
        first = self.data_format == "channels_first"
        batch = input_shape[0]
        channels, samples = input_shape[1:] if first else input_shape[:0:-1]
        frequencies = (self._fft_length // 2 + 1) * (2 if self.mode == "stft" else 1)
        frames = None
        if samples is not None:
            reach = self.frame_length if self.padding == "valid" else 1
            frames = (samples - reach) // self._frame_step + 1
            if frames < 1:
                raise ValueError(
                    f"A frame has {self.frame_length} samples, but the input only {samples}."
                    " Received: input_shape="
                    f"{tuple(input_shape)}"
                )
        if self.expand_dims:
            if first:
                return (batch, channels, frames, frequencies)
            return (batch, frames, frequencies, channels)
        both = channels * frequencies
        return (batch, both, frames) if first else (batch, frames, both)

    def get_config(self) -> dict:
        """The configuration."""
        names = (
            "mode", "frame_length", "frame_step", "fft_length", "window", "periodic", "scaling",
            "padding", "data_format", "expand_dims",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
