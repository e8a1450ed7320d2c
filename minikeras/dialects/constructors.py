"""Arguments of constructors as Keras 1 and 2 spelled them, in today's spelling.

The tables are those that translate saved configs.
"""

from __future__ import annotations

import functools
from typing import Any

from minikeras.dialects import configs, warn_once
from minikeras.engine.variable import standardize_shape

# Not for `configs`, where they are found elsewhere in the file.
_NOT_GONE = ("input_dim", "input_dtype", "input_length", "batch_input_shape", "filters")
_MORE_NAMES = {
    "Model": {"input": "inputs", "output": "outputs"},
    "Reshape": {"dims": "target_shape"},
}
_SEQUENCES = ("SimpleRNN", "LSTM", "GRU", "Conv1D", "LocallyConnected1D", "Dense")
# Positional arguments of Keras 1, where today's have another order.
_POSITIONAL_2D = ("nb_filter", "nb_row", "nb_col", "init", "activation", "weights", "border_mode")
_POSITIONAL_3D = (
    "nb_filter",
    "kernel_dim1",
    "kernel_dim2",
    "kernel_dim3",
    "init",
    "activation",
    "weights",
    "border_mode",
)
POSITIONAL: dict[str, tuple] = {
    "Conv2D": _POSITIONAL_2D,
    "SeparableConv2D": _POSITIONAL_2D,
    "Conv3D": _POSITIONAL_3D,
    "LocallyConnected2D": _POSITIONAL_2D,
    "Conv2DTranspose": (*_POSITIONAL_2D[:3], "output_shape", *_POSITIONAL_2D[3:]),
}


def _table(cls: type) -> tuple[str, dict]:
    """Name of the nearest class that has old names, and the names."""
    for base in cls.__mro__:
        name = base.__name__
        if base.__module__.startswith("minikeras.") and (
            name in configs.RENAMED_ARGUMENTS or name in _MORE_NAMES
        ):
            return name, {**configs.RENAMED_ARGUMENTS.get(name, {}), **_MORE_NAMES.get(name, {})}
    return cls.__name__, {}


def _by_name(name: str, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Positional arguments of a Keras-1 convolution, by their names."""
    names = POSITIONAL.get(name, ())
    if names and len(args) >= 2 and all(isinstance(one, int) for one in args[1:2]):
        return (), {**dict(zip(names, args)), **kwargs}
    return args, kwargs


def translate(cls: type, args: tuple, kwargs: dict, old: bool = False) -> tuple | None:
    """Arguments in today's spelling; None if they are in it already, or in none.

    Args:
        cls: The class.
        args: Positional arguments.
        kwargs: Keyword arguments.
        old: Whether positional arguments are known to be in the order of Keras 1.
    """
    name, renamed = _table(cls)
    found = [key for key in kwargs if renamed.get(key, key) != key and not _both(cls, key)]
    one_more = {"nb_row", "nb_col", "kernel_dim1", "forget_bias_init", "dim_ordering"} & set(kwargs)
    first = bool(found or one_more or old)
    if first:
        args, kwargs = _by_name(name, args, kwargs)
        found = [key for key in kwargs if renamed.get(key, key) != key and not _both(cls, key)]
    new = dict(kwargs)
    for key in found:
        target = renamed[key]
        if target in kwargs:
            raise ValueError(
                f"{cls.__name__} received both `{target}` and `{key}`, which is its name in an"
                f" older Keras. Pass `{target}` alone."
            )
        new[target] = new.pop(key)
        if not old:
            warn_once(f"{cls.__name__}({key}=...)", f"{cls.__name__}({target}=...)")
    if first:
        configs.make_old_objects_known()
        special = configs._SPECIAL.get(name)
        if special is not None and name != "Lambda":
            special(new, name, 1)
        for key, value in new.items():
            if isinstance(value, (str, dict)):
                new[key] = configs._value(key, value, 1)
    if name in ("Conv2DTranspose", "Conv3DTranspose") and first:
        new.pop("output_shape", None)
    changed = _drop_gone(cls, name, new)
    changed |= _shape_of_sequence(cls, name, new)
    if first or changed:
        return args, new
    return None


def _both(cls: type, key: str) -> bool:
    """Whether today's constructor has the name too, with a meaning of its own."""
    from minikeras.engine.spelling import known_keywords

    return key in (known_keywords(cls) or ())


def _drop_gone(cls: type, name: str, kwargs: dict) -> bool:
    changed = False
    for table in (configs._GONE, configs._GONE_OF.get(name, {})):
        for key, harmless in table.items():
            if key not in kwargs or key in _NOT_GONE or _both(cls, key):
                continue
            if configs.any_value in harmless or any(kwargs[key] is one for one in harmless):
                del kwargs[key]
                warn_once(f"{cls.__name__}({key}=...)", f"{cls.__name__}() without `{key}`")
                changed = True
    return changed


def _shape_of_sequence(cls: type, name: str, kwargs: dict) -> bool:
    """`input_length` and `input_dim` of layers of sequences, as `input_shape`."""
    if name not in _SEQUENCES or "input_length" not in kwargs and "input_dim" not in kwargs:
        return False
    if name == "Dense" and "input_length" not in kwargs:
        return False
    length, width = kwargs.pop("input_length", None), kwargs.pop("input_dim", None)
    if width is not None and "input_shape" not in kwargs:
        kwargs["input_shape"] = (length, width)
    old = f"{cls.__name__}(input_dim=..., input_length=...)"
    warn_once(old, f"{cls.__name__}(input_shape=(length, width))")
    return True


def construct(cls: type, args: tuple, kwargs: dict) -> Any:
    """An instance of `cls` from arguments in an old spelling; None if they are in none."""
    translated = translate(cls, args, kwargs)
    if translated is None:
        return None
    return cls(*translated[0], **translated[1])


# What every layer took


def take_leftovers(layer: Any, leftovers: dict) -> dict:
    """Set what an old spelling says in keywords that no constructor took; returns the rest."""
    leftovers = dict(leftovers)
    name = type(layer).__name__
    shape = leftovers.pop("batch_input_shape", None)
    if shape is not None:
        warn_once(f"{name}(batch_input_shape=...)", f"{name}(batch_shape=...)")
        layer._batch_input_shape = standardize_shape(shape)
    weights = leftovers.pop("weights", None)
    if weights is not None:
        warn_once(f"{name}(weights=...)", f"{name}(); then build it and `set_weights`")
        layer.__dict__["_post_build"] = functools.partial(_set_first_weights, layer, weights)
    return leftovers


def _set_first_weights(layer: Any, weights: Any) -> None:
    del layer.__dict__["_post_build"]
    layer._post_build()
    layer.set_weights(list(weights))
