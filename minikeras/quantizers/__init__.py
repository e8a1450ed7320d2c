"""`keras.quantizers`: narrower numbers for weights and what layers compute with."""

from typing import Any

from minikeras.engine import registry
from minikeras.quantizers import configs, quantizers
from minikeras.quantizers.configs import *  # noqa: F403
from minikeras.quantizers.configs import resolve_config  # noqa: F401  (for `Layer.quantize`)
from minikeras.quantizers.quantizers import *  # noqa: F403


def serialize(initializer: Any) -> Any:
    """The config of a quantizer, or of a quantization config."""
    return registry.quantizers.serialize(initializer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The object that `config` describes.

    Args:
        config: What `serialize` returned.
        custom_objects: dict of your own classes by name.
    """
    return registry.quantizers.deserialize(config, custom_objects)


def get(identifier: Any, **kwargs: Any) -> Any:
    """The quantizer that `identifier` stands for.

    Args:
        identifier: None, a name, a config dict, a class or a quantizer.
        **kwargs: Arguments for a class that is named.

    Raises:
        ValueError: if there is none; near matches are listed.

    Example:

    >>> import minikeras
    >>> minikeras.quantizers.get("abs_max_quantizer", axis=0).axis
    (0,)
    """
    if isinstance(identifier, str):
        return registry.quantizers.lookup(identifier)(**kwargs)
    return registry.quantizers.get(identifier)


__all__ = [*configs.__all__, *quantizers.__all__, "deserialize", "get", "serialize"]
