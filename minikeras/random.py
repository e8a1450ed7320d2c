"""Random numbers: `keras.random`.

A draw with an integer seed is the same each time; a `SeedGenerator` gives another draw each time,
and without a seed draws follow from the global one. TensorFlow's own streams are not reproduced.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes, registry
from minikeras.engine.rng import SeedGenerator, draw_generator
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.kernels.special import erfinv as _erfinv
from minikeras.kernels.special import fast_erf as _erf
from minikeras.ops.base import Kernel, array_of, canonical_axis, static, tensor

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]


def _shape(shape: Any) -> tuple:
    shape = static(shape)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(size is None or size < 0 for size in shape):
        raise ValueError(f"Argument `shape` must hold sizes that are known. Received: {shape}")
    return shape


def _float_dtype(dtype: Any, function: str) -> np.dtype:
    name = dtypes.standardize_dtype(dtype)
    if not dtypes.is_float(name):
        raise ValueError(
            f"`keras.random.{function}` requires a floating point `dtype`. Received: dtype={dtype}"
        )
    return dtypes.to_numpy_dtype(name)


def _draw_dtype(dtype: np.dtype) -> Any:
    return np.float64 if dtype == np.float64 else np.float32


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Draws from a normal distribution.

    Args:
        shape: Tuple of integers.
        mean: Number or tensor, default 0.
        stddev: Number or tensor, default 1: the standard deviation.
        dtype: Name of the dtype. Defaults to `floatx()`.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> minikeras.random.normal((2, 3), seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype(dtype, "normal")
    draws = draw_generator(seed).standard_normal(_shape(shape), _draw_dtype(dtype))
    return Tensor((draws * array_of(stddev) + array_of(mean)).astype(dtype))


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Draws from a normal distribution, cut at two standard deviations from the mean.

    Args:
        shape: Tuple of integers.
        mean: Number or tensor, default 0.
        stddev: Number or tensor, default 1: before cutting.
        dtype: Name of the dtype. Defaults to `floatx()`.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> float(abs(minikeras.random.truncated_normal((100,), seed=1).numpy()).max()) <= 2.0
    True
    """
    dtype = _float_dtype(dtype, "truncated_normal")
    # By the inverse of the distribution function, between its values at -2 and 2.
    reach = float(_erf(np.asarray([2 / math.sqrt(2)]))[0])
    draws = draw_generator(seed).uniform(-reach, reach, _shape(shape))
    values = np.clip(math.sqrt(2) * _erfinv(draws), -2, 2)
    return Tensor((values * array_of(stddev) + array_of(mean)).astype(dtype))


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Draws from a uniform distribution.

    Args:
        shape: Tuple of integers.
        minval: Number or tensor, default 0. It may be drawn.
        maxval: Number or tensor, default 1. It is not.
        dtype: Name of the dtype. Defaults to `floatx()`.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> minikeras.random.uniform((2, 3), seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype(dtype, "uniform")
    low, high = array_of(minval).astype(dtype), array_of(maxval).astype(dtype)
    draws = draw_generator(seed).random(_shape(shape), _draw_dtype(dtype)).astype(dtype)
    values = draws * (high - low) + low
    # Rounding may reach the upper end, which does not belong.
    return Tensor(np.where((values >= high) & (high > low), low, values).astype(dtype))


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draws of integers.

    Args:
        shape: Tuple of integers.
        minval: Integer or tensor. It may be drawn.
        maxval: Integer or tensor. It is not.
        dtype: Name of an integer dtype, default int32.
        seed: Integer, `SeedGenerator` or None.

    Raises:
        ValueError: for another dtype, or an empty range.

    Example:

    >>> import minikeras
    >>> minikeras.random.randint((5,), 0, 3, seed=1).shape
    (5,)
    """
    if dtype and not dtypes.is_int(dtype):
        raise ValueError(
            f"`keras.random.randint` requires an integer `dtype`. Received: dtype={dtype} "
        )
    low, high = (array_of(one).astype("int64") for one in (minval, maxval))
    if np.any(low >= high):
        raise ValueError(
            f"Argument `minval` must be below `maxval`. Received: minval={minval}, maxval={maxval}"
        )
    draws = draw_generator(seed).integers(low, high, _shape(shape))
    return Tensor(np.asarray(draws).astype(dtypes.to_numpy_dtype(dtype or "int32")))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draws of classes.

    Args:
        logits: Tensor of shape (batch, classes): logarithms of probabilities, up to a constant.
        num_samples: Integer: how many draws a row.
        dtype: Name of the dtype, default int32.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Tensor of shape (batch, num_samples).

    Raises:
        ValueError: if `logits` has not 2 axes.

    Example:

    >>> import minikeras
    >>> minikeras.random.categorical([[0.0, float("-inf")]], 3, seed=1).tolist()
    [[0, 0, 0]]
    """
    values = array_of(logits)
    if values.ndim != 2:
        raise ValueError(
            "`logits` should be a 2-D tensor with shape [batch_size, num_classes]. Received:"
            f" logits={logits}"
        )
    values = values.astype("float64")
    weights = np.exp(values - values.max(-1, keepdims=True))
    cumulative = np.cumsum(weights, -1)
    draws = draw_generator(seed).random((len(values), int(static(num_samples))))
    picks = [np.searchsorted(row, draw * row[-1], "right") for row, draw in zip(cumulative, draws)]
    result = np.minimum(np.array(picks).reshape(draws.shape), values.shape[1] - 1)
    return Tensor(result.astype(dtypes.to_numpy_dtype(dtype)))


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draws from a gamma distribution of scale 1.

    Args:
        shape: Tuple of integers.
        alpha: Number or tensor: the shape of the distribution.
        dtype: Name of the dtype. Defaults to `floatx()`.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> minikeras.random.gamma((2,), 0.5, seed=1).shape
    (2,)
    """
    draws = draw_generator(seed).standard_gamma(array_of(alpha).astype("float64"), _shape(shape))
    return Tensor(np.asarray(draws).astype(_float_dtype(dtype, "gamma")))


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draws from a beta distribution.

    Args:
        shape: Tuple of integers.
        alpha: Number or tensor: the first parameter.
        beta: Number or tensor: the second parameter.
        dtype: Name of the dtype. Defaults to `floatx()`.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> minikeras.random.beta((2,), 0.5, 0.5, seed=1).shape
    (2,)
    """
    a, b = (array_of(one).astype("float64") for one in (alpha, beta))
    draws = draw_generator(seed).beta(a, b, _shape(shape))
    return Tensor(np.asarray(draws).astype(_float_dtype(dtype, "beta")))


def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> Any:
    """Draws from a binomial distribution.

    Args:
        shape: Tuple of integers.
        counts: Number or tensor: how many trials.
        probabilities: Number or tensor: of success.
        dtype: Name of the dtype. Defaults to `floatx()`.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> minikeras.random.binomial((2,), 10, 1.0, seed=1).tolist()
    [10.0, 10.0]
    """
    n, p = array_of(counts).astype("int64"), array_of(probabilities).astype("float64")
    draws = draw_generator(seed).binomial(n, p, _shape(shape))
    name = dtypes.standardize_dtype(dtype or config.floatx())
    return Tensor(np.asarray(draws).astype(dtypes.to_numpy_dtype(name)))


class Dropout(Kernel, register=False):
    """Values set to 0 at random."""

    rate: float
    noise_shape: Any = None
    seed: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        if self.rate == 0:
            ctx.save(None)
            return x
        shape = x.shape
        if self.noise_shape is not None:
            shape = tuple(
                size if given is None else given for size, given in zip(x.shape, self.noise_shape)
            )
        if self.rate == 1:
            factor = np.zeros(shape, x.dtype)
        else:
            kept = draw_generator(self.seed).random(shape, np.float32) >= self.rate
            factor = kept * x.dtype.type(1 / (1 - self.rate))
        ctx.save(factor)
        return x * factor

    def backward(self, ctx: Any, dy: Any) -> Any:
        (factor,) = ctx.saved
        return dy if factor is None else dy * factor

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype)


registry.operations.register("RandomDropout")(Dropout)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Values set to 0 with probability `rate`, the others scaled by 1 / (1 - rate).

    Args:
        inputs: Tensor of floats.
        rate: Number from 0 to 1.
        noise_shape: Tuple that broadcasts to the shape of `inputs`: where it is 1, a whole axis is
            kept or dropped together. None stands for the size of `inputs`.
        seed: Integer, `SeedGenerator` or None.

    Raises:
        ValueError: if `rate` is out of range or `inputs` not of floats.

    Example:

    >>> import minikeras
    >>> minikeras.random.dropout([1.0, 2.0], 0.0).tolist()
    [1.0, 2.0]
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"Argument `rate` must be between 0 and 1. Received: rate={rate}")
    x = tensor(inputs)
    if dtypes.to_numpy_dtype(x.dtype).kind != "f":
        raise ValueError(f"Argument `inputs` must be of floats. Received dtype: {x.dtype}")
    return Dropout(float(rate), static(noise_shape), seed)(x)


class Shuffle(Kernel, register=False):
    """Slices in random order."""

    axis: int = 0
    seed: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        axis = canonical_axis(self.axis, x.ndim)
        order = draw_generator(self.seed).permutation(x.shape[axis])
        ctx.save(order, axis)
        return x.take(order, axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        order, axis = ctx.saved
        return dy.take(np.argsort(order), axis)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype)


registry.operations.register("RandomShuffle")(Shuffle)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices along an axis in random order.

    Args:
        x: Tensor.
        axis: Integer, default 0.
        seed: Integer, `SeedGenerator` or None.

    Example:

    >>> import minikeras
    >>> sorted(minikeras.random.shuffle([1, 2, 3], seed=1).tolist())
    [1, 2, 3]
    """
    return Shuffle(axis, seed)(x)
