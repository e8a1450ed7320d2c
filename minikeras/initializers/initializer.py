"""The base class of initializers."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry


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
