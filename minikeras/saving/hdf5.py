"""The HDF5 layout of Keras 1, 2 and 3: a whole model or its weights in one `.h5`."""

from __future__ import annotations

import json
import warnings
from itertools import zip_longest
from typing import Any

import numpy as np

from minikeras.engine import registry, serialization
from minikeras.saving import guard, legacy_weights
from minikeras.saving.legacy_weights import Origin, legacy_order

# What files say that they were written by: what is behind the plus sign stands for this package.
KERAS_VERSION = "3.15.1+minikeras"
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
    from minikeras.dialects import configs

    text = guard.text_attribute(file, "model_config")
    if text is None:
        if (
            "layer_names" in file.attrs
            or "layer_names0" in file.attrs
            or guard.has_name(file, "layers")
        ):
            raise ValueError(
                "The file holds weights only, no model. Build the model and call"
                " `model.load_weights(path)`."
            )
        raise ValueError("The HDF5 file holds no Keras model: it has no `model_config`.")
    config = guard.parse_json(text, "model configuration")
    version = guard.text_attribute(file, "keras_version")
    generation = configs.generation_of(version, config)
    model = model_from_config(config, generation, version)
    group = guard.group_at(file, "model_weights")
    pieces: list = []
    origin = Origin()
    if group is not None:
        pieces, origin = read_weights(group, model)
    if not compile:
        return model
    training_text = guard.text_attribute(file, "training_config")
    if training_text is None:
        warnings.warn(
            "No training configuration found in the save file, so the model was *not* compiled."
            " Compile it manually.",
            stacklevel=4,
        )
        return model
    training = guard.parse_json(training_text, "training configuration")
    if not isinstance(training, dict):
        raise ValueError(
            f"The training configuration must be a JSON object. Received: {training!r}"
        )
    backend = "theano" if origin.theano else None
    compile_model(model, training, generation, version, backend)
    legacy_weights.read(file, model, pieces, origin, version)
    return model


def model_from_config(config: Any, generation: int | None = None, version: Any = None) -> Any:
    """The model that a config of any generation describes.

    Args:
        config: dict with `class_name` and `config`.
        generation: 1, 2 or 3: which Keras wrote it. None: it is found out.
        version: The version of Keras that wrote it, where the config does not say so.
    """
    from minikeras.dialects import configs, eras

    if not isinstance(config, dict) or "class_name" not in config:
        raise ValueError(f"A model config must be a dict with a `class_name`. Received: {config!r}")
    version, backend = config.get("keras_version", version), config.get("backend")
    if generation is None:
        generation = configs.generation_of(version, config)
    config = configs.translate_model(dict(config), generation)
    name = config["class_name"]
    if name in ("Model", "Functional") and "module" not in config:
        config["class_name"] = "Functional"
    if generation < 3:
        configs.make_old_objects_known()
    model = serialization.deserialize(config, registry.models)
    from minikeras.models.model import Model

    if not isinstance(model, Model) and not getattr(model, "saved_alone", False):
        raise ValueError(f"The config describes no model but a {type(model).__name__}.")
    eras.settle(model, version, backend)
    return model


def compile_model(
    model: Any, training: dict, generation: int = 3, version: Any = None, backend: Any = None
) -> None:
    """Compile with the training configuration of an `.h5`."""
    from minikeras.dialects import configs, eras

    optimizer = training.get("optimizer_config")
    loss, metrics = training.get("loss"), training.get("metrics")
    weighted, weights = training.get("weighted_metrics"), training.get("loss_weights")
    if generation < 3:
        # Outputs by the names that the translated model has.
        loss, metrics, weighted, weights = (
            {configs.without_slashes(key): value for key, value in one.items()}
            if isinstance(one, dict)
            else one
            for one in (loss, metrics, weighted, weights)
        )
        if isinstance(loss, dict) and "class_name" not in loss:
            # Outputs without a loss need not be named.
            loss = {**dict.fromkeys(model.output_names), **loss}
        optimizer = configs.translate_optimizer(optimizer, version, backend)
        metrics, weighted = (
            eras.without_prefixes(one, model.output_names) for one in (metrics, weighted)
        )
        metrics = eras.binary_accuracies(metrics, loss, version)
        loss, metrics, weighted = (
            eras.today(configs.translate_loss(loss), version),
            eras.today(configs.translate_metrics(metrics), version),
            eras.today(configs.translate_metrics(weighted), version),
        )
    with warnings.catch_warnings():
        # `decay` of Keras 2 in a file is no spelling that its reader could change.
        warnings.simplefilter("ignore", DeprecationWarning)
        made = serialization.deserialize(optimizer, registry.optimizers)
    model.compile(
        optimizer=made,
        loss=_objective(loss, registry.losses),
        metrics=_objective(metrics, registry.metrics),
        weighted_metrics=_objective(weighted, registry.metrics),
        loss_weights=weights,
    )


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


def read_weights(
    group: Any, model: Any, skip_mismatch: bool = False, by_name: bool = False
) -> tuple[list, Origin]:
    """Take the weights of a model's layers from a group.

    Returns:
        Tuple (list of (variables, their names in the file, conversion), what wrote the file).

    Raises:
        ValueError: where layers, weights or shapes do not fit; nothing is changed then.
    """
    from minikeras.dialects.configs import without_slashes

    stored = []
    for name in guard.names(group, "layer_names"):
        layer_group = guard.group_at(group, name)
        if layer_group is None:
            raise ValueError(f"The file lists a layer {name!r} but has no group for it.")
        stored.append((name, layer_group, guard.names(layer_group, "weight_names")))
    origin = _origin(group, [name for _, _, names in stored for name in names])
    if not model.built:
        if stored and not any(names for *_, names in stored):
            return [], origin
        _build_to_fit(model, stored)
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built yet, so it has no weights to load into. Call it on"
            " data or `build(input_shape)` first."
        )
    held: list = []
    if by_name:
        index = {layer.name: layer for layer in model.layers}
        today = [(one if one in index else without_slashes(one)) for one, _, _ in stored]
        matched = [(index[n], g, w, name) for n, (name, g, w) in zip(today, stored) if n in index]
    else:
        named = {layer.name: layer for layer in model.layers}
        held = [one for one in stored if one[2] and _holds_state(named.get(one[0]))]
        filled = [one for one in stored if one[2] and one not in held]
        targets = [layer for layer in model.layers if layer.weights]
        if origin.generation == 1 and {one[0] for one in filled} == {one.name for one in targets}:
            # A `Merge` of models was laid out branch by branch.
            targets = [named[one[0]] for one in filled]
        if len(filled) != len(targets):
            raise ValueError(
                "Layer count mismatch when loading weights from file. Model expected"
                f" {len(targets)}"
                f" layers, found {len(filled)} saved layers.\n{_side_by_side(targets, filled)}"
            )
        matched = [(layer, g, w, name) for layer, (name, g, w) in zip(targets, filled)]
    values: list[tuple[Any, np.ndarray]] = []
    pieces: list = []
    for layer, layer_group, weight_names, name in matched:
        values += _layer_values(
            layer, layer_group, weight_names, name, origin, skip_mismatch, pieces
        )
    top = guard.group_at(group, "top_level_model_weights")
    if top is not None and not by_name:
        weight_names = guard.names(top, "weight_names")
        own = _top_level(model)
        if weight_names:
            if len(weight_names) != len(own):
                raise ValueError(
                    f"Weight count mismatch for the top-level model: it has {len(own)}, the file"
                    f" {len(weight_names)}."
                )
            for variable, weight_name in zip(own, weight_names):
                dataset = guard.dataset_at(top, weight_name)
                if dataset is None:
                    raise ValueError(f"The file lists a weight {weight_name!r} but lacks it.")
                values.append((variable, guard.read_array(dataset, variable.shape)))
    state = [
        (named[name], [guard.read_array(guard.dataset_at(held_group, one)) for one in weight_names])
        for name, held_group, weight_names in held
    ]
    for variable, value in values:
        variable.take(value)
    for layer, arrays in state:
        layer.load_legacy_state(arrays)
    if origin.theano:
        from minikeras.dialects import eras

        # The names of weights are all that says so in a file of Keras 1.
        eras.settle_theano(model)
    return pieces, origin


def _holds_state(layer: Any) -> bool:
    """Whether a layer without weights takes the weights that it had in Keras 2."""
    return hasattr(type(layer), "load_legacy_state") and not layer.weights


def _build_to_fit(model: Any, stored: list) -> None:
    """Build a Sequential model that does not know its input, from the first kernel in the file."""
    filled = [one for one in stored if one[2]]
    layers = getattr(model, "layers", [])
    if not filled or not layers or not hasattr(model, "_stack"):
        return
    dataset = guard.dataset_at(filled[0][1], filled[0][2][0])
    if type(layers[0]).__name__ == "Dense" and dataset is not None and len(dataset.shape) == 2:
        model.build((None, dataset.shape[0]))


def _origin(group: Any, names: list[str]) -> Origin:
    version = guard.text_attribute(group, "keras_version")
    backend = guard.text_attribute(group, "backend")
    if version is None:
        version = guard.text_attribute(group.file, "keras_version")
        backend = backend or guard.text_attribute(group.file, "backend")
    return legacy_weights.origin_of(version, backend, names)


def _layer_values(
    layer: Any,
    group: Any,
    weight_names: list,
    name: str,
    origin: Origin,
    skip_mismatch: bool,
    pieces: list,
) -> list[tuple[Any, np.ndarray]]:
    """Pairs (variable, value) for one layer of the model."""
    datasets = []
    for weight_name in weight_names:
        dataset = guard.dataset_at(group, weight_name)
        if dataset is None:
            raise ValueError(f"The file lists a weight {weight_name!r} of {name!r} but lacks it.")
        datasets.append(dataset)
    shapes = [tuple(dataset.shape) for dataset in datasets]
    found = legacy_weights.pieces(layer, shapes, weight_names, origin)
    if found is None:
        own = legacy_order(layer)
        message = (
            f"Weight count mismatch for layer {layer.name!r} (named {name!r} in the file). The"
            " layer"
            f" expects {len(own)} weight(s), {[v.name for v in own]}; the file has"
            f" {len(weight_names)}: {weight_names}"
        )
        if skip_mismatch:
            warnings.warn(message, stacklevel=5)
            return []
        raise ValueError(message)
    values = []
    for piece in found:
        own_sets = [datasets[position] for position in piece.positions]
        own_names = [weight_names[position] for position in piece.positions]
        problem = _misfit(piece, own_sets)
        if problem is None:
            arrays = [guard.read_array(one, one.shape) for one in own_sets]
            if piece.convert is not None:
                arrays = piece.convert(arrays)
                problem = _misfit_arrays(piece, arrays)
        if problem is not None:
            if not skip_mismatch:
                raise ValueError(problem)
            warnings.warn(problem, stacklevel=5)
            continue
        values += list(zip(piece.variables, arrays))
        pieces.append((piece.variables, own_names, piece.convert))
    return values


def _misfit(piece: Any, datasets: list) -> str | None:
    """What is wrong with the arrays of a file, judged before they are read."""
    if piece.convert is None:
        return _misfit_arrays(piece, datasets)
    have = sum(int(np.prod(one.shape, dtype=object)) for one in datasets)
    want = sum(int(np.prod(variable.shape)) for variable in piece.variables)
    # A second bias (of CuDNN) is all that conversions take away.
    if not want <= have <= 2 * want:
        return (
            f"Size mismatch in layer {piece.layer.name!r}: its weights hold {want:,} values, the"
            " file"
            f" has {have:,}."
        )
    return None


def _misfit_arrays(piece: Any, arrays: list) -> str | None:
    for variable, array in zip(piece.variables, arrays):
        if tuple(array.shape) != variable.shape:
            return (
                f"Shape mismatch in layer {piece.layer.name!r} for weight {variable.path!r}. The"
                f" weight has shape {variable.shape}, the file has {tuple(array.shape)}"
            )
    return None


def _side_by_side(layers: list, stored: list) -> str:
    left = [f"{one.name} ({len(one.weights)})" for one in layers]
    right = [f"{one[0]} ({len(one[2])})" for one in stored]
    rows = list(zip_longest(["model", *left], ["file", *right], fillvalue="-"))[:31]
    return "\n".join(one.ljust(40) + other for one, other in rows)
