"""`keras` and `keras.src` as Keras's tests see them: another package's names, and nothing more.

A test file that says `from keras.src.layers.core.dense import Dense` gets `minikeras.layers.Dense`,
because Keras exports that class as `keras.layers.Dense` (`names.json`). A name is looked up

1. in `TABLE`: private names with a counterpart, and flags that say what a backend offers;
2. among the modules of Keras, which become modules of this kind;
3. among the names that Keras exports under a public name;
4. among the operations (`ops.numpy.Mean`), which saved models name too;
5. for `keras.src.backend`, among the functions that are public in `keras.ops` and the like.

Anything else is private: it becomes an `Absent` that fails the test that uses it, not the file.
With the target `keras` the same table decides what is reachable, and real Keras answers.
"""

from __future__ import annotations

import builtins
import fnmatch
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import shutil
import sys
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import names

# Packages that tests may not use, except those that judge: JAX tells what dtypes come out,
# TensorFlow what images look like.
HIDDEN = ("tensorflow", "torch", "jax", "flax", "grain", "tf_keras", "openvino", "orbax", "onnx")
JUDGES = {
    "backend/common/*": ("jax",),
    "ops/*": ("jax",),
    "ops/image_test.py": ("jax", "tensorflow"),
}

# What the tests are told of the backend. Neither "tensorflow" nor "numpy": the tests of those
# look for their tensors, or skip training.
BACKEND = "minikeras"
# A file that refuses backends it does not know is told another name.
NAMED = {"trainers/trainer_test.py": "tensorflow"}


class AbsentError(AttributeError):
    """A test used something private that has no counterpart."""


class _Absent(type):
    """Stands for a private name: everything done with it once the file is loaded fails."""

    path: str
    hidden: bool

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if not Shim.loading:
            cls.refuse()
        return absent(f"{cls.path}.{name}", cls.hidden)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not Shim.loading:
            cls.refuse()
        return absent(f"{cls.path}()", cls.hidden)

    def __iter__(cls) -> Any:
        cls.refuse()

    def __instancecheck__(cls, instance: Any) -> bool:
        return False

    def __subclasscheck__(cls, subclass: type) -> bool:
        return False

    def refuse(cls) -> None:
        if cls.hidden:
            raise unittest.SkipTest(f"needs {cls.path.split('.')[0]}")
        raise AbsentError(f"{cls.path} is private")


def absent(path: str, hidden: bool = False) -> _Absent:
    """A stand-in for `path`: private, or (`hidden`) of a package that tests may not use."""
    name = path.rstrip("()").rpartition(".")[2]
    return _Absent(name, (), {"path": path, "hidden": hidden})


class _HiddenModule(types.ModuleType):
    """A package that is not there: importing it works, using it skips the test."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return absent(f"{self.__name__}.{name}", hidden=True)


class _Package:
    """`keras.src.utils.module_utils.tensorflow`: a package that may be there."""

    def __init__(self, name: str):
        self._name = name
        self.available = name not in Shim.hidden and bool(importlib.util.find_spec(name))

    def __getattr__(self, name: str) -> Any:
        if self._name in Shim.hidden:
            return absent(f"{self._name}.{name}", hidden=True)
        return getattr(importlib.import_module(self._name), name)


class _Files:
    """`keras.src.utils.file_utils`, of which tests use what `os` and `shutil` have too."""

    functions: dict[str, Callable] = {
        "join": os.path.join,
        "exists": os.path.exists,
        "isdir": os.path.isdir,
        "listdir": os.listdir,
        "makedirs": lambda path: os.makedirs(path, exist_ok=True),
        "rmtree": shutil.rmtree,
        "copy": shutil.copy,
        "remove": os.remove,
        "File": open,
    }


FLOATS = ("bfloat16", "float16", "float32", "float64")
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
FLOATS_8 = ("float8_e4m3fn", "float8_e5m2")
# In Keras's order: tests are made of their pairs, and a pair has its own name each way round.
DTYPES = (
    *FLOATS[1:],
    *INTEGERS,
    "bfloat16",
    "bool",
    "string",
    *FLOATS_8,
    "complex64",
    "complex128",
)

# Flags and constants, by the name inside Keras.
VALUES: dict[str, Any] = {
    "backend.SUPPORTS_SPARSE_TENSORS": False,
    "backend.SUPPORTS_RAGGED_TENSORS": False,
    "backend.SUPPORTS_COMPLEX_DTYPES": True,
    "backend.IS_THREAD_SAFE": True,
    "backend.common.dtypes.FLOAT_TYPES": FLOATS,
    "backend.common.dtypes.INT_TYPES": INTEGERS,
    "backend.common.dtypes.BOOL_TYPES": ("bool",),
    "backend.common.dtypes.FLOAT8_TYPES": FLOATS_8,
    "backend.common.dtypes.ALLOWED_DTYPES": DTYPES,
    "backend.common.variables.ALLOWED_DTYPES": DTYPES,
    "backend.get_keras_mask": lambda x: getattr(x, "_keras_mask", None),
    "backend.set_keras_mask": lambda x, mask: setattr(x, "_keras_mask", mask),
    "backend.common.masking.get_keras_mask": lambda x: getattr(x, "_keras_mask", None),
    "backend.common.masking.set_keras_mask": lambda x, mask: setattr(x, "_keras_mask", mask),
    "utils.removesuffix": str.removesuffix,
    **{f"utils.file_utils.{name}": function for name, function in _Files.functions.items()},
}

# Of these, real Keras has its own.
FLAGS: dict[str, Any] = {
    "backend.compute_output_spec": lambda function, *args, **kwargs: lookup(
        "engine.operation.infer_spec"
    )(function, args, kwargs),
    "saving.saving_lib._MEMORY_UPPER_BOUND": 0.5,
    "backend.common.symbolic_scope.in_symbolic_scope": lambda: False,
    # Moves tensors of TensorFlow to the backend that is at work.
    "utils.backend_utils.convert_tf_tensor": lambda outputs, dtype=None: outputs,
}

# Private names of Keras -> their counterparts in minikeras: the same thing by another name.
COUNTERPARTS = {
    "backend.common.global_state.clear_session": "backend.clear_session",
    "backend.common.is_float_dtype": "backend.is_float_dtype",
    "backend.common.is_int_dtype": "backend.is_int_dtype",
    "backend.common.keras_tensor.any_symbolic_tensors": "engine.operation.any_symbolic",
    "backend.common.name_scope.current_path": "engine.registry.current_path",
    "backend.AutocastScope": "engine.variable.AutocastScope",
    "backend.common.variables.AutocastScope": "engine.variable.AutocastScope",
    "backend.common.variables.standardize_shape": "engine.variable.standardize_shape",
    "backend.numpy.trainer.NumpyTrainer": "training.trainer.Trainer",
    "backend.standardize_shape": "engine.variable.standardize_shape",
    "backend.tensorflow.trainer.TensorFlowTrainer": "training.trainer.Trainer",
    "callbacks.MonitorCallback": "callbacks.callback.MonitorCallback",
    "datasets.npz_utils.load_npz": "datasets.npz.load_npz",
    "initializers.random_initializers.compute_fans": (
        "initializers.random_initializers.compute_fans"
    ),
    "layers.IndexLookup": "layers.preprocessing.index_lookup.IndexLookup",
    "layers.preprocessing.data_layer.DataLayer": "layers.preprocessing.normalization.DataLayer",
    "layers.rnn.conv_lstm.ConvLSTM": "layers.convolutional_recurrent.ConvLSTM",
    "layers.rnn.conv_lstm.ConvLSTMCell": "layers.convolutional_recurrent.ConvLSTMCell",
    "layers.rnn.dropout_rnn_cell.DropoutRNNCell": "layers.cell_sequence.DropoutRNNCell",
    "legacy.saving.legacy_h5_format.load_model_from_hdf5": "saving.load_model",
    "legacy.saving.legacy_h5_format.save_model_to_hdf5": "saving.save_model",
    "losses.loss.squeeze_or_expand_to_same_rank": "losses.loss.squeeze_or_expand_to_same_rank",
    "models.Functional": "models.functional.Functional",
    "models.functional.Functional": "models.functional.Functional",
    "ops.node.Node": "engine.recording.Node",
    "dtype_policies.dtype_policy._get_quantized_dtype_policy_by_str": (
        "engine.dtype_policy.quantized_policy"
    ),
    "quantizers.awq.AWQ": "quantizers.calibration.AWQ",
    "quantizers.awq.awq_quantize_matrix": "quantizers.calibration.awq_quantize_matrix",
    "quantizers.awq.awq_search_optimal_scales": "quantizers.calibration.awq_search_optimal_scales",
    "quantizers.dequantize_with_sz_map": "kernels.quantization.groups_from_levels",
    "quantizers.gptq.GPTQ": "quantizers.calibration.GPTQ",
    "quantizers.gptq._stable_permutation": "quantizers.calibration.descending",
    "quantizers.gptq.gptq_quantize_matrix": "quantizers.calibration.gptq_quantize_matrix",
    "quantizers.gptq_core.get_dataloader": "quantizers.calibration.calibration_samples",
    "quantizers.gptq_core.gptq_quantize": "quantizers.calibration.calibrate",
    "quantizers.quantization_config.validate_and_resolve_config": "quantizers.resolve_config",
    "quantizers.quantizers.compute_quantization_parameters": (
        "quantizers.calibration.quantization_parameters"
    ),
    "quantizers.quantizers.dequantize_with_sz_map": "kernels.quantization.groups_from_levels",
    "quantizers.quantizers.dequantize_with_zero_point": "kernels.quantization.from_levels",
    "quantizers.quantizers.quantize_with_sz_map": "kernels.quantization.groups_to_levels",
    "quantizers.quantizers.quantize_with_zero_point": "kernels.quantization.to_levels",
    "quantizers.utils.should_quantize_layer": "quantizers.calibration.wanted",
    "saving.saving_lib._CONFIG_FILENAME": "saving.archive._CONFIG",
    "saving.saving_lib._METADATA_FILENAME": "saving.archive._METADATA",
    "saving.saving_lib.load_model": "saving.load_model",
    "saving.saving_lib.load_weights_only": "saving.load_weights",
    "saving.saving_lib.save_model": "saving.save_model",
    "saving.saving_lib.save_weights_only": "saving.save_weights",
    "saving.serialization_lib.ObjectSharingScope": "engine.serialization.ObjectSharing",
    "saving.serialization_lib.SafeModeScope": "engine.serialization.SafeMode",
    "trainers.compile_utils.CompileLoss": "training.objectives.CompiledLoss",
    "trainers.compile_utils.CompileMetrics": "training.objectives.CompiledMetrics",
    "trainers.trainer.Trainer": "training.trainer.Trainer",
    "utils.file_utils.extract_archive": "utils.file_utils.extract_archive",
    "utils.file_utils.hash_file": "utils.file_utils.hash_file",
    "utils.file_utils.validate_file": "utils.file_utils.validate_file",
    "utils.io_utils.ask_to_proceed_with_overwrite": "utils.progbar.ask_to_proceed_with_overwrite",
    "utils.io_utils.print_msg": "utils.progbar.print_msg",
    "utils.io_utils.set_logging_verbosity": "utils.progbar.set_logging_verbosity",
    "utils.naming.auto_name": "engine.registry.auto_name",
    "utils.naming.to_snake_case": "engine.registry.to_snake_case",
    "utils.naming.uniquify": "engine.registry.uniquify",
    "utils.summary_utils.print_summary": "models.summary.print_summary",
    **{
        f"tree.optree_impl.{name}": f"tree.{name}"
        for name in (
            "assert_same_paths assert_same_structure flatten flatten_with_path is_nested"
            " lists_to_tuples map_shape_structure map_structure map_structure_up_to"
            " pack_sequence_as traverse"
        ).split()
    },
}

# Modules of Keras that are functions for its tests, and run as they are.
HELPER = "keras.src.testing."
HELPERS = ("src.testing.", "src.backend.common.backend_utils")

# Modules of whichever backend is at work.
BACKEND_MODULES = {
    f"keras.src.backend.{name}"
    for name in ("core", "image", "linalg", "math", "nn", "numpy", "random")
}

# Where `keras.src.backend` has what is public elsewhere.
BACKEND_PLACES = ("ops", "ops.image", "", "backend", "config", "utils", "random")


class Shim:
    """The state of the shim: one target, installed once a process."""

    target = "minikeras"
    suite = Path()
    loading = False
    hidden: set[str] = set()
    absent: set[str] = set()
    modules: dict[str, types.ModuleType] = {}
    table: dict = {}
    known: set[str] = set()
    judged_name = BACKEND


def lookup(path: str) -> Any:
    """The target's `layers.Dense`.

    Raises:
        AttributeError: if it is not there.
    """
    thing: Any = importlib.import_module(Shim.target)
    done = Shim.target
    for part in filter(None, path.split(".")):
        done += f".{part}"
        try:
            thing = getattr(thing, part)
        except AttributeError:
            if not isinstance(thing, types.ModuleType):
                raise
            try:
                thing = importlib.import_module(done)
            except ImportError:
                raise AttributeError(done) from None
    return thing


def real(full: str) -> Any:
    """What real Keras has under a private name: for the baseline."""
    module, _, name = full.rpartition(".")
    return getattr(importlib.import_module(module), name)


def resolve(module: str, name: str) -> Any:
    """What `module.name` of Keras is in the target.

    Raises:
        AttributeError: if it is private.
    """
    full = f"{module}.{name}"
    full = Shim.table["aliases"].get(full, full)
    inside = full.removeprefix("keras.src.")
    if full in ("keras.src.backend.backend", "keras.src.backend.config.backend"):
        return lambda: Shim.judged_name
    if inside in VALUES:
        return VALUES[inside]
    if full.startswith("keras.src.utils.module_utils."):
        return _Package(name)
    if inside in FLAGS:
        return real(full) if Shim.target == "keras" else FLAGS[inside]
    if inside in COUNTERPARTS:
        return real(full) if Shim.target == "keras" else lookup(COUNTERPARTS[inside])
    public = Shim.table["names"].get(module, {}).get(name)
    if public:
        return lookup(public.removeprefix("keras."))
    if full in Shim.known:
        return module_of(full)
    if full.startswith("keras.src.ops.") and name[:1].isupper():
        return operation(full, name)
    if full.startswith("keras.src.backend.") and not name.startswith("_"):
        places = ("random",) if full.startswith("keras.src.backend.random.") else BACKEND_PLACES
        for place in places:
            try:
                found = lookup(f"{place}.{name}")
            except AttributeError:
                continue
            if not isinstance(found, types.ModuleType):
                return found
    if not full.startswith("keras.src"):
        return lookup(full.removeprefix("keras."))
    raise AttributeError(full)


def operation(full: str, name: str) -> Any:
    """The class of an operation."""
    if Shim.target == "keras":
        return real(full)
    # Keras checks arguments in the class, minikeras in the function: the class is made of it.
    functions = Shim.table["names"].get(full.rpartition(".")[0], {})
    for key, public in functions.items():
        if key.replace("_", "") == name.lower():
            return operation_of(name, lookup(public.removeprefix("keras.")))
    lookup("ops")
    kind = lookup("engine.registry.operations").objects().get(name)
    if kind is None or not kind._keras_module.startswith(full.rpartition(".")[0]):
        raise AttributeError(full)
    return kind


def operation_of(name: str, function: Callable) -> type:
    """A class of which `Mean(axis=1)(x)` is `mean(x, axis=1)`."""
    parameters = list(inspect.signature(function).parameters)

    def call(self: Any, *args: Any, **options: Any) -> Any:
        if any(callable(one) for one in self.args) or parameters[0] in ("subscripts", "shape"):
            return function(*self.args, *args, **{**self.options, **options})
        settings = dict(zip(parameters[len(args) :], self.args))
        return function(*args, **{**settings, **self.options, **options})

    def create(self: Any, *args: Any, name: str | None = None, **options: Any) -> None:
        self.args, self.options, self.name = args, options, name
        vars(self).update(options)

    members = {"__init__": create}
    for method in ("__call__", "call", "symbolic_call", "compute_output_spec"):
        members[method] = call
    return type(name, (), members)


class ShimModule(types.ModuleType):
    """A module of Keras that has the target's names."""

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return Shim.table["keras"]
        if name.startswith(("__", "_mock", "pytest")):
            raise AttributeError(name)
        try:
            return resolve(self.__name__, name)
        except AttributeError:
            full = f"{self.__name__}.{name}"
            if file_of(full):
                return module_of(full)
            Shim.absent.add(full)
            if Shim.loading:
                return absent(full)
            raise AbsentError(f"{full} is private") from None


def file_of(name: str) -> Path | None:
    """The file of a module that is run as it is: a test, or what tests are made of."""
    inside = name.removeprefix("keras.")
    if name.endswith("_test") or inside.startswith(HELPERS):
        path = Shim.suite.joinpath(*inside.split(".")).with_suffix(".py")
        return path if path.exists() else None
    return None


def module_of(name: str) -> types.ModuleType:
    """The module of that name as tests see it.

    Raises:
        ModuleNotFoundError: if Keras has none.
    """
    if name in Shim.modules:
        return Shim.modules[name]
    path = file_of(name)
    if path:
        module = load(name, path)
    elif name == "keras.src.testing":
        module = load(name, Shim.suite / "src/testing/__init__.py")
    elif (
        name in Shim.known
        or Shim.suite.joinpath(*name.split(".")[1:]).exists()
        or (Shim.suite.joinpath(*name.split(".")[1:]).with_suffix(".py").exists())
    ):
        module = ShimModule(name)
        module.__path__ = []
        Shim.modules[name] = module
    else:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return module


def load(name: str, path: Path) -> types.ModuleType:
    """Run an installed file, its imports going through the shim."""
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__path__ = []
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": shim_import}
    Shim.modules[name] = module
    sys.modules.setdefault(name, module)
    was, Shim.loading = Shim.loading, True
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    except BaseException:
        del Shim.modules[name]
        raise
    finally:
        Shim.loading = was
    if name == "keras.src.testing.test_case":
        module.__dict__["get_seed_generators"] = seed_generators
        # Files ask for devices while they are loaded, when TensorFlow is hidden from them.
        module.__dict__["_tensorflow_uses"] = lambda device_type: False
    return module


def seed_generators(layer: Any) -> list:
    """The seed generators of a layer and its sublayers; Keras's tests ask private attributes."""
    kind, base = lookup("random.SeedGenerator"), lookup("Layer")
    seen: set[int] = set()
    found: list = []
    todo = [layer]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, kind):
            found.append(value)
        elif isinstance(value, base):
            todo.extend(vars(value).values())
        elif isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            todo.extend(value)
    return found


def shim_import(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    """`__import__` of the test files."""
    top = name.partition(".")[0]
    if level == 0 and top == "keras":
        module = module_of(name)
        for part in fromlist or ():
            if not hasattr(module, part) and file_of(f"{name}.{part}"):
                setattr(module, part, module_of(f"{name}.{part}"))
        return module if fromlist else module_of("keras")
    if level == 0 and name == "conftest":
        return conftest()
    # What real Keras's test helpers ask TensorFlow is which devices there are.
    asks = Shim.target == "keras" and (globals or {}).get("__name__", "").startswith(HELPER)
    if level == 0 and top in Shim.hidden and not asks:
        return _HiddenModule(name if fromlist else top)
    return __import__(name, globals, locals, fromlist, level)


def conftest() -> types.ModuleType:
    """Keras's `conftest.py`, which is not installed."""
    import pytest

    module = types.ModuleType("conftest")
    module.__dict__["skip_if_backend"] = lambda name, reason: pytest.mark.skipif(
        Shim.judged_name == name, reason=reason
    )
    return module


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets `importlib.import_module("keras.src...")` and `mock.patch` find the shim."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] != "keras":
            return None
        try:
            module_of(name)
        except ModuleNotFoundError:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        return module_of(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def install(target: str, suite: Path) -> None:
    """Make test files see `target` as `keras`. Real Keras, if it is the target, stays itself."""
    Shim.target, Shim.suite = target, suite
    Shim.table = names.load()
    Shim.known = {*Shim.table["modules"], *Shim.table["public"], *BACKEND_MODULES}
    Shim.hidden = set(HIDDEN)
    importlib.import_module("ml_dtypes")  # tests say np.dtype("bfloat16")
    Shim.judged_name = "tensorflow" if target == "keras" else BACKEND
    if target != "keras":
        sys.meta_path.insert(0, _Finder())


def judge(file: str) -> None:
    """Let the tests of this file use the packages they compare with."""
    judges = [one for pattern, one in JUDGES.items() if fnmatch.fnmatch(file, pattern)]
    Shim.hidden = set(HIDDEN).difference(*judges)


def load_test(file: str) -> types.ModuleType:
    """Import `layers/core/dense_test.py` of the installed Keras."""
    judge(file)
    if Shim.target != "keras":
        Shim.judged_name = NAMED.get(file, BACKEND)
    return module_of("keras.src." + file.removesuffix(".py").replace("/", "."))
