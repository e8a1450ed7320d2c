"""The recurrent layers with built-in cells: `SimpleRNN`, `LSTM`, `GRU`."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.serialization import in_order
from minikeras.layers.cell_sequence import arguments_config
from minikeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from minikeras.layers.rnn import RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]


def _of_cell(name: str) -> property:
    return property(lambda self: getattr(self.cell, name), doc=f"`{name}` of the cell.")


class CellLayer(RNN):
    """What layers around one built-in cell share: their config holds the cell's arguments."""

    _cell_arguments: tuple = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in cls.__dict__.get("_cell_arguments", ()):
            if name != "seed":
                setattr(cls, name, _of_cell(name))

    def _check_use_cudnn(self, value: Any) -> Any:
        if value not in ("auto", True, False):
            raise ValueError(
                f"Argument `use_cudnn` of {type(self).__name__} must be 'auto', True or False."
                f" Received: use_cudnn={value!r}"
            )
        return value

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = False,
    ) -> Any:
        if self.__dict__.get("use_cudnn") is True:
            raise ValueError(
                f"{type(self).__name__}(use_cudnn=True) asks for a GPU, and minikeras runs on the"
                " CPU. Use `use_cudnn='auto'`."
            )
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["cell"]
        return in_order(
            {
                **config,
                **arguments_config(self.cell, self._cell_arguments),
                "activity_regularizer": registry.regularizers.serialize(self.activity_regularizer),
            }
        )

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        return cls(**config)


_DENSE_ARGUMENTS = (
    "units",
    "activation",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
)


@registry.layers.register("SimpleRNN")
class SimpleRNN(CellLayer):
    """A fully connected recurrence.

    `h[t] = activation(x[t] kernel + h[t-1] recurrent_kernel + bias)`.

    Args:
        units: Positive integer. Size of the output and of the state.
        activation: Activation. Default `"tanh"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        activity_regularizer: Regularizer of the output, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs, the same ones in each
            step.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping units of the state,
            the same ones in each step.
        seed: Integer, default None. Seed of the dropout.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps, not
            only the last.
        return_state: Boolean, default False. Whether to return the last state too.
        go_backwards: Boolean, default False. Whether to process time in reverse; the outputs come
            in the order of processing.
        stateful: Boolean, default False. Whether a batch starts with the last state of the
            batch before. Needs a fixed batch size.
        unroll: Boolean, default False. Accepted; it makes no difference here.
        **kwargs: `name`, `dtype`, `trainable`, `zero_output_for_mask`.

    Call arguments:
        sequences: Of shape `(batch, time, features)`.
        initial_state: List of one array of shape `(batch, units)`,
            default None (zeros, or what a stateful layer remembers).
        mask: Boolean array of shape `(batch, time)`. A masked step keeps the state and repeats
            the output of the step before (zeros at the start).
        training: Boolean. Whether dropout is active.

    Output shape:
        `(batch, time, units)` with `return_sequences`, else `(batch, units)`. With `return_state`
        a tuple of it and the last state.

    Raises:
        ValueError: if `units` is not a positive integer, if a stateful layer has no fixed batch
            size, or for initial states of wrong number or shape.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.zeros((2, 5, 3), "float32")
    >>> minikeras.layers.SimpleRNN(4)(x).shape
    (2, 4)
    >>> layer = minikeras.layers.SimpleRNN(4, return_sequences=True, return_state=True)
    >>> [output.shape for output in layer(x)]
    [(2, 5, 4), (2, 4)]
    """

    _cell_arguments = (*_DENSE_ARGUMENTS,)

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        cell = SimpleRNNCell(
            units,
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
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="simple_rnn_cell",
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = [InputSpec(ndim=3)]


@registry.layers.register("LSTM")
class LSTM(CellLayer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    With gates `i, f, g, o` cut from `z = x[t] kernel + h[t-1] recurrent_kernel + bias`:
    `c[t] = s(f) c[t-1] + s(i) a(g)` and `h[t] = s(o) a(c[t])`, where `a` is `activation` and `s` is
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
        activity_regularizer: Regularizer of the output, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs, the same ones in each
            step.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping units of the state,
            the same ones in each step.
        seed: Integer, default None. Seed of the dropout.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps, not
            only the last.
        return_state: Boolean, default False. Whether to return the last states too.
        go_backwards: Boolean, default False. Whether to process time in reverse; the outputs come
            in the order of processing.
        stateful: Boolean, default False. Whether a batch starts with the last states of the
            batch before. Needs a fixed batch size.
        unroll: Boolean, default False. Accepted; it makes no difference here.
        use_cudnn: "auto" (default) or False; True raises an error at the first call.
        **kwargs: `name`, `dtype`, `trainable`, `zero_output_for_mask`.

    Call arguments:
        sequences: Of shape `(batch, time, features)`.
        initial_state: List of two arrays, `h` and `c`, of shape `(batch, units)`,
            default None (zeros, or what a stateful layer remembers).
        mask: Boolean array of shape `(batch, time)`. A masked step keeps the states and repeats
            the output of the step before (zeros at the start).
        training: Boolean. Whether dropout is active.

    Output shape:
        `(batch, time, units)` with `return_sequences`, else `(batch, units)`. With `return_state`
        a tuple of it and the last states.

    Raises:
        ValueError: if `units` is not a positive integer, if a stateful layer has no fixed batch
            size, or for initial states of wrong number or shape.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.zeros((2, 5, 3), "float32")
    >>> minikeras.layers.LSTM(4)(x).shape
    (2, 4)
    >>> layer = minikeras.layers.LSTM(4, return_sequences=True, return_state=True)
    >>> [output.shape for output in layer(x)]
    [(2, 5, 4), (2, 4), (2, 4)]
    """

    _cell_arguments = (
        *_DENSE_ARGUMENTS,
        "recurrent_activation",
        "unit_forget_bias",
        "seed",
    )

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(
            units,
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
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm_cell",
            implementation=kwargs.pop("implementation", 2),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self.use_cudnn = self._check_use_cudnn(use_cudnn)


@registry.layers.register("GRU")
class GRU(CellLayer):
    """The gated recurrent unit (Cho et al. 2014).

    With `s` the recurrent activation and `a` the activation: `z = s(x Wz + h Uz)`,
    `r = s(x Wr + h Ur)`, `g = a(x Wg + r (h Ug))` if `reset_after`, else `g = a(x Wg + (r h) Ug)`
    (biases left out), and `h[t] = z h[t-1] + (1 - z) g`.

    Args:
        units: Positive integer. Size of the output and of the state.
        activation: Activation. Default `"tanh"`; None for none.
        recurrent_activation: Activation of the gates. Default `"sigmoid"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        activity_regularizer: Regularizer of the output, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs, the same ones in each
            step.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping units of the state,
            the same ones in each step.
        seed: Integer, default None. Seed of the dropout.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps, not
            only the last.
        return_state: Boolean, default False. Whether to return the last state too.
        go_backwards: Boolean, default False. Whether to process time in reverse; the outputs come
            in the order of processing.
        stateful: Boolean, default False. Whether a batch starts with the last state of the
            batch before. Needs a fixed batch size.
        unroll: Boolean, default False. Accepted; it makes no difference here.
        reset_after: Boolean, default True. Whether the reset gate applies after the product with
            the recurrent kernel. There are two biases then, of shape `(2, 3 * units)`.
        use_cudnn: "auto" (default) or False; True raises an error at the first call.
        **kwargs: `name`, `dtype`, `trainable`, `zero_output_for_mask`.

    Call arguments:
        sequences: Of shape `(batch, time, features)`.
        initial_state: List of one array of shape `(batch, units)`,
            default None (zeros, or what a stateful layer remembers).
        mask: Boolean array of shape `(batch, time)`. A masked step keeps the state and repeats
            the output of the step before (zeros at the start).
        training: Boolean. Whether dropout is active.

    Output shape:
        `(batch, time, units)` with `return_sequences`, else `(batch, units)`. With `return_state`
        a tuple of it and the last state.

    Raises:
        ValueError: if `units` is not a positive integer, if a stateful layer has no fixed batch
            size, or for initial states of wrong number or shape.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.zeros((2, 5, 3), "float32")
    >>> minikeras.layers.GRU(4)(x).shape
    (2, 4)
    >>> layer = minikeras.layers.GRU(4, return_sequences=True, return_state=True)
    >>> [output.shape for output in layer(x)]
    [(2, 5, 4), (2, 4)]
    """

    _cell_arguments = (
        *_DENSE_ARGUMENTS,
        "recurrent_activation",
        "reset_after",
        "seed",
    )

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(
            units,
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
            seed=seed,
            reset_after=reset_after,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="gru_cell",
            implementation=kwargs.pop("implementation", 2),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self.use_cudnn = self._check_use_cudnn(use_cudnn)
