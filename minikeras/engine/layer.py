"""The base layer: an operation with configuration and variables."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from minikeras.engine import dtype_policy as policies
from minikeras.engine import dtypes, registry, spelling, tree
from minikeras.engine.context import Run, state
from minikeras.engine.input_spec import check_inputs
from minikeras.engine.operation import (
    Operation,
    any_symbolic,
    as_input,
    call_kernel,
    cast_tensor,
    infer_spec,
    unknown_batch,
)
from minikeras.engine.recording import Node
from minikeras.engine.registry import auto_name, current_path, name_scope
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable, standardize_shape, trainable_changed
from minikeras.engine.weights import LayerWeights

_CONTAINERS = (list, tuple, dict)


class Layer(LayerWeights, Operation):
    """The base class of all layers.

    A user's layer defines `build(input_shape)` (make variables with `add_weight`) and
    `call(inputs)` (compute with `minikeras.ops` and other layers). A built-in layer may define
    `forward(ctx, *arrays)` and `backward(ctx, *douts)` instead of `call`.

    Args:
        activity_regularizer: Regularizer of the output, or None (default).
        trainable: Boolean, default True.
        dtype: Dtype name or policy. Defaults to the global policy.
        autocast: Boolean, default True. Whether floating inputs are cast to the compute dtype.
        name: String. Defaults to an automatic name.
        input_shape, batch_shape, batch_size, input_dtype, input_tensor: Keyword arguments of the
            first layer of a `Sequential` model.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> class Scale(minikeras.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones")
    ...     def call(self, inputs):
    ...         return inputs * self.scale
    >>> Scale()(np.ones((2, 3), "float32")).shape
    (2, 3)
    """

    _no_track = frozenset({"_inbound_nodes", "_outbound_nodes", "_init_args", "_loss_terms"})

    # The shapes it was built with, by argument; set when it is built, as is its path.
    _build_shapes: Any = None
    _path: Any = None

    # Whether the kernel is for floats: integers are cast to the compute dtype.
    _computes_floats = False

    # Before the width of an `input_dim`: time, for layers of sequences.
    _input_axes: tuple = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_output_shape_for" in cls.__dict__ and "compute_output_shape" not in cls.__dict__:
            # The name of Keras 1.
            cls.compute_output_shape = cls.get_output_shape_for  # type: ignore[attr-defined,method-assign]
        if "build" in cls.__dict__ and not cls.__module__.startswith("minikeras.models."):
            cls.build = _in_own_scope(cls.__dict__["build"])  # type: ignore[method-assign]
        if "quantize" in cls.__dict__:
            cls.quantize = _checked(cls.__dict__["quantize"])  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            known = spelling.known_keywords(cls)
            if known is not None and not known.issuperset(kwargs):
                instance = spelling.understood(cls, args, kwargs)
                if instance is not None:
                    return instance
        if args and cls.__name__ in spelling.OLD_ORDERS and spelling.is_old_order(cls, args):
            instance = spelling.understood(cls, args, kwargs, ordered=True)
            if instance is not None:
                return instance
        instance = Operation.__new__(cls, *args, **kwargs)
        # In place before a constructor runs, so that attributes may be set before super().__init__
        instance.__dict__.update(
            _tracked={},
            _trainable_variables=[],
            _non_trainable_variables=[],
            _seed_generators=[],
            _loss_terms=[],
            _trainable=True,
            _losses_of_call=None,
            built=False,
        )
        return instance

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        Operation.__init__(self, name=name or auto_name(type(self).__name__))
        self.activity_regularizer = registry.regularizers.get(activity_regularizer)
        input_shape = kwargs.pop("input_shape", None)
        batch_shape = kwargs.pop("batch_shape", None)
        input_dim = kwargs.pop("input_dim", None)
        batch_size = kwargs.pop("batch_size", None)
        self._input_dtype_given = kwargs.pop("input_dtype", None)
        kwargs.pop("input_tensor", None)
        if kwargs.pop("quantization_config", None) is not None:
            raise ValueError(
                "Argument `quantization_config` must be None: the layer cannot be quantized."
            )
        if kwargs:
            kwargs = spelling.take_leftovers(self, kwargs)
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
            )
        if input_dim is not None and input_shape is None:
            input_shape = (*self._input_axes, input_dim)
        if batch_shape is not None:
            self._batch_input_shape = standardize_shape(batch_shape)
        elif input_shape is not None:
            if isinstance(input_shape, (int, np.integer)):
                input_shape = (input_shape,)
            self._batch_input_shape = (batch_size, *standardize_shape(input_shape))
        self._dtype_policy = policies.get(dtype)
        if self._dtype_policy.quantization_mode is not None:
            self._call_quantized()
        self.autocast = autocast
        self._input_spec: Any = None
        self.supports_masking = getattr(type(self), "supports_masking", self._makes_masks())
        if not isinstance(trainable, (bool, np.bool_)):
            raise ValueError(
                f"Expected argument `trainable` to be a boolean. Received: trainable={trainable!r}"
            )
        self._trainable = bool(trainable)

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        tracked = self.__dict__.get("_tracked")
        if tracked is not None and name not in self._no_track:
            if isinstance(value, Variable):
                self._track_variable(value)
            elif isinstance(value, (Layer, SeedGenerator)) or _is_metric(value):
                tracked[name] = None
            elif isinstance(value, _CONTAINERS) and type(value) is not str:
                tracked[name] = None
            else:
                tracked.pop(name, None)
        property_ = getattr(type(self), name, None)
        if isinstance(property_, property) and property_.fset is not None:
            property_.fset(self, value)
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        self._tracked.pop(name, None)
        if isinstance(value, Variable):
            for group in (self._trainable_variables, self._non_trainable_variables):
                group[:] = [one for one in group if one is not value]
        object.__delattr__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name in spelling.OLD_ATTRIBUTES:
            return spelling.old_attribute(self, name)
        return super().__getattr__(name)

    def _track_variable(self, variable: Variable) -> None:
        for group in (self._trainable_variables, self._non_trainable_variables):
            if any(one is variable for one in group):
                return
        if variable.trainable:
            self._trainable_variables.append(variable)
        else:
            self._non_trainable_variables.append(variable)

    def _tracked_values(self, kind: Any) -> Iterator[Any]:
        """Attributes of `kind` (a class or predicate), in the order they were set."""
        seen: set[int] = set()

        def walk(value: Any) -> Iterator[Any]:
            if kind(value):
                if id(value) not in seen:
                    seen.add(id(value))
                    yield value
            elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
                seen.add(id(value))  # a list may hold itself
                for item in value.values() if isinstance(value, dict) else value:
                    yield from walk(item)

        for name in list(self._tracked):
            yield from walk(self.__dict__.get(name))

    @property
    def _layers(self) -> list:
        if not self._tracked:
            return []
        return list(self._tracked_values(lambda value: isinstance(value, Layer)))

    @property
    def _metrics(self) -> list:
        return list(self._tracked_values(_is_metric)) if self._tracked else []

    def _flatten_layers(self, recursive: bool = True, include_self: bool = True) -> list:
        found: list = [self] if include_self else []
        seen = {id(self)}
        pending = list(self._layers)
        while pending:
            layer = pending.pop(0)
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            found.append(layer)
            if recursive:
                pending = list(layer._layers) + pending
        return found

    # Dtypes

    @property
    def dtype_policy(self) -> Any:
        """The dtype policy."""
        policy = self._dtype_policy
        if isinstance(policy, policies.DTypePolicyMap):
            return policy[self.path]
        return policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        policy = policies.get(value)
        own = self.__dict__.get("_dtype_policy")
        mode = policy.quantization_mode
        known = getattr(self, "_is_quantized", False) or self.__dict__.get("_quantizing")
        implied = mode is not None and self.built and not known
        if implied and mode in ("gptq", "awq"):
            name = mode.upper()
            raise ValueError(
                f"Implicitly enabling {name} quantization by setting `dtype_policy` to {value!r} is"
                f" not supported. Call `quantize('{mode}', config={name}Config(...))`."
            )
        if isinstance(own, policies.DTypePolicyMap) and self.built:
            if self.path in own:
                del own[self.path]
            own[self.path] = policy
        else:
            object.__setattr__(self, "_dtype_policy", policy)
        if implied:
            # A block size in the name of the policy counts.
            config = {} if not hasattr(policy, "block_size") else {"block_size": policy.block_size}
            kind = registry.quantizers.find(f"{mode.capitalize()}QuantizationConfig")
            self.quantize(mode, config=kind(**config))
        if mode is not None:
            self._call_quantized()

    @property
    def dtype(self) -> str:
        """Alias of `variable_dtype`."""
        return self.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype in which the layer computes."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype in which the layer keeps its variables."""
        return self.dtype_policy.variable_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that floating inputs are cast to."""
        return self.compute_dtype

    # Quantization

    @property
    def quantization_mode(self) -> str | None:
        """How the weights are quantized, or None."""
        return self.dtype_policy.quantization_mode

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Quantize the weights. Layers that can be quantized define it.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`. Defaults to that of `config`.
            type_check: Boolean, default True. Whether subclasses of such layers refuse.
            config: `keras.quantizers.QuantizationConfig`. Defaults to that of the mode.

        Raises:
            NotImplementedError: if the layer cannot be quantized.
            ValueError: if it is not built, or quantized already.
        """
        raise self._lacks("quantize")

    def quantized_build(self, input_shape: Any, mode: Any) -> None:
        """Make the variables of a quantized layer. Layers that can be quantized define it."""
        raise self._lacks("quantized_build")

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """What a call of a quantized layer computes: `_int8_call`, `_int4_call`, ..."""
        mode = self.quantization_mode
        if mode not in policies.QUANTIZATION_MODES:
            raise NotImplementedError(
                f"Invalid quantization mode. Expected one of {policies.QUANTIZATION_MODES}."
                f" Received: quantization_mode={mode}"
            )
        return getattr(self, f"_{mode}_call")(*args, **kwargs)

    def _call_quantized(self) -> None:
        """Let calls of a user's layer that computes otherwise when quantized do so."""
        name = f"_{self.quantization_mode}_call"
        own = next((base for base in type(self).__mro__ if name in base.__dict__), Layer)
        if not own.__module__.startswith("minikeras."):
            self.__dict__["call"] = self.quantized_call

    # Shape checks

    @property
    def input_spec(self) -> Any:
        """`InputSpec`, or a structure of them, that inputs are checked against."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        object.__setattr__(self, "_input_spec", value)

    # Building

    def build(self, *shapes: Any, **named_shapes: Any) -> None:
        """Make the variables, from the shapes of the inputs. Override it."""
        self.built = True

    build._is_default = True  # type: ignore[attr-defined]

    def get_build_config(self) -> dict | None:
        """What `build_from_config` needs: the shapes the layer was built with."""
        shapes = self.__dict__.get("_build_shapes")
        if shapes is None:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": dict(shapes)}

    def build_from_config(self, config: dict) -> None:
        """Build with the shapes in `config`."""
        if not config:
            return
        if "input_shape" in config:
            self.build_with({"input_shape": _as_shape(config["input_shape"])}, single=True)
        elif "shapes_dict" in config:
            self.build_with({key: _as_shape(value) for key, value in config["shapes_dict"].items()})

    def build_with(self, shapes: dict, single: bool = False) -> None:
        """Build, from shapes by argument name (`inputs_shape`, ...), unless it is built."""
        if self.built:
            return
        # Variables that `build` sets are set, also where shapes are being inferred.
        inferring, state.inferring = state.inferring, False
        try:
            self._build_in_scope(shapes, single)
        finally:
            state.inferring = inferring
        self._post_build()

    def _build_in_scope(self, shapes: dict, single: bool) -> None:
        with name_scope(self.name, caller=self):
            names = _build_parameters(type(self))
            values = list(shapes.values())
            self.__dict__["_build_shapes"] = dict(shapes)
            if getattr(type(self).build, "_is_default", False):
                self.build(*values[:1])
            elif len(names) == 1 or single:
                self.build(*values[:1])
            elif all(name in names for name in shapes):
                self.build(**shapes)
            else:
                self.build(*values[: len(names) or None])
            self.__dict__["built"] = True
            if not self._trainable:
                # Made frozen: so are the variables that there are now.
                self.trainable = False

    def _post_build(self) -> None:
        """Hook after building."""

    def _build_at_init(self) -> None:
        """Count as built, at the end of a constructor, unless a subclass has a `build` to run."""
        if getattr(type(self).build, "_is_default", False):
            self.built = True
            self._post_build()

    def _maybe_build(self, args: tuple, kwargs: dict) -> None:
        shapes: dict[str, Any] = {}
        names = _call_parameters(type(self))
        for position, argument in enumerate(args):
            shape = _shape_of(argument)
            if shape is not None:
                name = names[position] if position < len(names) else f"args_{position}"
                shapes[f"{name}_shape"] = shape
        wanted = _build_parameters(type(self))
        for name, argument in kwargs.items():
            if name in ("mask", "training"):
                continue
            if name.endswith("_mask") and f"{name}_shape" not in wanted:
                continue
            shape = _shape_of(argument)
            if shape is not None:
                shapes[f"{name}_shape"] = shape
        if not shapes:
            shapes = {"input_shape": None}
        self.build_with(shapes)

    # Calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 1:
            args, kwargs = _name_training(type(self), args, kwargs)
        float_dtype = self._cast_dtype()
        args = tuple(_convert(argument, float_dtype) for argument in args)
        if kwargs:
            kwargs = {key: _convert(value, float_dtype) for key, value in kwargs.items()}
        if self._input_spec is not None and args:
            check_inputs(self._input_spec, args[0], self.name)
        elif not args and self._input_spec is not None and kwargs:
            first = kwargs.get(_first_call_parameter(type(self)) or "")
            if first is not None:
                check_inputs(self._input_spec, first, self.name)
        if any_symbolic(args) or kwargs and any_symbolic(kwargs):
            return self.symbolic_call(*args, **kwargs)
        if not self.built:
            self._maybe_build(args, kwargs)
            if self._input_spec is not None and args:
                check_inputs(self._input_spec, args[0], self.name)
        return self._call_in_run(args, kwargs)

    def _cast_dtype(self) -> np.dtype | None:
        if not self.autocast:
            return None
        policy = self._dtype_policy
        if isinstance(policy, policies.DTypePolicyMap):
            policy = self.dtype_policy
        return policy.input_array_dtype

    def _call_in_run(self, args: tuple, kwargs: dict) -> Any:
        """The body of a call on tensors: training flag, masks, activity regularizer."""
        outer = state.run
        explicit = kwargs.get("training")
        if getattr(explicit, "shape", ()):
            # The second argument of a model, where a guide of Keras 2 passed targets.
            explicit = kwargs["training"] = bool(np.any(explicit))
        takes_training = _accepts(type(self), "training")
        if "training" in kwargs and (explicit is None or not takes_training):
            kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        training = explicit
        if training is None:
            training = outer.training if outer is not None else state.learning_phase
            if training is None and takes_training:
                training = _default_of(type(self), "training")
        if takes_training and not self._runs_kernel():
            if training is not None:
                kwargs = {**kwargs, "training": bool(training)}
            elif "training" not in _parameters_of(type(self))[1]:
                kwargs = {**kwargs, "training": None}  # `call(self, inputs, training)` of Keras 2
        elif self._runs_kernel():
            kwargs.pop("training", None)
        if training is not None:
            training = bool(training)
        previous_masks = self._gather_masks(args, kwargs)
        run = outer
        if outer is None or outer.training is not training:
            run = Run(training)
            if outer is not None:
                run.recording, run.sink, run.losses = outer.recording, outer.sink, outer.losses
        if outer is None:
            self._clear_losses()
        state.run = run
        autocast = state.autocast
        try:
            with name_scope(self.name, caller=self):
                if autocast is not None or self._dtype_policy.is_mixed:
                    state.autocast = self._variables_read_in()
                outputs = self.call(*args, **kwargs)
        finally:
            state.run, state.autocast = outer, autocast
        if self.activity_regularizer is not None:
            self._regularize_activity(outputs)
        if previous_masks is not None:
            self._set_masks(args, outputs, previous_masks)
        elif self._makes_masks():
            self._set_masks(args, outputs, None)
        return outputs

    def _variables_read_in(self) -> str | None:
        """The dtype that floating variables are read in while the layer is called; None: theirs."""
        compute = self.compute_dtype
        if state.autocast is None:
            return compute if compute != self.variable_dtype else None
        return compute if self.autocast and dtypes.is_float(compute) else None

    def _narrow(self, outputs: Any) -> Any:
        """Outputs that a kernel made with wider variables, in the compute dtype."""
        wide, narrow = self.variable_dtype, dtypes.to_numpy_dtype(self.compute_dtype)
        if wide == self.compute_dtype:
            return outputs
        return tree.map_structure(
            lambda one: (
                cast_tensor(one, narrow) if dtypes.standardize_dtype(one.dtype) == wide else one
            ),
            outputs,
        )

    def _runs_kernel(self) -> bool:
        return not self.composite

    def call_own_kernel(self, *args: Any, **kwargs: Any) -> Any:
        # Reached by `super().call(x, training=...)` in a subclass of a kernel layer too.
        training = kwargs.pop("training", None)
        leaves: list = []
        for argument in args:
            if isinstance(argument, (list, tuple, dict)):
                tree._flatten(argument, leaves)
            else:
                leaves.append(argument)
        first = kwargs.pop("inputs", None)
        if first is not None:
            leaves[:0] = tree.flatten(first)
        if self._computes_floats:
            dtype = self._cast_dtype()
            leaves = [as_input(leaf, dtype, "iu") for leaf in leaves]
        for key, value in kwargs.items():
            if isinstance(value, (Tensor, Variable)):
                kwargs[key] = value.array
        if training is None or (state.run is not None and state.run.training == training):
            outputs = call_kernel(self, leaves, kwargs)
            return self._narrow(outputs) if self._dtype_policy.is_mixed else outputs
        outer = state.run
        state.run = Run(bool(training))
        if outer is not None:
            state.run.recording, state.run.sink = outer.recording, outer.sink
            state.run.losses = outer.losses
        try:
            outputs = call_kernel(self, leaves, kwargs)
            return self._narrow(outputs) if self._dtype_policy.is_mixed else outputs
        finally:
            state.run = outer

    # Whether an activity regularizer is divided by the batch size; see `dialects.eras`.
    _activity_mean = True
    # Whether only a mask that is given counts beside `initial_state`, as in models of Keras 3.
    _states_lose_masks = False

    def _regularize_activity(self, outputs: Any) -> None:
        for output in tree.flatten(outputs):
            if isinstance(output, Tensor):
                size = output.shape[0] if output.shape and self._activity_mean else 1
                self.add_loss(self.activity_regularizer(output) / max(size, 1))

    # Masks

    def _makes_masks(self) -> bool:
        return type(self).compute_mask is not Layer.compute_mask

    def _gather_masks(self, args: tuple, kwargs: dict) -> Any:
        """Masks of the first argument (None if there are none); passed to `call` where it asks."""
        masks, given = None, kwargs.get("mask")
        names = _call_parameters(type(self))
        for position, argument in enumerate(args):
            mask = _masks_of(argument)
            if mask is None:
                continue
            if position == 0:
                masks = mask
            name = names[position] if position < len(names) else None
            key = "mask" if position == 0 and _accepts(type(self), "mask") else f"{name}_mask"
            if _accepts(type(self), key) and kwargs.get(key) is None:
                kwargs[key] = mask
        for name in list(kwargs):
            mask = _masks_of(kwargs[name])
            if mask is not None and not name.endswith("mask"):
                first = name == _first_call_parameter(type(self))
                if first:
                    masks = mask
                key = "mask" if first and _accepts(type(self), "mask") else f"{name}_mask"
                if _accepts(type(self), key) and kwargs.get(key) is None:
                    kwargs[key] = mask
        if masks is None and kwargs.get("mask") is not None:
            masks = kwargs["mask"]
        if self._states_lose_masks:
            states = args[1] if args[1:] else kwargs.get("initial_state")
            kwargs["mask"] = kwargs.get("mask") if states is None else given
        return masks

    def _set_masks(self, args: tuple, outputs: Any, masks: Any) -> None:
        inputs = args[0] if len(args) == 1 else list(args)
        if len(args) > 1 and not self._makes_masks():
            inputs = args[0]
        produced = self.compute_mask(inputs, masks)
        if produced is None:
            return
        leaves = tree.flatten(outputs)
        found = tree.flatten(produced)
        if len(found) == 1 and len(leaves) > 1:
            found = found + [None] * (len(leaves) - 1)
        for leaf, mask in zip(leaves, found):
            if isinstance(leaf, (Tensor, KerasTensor)) and mask is not None:
                if getattr(leaf, "_keras_mask", None) is None:
                    leaf._keras_mask = mask

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output; by default the one of the input, if masks are supported."""
        return previous_mask if self.supports_masking else None

    # Symbolic calls

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        if not self.built:
            self._maybe_build(args, kwargs)
            if self._input_spec is not None and args:
                check_inputs(self._input_spec, args[0], self.name)
        masks = self._gather_masks(args, call_options := dict(kwargs))
        with name_scope(self.name, caller=self):
            outputs = self.compute_output_spec(*args, **call_options)
        Node(self, args, kwargs, outputs)
        if masks is not None or self._makes_masks():
            self._set_masks(args, outputs, masks)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs as `KerasTensor`s, from symbolic inputs."""
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            kwargs.pop("training", None)
            shapes = [_shape_of(argument) for argument in args]
            shapes += [
                _shape_of(value)
                for key, value in kwargs.items()
                if not key.endswith("mask") and _shape_of(value) is not None
            ]
            result = self.compute_output_shape(
                *[shape for shape in shapes if shape is not None][
                    : _count_parameters(type(self).compute_output_shape)
                ]
            )
            return _spec_of_shapes(result, self.compute_dtype)
        return self._infer_output_spec(args, kwargs)

    def _infer_output_spec(self, args: tuple, kwargs: dict) -> Any:
        return infer_spec(lambda *a, **k: self._call_in_run(a, k), args, kwargs, self)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output, from the shape of the input (a tuple with None allowed)."""
        if type(self).call is Operation.call and type(self).forward is Operation.forward:
            raise self._lacks("compute_output_shape")
        with_shape = self.compute_output_spec(
            *(_spec_of_shapes(shape, self.compute_dtype) for shape in args),
            **{
                key.removesuffix("_shape"): _spec_of_shapes(shape, self.compute_dtype)
                for key, shape in kwargs.items()
            },
        )
        return tree.map_structure(lambda tensor: tensor.shape, with_shape)

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple:
        """Call with these values in the place of the variables, which stay as they are.

        Args:
            trainable_variables: List of arrays, one for each of `trainable_variables`.
            non_trainable_variables: List of arrays, one for each of `non_trainable_variables`.
            *args: Arguments of the call.
            return_losses: Boolean, default False. Whether `losses` are returned as well.
            **kwargs: Keyword arguments of the call.

        Returns:
            `(outputs, non_trainable_variables)`, or `(outputs, non_trainable_variables, losses)`.

        Raises:
            ValueError: if the layer is not built, or a list is of another length.
        """
        if not self.built:
            raise ValueError(
                f"To call stateless_call, {type(self).__name__} must be built. Call it on some data"
                " first, or call its `build`."
            )
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        given = {
            "trainable_variables": (trainable_variables, self.trainable_variables),
            "non_trainable_variables": (non_trainable_variables, self.non_trainable_variables),
        }
        for name, (values, own) in given.items():
            if len(values) != len(own):
                raise ValueError(
                    f"Argument `{name}` must be a list with a value for each of the {len(own)}"
                    f" variables of {type(self).__name__}.{name}. Received {len(values)}."
                )
        kept = [variable.numpy() for variable in variables]
        try:
            for variable, value in zip(variables, [*trainable_variables, *non_trainable_variables]):
                variable.assign(value)
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else []
            state_now = [Tensor(variable.numpy()) for variable in self.non_trainable_variables]
        finally:
            for variable, value in zip(variables, kept):
                variable.assign(value)
        return (outputs, state_now, losses) if return_losses else (outputs, state_now)

    def rematerialized_call(self, layer_call: Callable, *args: Any, **kwargs: Any) -> Callable:
        """`layer_call` itself: the backward pass here keeps little, and computes nothing again."""
        return layer_call

    # Losses

    def add_loss(self, loss: Any) -> None:
        """Add a scalar, or the sum of a tensor, to the loss of the model; use it inside `call`."""
        if state.inferring:
            return
        pass_losses = None if state.run is None else state.run.losses
        if self._losses_of_call is not pass_losses:
            # The first loss of a new pass: those of the last one are done with.
            self._loss_terms.clear()
            self.__dict__["_losses_of_call"] = pass_losses
        for one in tree.flatten(loss):
            if callable(one) and not isinstance(one, (Tensor, Variable)):
                one = one()
            self._loss_terms.append(one)
            if state.run is not None:
                # As Keras counts what is no scalar.
                summed = isinstance(one, Tensor) and one.ndim
                counted = import_module("minikeras.ops").sum(one) if summed else one
                state.run.losses.append(counted)

    def _clear_losses(self) -> None:
        self._loss_terms.clear()
        for layer in self._flatten_layers(include_self=False):
            layer._loss_terms.clear()

    @property
    def losses(self) -> list:
        """Scalars added by `add_loss`, activity regularizers and weight regularizers."""
        losses: list = []
        for layer in self._flatten_layers():
            losses.extend(layer._loss_terms)
        for variable in self.trainable_weights:
            if variable.regularizer is not None:
                losses.append(variable.regularizer(variable))
        return losses

    # Trainable

    @property
    def trainable(self) -> bool:
        """Whether the layer's variables train."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self.__dict__["_trainable"] = value
        for variable in self._trainable_variables:
            variable.trainable = value
        for layer in self._layers:
            layer.trainable = value
        trainable_changed()

    def has_trainable_variables(self) -> bool:
        return any(variable.trainable for variable in self.trainable_variables)

    # Configuration

    def get_config(self) -> dict:
        """The configuration; `from_config` makes the same layer of it."""
        base = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_config(self._dtype_policy),
        }
        if self.activity_regularizer is not None:
            from minikeras.engine import serialization

            base["activity_regularizer"] = serialization.serialize(self.activity_regularizer)
        if not getattr(type(self).get_config, "_is_default", False) or type(self) is Layer:
            return base
        return {**base, **Operation.get_config(self), "dtype": base["dtype"]}

    get_config._is_default = True  # type: ignore[attr-defined]

    @property
    def path(self) -> str:
        """The path of the layer: the scopes it was built in, and its name."""
        return self.__dict__.get("_path", self.name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __str__(self) -> str:
        return repr(self)


def _missing(name: str) -> Callable:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise self._lacks(name)

    return call


for _mode in policies.QUANTIZATION_MODES:
    setattr(Layer, f"_{_mode}_call", _missing(f"_{_mode}_call"))


def _checked(quantize: Callable) -> Callable:
    """`quantize` with its arguments checked and completed."""

    @functools.wraps(quantize)
    def wrapper(self: Any, mode: Any = None, config: Any = None, **kwargs: Any) -> None:
        if self.__dict__.get("_quantizing"):
            quantize(self, mode=mode, config=config, **kwargs)
            return
        config = registry.quantizers.function("resolve_config")(mode, config)
        if not self.built:
            raise ValueError(
                f"Cannot quantize a layer that isn't yet built. Layer '{self.name}' (of type"
                f" '{type(self).__name__}') is not built yet."
            )
        if getattr(self, "_is_quantized", False):
            raise ValueError(
                f"Layer '{self.name}' is already quantized with"
                f" dtype_policy='{self.dtype_policy.name}'. Received: mode={config.mode}"
            )
        policies.check_mode(config.mode, self.compute_dtype)
        self.__dict__["_quantizing"] = True
        try:
            quantize(self, mode=config.mode, config=config, **kwargs)
        finally:
            del self.__dict__["_quantizing"]
            trainable_changed()

    return wrapper


Layer.quantize = _checked(Layer.quantize)  # type: ignore[method-assign]


def dtype_config(policy: Any) -> Any:
    """The policy as saved configs hold it."""
    from minikeras.engine import serialization

    return serialization.serialize(policy)


def _is_metric(value: Any) -> bool:
    # Layers that learn from data have these methods too.
    if isinstance(value, Layer):
        return False
    kind = type(value)  # of dicts with attributes, what lacks raises what it likes
    return hasattr(kind, "update_state") and hasattr(kind, "reset_state")


def _convert(argument: Any, float_dtype: np.dtype | None) -> Any:
    if type(argument) is Tensor or isinstance(argument, np.ndarray):
        return as_input(argument, float_dtype)
    if isinstance(argument, KerasTensor):
        return argument
    if isinstance(argument, (list, tuple, dict)):
        return tree.map_structure(lambda leaf: as_input(leaf, float_dtype), argument)
    return as_input(argument, float_dtype)


def _shape_of(argument: Any) -> Any:
    """The shape of a tensor, or the structure of shapes of a structure; None for anything else."""
    if isinstance(argument, (Tensor, KerasTensor, Variable)):
        return unknown_batch(tuple(argument.shape))
    if isinstance(argument, dict):
        shapes = {key: _shape_of(value) for key, value in argument.items()}
        return shapes if any(value is not None for value in shapes.values()) else None
    if isinstance(argument, (list, tuple)):
        found = [_shape_of(value) for value in argument]
        if not found or all(value is None for value in found):
            return None
        return found
    return None


def _as_shape(config: Any) -> Any:
    """Lists that came from JSON as shapes again."""
    if isinstance(config, dict):
        return {key: _as_shape(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        if all(value is None or isinstance(value, int) for value in config):
            return tuple(config)
        return [_as_shape(value) for value in config]
    return config


def _spec_of_shapes(shapes: Any, dtype: str) -> Any:
    if shapes is None:
        return None
    if isinstance(shapes, dict):
        return {key: _spec_of_shapes(value, dtype) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        if all(size is None or isinstance(size, (int, np.integer)) for size in shapes):
            return KerasTensor(tuple(shapes), dtype=dtype)
        return type(shapes)(_spec_of_shapes(value, dtype) for value in shapes)
    return KerasTensor(tuple(shapes), dtype=dtype)


def _masks_of(argument: Any) -> Any:
    if isinstance(argument, (Tensor, KerasTensor)):
        return argument._keras_mask
    if isinstance(argument, (list, tuple)):
        masks = [_masks_of(value) for value in argument]
        if all(mask is None for mask in masks):
            return None
        return masks if isinstance(argument, list) else tuple(masks)
    return None


def _in_own_scope(build: Callable) -> Callable:
    """`build` that may be called directly: variables get the layer's path, and it is built."""

    @functools.wraps(build)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.__dict__.get("_building"):
            return build(self, *args, **kwargs)
        self.__dict__["_building"] = True
        if "_build_shapes" not in self.__dict__ and (args or kwargs):
            names = _build_parameters(type(self))
            self.__dict__["_build_shapes"] = {**dict(zip(names, args)), **kwargs}
        try:
            with name_scope(self.name, caller=self):
                self.__dict__["_path"] = current_path()
                result = build(self, *args, **kwargs)
        finally:
            del self.__dict__["_building"]
        self.__dict__["built"] = True
        if self._build_shapes is None:
            # Called directly: files say so too.
            shapes = _signature(build).bind(self, *args, **kwargs).arguments
            self.__dict__["_build_shapes"] = dict(list(shapes.items())[1:])
        return result

    return wrapper


# Signatures, looked at once a class

_signatures: dict[tuple, Any] = {}


def _signature(function: Callable) -> inspect.Signature:
    key = (function,)
    found = _signatures.get(key)
    if found is None:
        found = _signatures[key] = inspect.signature(function)
    return found


def _call_function(cls: type) -> Callable:
    """`call` of a composite class, `forward` of a kernel class."""
    return cls.forward if not cls.composite else cls.call  # type: ignore[attr-defined]


_PARAMETERS: dict[type, tuple] = {}


def _parameters_of(cls: type) -> tuple:
    found = _PARAMETERS.get(cls)
    if found is None:
        parameters = list(_signature(_call_function(cls)).parameters.values())
        parameters = parameters[1:] if cls.composite else parameters[2:]  # type: ignore[attr-defined]
        names = [
            one.name
            for one in parameters
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
        defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
        accepted = {one.name for one in parameters if one.kind is not one.VAR_POSITIONAL}
        _PARAMETERS[cls] = found = (names, defaults, accepted)
    return found


def _name_training(cls: type, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Move a `training` that was given by position, and what follows it, to the keywords."""
    names = _parameters_of(cls)[0]
    if "training" in names:
        place = names.index("training")
        if place and len(args) > place:
            return args[:place], {**dict(zip(names[place:], args[place:])), **kwargs}
    elif not cls.composite:  # type: ignore[attr-defined]
        if isinstance(args[1], bool) or args[1] is None and len(args) > len(names):
            return (args[0], *args[2:]), {"training": args[1], **kwargs}
    return args, kwargs


def _call_parameters(cls: type) -> list:
    return _parameters_of(cls)[0]


def _first_call_parameter(cls: type) -> str | None:
    names = _parameters_of(cls)[0]
    return names[0] if names else None


def _accepts(cls: type, name: str) -> bool:
    if name == "training" and not cls.composite:  # type: ignore[attr-defined]
        return True
    return name in _parameters_of(cls)[2]


def _default_of(cls: type, name: str) -> Any:
    return _parameters_of(cls)[1].get(name)


def _build_parameters(cls: type) -> list:
    parameters = list(_signature(cls.build).parameters.values())[1:]  # type: ignore[attr-defined]
    return [
        one.name
        for one in parameters
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]


def _count_parameters(function: Callable) -> int:
    parameters = list(_signature(function).parameters.values())[1:]
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return 10**6
    return len(parameters)
