"""`keras.saving`: models to files and back."""

from typing import Any

from minikeras.engine.registry import (
    CustomObjectScope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from minikeras.engine.serialization import deserialize as _deserialize
from minikeras.engine.serialization import serialize as serialize_keras_object
from minikeras.saving.api import (
    KerasFileEditor,
    load_model,
    load_weights,
    model_from_json,
    save_model,
    save_weights,
)

custom_object_scope = CustomObjectScope


def deserialize_keras_object(
    config: Any, custom_objects: dict | None = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """The object that `config`, from `serialize_keras_object`, describes.

    Args:
        config: What `serialize_keras_object` returned.
        custom_objects: dict of the user's classes and functions by name.
        safe_mode: Boolean, default True. Whether to refuse lambdas (compiled code).
    """
    from minikeras.engine.serialization import SafeMode, architecture_budget
    from minikeras.engine.serialization import safe_mode as flag

    kwargs.pop("module_objects", None)
    if kwargs:
        raise ValueError(f"Unexpected keyword arguments: {sorted(kwargs)}")
    with SafeMode(safe_mode if flag() is None else flag()), architecture_budget():
        return _deserialize(config, None, custom_objects)


__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "model_from_json",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
