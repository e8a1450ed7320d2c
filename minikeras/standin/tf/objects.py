"""Classes of `tf` that hold tensors or variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable
from minikeras.ops.base import array_of
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import convert_to_tensor

ops: Any = _ops
__all__ = ["Module", "TensorArray", "UnconnectedGradients"]


class Module:
    """Something with variables: those in its attributes, and in theirs.

    Args:
        name: String or None.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name or type(self).__name__.lower()

    @property
    def name(self) -> str:
        """The name."""
        return getattr(self, "_name", type(self).__name__.lower())

    def _leaves(self) -> list:
        found: list = []
        seen: set[int] = set()

        def walk(value: Any) -> None:
            if id(value) in seen:
                return
            seen.add(id(value))
            if isinstance(value, (Variable, Module)) or hasattr(value, "trainable_variables"):
                if value is not self:
                    found.append(value)
            if isinstance(value, Module):
                for key in sorted(vars(value)):
                    walk(vars(value)[key])
            elif isinstance(value, dict):
                for key in sorted(value, key=str):
                    walk(value[key])
            elif isinstance(value, (list, tuple)):
                for one in value:
                    walk(one)

        walk(self)
        return found

    @property
    def variables(self) -> tuple:
        """All variables, by the names of the attributes."""
        found: list = []
        for one in self._leaves():
            if isinstance(one, Variable):
                found.append(one)
            elif not isinstance(one, Module):
                found.extend(one.variables)
        return tuple({id(one): one for one in found}.values())

    @property
    def trainable_variables(self) -> tuple:
        """The variables that are trainable."""
        return tuple(one for one in self.variables if one.trainable)

    @property
    def non_trainable_variables(self) -> tuple:
        """The variables that are not."""
        return tuple(one for one in self.variables if not one.trainable)

    @property
    def submodules(self) -> tuple:
        """The modules and layers in it."""
        return tuple(one for one in self._leaves() if not isinstance(one, Variable))

    @staticmethod
    def with_name_scope(method: Any) -> Any:
        """`method` itself."""
        return method


class TensorArray:
    """A list of tensors that is written and read by number.

    Args:
        dtype: The dtype of the tensors.
        size: How many there are, default 0.
        dynamic_size: Boolean. Whether there may be more.
        element_shape: Not used.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = 0,
        dynamic_size: bool = False,
        clear_after_read: Any = None,
        tensor_array_name: Any = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        **_: Any,
    ) -> None:
        self.dtype = as_dtype(dtype)
        self.dynamic_size = bool(dynamic_size)
        self._items: list = [None] * int(size)

    def write(self, index: Any, value: Any, name: Any = None) -> TensorArray:
        """Puts a tensor at a number; returns the array.

        Raises:
            ValueError: there is no such number.
        """
        place = int(index)
        if place >= len(self._items):
            if not self.dynamic_size:
                raise ValueError(
                    f"TensorArray of size {len(self._items)} has no place {place}. Make it with"
                    " dynamic_size=True."
                )
            self._items += [None] * (place + 1 - len(self._items))
        self._items[place] = convert_to_tensor(value, self.dtype)
        return self

    def read(self, index: Any, name: Any = None) -> Any:
        """The tensor of that number."""
        return self._items[int(index)]

    def stack(self, name: Any = None) -> Any:
        """All of them along a new first axis."""
        return ops.stack(self._filled()) if self._items else Tensor(np.zeros(0, self.dtype.name))

    def concat(self, name: Any = None) -> Any:
        """All of them one after the other."""
        return ops.concatenate(self._filled(), axis=0)

    def gather(self, indices: Any, name: Any = None) -> Any:
        """Those of some numbers along a new first axis."""
        items = self._filled()
        return ops.stack([items[int(place)] for place in array_of(indices)])

    def scatter(self, indices: Any, value: Any, name: Any = None) -> TensorArray:
        """Puts slices along the first axis at those numbers; returns the array."""
        for place, one in zip(array_of(indices), convert_to_tensor(value, self.dtype)):
            self.write(place, one)
        return self

    def unstack(self, value: Any, name: Any = None) -> TensorArray:
        """Fills it with the slices along the first axis."""
        self._items = list(convert_to_tensor(value, self.dtype))
        return self

    def size(self, name: Any = None) -> Any:
        """How many there are."""
        return Tensor(np.asarray(len(self._items), "int32"))

    def _filled(self) -> list:
        shape = next((tuple(one.shape) for one in self._items if one is not None), ())
        blank = Tensor(np.zeros(shape, self.dtype.name))
        return [blank if one is None else one for one in self._items]


class UnconnectedGradients:
    """What a gradient is on which nothing depends."""

    NONE = "none"
    ZERO = "zero"
