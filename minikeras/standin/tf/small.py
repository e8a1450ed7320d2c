"""The small modules of TensorFlow: `SPACES` says which names each has.

One CPU, one replica, no GPUs; functions run as they are written; files by the standard library.
"""

from __future__ import annotations

import contextlib
import glob as _glob
import logging
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

from minikeras import initializers
from minikeras import ops as _ops
from minikeras.standin.finder import TENSORFLOW_VERSION

ops: Any = _ops
_logger = logging.getLogger("tensorflow")


def nothing(*_: Any, **__: Any) -> None:
    """Nothing: it says how something is computed, and never changes results."""


def no(*_: Any, **__: Any) -> bool:
    """False."""
    return False


def yes() -> bool:
    """True."""
    return True


def do_not_convert(func: Any = None) -> Any:
    """`func` itself."""
    return (lambda one: one) if func is None else func


# tf.compat


def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """Text as bytes."""
    return (
        bytes_or_text.encode(encoding) if isinstance(bytes_or_text, str) else bytes(bytes_or_text)
    )


def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """Bytes as text."""
    return (
        bytes_or_text if isinstance(bytes_or_text, str) else bytes(bytes_or_text).decode(encoding)
    )


def as_str_any(value: Any, encoding: str = "utf-8") -> str:
    """Anything as text."""
    return as_text(value, encoding) if isinstance(value, bytes) else str(value)


# tf.config

PhysicalDevice = namedtuple("PhysicalDevice", "name device_type")
LogicalDevice = namedtuple("LogicalDevice", "name device_type")


def list_physical_devices(device_type: str | None = None) -> list:
    """The CPU; nothing for any other kind of device."""
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list:
    """The CPU; nothing for any other kind of device."""
    return [LogicalDevice("/device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


class LogicalDeviceConfiguration:
    """Limits of a device: kept, and without effect."""

    def __init__(self, memory_limit: Any = None, **_: Any) -> None:
        self.memory_limit = memory_limit


# tf.distribute


class ReduceOp:
    """How to combine what replicas computed."""

    SUM = "SUM"
    MEAN = "MEAN"


class Strategy:
    """Everything on the one CPU: results are those without a strategy.

    Example:

    >>> from minikeras.standin.tf.small import MirroredStrategy
    >>> strategy = MirroredStrategy()
    >>> with strategy.scope():
    ...     strategy.num_replicas_in_sync
    1
    """

    num_replicas_in_sync = 1

    def __init__(self, *_: Any, **__: Any) -> None:
        """Devices do not matter."""

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block for making models."""
        yield self

    def run(self, fn: Callable, args: Any = (), kwargs: Any = None, options: Any = None) -> Any:
        """Calls the function."""
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        """The value, summed or averaged along an axis if one is given."""
        if axis is None:
            return value
        mean = str(reduce_op).upper().endswith("MEAN")
        return ops.mean(value, axis) if mean else ops.sum(value, axis)

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set."""
        return dataset

    def experimental_local_results(self, value: Any) -> tuple:
        """The value, in a tuple."""
        return (value,)


class MirroredStrategy(Strategy):
    """One replica."""


class OneDeviceStrategy(Strategy):
    """One replica."""


_default = Strategy()


def get_strategy() -> Strategy:
    """The strategy of one replica."""
    return _default


# tf.errors: for scripts that catch them. They are ValueErrors and the like.


class OpError(Exception):
    """An error of an operation."""


class InvalidArgumentError(OpError, ValueError):
    """An argument is wrong."""


class OutOfRangeError(OpError, IndexError):
    """There is no more."""


class NotFoundError(OpError, FileNotFoundError):
    """There is no such thing."""


class ResourceExhaustedError(OpError, MemoryError):
    """There is no room."""


class UnimplementedError(OpError, NotImplementedError):
    """It is not there."""


class FailedPreconditionError(OpError):
    """Something has to be done before."""


class AbortedError(OpError):
    """It was given up."""


class InternalError(OpError):
    """Something is broken."""


class UnknownError(OpError):
    """Something happened."""


# tf.io.gfile


def GFile(name: Any, mode: str = "r") -> Any:
    """An open file."""
    return open(name, mode, encoding=None if "b" in mode else "utf-8")


def makedirs(path: Any) -> None:
    """Makes a folder, and those above it, where there is none."""
    os.makedirs(path, exist_ok=True)


def glob(pattern: Any) -> list:
    """The files that fit a pattern, or several."""
    patterns: Any = [pattern] if isinstance(pattern, (str, bytes, os.PathLike)) else pattern
    return sorted(found for one in patterns for found in _glob.glob(os.fsdecode(one)))


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies a file.

    Raises:
        FileExistsError: there is one, and it is not to be overwritten.
    """
    if os.path.exists(dst) and not overwrite:
        raise FileExistsError(f"{dst} exists. Pass overwrite=True.")
    shutil.copyfile(src, dst)


_files = {
    "GFile": GFile, "FastGFile": GFile, "Open": GFile, "exists": os.path.exists,
    "isdir": os.path.isdir, "listdir": os.listdir, "remove": os.remove, "rmtree": shutil.rmtree,
    "rename": os.replace, "mkdir": os.mkdir, "join": os.path.join, "makedirs": makedirs,
    "glob": glob, "copy": copy, "walk": os.walk, "stat": os.stat,
}  # fmt: skip
_old = {"Exists": "exists", "IsDirectory": "isdir", "ListDirectory": "listdir", "Remove": "remove"}
_devices = {"list_physical_devices", "list_logical_devices", "PhysicalDevice", "LogicalDevice"}
_set = """set_memory_growth set_visible_devices set_virtual_device_configuration
set_logical_device_configuration set_soft_device_placement set_inter_op_parallelism_threads
set_intra_op_parallelism_threads set_jit set_experimental_options set_synchronous_execution
enable_op_determinism run_functions_eagerly experimental_run_functions_eagerly
enable_tensor_float_32_execution enable_mlir_bridge""".split()
_strategies = ("MirroredStrategy", "OneDeviceStrategy", "ReduceOp", "Strategy", "get_strategy")
_camel = {
    "".join(word.title() for word in name.split("_")[:-1]): name
    for name in """constant_initializer ones_initializer orthogonal_initializer
    random_normal_initializer random_uniform_initializer truncated_normal_initializer
    zeros_initializer glorot_normal_initializer glorot_uniform_initializer
    variance_scaling_initializer""".split()
}

# Module -> name -> what it is.
SPACES: dict[str, dict[str, Any]] = {
    "autograph": {
        "do_not_convert": do_not_convert, "set_loop_options": nothing, "set_verbosity": nothing,
    },
    "compat": {
        "as_bytes": as_bytes, "as_str": as_text, "as_str_any": as_str_any, "as_text": as_text,
    },
    "config": {
        **{name: globals()[name] for name in _devices},
        **dict.fromkeys(_set, nothing),
        "get_visible_devices": list_physical_devices,
        "list_local_devices": list_logical_devices,
        "functions_run_eagerly": yes,
        "get_memory_growth": no,
        "LogicalDeviceConfiguration": LogicalDeviceConfiguration,
        "VirtualDeviceConfiguration": LogicalDeviceConfiguration,
    },
    "distribute": {name: globals()[name] for name in _strategies},
    "errors": {
        name: one
        for name, one in list(globals().items())
        if isinstance(one, type) and issubclass(one, OpError)
    },
    "gfile": {**_files, **{new: _files[name] for new, name in _old.items()}, "MakeDirs": makedirs},
    "initializers": {name: getattr(initializers, own) for own, name in _camel.items()},
    "logging": {
        **{level: getattr(logging, level) for level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")},
        "WARNING": logging.WARNING, "debug": _logger.debug, "info": _logger.info,
        "warning": _logger.warning, "warn": _logger.warning, "error": _logger.error,
        "fatal": _logger.critical, "log": _logger.log, "set_verbosity": _logger.setLevel,
        "get_verbosity": _logger.getEffectiveLevel,
    },
    "test": {
        "gpu_device_name": str, "is_built_with_cuda": no, "is_built_with_gpu_support": no,
        "is_gpu_available": no,
    },
    "version": {
        "VERSION": TENSORFLOW_VERSION, "GIT_VERSION": "unknown", "COMPILER_VERSION": "unknown",
    },
}  # fmt: skip
