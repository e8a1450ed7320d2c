"""The layer that runs any cell over the steps of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry, tree
from minikeras.engine.context import state
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, as_input
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable, plain
from minikeras.layers.cell_sequence import run_cell
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
