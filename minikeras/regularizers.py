"""Regularizers: penalties on variables or outputs, added to the loss.

A regularizer is called with a tensor and returns a scalar. `value_and_gradient` gives the same on
plain arrays, with the gradient; any callable has it through `value_and_gradient(regularizer, x)`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.context import Run
from minikeras.engine.operation import Operation
from minikeras.engine.recording import Recording
from minikeras.engine.spelling import older_names, understands_old
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain
from minikeras.ops.base import tensor

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


def value_and_gradient(regularizer: Any, x: np.ndarray) -> tuple[float, np.ndarray | None]:
    """The penalty of any regularizer on the array `x`, and its gradient (None if it has none)."""
    method = getattr(regularizer, "value_and_gradient", None)
    return recorded_value_and_gradient(regularizer, x) if method is None else method(x)


def recorded_value_and_gradient(function: Any, x: np.ndarray) -> tuple[float, np.ndarray | None]:
    """The same, by recording what `function` does with `minikeras.ops`."""
    with Recording(Run(recording=True)) as recording:
        tracked = recording.track(x)
        value = function(tracked)
    gradient = None
    if isinstance(value, Tensor) and value.recording is recording:
        gradient = recording.reverse([(value.slot, np.ones_like(value.array))])[tracked.slot]
    return float(plain(value)), gradient


@registry.regularizers.register("Regularizer", "regularizer")
class Regularizer:
    """Base class of regularizers.

    A subclass defines `__call__(x)`, which returns a scalar computed with `minikeras.ops`, and
    `get_config` if it is to be saved.

    Example:

    >>> import minikeras
    >>> class Cubes(minikeras.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return 0.1 * minikeras.ops.sum(minikeras.ops.absolute(x) ** 3)
    """

    def __call__(self, x: Any) -> Any:
        """The penalty on `x`, a scalar; 0 in the base class."""
        return 0.0

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray | None]:
        """The penalty on an array, and its gradient (None if there is none)."""
        return recorded_value_and_gradient(self, x)

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The regularizer that `config` describes."""
        return cls(**config)

    def get_config(self) -> dict:
        """The constructor's arguments; a subclass that is saved defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define `get_config()`.")


class _Penalty(Operation):
    """Run a built-in regularizer."""

    def __init__(self, regularizer: Any) -> None:
        super().__init__()
        self.regularizer = regularizer

    def forward(self, ctx: Any, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        value, gradient = self.regularizer._on_array(x)
        ctx.save(gradient)
        return np.asarray(value, x.dtype)

    def backward(self, ctx: Any, dy: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return ctx.saved[0] * dy


class _BuiltIn(Regularizer):
    """What the built-in regularizers share: they define `_on_array`, value and gradient."""

    def __call__(self, x: Any) -> Any:
        return _Penalty(self)(tensor(x))

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray | None]:
        if type(self).__call__ is _BuiltIn.__call__:
            return self._on_array(x)
        # A subclass of the user computes something else.
        return super().value_and_gradient(x)

    def _on_array(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        raise NotImplementedError


@registry.regularizers.register("L1L2", "l1_l2", "l1l2")
class L1L2(_BuiltIn):
    """Penalty `l1 * sum(|x|) + l2 * sum(x^2)`.

    Args:
        l1: Non-negative float, default 0.
        l2: Non-negative float, default 0.

    Raises:
        ValueError: for a negative or infinite factor.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> penalty = minikeras.regularizers.L1L2(l1=0.1, l2=0.01)
    >>> round(float(penalty(np.array([1.0, -2.0]))), 4)
    0.35
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor(0.0 if l1 is None else l1, "l1")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2")

    def _on_array(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = 0.0, None
        if self.l1:
            value = self.l1 * float(np.abs(x).sum())
            gradient = np.sign(x)
            gradient *= self.l1
        if self.l2:
            value += self.l2 * float(np.vdot(x, x))
            square = x * (2 * self.l2)
            gradient = square if gradient is None else gradient + square
        return value, np.zeros_like(x) if gradient is None else gradient

    def get_config(self) -> dict:
        return {"l1": self.l1, "l2": self.l2}


@registry.regularizers.register("L1", "l1")
class L1(L1L2):
    """Penalty `l1 * sum(|x|)`.

    Args:
        l1: Non-negative float, default 0.01.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> float(minikeras.regularizers.L1(0.5)(np.array([1.0, -2.0])))
    1.5
    """

    @understands_old
    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict:
        return {"l1": self.l1}


@registry.regularizers.register("L2", "l2")
class L2(L1L2):
    """Penalty `l2 * sum(x^2)`.

    Args:
        l2: Non-negative float, default 0.01.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> float(minikeras.regularizers.L2(0.5)(np.array([1.0, -2.0])))
    2.5
    """

    @understands_old
    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict:
        return {"l2": self.l2}


@registry.regularizers.register("OrthogonalRegularizer", "orthogonal_regularizer")
class OrthogonalRegularizer(_BuiltIn):
    """Penalty on the angles between the rows (or columns) of a matrix.

    `factor * mean(|cos(a, b)|)` over all pairs of different rows (or columns).

    Args:
        factor: Non-negative float, default 0.01.
        mode: `"rows"` (default) or `"columns"`.

    Raises:
        ValueError: for an unknown `mode`, a negative factor, or when called with no matrix.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> penalty = minikeras.regularizers.OrthogonalRegularizer(factor=0.5)
    >>> float(penalty(np.eye(3)))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(
                'Invalid value for argument `mode`. Expected one of {"rows", "columns"}. Received:'
                f" mode={mode}"
            )
        self.factor = _factor(factor, "factor")
        self.mode = mode

    def _on_array(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        if x.ndim != 2:
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2. Received:"
                f" inputs.shape={x.shape}"
            )
        if self.mode == "columns":
            x = x.T
        pairs = x.shape[0] * (x.shape[0] - 1) / 2
        scale = self.factor * 0.5 / max(pairs, 1)
        norms = np.sqrt(np.square(x).sum(axis=1, keepdims=True))
        inverse = 1 / np.maximum(norms, config.epsilon())
        units = x * inverse
        cosines = units @ units.T
        np.fill_diagonal(cosines, 0)
        gradient = np.sign(cosines) @ units
        gradient *= 2 * scale
        # Through the normalization: what is along the row itself falls away.
        along = (gradient * units).sum(axis=1, keepdims=True) * (norms > config.epsilon())
        gradient -= units * along
        gradient *= inverse
        value = scale * float(np.abs(cosines).sum())
        return value, gradient.T if self.mode == "columns" else gradient

    def get_config(self) -> dict:
        return {"factor": self.factor, "mode": self.mode}


def _factor(value: Any, name: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (float, int, np.floating, np.integer))
        or not math.isfinite(value)
        or value < 0
    ):
        raise ValueError(
            f"Argument `{name}` must be a non-negative finite float. Received: {name}={value!r}"
        )
    return float(value)


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def serialize(regularizer: Any) -> Any:
    """The config dict of a regularizer."""
    return registry.regularizers.serialize(regularizer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The regularizer that `config` describes.

    Args:
        config: What `serialize` returned.
        custom_objects: dict of your own classes and functions by name.
    """
    return registry.regularizers.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """The regularizer that `identifier` stands for.

    Args:
        identifier: None, a name, a config dict, a class, a regularizer or a callable.

    Raises:
        ValueError: if there is none; near matches are listed.

    Example:

    >>> import minikeras
    >>> minikeras.regularizers.get("l2").get_config()
    {'l2': 0.01}
    """
    return registry.regularizers.get(identifier)


__getattr__ = older_names("regularizers")
