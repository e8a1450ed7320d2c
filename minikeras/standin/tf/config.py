"""`tf.config`: one CPU, no GPUs."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

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
__all__ = [
    name
    for name in globals()
    if name[0] != "_" and name not in ("annotations", "Any", "namedtuple")
]
