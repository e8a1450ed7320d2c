"""The base of initializers, and those that draw nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry, serialization
from minikeras.engine.arena import repeatable
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain
from minikeras.kernels.special import taper


@registry.initializers.register("Initializer", "initializer")
class Initializer:
    """Base class of initializers.

    A subclass defines `__call__(shape, dtype=None)`, and `get_config` if it has arguments.

    Example:

    >>> import minikeras
    >>> class Ramp(minikeras.initializers.Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return minikeras.ops.arange(shape[0], dtype=dtype)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The first values of a variable.

        Args:
            shape: Tuple of integers.
            dtype: Dtype, default `floatx()`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `__call__(self, shape, dtype=None)`."
        )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The initializer that `config` describes."""
        return cls(**config)

    def clone(self) -> Any:
        """A fresh initializer with the same arguments; without a seed, it draws its own."""
        return type(self).from_config(self.get_config())


@registry.initializers.register("Zeros", "zeros", "zero")
class Zeros(Initializer):
    """All zeros.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.Zeros()(shape=(2,)).numpy()
    array([0., 0.], dtype=float32)
    """

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(np.zeros(shape, dtypes.to_numpy_dtype(dtype)))


@registry.initializers.register("Ones", "ones", "one")
class Ones(Initializer):
    """All ones.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.Ones()(shape=(2,)).numpy()
    array([1., 1.], dtype=float32)
    """

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(np.ones(shape, dtypes.to_numpy_dtype(dtype)))


@registry.initializers.register("Constant", "constant")
class Constant(Initializer):
    """The same value everywhere.

    Args:
        value: Number, or array that broadcasts to the shape asked for. Defaults to 0.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.Constant(10.0)(shape=(2,)).numpy()
    array([10., 10.], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        value = np.asarray(plain(self.value), dtypes.to_numpy_dtype(dtype))
        return Tensor(value * np.ones(shape, value.dtype))

    def get_config(self) -> dict:
        return {"value": serialization.serialize(self.value)}

    @classmethod
    def from_config(cls, config: dict) -> Constant:
        return cls(serialization.deserialize(config["value"]))


@registry.initializers.register("Identity", "identity", "IdentityInitializer")
class Identity(Initializer):
    """The identity matrix, for shapes of two axes.

    Args:
        gain: Float, default 1. What the matrix is multiplied by.

    Raises:
        ValueError: when called with a shape that does not have two axes.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.Identity(gain=2.0)(shape=(2, 2)).numpy()
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        if len(shape) != 2:
            raise ValueError(
                "The identity initializer makes matrices, so the shape must have two axes."
                f" Received: shape={shape} of rank {len(shape)}"
            )
        dtype = dtypes.to_numpy_dtype(dtype)
        return Tensor(np.asarray(self.gain, dtype) * np.eye(*shape, dtype=dtype))

    def get_config(self) -> dict:
        # Keras leaves it out, and so loses it.
        return {} if self.gain == 1.0 else {"gain": self.gain}


@registry.initializers.register("STFT", "stft", "STFTInitializer")
class STFT(Initializer):
    """The matrix of a short-time Fourier transform, for a convolution that computes it.

    Called with the shape `(frame_length, channels, bins)`, where `bins` is half the length of the
    transform plus 1.

    Args:
        side: `"real"` (default) or `"imag"`: which part of the transform.
        window: Name of a window (see `scipy.signal.get_window`), array of `frame_length` samples,
            or None. Defaults to `"hann"`.
        scaling: `"density"` (default), `"spectrum"` or None: what the window is divided by.
        periodic: Boolean, default False. Whether the window is periodic instead of symmetric.

    Raises:
        ValueError: for an unknown `side`, `window` or `scaling`.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.STFT("real", "hann", "density", False)(shape=(8, 1, 5)).shape
    (8, 1, 5)
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"Argument `side` must be 'real' or 'imag'. Received: side={side!r}")
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(
                "Argument `scaling` must be None, 'density' or 'spectrum'. Received:"
                f" scaling={scaling!r}"
            )
        if isinstance(window, str):
            taper(window, 1)
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        dtype = dtypes.to_numpy_dtype(dtype)
        frame_length, _, bins = shape
        time = np.arange(frame_length).reshape(-1, 1, 1)
        # One window of angles: the product is taken modulo a whole turn, so it stays exact.
        turns = time * np.arange(bins) % ((bins - 1) * 2) / ((bins - 1) * 2)
        kernel = np.cos(2 * np.pi * turns) if self.side == "real" else -np.sin(2 * np.pi * turns)
        if self.window is not None:
            window = self.window
            if isinstance(window, str):
                window = taper(window, frame_length, self.periodic)
            window = np.asarray(plain(window), float)
            if window.shape != (frame_length,):
                raise ValueError(
                    f"Argument `window` must have shape ({frame_length},), the length of a frame."
                    f" Received shape {window.shape}"
                )
            scale = 1.0
            if self.scaling == "density":
                scale = math.sqrt(np.square(window).sum())
            elif self.scaling == "spectrum":
                scale = np.abs(window).sum()
            kernel = kernel * (window / scale).reshape(-1, 1, 1)
        return Tensor(kernel.astype(dtype))

    def get_config(self) -> dict:
        return {
            "side": self.side,
            "window": self.window,
            "periodic": self.periodic,
            "scaling": self.scaling,
        }
