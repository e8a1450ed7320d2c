"""Names of TensorFlow 1 that still mean something where everything is computed at once."""

from __future__ import annotations

from typing import Any

from minikeras.standin.finder import GRAPH
from minikeras.standin.tf import random as _random
from minikeras.standin.tf.dtypes import cast

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

__all__ = [name for name in globals() if not name.startswith("_")]
__all__ = [name for name in __all__ if name not in ("Any", "annotations", "cast", "GRAPH")]
