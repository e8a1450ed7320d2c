"""Layers around another layer: `TimeDistributed`, `Bidirectional`, `SpectralNormalization`."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minikeras.engine import registry, serialization, tree
from minikeras.engine.context import state
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer, _accepts
from minikeras.engine.operation import cast_tensor
from minikeras.layers.rnn import STEPS


@registry.layers.register("Wrapper")
class Wrapper(Layer):
    """The base class of layers that wrap another layer.

    Args:
        layer: The layer.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        ValueError: if `layer` is not a layer.

    Example:

    >>> import minikeras
    >>> wrapper = minikeras.layers.TimeDistributed(minikeras.layers.Dense(2))
    >>> isinstance(wrapper, minikeras.layers.Wrapper)
    True
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer!r} (of type {type(layer)}) supplied to {type(self).__name__} isn't a"
                " supported layer type. Please ensure wrapped layer is a valid Keras layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        self.layer.build_with({"input_shape": input_shape}, single=True)
        self.built = True

    def get_config(self) -> dict:
        return {**super().get_config(), "layer": serialization.serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        config = dict(config)
        layer = registry.layers.deserialize(config.pop("layer"), custom_objects)
        return cls(layer, **config)


# Layers that treat the rows of a batch alike and apart, so that the steps of all sequences can go
# through them as one large batch.
_ROW_BY_ROW = frozenset(
    """
    Activation AveragePooling1D AveragePooling2D AveragePooling3D Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D
    DepthwiseConv2D ELU EinsumDense Embedding Flatten GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GRU
    GroupNormalization InputLayer LSTM LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D
    MaxPooling3D Permute PReLU RMSNormalization ReLU RepeatVector Rescaling Reshape SeparableConv1D
    SeparableConv2D SimpleRNN Softmax UnitNormalization UpSampling1D UpSampling2D UpSampling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()
)


def _is_row_by_row(layer: Any) -> bool:
    if type(layer).__name__ in ("Sequential", "Functional") and layer._layers:
        return all(map(_is_row_by_row, layer._layers))
    name = registry.layers.canonical_name(type(layer))
    if name not in _ROW_BY_ROW or getattr(layer, "stateful", False):
        return False
    # One mask serves all steps of a recurrent layer, but not all rows of a batch of steps.
    return not (getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0))


@registry.layers.register("TimeDistributed")
class TimeDistributed(Wrapper):
    """Applies a layer to each time step by itself.

    Args:
        layer: The layer.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Of shape `(batch, time, ...)`.
        training: Boolean, passed on to the layer.
        mask: Boolean array of shape `(batch, time)`; its steps are passed on to the layer if that
            takes a mask.

    Output shape:
        `(batch, time, ...)`.

    Raises:
        ValueError: if `layer` is not a layer, if the inputs have fewer than 3 axes, or for a mask
            that does not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.TimeDistributed(minikeras.layers.Dense(2))
    >>> layer(np.zeros((4, 5, 3), "float32")).shape
    (4, 5, 2)
    """

    # How Keras 1 and 2 called the layer, once with all steps of a batch; see `dialects.eras`.
    _joins_steps = False

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _step_shape(self, input_shape: Any) -> tuple:
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise ValueError(
                "TimeDistributed expects inputs of shape (batch, time, ...), with at least 3 axes."
                f" Received: input_shape={input_shape}"
            )
        return (input_shape[0], *input_shape[2:])

    def compute_output_shape(self, input_shape: Any) -> tuple:
        step = _one(self.layer.compute_output_shape(self._step_shape(input_shape)))
        return (step[0], input_shape[1], *step[1:])

    def build(self, input_shape: Any = None) -> None:
        super().build(self._step_shape(input_shape))

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        from minikeras import ops

        batch, length = inputs.shape[:2]
        if mask is not None and (len(mask.shape) < 2 or tuple(mask.shape[:2]) != (batch, length)):
            raise ValueError(
                "The `mask` passed to the `TimeDistributed` layer has a shape"
                f" {tuple(mask.shape)} that does not begin with the batch size and the number of"
                f" steps of the inputs, {(batch, length)}. Received: inputs of shape"
                f" {tuple(inputs.shape)}"
            )
        kwargs: dict[str, Any] = {}
        if training is not None and _accepts(type(self.layer), "training"):
            kwargs["training"] = training
        masks = mask if mask is not None and _accepts(type(self.layer), "mask") else None
        if self._joins_steps or _is_row_by_row(self.layer):
            if masks is not None:
                kwargs["mask"] = ops.reshape(masks, (batch * length, *masks.shape[2:]))
            rows = ops.reshape(inputs, (batch * length, *inputs.shape[2:]))
            outputs = _one(self.layer.call(rows, **kwargs))
            return self._narrow(ops.reshape(outputs, (batch, length, *outputs.shape[1:])))
        outputs = []
        for index, step in enumerate(STEPS(inputs)):
            if masks is not None:
                kwargs["mask"] = masks[:, index]
            outputs.append(_one(self.layer.call(step, **kwargs)))
        return self._narrow(ops.stack(outputs, axis=1))


def _one(values: Any) -> Any:
    """What a list has alone: Keras 3.0 to 3.6 wrote the one output of a model so."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values


_MERGE_MODES = ("sum", "mul", "ave", "concat", None)


@registry.layers.register("Bidirectional")
class Bidirectional(Layer):
    """Runs a recurrent layer forward and a twin of it backward in time (Schuster & Paliwal 1997).

    Args:
        layer: A recurrent layer, such as `LSTM`, or any layer with the attributes `go_backwards`,
            `return_sequences`, `return_state` and `stateful`. It is copied, not used itself.
        merge_mode: How the outputs are combined: `"concat"` (default), `"sum"`, `"mul"`, `"ave"`
            (mean), or None, which returns both.
        weights: List of initial weights, forward layer first, default None.
        backward_layer: The layer for the backward direction, default None: a copy of `layer` with
            `go_backwards` switched on.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: Of shape `(batch, time, ...)`.
        initial_state: List of initial states, those of the forward layer first, default None.
        mask: Boolean array of shape `(batch, time)`.
        training: Boolean, passed on to the layers.

    Returns:
        The merged output (or both), followed by the states of the forward and of the backward
        layer if `return_state` is set.

    Raises:
        ValueError: for something that is not a recurrent layer, an unknown merge mode, or layers
            that do not match.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Bidirectional(minikeras.layers.LSTM(4, return_sequences=True))
    >>> layer(np.zeros((2, 5, 3), "float32")).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for name, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, Layer) and (name == "layer" or value is not None):
                raise ValueError(
                    f"Argument `{name}` of Bidirectional must be a `minikeras.layers.Layer`."
                    f" Received: {value!r}"
                )
            missing = [one for one in _COMMON if value is not None and not hasattr(value, one)]
            if missing:
                raise ValueError(
                    f"Argument `{name}` of Bidirectional must be a recurrent layer, such as LSTM,"
                    f" with the attributes {', '.join(_COMMON)}. Received: {value!r}"
                )
        if merge_mode not in _MERGE_MODES:
            raise ValueError(
                f"Argument `merge_mode` must be one of {_MERGE_MODES}. Received: {merge_mode!r}"
            )
        super().__init__(**kwargs)
        self.forward_layer = _twin(layer, name=f"forward_{layer.name.removeprefix('forward_')}")
        if backward_layer is None:
            backward_layer = _twin(
                layer,
                name=f"backward_{layer.name.removeprefix('backward_')}",
                go_backwards=True,
            )
        self.backward_layer = backward_layer
        if hasattr(layer, "use_cudnn"):
            self.forward_layer.use_cudnn = layer.use_cudnn
            self.backward_layer.use_cudnn = layer.use_cudnn
        self._check_layers()
        for one in (self.forward_layer, self.backward_layer):
            # A repeated output would be repeated on the wrong side of the reversed sequence.
            if getattr(one, "zero_output_for_mask", None) is not None:
                one.zero_output_for_mask = one.return_sequences
        self.merge_mode = merge_mode
        self._given_weights = list(weights) if weights else None
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def _check_layers(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                "The forward and the backward layer of Bidirectional must differ in"
                f" `go_backwards`. Received: go_backwards={forward.go_backwards} in both"
            )
        for name in _COMMON[1:]:
            values = getattr(forward, name), getattr(backward, name)
            if values[0] != values[1]:
                raise ValueError(
                    f"The forward and the backward layer of Bidirectional must have the same"
                    f" `{name}`. Received: {values[0]} and {values[1]}"
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            layer.build_with({"input_shape": sequences_shape}, single=True)
        if self._given_weights is not None:
            half = len(self._given_weights) // 2
            self.forward_layer.set_weights(self._given_weights[:half])
            self.backward_layer.set_weights(self._given_weights[half:])
            self._given_weights = None
        self.built = True

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        states: tuple = ()
        if self.return_state:
            shape, *rest = shape
            states = tuple(rest) * 2
        outputs: tuple = (tuple(shape),)
        if self.merge_mode == "concat":
            outputs = ((*shape[:-1], 2 * shape[-1]),)
        elif self.merge_mode is None:
            outputs = outputs * 2
        outputs += states
        return outputs if len(outputs) > 1 else outputs[0]

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        from minikeras import ops

        forward_state = backward_state = None
        if initial_state is not None:
            if not isinstance(initial_state, (list, tuple)) or len(initial_state) % 2:
                raise ValueError(
                    "Argument `initial_state` of Bidirectional must be a list of the states of the"
                    " forward layer, followed by those of the backward layer. Received:"
                    f" {initial_state!r}"
                )
            half = len(initial_state) // 2
            forward_state = list(initial_state[:half])
            backward_state = list(initial_state[half:])
        outputs: list[Any] = []
        states: list[Any] = []
        for layer, own in (
            (self.forward_layer, forward_state),
            (self.backward_layer, backward_state),
        ):
            kwargs: dict[str, Any] = {}
            if training is not None and _accepts(type(layer), "training"):
                kwargs["training"] = training
            if mask is not None and _accepts(type(layer), "mask"):
                kwargs["mask"] = mask
            if own is not None:
                kwargs["initial_state"] = own
            output = layer(sequences, **kwargs)
            if self.return_state:
                output, *last = output
                states += last
            dtype = self._cast_dtype()
            outputs.append(output if dtype in (None, output.dtype) else cast_tensor(output, dtype))
        forward, backward = outputs
        if self.return_sequences:
            backward = ops.flip(backward, axis=1)
        if self.merge_mode == "concat":
            result: tuple = (ops.concatenate([forward, backward], axis=-1),)
        elif self.merge_mode == "mul":
            result = (forward * backward,)
        elif self.merge_mode is None:
            result = (forward, backward)
        else:
            total = forward + backward
            result = (total / 2 if self.merge_mode == "ave" else total,)
        result += tuple(states)
        return result if len(result) > 1 else result[0]

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = tree.flatten(mask)[0] if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask

    def reset_states(self) -> None:
        """Alias of `reset_state`."""
        self.reset_state()

    def reset_state(self) -> None:
        """Set the states that a stateful layer remembers to zero.

        Raises:
            AttributeError: if the layer is not stateful.
        """
        if not self.stateful:
            raise AttributeError(
                f"Layer {self.name!r} is not stateful: there is no state to reset. Make the wrapped"
                " layer with `stateful=True`."
            )
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    @property
    def states(self) -> Any:
        """The states that stateful layers remember, forward layer first; None without."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialization.serialize(self.forward_layer),
            "backward_layer": serialization.serialize(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Bidirectional:
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = registry.layers.deserialize(config[name], custom_objects)
        return cls(**config)


_COMMON = ("go_backwards", "stateful", "return_sequences", "return_state")


def _twin(layer: Any, **changes: Any) -> Any:
    """A new layer with the configuration of `layer`, but for `changes`."""
    # The layer at hand vouches for the classes and functions that it is made of.
    known: dict[str, Any] = {}
    for one in layer._flatten_layers():
        for value in (one, *vars(one).values()):
            if hasattr(value, "get_config") and not inspect.isclass(value):
                known[type(value).__name__] = type(value)
            elif inspect.isfunction(value):
                known[value.__name__] = value
    config = {**layer.get_config(), **changes}
    for name in config:
        value = getattr(layer, name, None)
        if inspect.isfunction(value) and serialization.home_of(value) is None:
            config[name] = value
    with registry.custom_objects(known):
        return type(layer).from_config(config)


@registry.layers.register("SpectralNormalization")
class SpectralNormalization(Wrapper):
    """Keeps the largest singular value of a layer's kernel at 1 (Miyato et al., 2018).

    Each training call divides the kernel by its largest singular value, which power iterations
    estimate.

    Args:
        layer: A layer with a `kernel` or `embeddings`.
        power_iterations: Integer. Defaults to 1. Iterations a call.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the layer.

    Raises:
        ValueError: if `power_iterations` is not positive, or the layer has no kernel.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.SpectralNormalization(minikeras.layers.Dense(2))
    >>> layer(np.ones((3, 4), "float32"), training=True).shape
    (3, 2)
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(
                "`power_iterations` should be greater than zero. Received:"
                f" `power_iterations={power_iterations}`"
            )
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        """Build the layer, and make the vector of the power iterations."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        for name in ("kernel", "embeddings"):
            if getattr(self.layer, name, None) is not None:
                # So it is one of the wrapper's own variables too, as files of Keras have it.
                self.kernel = getattr(self.layer, name)
                break
        else:
            raise ValueError(
                f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'"
            )
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, self.kernel.shape[-1]),
            initializer=registry.initializers.find("TruncatedNormal")(stddev=0.02),
            trainable=False,
            dtype=self.kernel.dtype,
        )
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training and not state.inferring and self.kernel.array.any():
            u, kernel = self.normalized_weights()
            self.vector_u.array[...] = u
            self.kernel.array[...] = kernel
        return self._narrow(self.layer(inputs))

    def normalized_weights(self) -> tuple:
        """The vector after the power iterations, and the kernel divided by its singular value."""
        kernel, u = self.kernel.array, self.vector_u.array
        weights = kernel.reshape(-1, kernel.shape[-1])
        for _ in range(self.power_iterations):
            v = _unit(u @ weights.T)
            u = _unit(v @ weights)
        return u, kernel / (v @ weights @ u.T)[0, 0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the layer's output."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector: Any) -> Any:
    return vector / np.maximum(np.sqrt(np.square(vector).sum()), 1e-12)
