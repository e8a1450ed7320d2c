"""Small modules of `tf`: each has the names that its list says."""

from __future__ import annotations

import contextlib
import glob as _glob
import logging as _logging
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras import initializers as _own
from minikeras import ops as _ops
from minikeras.ops.base import array_of
from minikeras.standin.finder import TENSORFLOW_VERSION as VERSION  # noqa: F401

# `tf.test`: there is no GPU.
TEST = ["gpu_device_name", "is_built_with_cuda", "is_built_with_gpu_support", "is_gpu_available"]


def is_gpu_available(*_: Any, **__: Any) -> bool:
    """False."""
    return False


is_built_with_cuda = is_built_with_gpu_support = is_gpu_available


def gpu_device_name() -> str:
    """The empty string."""
    return ""


# `tf.autograph`: functions run as they are written.
AUTOGRAPH = ["do_not_convert", "set_loop_options", "set_verbosity"]


def do_not_convert(func: Any = None) -> Any:
    """`func` itself."""
    return (lambda one: one) if func is None else func


def set_loop_options(*_: Any, **__: Any) -> None:
    """Nothing."""


# `tf.compat`: text and bytes.
COMPAT = ["as_bytes", "as_str", "as_str_any", "as_text"]


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


as_str = as_text


def as_str_any(value: Any, encoding: str = "utf-8") -> str:
    """Anything as text."""
    return as_text(value, encoding) if isinstance(value, bytes) else str(value)


# `tf.logging` and `tf.compat.v1.logging`: Python's logging.
DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50
WARNING = WARN
_logger = _logging.getLogger("tensorflow")
debug, info, warning, error, fatal, log = (
    _logger.debug,
    _logger.info,
    _logger.warning,
    _logger.error,
    _logger.critical,
    _logger.log,
)
warn = warning


def set_verbosity(v: Any) -> None:
    """From which level on there are messages."""
    _logger.setLevel(v)


def get_verbosity() -> int:
    """From which level on there are messages."""
    return _logger.getEffectiveLevel()


LOGGING = (
    "DEBUG ERROR FATAL INFO WARN WARNING debug error fatal get_verbosity info log set_verbosity"
    " warn warning".split()
)

# `tf.errors`: for scripts that catch them. They are ValueErrors and the like.


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


ERRORS = [
    name
    for name, one in list(globals().items())
    if isinstance(one, type) and issubclass(one, OpError)
]

# TensorFlow's own names of initializers.
constant_initializer = _own.Constant
ones_initializer = _own.Ones
orthogonal_initializer = _own.Orthogonal
random_normal_initializer = _own.RandomNormal
random_uniform_initializer = _own.RandomUniform
truncated_normal_initializer = _own.TruncatedNormal
zeros_initializer = _own.Zeros
glorot_normal_initializer = _own.GlorotNormal
glorot_uniform_initializer = _own.GlorotUniform
variance_scaling_initializer = _own.VarianceScaling
__all__ = INITIALIZERS = [name for name in globals() if name.endswith("_initializer")]

# `tf.version`.
GIT_VERSION = COMPILER_VERSION = "unknown"
VERSIONS = ["COMPILER_VERSION", "GIT_VERSION", "VERSION"]


# `tf.io.gfile`: files, by the standard library.
def GFile(name: Any, mode: str = "r") -> Any:
    """An open file."""
    return open(name, mode, encoding=None if "b" in mode else "utf-8")


FastGFile = Open = GFile
exists, isdir, listdir, remove = os.path.exists, os.path.isdir, os.listdir, os.remove
rmtree, rename, mkdir, join = shutil.rmtree, os.replace, os.mkdir, os.path.join


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


Exists, IsDirectory, ListDirectory, Remove, MakeDirs = exists, isdir, listdir, remove, makedirs
walk, stat = os.walk, os.stat


GFILE = (
    "Exists FastGFile GFile IsDirectory ListDirectory MakeDirs Open Remove copy exists"
    " glob isdir join listdir makedirs mkdir remove rename rmtree stat walk".split()
)

# `tf.config`: one CPU, no GPUs.
PhysicalDevice = namedtuple("PhysicalDevice", "name device_type")
LogicalDevice = namedtuple("LogicalDevice", "name device_type")


def list_physical_devices(device_type: str | None = None) -> list:
    """The CPU; nothing for any other kind of device."""
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list:
    """The CPU; nothing for any other kind of device."""
    return [LogicalDevice("/device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


get_visible_devices = list_physical_devices
list_local_devices = list_logical_devices


def _nothing(*_: Any, **__: Any) -> None:
    """Nothing: it says how devices are used, and never changes results."""


set_memory_growth = set_visible_devices = set_virtual_device_configuration = _nothing
set_logical_device_configuration = set_soft_device_placement = _nothing
set_inter_op_parallelism_threads = set_intra_op_parallelism_threads = _nothing
set_jit = set_experimental_options = set_synchronous_execution = _nothing
# Everything is deterministic, and runs eagerly.
enable_op_determinism = run_functions_eagerly = experimental_run_functions_eagerly = _nothing
enable_tensor_float_32_execution = enable_mlir_bridge = _nothing


def functions_run_eagerly() -> bool:
    """True."""
    return True


def get_memory_growth(device: Any) -> bool:
    """False."""
    return False


class LogicalDeviceConfiguration:
    """Limits of a device: kept, and without effect."""

    def __init__(self, memory_limit: Any = None, **_: Any) -> None:
        self.memory_limit = memory_limit


VirtualDeviceConfiguration = LogicalDeviceConfiguration


CONFIG = (
    "LogicalDevice LogicalDeviceConfiguration PhysicalDevice VirtualDeviceConfiguration"
    " enable_mlir_bridge enable_op_determinism enable_tensor_float_32_execution"
    " experimental_run_functions_eagerly functions_run_eagerly get_memory_growth"
    " get_visible_devices list_local_devices list_logical_devices list_physical_devices"
    " run_functions_eagerly set_experimental_options set_inter_op_parallelism_threads"
    " set_intra_op_parallelism_threads set_jit set_logical_device_configuration"
    " set_memory_growth set_soft_device_placement set_synchronous_execution"
    " set_virtual_device_configuration set_visible_devices".split()
)

# `tf.distribute`: one replica.
ops: Any = _ops


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


DISTRIBUTE = "MirroredStrategy OneDeviceStrategy ReduceOp Strategy get_strategy".split()


# `tf.debugging`: checks.
def _check(holds: Any, what: str, message: Any) -> None:
    if not np.all(holds):
        raise InvalidArgumentError(f"{message or ''} Condition not met: {what}.".strip())


def assert_equal(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """All are equal."""
    _check(array_of(x) == array_of(y), "x == y", message)


def assert_less(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """All are less."""
    _check(array_of(x) < array_of(y), "x < y", message)


def assert_greater(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """All are greater."""
    _check(array_of(x) > array_of(y), "x > y", message)


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, message: Any = None, *_: Any, **__: Any
) -> None:
    """All are next to each other."""
    a, b = array_of(x), array_of(y)
    tolerance = 10 * np.finfo(np.result_type(a, b, np.float32)).eps
    rtol, atol = (tolerance if one is None else one for one in (rtol, atol))
    _check(np.abs(a - b) <= atol + rtol * np.abs(b), "x is near y", message)


def assert_positive(x: Any, message: Any = None, summarize: Any = None, name: Any = None) -> None:
    """All are above 0."""
    _check(array_of(x) > 0, "x > 0", message)


def assert_non_negative(
    x: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """None is below 0."""
    _check(array_of(x) >= 0, "x >= 0", message)


def assert_shapes(shapes: Any, *_: Any, **__: Any) -> None:
    """Each tensor has its shape; a name in a shape is one size everywhere."""
    known: dict[Any, int] = {}
    for tensor, shape in shapes.items() if isinstance(shapes, dict) else shapes:
        _check(len(tensor.shape) == len(shape), f"shape {tensor.shape} fits {shape}", None)
        for size, wanted in zip(tensor.shape, shape):
            wanted = known.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            _check(wanted in (None, size), f"shape {tensor.shape} fits {shape}", None)


def assert_rank(x: Any, rank: Any, message: Any = None, name: Any = None) -> None:
    """It has so many axes."""
    _check(len(x.shape) == int(rank), f"rank {len(x.shape)} == {rank}", message)


def check_numerics(tensor: Any, message: Any, name: Any = None) -> Any:
    """The tensor, if it is finite."""
    if not np.isfinite(array_of(tensor)).all():
        raise InvalidArgumentError(f"{message} : Tensor had NaN or Inf values.")
    return tensor


def set_log_device_placement(enabled: bool) -> None:
    """Nothing: there is one device."""


def disable_traceback_filtering() -> None:
    """Nothing: tracebacks are whole."""


enable_traceback_filtering = disable_traceback_filtering


DEBUGGING = (
    "assert_equal assert_greater assert_less assert_near assert_non_negative"
    " assert_positive assert_rank assert_shapes check_numerics disable_traceback_filtering"
    " enable_traceback_filtering set_log_device_placement".split()
)
