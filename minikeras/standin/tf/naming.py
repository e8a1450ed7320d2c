"""How the tables of functions become functions."""

from __future__ import annotations

from collections.abc import Callable


def named(module: str, functions: dict[str, Callable]) -> dict[str, Callable]:
    """Gives the functions of a table their names, and a docstring where they have none.

    Args:
        module: `__name__` of the module with the table.
        functions: Name -> function. Changed in place, and returned.
    """
    space = module.rpartition(".")[2]
    prefix = "tf." if space == "top" else f"tf.{space}."
    for name, function in functions.items():
        if getattr(function, "__name__", "") != "<lambda>":
            continue
        function.__name__ = function.__qualname__ = name
        function.__module__ = module
        function.__doc__ = f"TensorFlow's `{prefix}{name}`, with its arguments."
    return functions


def public(space: dict, *more: str) -> list[str]:
    """`__all__` of a module: what it defines, and the names given.

    Args:
        space: `globals()` of the module.
        *more: Names it has from elsewhere.
    """
    own = [
        name
        for name, value in space.items()
        if not name.startswith("_") and getattr(value, "__module__", None) == space["__name__"]
    ]
    return sorted({*own, *more} - {"FUNCTIONS"})
