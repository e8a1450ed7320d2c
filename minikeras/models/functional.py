"""Functional models: a graph of calls between symbolic inputs and outputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry, serialization, spelling, tree
from minikeras.engine.context import Context, state
from minikeras.engine.graph import Graph, NotConnectedError, clone_graph
from minikeras.engine.input_spec import check_inputs
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, call_kernel
from minikeras.engine.recording import Node
from minikeras.engine.registry import auto_name
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.models.model import Model
from minikeras.training.trainer import Trainer
from minikeras.tree import assert_same_structure, flatten_with_path, map_shape_structure


class GraphModel:
    """What models with a planned graph share. `_graph_model` is the `Functional` that has it."""

    _graph_model: Any

    def forward(self, ctx: Context, *arrays: Any) -> Any:
        """Run the planned graph on flat arrays; returns a flat tuple (one output: the array)."""
        graph = self._graph_model.graph
        plan = graph.plan(ctx.needs[: len(graph.inputs)]) if ctx.recording else None
        outputs, calls, _ = graph.forward(ctx.run, arrays, plan)
        if ctx.recording:
            ctx.saved = calls
            ctx.force = any(call[1].force for call in calls)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def backward(self, ctx: Context, *douts: Any) -> Any:
        """Walk the graph back."""
        return self._graph_model.graph.backward(ctx.saved, douts)

    def add_loss(self, loss: Any) -> None:
        """Add to the loss: inside `call` a scalar; outside, as in Keras 2, a symbolic tensor.

        Args:
            loss: Scalar, or tensor computed from tensors of this model; a list of such.
        """
        graph = [one for one in tree.flatten(loss) if isinstance(one, KerasTensor)]
        if graph and not state.inferring and state.run is None:
            self.__dict__.setdefault("_graph_losses", []).extend(graph)
            self.__dict__["_stepper"] = None
            return
        super().add_loss(loss)  # type: ignore[misc]

    def add_metric(self, value: Any, name: str | None = None, aggregation: str = "mean") -> None:
        """Report the mean of a symbolic tensor, as in Keras 2.

        Args:
            value: Tensor computed from tensors of this model.
            name: What it is called in logs. Defaults to the name of the tensor.
            aggregation: `"mean"`.
        """
        if not isinstance(value, KerasTensor):
            raise ValueError(
                "Argument `value` of `add_metric` must be a tensor of the model. Inside `call`,"
                " keep a metric such as `keras.metrics.Mean` as an attribute and call its"
                f" `update_state`. Received: value={value!r}"
            )
        if aggregation not in ("mean", None):
            raise ValueError(
                "Argument `aggregation` of `add_metric` must be 'mean'. Received:"
                f" aggregation={aggregation!r}"
            )
        from minikeras.metrics import Mean

        metric = Mean(name=name or value.name)
        self.__dict__.setdefault("_graph_metrics", []).append((value, metric))
        self._graph_means = [*self.__dict__.get("_graph_means", ()), metric]
        self.__dict__["_stepper"] = None


@registry.operations.register("Function")
class Function(Operation):
    """The calls between symbolic inputs and outputs, as one operation.

    Args:
        inputs: `KerasTensor`, or structure of them.
        outputs: `KerasTensor`, or structure of them.
        name: String. Defaults to an automatic name.

    Raises:
        ValueError: when called, if the arguments do not have the structure and shapes of `inputs`.
    """

    _keras_module = "keras"

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        Operation.__init__(self, name=name)
        set_graph(self, inputs, outputs)

    @property
    def operations(self) -> list:
        """The operations, in order."""
        return list(self._operations)

    @property
    def inputs(self) -> list:
        """Flat list of the symbolic inputs."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list:
        """Flat list of the symbolic outputs."""
        return list(self.graph.outputs)

    def compute_output_spec(self, inputs: Any) -> Any:
        """The outputs for symbolic inputs."""
        self._check(inputs)
        return replay(self, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for shapes of the inputs."""
        found = self.compute_output_spec(map_shape_structure(KerasTensor, input_shape))
        return tree.map_structure(lambda leaf: leaf.shape, found)

    def _check(self, inputs: Any) -> None:
        try:
            assert_same_structure(inputs, self._inputs_struct)
        except ValueError as error:
            raise ValueError(
                f"{self.name!r} was called with an invalid input structure. Expected that of"
                f" {self._inputs_struct}. Received: {inputs}"
            ) from error
        for given, symbolic in zip(tree.flatten(inputs), self.graph.inputs):
            shape = tuple(np.shape(given) if not hasattr(given, "shape") else given.shape)
            if len(shape) != len(symbolic.shape) or any(
                a != b and None not in (a, b) for a, b in zip(shape, symbolic.shape)
            ):
                raise ValueError(
                    f"{self.name!r} was called with incompatible inputs. Expected"
                    f" shape={symbolic.shape} for {symbolic.name!r}. Received shape={shape}"
                )

    def call(self, inputs: Any) -> Any:
        """Compute the outputs from `inputs`."""
        self._check(inputs)
        values = flatten_inputs(self, inputs)
        mapping = {id(one): value for one, value in zip(self.graph.inputs, values)}
        for step in self.graph.steps:
            args, kwargs = step.arguments(mapping)
            results = [
                leaf for leaf in tree.flatten(step.operation(*args, **kwargs)) if leaf is not None
            ]
            for slot, result in zip(step.outs, results):
                mapping[id(self.graph.tensors[slot])] = result
        return tree.map_structure(lambda leaf: mapping[id(leaf)], self._outputs_struct)


def set_graph(model: Any, inputs: Any, outputs: Any) -> None:
    """Check `inputs` and `outputs` and plan the graph between them."""
    for name, structure in (("inputs", inputs), ("outputs", outputs)):
        leaves = tree.flatten(structure)
        if not leaves:
            raise ValueError(f"`{name}` argument cannot be empty. Received: {structure}")
        for leaf in leaves:
            if not isinstance(leaf, KerasTensor):
                raise ValueError(
                    f"All `{name}` values must be KerasTensors, as made by `minikeras.Input` and by"
                    f" layers called on them. Received: {name}={structure} including invalid value"
                    f" {leaf!r} of type {type(leaf)}"
                )
    flat = tree.flatten(inputs)
    from minikeras.layers.core import Input, InputLayer

    for tensor in flat:
        if tensor._keras_history is None:
            InputLayer(input_tensor=tensor, name=tensor.name)
    if any(not _is_input(tensor) for tensor in flat):

        def make_input(tensor: KerasTensor) -> KerasTensor:
            return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)

        inputs, outputs = clone_graph(inputs, outputs, make_input)
    try:
        graph = Graph(tree.flatten(inputs), tree.flatten(outputs))
    except NotConnectedError as error:
        raise ValueError(f"{_unconnected(inputs, outputs)}{error}") from None
    model.__dict__.update(
        _inputs_struct=inputs, _outputs_struct=outputs, graph=graph, _operations=graph.operations
    )


def _unconnected(inputs: Any, outputs: Any) -> str:
    """Which output does not depend on the inputs alone, where there are several."""
    for path, leaf in flatten_with_path(outputs):
        try:
            Graph(tree.flatten(inputs), [leaf])
        except NotConnectedError:
            name = ".".join(map(str, path))
            what = f"with path `{name}`" if name else f"`{leaf.name}`"
            return f"Output {what} is not connected to `inputs`. "
    return ""


def unpack_one(structure: Any) -> Any:
    """What a list or tuple of one thing holds, as Keras returns it; anything else as it is."""
    one = isinstance(structure, (list, tuple)) and len(structure) == 1
    return structure[0] if one else structure


def pack_outputs(model: Any, results: list) -> Any:
    """Flat results in the structure of the model's outputs."""
    struct = unpack_one(model._outputs_struct)
    if isinstance(struct, KerasTensor):
        return results[0]
    return tree.pack_sequence_as(struct, results)


def _is_input(tensor: KerasTensor) -> bool:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index].is_input


def flatten_inputs(model: Any, inputs: Any) -> list:
    """`inputs` in the order of the model's inputs.

    Raises:
        ValueError: if they do not fit; names what is missing.
    """
    struct = model._inputs_struct
    expected = model.graph.inputs
    if isinstance(inputs, dict):
        if isinstance(struct, dict):
            missing = [key for key in struct if key not in inputs]
            if missing:
                raise ValueError(
                    f"Missing data for input {missing[0]!r}. You passed a data dictionary with keys"
                    f" {sorted(map(str, inputs))}. Expected the keys: {sorted(struct)}"
                )
            if len(inputs) > len(struct):
                _note_other_structure(model, inputs, False)
            return tree.flatten({key: inputs[key] for key in struct})
        names = [tensor._keras_history.operation.name for tensor in expected]
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(
                f"Missing data for input {missing[0]!r}. You passed a data dictionary with keys"
                f" {sorted(map(str, inputs))}. Expected the keys: {names}"
            )
        return [inputs[name] for name in names]
    if isinstance(inputs, (list, tuple)):
        flat = tree.flatten(inputs)
    else:
        flat = [inputs]
    if isinstance(struct, dict) and len(flat) == len(expected):
        _note_other_structure(model, inputs, list(struct) != sorted(struct))
    if len(flat) != len(expected):
        names = [tensor._keras_history.operation.name for tensor in expected]
        wanted = f"{len(expected)} input(s), {names}"
        if isinstance(struct, dict):
            wanted = f"{len(expected)} named input(s) with keys {sorted(struct)}"
        raise ValueError(
            f"Model {model.name!r} expects {wanted}. Received"
            f" {len(flat)} input(s): shapes {[getattr(leaf, 'shape', None) for leaf in flat]}. Pass"
            " one array per input, in a list or in a dict by input name."
        )
    return flat


def _note_other_structure(model: Any, inputs: Any, ambiguous: bool) -> None:
    """Warn of inputs in another structure than the model's; refuse them if the order is unclear."""

    def outline(leaf: Any) -> Any:
        shape = getattr(leaf, "shape", ())
        return None if leaf is None else f"Tensor(shape={tuple(shape)})"

    names = tree.map_structure(lambda leaf: leaf.name, model._inputs_struct)
    message = (
        "The structure of `inputs` doesn't match the expected structure."
        f" Expected: {names}. Received: {tree.map_structure(outline, inputs)}"
    )
    symbolic = any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(inputs))
    if ambiguous:
        raise ValueError(f"{message}. Pass a dict: the order of its keys is not alphabetical.")
    if not symbolic:
        warnings.warn(message, stacklevel=3)


def fit_to(array: np.ndarray, symbolic: KerasTensor, model: Any) -> np.ndarray:
    """An array with the dtype and rank of a symbolic input; None for an optional one.

    Raises:
        ValueError: if the shape cannot fit.
    """
    if array.dtype.kind == "O" and array.ndim == 0 and array.item() is None:
        source = symbolic._keras_history.operation
        if getattr(source, "optional", False):
            return None  # type: ignore[return-value]
        raise ValueError(
            f"The input {source.name!r} is not optional, but None was passed. Pass an array, or"
            " make it with `Input(..., optional=True)`."
        )
    dtype = dtypes.numpy_dtype(symbolic.dtype)
    if array.dtype != dtype:
        if array.dtype.kind in "OUS" and dtype.kind not in "OUS":
            raise ValueError(
                f"Input {symbolic.name!r} of model {model.name!r} expects numbers"
                f" ({symbolic.dtype}). Received an array of dtype {array.dtype}: convert strings"
                " and"
                " mixed columns to numbers first."
            )
        array = array.astype(dtype)
    shape = symbolic.shape
    if array.ndim != len(shape):
        if array.ndim == len(shape) + 1 and array.shape[-1] == 1:
            array = array[..., 0]
        elif array.ndim == len(shape) - 1 and shape[-1] == 1:
            array = array[..., None]
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape[1:], array.shape[1:])
    ):
        reason = "Was the model made for other columns?"
        if array.ndim == len(shape) and model._sizes_are_open:
            try:
                _check_sizes(model, KerasTensor((shape[0], *array.shape[1:]), symbolic.dtype))
                return array
            except ValueError as error:
                reason = str(error)
        raise ValueError(
            f"Input {symbolic._keras_history.operation.name!r} of model {model.name!r} is"
            f" incompatible with the data: expected shape={shape}, found shape={array.shape}. It"
            f" is the input with name {symbolic.name!r} and path {path_of(model, symbolic)!r}."
            f" {reason}"
        )
    return array


def path_of(model: Any, symbolic: KerasTensor) -> str:
    """Where an input is in the structure of the inputs: `0.foo`, or nothing for a single one."""
    paths = flatten_with_path(getattr(model, "_graph_model", model)._inputs_struct)
    return ".".join(str(part) for path, leaf in paths if leaf is symbolic for part in path)


def _check_sizes(model: Any, symbolic: KerasTensor) -> None:
    """Let the layers of a `Sequential` say whether data of other sizes fit them, once a shape."""
    known = model.__dict__.setdefault("_known_sizes", set())
    if symbolic.shape not in known:
        _replay(getattr(model, "_graph_model", model), [symbolic])
        known.add(symbolic.shape)


def replay(model: Any, inputs: Any, **_: Any) -> Any:
    """The symbolic outputs of a graph for other symbolic inputs."""
    flat = flatten_inputs(model, inputs)
    for given, symbolic in zip(flat, model.graph.inputs):
        if len(given.shape) == len(symbolic.shape) and any(
            a is not None and b is not None and a != b
            for a, b in zip(given.shape[1:], symbolic.shape[1:])
        ):
            raise ValueError(
                f"Input {symbolic._keras_history.operation.name!r} of model {model.name!r} expects"
                f" shape={symbolic.shape}. Received shape={given.shape}"
            )
    same = all(a.shape == b.shape for a, b in zip(flat, model.graph.inputs))
    if same:
        return tree.map_structure(
            lambda leaf: KerasTensor(leaf.shape, leaf.dtype), model._outputs_struct
        )
    return _replay(model, flat)


def _replay(model: Any, flat: list) -> Any:
    mapping = {id(one): value for one, value in zip(model.graph.inputs, flat)}
    for step in model.graph.steps:
        args, kwargs = step.arguments(mapping)
        spec = getattr(step.operation, "_input_spec", None)
        if spec is not None and args:
            check_inputs(spec, args[0], step.operation.name)
        results = step.operation.compute_output_spec(*args, **kwargs)
        for slot, result in zip(step.outs, tree.flatten(results)):
            mapping[id(model.graph.tensors[slot])] = result
    return tree.map_structure(lambda leaf: mapping[id(leaf)], model._outputs_struct)


@registry.models.register("Functional")
class Functional(GraphModel, Model):
    """A model made of the calls between `inputs` and `outputs`.

    Args:
        inputs: `KerasTensor`, or list, tuple or dict of them.
        outputs: `KerasTensor`, or list, tuple or dict of them.
        name: String. Defaults to an automatic name.
        trainable: Boolean or None.
    """

    _no_track = Model._no_track | {"_graph_model", "graph", "_inputs_struct", "_outputs_struct"}
    _keras_module = "keras.src.models.functional"
    _keras_registered = "Functional"
    # Whether data may have other sizes than the inputs, as those of a `Sequential` may.
    _sizes_are_open = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        trainable = kwargs.pop("trainable", None)
        kwargs.pop("dtype", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to Model: {kwargs}")
        Trainer.__init__(self)
        if name is None:
            name = auto_name("functional" if type(self) is Functional else type(self).__name__)
        Layer.__init__(self, name=name)
        set_graph(self, inputs, outputs)
        self.__dict__["_graph_model"] = self
        self._tracked["_operations"] = None
        self.__dict__["built"] = True
        self.supports_masking = True
        Node(self, (self._inputs_struct,), {}, None)
        self._inbound_nodes.clear()
        if trainable is not None and not trainable:
            self.trainable = False
        names = [layer.name for layer in self.layers]
        doubles = {one for one in names if names.count(one) > 1}
        if doubles:
            raise ValueError(
                f"The layer names in a model must be unique. {sorted(doubles)} occur more than"
                " once:"
                f" all layers: {names}. Give them a `name`."
            )
        self._post_build()

    @property
    def layers(self) -> list[Layer]:
        """The layers, by decreasing distance from the outputs."""
        return [one for one in self._operations if isinstance(one, Layer)]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Model.layers` attribute is reserved and cannot be set. Use another attribute name."
        )

    @property
    def operations(self) -> list:
        """The layers and operations, in order."""
        return list(self._operations)

    @property
    def inputs(self) -> list:
        """Flat list of the symbolic inputs."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list:
        """Flat list of the symbolic outputs."""
        return list(self.graph.outputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs, as they were given."""
        return self._inputs_struct

    @property
    def output(self) -> Any:
        """The symbolic outputs, as they were given."""
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs, in their structure; of one input, its shape."""
        return unpack_one(tree.map_structure(lambda tensor: tensor.shape, self._inputs_struct))

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs, in their structure; of one output, its shape."""
        return unpack_one(tree.map_structure(lambda tensor: tensor.shape, self._outputs_struct))

    @property
    def input_names(self) -> list[str]:
        """The names of the input layers."""
        return [tensor._keras_history.operation.name for tensor in self.graph.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [tensor._keras_history.operation.name for tensor in self.graph.outputs]

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for `inputs`, in the structure of the model's outputs."""
        flat = [
            value if isinstance(value, Tensor) else Tensor(np.asarray(value))
            for value in flatten_inputs(self, inputs)
        ]
        absent = any(tensor.array.dtype.kind == "O" for tensor in flat)
        masks = [tensor._keras_mask for tensor in flat]
        if mask is not None:
            given = tree.flatten(mask)
            if len(given) == len(masks):
                masks = given
        prepared = [
            _fit_tensor(tensor, symbolic, self) for tensor, symbolic in zip(flat, self.graph.inputs)
        ]
        if absent or (state.recording is not None and self._outputs_lead_to_others()):
            return self._call_layers(prepared, masks)
        if state.recording is None and (any(m is not None for m in masks) or self._masks_inside()):
            outputs, _, found = self.graph.forward(
                state.run or _inference(), [tensor.array for tensor in prepared], None, masks
            )
            results = [Tensor(array) for array in outputs]
            for tensor, slot in zip(results, self.graph.output_slots):
                mask_found = found.get(slot)
                if mask_found is not None:
                    tensor._keras_mask = (
                        mask_found if isinstance(mask_found, Tensor) else Tensor(mask_found)
                    )
        elif any(m is not None for m in masks) or self._masks_inside():
            return self._call_layers(prepared, masks)
        else:
            result = call_kernel(self, prepared, {})
            results = [result] if isinstance(result, Tensor) else list(result)
        return pack_outputs(self, results)

    def _masks_inside(self) -> bool:
        return any(tensor._keras_mask is not None for tensor in self.graph.outputs)

    def _outputs_lead_to_others(self) -> bool:
        """Whether a tape could be asked for the gradient of one output by another one."""
        slots = self.graph.output_slots
        return len(slots) > 1 and (
            len(set(slots)) < len(slots)
            or any(slot in slots for step in self.graph.steps for slot in step.ins)
        )

    def _call_layers(self, prepared: list, masks: list) -> Any:
        """Layer by layer, in an open recording: masks travel on the tensors."""
        mapping: dict[int, Any] = {}
        for symbolic, tensor, mask in zip(self.graph.inputs, prepared, masks):
            if mask is not None:
                tensor._keras_mask = mask if isinstance(mask, Tensor) else Tensor(np.asarray(mask))
            mapping[id(symbolic)] = tensor
        for step in self.graph.steps:
            args, kwargs = step.arguments(mapping)
            results = tree.flatten(step.operation(*args, **kwargs))
            for slot, result in zip(step.outs, [one for one in results if one is not None]):
                mapping[id(self.graph.tensors[slot])] = result
        return unpack_one(tree.map_structure(lambda leaf: mapping[id(leaf)], self._outputs_struct))

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The symbolic outputs for symbolic inputs."""
        return replay(self, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for those of the inputs."""
        from minikeras.models.model import _specs

        specs = replay(self, _specs(input_shape))
        return tree.map_structure(lambda tensor: tensor.shape, specs)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The masks of the outputs; set by the call itself."""
        if any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(inputs)):
            return tree.map_structure(lambda leaf: leaf._keras_mask, self._outputs_struct)
        return None

    def build(self, input_shape: Any = None, **_: Any) -> None:
        """Nothing to do: a functional model is built when it is made."""
        self.__dict__["built"] = True

    def get_build_config(self) -> dict | None:
        """No shape: the graph says it all."""
        return {"input_shape": None}

    # Configuration

    def get_config(self) -> dict:
        """The layers, how they are connected, the inputs and the outputs."""
        if not functional_constructor(type(self)):
            return Model.get_config(self)
        inside = {id(node) for node in self.graph.nodes}
        keys: dict[int, tuple[str, int]] = {}
        records = []
        for operation in self._operations:
            index = 0
            for node in operation._inbound_nodes:
                if id(node) in inside:
                    keys[id(node)] = (operation.name, index)
                    index += 1
        for operation in self._operations:
            record = serialization.serialize(operation)
            if not isinstance(operation, Layer):
                record["registered_name"] = type(operation).__name__
                record["module"] = getattr(type(operation), "_keras_module", record["module"])
            record["name"] = operation.name
            record["inbound_nodes"] = [
                _node_config(node, keys)
                for node in operation._inbound_nodes
                if id(node) in inside and not node.is_input
            ]
            records.append(record)

        def key_of(tensor: KerasTensor) -> list:
            history = tensor._keras_history
            node = history.operation._inbound_nodes[history.node_index]
            name, index = keys[id(node)]
            return [name, index, history.tensor_index]

        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": records,
            "input_layers": _map_keys(key_of, self._inputs_struct),
            "output_layers": _map_keys(key_of, self._outputs_struct),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The model that `config` describes."""
        if {"layers", "input_layers", "output_layers"} <= set(config):
            return functional_from_config(cls, config, custom_objects)
        return super().from_config(config, custom_objects)


def _inference() -> Any:
    from minikeras.engine.context import INFERENCE

    return INFERENCE


def _is_of_more_axes(array: Any, symbolic: KerasTensor) -> bool:
    """Whether an input has axes in between, which models of Keras 2 let their layers see."""
    shape = symbolic.shape
    if array.ndim <= len(shape) or array.shape[-1] == 1 or not spelling.runs_unedited():
        return False
    return (
        all(
            want is None or want == have
            for want, have in zip(shape[1:], array.shape[1 - len(shape) :])
        )
        and len(shape) > 1
    )


def _fit_tensor(tensor: Tensor, symbolic: KerasTensor, model: Any) -> Tensor:
    array = tensor.array
    if array.dtype.name == symbolic.dtype and array.ndim == len(symbolic.shape):
        if all(
            want is None or want == have for want, have in zip(symbolic.shape[1:], array.shape[1:])
        ):
            return tensor
    from minikeras.engine.operation import cast_tensor

    if _is_of_more_axes(array, symbolic):
        return cast_tensor(tensor, dtypes.numpy_dtype(symbolic.dtype))
    fitted = fit_to(array, symbolic, model)
    if fitted is None:
        return None  # type: ignore[return-value]
    if tensor.recording is None or not tensor.recording.open:
        return Tensor(fitted)
    if fitted.shape == array.shape:
        return cast_tensor(tensor, fitted.dtype)
    from minikeras.engine.symbolic import operator

    return cast_tensor(operator("reshape")(tensor, fitted.shape), fitted.dtype)


def functional_constructor(cls: type) -> bool:
    """Whether `cls` can be made from inputs and outputs."""
    import inspect

    if cls in (Functional, Model):
        return True
    init = cls.__init__  # type: ignore[misc]
    if init in (Functional.__init__, Model.__init__):
        return True
    parameters = list(inspect.signature(init).parameters.values())[1:]
    if parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    return [one.name for one in parameters[:2]] == ["inputs", "outputs"]


def _map_keys(function: Any, structure: Any) -> Any:
    if isinstance(structure, KerasTensor):
        return function(structure)
    if isinstance(structure, dict):
        return {key: _map_keys(function, value) for key, value in structure.items()}
    items = [_map_keys(function, value) for value in structure]
    return tuple(items) if isinstance(structure, tuple) else items


def _node_config(node: Node, keys: dict) -> dict:
    def describe(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return serialization.serialize(leaf)
        history = leaf._keras_history
        parent = history.operation._inbound_nodes[history.node_index]
        name, index = keys[id(parent)]
        return {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": list(leaf.shape),
                "dtype": leaf.dtype,
                "keras_history": [name, index, history.tensor_index],
            },
        }

    def walk(value: Any) -> Any:
        if isinstance(value, tuple):
            return (
                serialization.serialize(value)
                if not _has_tensor(value)
                else [walk(x) for x in value]
            )
        if isinstance(value, list):
            return [walk(x) for x in value]
        if isinstance(value, dict):
            return {key: walk(x) for key, x in value.items()}
        return describe(value)

    return {
        "args": [walk(argument) for argument in node.args],
        "kwargs": {key: walk(value) for key, value in node.kwargs.items()},
    }


def _has_tensor(value: Any) -> bool:
    return any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(value))


def functional_from_config(cls: type, config: dict, custom_objects: dict | None = None) -> Any:
    """Rebuild a functional model from its configuration.

    Raises:
        ValueError: for calls that refer to tensors that do not exist, or in a cycle.
    """
    operations: dict[str, Any] = {}
    pending: list[tuple[Any, int, dict]] = []
    with registry.custom_objects(custom_objects), serialization.architecture_budget():
        for record in config["layers"]:
            record = dict(record)
            record.setdefault("config", {})
            operation = serialization.deserialize(record, registry.layers)
            if not isinstance(operation, Operation):
                raise ValueError(
                    "A model config may hold layers and operations only. Received:"
                    f" {record.get('class_name')!r}, which gave {type(operation)}"
                )
            name = record.get("name") or operation.name
            if not isinstance(operation, Layer):
                operation.name = name
            if isinstance(operation, Model) and operation._inbound_nodes:
                operation._inbound_nodes.clear()
            operations[name] = operation
            for index, node in enumerate(record.get("inbound_nodes") or []):
                pending.append((operation, index, node))
        made: dict[tuple[str, int], list] = {}
        for name, operation in operations.items():
            for index, node in enumerate(operation._inbound_nodes):
                made[(name, index)] = node.output_tensors
        names = {id(operation): name for name, operation in operations.items()}
        while pending:
            rest = []
            for operation, index, node in pending:
                key = (names[id(operation)], index)
                if index and (key[0], index - 1) not in made:
                    rest.append((operation, index, node))
                    continue
                try:
                    args, kwargs = _arguments_from(node, made)
                except _NotYet as missing:
                    if missing.args[0] not in operations:
                        raise ValueError(
                            "The Functional model configuration is invalid. Missing node:"
                            f" {missing.args[0]}"
                        ) from None
                    rest.append((operation, index, node))
                    continue
                if "training" in kwargs and kwargs["training"] is _training_default(operation):
                    # Keras 3.15 writes it as if it had been given.
                    del kwargs["training"]
                outputs = operation(*args, **kwargs)
                made[key] = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
            if len(rest) == len(pending):
                names_left = sorted({names[id(one[0])] for one in rest})
                raise ValueError(
                    "The Functional model configuration is invalid: these layers depend on each"
                    f" other in loops (a cycle), or on tensors that are not there: {names_left}"
                )
            pending = rest

    def tensor_of(key: Any) -> KerasTensor:
        if (key[0], key[1]) not in made and (key[0], 0) in made:
            # Keras counts the creation of a nested model as its first call, in places.
            key = [key[0], max(index for name, index in made if name == key[0]), key[2]]
        try:
            return made[(key[0], key[1])][key[2]]
        except (KeyError, IndexError, TypeError):
            raise ValueError(
                f"The model config names a tensor that does not exist: {key}"
            ) from None

    inputs = _map_from_keys(tensor_of, config["input_layers"])
    outputs = _map_from_keys(tensor_of, config["output_layers"])
    name, trainable = config.get("name"), config.get("trainable")
    extra = {
        key: value
        for key, value in config.items()
        if key not in ("name", "trainable", "layers", "input_layers", "output_layers", "dtype")
    }
    model = cls(
        inputs,
        outputs,
        name=name,
        **({"trainable": trainable} if trainable is False else {}),
        **extra,
    )
    for (name, _), tensors in made.items():
        join = getattr(type(operations.get(name)), "join_model", None)
        if join is not None:
            join(operations[name], model, tensors[0])
    return model


def _training_default(operation: Any) -> Any:
    """What `training` is in the signature of a layer of Keras."""
    from minikeras.engine.layer import _default_of
    from minikeras.layers.noise import _Noise

    if not isinstance(operation, Layer):
        return None
    return False if isinstance(operation, _Noise) else _default_of(type(operation), "training")


class _NotYet(Exception):
    pass


def _arguments_from(node: Any, made: dict) -> tuple[list, dict]:
    if isinstance(node, dict):

        def walk(value: Any) -> Any:
            if isinstance(value, dict):
                if value.get("class_name") == "__keras_tensor__":
                    history = value["config"].get("keras_history")
                    if history is None or (history[0], history[1]) not in made:
                        raise _NotYet(history and history[0])
                    return made[(history[0], history[1])][history[2]]
                if "class_name" in value and "config" in value:
                    constant = serialization.deserialize(value)
                    return constant.array if isinstance(constant, Tensor) else constant
                return {key: walk(item) for key, item in value.items()}
            if isinstance(value, list):
                items = [walk(item) for item in value]
                # JSON has no tuples, but a list of slices would mean something else.
                index = any(isinstance(item, slice) or item is Ellipsis for item in items)
                return tuple(items) if index else items
            return value

        args = [walk(value) for value in node.get("args", [])]
        return args, {key: walk(value) for key, value in node.get("kwargs", {}).items()}
    # Keras 2: a list of [name, node index, tensor index, kwargs], or of lists of them.
    tensors, kwargs = [], {}
    entries = node if isinstance(node[0], (list, tuple)) else [node]
    for entry in entries:
        if (entry[0], entry[1]) not in made:
            raise _NotYet(entry[0])
        tensors.append(made[(entry[0], entry[1])][entry[2]])
        if len(entry) > 3:
            for key, value in entry[3].items():
                if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
                    if (value[0], value[1]) not in made:
                        raise _NotYet(value[0])
                    value = made[(value[0], value[1])][value[2]]
                kwargs[key] = value
    return [tensors[0] if len(tensors) == 1 else tensors], kwargs


def _map_from_keys(function: Any, keys: Any) -> Any:
    if isinstance(keys, dict):
        return {key: _map_from_keys(function, value) for key, value in keys.items()}
    if isinstance(keys, (list, tuple)) and len(keys) == 3 and isinstance(keys[0], str):
        return function(keys)
    if isinstance(keys, (list, tuple)):
        return type(keys)(_map_from_keys(function, value) for value in keys)
    raise ValueError(f"The model config names inputs or outputs in a form not known: {keys}")
