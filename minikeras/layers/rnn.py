"""The layer that runs any cell over the steps of a sequence.

What recurrent cells share: arguments, dropout masks, the kernel over a whole sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry, tree
from minikeras.engine.context import Context, state
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, as_input, call_kernel
from minikeras.engine.recording import activate, activate_backward, is_linear
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable, plain
from minikeras.kernels import recurrent as kernels
from minikeras.layers.recurrent_cells import (
    StackedRNNCells,
    check_cell,
    initial_state_of,
    is_builtin_cell,
    output_size_of,
    reset_dropout_masks,
)


class _Steps(Operation):
    """Cut a sequence into its time steps."""

    def forward(self, ctx: Any, x: Any) -> tuple:
        ctx.shape, ctx.dtype = x.shape, x.dtype
        return tuple(x[:, step] for step in range(x.shape[1]))

    def backward(self, ctx: Any, *douts: Any) -> Any:
        dx = np.zeros(ctx.shape, ctx.dtype)
        for step, dout in enumerate(douts):
            if dout is not None:
                dx[:, step] = dout
        return dx


STEPS = _Steps()


@registry.layers.register("RNN")
class RNN(Layer):
    """Runs a cell over the steps of a sequence.

    A cell has the method `call(inputs_at_t, states_at_t)`, which returns `(output_at_t,
    states_at_t_plus_1)`; the attribute `state_size`, an integer or a list of one integer a state;
    and, if it differs from the size of the first state, `output_size`. It may have
    `get_initial_state(batch_size=None)`; states start with zeros otherwise.

    Args:
        cell: The cell, or a list of cells that are stacked.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps, not
            only the last.
        return_state: Boolean, default False. Whether to return the last states too.
        go_backwards: Boolean, default False. Whether to process time in reverse; the outputs come
            in the order of processing.
        stateful: Boolean, default False. Whether a batch starts with the last states of the
            batch before. Needs a fixed batch size.
        unroll: Boolean, default False. Accepted; it makes no difference here.
        zero_output_for_mask: Boolean, default False. Whether the output of a masked step is zero
            instead of the output of the step before.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Call arguments:
        sequences: Of shape `(batch, time, ...)`.
        initial_state: List of initial states, default None (zeros, or what a stateful layer
            remembers).
        mask: Boolean array of shape `(batch, time)`. A masked step keeps the states and repeats
            the output of the step before (zeros at the start).
        training: Boolean, passed on to the cell.

    Output shape:
        `(batch, time, output_size)` with `return_sequences`, else `(batch, output_size)`. With
        `return_state` a tuple of it and the states.

    Raises:
        ValueError: for a cell without `call` or `state_size`, a stateful layer without a batch
            size, or initial states of wrong number or shape.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> from minikeras import ops
    >>> class MinimalCell(minikeras.layers.Layer):
    ...     def __init__(self, units, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.state_size = units
    ...     def build(self, input_shape):
    ...         shape = (input_shape[-1], self.state_size)
    ...         self.kernel = self.add_weight(shape=shape, name="kernel")
    ...     def call(self, inputs, states):
    ...         output = ops.tanh(ops.matmul(inputs, self.kernel) + states[0])
    ...         return output, [output]
    >>> layer = minikeras.layers.RNN(MinimalCell(4))
    >>> layer(np.ones((2, 5, 3), "float32")).shape
    (2, 4)
    """

    _no_track = Layer._no_track | {"states"}
    _input_axes = (None,)

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(cell, "Argument `cell`")
        super().__init__(**kwargs)
        self.zero_output_for_mask = zero_output_for_mask
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.supports_masking = True
        self.input_spec = None
        self.states: Any = None
        self._expected_batch_size: int | None = None
        size = cell.state_size
        if not isinstance(size, (list, tuple, int, np.integer)):
            raise ValueError(
                "Attribute `state_size` of the cell must be an integer, or a list of one integer a"
                f" state. Received: state_size={size!r}"
            )
        self.single_state = not isinstance(size, (list, tuple))
        self.state_size: list = [size] if self.single_state else list(size)  # type: ignore[arg-type]

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, length = sequences_shape[:2]
        output_size = output_size_of(self.cell)
        if not isinstance(output_size, (int, np.integer)):
            raise ValueError(
                f"Attribute `output_size` of the cell must be an integer. Received: {output_size!r}"
            )
        output: tuple = (batch, length) if self.return_sequences else (batch,)
        output = (*output, int(output_size))
        if not self.return_state:
            return output
        states = [
            [(batch, one) for one in size] if isinstance(size, (list, tuple)) else (batch, size)
            for size in self.state_size
        ]
        return (output, *states)

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = tree.flatten(mask)[0]
        output_mask = mask if self.return_sequences else None
        if self.return_state:
            return [output_mask] + [None] * len(self.state_size)
        return output_mask

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        step_shape = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer):
            self.cell.build_with({"input_shape": step_shape}, single=True)
        self.built = True
        if not self.stateful:
            return
        if self.states is not None:
            self.reset_state()
            return
        batch = sequences_shape[0]
        if batch is None:
            raise ValueError(
                f"{type(self).__name__}(stateful=True) needs a fixed batch size. Received inputs of"
                f" shape {sequences_shape}. Use `Input(batch_shape=(batch, time, features))`."
            )
        self.states = tree.map_structure(
            lambda value: Variable(
                plain(value), dtype=self.variable_dtype, trainable=False, name="rnn_state"
            ),
            self.get_initial_state(batch),
        )
        self._expected_batch_size = batch

    def get_initial_state(self, batch_size: int) -> list:
        """The states before the first step, as a list."""
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        own = initial_state_of(self.cell, batch_size, dtype)
        return list(own) if tree.is_nested(own) else [own]

    def reset_states(self) -> None:
        """Alias of `reset_state`."""
        self.reset_state()

    def reset_state(self) -> None:
        """Set the states that a stateful layer remembers to zero."""
        for variable in tree.flatten(self.states) if self.states is not None else ():
            variable.array[...] = 0

    # Running

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = False,
    ) -> Any:
        batch, length = sequences.shape[:2]
        if length == 0:
            raise ValueError(
                f"{type(self).__name__} needs sequences of at least one step. Received inputs of"
                f" shape {tuple(sequences.shape)}"
            )
        mask = self._time_mask(mask, batch, length)
        if self.stateful and self._expected_batch_size not in (None, batch):
            raise ValueError(
                f"{type(self).__name__}(stateful=True) expects the batch size it was built with,"
                f" {self._expected_batch_size}. Received inputs of batch size {batch}."
            )
        if initial_state is None and self.stateful and not state.inferring:
            # Copies, because the variables change below.
            initial_state = tree.map_structure(
                lambda variable: Tensor(variable.array.copy()), self.states
            )
        states = self._start(initial_state, batch)
        if is_builtin_cell(self.cell):
            output, *states = self._run_builtin([self.cell], [states], sequences, mask)
            states = states[0]
        elif isinstance(self.cell, StackedRNNCells) and self._stacks_builtin_cells():
            nested = [one if isinstance(one, list) else [one] for one in states]
            output, *last = self._run_builtin(self.cell.cells, nested, sequences, mask)
            states = [
                list(new) if isinstance(old, list) else new[0] for old, new in zip(states, last)
            ]
        else:
            output, states = self._loop(sequences, states, mask)
        reset_dropout_masks(self.cell)
        states = tree.map_structure(self._cast, states)
        if self.stateful and not state.inferring:
            for variable, value in zip(tree.flatten(self.states), tree.flatten(states)):
                variable.assign(plain(value))
        output = self._cast(output)
        return (output, *states) if self.return_state else output

    def _cast(self, x: Any) -> Any:
        return as_input(x, self._cast_dtype()) if isinstance(x, Tensor) else x

    def _time_mask(self, mask: Any, batch: int, length: int) -> Any:
        mask = plain(tree.flatten(mask)[0])
        if mask is None:
            return None
        mask = np.asarray(mask, dtype=bool)
        if mask.shape not in ((batch, length), (batch, length, 1)):
            raise ValueError(
                f"Argument `mask` of {type(self).__name__} must be of shape (batch, time) ="
                f" {(batch, length)}. Received a mask of shape {mask.shape}"
            )
        return mask.reshape(batch, length)

    def _start(self, given: Any, batch: int) -> list:
        """The initial states as a list; None stands for zeros of a built-in cell."""
        builtin = is_builtin_cell(self.cell)
        if given is None:
            return [None] * len(self.state_size) if builtin else self.get_initial_state(batch)
        states = list(given) if tree.is_nested(given) else [given]
        expected, found = self._state_shapes(batch), tree.flatten(states)
        if [tuple(one.shape) for one in found] != expected:
            raise ValueError(
                f"Argument `initial_state` of {type(self).__name__} must hold {len(expected)}"
                f" array(s) of shape(s) {expected}, one a state. Received shape(s)"
                f" {[tuple(one.shape) for one in found]}"
            )
        return [self._cast(one) if isinstance(one, Tensor) else one for one in states]

    def _state_shapes(self, batch: int) -> list:
        return [(batch, size) for size in tree.flatten(self.state_size)]

    def _stacks_builtin_cells(self) -> bool:
        return type(self.cell) is StackedRNNCells and all(map(is_builtin_cell, self.cell.cells))

    def _run_builtin(self, cells: list, states: list, sequences: Any, mask: Any) -> tuple:
        """One cell after the other, each over the whole sequence."""
        last_states = []
        for index, (cell, own) in enumerate(zip(cells, states)):
            final = index == len(cells) - 1
            sequences, *new = run_cell(
                cell,
                sequences,
                own,
                mask=mask,
                sequences=self.return_sequences or not final,
                go_backwards=self.go_backwards and index == 0,
                zero_output_for_mask=self.zero_output_for_mask and final,
            )
            if self.go_backwards and index == 0 and mask is not None:
                mask = mask[:, ::-1]
            last_states.append(new)
        return (sequences, *last_states)

    def _loop(self, sequences: Any, states: list, mask: Any) -> tuple:
        """Step by step, for cells of the user's own."""
        from minikeras import ops

        steps = list(STEPS(sequences))
        live = None if mask is None else list(mask.T)
        if self.go_backwards:
            steps.reverse()
            live = None if live is None else live[::-1]
        step = self.cell if callable(self.cell) else self.cell.call
        outputs = []
        output: Any = None
        for index, x in enumerate(steps):
            new, new_states = step(x, tuple(states))
            new_states = list(new_states) if tree.is_nested(new_states) else [new_states]
            new_states = tree.pack_sequence_as(states, tree.flatten(new_states))
            if live is not None and not live[index].all():
                if output is None or self.zero_output_for_mask:
                    output = ops.zeros_like(new)
                new = _where(live[index], new, output)
                new_states = tree.map_structure(
                    lambda after, before: _where(live[index], after, before),  # noqa: B023
                    new_states,
                    states,
                )
            output, states = new, new_states
            outputs.append(output)
        return (ops.stack(outputs, axis=1) if self.return_sequences else output), states

    def get_config(self) -> dict:
        from minikeras.engine import serialization

        return {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "cell": serialization.serialize(self.cell),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> RNN:
        config = dict(config)
        cell = registry.layers.deserialize(config.pop("cell"), custom_objects)
        return cls(cell, **config)


def _where(live: Any, new: Any, old: Any) -> Any:
    from minikeras import ops

    return ops.where(live.reshape(-1, *(1,) * (len(new.shape) - 1)), new, old)


_REGISTRY_OF_SUFFIX = {
    "activation": registry.activations,
    "initializer": registry.initializers,
    "regularizer": registry.regularizers,
    "constraint": registry.constraints,
}


def _registry_of(name: str) -> Any:
    return _REGISTRY_OF_SUFFIX.get(name.rsplit("_", 1)[-1])


def set_arguments(layer: Any, arguments: dict) -> None:
    """Set constructor arguments as attributes, resolving names of activations, initializers, ..."""
    for name, value in arguments.items():
        home = _registry_of(name)
        if home is registry.activations and value is None:
            value = "linear"
        setattr(layer, name, value if home is None else home.get(value))


def arguments_config(layer: Any, names: Any) -> dict:
    """The config entries of attributes, as `set_arguments` set them."""
    config = {}
    for name in names:
        value = getattr(layer, name)
        home = _registry_of(name)
        config[name] = value if home is None else home.serialize(value)
    return config


def forget_gate_bias(initializer: Any, units: int) -> Any:
    """An initializer of `4 * units` biases: ones for the second quarter (the forget gate)."""

    def initialize(shape: Any, dtype: Any = None, **kwargs: Any) -> np.ndarray:
        bias = np.empty(shape, dtype=dtype)
        bias[:units] = plain(initializer((units,), dtype=dtype, **kwargs))
        bias[units : 2 * units] = 1
        bias[2 * units :] = plain(initializer((2 * units,), dtype=dtype, **kwargs))
        return bias

    return initialize


class DropoutRNNCell:
    """Dropout masks that stay the same over the steps of a sequence.

    A cell that mixes it in has the attributes `dropout`, `recurrent_dropout`, `seed_generator` and,
    if its gates have masks of their own, `dropout_mask_count`. `RNN` resets the masks after a
    sequence.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: SeedGenerator
    dropout_mask_count: int | None = None

    _dropout_mask: Any = None
    _recurrent_dropout_mask: Any = None

    def make_dropout_mask(self, shape: tuple, rate: float, dtype: Any) -> np.ndarray:
        """A multiplier of shape `shape`, or `(dropout_mask_count, *shape)`."""
        if self.dropout_mask_count is not None:
            shape = (self.dropout_mask_count, *shape)
        keep = self.seed_generator.generator().random(shape, dtype=np.float32) >= rate
        return keep.astype(dtype) * np.dtype(dtype).type(0 if rate >= 1 else 1 / (1 - rate))

    def get_dropout_mask(self, step_input: Any) -> Any:
        """The mask of the inputs (one, or a stack of one a gate); None without dropout."""
        if self._dropout_mask is None and self.dropout > 0:
            self._dropout_mask = self.make_dropout_mask(
                tuple(step_input.shape), self.dropout, plain(step_input).dtype
            )
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """The mask of the state (one, or a stack of one a gate); None without dropout."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self._recurrent_dropout_mask = self.make_dropout_mask(
                tuple(step_input.shape), self.recurrent_dropout, plain(step_input).dtype
            )
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the inputs."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the mask of the state."""
        self._recurrent_dropout_mask = None


def _kernel_activation(ctx: Context, activation: Any) -> kernels.Activation:
    if is_linear(activation):
        return kernels.LINEAR
    found = _DIRECT.get(registry.activations.canonical_name(activation) or "")
    if found is not None:
        return found

    def forward(z: np.ndarray) -> tuple:
        own = Context(ctx.run, ctx.recording)
        return activate(own, activation, z.copy()), own

    def backward(dy: np.ndarray, y: np.ndarray, own: Any) -> np.ndarray:
        return activate_backward(own, dy)

    return kernels.Activation(forward, backward)


_DIRECT = {"tanh": kernels.TANH, "sigmoid": kernels.SIGMOID, "relu": kernels.RELU}


class CellSequence(Operation):
    """A built-in cell over a whole sequence, or over one step (inputs of rank 2).

    Args:
        cell: `SimpleRNNCell`, `LSTMCell` or `GRUCell`, built.
        sequences: Boolean. Whether the output holds all steps.
        go_backwards: Boolean. Whether time is processed in reverse.
        zero_output_for_mask: Boolean. Whether outputs of masked steps are zero.
    """

    def __init__(
        self,
        cell: Any,
        sequences: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
    ) -> None:
        super().__init__(name=None)
        self.cell, self.sequences, self.go_backwards = cell, sequences, go_backwards
        self.zero_output_for_mask = zero_output_for_mask

    def has_trainable_variables(self) -> bool:
        return self.cell.has_trainable_variables()

    def forward(self, ctx: Any, x: Any, *states: Any, mask: Any = None) -> tuple:
        cell = self.cell
        options: dict[str, Any] = {"activation": _kernel_activation(ctx, cell.activation)}
        if cell.kind != "simple_rnn":
            options["recurrent_activation"] = _kernel_activation(ctx, cell.recurrent_activation)
        if cell.kind == "gru":
            options["reset_after"] = cell.reset_after
        kernel = cell.kernel.array
        ctx.dtype, ctx.rank = x.dtype if x.dtype.kind == "f" else kernel.dtype, x.ndim
        if x.dtype != kernel.dtype:
            # A narrow compute dtype: the steps add up in the dtype of the weights.
            x = x.astype(kernel.dtype)
        if ctx.training:
            options.update(self._dropout_masks(x))
        if x.ndim == 2:
            x = x[:, None]
        ran = getattr(kernels, cell.kind)(
            x,
            kernel,
            cell.recurrent_kernel.array,
            None if cell.bias is None else cell.bias.array,
            states,
            mask=mask,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask,
            sequences=self.sequences,
            keep=ctx.recording,
            **options,
        )
        ctx.save(ran.saved)
        arrays = (ran.outputs if self.sequences else ran.last, *ran.states)
        return tuple(array.astype(ctx.dtype, copy=False) for array in arrays)

    def _dropout_masks(self, x: Any) -> dict:
        cell, whole = self.cell, x.ndim == 3
        # As in Keras, a rate of 1 switches the dropout of gated cells off.
        highest = 1.0 if cell.gates > 1 else np.inf
        masks = {}
        for name, size in (("dropout", x.shape[-1]), ("recurrent_dropout", cell.units)):
            rate = getattr(cell, name)
            if 0.0 < rate < highest:
                if whole:
                    masks[name] = cell.make_dropout_mask((len(x), size), rate, x.dtype)
                else:
                    # A step by itself: all steps of a sequence share the mask.
                    get = getattr(cell, f"get_{name}_mask")
                    masks[name] = get(np.empty((len(x), size), x.dtype))
        return masks

    def backward(self, ctx: Any, d_output: Any, *d_states: Any) -> tuple:
        cell = self.cell
        weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
        trained = [weight is not None and weight.trainable for weight in weights]
        targets = [
            ctx.grad_target(weight) if train else None for weight, train in zip(weights, trained)
        ]
        function = getattr(kernels, f"{cell.kind}_backward")
        gradients = function(
            *ctx.saved,
            d_output if self.sequences else None,
            None if self.sequences else d_output,
            d_states,
            need_inputs=ctx.needs[0],
            need_weights=any(trained),
            d_kernel=targets[0],
            d_recurrent_kernel=targets[1],
            d_bias=targets[2],
        )
        for weight, train, target, gradient in zip(weights, trained, targets, gradients[1:4]):
            if train and target is None:
                ctx.add_grad(weight, gradient)
        dx = gradients.inputs
        if dx is not None:
            dx = (dx[:, 0] if ctx.rank == 2 else dx).astype(ctx.dtype, copy=False)
        return (dx, *(d.astype(ctx.dtype, copy=False) for d in gradients.states))


def run_cell(cell: Any, inputs: Any, states: list, mask: Any = None, **options: Any) -> tuple:
    """Run a built-in cell over inputs of rank 3, or one step of it over inputs of rank 2.

    Returns:
        The output and the states.
    """
    return call_kernel(CellSequence(cell, **options), [inputs, *states], {"mask": plain(mask)})
