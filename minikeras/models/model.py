"""`Model`: a layer that trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from minikeras.engine import registry, serialization
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import standardize_shape
from minikeras.training.trainer import Trainer

# Of older versions of Keras; `minikeras.dialects.calls` has them.
_OLD_METHODS = frozenset(
    "fit_generator evaluate_generator predict_generator predict_classes predict_proba reset_states"
    " to_yaml".split()
)
# `minikeras.dialects.calls` has these.
_OLD_ATTRIBUTES = frozenset(
    "model flattened_layers state_updates total_loss targets sample_weights container_nodes"
    " compiled_loss compiled_metrics layers_by_depth nodes_by_depth _make_train_function"
    " _make_test_function _make_predict_function".split()
)


def functional_arguments(args: tuple, kwargs: dict) -> bool:
    """Whether a constructor was called as `Model(inputs, outputs)`."""
    return (
        len(args) >= 2
        and not isinstance(args[1], str)
        or len(args) == 1
        and "outputs" in kwargs
        or "inputs" in kwargs
        and "outputs" in kwargs
    )


@registry.models.register("Model")
class Model(Trainer, Layer):
    """Layers grouped into something that can be trained, evaluated, saved.

    Three ways to make one: `Model(inputs, outputs)` from symbolic tensors, `Sequential([...])`, or
    a subclass with layers made in `__init__` and used in `call`.

    Args:
        inputs: `KerasTensor`, or list, tuple or dict of them, from `minikeras.Input`.
        outputs: `KerasTensor`, or list, tuple or dict of them.
        name: String. Defaults to an automatic name.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> inputs = minikeras.Input(shape=(3,))
    >>> outputs = minikeras.layers.Dense(2)(inputs)
    >>> model = minikeras.Model(inputs, outputs)
    >>> model.predict(np.ones((4, 3)), verbose=0).shape
    (4, 2)
    """

    _keras_module = "keras.models"

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and functional_arguments(args, kwargs):
            from minikeras.models.functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from minikeras.models.functional import Functional

        if functional_arguments(args, kwargs) and not isinstance(self, Functional):
            # A subclass that passes inputs and outputs on is a functional model.
            _inject_functional(type(self))
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
            return
        Trainer.__init__(self)
        Layer.__init__(self, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _OLD_METHODS:
            methods = import_module("minikeras.dialects.calls").METHODS
            return partial(methods[name], self)
        if name in _OLD_ATTRIBUTES:
            return import_module("minikeras.dialects.calls").find_of_model(self, name)
        return super().__getattr__(name)

    # Layers

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return list(self._flatten_layers(recursive=False, include_self=False))

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Model.layers` attribute is reserved and cannot be set. Use another attribute name."
        )

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name or index.

        Raises:
            ValueError: if there is none, or if not exactly one of the two is given.
        """
        if name is not None and index is not None:
            raise ValueError(
                f"Provide only a layer name or a layer index. Received: index={index}, name={name}."
            )
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has"
                    f" {len(self.layers)} layers."
                )
            return self.layers[index]
        if name is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"No such layer: {name}. Existing layers are: {[layer.name for layer in self.layers]}."
        )

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The forward pass. A subclass defines it."""
        raise NotImplementedError(
            f"Model {type(self).__name__} does not have a `call()` method implemented. Define"
            " `call(self, inputs)`, or use `Sequential` or `Model(inputs, outputs)`."
        )

    call._undefined = True  # type: ignore[attr-defined]

    # Quantization

    def get_quantization_layer_structure(self, mode: str | None = None) -> dict | None:
        """Which layers follow each other, for GPTQ and AWQ; a subclass may define it.

        Returns:
            A dict of `"pre_block_layers"` and `"sequential_blocks"`, or None (default).
        """
        return None

    def quantize(  # type: ignore[override]
        self, mode: str | None = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        """Quantize the weights of all layers that can be quantized; others with weights are named.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`. Defaults to that of `config`.
            config: `keras.quantizers.QuantizationConfig`. Defaults to that of the mode.
            filters: Regular expression of names, list of them, or function of a layer: which layers
                are quantized. Defaults to None: all.
            **kwargs: `type_check=False` quantizes subclasses of such layers too.

        Raises:
            ValueError: if the model is not built, or quantized already.

        Example:

        >>> import minikeras
        >>> model = minikeras.Sequential([minikeras.Input((4,)), minikeras.layers.Dense(2)])
        >>> model.quantize("int8")
        >>> model.layers[0].quantization_mode
        'int8'
        """
        from minikeras.quantizers.calibration import quantize_model

        type_check = kwargs.pop("type_check", True)
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
            )
        quantize_model(self, mode, config, filters, type_check)  # type: ignore[arg-type]

    def build_from_config(self, config: dict) -> None:
        """Build with the shapes in `config`."""
        if not config:
            return
        shape = config.get("input_shape") or config.get("shapes_dict")
        if shape is None:
            return
        from minikeras.engine.layer import _as_shape

        if not getattr(type(self).build, "_is_default", False):
            Layer.build_from_config(self, config)
            return
        shape = _as_shape(shape)
        if isinstance(shape, dict) and "shapes_dict" in config:
            shape = {key.removesuffix("_shape"): value for key, value in shape.items()}
            specs: Any = {key: _specs(value) for key, value in shape.items()}
            self.symbolic_call(**specs)
        else:
            self.symbolic_call(_specs(shape))

    def build(self, input_shape: Any = None, **shapes: Any) -> None:
        """Build by calling the model on symbolic inputs of that shape (batch axis included).

        Raises:
            ValueError: if the shape is missing or the model cannot be called so.
        """
        if self.built:
            return
        if input_shape is None and not shapes:
            self.built = True
            return
        if self.__dict__.get("_building"):
            self.built = True
            return
        self.__dict__["_building"] = True
        try:
            if _is_shape(input_shape):
                specs: Any = KerasTensor(standardize_shape(input_shape))
            else:
                specs = _specs(input_shape)
            if all(layer.built for layer in self.layers) and self.layers:
                self.built = True
                return
            self.__dict__["built"] = True
            try:
                self._infer_output_spec((specs,), {})
            except NotImplementedError:
                raise
            except Exception as error:
                self.__dict__["built"] = False
                raise ValueError(
                    f"Model {type(self).__name__} cannot be built by calling it on an input of"
                    " shape"
                    f" {input_shape}: {error}. Call it on real data instead."
                ) from error
            self._load_late()
        finally:
            self.__dict__.pop("_building", None)

    build._is_default = True  # type: ignore[attr-defined]

    def _load_late(self) -> None:
        """Load the checkpoint that was asked for before there were variables."""
        self.__dict__.pop("_waiting", int)()

    def build_with(self, shapes: dict, single: bool = False) -> None:
        # The layers inside are built where `call` uses them.
        if self.built:
            return
        if getattr(type(self).build, "_is_default", False):
            self.__dict__["_build_shapes"] = dict(shapes)
            if "_waiting" in self.__dict__:
                self.build(*shapes.values())
            self.built = True
        else:
            Layer.build_with(self, shapes, single)
        self._load_late()

    # Text

    def summary(
        self,
        line_length: int | None = None,
        positions: list | None = None,
        print_fn: Callable | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a table of the layers, their output shapes and parameters."""
        from minikeras.models.summary import print_summary

        print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )

    # Files

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any
    ) -> None:
        """Write the whole model: `.keras`, or `.h5` / `.hdf5` (HDF5)."""
        from minikeras import saving

        saving.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
    ) -> None:
        """Write the weights: `.weights.h5`, or `.h5` in the older layout."""
        from minikeras import saving

        saving.save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
        """Read weights, from a weights file or a whole-model file of any Keras generation."""
        from minikeras import saving

        return saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(self, filepath: Any = None, format: str = "tf_saved_model", **_: Any) -> None:
        """Not available: exported formats belong to other frameworks.

        Raises:
            ValueError: for a `format` that Keras does not have.
            NotImplementedError: for all others.
        """
        formats = ["tf_saved_model", "onnx", "openvino", "litert", "torch"]
        if format not in formats:
            raise ValueError(f"Unrecognized format={format!r}. Formats of Keras are: {formats}.")
        raise NotImplementedError(
            f"`Model.export` with format={format!r} needs another framework. Save with"
            " `model.save('model.keras')` and export with Keras itself."
        )

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON; `model_from_json` reads it."""
        return json.dumps(serialization.serialize(self), **kwargs)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, dict]:
        """The values of all variables, nested by the parts of their paths.

        Args:
            value_format: `"backend_tensor"` (default) or `"numpy_array"`.

        Returns:
            dict with `"trainable_variables"`, `"non_trainable_variables"`, `"optimizer_variables"`
            and `"metrics_variables"`.

        Raises:
            ValueError: if two variables have one path.

        Example:

        >>> import minikeras
        >>> layers = [minikeras.Input((3,)), minikeras.layers.Dense(2, name="head")]
        >>> model = minikeras.Sequential(layers, name="net")
        >>> tree = model.get_state_tree(value_format="numpy_array")
        >>> tree["trainable_variables"]["net"]["head"]["kernel"].shape
        (3, 2)
        """
        return tree_of(self, value_format)

    def set_state_tree(self, state_tree: dict[str, dict]) -> None:
        """Assign the values of a tree as `get_state_tree` returns; what is not in it stays."""
        assign_state_tree(self, state_tree)

    # Configuration

    def get_config(self) -> dict:
        """The configuration of a subclassed model: its constructor's arguments."""
        return Layer.get_config(self)

    get_config._is_default = True  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The model that `config` describes."""
        from minikeras.models import functional, sequential

        if cls is Model and "layers" in config:
            if "input_layers" in config:
                return functional.functional_from_config(
                    functional.Functional, config, custom_objects
                )
            return sequential.Sequential.from_config(config, custom_objects)
        if {"layers", "input_layers", "output_layers"} <= set(config):
            return functional.functional_from_config(cls, config, custom_objects)
        with registry.custom_objects(custom_objects):
            return super().from_config(config)


def _inject_functional(cls: type) -> None:
    from minikeras.models.functional import Functional

    if Functional in cls.__mro__:
        return
    bases = tuple(Functional if base is Model else base for base in cls.__bases__)
    if Functional not in bases:
        for base in cls.__bases__:
            if issubclass(base, Model):
                _inject_functional(base)
        return
    cls.__bases__ = bases
    if "call" not in cls.__dict__:
        cls.composite = False  # type: ignore[attr-defined]


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(
        size is None or isinstance(size, int) for size in value
    )


def _specs(shapes: Any) -> Any:
    if _is_shape(shapes):
        return KerasTensor(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: _specs(value) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return type(shapes)(_specs(value) for value in shapes)
    return shapes


def model_from_json(json_string: str, custom_objects: dict | None = None) -> Any:
    """The model that `json_string` (from `model.to_json()`) describes, with fresh weights."""
    from minikeras.saving import model_from_json as read

    return read(json_string, custom_objects)


_FORMATS = ("backend_tensor", "numpy_array")


def variables_of(model: Any) -> dict[str, list]:
    """The kinds of variables of a model."""
    optimizer = getattr(model, "optimizer", None)
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if optimizer is None else list(optimizer.variables),
        "metrics_variables": model.metrics_variables,
    }


def tree_of(model: Any, value_format: str) -> dict[str, dict]:
    """The values of all variables of a model, nested by the parts of their paths."""
    if value_format not in _FORMATS:
        raise ValueError(
            f"Argument `value_format` must be one of {_FORMATS}. Received:"
            f" value_format={value_format!r}"
        )
    return {kind: _nest(variables, value_format) for kind, variables in variables_of(model).items()}


def _nest(variables: list, value_format: str) -> dict:
    nested: dict = {}
    seen = set()
    for variable in variables:
        if variable.path in seen:
            raise ValueError(
                "The following variable path is found twice in the model:"
                f" {variable.path!r}. Give layers of one kind different names."
            )
        seen.add(variable.path)
        *folders, last = variable.path.split("/")
        inner = nested
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = variable.numpy() if value_format == "numpy_array" else variable.value
    return nested


def assign_state_tree(model: Any, tree: dict) -> None:
    """Assign values that are nested as those of `state_tree`; what is not in it stays."""
    known = variables_of(model)
    for kind, nested in tree.items():
        if kind not in known:
            raise ValueError(f"Unknown variable name: {kind}. Expected some of {list(known)}.")
        values = _flatten(nested)
        for variable in known[kind]:
            if variable.path in values:
                variable.assign(values[variable.path])


def _flatten(nested: dict, prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}/"))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
