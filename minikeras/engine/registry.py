"""Names to objects, one registry a kind.

A class or function is registered where it is defined, with its aliases. `get` then accepts a
string, an object, a class, a callable or a config dict, as Keras does; an unknown name gets an
error that lists near matches.

Automatic names (`dense`, `dense_1`, ...) and the name scopes that make variable paths.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_global_custom_objects: dict[str, Any] = {}
_global_custom_names: dict[Any, str] = {}
_local = threading.local()


def get_custom_objects() -> dict[str, Any]:
    """The dictionary of objects that users registered by name; it may be changed in place."""
    return _global_custom_objects


def custom_object(name: str) -> Any:
    """The user's object of that name (innermost `CustomObjectScope` first), or None."""
    for scope in reversed(getattr(_local, "scopes", ())):
        if name in scope:
            return scope[name]
    return _global_custom_objects.get(name)


def custom_object_ending(end: str) -> Any:
    """The user's object whose name ends so, or None."""
    known = {**_global_custom_objects, **scoped_custom_objects()}
    return next((known[name] for name in known if name.endswith(end)), None)


def scoped_custom_objects() -> dict[str, Any]:
    """All objects of the open `CustomObjectScope`s, the innermost winning."""
    merged: dict[str, Any] = {}
    for scope in getattr(_local, "scopes", ()):
        merged.update(scope)
    return merged


class CustomObjectScope:
    """Make objects known by name inside a `with` block.

    Args:
        custom_objects: dict of names to classes or functions.
    """

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        if not hasattr(_local, "scopes"):
            _local.scopes = []
        _local.scopes.append(self.custom_objects)
        return self

    def __exit__(self, *_: Any) -> None:
        _local.scopes.pop()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable:
    """Decorator: let saved files name this class or function as `package>name`.

    Args:
        package: String. Where the object belongs. Defaults to `"Custom"`.
        name: String. Defaults to the name of the class or function.

    Raises:
        ValueError: if a class without `get_config` is registered.
    """

    def decorator(obj: Any) -> Any:
        registered = f"{package}>{name if name is not None else obj.__name__}"
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ValueError(
                f"Cannot register a class that does not have a get_config() method: {obj.__name__}."
            )
        _global_custom_objects[registered] = obj
        _global_custom_names[obj] = registered
        return obj

    return decorator


def get_registered_name(obj: Any) -> str:
    """`package>name` of a registered object, else its own name."""
    try:
        if obj in _global_custom_names:
            return _global_custom_names[obj]
    except TypeError:
        pass
    return obj.__name__


def get_registered_object(
    name: str, custom_objects: dict | None = None, module_objects: dict | None = None
) -> Any:
    """The object that was registered under `name`, or None."""
    found = custom_object(name)
    if found is None and custom_objects:
        found = custom_objects.get(name)
    if found is None and module_objects:
        found = module_objects.get(name)
    return found


class Registry:
    """The names of one kind of object.

    Args:
        kind: What error messages call it, such as `"optimizer"`.
        public: Public Keras module that saved configs name, such as `"keras.optimizers"`.
        package: Module of this package whose import registers everything.
        default: Optional name of what None stands for.
        by_name: Whether configs hold just the names of built-in functions.
    """

    def __init__(
        self,
        kind: str,
        public: str,
        package: str,
        default: str | None = None,
        by_name: bool = False,
    ) -> None:
        self.kind, self.public, self.package = kind, public, package
        self.default, self.by_name = default, by_name
        # Set where `get` takes things beyond the usual: returns None for what it does not know.
        self.convert: Callable[[Any], Any] | None = None
        self._objects: dict[str, Any] = {}
        self._folded: dict[str, Any] = {}
        self._canonical: dict[Any, str] = {}
        self._loaded = False

    def register(self, name: str, *aliases: str) -> Callable:
        """Decorator: register a class or function under `name` and `aliases`."""

        def decorator(obj: Any) -> Any:
            self._canonical.setdefault(obj, name)
            for key in (name, *aliases):
                self._objects[key] = obj
                self._folded.setdefault(key.lower(), obj)
            return obj

        return decorator

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            importlib.import_module(self.package)

    def names(self) -> list[str]:
        """All registered names and aliases, sorted."""
        self._load()
        return sorted(self._objects)

    def objects(self) -> dict[str, Any]:
        """Canonical name -> class or function."""
        self._load()
        return {name: obj for obj, name in self._canonical.items()}

    def canonical_name(self, obj: Any) -> str | None:
        """The first name that `obj` was registered under, or None."""
        try:
            return self._canonical.get(obj)
        except TypeError:
            return None

    def find(self, name: str) -> Any:
        """The class or function called `name` (any case as a last resort), or None."""
        self._load()
        found = self._objects.get(name)
        if found is None:
            found = self._folded.get(name.lower())
        return found

    def function(self, name: str) -> Any:
        """The public function of that name in the registry's own module, or None."""
        self._load()
        found = getattr(sys.modules[self.package], name, None)
        return found if inspect.isfunction(found) and not name.startswith("_") else None

    def lookup(self, name: str, argument: str | None = None) -> Any:
        """The class or function called `name`; the user's own objects come first.

        Raises:
            ValueError: if there is none; lists near matches.
        """
        found = custom_object(name)
        if found is None:
            found = self.find(name)
        if found is None:
            raise ValueError(self.unknown(name, argument))
        return found

    def unknown(self, name: str, argument: str | None = None) -> str:
        """The message for an unknown name."""
        import difflib

        names = {key.lower(): key for key in self.names()}
        near = difflib.get_close_matches(str(name).lower(), list(names), n=3, cutoff=0.5)
        where = f" for argument `{argument}`" if argument else ""
        message = f"Unknown {self.kind}{where}: {name!r}."
        if near:
            message += " Did you mean " + " or ".join(repr(names[key]) for key in near) + "?"
        return message + (
            f" Your own {_plural(self.kind)} can be passed as objects, or registered with"
            " `@minikeras.saving.register_keras_serializable()` or `custom_object_scope`."
        )

    def get(self, identifier: Any, argument: str | None = None) -> Any:
        """Resolve `identifier`: None, a string, a config dict, a class, an object or a callable.

        Raises:
            ValueError: for an unknown name or a thing of another kind.
        """
        if identifier is None:
            return None if self.default is None else self.lookup(self.default)
        if isinstance(identifier, str):
            found = self.lookup(identifier, argument)
            return found() if inspect.isclass(found) else found
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        if inspect.isclass(identifier):
            return identifier()
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        self._load()
        converted = self.convert(identifier) if self.convert is not None else None
        if converted is not None:
            return converted
        where = f" for argument `{argument}`" if argument else ""
        raise ValueError(
            f"Could not interpret {self.kind}{where}: {identifier!r} (of type"
            f" {type(identifier)}). Pass a name, a config dict, an object or a callable."
        )

    def serialize(self, obj: Any) -> Any:
        """The config of `obj`: a dict, or a name for a registered function."""
        from minikeras.engine import serialization

        if self.by_name and inspect.isfunction(obj):
            name = self.canonical_name(obj)
            if name is not None:
                return name
        return serialization.serialize(obj)

    def deserialize(self, config: Any, custom_objects: dict | None = None) -> Any:
        """The object that `config` (a dict, a name or None) describes.

        A bare `{"class_name": ..., "config": {...}}` of any Keras generation is understood too.
        """
        from minikeras.engine import serialization

        return serialization.deserialize(config, self, custom_objects)


def _plural(kind: str) -> str:
    return kind[:-1] + "ies" if kind.endswith("y") else kind + ("es" if kind.endswith("s") else "s")


activations = Registry(
    "activation", "keras.activations", "minikeras.activations", default="linear", by_name=True
)
initializers = Registry("initializer", "keras.initializers", "minikeras.initializers")
regularizers = Registry("regularizer", "keras.regularizers", "minikeras.regularizers")
constraints = Registry("constraint", "keras.constraints", "minikeras.constraints")
layers = Registry("layer", "keras.layers", "minikeras.layers")
losses = Registry("loss", "keras.losses", "minikeras.losses")
metrics = Registry("metric", "keras.metrics", "minikeras.metrics")
# In `metrics`, Keras's snake-case names are those of classes; the functions have their own names.
metric_functions = Registry("metric function", "keras.metrics", "minikeras.metrics")
optimizers = Registry("optimizer", "keras.optimizers", "minikeras.optimizers")
schedules = Registry(
    "learning rate schedule",
    "keras.optimizers.schedules",
    "minikeras.optimizers.schedules",
)
operations = Registry("operation", "keras.ops", "minikeras.ops")
models = Registry("model", "keras.models", "minikeras.models")
callbacks = Registry("callback", "keras.callbacks", "minikeras.callbacks")
generators = Registry("random generator", "keras.random", "minikeras.random")
policies = Registry("dtype policy", "keras.dtype_policies", "minikeras.dtype_policies")
quantizers = Registry("quantizer", "keras.quantizers", "minikeras.quantizers")
distillations = Registry("distillation loss", "keras.distillation", "minikeras.distillation")
utilities = Registry("utility", "keras.utils", "minikeras.utils.feature_space")

ALL = (
    layers,
    models,
    activations,
    initializers,
    regularizers,
    constraints,
    losses,
    metrics,
    metric_functions,
    optimizers,
    schedules,
    operations,
    callbacks,
    generators,
    policies,
    quantizers,
    distillations,
    utilities,
)


@contextmanager
def custom_objects(objects: dict | None) -> Iterator[None]:
    """`CustomObjectScope` where there is something to put in it."""
    if not objects:
        yield
        return
    with CustomObjectScope(objects):
        yield


_counts: dict[str, int] = {}
_open = threading.local()


def to_snake_case(name: str) -> str:
    """`BatchNormalization` -> `batch_normalization`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def uniquify(name: str) -> str:
    """`name` the first time, then `name_1`, `name_2`, ..."""
    count = _counts.get(name)
    _counts[name] = 0 if count is None else count + 1
    return name if count is None else f"{name}_{count + 1}"


def auto_name(prefix: str) -> str:
    """A unique name from a class name or prefix."""
    return uniquify(to_snake_case(prefix))


def get_uid(prefix: str = "") -> int:
    """A number unique for `prefix`, starting at 1."""
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


_uids: dict[str, int] = {}


def reset_names() -> None:
    """Start all automatic names anew."""
    _counts.clear()
    _uids.clear()


def _scopes() -> list:
    try:
        return _open.scopes
    except AttributeError:
        _open.scopes = []
        return _open.scopes


class name_scope:
    """Prefix the paths of variables created inside a `with` block.

    Args:
        name: Name of the scope.
        caller: What opens the scope. Defaults to None.
        deduplicate: Boolean, default True. Whether a scope that the innermost scope's caller opens
            again under the same name adds nothing.
        override_parent: Path to put in the place of the scopes outside. Defaults to None.

    Raises:
        ValueError: if `name` is not a string, or has a `/`.

    Example:

    >>> import minikeras
    >>> with minikeras.name_scope("outer"):
    ...     print(minikeras.Variable(1.0, name="step").path)
    outer/step
    """

    def __init__(
        self,
        name: str,
        caller: Any = None,
        deduplicate: bool = True,
        override_parent: str | None = None,
    ) -> None:
        # Layers of old files may have such names.
        if not isinstance(name, str) or ("/" in name and caller is None):
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. Received:"
                f" name={name!r}"
            )
        self.name, self.caller = name, caller
        self.deduplicate, self.override_parent = deduplicate, override_parent
        self._entered: list[bool] = []

    def __enter__(self) -> name_scope:
        scopes = _scopes()
        again = (
            self.deduplicate
            and self.caller is not None
            and bool(scopes)
            and scopes[-1].caller is self.caller
            and scopes[-1].name == self.name
        )
        self._entered.append(not again)
        if not again:
            scopes.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._entered.pop():
            _scopes().pop()


def current_path() -> str:
    """The names of the open scopes, joined by `/`."""
    parts: list[str] = []
    for scope in _scopes():
        if scope.override_parent is not None:
            parts = [part for part in scope.override_parent.split("/") if part]
        parts.append(scope.name)
    return "/".join(parts)
