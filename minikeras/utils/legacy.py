"""The functions of Keras 2 that turn objects into configs and back: names in given tables only."""

from __future__ import annotations

import inspect
from typing import Any

from minikeras.engine import registry


def serialize_keras_object(instance: Any) -> Any:
    """An object as `{"class_name", "config"}`, a function or class as its name.

    Args:
        instance: Object with `get_config`, function, class or None.

    Raises:
        ValueError: for anything else.

    Example:

    >>> import minikeras
    >>> minikeras.utils.legacy.serialize_keras_object(minikeras.regularizers.L1(0.5))
    {'class_name': 'L1', 'config': {'l1': 0.5}}
    """
    if instance is None:
        return None
    instance = inspect.unwrap(instance)
    if hasattr(instance, "get_config") and not inspect.isclass(instance):
        config = {}
        for key, item in instance.get_config().items():
            try:
                found = item if isinstance(item, str) else serialize_keras_object(item)
                if isinstance(found, dict) and not isinstance(item, dict):
                    found["__passive_serialization__"] = True
            except ValueError:
                found = item
            config[key] = found
        name = registry.get_registered_name(type(instance))
        return {"class_name": name, "config": config}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(f"Cannot serialize {instance} because it doesn't implement `get_config()`.")


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict | None = None,
    custom_objects: dict | None = None,
    printable_module_name: str = "object",
) -> Any:
    """What `serialize_keras_object` made a config or a name of.

    Args:
        identifier: Config, name, function or None.
        module_objects: Dict of names to classes and functions to look in.
        custom_objects: Dict of your own names, which come first.
        printable_module_name: What such an object is called in errors.

    Raises:
        ValueError: for unknown names.
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    if isinstance(identifier, dict):
        if "class_name" not in identifier or "config" not in identifier:
            raise ValueError(
                f"Improper config format for {identifier}. Expecting python dict contains"
                " `class_name` and `config` as keys"
            )
        found = _named(
            identifier["class_name"], module_objects, custom_objects, printable_module_name
        )
        config = {
            key: _inner(item, module_objects, custom_objects, printable_module_name)
            for key, item in identifier["config"].items()
        }
        make = getattr(found, "from_config", None)
        with registry.custom_objects(custom_objects):
            return found(**config) if make is None else make(config)
    if isinstance(identifier, str):
        found = _named(identifier, module_objects, custom_objects, printable_module_name)
        return found() if inspect.isclass(found) else found
    raise ValueError(f"Could not interpret serialized {printable_module_name}: {identifier}")


def _inner(item: Any, *others: Any) -> Any:
    """Objects inside a config; they say so by a mark."""
    if isinstance(item, dict) and "__passive_serialization__" in item:
        return deserialize_keras_object(item, *others)
    return item


def _named(name: str, module_objects: Any, custom_objects: Any, what: str) -> Any:
    found = (custom_objects or {}).get(name) or registry.custom_object(name)
    found = found or (module_objects or {}).get(name)
    if found is None:
        raise ValueError(
            f"Unknown {what}: {name!r}. Please ensure you are using a"
            " `minikeras.utils.custom_object_scope` and that this object is included in the scope."
        )
    return found


__all__ = ["deserialize_keras_object", "serialize_keras_object"]
