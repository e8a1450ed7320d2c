"""TensorFlow's names, as far as tutorials use them on plain arrays.

What is computed is computed at once, by `minikeras.ops`, on the CPU. Gradients are those of
`minikeras.GradientTape`; `tf.function` returns its argument. What is not here says so when it is
asked for (`minikeras.standin.finder`).

>>> import minikeras
>>> with minikeras.install_as_keras():
...     import tensorflow as tf
>>> float(tf.reduce_sum(tf.square(tf.constant([1.0, 2.0]))))
5.0
"""

from __future__ import annotations

from collections.abc import Callable

_HERE = __name__
_TOP = ("top", "tensors", "dtypes", "objects", "math", "small")
# Module of TensorFlow -> the modules with its names: here, or (with a dot) in minikeras. After a
# colon the list of the names that are meant.
_HOMES: dict[str, tuple[str, ...]] = {
    "": _TOP,
    "autograph": ("small:AUTOGRAPH",),
    "autograph.experimental": ("small:AUTOGRAPH",),
    "compat": ("small:COMPAT",),
    "compat.v1": _TOP,
    "compat.v1.data": ("data",),
    "compat.v1.logging": ("small:LOGGING",),
    "compat.v1.losses": ("minikeras.losses",),
    "compat.v1.train": (),
    "compat.v2": _TOP,
    "config": ("small:CONFIG",),
    "config.experimental": ("small:CONFIG",),
    "config.optimizer": ("small:CONFIG",),
    "config.threading": ("small:CONFIG",),
    "data": ("data",),
    "data.experimental": ("data", "io:CSV"),
    "debugging": ("small:DEBUGGING",),
    "distribute": ("small:DISTRIBUTE",),
    "distribute.experimental": ("small:DISTRIBUTE",),
    "dtypes": ("dtypes",),
    "errors": ("small:ERRORS",),
    "experimental": (),
    "experimental.numpy": ("numpy",),
    "image": ("image",),
    "initializers": ("minikeras.initializers", "small:INITIALIZERS"),
    "io": ("io",),
    "io.gfile": ("small:GFILE",),
    "gfile": ("small:GFILE",),
    "linalg": ("linalg",),
    "logging": ("small:LOGGING",),
    "lookup": ("more:LOOKUP",),
    "lookup.experimental": ("more:LOOKUP",),
    "losses": ("minikeras.losses",),
    "math": ("math",),
    "metrics": ("minikeras.metrics",),
    "nn": ("nn",),
    "optimizers": ("minikeras.optimizers",),
    "optimizers.schedules": ("minikeras.optimizers.schedules",),
    "python": (),
    "python.client": (),
    "python.client.device_lib": ("small:CONFIG",),
    "python.framework": (),
    "python.framework.ops": ("objects",),
    "random": ("random",),
    "random.experimental": ("random",),
    "signal": ("more:SIGNAL",),
    "strings": ("strings",),
    "summary": ("more:SUMMARY",),
    "test": ("small:TEST",),
    "train": ("more:TRAIN",),
    "types": (),
    "types.experimental": ("tensors",),
    "version": ("small:VERSIONS",),
}


def homes(path: str) -> tuple[str, ...] | None:
    """The modules behind the module `tensorflow.<path>`; None: there is none."""
    for prefix in ("compat.v1.", "compat.v2."):
        if path not in _HOMES and path.startswith(prefix):
            path = path.removeprefix(prefix)
    found = _HOMES.get(path)
    if found is None:
        return None
    return tuple(one if one.startswith("minikeras") else f"{_HERE}.{one}" for one in found)


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
