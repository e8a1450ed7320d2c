"""Seeds and random streams.

A `SeedGenerator` is a seed and a count of draws, both in one variable, so that a stream can be
saved and goes on where it was. Draws use the counter-based Philox generator (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3"): the seed is the key and the count the counter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import Variable

_MAX_SEED = 10**9
_global: dict[str, Any] = {"seed": None, "count": 0, "fingerprint": None, "generator": None}


def set_global_seed(seed: int | None) -> None:
    """Make every seed that is not given explicitly follow from `seed`."""
    _global.update(seed=seed, count=0, fingerprint=None, generator=None)


def make_default_seed() -> int:
    """A seed for something that was given none.

    It follows from the seed of `set_random_seed`, else from the state of `numpy.random` (which is
    read, not advanced): scripts that call only `numpy.random.seed` are repeatable.
    """
    seed = _global["seed"]
    if seed is None:
        _, keys, position, *_ = np.random.get_state()
        seed = hash((int(keys[0]), int(keys[1]), int(keys[-1]), int(position)))
        if seed != _global["fingerprint"]:
            _global.update(fingerprint=seed, count=0)
    _global["count"] += 1
    mixed = np.random.SeedSequence([seed & 0xFFFFFFFFFFFFFFFF, _global["count"]])
    return int(mixed.generate_state(1)[0]) % _MAX_SEED + 1


@registry.generators.register("SeedGenerator")
class SeedGenerator:
    """A stream of random seeds, kept in a variable so that it is saved with the model.

    Args:
        seed: Integer or None (default). None draws a seed as `make_default_seed` does.
        name: String or None. Name of the state.

    Example:

    >>> import minikeras
    >>> generator = minikeras.random.SeedGenerator(seed=42)
    >>> minikeras.random.normal((2, 3), seed=generator).shape
    (2, 3)
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        from minikeras.engine.registry import auto_name, name_scope

        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed!r}")
        if seed is not None and seed < 0:
            raise ValueError(f"Argument `seed` must not be negative. Received: seed={seed}")
        self.name = name or auto_name("seed_generator")
        self._initial_seed = make_default_seed() if seed is None else int(seed)
        with name_scope(self.name, caller=self):
            self.state = Variable(
                np.array([self._initial_seed & 0xFFFFFFFF, 0], dtype="uint32"),
                dtype="uint32",
                trainable=False,
                name="seed_generator_state",
            )

    def __deepcopy__(self, memo: dict) -> SeedGenerator:
        twin = SeedGenerator(self._initial_seed, name=self.name)
        twin.state.array[...] = self.state.array
        memo[id(self)] = twin
        return twin

    def next(self, ordered: bool = True) -> np.ndarray:
        """The current seed (uint32 array of shape (2,)); the stream moves on."""
        state = self.state.array
        seed = state.copy()
        state[1] += np.uint32(1)
        return seed

    def generator(self) -> np.random.Generator:
        """A NumPy generator for one draw; the stream moves on."""
        return generator_from(self.next())

    def get_config(self) -> dict:
        """The configuration: the initial seed and the name."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> SeedGenerator:
        """A generator at the start of the stream that `config` describes."""
        return cls(**config)


def generator_from(seed: Any) -> np.random.Generator:
    """A NumPy generator from a pair (seed, count)."""
    key, count = int(seed[0]), int(seed[1])
    return np.random.Generator(np.random.Philox(counter=(0, 0, 0, count), key=(key, 0)))


def global_seed_generator() -> SeedGenerator:
    """The stream that serves draws without a seed."""
    generator = _global["generator"]
    if generator is None:
        generator = _global["generator"] = SeedGenerator(name="global_seed_generator")
    return generator


def draw_generator(seed: Any = None) -> np.random.Generator:
    """A NumPy generator for one draw with `seed`: an integer, a `SeedGenerator` or None."""
    if seed is None:
        return global_seed_generator().generator()
    if isinstance(seed, SeedGenerator):
        return seed.generator()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return generator_from((int(seed) & 0xFFFFFFFFFFFFFFFF, 0))
    if isinstance(seed, np.ndarray) and seed.shape == (2,):
        return generator_from(seed)
    raise ValueError(
        "Argument `seed` must be an integer, a `SeedGenerator` or None. "
        f"Received: seed={seed!r} (of type {type(seed)})"
    )
