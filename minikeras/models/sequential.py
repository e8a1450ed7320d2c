"""`Sequential`: a stack of layers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minikeras.engine import registry, serialization
from minikeras.engine.layer import Layer, dtype_config
from minikeras.engine.registry import name_scope
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import standardize_shape
from minikeras.models.functional import Functional, GraphModel
from minikeras.models.model import Model
from minikeras.training.trainer import Trainer


class NotBuiltError(ValueError, AttributeError):
    """What a model that knows no input shape yet cannot tell."""


@registry.models.register("Sequential")
class Sequential(GraphModel, Model):
    """A stack of layers, each with one input and one output.

    Args:
        layers: List of layers, or None.
        trainable: Boolean, default True.
        name: String. Defaults to an automatic name.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> model = minikeras.Sequential([
    ...     minikeras.layers.Dense(8, activation="relu", input_shape=(3,)),
    ...     minikeras.layers.Dense(1),
    ... ])
    >>> model.output_shape
    (None, 1)
    """

    _no_track = Model._no_track | {"_functional"}
    _keras_module = "keras"
    _sizes_are_open = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        Trainer.__init__(self)
        Layer.__init__(self, trainable=trainable, name=name)
        self.__dict__["_functional"] = None
        self._stack: list[Layer] = []
        self.supports_masking = True
        if layers:
            for layer in layers if isinstance(layers, (list, tuple)) else [layers]:
                self.add(layer, rebuild=False)
            self._maybe_rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put `layer` on top.

        Raises:
            ValueError: for something that is no layer, or a name that is taken.
        """
        from minikeras.layers.core import InputLayer

        if isinstance(layer, KerasTensor):
            operation = layer._keras_history.operation if layer._keras_history else None
            if isinstance(operation, InputLayer):
                layer = operation
        if not isinstance(layer, Layer):
            if isinstance(layer, type) and issubclass(layer, Layer):
                raise ValueError(
                    "Only instances of layers can be added to a Sequential model. Received the"
                    " class"
                    f" {layer.__name__}: write {layer.__name__}(...)."
                )
            if callable(layer) and hasattr(layer, "compute_output_spec"):
                raise ValueError(
                    f"Only layers can be added to a Sequential model, not the operation {layer!r}."
                    " Wrap it in `layers.Lambda`."
                )
            raise ValueError(
                f"Only instances of `minikeras.Layer` can be added to a Sequential model. Received:"
                f" {layer!r} (of type {type(layer)})"
            )
        if any(one is layer or one.name == layer.name for one in self._stack):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name"
                f" {layer.name!r} is already the name of a layer in this model. Update the `name`"
                " argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and self._stack:
            if isinstance(self._stack[0], InputLayer):
                raise ValueError(
                    f"Sequential model {self.name!r} has already been configured to use input shape"
                    f" {self._stack[0].batch_shape}. You cannot add a different Input layer to it."
                )
            self._stack.insert(0, layer)
        else:
            if not self._stack and not isinstance(layer, InputLayer):
                shape = getattr(layer, "_batch_input_shape", None)
                if shape is not None:
                    dtype = layer._input_dtype_given or layer.compute_dtype
                    self._stack.append(InputLayer(batch_shape=shape, dtype=dtype))
                elif isinstance(layer, Functional) or (
                    isinstance(layer, Sequential) and layer.built and layer._functional is not None
                ):
                    inputs = layer.inputs
                    if len(inputs) == 1:
                        self._stack.append(
                            InputLayer(batch_shape=inputs[0].shape, dtype=inputs[0].dtype)
                        )
            self._stack.append(layer)
        if rebuild:
            self._maybe_rebuild()
        else:
            self.__dict__["built"] = False
            self.__dict__["_functional"] = None

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer off and return it."""
        if not self._stack:
            raise TypeError("There are no layers in the model.")
        layer = self._stack.pop()
        self.__dict__.update(built=False, _functional=None)
        if rebuild:
            self._maybe_rebuild()
        return layer

    def _maybe_rebuild(self) -> None:
        from minikeras.layers.core import InputLayer

        previous = self.__dict__.get("_functional")
        self.__dict__.update(built=False, _functional=None)
        if self._stack and _has_several_inputs(self._stack[0]):
            self._build_on_several_inputs()
            return
        if self._stack and isinstance(self._stack[0], InputLayer):
            if len(self._stack) > 1:
                if previous is not None and len(previous._operations) == len(self._stack) - 1:
                    # One layer came on top: only that one is called.
                    with name_scope(self.name, caller=self):
                        outputs = self._stack[-1](previous._outputs_struct)
                    self._finish(previous._inputs_struct, outputs)
                else:
                    self.build(self._stack[0].batch_shape)

    def build(self, input_shape: Any = None, **_: Any) -> None:
        """Connect the layers, for inputs of `input_shape` (batch axis included)."""
        from minikeras.layers.core import InputLayer

        if not self._stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call"
                " `model.add(layer)`."
            )
        if _has_several_inputs(self._stack[0]):
            self._build_on_several_inputs()
            return
        if isinstance(self._stack[0], InputLayer):
            shape = self._stack[0].batch_shape
            if input_shape is not None and _is_other(shape, input_shape):
                raise ValueError(
                    f"Sequential model {self.name!r} has already been configured to use input shape"
                    f" {shape}. You cannot build it with input_shape {input_shape}"
                )
        else:
            if input_shape is None:
                raise self._not_built()
            if isinstance(input_shape, (list, dict)) and not all(
                size is None or isinstance(size, (int, np.integer)) for size in input_shape
            ):
                # Structured inputs: no graph, layers are called one after the other.
                self.__dict__["built"] = True
                return
            dtype = self._stack[0].compute_dtype
            self._stack.insert(
                0, InputLayer(batch_shape=standardize_shape(input_shape), dtype=dtype)
            )
        inputs: Any = self._stack[0]._inbound_nodes[0].outputs_structure
        x: Any = inputs
        with name_scope(self.name, caller=self):
            for layer in self._stack[1:]:
                try:
                    x = layer(x)
                except NotImplementedError:
                    # A layer that cannot tell its output without data: called one by one.
                    self.__dict__["built"] = True
                    return
                except TypeError:
                    _check_one_argument(layer)
                    raise
                if isinstance(x, (list, tuple)) and len(x) == 1:
                    # Keras 3.0 to 3.6 wrote the one output of a model as a list.
                    x = x[0]
                if isinstance(x, (list, tuple, dict)):
                    if layer is not self._stack[-1]:
                        raise ValueError(
                            "All layers in a Sequential model should have a single output tensor."
                            f" Layer {layer.name!r} has several. Use the functional API."
                        )
        self._finish(inputs, x)

    def _build_on_several_inputs(self) -> None:
        """Connect the layers on top of a first model with several inputs, as a `Merge` makes it."""
        # The inputs themselves: a `Merge` further on may take one of them again.
        inputs = list(self._stack[0].inputs)  # type: ignore[attr-defined]
        x: Any = inputs
        with name_scope(self.name, caller=self):
            for layer in self._stack:
                x = layer(x)
        self._finish(inputs, x)

    def _finish(self, inputs: Any, outputs: Any) -> None:
        functional = Functional(inputs, outputs, name=self.name)
        functional.__dict__["_sizes_are_open"] = True
        self.__dict__.update(_functional=functional, built=True)
        self._build_shapes_set()
        self._post_build()
        self._load_late()

    def _build_shapes_set(self) -> None:
        shape = getattr(self._stack[0], "batch_shape", None)
        self.__dict__["_build_shapes"] = {
            "input_shape": self.input_shape if shape is None else shape
        }

    build._is_default = False  # type: ignore[attr-defined]

    def build_with(self, shapes: dict, single: bool = False) -> None:
        if not self.built:
            self.build(next(iter(shapes.values())))

    def build_from_config(self, config: dict) -> None:
        """Build with the shape in `config`."""
        shape = (config or {}).get("input_shape")
        if shape is not None and not self.built:
            self.build(tuple(shape))

    @property
    def _graph_model(self) -> Any:  # type: ignore[override]
        functional = self.__dict__.get("_functional")
        if functional is None:
            raise self._not_built()
        return functional

    def _not_built(self) -> NotBuiltError:
        return NotBuiltError(
            f"Sequential model {self.name!r} is not built yet: it does not know the shape of its"
            " input. Begin with `Input(shape=...)`, call `build(input_shape)`, or call the model on"
            " data."
        )

    def __getattr__(self, name: str) -> Any:
        # Also asked for a property that failed: `hasattr(model, "output_shape")` is False then.
        if name in ("input", "output", "inputs", "outputs", "input_shape", "output_shape"):
            raise self._not_built()
        return super().__getattr__(name)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The output of the last layer."""
        functional = self.__dict__.get("_functional")
        if functional is not None:
            return functional.call(inputs, training=training, mask=mask)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The symbolic output for a symbolic input."""
        if self._functional is not None:
            return self._functional.compute_output_spec(inputs)
        for layer in self._stack:
            inputs = layer.compute_output_spec(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for that of the input."""
        if self._functional is not None:
            return self._functional.compute_output_shape(input_shape)
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output; set by the call itself."""
        if self._functional is not None:
            return self._functional.compute_mask(inputs, previous_mask)
        return None

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input layer."""
        from minikeras.layers.core import InputLayer

        if self._stack and isinstance(self._stack[0], InputLayer):
            return self._stack[1:]
        return list(self._stack)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Sequential.layers` attribute is reserved and cannot be set. Use `add()` and `pop()`."
        )

    @property
    def inputs(self) -> list:
        """Flat list of the symbolic inputs."""
        return self._graph_model.inputs

    @property
    def outputs(self) -> list:
        """Flat list of the symbolic outputs."""
        return self._graph_model.outputs

    @property
    def input(self) -> Any:
        """The symbolic input."""
        return self._graph_model.input

    @property
    def output(self) -> Any:
        """The symbolic output."""
        return self._graph_model.output

    @property
    def input_shape(self) -> Any:
        """The shape of the input."""
        return self._graph_model.input_shape

    @property
    def output_shape(self) -> Any:
        """The shape of the output."""
        return self._graph_model.output_shape

    @property
    def input_names(self) -> list[str]:
        """The name of the input layer, in a list."""
        return self._graph_model.input_names

    @property
    def output_names(self) -> list[str]:
        """The name of the last layer, in a list."""
        return self._graph_model.output_names

    @property
    def graph(self) -> Any:
        """The planned graph."""
        return self._graph_model.graph

    def get_config(self) -> dict:
        """The layers in order."""
        from minikeras.layers.core import InputLayer

        stack = self._stack
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_config(self._dtype_policy),
            "layers": [serialization.serialize(layer) for layer in stack],
        }
        if stack and isinstance(stack[0], InputLayer):
            config["build_input_shape"] = tuple(stack[0].batch_shape)  # type: ignore[attr-defined]
        return config

    @classmethod
    def from_config(cls, config: Any, custom_objects: dict | None = None) -> Any:
        """The model that `config` describes."""
        if isinstance(config, (list, tuple)):
            config = {"name": None, "layers": config}
        if not {"name", "layers"} <= set(config):
            raise ValueError(
                "A Sequential model configuration must be a dictionary containing the 'name' and"
                f" 'layers' keys. Received: config={config}"
            )
        with registry.custom_objects(custom_objects), serialization.architecture_budget():
            model = cls(name=config["name"])
            for record in config["layers"]:
                layer = serialization.deserialize(record, registry.layers)
                if not isinstance(layer, Layer):
                    raise ValueError(
                        "A Sequential config may hold layers only. Expected a dictionary containing"
                        " a 'config' key. Received:"
                        f" {record.get('class_name')!r}"
                    )
                model.add(layer, rebuild=False)
            model._maybe_rebuild()
            shape = config.get("build_input_shape")
            if not model.built and shape and isinstance(shape, (list, tuple)):
                model.build(tuple(shape))
        if config.get("trainable") is False:
            model.trainable = False
        return model


def _has_several_inputs(layer: Layer) -> bool:
    known = isinstance(layer, (Functional, Sequential)) and layer.built
    return known and len(layer.inputs) > 1  # type: ignore[attr-defined]


def _is_other(shape: tuple, given: Any) -> bool:
    try:
        given = standardize_shape(given)
    except (ValueError, TypeError):
        return True
    return len(shape) != len(given) or any(
        a is not None and b is not None and a != b for a, b in zip(shape[1:], given[1:])
    )


def _check_one_argument(layer: Layer) -> None:
    """Raise if calling a layer takes more, or less, than one tensor."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    arguments = list(inspect.signature(layer.call).parameters.values())
    positional = [one for one in arguments if one.kind in kinds]
    required = [one.name for one in positional if one.default is one.empty]
    if len(required) > 1 or not any(one.kind in (*kinds, one.VAR_POSITIONAL) for one in arguments):
        raise ValueError(
            "Layers added to a Sequential model can only have a single required positional"
            f" argument, the input tensor. {type(layer).__name__}.call takes {required}."
        )
