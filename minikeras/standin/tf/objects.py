"""Classes of `tf` that hold tensors; names of TensorFlow 1 that still mean something."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable
from minikeras.ops.base import array_of
from minikeras.standin.finder import GRAPH
from minikeras.standin.tf import public
from minikeras.standin.tf import random as _random
from minikeras.standin.tf.dtypes import as_dtype, cast
from minikeras.standin.tf.tensors import convert_to_tensor

ops: Any = _ops


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


# Names of TensorFlow 1.
random_normal = _random.normal
random_uniform = _random.uniform
random_shuffle = _random.shuffle
truncated_normal = _random.truncated_normal
set_random_seed = _random.set_seed
multinomial = _random.categorical


def to_float(x: Any, name: Any = "ToFloat") -> Any:
    """`x` as float32."""
    return cast(x, "float32")


def to_int32(x: Any, name: Any = "ToInt32") -> Any:
    """`x` as int32."""
    return cast(x, "int32")


def to_int64(x: Any, name: Any = "ToInt64") -> Any:
    """`x` as int64."""
    return cast(x, "int64")


class _Options:
    """Settings of a session: kept, and without effect."""

    def __init__(self, **settings: Any) -> None:
        self.__dict__.update(settings)


class GPUOptions(_Options):
    """How to use GPUs. There are none: kept, and without effect."""


class ConfigProto(_Options):
    """Settings of a session: kept, and without effect. Results are the same with any."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("gpu_options", GPUOptions())
        super().__init__(**settings)


class Graph:
    """What scripts put models in. It holds nothing."""

    def as_default(self) -> Graph:
        """Itself, for `with`."""
        return self

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def finalize(self) -> None:
        """Does nothing."""


get_default_graph = Graph


class Session(Graph):
    """What scripts make to set GPU options. It computes nothing.

    Args:
        target: Not used.
        graph: Not used.
        config: Not used.
    """

    def __init__(self, target: Any = "", graph: Any = None, config: Any = None) -> None:
        self.graph, self._config = graph, config

    def run(self, fetches: Any = None, *_: Any, **__: Any) -> None:
        """Not available, but for the initialization of variables, which is done.

        Raises:
            NotImplementedError: for anything to compute.
        """
        if fetches is not None:
            raise NotImplementedError(f"tf.Session.run is not available: {GRAPH}")

    def close(self) -> None:
        """Does nothing."""


InteractiveSession = Session


def global_variables_initializer(name: Any = None) -> None:
    """Nothing: variables have their values from the start."""


initialize_all_variables = local_variables_initializer = tables_initializer = (
    global_variables_initializer
)


def reset_default_graph() -> None:
    """Nothing: there is no graph. `keras.backend.clear_session()` starts names anew."""


def enable_eager_execution(*_: Any, **__: Any) -> None:
    """Nothing: everything is computed at once."""


enable_v2_behavior = enable_resource_variables = enable_control_flow_v2 = enable_eager_execution


def disable_eager_execution() -> None:
    """Nothing. Everything is computed at once all the same, with the same results for models."""


disable_v2_behavior = disable_resource_variables = disable_control_flow_v2 = disable_eager_execution


__all__ = public(
    globals(),
    *("random_normal", "random_uniform", "random_shuffle", "truncated_normal"),
    *("set_random_seed", "multinomial"),
)
