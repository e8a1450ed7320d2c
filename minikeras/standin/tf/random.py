"""`tf.random`. Draws follow from `tf.random.set_seed`; they are not TensorFlow's own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras import random as _random
from minikeras.engine import rng
from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of, static
from minikeras.standin.tf import public
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import convert_to_tensor, sizes

ops: Any = _ops


def set_seed(seed: int) -> None:
    """Makes every draw without a seed of its own follow from `seed`.

    NumPy's and Python's generators are left alone; `keras.utils.set_random_seed` seeds them too.
    """
    rng.set_global_seed(int(seed))


set_random_seed = set_seed  # its name in TensorFlow 1


def _source(seed: Any) -> Any:
    """What to draw with: integers and pairs (of stateless functions) as one integer."""
    if seed is None:
        return None
    parts = [int(one) & 0xFFFFFFFF for one in np.ravel(static(seed))]
    if len(parts) == 1:
        return parts[0]
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Draws from a normal distribution."""
    return _random.normal(sizes(shape), mean, stddev, as_dtype(dtype).name, _source(seed))


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Draws from a normal distribution, cut at two standard deviations."""
    return _random.truncated_normal(sizes(shape), mean, stddev, as_dtype(dtype).name, _source(seed))


def uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Draws between two numbers; integers, if `dtype` is of integers.

    Raises:
        ValueError: integers without `maxval`.
    """
    kind = as_dtype(dtype)
    if kind.is_integer:
        if maxval is None:
            raise ValueError("tf.random.uniform of integers needs `maxval`. Received: None")
        return _random.randint(sizes(shape), minval, maxval, kind.name, _source(seed))
    high = 1.0 if maxval is None else maxval
    return _random.uniform(sizes(shape), minval, high, kind.name, _source(seed))


def categorical(
    logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: Any = None
) -> Any:
    """Draws classes by the logarithms of their odds."""
    kind = as_dtype(dtype or "int64").name
    return _random.categorical(logits, int(num_samples), kind, _source(seed))


def gamma(
    shape: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = "float32",
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Draws from gamma distributions: `shape` of each `alpha`."""
    alphas = array_of(alpha)
    whole = (*sizes(shape), *alphas.shape)
    kind = as_dtype(dtype).name
    drawn = _random.gamma(whole, np.broadcast_to(alphas, whole), kind, _source(seed))
    return drawn if beta is None else ops.divide(drawn, beta)


def poisson(
    shape: Any, lam: Any, dtype: Any = "float32", seed: Any = None, name: Any = None
) -> Any:
    """Draws from Poisson distributions: `shape` of each `lam`."""
    rates = array_of(lam)
    drawn = rng.draw_generator(_source(seed)).poisson(rates, (*sizes(shape), *rates.shape))
    return Tensor(np.asarray(drawn).astype(as_dtype(dtype).name))


def _candidates(
    weights: np.ndarray, true_classes: Any, num_sampled: Any, unique: bool, seed: Any
) -> tuple:
    """Classes drawn by their weights, and how often true and drawn ones are expected."""
    count, source, ends = int(num_sampled), rng.draw_generator(_source(seed)), np.cumsum(weights)
    if unique and count > len(weights):
        raise ValueError(f"Of {len(weights)} classes, {count} different ones cannot be drawn.")
    drawn: list[int] = []
    tries = 0
    while len(drawn) < count:
        one = min(int(np.searchsorted(ends, source.random(), "right")), len(ends) - 1)
        tries += 1
        if not unique or one not in drawn:
            drawn.append(one)

    def expected(classes: Any) -> Any:
        chance = weights[np.asarray(classes, "int64")]
        found = -np.expm1(tries * np.log1p(-chance)) if unique else count * chance
        return Tensor(found.astype("float32"))

    return Tensor(np.array(drawn, "int64")), expected(array_of(true_classes)), expected(drawn)


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: Any = None,
    name: Any = None,
) -> tuple:
    """Draws classes, the first ones more often: words sorted by how frequent they are.

    Returns:
        The classes drawn, and how often those of `true_classes` and they themselves are expected.
    """
    weights = np.diff(np.log(np.arange(1.0, int(range_max) + 2))) / np.log(int(range_max) + 1.0)
    return _candidates(weights, true_classes, num_sampled, unique, seed)


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: Any = None,
    name: Any = None,
) -> tuple:
    """Draws classes, each as likely as the others; returns as `log_uniform_candidate_sampler`."""
    weights = np.full(int(range_max), 1.0 / int(range_max))
    return _candidates(weights, true_classes, num_sampled, unique, seed)


def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """The slices along the first axis in another order."""
    return _random.shuffle(convert_to_tensor(value), 0, _source(seed))


def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    name: Any = None,
    alg: Any = None,
) -> Any:
    """`normal`, the same for the same seed."""
    return normal(shape, mean, stddev, dtype, seed)


def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    name: Any = None,
    alg: Any = None,
) -> Any:
    """`truncated_normal`, the same for the same seed."""
    return truncated_normal(shape, mean, stddev, dtype, seed)


def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    name: Any = None,
    alg: Any = None,
) -> Any:
    """`uniform`, the same for the same seed."""
    return uniform(shape, minval, maxval, dtype, seed)


def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = "int64", name: Any = None
) -> Any:
    """`categorical`, the same for the same seed."""
    return categorical(logits, num_samples, dtype, seed)


def split(seed: Any, num: int = 2, alg: Any = None) -> Any:
    """Several seeds of one."""
    parts = [int(one) & 0xFFFFFFFF for one in np.ravel(static(seed))]
    words = np.random.SeedSequence(parts).generate_state(2 * int(num))
    return Tensor((words & 0x7FFFFFFF).astype("int32").reshape(int(num), 2))


class Generator:
    """A stream of draws of its own.

    Example:

    >>> import minikeras
    >>> from minikeras.standin.tf.random import Generator
    >>> Generator.from_seed(1).normal((2, 3)).shape
    (2, 3)
    """

    def __init__(self, seed: Any = None) -> None:
        self._seeds = _random.SeedGenerator(seed)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A stream that follows from `seed`."""
        return cls(_source(seed))

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A stream that is another in each process."""
        return cls(int(np.random.SeedSequence().generate_state(1)[0]))

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32") -> Any:
        """Draws from a normal distribution."""
        return _random.normal(sizes(shape), mean, stddev, as_dtype(dtype).name, self._seeds)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32"
    ) -> Any:
        """Draws from a normal distribution, cut at two standard deviations."""
        return _random.truncated_normal(
            sizes(shape), mean, stddev, as_dtype(dtype).name, self._seeds
        )

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32"
    ) -> Any:
        """Draws between two numbers."""
        if as_dtype(dtype).is_integer:
            return _random.randint(sizes(shape), minval, maxval, as_dtype(dtype).name, self._seeds)
        high = 1.0 if maxval is None else maxval
        return _random.uniform(sizes(shape), minval, high, as_dtype(dtype).name, self._seeds)

    def make_seeds(self, count: int = 1) -> Any:
        """Seeds for stateless functions, of shape (2, count)."""
        return _random.randint((2, int(count)), 0, 2**31 - 1, "int32", self._seeds)


_global: list[Generator] = []


def get_global_generator() -> Generator:
    """The stream that all share."""
    if not _global:
        _global.append(Generator())
    return _global[0]


__all__ = public(globals(), "set_random_seed")
