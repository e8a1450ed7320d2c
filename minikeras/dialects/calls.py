"""Arguments of functions and methods, and attributes, as Keras 1 and 2 had them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from minikeras.dialects import warn_once
from minikeras.engine import tree
from minikeras.engine.context import state
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import plain

# Old name -> today's. One table for all: no old name has two meanings.
RENAMED: dict[str, str] = {
    "nb_epoch": "epochs",
    "nb_classes": "num_classes",
    "nb_words": "num_words",
    "nb_val_samples": "validation_steps",
    "samples_per_epoch": "steps_per_epoch",
    "val_samples": "steps",
    "max_q_size": "max_queue_size",
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "dim_ordering": "data_format",
    "text": "input_text",
}
_ORDERS = {"th": "channels_first", "tf": "channels_last", "default": None}
# Of one function or class alone: its name -> old name -> today's.
RENAMED_OF: dict[str, dict[str, str]] = {
    "L1": {"l": "l1"},
    "L2": {"l": "l2"},
    "MaxNorm": {"m": "max_value"},
    "to_categorical": {"y": "x"},
}
# Done to the result: name of the function -> old name of an argument -> method of the result.
FINISHED_BY: dict[str, dict[str, str]] = {"to_categorical": {"dtype": "astype"}}
# Said how to compute or what to print; results were the same without.
GONE = (
    "workers",
    "use_multiprocessing",
    "max_queue_size",
    "class_mode",
    "sample_weight_mode",
    "experimental_run_tf_function",
    "wait_time",
)
# Of one function or class alone: its name -> old name -> what to do instead where it is not in the
# state that makes no difference, which is None or False. None: any state is harmless.
GONE_OF: dict[str, dict[str, str | None]] = {
    "TensorBoard": {
        "batch_size": None,
        "embeddings_data": None,
        "embeddings_layer_names": None,
        "write_grads": None,
    },
    "ModelCheckpoint": {"load_weights_on_restart": "the callback `BackupAndRestore`"},
    "compile": {
        "target_tensors": "data: pass the targets to `fit`",
        "distribute": "one machine: leave it out",
        "cloning": None,
    },
    "train_on_batch": {"accuracy": "`compile(metrics=['accuracy'])`"},
    "test_on_batch": {"accuracy": "`compile(metrics=['accuracy'])`"},
}


def _home(function: Any) -> str:
    """The name of a function or method; of a constructor, that of its class."""
    owner, _, name = function.__qualname__.rpartition(".")
    return owner.rpartition(".")[2] if name == "__init__" else name


def translate(function: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict, Any]:
    """The arguments of a function or method, in today's spelling; and what to do with the result.

    The last is a function, or None.
    """
    name = _home(function)
    renamed = {**RENAMED, **RENAMED_OF.get(name, {})}
    gone = {**dict.fromkeys(GONE), **GONE_OF.get(name, {})}
    new, finish = {}, None
    for key, value in kwargs.items():
        method = FINISHED_BY.get(name, {}).get(key)
        if method is not None:
            warn_once(f"{name}({key}=...)", f"{name}().{method}({key})")
            finish = operator.methodcaller(method, value)
            continue
        special = _SPECIAL.get((name, key))
        if special is not None:
            # No object: the call is only read, not made.
            special(args[0] if args else None, value)
            continue
        target = renamed.get(key, key)
        if target != key:
            if target in kwargs:
                raise ValueError(f"{name}() received both `{target}` and `{key}`. Pass `{target}`.")
            warn_once(f"{name}({key}=...)", f"{name}({target}=...)")
        if target in gone:
            instead = gone[target]
            if instead is not None and value not in (None, False):
                raise ValueError(f"Argument `{key}` of `{name}` is gone. Use {instead}.")
            warn_once(f"{name}({key}=...)", f"{name}() without `{key}`")
            continue
        new[target] = _ORDERS.get(value, value) if key == "dim_ordering" else value
    return args, new, finish


def _save_every(callback: Any, period: Any) -> None:
    warn_once("ModelCheckpoint(period=...)", 'ModelCheckpoint(save_freq="epoch")')
    if callback is not None:
        callback.period = int(period)


def _show_accuracy(model: Any, shown: Any) -> None:
    """What Keras 0 asked for in `fit` is a metric to compile."""
    warn_once("fit(show_accuracy=True)", 'compile(metrics=["accuracy"])')
    if model is None or not shown:
        return
    if model.compiled and not {"acc", "accuracy"} & set(model.metrics_names):
        model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["accuracy"])


def _warm_up(optimizer: Any, schedule_decay: Any) -> None:
    """Nadam as Keras 1 and 2 computed it, whose momentum warms up so fast."""
    from minikeras.dialects.eras import Nadam

    warn_once("Nadam(schedule_decay=...)", "Nadam(), whose warm-up is fixed")
    if optimizer is None:
        return
    optimizer.__dict__["schedule_decay"] = float(schedule_decay)
    object.__setattr__(optimizer, "__class__", Nadam)


_SPECIAL: dict[tuple[str, str], Callable] = {
    ("ModelCheckpoint", "period"): _save_every,
    ("fit", "show_accuracy"): _show_accuracy,
    ("evaluate", "show_accuracy"): _show_accuracy,
    ("Nadam", "schedule_decay"): _warm_up,
}


# Methods of models that are gone


def fit_generator(
    model: Any,
    generator: Any,
    steps_per_epoch: int | None = None,
    epochs: int | None = None,
    verbose: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    validation_steps: int | None = None,
    validation_freq: Any = 1,
    class_weight: Any = None,
    shuffle: bool = True,
    initial_epoch: int = 0,
    samples_per_epoch: int | None = None,
    nb_epoch: int | None = None,
    nb_val_samples: int | None = None,
    **gone: Any,
) -> Any:
    """`fit` on a generator. The counts of samples of Keras 1 become counts of batches."""
    _check_gone("fit_generator", gone)
    warn_once("model.fit_generator(...)", "model.fit(...)")
    in_keras_1 = nb_epoch is not None or nb_val_samples is not None
    if in_keras_1 and samples_per_epoch is None:
        # By position it is the count of samples, in a call with other words of Keras 1.
        samples_per_epoch, steps_per_epoch = steps_per_epoch, None
    if samples_per_epoch is not None:
        steps_per_epoch, generator = _batches_in(generator, samples_per_epoch)
    if nb_val_samples is not None:
        if _is_stream(validation_data):
            validation_steps, validation_data = _batches_in(validation_data, nb_val_samples)
        else:
            validation_steps = None
    if steps_per_epoch is not None and hasattr(generator, "on_epoch_end"):
        generator = _endless(generator)
    return model.fit(
        generator,
        steps_per_epoch=steps_per_epoch,
        epochs=next((one for one in (epochs, nb_epoch) if one is not None), 1),
        verbose=verbose,
        callbacks=callbacks,
        validation_data=validation_data,
        validation_steps=validation_steps,
        validation_freq=validation_freq,
        class_weight=class_weight,
        shuffle=shuffle,
        initial_epoch=initial_epoch,
    )


def evaluate_generator(
    model: Any,
    generator: Any,
    steps: int | None = None,
    callbacks: Any = None,
    verbose: Any = 0,
    val_samples: int | None = None,
    **gone: Any,
) -> Any:
    """`evaluate` on a generator."""
    _check_gone("evaluate_generator", gone)
    warn_once("model.evaluate_generator(...)", "model.evaluate(...)")
    if val_samples is not None:
        steps, generator = _batches_in(generator, val_samples)
    return model.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_generator(
    model: Any,
    generator: Any,
    steps: int | None = None,
    callbacks: Any = None,
    verbose: Any = 0,
    val_samples: int | None = None,
    **gone: Any,
) -> Any:
    """`predict` on a generator."""
    _check_gone("predict_generator", gone)
    warn_once("model.predict_generator(...)", "model.predict(...)")
    if val_samples is not None:
        steps, generator = _batches_in(generator, val_samples)
    return model.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_classes(model: Any, x: Any, batch_size: int | None = 32, verbose: Any = 0) -> Any:
    """The likeliest class of each row; 0 or 1, in a column, where the output is one number."""
    warn_once("model.predict_classes(x)", "np.argmax(model.predict(x), axis=-1)")
    y = model.predict(x, batch_size=batch_size, verbose=verbose)
    return y.argmax(axis=-1) if y.shape[-1] > 1 else (y > 0.5).astype("int32")


def predict_proba(model: Any, x: Any, batch_size: int | None = 32, verbose: Any = 0) -> Any:
    """`predict` by another name."""
    warn_once("model.predict_proba(x)", "model.predict(x)")
    return model.predict(x, batch_size=batch_size, verbose=verbose)


def reset_states(model: Any) -> None:
    """Set the states of all stateful layers to zero."""
    warn_once("model.reset_states()", "layer.reset_state() of each stateful layer")
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()


def to_yaml(model: Any, **_: Any) -> None:
    """Not available: it was removed for its security holes.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "`to_yaml` was removed from Keras, since loading YAML could run code. Use `to_json`."
    )


METHODS: dict[str, Callable] = {
    one.__name__: one
    for one in (
        fit_generator,
        evaluate_generator,
        predict_generator,
        predict_classes,
        predict_proba,
        reset_states,
        to_yaml,
    )
}


def _check_gone(name: str, gone: dict) -> None:
    unknown = sorted(key for key in gone if RENAMED.get(key, key) not in GONE)
    if unknown:
        raise TypeError(f"{name}() got unexpected keyword arguments: {unknown}")


def _is_stream(data: Any) -> bool:
    return (
        hasattr(data, "__next__")
        or hasattr(data, "__getitem__")
        and not isinstance(data, (tuple, list, np.ndarray))
    )


def _endless(batches: Any) -> Any:
    """The batches of a `Sequence` again and again: an epoch of Keras 2 went on in the next pass."""
    while True:
        for index in range(len(batches)):
            yield batches[index]
        batches.on_epoch_end()


def _batches_in(generator: Any, samples: int) -> tuple[int, Any]:
    """How many batches hold so many samples, by the size of the first one; and all batches."""
    import itertools

    size = getattr(generator, "batch_size", None)
    if size is None:
        iterator = iter(generator)
        first = next(iterator)
        x = first[0]
        while isinstance(x, (list, tuple, dict)):
            x = next(iter(x.values())) if isinstance(x, dict) else x[0]
        size, generator = len(x), itertools.chain([first], iterator)
    return max(1, -(-int(samples) // int(size))), generator


# Old name -> today's, tried in order.
RENAMED_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "W": ("kernel", "embeddings"),
    "U": ("recurrent_kernel",),
    "b": ("bias",),
    "init": ("kernel_initializer", "embeddings_initializer"),
    "inner_init": ("recurrent_initializer",),
    "inner_activation": ("recurrent_activation",),
    "output_dim": ("units",),
    "nb_filter": ("filters",),
    "border_mode": ("padding",),
    "subsample": ("strides",),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer"),
    "U_regularizer": ("recurrent_regularizer",),
    "b_regularizer": ("bias_regularizer",),
    "W_constraint": ("kernel_constraint", "embeddings_constraint"),
    "b_constraint": ("bias_constraint",),
    "p": ("rate",),
    "sigma": ("stddev",),
    "inbound_nodes": ("_inbound_nodes",),
    "outbound_nodes": ("_outbound_nodes",),
    "batch_input_shape": ("_batch_input_shape",),
    "get_output_shape_for": ("compute_output_shape",),
    "reset_states": ("reset_state",),
}
# One size of a tuple.
_PARTS: dict[str, tuple[str, int]] = {
    "filter_length": ("kernel_size", 0),
    "nb_row": ("kernel_size", 0),
    "nb_col": ("kernel_size", 1),
    "subsample_length": ("strides", 0),
    "pool_length": ("pool_size", 0),
    "stride": ("strides", 0),
}
# Gone: name -> what to do instead.
GONE_ATTRIBUTES: dict[str, str] = {
    "get_output": "`layer.output` of a layer in a model; for values,"
    " `Model(model.inputs, layer.output).predict(x)`",
    "get_input": "`layer.input` of a layer in a model",
    "get_params": "`layer.trainable_weights`, and `layer.losses` for penalties",
    "constraints": "`variable.constraint` of each of `layer.trainable_weights`",
}


def _node(layer: Any, index: int, what: str) -> Any:
    nodes = layer._inbound_nodes
    if not nodes:
        raise AttributeError(
            f"The layer {layer.name!r} has never been called and thus has no defined {what}."
        )
    if not -len(nodes) <= index < len(nodes):
        raise ValueError(
            f"Asked to get {what} at node {index}, but the layer {layer.name!r} has only"
            f" {len(nodes)} inbound nodes."
        )
    return nodes[index]


def _inputs(layer: Any, index: int = 0) -> Any:
    node = _node(layer, index, "input")
    return node.outputs_structure if node.is_input else node.arguments_inputs


def _outputs(layer: Any, index: int = 0) -> Any:
    return _node(layer, index, "output").outputs_structure


def _shapes(structure: Any) -> Any:
    return tree.map_structure(lambda tensor: tuple(tensor.shape), structure)


def _masks(structure: Any) -> Any:
    return tree.map_structure(lambda tensor: tensor._keras_mask, structure)


def _one_shape(layer: Any, read: Callable, what: str) -> Any:
    nodes = range(len(layer._inbound_nodes)) or (0,)
    found = [_shapes(read(layer, index)) for index in nodes]
    if any(one != found[0] for one in found):
        raise AttributeError(
            f"The layer {layer.name!r} has several {what} shapes: {found}. Use"
            f" `get_{what}_shape_at(node_index)`."
        )
    return found[0]


_READ: dict[str, Callable] = {
    "input_shape": lambda layer: _one_shape(layer, _inputs, "input"),
    "output_shape": lambda layer: _one_shape(layer, _outputs, "output"),
    "input_mask": lambda layer: _masks(_inputs(layer)),
    "output_mask": lambda layer: _masks(_outputs(layer)),
    "get_input_at": lambda layer: lambda node_index: _inputs(layer, node_index),
    "get_output_at": lambda layer: lambda node_index: _outputs(layer, node_index),
    "get_input_shape_at": lambda layer: lambda node_index: _shapes(_inputs(layer, node_index)),
    "get_output_shape_at": lambda layer: lambda node_index: _shapes(_outputs(layer, node_index)),
    "get_input_mask_at": lambda layer: lambda node_index: _masks(_inputs(layer, node_index)),
    "get_output_mask_at": lambda layer: lambda node_index: _masks(_outputs(layer, node_index)),
    "dim_ordering": lambda layer: "th" if layer.data_format == "channels_first" else "tf",
    "updates": lambda layer: [],
    "get_updates_for": lambda layer: lambda inputs=None: [],
    "get_losses_for": lambda layer: lambda inputs=None: list(layer.losses),
    "add_update": lambda layer: _add_update,
    "add_metric": lambda layer: functools.partial(_add_metric, layer),
    "regularizers": lambda layer: [
        one.regularizer for one in layer.trainable_weights if one.regularizer is not None
    ],
    "uses_learning_phase": lambda layer: any(
        type(one).__name__ in _PHASED for one in layer._flatten_layers()
    ),
}
# Layers that compute otherwise in training.
_PHASED: frozenset = frozenset(
    "AlphaDropout BatchNormalization Dropout GaussianDropout GaussianNoise Keras1Embedding"
    " SpatialDropout1D SpatialDropout2D SpatialDropout3D".split()
)
NAMES = frozenset({*RENAMED_ATTRIBUTES, *_PARTS, *GONE_ATTRIBUTES, *_READ})


def _add_update(updates: Any, inputs: Any = None) -> None:
    """Nothing to do: a variable that was assigned in `call` has its value."""
    for one in updates if isinstance(updates, list) else [updates]:
        if isinstance(one, tuple) and len(one) == 2:
            one[0].assign(one[1])


def _add_metric(
    layer: Any, value: Any, name: str | None = None, aggregation: str | None = None
) -> None:
    """Report the mean of a value that `call` computes."""
    from minikeras.metrics import Mean

    found = {one.name: one for one in layer._metrics}
    metric = found.get(name)
    if metric is None:
        warn_once("layer.add_metric(value, name)", "a Mean() of the layer, and its update_state")
        metric = Mean(name=name)
        setattr(layer, f"_mean_of_{metric.name}", metric)
    if not (state.inferring or isinstance(value, KerasTensor)):
        metric.update_state(plain(value))


def find(layer: Any, name: str) -> Any:
    """The value of an attribute that a layer had in an older Keras.

    Raises:
        AttributeError: if it has nothing to answer with; says what to use today.
    """
    if name in GONE_ATTRIBUTES:
        raise AttributeError(f"`layer.{name}` is gone. Use {GONE_ATTRIBUTES[name]}.")
    missing = AttributeError(f"{type(layer).__name__!r} object has no attribute {name!r}")
    if name in _READ:
        try:
            return _READ[name](layer)
        except AttributeError as error:
            if name == "dim_ordering":
                raise missing from None
            raise error
    if name in _PARTS:
        today, index = _PARTS[name]
        sizes = getattr(layer, today, None)
        if not isinstance(sizes, (tuple, list)) or len(sizes) <= index:
            raise missing
        warn_once(f"layer.{name}", f"layer.{today}[{index}]")
        return sizes[index]
    for today in RENAMED_ATTRIBUTES[name]:
        # Weights of a recurrent layer are in its cell.
        for holder in (layer, layer.__dict__.get("cell")):
            if holder is None or not (today in holder.__dict__ or hasattr(type(holder), today)):
                continue
            if not today.startswith("_"):
                warn_once(f"layer.{name}", f"layer.{today}")
            return getattr(holder, today)
    if name in ("inbound_nodes", "outbound_nodes"):
        return getattr(layer, f"_{name}")
    raise missing


# Attributes of models


def _nothing() -> None:
    """Nothing is compiled."""


def _compiled_loss(
    model: Any, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = ()
) -> Any:
    """What `compile` was given as the loss, and penalties; the metric `loss` gets it too."""
    names = model.output_names if hasattr(model, "_graph_model") else None
    total = model._compile_loss(y, y_pred, sample_weight, names)
    for one in regularization_losses or ():
        total = total + one
    model._track_loss(total, y_pred)
    return total


_MODELS: dict[str, Callable] = {
    "model": lambda model: model,
    "flattened_layers": lambda model: [
        one for one in model._flatten_layers(include_self=False) if not hasattr(one, "fit")
    ],
    "state_updates": lambda model: [],
    "compiled_loss": lambda model: functools.partial(_compiled_loss, model),
    "compiled_metrics": lambda model: SimpleNamespace(
        update_state=functools.partial(model.compute_metrics, None)
    ),
    **{f"_make_{name}_function": lambda _: _nothing for name in ("train", "test", "predict")},
}
_GONE_OF_MODELS: dict[str, str] = {
    "total_loss": "`model.train_on_batch(x, y)`, which returns its value",
    "targets": "a loss function of your own, which receives them as `y_true`",
    "sample_weights": "a loss function or `fit(sample_weight=...)`",
    "container_nodes": "`model.operations`",
    "layers_by_depth": "`model.layers`, which are ordered so",
    "nodes_by_depth": "`model.operations`, which are ordered so",
}


def find_of_model(model: Any, name: str) -> Any:
    """The value of an attribute that a model had in an older Keras.

    Raises:
        AttributeError: for those that are gone; says what to use today.
    """
    if name in _GONE_OF_MODELS:
        raise AttributeError(f"`model.{name}` is gone. Use {_GONE_OF_MODELS[name]}.")
    today = {"compiled_loss": "model.compute_loss", "compiled_metrics": "model.compute_metrics"}
    warn_once(f"model.{name}", today.get(name, "model"))
    return _MODELS[name](model)


MODEL_NAMES = frozenset({*_MODELS, *_GONE_OF_MODELS})
