"""Recurrent cells: what happens in one step, and the kernel that runs a built-in cell over a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry, tree
from minikeras.engine.activate import activate, activate_backward, is_linear
from minikeras.engine.context import Context, state
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, call_kernel
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.variable import plain
from minikeras.kernels import recurrent as kernels

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


class _Cell(DropoutRNNCell, Layer):
    """What the cells with dense gates share. `kind` names the kernel, `gates` counts its gates."""

    kind = ""
    gates = 1
    # Rates at or above which Keras takes dropout for switched off.
    _highest_rate = 1.0
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
        self.state_size: Any = units
        self.output_size = units

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
        return {**super().get_config(), **arguments_config(self, self._argument_names)}


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


# The kernel that runs a built-in cell


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
        ctx.dtype, ctx.rank = x.dtype, x.ndim
        options: dict[str, Any] = {"activation": _kernel_activation(ctx, cell.activation)}
        if cell.kind != "simple_rnn":
            options["recurrent_activation"] = _kernel_activation(ctx, cell.recurrent_activation)
        if cell.kind == "gru":
            options["reset_after"] = cell.reset_after
        kernel = cell.kernel.array
        if x.dtype != kernel.dtype:
            # A narrow compute dtype: the steps add up in the dtype of the weights.
            x = x.astype(kernel.dtype)
        if ctx.training:
            highest = 1.0 if cell.gates > 1 else np.inf
            if 0.0 < cell.dropout < highest:
                options["dropout"] = cell.get_dropout_mask(x if x.ndim == 2 else x[:, 0])
            if 0.0 < cell.recurrent_dropout < highest:
                units = np.empty((len(x), 0), x.dtype) if states[0] is None else states[0]
                options["recurrent_dropout"] = cell.get_recurrent_dropout_mask(
                    np.broadcast_to(units[:, :1], (len(x), cell.units))
                    if units.shape[1]
                    else np.empty((len(x), cell.units), x.dtype)
                )
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


def is_builtin_cell(cell: Any) -> bool:
    """Whether the kernels know the cell: a subclass may do something else in a step."""
    return type(cell) in (SimpleRNNCell, LSTMCell, GRUCell)


def run_cell(cell: Any, inputs: Any, states: list, mask: Any = None, **options: Any) -> tuple:
    """Run a built-in cell over inputs of rank 3, or one step of it over inputs of rank 2.

    Returns:
        The output and the states.
    """
    return call_kernel(CellSequence(cell, **options), [inputs, *states], {"mask": plain(mask)})


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
