"""Where a call in the spelling of an older Keras is noticed: at keywords that are unknown today.

A call in today's spelling costs one look at a set. `minikeras.dialects` does the rest.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

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


def understood(cls: type, args: tuple, kwargs: dict) -> Any:
    """An instance made from arguments in an old spelling, or None.

    The caller is `__new__`: the instance is complete, and its next `__init__` does nothing.
    """
    made = _dialects().translate_construction(cls, args, kwargs)
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


def understands_old(function: Function) -> Function:
    """Decorator: translate keywords that `function` does not know, if an older Keras had them."""
    known = frozenset(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not known.issuperset(kwargs):
            args, kwargs = _dialects().translate_call(function, args, kwargs)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]
