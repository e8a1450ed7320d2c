"""`clone_model`: the same architecture with fresh weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minikeras.engine import serialization, tree
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor
from minikeras.models.functional import Functional
from minikeras.models.model import Model
from minikeras.models.sequential import Sequential


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable | None = None,
    call_function: Callable | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model with the same layers, newly made from their configs, with fresh weights.

    Args:
        model: `Sequential`, functional model, or subclassed model with `get_config`.
        input_tensors: Symbolic inputs for the clone, or None.
        clone_function: Callable from a layer to its clone. Defaults to
            `layer.__class__.from_config(layer.get_config())`.
        call_function: Callable `(layer, *args, **kwargs)` that calls the clone, functional models
            only.
        recursive: Boolean, default False. Whether nested models are cloned layer by layer.

    Raises:
        ValueError: for arguments that do not fit the kind of model.
    """
    kwargs.pop("cache", None)
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {sorted(kwargs)}")
    if not isinstance(model, Model):
        raise ValueError(f"Argument `model` must be a `Model`. Received: {model!r}")
    copy = clone_function or _fresh

    def clone_layer(layer: Any) -> Any:
        if recursive and isinstance(layer, (Functional, Sequential)):
            # A Sequential model has no calls of its own to replace.
            inside = call_function if isinstance(layer, Functional) else None
            return clone_model(layer, None, clone_function, inside, True)
        return copy(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("`call_function` can only be used with functional models.")
        return _compiled_as(model, _clone_sequential(model, input_tensors, clone_layer))
    if isinstance(model, Functional) and type(model).get_config is Functional.get_config:
        return _compiled_as(
            model, _clone_functional(model, input_tensors, clone_layer, call_function)
        )
    if clone_function is not None or input_tensors is not None:
        raise ValueError(
            "`clone_function` and `input_tensors` can only be used with Sequential and functional"
            f" models. Received: {type(model)}"
        )
    return type(model).from_config(model.get_config())


def _compiled_as(model: Any, clone: Any) -> Any:
    """The clone, compiled with the settings of the model if that is compiled."""
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _fresh(layer: Any) -> Any:
    # Its own lambdas are no code from elsewhere.
    with serialization.SafeMode(False):
        made = type(layer).from_config(layer.get_config())
    if type(layer).__name__ == "Lambda":  # compiled code alone has lost what it refers to
        made.function, made._output_shape = layer.function, layer._output_shape
    return made


def _clone_sequential(model: Sequential, input_tensors: Any, clone_layer: Callable) -> Any:
    from minikeras.layers.core import Input, InputLayer

    clone = Sequential(name=model.name, trainable=model.trainable)
    stack = list(model._stack)
    if stack and isinstance(stack[0], InputLayer):
        first = stack.pop(0)
        if input_tensors is None:
            clone.add(
                InputLayer(
                    batch_shape=first.batch_shape,  # type: ignore[attr-defined]
                    dtype=first.dtype,
                    name=first.name,
                ),
                rebuild=False,
            )
    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        if len(flat) != 1:
            raise ValueError(f"A Sequential model has one input. Received: {input_tensors}")
        tensor = flat[0]
        if not isinstance(tensor, KerasTensor):
            tensor = Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        clone.add(tensor, rebuild=False)
    for layer in stack:
        clone.add(clone_layer(layer), rebuild=False)
    clone._maybe_rebuild()
    return clone


def _clone_functional(
    model: Functional, input_tensors: Any, clone_layer: Callable, call_function: Any
) -> Any:
    from minikeras.layers.core import Input

    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        named = isinstance(model._inputs_struct, dict)
        if len(flat) != len(model.graph.inputs) or named != isinstance(input_tensors, dict):
            raise ValueError(
                "`input_tensors` must have the same structure as model.input:"
                f" {model._inputs_struct}. Received: input_tensors={input_tensors}"
            )
    else:
        flat = [
            Input(
                batch_shape=tensor.shape,
                dtype=tensor.dtype,
                name=tensor._keras_history.operation.name,
            )
            for tensor in model.graph.inputs
        ]
    mapping: dict[int, Any] = {id(a): b for a, b in zip(model.graph.inputs, flat)}
    clones: dict[int, Any] = {}
    for step in model.graph.steps:
        operation = step.operation
        if id(operation) not in clones:
            clones[id(operation)] = (
                clone_layer(operation) if isinstance(operation, Layer) else operation
            )
        clone = clones[id(operation)]
        args, kwargs = step.arguments(mapping)
        results = (
            clone(*args, **kwargs)
            if call_function is None
            else call_function(clone, *args, **kwargs)
        )
        for slot, result in zip(step.outs, tree.flatten(results)):
            mapping[id(model.graph.tensors[slot])] = result
    inputs = tree.map_structure(lambda leaf: mapping[id(leaf)], model._inputs_struct)
    outputs = tree.map_structure(lambda leaf: mapping[id(leaf)], model._outputs_struct)
    return Functional(inputs, outputs, name=model.name)
