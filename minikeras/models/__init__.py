"""`keras.models`: sequential, functional and subclassed models."""

from minikeras.engine.spelling import older_names
from minikeras.models.functional import Function, Functional
from minikeras.models.model import Model, model_from_json
from minikeras.models.sequential import Sequential
from minikeras.models.summary import clone_model


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Open a model file of any Keras generation; see `minikeras.saving.load_model`."""
    from minikeras.saving import load_model as load

    return load(filepath, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode)


def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Write a model to a file; see `minikeras.saving.save_model`."""
    from minikeras.saving import save_model as save

    return save(model, filepath, overwrite=overwrite, zipped=zipped, **kwargs)


__all__ = [
    "Function",
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]


__getattr__ = older_names("models")
