"""The import hook: names of Keras's and TensorFlow's modules, and the modules behind them."""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

KERAS_VERSION = "3.15.1+minikeras"
TF_KERAS_VERSION = "2.21.0+minikeras"
TENSORFLOW_VERSION = "2.21.0+minikeras"

# What is claimed. `keras_preprocessing` was a part of Keras 2 with a name of its own, and
# `keras_core` is what Keras 3 was called before it was there.
ROOTS = ("keras", "tensorflow", "tf_keras", "keras_core", "keras_preprocessing")
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
    "keras_core",
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


def _opened(home: str) -> tuple[Any, Any]:
    """A module behind a stand-in, and its names."""
    name, _, names = home.partition(":")
    module = import_module(name)
    return module, getattr(module, names or "__all__", None) or dir(module)


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


# What there is of Keras and TensorFlow that minikeras does not have, and what to do without.
_RAGGED = "it has no ragged tensors: pad to one length (`keras.utils.pad_sequences`)."
_SPARSE = "it has no sparse tensors: use dense arrays."
_RECORDS = (
    "it does not read or write TFRecords. Keep data in `.npz` files and read them with"
    " `numpy.load` and `tf.data.Dataset.from_tensor_slices`."
)
_COLUMNS = (
    "feature columns need TensorFlow (and were removed from its guides). Use the preprocessing"
    " layers: Normalization, Discretization, CategoryEncoding, StringLookup, HashedCrossing."
)
GRAPH = (
    "it has no sessions or graphs of TensorFlow 1: operations compute at once. Call the model or"
    " the function on arrays, and drop the session."
)
_CHECKPOINT = (
    "it does not write TensorFlow's checkpoints. Use `model.save_weights('name.weights.h5')` and"
    " `load_weights`, or the callbacks ModelCheckpoint and BackupAndRestore."
)
_SAVED_MODEL = (
    "it does not read or write TensorFlow's SavedModel format. Use `model.save('name.keras')` and"
    " `keras.models.load_model`."
)
_SUMMARY = (
    "of summaries it has `create_file_writer`, `scalar`, `histogram`, `image` and `text`. Otherwise"
    " use the callback `keras.callbacks.TensorBoard`."
)
_LOOKUP = "it has other lookup tables. Use the layers `StringLookup` and `IntegerLookup`."
_INSIDE = "what is inside TensorFlow is not there. Use the public name."

# Longest prefix counts. `tf` is any way to TensorFlow, `keras` any way to Keras.
REASONS: dict[str, str] = {
    "tf.RaggedTensor": _RAGGED,
    "tf.RaggedTensorSpec": _RAGGED,
    "tf.ragged": _RAGGED,
    "tf.SparseTensor": _SPARSE,
    "tf.SparseTensorSpec": _SPARSE,
    "tf.sparse": _SPARSE,
    "tf.data.TFRecordDataset": _RECORDS,
    "tf.io.TFRecordWriter": _RECORDS,
    "tf.io.TFRecordOptions": _RECORDS,
    "tf.io.FixedLenFeature": _RECORDS,
    "tf.io.VarLenFeature": _RECORDS,
    "tf.io.parse_example": _RECORDS,
    "tf.io.parse_single_example": _RECORDS,
    "tf.io.parse_single_sequence_example": _RECORDS,
    "tf.io.parse_tensor": _RECORDS,
    "tf.io.serialize_tensor": _RECORDS,
    "tf.io.serialize_sparse": _SPARSE,
    "tf.io.decode_proto": _RECORDS,
    "tf.python_io": _RECORDS,
    "tf.train.load_checkpoint": _CHECKPOINT,
    "tf.train.Saver": _CHECKPOINT,
    "tf.train.Example": _RECORDS,
    "tf.train.SequenceExample": _RECORDS,
    "tf.train.Feature": _RECORDS,
    "tf.train.Features": _RECORDS,
    "tf.train.FeatureList": _RECORDS,
    "tf.train.FeatureLists": _RECORDS,
    "tf.train.BytesList": _RECORDS,
    "tf.train.FloatList": _RECORDS,
    "tf.train.Int64List": _RECORDS,
    "tf.train.AdamOptimizer": "the optimizers of TensorFlow 1 are not there. Use"
    " `keras.optimizers.Adam`.",
    "tf.train.GradientDescentOptimizer": "the optimizers of TensorFlow 1 are not there. Use"
    " `keras.optimizers.SGD`.",
    "tf.train.RMSPropOptimizer": "the optimizers of TensorFlow 1 are not there. Use"
    " `keras.optimizers.RMSprop`.",
    "tf.feature_column": _COLUMNS,
    "tf.estimator": "estimators need TensorFlow (which has dropped them too). Use the Keras model"
    " itself.",
    "tf.lite": "converting to TensorFlow Lite needs TensorFlow. minikeras itself runs where Python"
    " and NumPy do.",
    "tf.saved_model": _SAVED_MODEL,
    "tf.distribute": "it runs in one process. `MirroredStrategy`, `OneDeviceStrategy` and"
    " `get_strategy` are there, as strategies of one replica.",
    "tf.tpu": "it runs on CPUs.",
    "tf.xla": "it does not compile.",
    "tf.summary": _SUMMARY,
    "tf.profiler": "it has no profiler. Use `cProfile`.",
    "tf.lookup": _LOOKUP,
    "tf.raw_ops": _INSIDE,
    "tf.python": _INSIDE,
    "tf.core": _INSIDE,
    "tf.contrib": "`contrib` left TensorFlow with its version 2. Look for today's name.",
    "tf.examples": "TensorFlow's examples are not there. For MNIST: `keras.datasets.mnist`.",
    "tf.autograph": "functions run as they are written: nothing is converted to graphs.",
    "tf.queue": "it has no queues. Use `tf.data.Dataset` or Python's `queue`.",
    "tf.sets": _SPARSE,
    "tf.placeholder": GRAPH,
    "tf.placeholder_with_default": GRAPH,
    "tf.get_variable": GRAPH,
    "tf.get_default_session": GRAPH,
    "tf.variable_scope": GRAPH,
    "tf.layers": "`tf.layers` left TensorFlow with its version 2. Use `keras.layers`.",
    "tf.gradients": "gradients of graphs are not there. Use `tf.GradientTape`.",
    "tf.hessians": "second derivatives are not there.",
    "tf.autodiff": "forward-mode derivatives are not there. Use `tf.GradientTape`.",
    "tf.make_tensor_proto": _INSIDE,
    "tf.make_ndarray": _INSIDE,
    "tf.quantization": "it does not quantize in TensorFlow's way.",
    "tf.mlir": _INSIDE,
    "tf.sysconfig": "there is no TensorFlow library to link with.",
    "tf.load_op_library": "there is no TensorFlow to load operations into.",
    "tf.app": "`tf.app` left TensorFlow with its version 2. Use `argparse`.",
    "tf.flags": "`tf.flags` left TensorFlow with its version 2. Use `argparse`.",
    "keras.estimator": "estimators need TensorFlow. Use the model itself.",
}


def normalized(name: str) -> str:
    """A dotted name with `tf` or `keras` for its way to TensorFlow or Keras."""
    for prefix in _BY_LENGTH:
        if name == prefix or name.startswith(prefix + "."):
            return "keras" + name[len(prefix) :]
    for prefix in ("tensorflow.compat.v1", "tensorflow.compat.v2", "tensorflow"):
        if name == prefix or name.startswith(prefix + "."):
            return "tf" + name[len(prefix) :]
    return name


def reason(name: str) -> str | None:
    """Why a name is not there and what to do, if that is known."""
    path = normalized(name)
    while path:
        if path in REASONS:
            return REASONS[path]
        path = path.rpartition(".")[0]
    return None


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
        for module, names in map(_opened, self._homes):
            if module.__name__.startswith(_TENSORFLOW) and name not in names:
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
            names.update(_opened(home)[1])
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
        for module, _ in map(_opened, self._homes):
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
