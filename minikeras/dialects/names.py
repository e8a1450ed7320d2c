"""Names and import paths of Keras 1 and 2: where each is today."""

from __future__ import annotations

from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_OLD_LAYERS = (
    "Highway",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxoutDense",
    "ParametricSoftplus",
    "SReLU",
    "ThresholdedReLU",
)
# Module -> name in it -> where it is ("module:name").
NAMES: dict[str, dict[str, str]] = {
    "layers": {
        **{name: f"dialects.layers:{name}" for name in _OLD_LAYERS},
        "Merge": "dialects.merging:Merge",
        "AtrousConvolution1D": "layers:Conv1D",
        "AtrousConvolution2D": "layers:Conv2D",
        "Convolution2D": "dialects.merging:Convolution2D",
        "Convolution3D": "dialects.merging:Convolution3D",
        "CuDNNGRU": "layers:GRU",
        "CuDNNLSTM": "layers:LSTM",
        "Deconvolution2D": "layers:Conv2DTranspose",
        "Deconvolution3D": "layers:Conv3DTranspose",
        "TimeDistributedDense": "layers:Dense",
        "InputSpec": "layers:InputSpec",
    },
    "regularizers": {
        "activity_l1": "regularizers:l1",
        "activity_l2": "regularizers:l2",
        "activity_l1l2": "regularizers:l1_l2",
        "l1l2": "regularizers:l1_l2",
        "WeightRegularizer": "regularizers:L1L2",
        "ActivityRegularizer": "regularizers:L1L2",
    },
    "constraints": {
        "maxnorm": "constraints:MaxNorm",
        "max_norm": "constraints:MaxNorm",
        "nonneg": "constraints:NonNeg",
        "non_neg": "constraints:NonNeg",
        "unitnorm": "constraints:UnitNorm",
        "unit_norm": "constraints:UnitNorm",
        "min_max_norm": "constraints:MinMaxNorm",
    },
    "engine": {
        "Input": "layers:Input",
        "InputLayer": "layers:InputLayer",
        "InputSpec": "layers:InputSpec",
        "Layer": "layers:Layer",
        "Model": "models:Model",
        "Sequential": "models:Sequential",
    },
}
_TOPOLOGY = ("layers", "models", "engine")
# Module that is gone -> the modules that have its names.
PATHS: dict[str, tuple[str, ...]] = {
    "callbacks.callbacks": ("callbacks",),
    "engine.base_layer": _TOPOLOGY,
    "engine.functional": _TOPOLOGY,
    "engine.input_layer": _TOPOLOGY,
    "engine.network": _TOPOLOGY,
    "engine.sequential": _TOPOLOGY,
    "engine.topology": _TOPOLOGY,
    "engine.training": _TOPOLOGY,
    "layers.experimental": ("layers",),
    "layers.experimental.preprocessing": ("layers",),
    "layers.local": ("layers",),
    "objectives": ("losses",),
    "utils.data_utils": ("utils",),
    "utils.generic_utils": ("utils",),
    "utils.layer_utils": ("utils",),
    "utils.np_utils": ("utils",),
    "utils.vis_utils": ("utils",),
    "utils.visualize_util": ("utils",),
}


def find(module: str, name: str) -> Any:
    """What older versions of Keras had in a module under that name, or None."""
    if module.startswith("layers"):
        module = "layers"
    if module == "backend":
        return import_module("minikeras.dialects.backend").find(name)
    place = NAMES.get(module, {}).get(name)
    if place is None:
        return None
    home, _, today = place.partition(":")
    return getattr(import_module(f"minikeras.{home}"), today)


class OldModule(ModuleType):
    """A module of an older Keras: its names are looked up in the modules of today."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            for home in PATHS[self.__name__.partition(".")[2]]:
                module = import_module(f"minikeras.{home}")
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _Loader:
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = OldModule(spec.name, "A module of an older Keras.")
        names: set[str] = set()
        for home in PATHS[spec.name.partition(".")[2]]:
            found = import_module(f"minikeras.{home}")
            names.update(getattr(found, "__all__", ()))
            names.update(NAMES.get(home, ()))
        module.__dict__["__all__"] = sorted(names)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def find_spec(name: str) -> ModuleSpec | None:
    """The spec of a module of an older Keras, if `name` is one."""
    path = name.partition(".")[2]
    if path not in PATHS:
        return None
    package = any(other.startswith(path + ".") for other in PATHS)
    return ModuleSpec(name, _Loader(), is_package=package)  # type: ignore[arg-type]
