"""Constraints: projections of variables, applied after each update.

A constraint is called with a tensor and returns the projected one. `project` does the same to a
plain array in place; any callable has it through `project(constraint, array)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.spelling import older_names, understands_old
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain
from minikeras.ops.base import array_of

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


def project(constraint: Any, array: np.ndarray) -> None:
    """Apply any constraint (a callable) to `array`, in place."""
    method = getattr(constraint, "project", None)
    if method is None:
        array[...] = plain(constraint(Tensor(array)))
    else:
        method(array)


@registry.constraints.register("Constraint", "constraint")
class Constraint:
    """Base class of constraints.

    A subclass defines `__call__(w)`, which returns the projected tensor, and `get_config` if it has
    arguments.

    Example:

    >>> import minikeras
    >>> class AtMostOne(minikeras.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return minikeras.ops.minimum(w, 1.0)
    """

    def __call__(self, w: Any) -> Any:
        """The projection of `w`; `w` itself in the base class."""
        return w

    def project(self, array: np.ndarray) -> None:
        """Project a plain array in place."""
        array[...] = plain(self(Tensor(array)))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The constraint that `config` describes."""
        return cls(**config)


class _BuiltIn(Constraint):
    """What the built-in constraints share: they define `_project`, on an array in place."""

    def __call__(self, w: Any) -> Any:
        array = array_of(w).copy()
        self._project(array)
        return Tensor(array)

    def project(self, array: np.ndarray) -> None:
        if type(self).__call__ is _BuiltIn.__call__:
            self._project(array)
        else:
            # A subclass of the user does something else.
            super().project(array)

    def _project(self, array: np.ndarray) -> None:
        raise NotImplementedError


def _norms(array: np.ndarray, axis: Any) -> np.ndarray:
    axis = tuple(axis) if isinstance(axis, list) else axis
    return np.sqrt(np.square(array).sum(axis=axis, keepdims=True))


@registry.constraints.register("NonNeg", "non_neg", "nonneg")
class NonNeg(_BuiltIn):
    """Makes negative values 0.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.constraints.NonNeg()(np.array([-1.0, 2.0])).numpy()
    array([0., 2.])
    """

    def _project(self, array: np.ndarray) -> None:
        np.maximum(array, 0, out=array)


@registry.constraints.register("UnitNorm", "unit_norm", "unitnorm")
class UnitNorm(_BuiltIn):
    """Scales weights to norm 1.

    Args:
        axis: Integer or list of integers, default 0: the axes of one weight vector. A kernel of
            `Dense` has shape `(inputs, units)`, so 0 takes the vector that enters each unit; for
            `Conv2D` the same is `[0, 1, 2]`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.constraints.UnitNorm()(np.array([[3.0], [4.0]])).numpy().round(4)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def _project(self, array: np.ndarray) -> None:
        array /= config.epsilon() + _norms(array, self.axis)

    def get_config(self) -> dict:
        return {"axis": self.axis}


@registry.constraints.register("MaxNorm", "max_norm", "maxnorm")
class MaxNorm(_BuiltIn):
    """Scales weights down to a norm, where theirs is larger.

    From Srivastava et al. 2014, "Dropout: a simple way to prevent overfitting".

    Args:
        max_value: Float, default 2. The largest norm.
        axis: Integer or list of integers, default 0: the axes of one weight vector (see
            `UnitNorm`).

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.constraints.MaxNorm(2.5)(np.array([[3.0], [4.0]])).numpy().round(4)
    array([[1.5],
           [2. ]])
    """

    @understands_old
    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def _project(self, array: np.ndarray) -> None:
        norms = _norms(array, self.axis)
        array *= np.clip(norms, 0, self.max_value) / (config.epsilon() + norms)

    def get_config(self) -> dict:
        return {"max_value": self.max_value, "axis": self.axis}


@registry.constraints.register("MinMaxNorm", "min_max_norm", "minmaxnorm")
class MinMaxNorm(_BuiltIn):
    """Scales weights to a norm between two bounds.

    Args:
        min_value: Float, default 0. The smallest norm.
        max_value: Float, default 1. The largest norm.
        rate: Float from 0 to 1, default 1. How far the norm moves towards the bound in one step.
        axis: Integer or list of integers, default 0: the axes of one weight vector (see
            `UnitNorm`).

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> constraint = minikeras.constraints.MinMaxNorm(1.0, 2.5, rate=0.5)
    >>> constraint(np.array([[3.0], [4.0]])).numpy().round(4)
    array([[2.25],
           [3.  ]])
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Any = 0,
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def _project(self, array: np.ndarray) -> None:
        norms = _norms(array, self.axis)
        desired = self.rate * np.clip(norms, self.min_value, self.max_value)
        desired += (1 - self.rate) * norms
        array *= desired / (config.epsilon() + norms)

    def get_config(self) -> dict:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm


def serialize(constraint: Any) -> Any:
    """The config dict of a constraint."""
    return registry.constraints.serialize(constraint)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The constraint that `config` describes.

    Args:
        config: What `serialize` returned.
        custom_objects: dict of your own classes and functions by name.
    """
    return registry.constraints.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """The constraint that `identifier` stands for.

    Args:
        identifier: None, a name, a config dict, a class, a constraint or a callable.

    Raises:
        ValueError: if there is none; near matches are listed.

    Example:

    >>> import minikeras
    >>> minikeras.constraints.get("max_norm").get_config()
    {'max_value': 2, 'axis': 0}
    """
    return registry.constraints.get(identifier)


__getattr__ = older_names("constraints")
