"""Attributes that layers and tensors had in Keras 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minikeras.dialects import warn_once
from minikeras.engine import tree

# Old name -> today's, tried in order.
RENAMED: dict[str, tuple[str, ...]] = {
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
GONE: dict[str, str] = {
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
NAMES = frozenset({*RENAMED, *_PARTS, *GONE, *_READ})


def _add_update(updates: Any, inputs: Any = None) -> None:
    """Nothing to do: a variable that was assigned in `call` has its value."""
    for one in updates if isinstance(updates, list) else [updates]:
        if isinstance(one, tuple) and len(one) == 2:
            one[0].assign(one[1])


def find(layer: Any, name: str) -> Any:
    """The value of an attribute that a layer had in an older Keras.

    Raises:
        AttributeError: if it has nothing to answer with; says what to use today.
    """
    if name in GONE:
        raise AttributeError(f"`layer.{name}` is gone. Use {GONE[name]}.")
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
    for today in RENAMED[name]:
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

_MODELS: dict[str, Callable] = {
    "model": lambda model: model,
    "flattened_layers": lambda model: [
        one for one in model._flatten_layers(include_self=False) if not hasattr(one, "fit")
    ],
    "state_updates": lambda model: [],
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
    warn_once(f"model.{name}", "model")
    return _MODELS[name](model)


MODEL_NAMES = frozenset({*_MODELS, *_GONE_OF_MODELS})
