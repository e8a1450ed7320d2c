"""What recurrent cells share: arguments, dropout masks, the kernel over a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.context import Context
from minikeras.engine.operation import Operation, call_kernel
from minikeras.engine.recording import activate, activate_backward, is_linear
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
