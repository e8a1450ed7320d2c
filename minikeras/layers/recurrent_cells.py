"""Recurrent cells: what happens in one step of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry, tree
from minikeras.engine.context import state
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.serialization import LSTM_CELL_ORDER, in_order
from minikeras.layers.cell_sequence import (
    DropoutRNNCell,
    arguments_config,
    forget_gate_bias,
    run_cell,
    set_arguments,
)


class _Cell(DropoutRNNCell, Layer):
    """What the cells with dense gates share. `kind` names the kernel, `gates` counts its gates."""

    kind = ""
    gates = 1
    _no_track = Layer._no_track | {"_dropout_mask", "_recurrent_dropout_mask"}

    def _configure(self, implementation: int = 2, **arguments: Any) -> None:
        units = arguments["units"]
        if not isinstance(units, (int, np.integer)) or units <= 0:
            raise ValueError(
                f"Argument `units` of {type(self).__name__} must be a positive integer. Received:"
                f" units={units!r}"
            )
        self._argument_names = tuple(arguments)
        arguments["units"] = int(units)
        for name in ("dropout", "recurrent_dropout"):
            arguments[name] = min(1.0, max(0.0, arguments[name]))
        set_arguments(self, arguments)
        self.seed_generator = SeedGenerator(seed=arguments["seed"])
        self.implementation = implementation
        if self.gates > 1:
            if arguments["recurrent_dropout"] != 0.0:
                self.implementation = 1
            if self.implementation == 1:
                self.dropout_mask_count = self.gates
        self.state_size: Any = self.units
        self.output_size = self.units

    def _bias_shape(self) -> tuple:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        if input_shape[-1] is None:
            raise ValueError(
                f"The last axis of the inputs of {type(self).__name__} must have a known size."
                f" Received: input_shape={input_shape}"
            )
        width = self.gates * self.units
        for name, shape in (
            ("kernel", (input_shape[-1], width)),
            ("recurrent_kernel", (self.units, width)),
        ):
            prefix = name.removesuffix("_kernel") if name != "kernel" else "kernel"
            weight = self.add_weight(
                shape=shape,
                name=name,
                initializer=getattr(self, f"{prefix}_initializer"),
                regularizer=getattr(self, f"{prefix}_regularizer"),
                constraint=getattr(self, f"{prefix}_constraint"),
            )
            setattr(self, name, weight)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=self._bias_shape(),
                name="bias",
                initializer=self._bias_initializer(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        nested = isinstance(states, (list, tuple))
        output, *new = run_cell(self, inputs, list(states) if nested else [states])
        return output, new if nested else new[0]

    def get_initial_state(self, batch_size: int | None = None) -> list:
        """Zeros, one array a state."""
        from minikeras import ops

        return [
            ops.zeros((batch_size, size), dtype=self.compute_dtype)
            for size in tree.flatten(self.state_size)
        ]

    def get_config(self) -> dict:
        config = {**super().get_config(), **arguments_config(self, self._argument_names)}
        return in_order(config, LSTM_CELL_ORDER)


@registry.layers.register("SimpleRNNCell")
class SimpleRNNCell(_Cell):
    """One step of `SimpleRNN`: `h' = activation(x kernel + h recurrent_kernel + bias)`.

    Args:
        units: Positive integer. Size of the output and of the state.
        activation: Activation. Default `"tanh"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping units of the state.
        seed: Integer, default None. Seed of the dropout.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Of shape `(batch, features)`.
        states: List of one array of shape `(batch, units)`.
        training: Boolean. Whether dropout is active.

    Returns:
        The output and the list of new states.

    Raises:
        ValueError: if `units` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> rnn = minikeras.layers.RNN(minikeras.layers.SimpleRNNCell(4))
    >>> rnn(np.zeros((2, 5, 3), "float32")).shape
    (2, 4)
    """

    kind = "simple_rnn"

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._configure(
            units=units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
        )


@registry.layers.register("LSTMCell")
class LSTMCell(_Cell):
    """One step of `LSTM` (Hochreiter & Schmidhuber 1997).

    With gates `i, f, g, o` cut from `z = x kernel + h recurrent_kernel + bias`:
    `c' = s(f) c + s(i) a(g)` and `h' = s(o) a(c')`, where `a` is `activation` and `s` is
    `recurrent_activation`.

    Args:
        units: Positive integer. Size of the output and of both states.
        activation: Activation. Default `"tanh"`; None for none.
        recurrent_activation: Activation of the gates. Default `"sigmoid"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        unit_forget_bias: Boolean, default True. Whether the bias of the forget gate starts at 1
            (Jozefowicz et al. 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping units of the state.
        seed: Integer, default None. Seed of the dropout.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Of shape `(batch, features)`.
        states: List of two arrays of shape `(batch, units)`: `h` and `c`.
        training: Boolean. Whether dropout is active.

    Returns:
        The output and the list of new states.

    Raises:
        ValueError: if `units` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> rnn = minikeras.layers.RNN(minikeras.layers.LSTMCell(4), return_sequences=True)
    >>> rnn(np.zeros((2, 5, 3), "float32")).shape
    (2, 5, 4)
    """

    kind = "lstm"
    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self._configure(
            implementation,
            units=units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
        )
        self.state_size = [self.units, self.units]

    def _bias_initializer(self) -> Any:
        if self.unit_forget_bias:
            return forget_gate_bias(self.bias_initializer, self.units)
        return self.bias_initializer


@registry.layers.register("GRUCell")
class GRUCell(_Cell):
    """One step of `GRU` (Cho et al. 2014).

    With `s` the recurrent activation and `a` the activation: `z = s(x Wz + h Uz)`,
    `r = s(x Wr + h Ur)`, `g = a(x Wg + r (h Ug))` if `reset_after`, else `g = a(x Wg + (r h) Ug)`
    (biases left out), and `h' = z h + (1 - z) g`.

    Args:
        units: Positive integer. Size of the output and of the state.
        activation: Activation. Default `"tanh"`; None for none.
        recurrent_activation: Activation of the gates. Default `"sigmoid"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping units of the state.
        reset_after: Boolean, default True. Whether the reset gate applies after the product with
            the recurrent kernel. There are two biases then, of shape `(2, 3 * units)`.
        seed: Integer, default None. Seed of the dropout.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Of shape `(batch, features)`.
        states: List of one array of shape `(batch, units)`.
        training: Boolean. Whether dropout is active.

    Returns:
        The output and the list of new states.

    Raises:
        ValueError: if `units` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> rnn = minikeras.layers.RNN(minikeras.layers.GRUCell(4))
    >>> rnn(np.zeros((2, 5, 3), "float32")).shape
    (2, 4)
    """

    kind = "gru"
    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self._configure(
            implementation,
            units=units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            reset_after=reset_after,
            seed=seed,
        )

    def _bias_shape(self) -> tuple:
        width = 3 * self.units
        return (2, width) if self.reset_after else (width,)


def is_builtin_cell(cell: Any) -> bool:
    """Whether the kernels know the cell: a subclass may do something else in a step."""
    return type(cell) in (SimpleRNNCell, LSTMCell, GRUCell)


@registry.layers.register("StackedRNNCells")
class StackedRNNCells(Layer):
    """Several cells as one: each gets the output of the one before it.

    Args:
        cells: List of cells.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        ValueError: if a cell has no `call` method or no `state_size`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> cells = [minikeras.layers.LSTMCell(4), minikeras.layers.GRUCell(2)]
    >>> rnn = minikeras.layers.RNN(minikeras.layers.StackedRNNCells(cells))
    >>> rnn(np.zeros((3, 5, 6), "float32")).shape
    (3, 2)
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            check_cell(cell, "All cells")
        self.cells = cells

    @property
    def state_size(self) -> list:
        """The state sizes of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The output size of the last cell."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list:
        """The initial states of the cells."""
        return [initial_state_of(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer):
                cell.build_with({"input_shape": input_shape}, single=True)
            input_shape = (input_shape[0], output_size_of(cell))
        self.built = True

    def call(self, inputs: Any, states: Any, training: Any = False, **kwargs: Any) -> Any:
        new_states = []
        for cell, own in zip(self.cells, states):
            nested = tree.is_nested(own)
            step = cell if callable(cell) else cell.call
            inputs, new = step(inputs, list(own) if nested else [own], **kwargs)
            new = list(new) if tree.is_nested(new) else [new]
            new_states.append(new if nested else new[0])
        return inputs, new_states

    def get_config(self) -> dict:
        from minikeras.engine import serialization

        cells = [serialization.serialize(cell) for cell in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> StackedRNNCells:
        config = dict(config)
        cells = [registry.layers.deserialize(one, custom_objects) for one in config.pop("cells")]
        return cls(cells, **config)


def check_cell(cell: Any, what: str) -> None:
    """Raises a `ValueError` unless `cell` has what a cell needs."""
    for name, hint in (
        ("call", "method `call(inputs, states)`"),
        ("state_size", "attribute `state_size` (an integer, or a list of one integer a state)"),
    ):
        if name not in dir(cell):
            raise ValueError(f"{what} must have a {hint}. Received: cell={cell}")


def output_size_of(cell: Any) -> Any:
    """The output size of a cell; by default that of its first state."""
    size = getattr(cell, "output_size", None)
    return tree.flatten(cell.state_size)[0] if size is None else size


def initial_state_of(cell: Any, batch_size: Any, dtype: Any) -> Any:
    """What the cell's own `get_initial_state` returns, or zeros."""
    from minikeras import ops

    own = getattr(cell, "get_initial_state", None)
    if own is not None:
        return own(batch_size=batch_size)
    if isinstance(cell.state_size, (int, np.integer)):
        return ops.zeros((batch_size, cell.state_size), dtype=dtype)
    return [ops.zeros((batch_size, size), dtype=dtype) for size in cell.state_size]


def reset_dropout_masks(cell: Any) -> None:
    """Forget the dropout masks of a cell and of the cells in it."""
    if state.inferring:
        return
    if isinstance(cell, DropoutRNNCell):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
    elif isinstance(cell, StackedRNNCells):
        for one in cell.cells:
            reset_dropout_masks(one)
