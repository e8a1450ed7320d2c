"""Networks for images, with weights trained on ImageNet (downloads) or random ones.

Each network is also in a module of its name, such as `applications.vgg16`, with the
`preprocess_input` and `decode_predictions` that belong to it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

# Module as Keras names it -> (where the networks are, their names, mode of preprocessing).
_FAMILIES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "vgg16": ("networks", ("VGG16",), "caffe"),
    "vgg19": ("networks", ("VGG19",), "caffe"),
    "resnet": ("networks", ("ResNet50", "ResNet101", "ResNet152"), "caffe"),
    "resnet50": ("networks", ("ResNet50",), "caffe"),
    "resnet_v2": ("networks", ("ResNet50V2", "ResNet101V2", "ResNet152V2"), "tf"),
    "mobilenet": ("building", ("MobileNet",), "tf"),
    "mobilenet_v2": ("building", ("MobileNetV2",), "tf"),
    "inception_v3": ("networks", ("InceptionV3",), "tf"),
    "xception": ("networks", ("Xception",), "tf"),
}
_NETWORKS = {name: home for home, names, _ in _FAMILIES.values() for name in names}

__all__ = [*sorted(_NETWORKS), *_FAMILIES, "imagenet_utils"]


def _family(name: str) -> ModuleType:
    from minikeras.applications.imagenet_utils import helpers

    home, networks, mode = _FAMILIES[name]
    source = import_module(f"{__name__}.{home}")
    module = ModuleType(f"{__name__}.{name}", source.__doc__)
    preprocess, decode = helpers(mode)
    vars(module).update(
        {network: getattr(source, network) for network in networks},
        preprocess_input=preprocess,
        decode_predictions=decode,
    )
    return module


class _Families:
    """Finds the modules of the networks' names, which are made when they are asked for."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        parent, _, last = name.rpartition(".")
        if parent != __name__ or last not in _FAMILIES:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, _Families())  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> ModuleType:
        return _family(spec.name.rpartition(".")[2])

    def exec_module(self, module: ModuleType) -> None: ...


sys.meta_path.insert(0, _Families)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name in _NETWORKS:
        return getattr(import_module(f"{__name__}.{_NETWORKS[name]}"), name)
    if name in _FAMILIES or name == "imagenet_utils":
        return import_module(f"{__name__}.{name}")
    from minikeras.dialects.names import find

    found = None if name.startswith("_") else find("applications", name)
    if found is None:
        raise AttributeError(
            f"module {__name__!r} has no network {name!r}. There are:"
            f" {', '.join(sorted(_NETWORKS))}"
        )
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
