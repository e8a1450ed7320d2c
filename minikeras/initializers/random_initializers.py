"""Initializers with random values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry, serialization
from minikeras.engine.arena import repeatable
from minikeras.engine.rng import SeedGenerator, draw_generator, make_default_seed
from minikeras.engine.symbolic import Tensor
from minikeras.initializers.initializer import Initializer


class RandomInitializer(Initializer):
    """Base class of initializers with a seed.

    Args:
        seed: Integer, `SeedGenerator`, or None (default) to draw one now.
    """

    def __init__(self, seed: Any = None) -> None:
        self._init_seed = seed
        if seed is None:
            seed = make_default_seed()
        elif isinstance(seed, dict):
            seed = serialization.deserialize(seed)
        elif isinstance(seed, np.integer):
            self._init_seed = seed = int(seed)
        elif not isinstance(seed, (int, SeedGenerator)):
            raise ValueError(
                "Argument `seed` must be an integer, a `minikeras.random.SeedGenerator` or None."
                f" Received: seed={seed!r}"
            )
        self.seed = seed

    def get_config(self) -> dict:
        return {"seed": serialization.serialize(self._init_seed)}


def _normal(seed: Any, shape: Any, mean: float, stddev: float, dtype: Any) -> np.ndarray:
    dtype = _float_dtype(dtype)
    values = draw_generator(seed).standard_normal(tuple(shape), dtype=_drawn(dtype))
    values *= stddev
    values += mean
    return values.astype(dtype, copy=False)


def _truncated_normal(seed: Any, shape: Any, mean: float, stddev: float, dtype: Any) -> np.ndarray:
    """Normal values, drawn again until they lie within two standard deviations."""
    dtype = _float_dtype(dtype)
    generator = draw_generator(seed)
    values = generator.standard_normal(tuple(shape), dtype=_drawn(dtype))
    flat = values.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = generator.standard_normal(outside.size, dtype=flat.dtype)
        outside = outside[np.abs(flat[outside]) > 2]
    values *= stddev
    values += mean
    return values.astype(dtype, copy=False)


def _uniform(seed: Any, shape: Any, low: float, high: float, dtype: Any) -> np.ndarray:
    dtype = dtypes.to_numpy_dtype(dtype)
    generator = draw_generator(seed)
    if dtype.kind in "iu":
        return generator.integers(int(low), int(high), tuple(shape)).astype(dtype)
    dtype = _float_dtype(dtype)
    values = generator.random(tuple(shape), dtype=_drawn(dtype))
    values *= high - low
    values += low
    return values.astype(dtype, copy=False)


def _float_dtype(dtype: Any) -> np.dtype:
    dtype = dtypes.to_numpy_dtype(dtype)
    if dtype.kind != "f":
        raise ValueError(
            f"Random values of this distribution are floats. Received: dtype={dtype.name!r}"
        )
    return dtype


def _drawn(dtype: np.dtype) -> Any:
    return np.float64 if dtype == np.float64 else np.float32


@registry.initializers.register("RandomNormal", "random_normal", "normal")
class RandomNormal(RandomInitializer):
    """Normal values.

    Args:
        mean: Float, default 0.
        stddev: Float, default 0.05.
        seed: Integer, `SeedGenerator` or None (default).

    Example:

    >>> import minikeras
    >>> minikeras.initializers.RandomNormal(mean=0.0, stddev=1.0)(shape=(2, 2)).shape
    (2, 2)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        self.mean, self.stddev = mean, stddev
        super().__init__(seed=seed)

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(_normal(self.seed, shape, self.mean, self.stddev, dtype))

    def get_config(self) -> dict:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@registry.initializers.register("TruncatedNormal", "truncated_normal")
class TruncatedNormal(RandomNormal):
    """Normal values, drawn again where they lie more than two standard deviations from the mean.

    Args:
        mean: Float, default 0.
        stddev: Float, default 0.05. Of the normal distribution before it is truncated.
        seed: Integer, `SeedGenerator` or None (default).

    Example:

    >>> import minikeras
    >>> x = minikeras.initializers.TruncatedNormal(mean=0.0, stddev=1.0)(shape=(100,)).numpy()
    >>> bool(abs(x).max() <= 2)
    True
    """

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(_truncated_normal(self.seed, shape, self.mean, self.stddev, dtype))


@registry.initializers.register("RandomUniform", "random_uniform", "uniform")
class RandomUniform(RandomInitializer):
    """Uniform values.

    Args:
        minval: Number, default -0.05. Lower bound (inclusive).
        maxval: Number, default 0.05. Upper bound (exclusive).
        seed: Integer, `SeedGenerator` or None (default).

    Example:

    >>> import minikeras
    >>> x = minikeras.initializers.RandomUniform(minval=0.0, maxval=1.0)(shape=(2, 2)).numpy()
    >>> bool(x.min() >= 0 and x.max() < 1)
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        self.minval, self.maxval = minval, maxval
        super().__init__(seed=seed)

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        return Tensor(_uniform(self.seed, shape, self.minval, self.maxval, dtype))

    def get_config(self) -> dict:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


# The standard deviation of a standard normal that is truncated at -2 and 2.
_TRUNCATED_STDDEV = 0.8796256610342398


@registry.initializers.register("VarianceScaling", "variance_scaling")
class VarianceScaling(RandomInitializer):
    """Random values whose variance is `scale / n`, with `n` from the shape.

    `n` is the number of inputs of a unit (`fan_in`), the number of outputs (`fan_out`), or their
    average (`fan_avg`). For kernels of convolutions these count the whole receptive field.

    Args:
        scale: Positive float, default 1.
        mode: `"fan_in"` (default), `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"` (default; also `"normal"`), `"untruncated_normal"` or
            `"uniform"`.
        seed: Integer, `SeedGenerator` or None (default).
        input_axes: Tuple of axes whose sizes multiply to `fan_in`, or None (default). Used if
            `output_axes` is given too.
        output_axes: Tuple of axes whose sizes multiply to `fan_out`, or None (default).

    Raises:
        ValueError: for a `scale` that is not positive, or an unknown `mode` or `distribution`.

    Example:

    >>> import minikeras
    >>> initializer = minikeras.initializers.VarianceScaling(
    ...     scale=0.1, mode="fan_in", distribution="uniform")
    >>> initializer(shape=(2, 2)).shape
    (2, 2)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(
                f"Invalid `mode` argument: {mode!r}. Use 'fan_in', 'fan_out' or 'fan_avg'."
            )
        distribution = str(distribution).lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f"Invalid `distribution` argument: {distribution!r}. Use 'truncated_normal',"
                " 'untruncated_normal' or 'uniform'."
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed=seed)

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        dtype = _float_dtype(dtype)
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        stddev = math.sqrt(variance)
        if self.distribution == "truncated_normal":
            return Tensor(
                _truncated_normal(self.seed, shape, 0.0, stddev / _TRUNCATED_STDDEV, dtype)
            )
        if self.distribution == "untruncated_normal":
            return Tensor(_normal(self.seed, shape, 0.0, stddev, dtype))
        limit = math.sqrt(3.0 * variance)
        return Tensor(_uniform(self.seed, shape, -limit, limit, dtype))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _NamedScaling(VarianceScaling):
    """A `VarianceScaling` that goes by a name of its own."""

    _settings: tuple = (1.0, "fan_in", "truncated_normal")

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None) -> None:
        scale, mode, distribution = self._settings
        super().__init__(scale, mode, distribution, seed, input_axes, output_axes)

    def get_config(self) -> dict:
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


@registry.initializers.register("GlorotUniform", "glorot_uniform")
class GlorotUniform(_NamedScaling):
    """Glorot's (or Xavier's) uniform initializer: bounds `±sqrt(6 / (fan_in + fan_out))`.

    From Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks".

    Args:
        seed: Integer, `SeedGenerator` or None (default).
        input_axes, output_axes: As in `VarianceScaling`; None by default.

    Example:

    >>> import minikeras
    >>> x = minikeras.initializers.GlorotUniform(seed=0)(shape=(3, 3)).numpy()
    >>> bool(abs(x).max() <= 1)
    True
    """

    _settings = (1.0, "fan_avg", "uniform")


@registry.initializers.register("GlorotNormal", "glorot_normal")
class GlorotNormal(_NamedScaling):
    """Glorot's (or Xavier's) normal initializer: truncated, variance `2 / (fan_in + fan_out)`.

    From Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks".

    Args:
        seed: Integer, `SeedGenerator` or None (default).
        input_axes, output_axes: As in `VarianceScaling`; None by default.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.GlorotNormal()(shape=(2, 3)).shape
    (2, 3)
    """

    _settings = (1.0, "fan_avg", "truncated_normal")


@registry.initializers.register("LecunNormal", "lecun_normal")
class LecunNormal(_NamedScaling):
    """LeCun's normal initializer: truncated, variance `1 / fan_in`.

    From Klambauer et al. 2017, "Self-normalizing neural networks".

    Args:
        seed: Integer, `SeedGenerator` or None (default).
        input_axes, output_axes: As in `VarianceScaling`; None by default.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.LecunNormal()(shape=(2, 3)).shape
    (2, 3)
    """

    _settings = (1.0, "fan_in", "truncated_normal")


@registry.initializers.register("LecunUniform", "lecun_uniform")
class LecunUniform(_NamedScaling):
    """LeCun's uniform initializer: bounds `±sqrt(3 / fan_in)`.

    From Klambauer et al. 2017, "Self-normalizing neural networks".

    Args:
        seed: Integer, `SeedGenerator` or None (default).
        input_axes, output_axes: As in `VarianceScaling`; None by default.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.LecunUniform()(shape=(2, 3)).shape
    (2, 3)
    """

    _settings = (1.0, "fan_in", "uniform")


@registry.initializers.register("HeNormal", "he_normal")
class HeNormal(_NamedScaling):
    """He's normal initializer: truncated, variance `2 / fan_in`.

    From He et al. 2015, "Delving deep into rectifiers".

    Args:
        seed: Integer, `SeedGenerator` or None (default).
        input_axes, output_axes: As in `VarianceScaling`; None by default.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.HeNormal()(shape=(2, 3)).shape
    (2, 3)
    """

    _settings = (2.0, "fan_in", "truncated_normal")


@registry.initializers.register("HeUniform", "he_uniform")
class HeUniform(_NamedScaling):
    """He's uniform initializer: bounds `±sqrt(6 / fan_in)`.

    From He et al. 2015, "Delving deep into rectifiers".

    Args:
        seed: Integer, `SeedGenerator` or None (default).
        input_axes, output_axes: As in `VarianceScaling`; None by default.

    Example:

    >>> import minikeras
    >>> minikeras.initializers.HeUniform()(shape=(2, 3)).shape
    (2, 3)
    """

    _settings = (2.0, "fan_in", "uniform")


@registry.initializers.register("Orthogonal", "orthogonal", "OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """A random orthogonal matrix: rows or columns of length 1, at right angles.

    Shapes with more than two axes are seen as matrices with the last axis as columns. From Saxe et
    al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks".

    Args:
        gain: Float, default 1. What the matrix is multiplied by.
        seed: Integer, `SeedGenerator` or None (default).

    Raises:
        ValueError: when called with a shape of fewer than two axes.

    Example:

    >>> import minikeras
    >>> q = minikeras.initializers.Orthogonal(seed=0)(shape=(3, 2)).numpy()
    >>> (q.T @ q).round(4) + 0.0
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        self.gain = gain
        super().__init__(seed=seed)

    @repeatable
    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        if len(shape) < 2:
            raise ValueError(
                "The orthogonal initializer needs a shape of at least two axes. Received:"
                f" shape={shape} of rank {len(shape)}"
            )
        dtype = _float_dtype(dtype)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = np.linalg.qr(_normal(self.seed, tall, 0.0, 1.0, _drawn(dtype)))
        # With these signs the matrix is uniformly distributed.
        q *= np.sign(np.diagonal(r))
        if rows < columns:
            q = q.T
        q = q.reshape(tuple(shape)) * self.gain
        return Tensor(np.ascontiguousarray(q.astype(dtype, copy=False)))

    def get_config(self) -> dict:
        return {**super().get_config(), "gain": self.gain}


def compute_fans(shape: Any, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """The numbers of inputs and outputs of a unit whose kernel has `shape`.

    Args:
        shape: Tuple of integers.
        input_axes, output_axes: Axes whose sizes multiply to the one and the other; None for the
            last but one and the last, each times the sizes before them.
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        fan_in = math.prod(shape[axis] for axis in input_axes)
        fan_out = math.prod(shape[axis] for axis in output_axes)
    elif len(shape) < 2:
        fan_in = fan_out = math.prod(shape)
    else:
        field = math.prod(shape[:-2])
        fan_in, fan_out = shape[-2] * field, shape[-1] * field
    return int(fan_in), int(fan_out)
