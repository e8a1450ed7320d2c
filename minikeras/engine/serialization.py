"""Objects to configs and back, without importing or running anything a config names.

The format is that of Keras 3: `{"module", "class_name", "config", "registered_name"}`, with
markers for what JSON lacks. Classes are found in the static registries, among the objects that the
user registered, or as a class of ours in a module of the Keras family that the program imported;
nothing else is reachable from a config.
"""

from __future__ import annotations

import base64
import inspect
import sys
import threading
from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry
from minikeras.engine.arena import Budget
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable

_PLAIN = (str, int, float, bool, type(None))
_local = threading.local()
# Whose classes Keras finds by their module, without registration.
_FAMILY = ("keras", "minikeras", "keras_hub", "keras_cv", "keras_nlp")

_SAFE_NUMPY_KINDS = "biufc"
# Without a file of weights beside it, an architecture may ask for this much.
_ARCHITECTURE_BYTES = 2**31


def serialize(obj: Any) -> Any:
    """A JSON-ready description of `obj`."""
    if isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, dict):
        return {key: serialize(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, KerasTensor):
        history = getattr(obj, "_keras_history", None)
        config: dict[str, Any] = {"shape": list(obj.shape), "dtype": obj.dtype}
        if history:
            config["keras_history"] = [
                history.operation.name,
                history.node_index,
                history.tensor_index,
            ]
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(obj, (Tensor, Variable)):
        return {
            "class_name": "__tensor__",
            "config": {"value": obj.array.tolist(), "dtype": str(obj.dtype)},
        }
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": obj.dtype.name},
        }
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, slice):
        return {
            "class_name": "__slice__",
            "config": {part: serialize(getattr(obj, part)) for part in ("start", "stop", "step")},
        }
    if isinstance(obj, type) and issubclass(obj, np.generic):
        return np.dtype(obj).name
    if inspect.isfunction(obj) and obj.__name__ == "<lambda>":
        return _serialize_lambda(obj)
    if inspect.isfunction(obj) or inspect.isbuiltin(obj) or inspect.isclass(obj):
        return _serialize_named(obj)
    if not hasattr(obj, "get_config"):
        raise TypeError(
            f"Cannot serialize {obj!r} (of type {type(obj)}): it has no `get_config()` method."
        )
    record = _serialize_named(type(obj))
    record["config"] = _inner_config(obj)
    del record["_kind"]
    build_config = getattr(obj, "get_build_config", None)
    if build_config is not None and getattr(obj, "built", True):
        built = build_config()
        if built is not None:
            record["build_config"] = _serialize_plain(built)
    compile_config = getattr(obj, "get_compile_config", None)
    if compile_config is not None:
        compiled = compile_config() if getattr(obj, "compiled", False) else {}
        if compiled is not None:
            record["compile_config"] = compiled
    sharing = getattr(_local, "sharing", None)
    if sharing is not None:
        sharing.written(obj, record)
    return record


def _serialize_plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_serialize_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _serialize_plain(item) for key, item in value.items()}
    return serialize(value)


def _inner_config(obj: Any) -> dict:
    return {key: serialize(value) for key, value in obj.get_config().items()}


def home_of(obj: Any) -> registry.Registry | None:
    """The registry that holds a built-in class or function, or None."""
    for one in registry.ALL:
        if one.canonical_name(obj) is not None:
            return one
    return None


def _serialize_named(obj: Any) -> dict:
    if not inspect.isclass(obj):
        # Keras finds functions by name alone and writes nothing else of them.
        return {
            "module": "builtins",
            "class_name": "function",
            "config": registry.get_registered_name(obj),
            "registered_name": "function",
        }
    home = home_of(obj)
    if home is not None:
        module, registered = getattr(obj, "_keras_module", home.public), None
    else:
        module, registered = obj.__module__, registry.get_registered_name(obj)
    # What is public under another name than its own is found under that one only.
    name = obj.__dict__.get("_keras_name", obj.__name__)
    registered = registered or obj.__dict__.get("_keras_registered")
    return {
        "module": module,
        "class_name": name,
        "config": {},
        "registered_name": registered,
        "_kind": "class",
    }


def _serialize_lambda(function: Any) -> dict:
    import marshal

    code = base64.b64encode(marshal.dumps(function.__code__)).decode("ascii")
    closure = function.__closure__
    cells = tuple(cell.cell_contents for cell in closure) if closure else None
    return {
        "class_name": "__lambda__",
        "config": {
            "value": (code, serialize(function.__defaults__), serialize(cells)),
        },
    }


def safe_mode() -> bool | None:
    """Whether loading refuses everything that could run foreign code; None: unset (safe)."""
    return getattr(_local, "safe_mode", None)


class SafeMode:
    """`with SafeMode(safe_mode):` sets `safe_mode()` for this thread."""

    def __init__(self, safe_mode: bool | None) -> None:
        self.flag = safe_mode

    def __enter__(self) -> SafeMode:
        self.previous = safe_mode()
        _local.safe_mode = self.flag
        return self

    def __exit__(self, *_: Any) -> None:
        _local.safe_mode = self.previous


class ObjectSharing:
    """Within it, an object that several configs hold is written and read as one object."""

    def __init__(self) -> None:
        self.records: dict[int, tuple[Any, dict, int]] = {}
        self.objects: dict[Any, Any] = {}

    def __enter__(self) -> ObjectSharing:
        self.previous = getattr(_local, "sharing", None)
        _local.sharing = self
        return self

    def __exit__(self, *_: Any) -> None:
        _local.sharing = self.previous

    def written(self, obj: Any, record: dict) -> None:
        """Number the records of an object that is met a second time."""
        # The object is kept, so that no other one gets its `id` meanwhile.
        _, first, number = self.records.setdefault(id(obj), (obj, record, len(self.records)))
        if first is not record:
            first["shared_object_id"] = record["shared_object_id"] = number

    def read(self, config: dict) -> Any:
        """The object that a record with the same number stood for, or None."""
        found = self.objects.get(config.get("shared_object_id"))
        return found if type(found).__name__ == config["class_name"] else None


def set_default_safe_mode(flag: bool | None) -> None:
    """Set `safe_mode()` for this thread until further notice."""
    _local.safe_mode = flag


def _deserialize_lambda(inner: dict) -> Any:
    if safe_mode() is not False:
        raise ValueError(
            "The config holds a Python lambda (of a Lambda layer, most often), as compiled code."
            " Loading it would allow arbitrary code execution, so it is refused. If you trust its"
            " source, pass `safe_mode=False` to the loading function, or call"
            " `minikeras.config.enable_unsafe_deserialization()`."
        )
    import marshal
    import types

    if "value" in inner:
        # The form of everything but the Lambda layer.
        inner = dict(zip(("code", "defaults", "closure"), inner["value"]))
    code = marshal.loads(base64.b64decode(inner["code"]))
    defaults = deserialize(inner.get("defaults"))
    cells = deserialize(inner.get("closure"))
    closure = tuple(types.CellType(value) for value in cells) if cells else None
    return types.FunctionType(
        code,
        {"__builtins__": __builtins__, **_lambda_globals()},
        "<lambda>",
        tuple(defaults) if defaults else None,
        closure,
    )


def _lambda_globals() -> dict:
    import minikeras

    return {"keras": minikeras, "np": np, "numpy": np}


def _deserialize_numpy(inner: dict) -> np.ndarray:
    name = inner.get("dtype")
    if name is not None:
        name = dtypes.standardize_dtype(name) if isinstance(name, str) else None
        if name is None or name in ("string",):
            raise ValueError(
                f"A config names an array dtype that is not allowed: {inner['dtype']!r}"
            )
    value = np.array(inner["value"], dtype=dtypes.numpy_dtype(name) if name else None)
    if value.dtype.kind not in _SAFE_NUMPY_KINDS:
        raise ValueError(f"A config holds an array of dtype {value.dtype}, which is not allowed.")
    return value


def _refuse_typespec(inner: Any) -> None:
    if not isinstance(inner, (list, tuple)):
        raise TypeError(f"Expected 'config' to be a list or a tuple. Received: {inner!r}")
    raise ValueError(f"TensorFlow alone can make a `tf.TypeSpec`. Received: {inner}")


def deserialize(
    config: Any,
    home: registry.Registry | None = None,
    custom_objects: dict | None = None,
) -> Any:
    """The object that `config` describes.

    Args:
        config: What `serialize` returned, or the older `{"class_name", "config"}` form.
        home: Registry to look in first.
        custom_objects: dict of the user's classes and functions by name.

    Raises:
        ValueError: for a name that is neither built in nor registered, or that is not allowed.
        TypeError: for a malformed config.
    """
    with registry.custom_objects(custom_objects), architecture_budget():
        return _deserialize(config, home)


def architecture_budget() -> Budget:
    """What the weights of a model may take that comes as an architecture only."""
    return Budget(None if safe_mode() is False else _ARCHITECTURE_BYTES)


def _deserialize(config: Any, home: registry.Registry | None) -> Any:
    if config is None or isinstance(config, (int, float, bool)):
        return config
    if isinstance(config, str):
        return home.lookup(config) if home is not None else config
    if isinstance(config, (list, tuple)):
        items = [_deserialize(item, None) for item in config]
        return tuple(items) if isinstance(config, tuple) else items
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        if "class_name" in config:
            config = {**config, "config": {}}
        else:
            return {key: _deserialize(value, None) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if not isinstance(name, str):
        raise TypeError(f"`class_name` in a config must be a string. Received: {name!r}")
    special = _SPECIAL.get(name)
    if special is not None:
        return special(inner)
    if name == "function":
        if not isinstance(inner, str):
            raise TypeError(f"Expected 'config' to be a non-null str. Received: {inner!r}")
        return _find(str(inner), config, home, want_class=False)
    found = _find(name, config, home, want_class=True)
    if not inspect.isclass(found):
        return found
    sharing: Any = getattr(_local, "sharing", None)
    shared = config.get("shared_object_id") if sharing is not None else None
    known = sharing.read(config) if isinstance(shared, int) else None
    if known is not None:
        return known
    if isinstance(inner, dict):
        inner = dict(inner)
    else:
        raise TypeError(f"Expected 'config' to be a dict, for {name}. Received: {type(inner)}")
    from_config = getattr(found, "from_config", None)
    instance: Any = found(**inner) if from_config is None else from_config(inner)
    build_config = config.get("build_config")
    if build_config and hasattr(instance, "build_from_config"):
        instance.build_from_config(build_config)
        if not getattr(instance, "built", True):
            instance.built = True
    compile_config = config.get("compile_config")
    if compile_config and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(compile_config)
    if isinstance(shared, int):
        sharing.objects[shared] = instance
    return instance


_SPECIAL = {
    "__tuple__": lambda inner: tuple(_deserialize(item, None) for item in inner["value"]),
    "__bytes__": lambda inner: inner["value"].encode("utf-8"),
    "__ellipsis__": lambda inner: Ellipsis,
    "__slice__": lambda inner: slice(
        *(_deserialize(inner[part], None) for part in ("start", "stop", "step"))
    ),
    "__numpy__": _deserialize_numpy,
    "__tensor__": lambda inner: Tensor(_deserialize_numpy(inner)),
    "__lambda__": _deserialize_lambda,
    "__typespec__": _refuse_typespec,
    "__keras_tensor__": lambda inner: KerasTensor(
        shape=tuple(inner["shape"]), dtype=inner["dtype"]
    ),
}


def _find(name: str, config: dict, home: registry.Registry | None, want_class: bool) -> Any:
    module = config.get("module")
    registered = config.get("registered_name")
    for key in (registered, name):
        if isinstance(key, str):
            found = registry.custom_object(key)
            if found is not None:
                return found
    if not want_class and module == "builtins" and ">" not in name:
        # Keras up to 3.6 left out the package that a function is registered under.
        found = registry.custom_object_ending(f">{name}")
        if found is not None:
            return found
    if module == "builtins" and want_class:
        raise ValueError(f"A config names the Python builtin {name!r}, which is not allowed.")
    # The module of a config decides between a layer and an operation of one name.
    candidates = [one for one in (_registry_of(module), home) if one is not None]
    if home is registry.layers and module is None and _is_operation(config):
        candidates.insert(0, registry.operations)
    if home is registry.layers:
        # A model in an old layout names its operations without a module.
        candidates.append(registry.operations)
    candidates += [one for one in registry.ALL if one not in candidates]
    fallback = None
    for one in candidates:
        found = one.find(name)
        if found is not None and (one in (home, _registry_of(module)) or _allowed(one, module)):
            if want_class or not inspect.isclass(found):
                if registered and registered not in (name, config["class_name"]):
                    raise ValueError(
                        f"A config gives `registered_name={registered!r}` to {name!r}, which"
                        " resolved to a Keras built-in. Nothing is registered under that name."
                    )
                return found
            fallback = fallback or found
    if fallback is not None:
        # An operation's class has the name of its function, in another case.
        return registry.operations.function(name) or fallback
    own = _loaded_class(module, name)
    if own is not None:
        return own
    if home is not None:
        raise ValueError(home.unknown(name))
    raise ValueError(
        f"Could not find {name!r}" + (f" of module {module!r}" if module else "") + ". If it is"
        " your own, pass it in `custom_objects`, or register it with"
        " `@minikeras.saving.register_keras_serializable()` before loading."
    )


def _loaded_class(module: Any, name: str) -> Any:
    """A class of a package of the Keras family that is imported already; nothing is imported."""
    if not isinstance(module, str) or module.partition(".")[0] not in _FAMILY:
        return None
    found = vars(sys.modules.get(module, object)).get(name)
    if not inspect.isclass(found) or found.__module__ != module:
        return None
    ours = any(base.__module__.startswith("minikeras.") for base in found.__mro__)
    return found if ours and hasattr(found, "from_config") else None


def _is_operation(config: dict) -> bool:
    """Whether a record without a module is one of an operation: layers say if they train."""
    inner = config.get("config")
    return "inbound_nodes" in config and isinstance(inner, dict) and "trainable" not in inner


def _registry_of(module: Any) -> registry.Registry | None:
    if not isinstance(module, str):
        return None
    parts = module.split(".")
    for one in registry.ALL:
        if one.public.split(".")[1:] == parts[1:] or one.public.split(".")[-1] in parts:
            return one
    return None


def _allowed(one: registry.Registry, module: Any) -> bool:
    if module is None or module in ("builtins", "keras", "keras.src"):
        return True
    return isinstance(module, str) and module.split(".")[0] in (
        "keras",
        "tf_keras",
        "tensorflow",
        "minikeras",
    )


_KINDS = ("kernel", "depthwise", "pointwise", "recurrent", "bias")


def _of(ending: str) -> tuple:
    return tuple(f"{kind}_{ending}" for kind in _KINDS)


ORDER = (
    "activation", "recurrent_activation", "use_bias", *_of("initializer"), "unit_forget_bias",
    *_of("regularizer"), "activity_regularizer", *_of("constraint"), "dropout",
    "recurrent_dropout", "reset_after", "seed",
)  # fmt: skip
# A cell says first how it starts to forget.
LSTM_CELL_ORDER = (
    *ORDER[:3],
    "unit_forget_bias",
    *(name for name in ORDER[3:] if name != "unit_forget_bias"),
)
BATCH_NORMALIZATION_ORDER = (
    "beta_initializer", "gamma_initializer", "moving_mean_initializer",
    "moving_variance_initializer", "beta_regularizer", "gamma_regularizer", "beta_constraint",
    "gamma_constraint",
)  # fmt: skip


def in_order(config: dict, order: tuple = ORDER) -> dict:
    """The config with the keys that `order` names in that order, where the first of them is.

    Args:
        config: dict.
        order: Names.
    """
    keys = list(config)
    if config.get("activity_regularizer") is not None:
        # What every layer says stands in front.
        order = tuple(name for name in order if name != "activity_regularizer")
    found = [name for name in order if name in config]
    if not found:
        return config
    start = min(keys.index(name) for name in found)
    rest = [name for name in keys if name not in found]
    before = [name for name in rest if keys.index(name) < start]
    after = rest[len(before) :]
    return {name: config[name] for name in (*before, *found, *after)}
