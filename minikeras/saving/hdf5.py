"""The HDF5 layout of Keras 1, 2 and 3: a whole model or its weights in one `.h5`."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from minikeras.engine import registry, serialization
from minikeras.saving import guard

KERAS_VERSION = "3.15.1"
_ATTRIBUTE_LIMIT = 64512
# Keras opens these in an `.h5` only under their long names.
_LONG_NAMES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "cosine": "cosine_similarity",
}


def write_model(file: Any, model: Any, include_optimizer: bool = True) -> None:
    """Write a whole model into an open HDF5 file."""
    file.attrs["keras_version"] = KERAS_VERSION
    file.attrs["backend"] = "tensorflow"
    config = {"class_name": type(model).__name__, "config": model.get_config()}
    file.attrs["model_config"] = _dumps(config)
    optimizer = model.optimizer
    if optimizer is not None and include_optimizer and model.compiled:
        arguments = model.get_compile_config() or {}
        arguments.pop("optimizer", None)
        for key in ("loss", "metrics", "weighted_metrics"):
            arguments[key] = _long_names(arguments.get(key))
        arguments["optimizer_config"] = {
            "class_name": registry.get_registered_name(type(optimizer)),
            "config": serialization.serialize(optimizer.get_config()),
        }
        file.attrs["training_config"] = _dumps(arguments)
    write_weights(file.create_group("model_weights"), model)
    if optimizer is not None and include_optimizer and optimizer.built:
        group = file.create_group("optimizer_weights")
        _write_variables(group, optimizer.variables)


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_json_value)


def _json_value(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return serialization.serialize(value)


def _long_names(value: Any) -> Any:
    if isinstance(value, str):
        return _LONG_NAMES.get(value.lower(), value)
    if isinstance(value, (list, tuple)):
        return [_long_names(item) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _long_names(item) for key, item in value.items()}
    return value


def write_weights(group: Any, model: Any) -> None:
    """Write the weights of a model's layers into a group."""
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["backend"] = "tensorflow"
    group.attrs["keras_version"] = KERAS_VERSION
    for layer in model.layers:
        _write_variables(group.create_group(layer.name), legacy_order(layer))
    _write_variables(group.create_group("top_level_model_weights"), _top_level(model))


def legacy_order(layer: Any) -> list:
    """The weights, trainable ones first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _top_level(model: Any) -> list:
    return [*model._trainable_variables, *model._non_trainable_variables]


def _write_variables(group: Any, variables: list) -> None:
    paths = []
    for variable in variables:
        path = variable.path
        if path in paths:
            count = 1
            while f"{path}_{count}" in paths:
                count += 1
            path = f"{path}_{count}"
        paths.append(path)
    _write_names(group, "weight_names", paths)
    for path, variable in zip(paths, variables):
        group.create_dataset(path, data=variable.array)


def _write_names(group: Any, attribute: str, values: list[str]) -> None:
    """Names as an attribute, in numbered chunks where HDF5's limit asks for it."""
    encoded = [value.encode("utf-8") for value in values]
    if not encoded:
        group.attrs[attribute] = np.zeros((0,), dtype="float64")
        return
    chunks = 1
    while any(
        part.nbytes > _ATTRIBUTE_LIMIT for part in np.array_split(np.asarray(encoded), chunks)
    ):
        chunks += 1
    if chunks == 1:
        group.attrs[attribute] = encoded
    else:
        for index, part in enumerate(np.array_split(np.asarray(encoded), chunks)):
            group.attrs[f"{attribute}{index}"] = part


def read_model(file: Any, compile: bool = True) -> Any:
    """The model in an open HDF5 file.

    Raises:
        ValueError: if the file holds no architecture.
    """
    text = guard.text_attribute(file, "model_config")
    if text is None:
        if "layer_names" in file.attrs or "layer_names0" in file.attrs or "layers" in file:
            raise ValueError(
                "The file holds weights only, no model. Build the model and call"
                " `model.load_weights(path)`."
            )
        raise ValueError("The HDF5 file holds no Keras model: it has no `model_config`.")
    config = guard.parse_json(text, "model configuration")
    model = model_from_config(config)
    group = guard.group_at(file, "model_weights")
    if group is not None:
        read_weights(group, model)
    if compile:
        training = guard.text_attribute(file, "training_config")
        if training is None:
            warnings.warn(
                "No training configuration found in the save file, so the model was *not* compiled."
                " Compile it manually.",
                stacklevel=4,
            )
            return model
        compile_model(model, guard.parse_json(training, "training configuration"))
        _read_optimizer(file, model)
    return model


def model_from_config(config: Any) -> Any:
    """The model that a config of any generation describes."""
    if not isinstance(config, dict) or "class_name" not in config:
        raise ValueError(f"A model config must be a dict with a `class_name`. Received: {config!r}")
    config = dict(config)
    name = config["class_name"]
    if name in ("Model", "Functional") and "module" not in config:
        config["class_name"] = "Functional"
    model = serialization.deserialize(config, registry.models)
    from minikeras.models.model import Model

    if not isinstance(model, Model):
        raise ValueError(f"The config describes no model but a {type(model).__name__}.")
    return model


def compile_model(model: Any, training: dict) -> None:
    """Compile with the training configuration of an `.h5`."""
    optimizer = training.get("optimizer_config")
    arguments = {
        "optimizer": serialization.deserialize(optimizer, registry.optimizers),
        "loss": _objective(training.get("loss"), registry.losses),
        "metrics": _objective(training.get("metrics"), registry.metrics),
        "weighted_metrics": _objective(training.get("weighted_metrics"), registry.metrics),
        "loss_weights": training.get("loss_weights"),
    }
    model.compile(**arguments)


def _objective(value: Any, home: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_objective(item, home) for item in value]
    if isinstance(value, dict):
        if "class_name" in value:
            return serialization.deserialize(value, home)
        return {key: _objective(item, home) for key, item in value.items()}
    return value


def read_weights(group: Any, model: Any, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Take the weights of a model's layers from a group.

    Raises:
        ValueError: where layers, weights or shapes do not fit; nothing is changed then.
    """
    stored = []
    for name in guard.names(group, "layer_names"):
        layer_group = guard.group_at(group, name)
        if layer_group is None:
            raise ValueError(f"The file lists a layer {name!r} but has no group for it.")
        stored.append((name, layer_group, guard.names(layer_group, "weight_names")))
    pairs: list[tuple[Any, Any, str]] = []
    if by_name:
        index = {layer.name: layer for layer in model.layers}
        matched = [(index[name], g, w, name) for name, g, w in stored if name in index]
    else:
        filled = [one for one in stored if one[2]]
        targets = [layer for layer in model.layers if layer.weights]
        if len(filled) != len(targets):
            raise ValueError(
                f"Layer count mismatch when loading weights from file. Model expected {len(targets)}"
                f" layers, found {len(filled)} saved layers.\n{_side_by_side(targets, filled)}"
            )
        matched = [(layer, g, w, name) for layer, (name, g, w) in zip(targets, filled)]
    for layer, layer_group, weight_names, name in matched:
        pairs += _pairs(layer, legacy_order(layer), layer_group, weight_names, name, skip_mismatch)
    top = guard.group_at(group, "top_level_model_weights")
    if top is not None and not by_name:
        weight_names = guard.names(top, "weight_names")
        if weight_names:
            pairs += _pairs(
                model, _top_level(model), top, weight_names, "top-level model", skip_mismatch
            )
    values = [(variable, guard.read_array(dataset, variable.shape)) for variable, dataset, _ in pairs]
    for variable, value in values:
        variable.assign(value)


def _pairs(
    layer: Any, variables: list, group: Any, weight_names: list, name: str, skip_mismatch: bool
) -> list:
    if len(weight_names) != len(variables):
        message = (
            f"Weight count mismatch for layer {layer.name!r} (named {name!r} in the file). The layer"
            f" expects {len(variables)} weight(s), {[v.name for v in variables]}; the file has"
            f" {len(weight_names)}: {weight_names}"
        )
        if skip_mismatch:
            warnings.warn(message, stacklevel=6)
            return []
        raise ValueError(message)
    found = []
    for variable, weight_name in zip(variables, weight_names):
        dataset = guard.dataset_at(group, weight_name)
        if dataset is None:
            raise ValueError(f"The file lists a weight {weight_name!r} of {name!r} but lacks it.")
        if tuple(dataset.shape) != variable.shape:
            message = (
                f"Shape mismatch in layer {layer.name!r} for weight {variable.path!r}. The weight has"
                f" shape {variable.shape}, the file has {tuple(dataset.shape)}"
            )
            if skip_mismatch:
                warnings.warn(message, stacklevel=6)
                continue
            raise ValueError(message)
        found.append((variable, dataset, weight_name))
    return found


def _side_by_side(layers: list, stored: list) -> str:
    rows = ["model".ljust(40) + "file"]
    for index in range(min(max(len(layers), len(stored)), 30)):
        left = f"{layers[index].name} ({len(layers[index].weights)})" if index < len(layers) else "-"
        right = f"{stored[index][0]} ({len(stored[index][2])})" if index < len(stored) else "-"
        rows.append(left.ljust(40) + right)
    return "\n".join(rows)


def _read_optimizer(file: Any, model: Any) -> None:
    group = guard.group_at(file, "optimizer_weights")
    optimizer = model.optimizer
    if group is None or optimizer is None or not model.built:
        return
    optimizer.build(model.trainable_variables)
    weight_names = guard.names(group, "weight_names")
    datasets = [guard.dataset_at(group, name) for name in weight_names]
    variables = list(optimizer.variables)
    shapes = [None if one is None else tuple(one.shape) for one in datasets]
    if shapes != [variable.shape for variable in variables]:
        warnings.warn(
            "The optimizer state in the file does not fit the optimizer, so training starts with a"
            f" fresh state. The optimizer has {len(variables)} variables, the file {len(datasets)}.",
            stacklevel=5,
        )
        return
    for variable, dataset in zip(variables, datasets):
        variable.assign(guard.read_array(dataset, variable.shape))
