"""LSTM with convolutions in place of dense products: `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`."""

from __future__ import annotations

from typing import Any

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.layers.cell_sequence import (
    DropoutRNNCell,
    arguments_config,
    forget_gate_bias,
    set_arguments,
)
from minikeras.layers.recurrent import CellLayer


class ConvLSTMCell(DropoutRNNCell, Layer):
    """One step of a `ConvLSTM`.

    Args:
        rank: Integer, 1 to 3. Number of spatial axes.
        filters: Positive integer. Number of output channels.
        kernel_size, strides, padding, data_format, dilation_rate: Of the convolution of the
            inputs; that of the state has strides 1 and keeps the size.
        **kwargs: All else as for `LSTMCell`.

    Call arguments:
        inputs: An array with `rank + 2` axes.
        states: List of two arrays, `h` and `c`.
        training: Boolean. Whether dropout is active.
    """

    _no_track = Layer._no_track | {"_dropout_mask", "_recurrent_dropout_mask"}
    dropout_mask_count = 4

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
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
        from minikeras.ops.spatial import standardize_padding, standardize_tuple

        super().__init__(**kwargs)
        if rank > 3:
            raise ValueError(f"ConvLSTM layers have at most 3 spatial axes. Received: rank={rank}")
        self.rank = rank
        arguments = {
            "filters": filters,
            "kernel_size": kernel_size,
            "strides": strides,
            "padding": padding,
            "data_format": data_format,
            "dilation_rate": dilation_rate,
            "activation": activation,
            "recurrent_activation": recurrent_activation,
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer,
            "bias_initializer": bias_initializer,
            "unit_forget_bias": unit_forget_bias,
            "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer,
            "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint,
            "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "seed": seed,
        }
        self._argument_names = tuple(arguments)
        (arguments["filters"],) = standardize_tuple(filters, 1, "filters")
        for name in ("kernel_size", "strides", "dilation_rate"):
            arguments[name] = standardize_tuple(arguments[name], rank, name)
        arguments["padding"] = standardize_padding(padding)
        arguments["data_format"] = config.standardize_data_format(data_format)
        if max(arguments["strides"]) > 1 and max(arguments["dilation_rate"]) > 1:
            raise ValueError(
                "Specifying `strides > 1` is not compatible with `dilation_rate > 1`. Received:"
                f" strides={strides} and dilation_rate={dilation_rate}"
            )
        for name in ("dropout", "recurrent_dropout"):
            arguments[name] = min(1.0, max(0.0, arguments[name]))
        set_arguments(self, arguments)
        self.seed_generator = SeedGenerator(seed=seed)
        self.input_spec = InputSpec(ndim=rank + 2)
        self.state_size = [-1, -1]

    def build(self, inputs_shape: Any, states_shape: Any = None) -> None:
        from minikeras.ops.spatial import split_shape

        _, spatial, channels = split_shape(inputs_shape, self.data_format)
        if channels is None or None in spatial:
            raise ValueError(
                "ConvLSTM layers need inputs whose spatial sizes and channels are known. Received a"
                f" step of shape {tuple(inputs_shape)}"
            )
        self.spatial_dims, self.input_dim = spatial, channels
        self.input_spec = InputSpec(shape=(None, *inputs_shape[1:]))
        for name, prefix, inputs in (
            ("kernel", "kernel", channels),
            ("recurrent_kernel", "recurrent", self.filters),
        ):
            weight = self.add_weight(
                shape=(*self.kernel_size, inputs, 4 * self.filters),
                name=name,
                initializer=getattr(self, f"{prefix}_initializer"),
                regularizer=getattr(self, f"{prefix}_regularizer"),
                constraint=getattr(self, f"{prefix}_constraint"),
            )
            setattr(self, name, weight)
        self.bias = None
        if self.use_bias:
            initializer = self.bias_initializer
            if self.unit_forget_bias:
                initializer = forget_gate_bias(initializer, self.filters)
            self.bias = self.add_weight(
                shape=(4 * self.filters,),
                name="bias",
                initializer=initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        from minikeras import ops

        h, c = states
        channels = -1 if self.data_format == "channels_last" else 1
        inputs_masks = states_masks = None
        if training and 0.0 < self.dropout < 1.0:
            inputs_masks = self.get_dropout_mask(inputs)
        if training and 0.0 < self.recurrent_dropout < 1.0:
            states_masks = self.get_recurrent_dropout_mask(h)
        z = self._convolve(inputs, self.kernel, inputs_masks, self.strides, self.padding)
        if self.bias is not None:
            shape = [1] * (self.rank + 2)
            shape[channels] = 4 * self.filters
            z = z + ops.reshape(self.bias, shape)
        z = z + self._convolve(h, self.recurrent_kernel, states_masks, 1, "same")
        i, f, g, o = ops.split(z, 4, axis=channels)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]

    def _convolve(self, x: Any, kernel: Any, masks: Any, strides: Any, padding: str) -> Any:
        from minikeras import ops
        from minikeras.ops.convolutional import conv

        own = kernel is self.kernel
        options = {
            "strides": strides,
            "padding": padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate if own else 1,
        }
        if masks is None:
            return conv(x, kernel, **options)
        parts = [
            conv(x * mask, gate, **options)
            for mask, gate in zip(masks, ops.split(kernel, 4, axis=-1))
        ]
        return ops.concatenate(parts, axis=-1 if self.data_format == "channels_last" else 1)

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> Any:
        from minikeras.ops.spatial import window_output_shape

        shape = window_output_shape(
            inputs_shape,
            self.filters,
            self.kernel_size,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )
        return shape, [shape, shape]

    def get_initial_state(self, batch_size: int | None = None) -> list:
        """Zeros for `h` and `c`."""
        from minikeras import ops
        from minikeras.ops.spatial import join_shape

        step = join_shape(batch_size, self.spatial_dims, self.input_dim, self.data_format)
        shape = self.compute_output_shape(step)[0]
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in range(2)]

    def get_config(self) -> dict:
        return {**super().get_config(), **arguments_config(self, self._argument_names)}


class ConvLSTM(CellLayer):
    """What the `ConvLSTM` layers share; `rank` counts their spatial axes."""

    rank = 0
    _cell_arguments = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "activation",
        "recurrent_activation",
        "use_bias",
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
        "unit_forget_bias",
        "kernel_regularizer",
        "recurrent_regularizer",
        "bias_regularizer",
        "kernel_constraint",
        "recurrent_constraint",
        "bias_constraint",
        "dropout",
        "recurrent_dropout",
        "seed",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        self.rank = kwargs.pop("rank", self.rank)
        cell = ConvLSTMCell(
            rank=self.rank,
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
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
            name="conv_lstm_cell",
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def _state_shape(self, sequences_shape: Any) -> tuple:
        step = (sequences_shape[0], *sequences_shape[2:])
        return self.cell.compute_output_shape(step)[0]

    def _state_shapes(self, batch: int) -> list:
        return [tuple(one.shape) for one in self.get_initial_state(batch)]

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        state = self._state_shape(sequences_shape)
        output = state
        if self.return_sequences:
            output = (state[0], sequences_shape[1], *state[1:])
        return (output, state, state) if self.return_state else output


@registry.layers.register("ConvLSTM1D")
class ConvLSTM1D(ConvLSTM):
    """1D convolutional LSTM (Shi et al. 2015).

    An LSTM whose products with kernel and recurrent kernel are convolutions.

    Args:
        filters: Positive integer. Number of output channels.
        kernel_size: Integer or tuple of 1. Size of the window.
        strides: Integer or tuple of 1, default 1. Of the convolution of the inputs.
        padding: `"valid"` (default) or `"same"`. Of the convolution of the inputs.
        data_format: `"channels_last"` or `"channels_first"`, default as configured.
        dilation_rate: Integer or tuple of 1, default 1. Of the convolution of the inputs; not
            together with strides above 1.
        activation: Activation. Default `"tanh"`; None for none.
        recurrent_activation: Activation of the gates. Default `"sigmoid"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        unit_forget_bias: Boolean, default True. Whether the bias of the forget gate starts at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        activity_regularizer: Regularizer of the output, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping values of the state.
        seed: Integer, default None. Seed of the dropout.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps.
        return_state: Boolean, default False. Whether to return the last states too.
        go_backwards: Boolean, default False. Whether to process time in reverse.
        stateful: Boolean, default False. Whether a batch starts with the last states of the
            batch before. Needs a fixed batch size.
        **kwargs: `name`, `dtype`, `trainable`, `unroll`, `zero_output_for_mask`.

    Call arguments:
        sequences: Of shape `(batch, time, rows, channels)`, or `(batch, time, channels,
            rows)` for `"channels_first"`.
        initial_state: List of two arrays, `h` and `c`, default None.
        mask: Boolean array of shape `(batch, time)`.
        training: Boolean. Whether dropout is active.

    Output shape:
        That of the convolution of one step, with the time axis if `return_sequences`; a tuple of
        it and the two states with `return_state`.

    Raises:
        ValueError: for arguments out of range, or unknown spatial sizes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ConvLSTM1D(2, 3)
    >>> layer(np.zeros((1, 4, 8, 3), "float32")).shape
    (1, 6, 2)
    """

    rank = 1


@registry.layers.register("ConvLSTM2D")
class ConvLSTM2D(ConvLSTM):
    """2D convolutional LSTM (Shi et al. 2015).

    An LSTM whose products with kernel and recurrent kernel are convolutions.

    Args:
        filters: Positive integer. Number of output channels.
        kernel_size: Integer or tuple of 2. Size of the window.
        strides: Integer or tuple of 2, default 1. Of the convolution of the inputs.
        padding: `"valid"` (default) or `"same"`. Of the convolution of the inputs.
        data_format: `"channels_last"` or `"channels_first"`, default as configured.
        dilation_rate: Integer or tuple of 2, default 1. Of the convolution of the inputs; not
            together with strides above 1.
        activation: Activation. Default `"tanh"`; None for none.
        recurrent_activation: Activation of the gates. Default `"sigmoid"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        unit_forget_bias: Boolean, default True. Whether the bias of the forget gate starts at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        activity_regularizer: Regularizer of the output, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping values of the state.
        seed: Integer, default None. Seed of the dropout.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps.
        return_state: Boolean, default False. Whether to return the last states too.
        go_backwards: Boolean, default False. Whether to process time in reverse.
        stateful: Boolean, default False. Whether a batch starts with the last states of the
            batch before. Needs a fixed batch size.
        **kwargs: `name`, `dtype`, `trainable`, `unroll`, `zero_output_for_mask`.

    Call arguments:
        sequences: Of shape `(batch, time, rows, columns, channels)`, or `(batch, time, channels,
            rows, columns)` for `"channels_first"`.
        initial_state: List of two arrays, `h` and `c`, default None.
        mask: Boolean array of shape `(batch, time)`.
        training: Boolean. Whether dropout is active.

    Output shape:
        That of the convolution of one step, with the time axis if `return_sequences`; a tuple of
        it and the two states with `return_state`.

    Raises:
        ValueError: for arguments out of range, or unknown spatial sizes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ConvLSTM2D(2, 3)
    >>> layer(np.zeros((1, 4, 8, 7, 3), "float32")).shape
    (1, 6, 5, 2)
    """

    rank = 2


@registry.layers.register("ConvLSTM3D")
class ConvLSTM3D(ConvLSTM):
    """3D convolutional LSTM (Shi et al. 2015).

    An LSTM whose products with kernel and recurrent kernel are convolutions.

    Args:
        filters: Positive integer. Number of output channels.
        kernel_size: Integer or tuple of 3. Size of the window.
        strides: Integer or tuple of 3, default 1. Of the convolution of the inputs.
        padding: `"valid"` (default) or `"same"`. Of the convolution of the inputs.
        data_format: `"channels_last"` or `"channels_first"`, default as configured.
        dilation_rate: Integer or tuple of 3, default 1. Of the convolution of the inputs; not
            together with strides above 1.
        activation: Activation. Default `"tanh"`; None for none.
        recurrent_activation: Activation of the gates. Default `"sigmoid"`; None for none.
        use_bias: Boolean, default True.
        kernel_initializer: Initializer of the inputs' weights. Default `"glorot_uniform"`.
        recurrent_initializer: Initializer of the state's weights. Default `"orthogonal"`.
        bias_initializer: Initializer of the bias. Default `"zeros"`.
        unit_forget_bias: Boolean, default True. Whether the bias of the forget gate starts at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers, default None.
        activity_regularizer: Regularizer of the output, default None.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints, default None.
        dropout: Float between 0 and 1, default 0. Rate of dropping inputs.
        recurrent_dropout: Float between 0 and 1, default 0. Rate of dropping values of the state.
        seed: Integer, default None. Seed of the dropout.
        return_sequences: Boolean, default False. Whether to return the outputs of all steps.
        return_state: Boolean, default False. Whether to return the last states too.
        go_backwards: Boolean, default False. Whether to process time in reverse.
        stateful: Boolean, default False. Whether a batch starts with the last states of the
            batch before. Needs a fixed batch size.
        **kwargs: `name`, `dtype`, `trainable`, `unroll`, `zero_output_for_mask`.

    Call arguments:
        sequences: Of shape `(batch, time, rows, columns, depth, channels)`, or `(batch, time,
            channels, rows, columns, depth)` for `"channels_first"`.
        initial_state: List of two arrays, `h` and `c`, default None.
        mask: Boolean array of shape `(batch, time)`.
        training: Boolean. Whether dropout is active.

    Output shape:
        That of the convolution of one step, with the time axis if `return_sequences`; a tuple of
        it and the two states with `return_state`.

    Raises:
        ValueError: for arguments out of range, or unknown spatial sizes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ConvLSTM3D(2, 3)
    >>> layer(np.zeros((1, 4, 5, 5, 5, 3), "float32")).shape
    (1, 3, 3, 3, 2)
    """

    rank = 3
