"""Where a call in the spelling of an older Keras is noticed: at keywords that are unknown today.

A call in today's spelling costs one look at a set. `minikeras.dialects` does the rest.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from minikeras.engine.tree import flatten

Function = TypeVar("Function", bound=Callable)

_BASE = frozenset(
    "input_shape batch_shape input_dim batch_size input_dtype input_tensor quantization_config"
    " inputs outputs".split()
)
_known: dict[type, frozenset | None] = {}


def _dialects() -> Any:
    return import_module("minikeras.dialects")


def known_keywords(cls: type) -> frozenset | None:
    """Keywords that the constructor of a built-in class takes; None for classes of users."""
    if cls not in _known:
        _known[cls] = _find_keywords(cls) if cls.__module__.startswith("minikeras.") else None
    return _known[cls]


def _find_keywords(cls: type) -> frozenset:
    found = {*_BASE, *getattr(cls, "settings", ())}
    for base in cls.__mro__:
        if "__init__" in base.__dict__ and base is not object:
            constructor = base.__dict__["__init__"]
            found.update(inspect.signature(constructor).parameters)
            # What it pops from its keywords is among its constants.
            constants = inspect.unwrap(constructor).__code__.co_consts
            found.update(one for one in constants if isinstance(one, str))
    return frozenset(found)


# Layer -> where a positional argument shows the order of Keras 1: (position, how). "init" is the
# name of an initializer, "text" any string, "order" a name of an order of dimensions.
OLD_ORDERS: dict[str, tuple] = {
    "Dense": ((1, "init"), (2, "text")),
    "LSTM": ((1, "init"),),
    "GRU": ((1, "init"),),
    "SimpleRNN": ((1, "init"),),
    "Embedding": ((3, "whole"),),
    "Conv1D": ((2, "text"),),
    "LocallyConnected1D": ((2, "text"),),
    "Conv2D": ((3, "init"),),
    "SeparableConv2D": ((3, "init"),),
    "LocallyConnected2D": ((3, "init"),),
    "Conv2DTranspose": ((3, "shape"),),
    "Conv3D": ((4, "init"),),
    "ConvLSTM2D": ((3, "init"),),
    "BatchNormalization": ((0, "float"),),
    "MaxoutDense": ((2, "init"),),
    "Highway": ((0, "init"),),
    "PReLU": ((0, "old init"),),
    "ZeroPadding2D": ((0, "four"), (1, "order")),
    **dict.fromkeys(
        (
            "MaxPooling2D", "MaxPooling3D", "AveragePooling2D", "AveragePooling3D",
        ),
        ((3, "order"),),
    ),
    **dict.fromkeys(
        (
            "UpSampling2D", "UpSampling3D", "ZeroPadding3D", "Cropping2D", "Cropping3D",
            "SpatialDropout2D", "SpatialDropout3D",
        ),
        ((1, "order"),),
    ),
    **dict.fromkeys(
        (
            "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalAveragePooling2D",
            "GlobalAveragePooling3D",
        ),
        ((0, "order"),),
    ),
}  # fmt: skip
_OLD_INITIALIZERS = frozenset("zero one normal uniform".split())
_INITIALIZERS = _OLD_INITIALIZERS | frozenset(
    "zeros ones glorot_normal glorot_uniform he_normal he_uniform identity lecun_uniform"
    " orthogonal".split()
)
_SHOWS: dict[str, Callable[[Any], bool]] = {
    "init": lambda one: isinstance(one, str) and one in _INITIALIZERS,
    "old init": lambda one: isinstance(one, str) and one in _OLD_INITIALIZERS,
    "text": lambda one: isinstance(one, str),
    "order": lambda one: one in ("th", "tf") if isinstance(one, str) else False,
    "float": lambda one: isinstance(one, float),
    "whole": lambda one: isinstance(one, int) and not isinstance(one, bool),
    "shape": lambda one: isinstance(one, (tuple, list)),
    "four": lambda one: isinstance(one, (tuple, list)) and len(one) == 4 or isinstance(one, dict),
}


def is_old_order(cls: type, args: tuple) -> bool:
    """Whether positional arguments of a built-in class are in the order of Keras 1."""
    return cls.__module__.startswith("minikeras.") and any(
        len(args) > position and _SHOWS[kind](args[position])
        for position, kind in OLD_ORDERS[cls.__name__]
    )


# Attributes that layers had in Keras 1 and 2; `minikeras.dialects.calls` knows them.
OLD_ATTRIBUTES = frozenset(
    "W U b init inner_init inner_activation output_dim nb_filter filter_length nb_row nb_col"
    " border_mode subsample subsample_length dim_ordering W_regularizer U_regularizer b_regularizer"
    " W_constraint b_constraint p sigma pool_length stride input_shape output_shape get_input_at"
    " get_output_at get_input_shape_at get_output_shape_at get_input_mask_at get_output_mask_at"
    " input_mask output_mask inbound_nodes outbound_nodes get_output_shape_for get_output get_input"
    " get_params get_updates_for get_losses_for add_update updates uses_learning_phase regularizers"
    " constraints reset_states batch_input_shape add_metric".split()
)


def old_attribute(layer: Any, name: str) -> Any:
    """An attribute that layers had in an older Keras.

    Raises:
        AttributeError: if this layer has nothing to answer with.
    """
    return import_module("minikeras.dialects.calls").find(layer, name)


def understood(cls: type, args: tuple, kwargs: dict, ordered: bool = False) -> Any:
    """An instance made from arguments in an old spelling, or None.

    `ordered` says that positional arguments are in the order of Keras 1.

    The caller is `__new__`: the instance is complete, and its next `__init__` does nothing.
    """
    made = _dialects().translate_construction(cls, args, kwargs, ordered)
    if isinstance(made, cls):
        object.__setattr__(made, "__class__", _complete(type(made)))  # type: ignore[arg-type]
    return made


@functools.cache
def _complete(cls: type) -> type:
    """A class whose `__init__` only turns the instance into one of `cls`."""

    def __init__(self: Any, *_: Any, **__: Any) -> None:
        object.__setattr__(self, "__class__", cls)

    return type(cls.__name__, (cls,), {"__init__": __init__, "__module__": cls.__module__})


def take_leftovers(layer: Any, leftovers: dict) -> dict:
    """Set what an old spelling says in keywords that no constructor took; returns the rest."""
    return import_module("minikeras.dialects.constructors").take_leftovers(layer, leftovers)


def older_names(module: str, home: Any = None) -> Callable[[str], Any]:
    """A `__getattr__` for a module: names that older versions of Keras had in it.

    Args:
        module: Name of the module below `minikeras`.
        home: A dict. Names that are in it come first.
    """

    def find(name: str) -> Any:
        if home is not None and name in home and not name.startswith("_"):
            return home[name]
        if not name.startswith("_"):
            found = import_module("minikeras.dialects.names").find(module, name)
            if found is not None:
                return found
        raise AttributeError(f"module 'minikeras.{module}' has no attribute {name!r}")

    return find


def answer_calls(module: str, function: Callable) -> None:
    """Let a module be called: in an older Keras its name was that of `function`."""

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    kind = type("CallableModule", (ModuleType,), {"__call__": __call__})
    sys.modules[module].__class__ = kind


def understands_old(function: Function) -> Function:
    """Decorator: translate keywords that `function` does not know, if an older Keras had them."""
    known = frozenset(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not known.issuperset(kwargs):
            args, kwargs, finish = _dialects().translate_call(function, args, kwargs)
            if finish is not None:
                return finish(function(*args, **kwargs))
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


# The order of arguments of `add_weight` in Keras 2, which began with the name.
_NAME_FIRST = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


def name_first(method: Function) -> Function:
    """Decorator: a method that makes a weight takes the order of Keras 2 too."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str):
            kwargs = {**dict(zip(_NAME_FIRST, args)), **kwargs}
            args = ()
        return method(self, *args, **kwargs)

    return call  # type: ignore[return-value]


def runs_unedited() -> bool:
    """Whether minikeras stands in for Keras, so that a script cannot be expected to be mended."""
    standin = sys.modules.get("minikeras.standin")
    return standin is not None and standin.FINDER in sys.meta_path


def tell_as_before(
    model: Any, callbacks: Any, source: Any, validated: bool, x: Any, y: Any, weights: Any
) -> None:
    """Tell callbacks what they found in `params` and `validation_data` in Keras 1 and 2.

    Args:
        model: The model.
        callbacks: The `CallbackList`.
        source: Source of batches.
        validated: Whether there are data for validation.
        x, y, weights: These data, if they are arrays.
    """
    params = callbacks.params
    data = None
    if y is not None:
        x, y = flatten(x), flatten(y)
        data = [
            *x,
            *y,
            *([np.ones(len(one)) for one in y] if weights is None else flatten(weights)),
        ]
    for callback in callbacks.callbacks:
        # Some have one of their own: TensorFlow set none.
        if callback.__dict__.setdefault("_told", not hasattr(callback, "validation_data")):
            callback.validation_data = data
    names = list(model.metrics_names)
    count = source.num_samples
    params = {
        "nb_epoch": params["epochs"],
        "nb_sample": count,
        "samples": count,
        "batch_size": source.batch_size,
        "do_validation": validated,
        "metrics": names + [f"val_{name}" for name in names] * validated,
        **params,
    }
    callbacks.set_params(params)
