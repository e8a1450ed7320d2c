"""Names and import paths of Keras 1 and 2: where each is today."""

from __future__ import annotations

from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from minikeras.dialects import warn_once

_OLD_LAYERS = (
    "Highway",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxoutDense",
    "ParametricSoftplus",
    "RandomFourierFeatures",
    "RandomHeight",
    "RandomWidth",
    "SReLU",
    "ThresholdedReLU",
)
_OLD_ORDER = (
    "AtrousConvolution1D",
    "AtrousConvolution2D",
    "Convolution2D",
    "Convolution3D",
    "Deconvolution2D",
    "Merge",
    "SeparableConvolution2D",
)
# Module -> name in it -> where it is ("module:name").
NAMES: dict[str, dict[str, str]] = {
    "layers": {
        **{name: f"dialects.layers:{name}" for name in _OLD_LAYERS},
        **{name: f"dialects.constructors:{name}" for name in _OLD_ORDER},
        "CuDNNGRU": "layers:GRU",
        "CuDNNLSTM": "layers:LSTM",
        "Deconvolution3D": "layers:Conv3DTranspose",
        "InputSpec": "layers:InputSpec",
        "TimeDistributedDense": "layers:Dense",
    },
    "models": {
        "Input": "layers:Input",
        "model_from_config": "layers:deserialize",
    },
    "regularizers": {
        "ActivityRegularizer": "regularizers:L1L2",
        "WeightRegularizer": "regularizers:L1L2",
        "activity_l1": "regularizers:l1",
        "activity_l1l2": "regularizers:l1_l2",
        "activity_l2": "regularizers:l2",
        "l1l2": "regularizers:l1_l2",
    },
    "constraints": {
        "max_norm": "constraints:MaxNorm",
        "maxnorm": "constraints:MaxNorm",
        "min_max_norm": "constraints:MinMaxNorm",
        "non_neg": "constraints:NonNeg",
        "nonneg": "constraints:NonNeg",
        "unit_norm": "constraints:UnitNorm",
        "unitnorm": "constraints:UnitNorm",
    },
    "initializers": {
        "normal": "initializers:RandomNormal",
        "one": "initializers:Ones",
        "uniform": "initializers:RandomUniform",
        "zero": "initializers:Zeros",
    },
    "initializations": {
        name: f"dialects.generations:{name}"
        for name in (
            "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
            "lecun_uniform", "normal", "one", "orthogonal", "uniform", "zero",
        )
    },
    "losses": {
        "cosine": "losses:cosine_similarity",
        "cosine_proximity": "losses:cosine_similarity",
    },
    "metrics": {
        "cosine": "losses:cosine_similarity",
        "cosine_proximity": "losses:cosine_similarity",
        "mae": "losses:mean_absolute_error",
        "mape": "losses:mean_absolute_percentage_error",
        "mse": "losses:mean_squared_error",
        "msle": "losses:mean_squared_logarithmic_error",
        "fbeta_score": "dialects.eras:fbeta_score",
        "fmeasure": "dialects.eras:fmeasure",
        "matthews_correlation": "dialects.eras:matthews_correlation",
        "precision": "dialects.eras:precision",
        "recall": "dialects.eras:recall",
    },
    "optimizers": {
        "adadelta": "optimizers:Adadelta",
        "nadam": "optimizers:Nadam",
    },
    "utils": {
        "categorical_probas_to_classes": "dialects.generations:categorical_probas_to_classes",
        "conv_output_length": "dialects.generations:conv_output_length",
        "convert_all_kernels_in_model": "dialects.generations:convert_all_kernels_in_model",
        "HDF5Matrix": "dialects.generations:HDF5Matrix",
        "convert_kernel": "dialects.generations:convert_kernel",
        "multi_gpu_model": "dialects.generations:multi_gpu_model",
        "get_from_module": "dialects.generations:get_from_module",
        "layer_from_config": "layers:deserialize",
        "plot": "utils:plot_model",
        "print_summary": "dialects.generations:print_summary",
        "probas_to_classes": "dialects.generations:probas_to_classes",
    },
    "engine": {
        "Input": "layers:Input",
        "InputLayer": "layers:InputLayer",
        "InputSpec": "layers:InputSpec",
        "KerasTensor": "engine.symbolic:KerasTensor",
        "Layer": "layers:Layer",
        "Merge": "dialects.constructors:Merge",
        "Model": "models:Model",
        "Node": "engine.recording:Node",
        "Sequential": "models:Sequential",
        "get_source_inputs": "dialects.generations:get_source_inputs",
        "merge": "dialects.constructors:merge",
    },
}  # fmt: skip
NAMES["utils"]["get_source_inputs"] = NAMES["engine"]["get_source_inputs"]
NAMES["legacy"] = {"MaxoutDense": NAMES["layers"]["MaxoutDense"]}

_PRETRAINED = (
    "one of the networks that are there: VGG, ResNet, MobileNet, InceptionV3, Xception (see"
    " `applications`), or layers of your own"
)
_GRAPH = "a functional model: `Model(inputs, outputs)`"
# Module -> name in it that is gone -> what to use instead. Importing it works; using it says so.
GONE: dict[str, dict[str, str]] = {
    "models": {
        "Container": _GRAPH,
        "Graph": _GRAPH,
        "model_from_yaml": "`model_from_json`: YAML was removed, since loading it could run code",
    },
    "layers": {
        "AutoEncoder": "two models that share layers: `encoder = Model(inputs, code)`",
        "ConvRecurrent2D": "`layers.ConvLSTM2D`",
        "DenseFeatures": "preprocessing layers, such as `layers.StringLookup` and `layers.Dense`",
        "LambdaMerge": "`layers.Lambda(function)(list of tensors)`",
        "Recurrent": "`layers.RNN(cell)`, with a cell of your own",
    },
    "engine": {"Container": _GRAPH, "Network": _GRAPH},
    "callbacks": {
        "BaseLogger": "nothing: logs are averages over the epoch by themselves",
    },
    "regularizers": {
        "EigenvalueRegularizer": "`regularizers.OrthogonalRegularizer`, or a function of your own"
    },
    "optimizers": {"TFOptimizer": "an optimizer of `minikeras.optimizers`"},
    "utils": {
        "GeneratorEnqueuer": "`utils.PyDataset`, which loads in the background itself",
        "OrderedEnqueuer": "`utils.PyDataset`, which loads in the background itself",
    },
    "preprocessing": {},
    "applications": dict.fromkeys(
        (
            "ConvNeXtBase", "ConvNeXtSmall", "ConvNeXtTiny", "DenseNet121", "DenseNet169",
            "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3",
            "EfficientNetB4", "EfficientNetB5", "EfficientNetB6", "EfficientNetB7",
            "EfficientNetV2B0", "EfficientNetV2S", "InceptionResNetV2", "MobileNetV3Large",
            "MobileNetV3Small", "NASNetLarge", "NASNetMobile",
        ),
        _PRETRAINED,
    ),
}  # fmt: skip
_TOPOLOGY = ("layers", "models", "engine")
# Module that is gone -> the modules that have its names.
PATHS: dict[str, tuple[str, ...]] = {
    **{
        f"applications.{name}": ("applications",)
        for name in (
            "convnext", "densenet", "efficientnet", "efficientnet_v2", "inception_resnet_v2",
            "mobilenet_v3", "nasnet",
        )
    },
    "backend.common": ("backend",),
    "backend.tensorflow_backend": ("backend",),
    "backend.theano_backend": ("backend",),
    "callbacks.callbacks": ("callbacks",),
    "callbacks.tensorboard_v1": ("callbacks",),
    "datasets.data_utils": ("utils",),
    "engine.base_layer": _TOPOLOGY,
    "engine.functional": _TOPOLOGY,
    "engine.input_layer": _TOPOLOGY,
    "engine.keras_tensor": ("engine",),
    "engine.network": _TOPOLOGY,
    "engine.sequential": _TOPOLOGY,
    "engine.topology": _TOPOLOGY,
    "engine.training": _TOPOLOGY,
    "initializations": (),
    "layers.containers": ("models",),
    "layers.experimental": ("layers",),
    "layers.experimental.preprocessing": ("layers",),
    "layers.local": ("layers",),
    "legacy": (),
    "legacy.layers": ("layers",),
    "legacy.models": ("models",),
    "objectives": ("losses",),
    "optimizers.experimental": ("optimizers",),
    "utils.conv_utils": ("utils",),
    "utils.data_utils": ("utils",),
    "utils.generic_utils": ("utils",),
    "utils.layer_utils": ("utils",),
    "utils.multi_gpu_utils": ("utils",),
    "utils.np_utils": ("utils",),
    "utils.vis_utils": ("utils",),
    "utils.visualize_util": ("utils",),
}  # fmt: skip

_BETTER_METRICS = (
    "metrics.F1Score, metrics.Precision or metrics.Recall: averages over batches are not the values"
    " of the whole"
)


def find(module: str, name: str) -> Any:
    """What older versions of Keras had in a module under that name, or None."""
    if module.startswith("layers"):
        module = "layers"
    if module == "backend":
        return import_module("minikeras.dialects.backend").find(name)
    place = NAMES.get(module, {}).get(name)
    if place is None:
        instead = GONE.get(module, {}).get(name)
        return None if instead is None else gone(f"{module}.{name}", instead)
    home, _, today = place.partition(":")
    if home == "dialects.eras":
        warn_once(f"metrics.{name}", _BETTER_METRICS)
    elif name not in today and (today not in _OLD_ORDER):
        warn_once(f"{module}.{name}", f"{home}.{today}")
    return getattr(import_module(f"minikeras.{home}"), today)


def gone(name: str, instead: str) -> Any:
    """A class in the place of what is not here. It can be imported; using it is an error."""

    def use(*_: Any, **__: Any) -> None:
        raise NotImplementedError(f"`{name}` is not here. Use {instead}.")

    body = {
        "__new__": use,
        "__doc__": f"Not here. Use {instead}.",
        "__module__": f"minikeras.{name}",
    }
    return type(name.rpartition(".")[2], (), body)


class OldModule(ModuleType):
    """A module of an older Keras: its names are looked up in the modules of today."""

    def __getattr__(self, name: str) -> Any:
        path = self.__name__.partition(".")[2]
        if not name.startswith("__"):
            found = find(path, name)
            if found is not None:
                return found
            for home in PATHS[path]:
                module = import_module(f"minikeras.{home}")
                if hasattr(module, name):
                    return getattr(module, name)
            if f"{path}.{name}" in PATHS:
                return import_module(f"{self.__name__}.{name}")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _Loader:
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = OldModule(spec.name, "A module of an older Keras.")
        path = spec.name.partition(".")[2]
        names: set[str] = {*NAMES.get(path, ()), *GONE.get(path, ())}
        for home in PATHS[path]:
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
    homes = PATHS[path]
    if homes:
        warn_once(path, homes[0])
    package = any(other.startswith(path + ".") for other in PATHS)
    return ModuleSpec(name, _Loader(), is_package=package)  # type: ignore[arg-type]
