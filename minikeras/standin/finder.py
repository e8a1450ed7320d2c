"""The import hook: names of Keras's and TensorFlow's modules, and the modules behind them."""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

from minikeras.standin.missing import reason

KERAS_VERSION = "3.15.1+minikeras"
TF_KERAS_VERSION = "2.21.0+minikeras"
TENSORFLOW_VERSION = "2.21.0+minikeras"

# What is claimed. `keras_preprocessing` was a part of Keras 2 with a name of its own.
ROOTS = ("keras", "tensorflow", "tf_keras", "keras_preprocessing")
# TensorBoard looks for this before it looks for TensorFlow: with it, it uses its own files' code.
_NO_TENSORFLOW = "tensorboard.compat.notf"
# Below each of these are Keras's modules; the longest that fits counts.
KERAS = (
    "tensorflow.compat.v1.keras",
    "tensorflow.compat.v2.keras",
    "tensorflow.contrib.keras.api.keras",
    "tensorflow.contrib.keras.python.keras",
    "tensorflow.contrib.keras",
    "tensorflow.python.keras.api._v2.keras",
    "tensorflow.python.keras.api.keras",
    "tensorflow.python.keras",
    "tensorflow.keras",
    "keras.api._v2.keras",
    "keras.api._v1.keras",
    "keras.api",
    "keras.src",
    "keras",
    "tf_keras.api._v2.keras",
    "tf_keras.api",
    "tf_keras.src",
    "tf_keras",
)
_BY_LENGTH = sorted(KERAS, key=len, reverse=True)
# Modules of minikeras that no Keras had.
_INTERNAL = frozenset("cli dialects gradient_tape kernels standin training __main__".split())
_TENSORFLOW = "minikeras.standin.tf."
# Packages in between, with nothing of their own.
_BRIDGES = frozenset(
    parent
    for name in KERAS
    for parts in [name.split(".")]
    for parent in [".".join(parts[:count]) for count in range(1, len(parts))]
)


def homes_of(name: str) -> tuple[str, ...] | None:
    """The modules of minikeras that answer for a module of Keras or TensorFlow; None: none do.

    >>> from minikeras.standin.finder import homes_of
    >>> homes_of("tensorflow.keras.layers")
    ('minikeras.layers',)
    """
    for prefix in _BY_LENGTH:
        if name == prefix:
            return ("minikeras",)
        if name.startswith(prefix + "."):
            home = _keras_home(name[len(prefix) + 1 :])
            if home is not None:
                return (home,)
            break
    if name == "keras_preprocessing":
        return ("minikeras.preprocessing",)
    if name.startswith("keras_preprocessing."):
        home = _keras_home("preprocessing." + name.partition(".")[2])
        return None if home is None else (home,)
    if name == "tensorflow" or name.startswith("tensorflow."):
        from minikeras.standin.tf import homes

        found = homes(name.partition(".")[2])
        if found is not None:
            return found
    return () if name in _BRIDGES else None


def _behind(home: str) -> Any:
    """The module, or the part of its `SPACES` that is named behind a colon."""
    name, _, space = home.partition(":")
    module = import_module(name)
    if not space:
        return module
    names = module.SPACES[space]
    return SimpleNamespace(**names, __all__=list(names))


def _keras_home(path: str) -> str | None:
    if path.partition(".")[0] in _INTERNAL:
        return None
    name = f"minikeras.{path}"
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        # A module that is there but needs one that is not: its own error says so.
        if error.name is not None and not (name + ".").startswith(error.name + "."):
            raise
        return None
    return name


def hint(name: str, near: Any = ()) -> str:
    """What to do without a name that is not there; may be empty.

    Args:
        name: The dotted name, as it was imported.
        near: The names that are in the same module.
    """
    why = reason(name)
    if why:
        return why
    parent, _, last = name.rpartition(".")
    close = difflib.get_close_matches(last, sorted({*near} - {last}), 3, 0.75)
    return "Near it: " + ", ".join(f"`{parent}.{one}`" for one in close) + "." if close else ""


def absent(name: str, near: Any = ()) -> str:
    """What to say of a name that is not there; arguments as of `hint`."""
    text = f"`{name}` is not available: minikeras stands in for `{name.partition('.')[0]}` here"
    if reason(name):
        return f"{text}, and {reason(name)}"
    return (
        f"{text} and does not have it. {hint(name, near)} `python -m minikeras check SCRIPT` lists"
        " all that a script needs and minikeras does not have."
    ).replace("  ", " ")


class StandIn(ModuleType):
    """A module of Keras or TensorFlow: its names are those of the modules of minikeras behind it.

    The objects are the same whichever path they are imported by.
    """

    def __init__(self, name: str, homes: tuple[str, ...]) -> None:
        super().__init__(name, f"`{name}`, for which minikeras stands in.")
        self.__dict__["__path__"] = []  # a package, so that it is asked for its submodules
        self.__dict__["_homes"] = homes
        if homes == ("minikeras",):
            version = TF_KERAS_VERSION if name.startswith("tf_keras") else KERAS_VERSION
            self.__dict__.update(__version__=version, version=lambda: version)
        elif name in ("tensorflow", "tensorflow.compat.v1", "tensorflow.compat.v2"):
            self.__dict__["__version__"] = TENSORFLOW_VERSION

    def __getattr__(self, name: str) -> Any:
        whole = f"{self.__name__}.{name}"
        if name == "__all__":
            return self._starred()
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        for home in self._homes:
            module = _behind(home)
            if home.startswith(_TENSORFLOW) and name not in module.__all__:
                continue
            try:
                value = getattr(module, name)
            except AttributeError:
                continue
            if isinstance(value, ModuleType) and value.__name__.startswith("minikeras."):
                if homes_of(whole) is None:
                    continue
                value = import_module(whole)
            self.__dict__[name] = value
            return value
        if not name.startswith("_") and homes_of(whole) is not None:
            return import_module(whole)
        raise AttributeError(absent(whole, self._public()))

    def _public(self) -> list[str]:
        names: set[str] = set()
        for home in self._homes:
            module = _behind(home)
            names.update(getattr(module, "__all__", None) or dir(module))
            if home.startswith("minikeras.") and "standin" not in home:
                old = import_module("minikeras.dialects.names").NAMES
                names.update(old.get(home.partition(".")[2], ()))
        return sorted(name for name in names if not name.startswith("_"))

    def _starred(self) -> list[str]:
        """The names for `import *`, which must not warn of each old one among them."""
        dialects: Any = import_module("minikeras.dialects")
        before, dialects._silent = dialects._silent, True
        try:
            return [name for name in self._public() if hasattr(self, name)]
        finally:
            dialects._silent = before

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._public()})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """For `layers.merge`, which was a module in Keras 2 and a function in Keras 1."""
        for home in self._homes:
            module: Any = _behind(home)
            if callable(module):
                return module(*args, **kwargs)
        raise TypeError(f"The module `{self.__name__}` is not callable.")

    def __reduce__(self) -> Any:
        return import_module, (self.__name__,)

    def __repr__(self) -> str:
        return f"<module {self.__name__!r}, for which minikeras stands in>"


class _Finder:
    """Finds what is below `ROOTS`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name == _NO_TENSORFLOW:
            return ModuleSpec(name, self, origin="minikeras")  # type: ignore[arg-type]
        if name.partition(".")[0] not in ROOTS:
            return None
        if homes_of(name) is not None:
            return ModuleSpec(name, self, origin="minikeras", is_package=True)  # type: ignore
        # `from keras.layers import Absent` asks for a submodule of that name. Python would put a
        # text of its own in place of this one if the error bore just that name.
        near = dir(import_module(name.rpartition(".")[0]))
        raise ModuleNotFoundError(absent(name, near), name=f"{name} (in minikeras)")

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name, homes_of(spec.name) or ())

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""

    def invalidate_caches(self) -> None:
        """Nothing is cached."""

    def __repr__(self) -> str:
        return "<minikeras standing in for keras and tensorflow>"


FINDER = _Finder()


def is_ours(module: Any) -> bool:
    """Whether a module is a stand-in."""
    return isinstance(module, StandIn)
