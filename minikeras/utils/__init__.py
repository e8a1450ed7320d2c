"""Utilities: one-hot labels, padding, downloads, data sets from folders, seeds, plots of models.

Each name is imported from the module that defines it when it is first used, since some of them
(`PyDataset`, `custom_object_scope`...) live with the training loop or with saving.
"""

from importlib import import_module
from typing import Any

from minikeras.engine.spelling import older_names

# Public name -> the module that defines it.
_NAMES = {
    "Config": "utils.numerical",
    "CustomObjectScope": "saving",
    "FeatureSpace": "utils.feature_space",
    "Progbar": "utils.progbar",
    "PyDataset": "utils.py_dataset",
    "Sequence": "utils.py_dataset",
    "array_to_img": "utils.image_utils",
    "audio_dataset_from_directory": "utils.image_utils",
    "clear_session": "backend",
    "custom_object_scope": "saving",
    "deserialize_keras_object": "saving",
    "disable_interactive_logging": "config",
    "enable_interactive_logging": "config",
    "get_custom_objects": "saving",
    "get_file": "utils.file_utils",
    "get_registered_name": "saving",
    "get_source_inputs": "utils.model_visualization",
    "get_registered_object": "saving",
    "image_dataset_from_directory": "utils.image_utils",
    "img_to_array": "utils.image_utils",
    "is_interactive_logging_enabled": "config",
    "is_keras_tensor": "backend",
    "load_img": "utils.image_utils",
    "model_to_dot": "utils.model_visualization",
    "normalize": "utils.numerical",
    "pack_x_y_sample_weight": "training.data",
    "pad_sequences": "utils.numerical",
    "plot_model": "utils.model_visualization",
    "register_keras_serializable": "saving",
    "save_img": "utils.image_utils",
    "serialize_keras_object": "saving",
    "set_random_seed": "utils.numerical",
    "split_dataset": "utils.py_dataset",
    "standardize_dtype": "backend",
    "text_dataset_from_directory": "utils.image_utils",
    "timeseries_dataset_from_array": "utils.py_dataset",
    "to_categorical": "utils.numerical",
    "unpack_x_y_sample_weight": "training.data",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    if name in ("bounding_boxes", "legacy"):
        return import_module(f"minikeras.utils.{name}")
    if name not in _NAMES:
        return older_names("utils")(name)
    value = getattr(import_module(f"minikeras.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
