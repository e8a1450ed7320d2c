"""Dropout and noise, for training only; penalties of activities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.layers.convolution_base import with_defaults
from minikeras.ops.spatial import join_shape, split_shape


def keep_mask(generator: Any, shape: tuple, rate: float) -> np.ndarray:
    """A boolean array that is False with probability `rate` (rounded to 1 / 65,536).

    Eight or sixteen random bits a value: a fraction of the time that uniform floats take.
    """
    size = math.prod(shape)
    kind, levels = (np.uint8, 256) if (rate * 256).is_integer() else (np.uint16, 65536)
    words = -(-size * np.dtype(kind).itemsize // 8)
    bits = generator.bit_generator.random_raw(words).view(kind)[:size]
    return (bits >= round(rate * levels)).reshape(shape)


class _Noise(Layer):
    """A layer that changes its inputs at random in training and passes them on otherwise."""

    # Name of the constructor's argument that says how much.
    amount = "rate"

    def _take(self, value: float, seed: Any) -> None:
        if isinstance(value, bool) or not 0 <= value <= 1:
            raise ValueError(
                f"Invalid value received for argument `{self.amount}`. Expected a float value"
                f" between 0 and 1. Received: {self.amount}={value!r}"
            )
        setattr(self, self.amount, value)
        self.seed = seed
        if value > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    noise_shape: Any = None

    def _noise_shape(self, shape: tuple) -> tuple:
        given = self.noise_shape
        if given is None:
            return shape
        if len(given) != len(shape):
            raise ValueError(
                f"Argument `noise_shape` must have as many entries as the inputs have axes"
                f" ({len(shape)}). Received: noise_shape={given}"
            )
        return tuple(size if one is None else one for one, size in zip(given, shape))

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.factor = None
        if not ctx.training or getattr(self, self.amount) == 0:
            return x
        return self.disturb(ctx, x, self.seed_generator.generator())

    def disturb(self, ctx: Any, x: Any, generator: Any) -> Any:
        """The changed inputs; `ctx.factor` is what they were multiplied by, or None."""
        raise NotImplementedError

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy if ctx.factor is None else dy * ctx.factor

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            self.amount: getattr(self, self.amount),
            "seed": self.seed,
        }


@registry.layers.register("Dropout")
class Dropout(_Noise):
    """Sets values to zero at random in training, and scales up the others (Srivastava, 2014).

    Args:
        rate: Float between 0 and 1. Share of the values to drop.
        noise_shape: Tuple of integers and None (the inputs' size), or None (default). Where it is
            1, values along that axis are dropped together.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a rate out of range or a `noise_shape` that is no tuple of sizes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Dropout(0.5, seed=1)
    >>> y = layer(np.ones((100, 100), "float32"), training=True).numpy()
    >>> sorted(set(y.ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._take(rate, seed)
        self.noise_shape = _checked_noise_shape(noise_shape)

    def disturb(self, ctx: Any, x: Any, generator: Any) -> Any:
        shape = self._noise_shape(x.shape)
        if self.rate >= 1:
            ctx.factor = np.zeros(shape, x.dtype)
        else:
            kept = keep_mask(generator, shape, float(self.rate))
            ctx.factor = np.multiply(kept, x.dtype.type(1 / (1 - self.rate)), dtype=x.dtype)
        return x * ctx.factor

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "noise_shape": self.noise_shape}


def _checked_noise_shape(noise_shape: Any) -> tuple | None:
    if noise_shape is None:
        return None
    if isinstance(noise_shape, str) or not hasattr(noise_shape, "__iter__"):
        problem = "Expected a tuple or list of integers."
    else:
        noise_shape = tuple(noise_shape)
        sizes = [one for one in noise_shape if one is not None]
        if any(isinstance(one, bool) or not isinstance(one, int) for one in sizes):
            problem = "Expected all elements to be integers or None."
        elif any(one <= 0 for one in sizes):
            problem = "Expected all dimensions to be positive integers or None."
        else:
            return noise_shape
    raise ValueError(
        f"Invalid value received for argument `noise_shape`. {problem} Received:"
        f" noise_shape={noise_shape!r}"
    )


@registry.layers.register("GaussianNoise")
class GaussianNoise(_Noise):
    """Adds normal noise in training.

    Args:
        stddev: Float between 0 and 1. Standard deviation of the noise.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a `stddev` out of range.
    """

    amount = "stddev"

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._take(stddev, seed)

    def disturb(self, ctx: Any, x: Any, generator: Any) -> Any:
        return x + normal(generator, x) * x.dtype.type(self.stddev)


@registry.layers.register("GaussianDropout")
class GaussianDropout(_Noise):
    """Multiplies by normal noise of mean 1 in training.

    Args:
        rate: Float between 0 and 1. The standard deviation is `sqrt(rate / (1 - rate))`.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a rate out of range; in training also for a rate of 1.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._take(rate, seed)

    def disturb(self, ctx: Any, x: Any, generator: Any) -> Any:
        _below_one(self)
        deviation = math.sqrt(self.rate / (1.0 - self.rate))
        ctx.factor = normal(generator, x) * x.dtype.type(deviation) + x.dtype.type(1)
        return x * ctx.factor


@registry.layers.register("AlphaDropout")
class AlphaDropout(_Noise):
    """Dropout for SELU networks: keeps mean and variance (Klambauer et al., 2017).

    Args:
        rate: Float between 0 and 1. Share of the values that are set to SELU's lower limit.
        noise_shape: Tuple of integers and None (the inputs' size), or None (default). Where it is
            1, values along that axis are dropped together.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a rate out of range; in training also for a rate of 1.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._take(rate, seed)
        self.noise_shape = noise_shape

    def disturb(self, ctx: Any, x: Any, generator: Any) -> Any:
        _below_one(self)
        low = -1.6732632423543772 * 1.0507009873554805
        a = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        kept = keep_mask(generator, self._noise_shape(x.shape), float(self.rate)).astype(x.dtype)
        ctx.factor = kept * x.dtype.type(a)
        # a * (x * kept + low * (1 - kept)) - a * low * rate
        offset = kept * x.dtype.type(-a * low)
        offset += x.dtype.type(a * low * (1 - self.rate))
        return x * ctx.factor + offset

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "noise_shape": self.noise_shape}


def normal(generator: Any, x: Any) -> np.ndarray:
    """Standard normal numbers, in the shape and dtype of `x`."""
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    return generator.standard_normal(x.shape, dtype=dtype).astype(x.dtype, copy=False)


def _below_one(layer: Any) -> None:
    if layer.rate >= 1:
        raise ValueError(
            f"{type(layer).__name__} cannot drop everything. Argument `rate` must be below 1."
            f" Received: rate={layer.rate}"
        )


@registry.layers.register("ActivityRegularization")
class ActivityRegularization(Layer):
    """Passes its inputs on and adds a penalty on them to the loss.

    `(l1 * sum(abs(x)) + l2 * sum(x**2)) / batch size`.

    Args:
        l1: Float. Defaults to 0.0.
        l2: Float. Defaults to 0.0.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ActivityRegularization(l2=0.5)
    >>> y = layer(np.array([[2.0], [4.0]], "float32"))
    >>> float(layer.losses[0])
    5.0
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        regularizer = registry.regularizers.find("L1L2")(l1=l1, l2=l2)
        super().__init__(activity_regularizer=regularizer, **kwargs)
        self.l1 = l1
        self.l2 = l2
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        return x

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}


class BaseSpatialDropout(Layer):
    """Dropout of whole channels; see `SpatialDropout2D`."""

    rank = 2
    data_format = "channels_last"
    supports_masking = True

    def _start(self, rate: float, seed: Any) -> None:
        if isinstance(rate, bool) or not 0 <= rate <= 1:
            raise ValueError(
                "Invalid value received for argument `rate`. Expected a number between 0 and 1."
                f" Received: rate={rate!r}"
            )
        self.rate = rate
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.mask = None
        if not ctx.training or self.rate == 0:
            return x
        batch, _, channels = split_shape(x.shape, self.data_format)
        shape = join_shape(batch, (1,) * self.rank, channels, self.data_format)
        if self.rate >= 1:
            ctx.mask = np.zeros(shape, x.dtype)
        else:
            kept = self.seed_generator.generator().random(shape, dtype=np.float32) >= self.rate
            ctx.mask = kept * x.dtype.type(1 / (1 - self.rate))
        return x * ctx.mask

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy if ctx.mask is None else dy * ctx.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        entries = {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}
        if self.rank > 1:
            entries["data_format"] = self.data_format
        return entries


@registry.layers.register("SpatialDropout1D")
class SpatialDropout1D(BaseSpatialDropout):
    """Set whole channels of a sequence to zero in training, and scale up the others.

    Args:
        rate: Number between 0 and 1. Share of the channels to drop.
        seed: Integer or None (default).
        name: String or None.
        dtype: Dtype name or policy. Defaults to the global policy.

    Input shape: `(batch, steps, channels)`. Output shape: the same.

    Raises:
        ValueError: for a `rate` out of range.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.SpatialDropout1D(0.5)(np.ones((2, 3, 4), "float32")).shape
    (2, 3, 4)
    """

    rank = 1

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._start(rate, seed)


@registry.layers.register("SpatialDropout2D")
class SpatialDropout2D(BaseSpatialDropout):
    """Set whole channels of an image to zero in training, and scale up the others.

    Neighbouring pixels are alike, so dropping single ones regularizes little (Tompson et al. 2014,
    arXiv:1411.4280).

    Args:
        rate: Number between 0 and 1. Share of the channels to drop.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        name: String or None.
        dtype: Dtype name or policy. Defaults to the global policy.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same.

    Raises:
        ValueError: for a `rate` out of range.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.SpatialDropout2D(0.5, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        Layer.__init__(self, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)
        self._start(rate, seed)


@registry.layers.register("SpatialDropout3D")
class SpatialDropout3D(BaseSpatialDropout):
    """Set whole channels of a volume to zero in training, and scale up the others.

    The arguments are those of `SpatialDropout2D`.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.SpatialDropout3D(0.5)(np.ones((2, 4, 4, 4, 3), "float32")).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3
    __init__ = with_defaults(SpatialDropout2D.__init__)
