"""`keras.backend`: settings, names and dtypes; and the scopes of Keras's top level.

The arithmetic that `keras.backend` had in Keras 1 and 2 is that of `minikeras.ops` today.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

from minikeras.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from minikeras.engine import rng
from minikeras.engine.dtype_policy import set_dtype_policy
from minikeras.engine.dtypes import is_float as is_float_dtype
from minikeras.engine.dtypes import is_int as is_int_dtype
from minikeras.engine.dtypes import result_type, standardize_dtype
from minikeras.engine.registry import get_uid, name_scope, reset_names
from minikeras.engine.spelling import older_names
from minikeras.engine.symbolic import KerasTensor

__all__ = [
    "RematScope",
    "backend",
    "clear_session",
    "device",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "name_scope",
    "remat",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]


def clear_session(free_memory: bool = True) -> None:
    """Starts anew: automatic names, the global seed and the global dtype policy.

    Args:
        free_memory: Whether to collect garbage. Defaults to `True`.

    Example:

    >>> import minikeras
    >>> minikeras.utils.clear_session()
    """
    reset_names()
    rng.set_global_seed(None)
    set_dtype_policy(floatx())
    if free_memory:
        gc.collect()


def is_keras_tensor(x: Any) -> bool:
    """Tells whether `x` is symbolic: the output of a layer of a functional model.

    >>> import minikeras
    >>> minikeras.utils.is_keras_tensor(minikeras.Input((2,)))
    True
    """
    return isinstance(x, KerasTensor)


@contextlib.contextmanager
def device(device_name: str) -> Iterator[None]:
    """Says on which device to compute. There is one: the CPU.

    Args:
        device_name: `"cpu"` or `"cpu:0"`.

    Raises:
        ValueError: Another device was asked for.

    Example:

    >>> import minikeras
    >>> with minikeras.device("cpu:0"):
    ...     layer = minikeras.layers.Dense(2)
    """
    kind = str(device_name).lower().removeprefix("/").removeprefix("device:").partition(":")[0]
    if kind != "cpu":
        raise ValueError(
            f"NumPy computes on the CPU alone. Use 'cpu'. Received: device_name={device_name!r}"
        )
    yield


def remat(f: Callable) -> Callable:
    """Returns `f`. Rematerialization would save memory by computing activations twice.

    It never changes results; here activations are kept.
    """
    return f


class RematScope:
    """Asks for rematerialization in the layers made inside. It has no effect on results.

    Args:
        mode: `"full"`, `"activations"`, `"larger_than"`, `"list_of_layers"` or `None`.
        output_size_threshold: The size from which `"larger_than"` applies.
        layer_names: The layers of `"list_of_layers"`.

    Raises:
        ValueError: `mode` is unknown.
    """

    _MODES = ("full", "activations", "larger_than", "list_of_layers", None)

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: list[str] | None = None,
    ) -> None:
        if mode not in self._MODES:
            raise ValueError(f"`mode` must be one of {self._MODES}. Received: mode={mode!r}")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = layer_names or []

    def __enter__(self) -> "RematScope":
        return self

    def __exit__(self, *error: Any) -> None:
        return None


# Keras 1 and 2 had modules in it: `backend.tensorflow_backend`.
__path__: list = []
__getattr__ = older_names("backend")
