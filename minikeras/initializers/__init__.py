"""Initializers: the first values of variables.

An initializer is called with a shape and a dtype, and returns a tensor. One that was given a seed
(or none: it then draws one when it is made) returns the same values each time; pass a
`SeedGenerator` as the seed for values that differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry
from minikeras.engine.spelling import older_names
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable, plain
from minikeras.initializers.initializer import (
    STFT,
    Constant,
    Identity,
    Initializer,
    Ones,
    Zeros,
)
from minikeras.initializers.random_initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


def _from_array(identifier: Any) -> Any:
    """An initializer that returns `identifier`, an array or tensor."""
    if not isinstance(identifier, (np.ndarray, np.generic, Tensor, Variable)):
        return None

    def initialize(shape: Any, dtype: Any = None) -> Tensor:
        if tuple(shape) != tuple(identifier.shape):
            raise ValueError(
                f"Expected `shape` to be {tuple(identifier.shape)}, that of the array given as the"
                f" initializer. Received: shape={tuple(shape)}"
            )
        return Tensor(np.asarray(plain(identifier)).astype(dtypes.to_numpy_dtype(dtype)))

    return initialize


registry.initializers.convert = _from_array

constant = Constant
identity = IdentityInitializer = Identity
ones = Ones
stft = STFTInitializer = STFT
zeros = Zeros
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
orthogonal = OrthogonalInitializer = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling


def serialize(initializer: Any) -> Any:
    """The config dict of an initializer."""
    return registry.initializers.serialize(initializer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The initializer that `config` describes.

    Args:
        config: What `serialize` returned.
        custom_objects: dict of your own classes and functions by name.
    """
    return registry.initializers.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """The initializer that `identifier` stands for.

    Args:
        identifier: None, a name, a config dict, an array, a class, an initializer or a callable.

    Raises:
        ValueError: if there is none; near matches are listed.

    Example:

    >>> import minikeras
    >>> type(minikeras.initializers.get("glorot_uniform")).__name__
    'GlorotUniform'
    """
    return registry.initializers.get(identifier)


__getattr__ = older_names("initializers")
