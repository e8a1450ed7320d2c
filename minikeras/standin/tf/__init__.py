"""TensorFlow's names, as far as tutorials use them on plain arrays.

What is computed is computed at once, by `minikeras.ops`, on the CPU. Gradients are those of
`minikeras.GradientTape`; `tf.function` returns its argument. What is not here says so when it is
asked for (`minikeras.standin.missing`).

>>> import minikeras
>>> with minikeras.install_as_keras():
...     import tensorflow as tf
>>> float(tf.reduce_sum(tf.square(tf.constant([1.0, 2.0]))))
5.0
"""

from __future__ import annotations

_HERE = __name__
_TOP = ("top", "tensors", "dtypes", "objects", "math", "initializers", "tape", "legacy")
# Module of TensorFlow -> the modules with its names: here, or (with a dot) in minikeras.
_HOMES: dict[str, tuple[str, ...]] = {
    "": _TOP,
    "autograph": ("autograph",),
    "autograph.experimental": ("autograph",),
    "compat": ("compat",),
    "compat.v1": _TOP,
    "compat.v1.data": ("data",),
    "compat.v1.logging": ("logging",),
    "compat.v1.losses": ("minikeras.losses",),
    "compat.v1.train": (),
    "compat.v2": _TOP,
    "config": ("config",),
    "config.experimental": ("config",),
    "config.optimizer": ("config",),
    "config.threading": ("config",),
    "data": ("data",),
    "data.experimental": ("data",),
    "debugging": ("debugging",),
    "distribute": ("distribute",),
    "distribute.experimental": ("distribute",),
    "dtypes": ("dtypes",),
    "errors": ("errors",),
    "experimental": (),
    "experimental.numpy": ("numpy",),
    "image": ("image",),
    "initializers": ("minikeras.initializers", "initializers"),
    "io": ("io",),
    "io.gfile": ("gfile",),
    "gfile": ("gfile",),
    "linalg": ("linalg",),
    "logging": ("logging",),
    "lookup": ("lookup",),
    "lookup.experimental": ("lookup",),
    "losses": ("minikeras.losses",),
    "math": ("math",),
    "metrics": ("minikeras.metrics",),
    "nn": ("nn",),
    "optimizers": ("minikeras.optimizers",),
    "optimizers.schedules": ("minikeras.optimizers.schedules",),
    "random": ("random",),
    "random.experimental": ("random",),
    "signal": ("signal",),
    "strings": ("strings",),
    "test": ("test",),
    "train": ("train",),
    "types": (),
    "types.experimental": ("tensors",),
    "version": ("version",),
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
