"""Nodes of a symbolic graph (a node is a call, not a layer), and recording.

That is what a user's `call` does, as a one-shot graph that can be walked back.

Activations inside kernel layers.

A built-in activation function carries a `kernel`: an object with

- `forward(z) -> y`: may overwrite and return `z`, unless `keeps` is `"z"`;
- `backward(kept, dy) -> dz`: a new array, from what was kept;
- `keeps`: `"y"` (the output, the default) or `"z"` (the input).

Any other callable is recorded while it runs, and walked back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minikeras.engine import tree
from minikeras.engine.context import Run, state
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.kernels.activation import KERNELS
from minikeras.kernels.bound import bound_activation
from minikeras.kernels.rows import affine, affine_backward

RELU = KERNELS["relu"]()


class KerasHistory(NamedTuple):
    """Where a `KerasTensor` comes from."""

    operation: Any
    node_index: int
    tensor_index: int


class Node:
    """One symbolic call of an operation.

    Attributes:
        operation: What was called.
        args, kwargs: With which arguments; `KerasTensor`s inside.
        input_tensors: The `KerasTensor`s among the arguments, in order.
        output_tensors: The `KerasTensor`s it returned, in order.
        outputs_structure: What it returned.
    """

    def __init__(
        self,
        operation: Any,
        call_args: Any = (),
        call_kwargs: dict | None = None,
        outputs: Any = None,
    ) -> None:
        self.operation = operation
        self.args = tuple(call_args)
        self.kwargs = dict(call_kwargs or {})
        leaves = tree.flatten([list(self.args), self.kwargs])
        self.input_tensors = [leaf for leaf in leaves if isinstance(leaf, KerasTensor)]
        self.outputs_structure = outputs
        self.output_tensors = [
            leaf for leaf in tree.flatten(outputs) if isinstance(leaf, KerasTensor)
        ]
        self.is_input = not self.input_tensors
        self.index = len(operation._inbound_nodes)
        for position, tensor in enumerate(self.output_tensors):
            tensor._keras_history = KerasHistory(operation, self.index, position)
        operation._inbound_nodes.append(self)
        for tensor in self.input_tensors:
            history = tensor._keras_history
            if history is not None:
                history.operation._outbound_nodes.append(self)

    @property
    def arguments_inputs(self) -> Any:
        """The inputs as they were given: one tensor, or the structure of the first argument."""
        if len(self.args) == 1 and not any(
            isinstance(leaf, KerasTensor) for leaf in tree.flatten(self.kwargs)
        ):
            return self.args[0]
        if len(self.input_tensors) == 1:
            return self.input_tensors[0]
        return list(self.input_tensors)

    @property
    def outputs(self) -> list:
        """The `KerasTensor`s it returned."""
        return self.output_tensors

    @property
    def parent_nodes(self) -> list:
        """The nodes that made the inputs."""
        parents: list = []
        for tensor in self.input_tensors:
            history = tensor._keras_history
            if history is not None:
                node = history.operation._inbound_nodes[history.node_index]
                if node not in parents:
                    parents.append(node)
        return parents

    def __repr__(self) -> str:
        return f"<Node operation={self.operation.name}, id={id(self)}>"


def walk_back(calls: list, gradients: list, sources: frozenset = frozenset()) -> None:
    """Carry gradients from the outputs of `calls` to their inputs.

    Args:
        calls: In order of execution: tuples (backward, context, input slots, output slots). An
            input slot of None wants no gradient. Emptied as it goes, so memory is freed.
        gradients: One entry per slot: an array, or None. Filled in.
        sources: Slots on the way whose gradients are wanted too. Others are dropped when they have
            been used.

    Sums are made in place only in arrays that this walk made itself.
    """
    owned: set[int] = set()
    kept: dict[int, Any] = {}
    while calls:
        backward, context, inputs, outputs = calls.pop()
        if sources:
            kept.update((slot, gradients[slot]) for slot in sources.intersection(outputs))
        if len(outputs) == 1:
            dout = gradients[outputs[0]]
            if dout is None and not context.force:
                continue
            gradients[outputs[0]] = None
            results = backward(context, dout)
        else:
            douts = [gradients[slot] for slot in outputs]
            if not context.force and all(dout is None for dout in douts):
                continue
            for slot in outputs:
                gradients[slot] = None
            results = backward(context, *douts)
        if type(results) is not tuple and type(results) is not list:
            results = (results,)
        for slot, gradient in zip(inputs, results):
            if slot is None or gradient is None:
                continue
            before = gradients[slot]
            if before is None:
                gradients[slot] = gradient
            elif slot in owned:
                gradients[slot] += gradient  # scalars of NumPy cannot change in place
            else:
                gradients[slot] = before + gradient
                owned.add(slot)
    for slot, gradient in kept.items():
        gradients[slot] = gradient


class Recording:
    """Follows the operations on tracked tensors and on trainable variables.

    Use as a context manager. Recordings nest; operations go to the innermost.

    Args:
        run: The run whose sink collects the gradients of variables.
    """

    __slots__ = ("run", "calls", "count", "variables", "open", "_outer", "keep")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.calls: list = []
        self.count = 0
        self.variables: dict[int, tuple[Any, int]] = {}
        self.open = False

    def lets_go(self) -> bool:
        """Whether plain NumPy may be used on what is followed, which then is not."""
        return False

    def __enter__(self) -> Recording:
        self._outer = (state.recording, state.run)
        state.recording, state.run = self, self.run
        self.open = True
        return self

    def __exit__(self, *_: Any) -> None:
        self.open = False
        state.recording, state.run = self._outer

    def new_slot(self) -> int:
        """A slot for one more tensor."""
        self.count += 1
        return self.count - 1

    def track(self, array: np.ndarray) -> Tensor:
        """`array` as a tensor whose gradient is wanted."""
        return Tensor(array, self, self.new_slot())

    def slot_of_variable(self, variable: Any) -> int:
        """The slot of a variable used as an operand."""
        entry = self.variables.get(id(variable))
        if entry is None:
            entry = self.variables[id(variable)] = (variable, self.new_slot())
        return entry[1]

    def add(
        self,
        backward: Callable,
        context: Any,
        inputs: Sequence[int | None],
        outputs: Sequence[int],
    ) -> None:
        """Append a call."""
        self.calls.append((backward, context, inputs, outputs))

    def reverse(
        self,
        seeds: Sequence[tuple[int, Any]],
        keep: bool = False,
        sources: frozenset = frozenset(),
    ) -> list:
        """Walk back from the slots in `seeds` (pairs of slot and gradient).

        Gradients of variables go to the run's sink. Returns the gradients by slot.
        """
        gradients: list = [None] * self.count
        for slot, gradient in seeds:
            before = gradients[slot]
            gradients[slot] = gradient if before is None else before + gradient
        calls = list(self.calls) if keep else self.calls
        walk_back(calls, gradients, sources)
        for variable, slot in self.variables.values():
            gradient = gradients[slot]
            if gradient is not None and variable.trainable:
                self.run.sink.add(variable, gradient)
        return gradients


class Paused:
    """Operations inside are not recorded."""

    def __init__(self, training: bool | None = None) -> None:
        self.run = Run(training=training)

    def __enter__(self) -> None:
        self._outer = (state.recording, state.run)
        state.recording, state.run = None, self.run

    def __exit__(self, *_: Any) -> None:
        state.recording, state.run = self._outer


def is_linear(activation: Any) -> bool:
    """Whether `activation` does nothing."""
    return activation is None or getattr(activation, "is_linear", False)


def activate(ctx: Any, activation: Any, z: Any) -> Any:
    """Apply `activation` to the array `z`, which the caller owns and gives away.

    If `ctx.want_logits` is set, `ctx.logits` gets `z`, and `activate_backward` expects the
    gradient with respect to `z`: that is how softmax and cross-entropy are fused.
    """
    if is_linear(activation):
        return z
    kernel = getattr(activation, "kernel", None)
    if kernel is None:
        return _recorded(ctx, activation, z)
    if ctx.want_logits:
        ctx.logits = z
        return kernel.forward(z.copy())
    y = kernel.forward(z)
    if ctx.recording:
        ctx.activation = (kernel, z if kernel.keeps == "z" else y)
    return y


def activate_backward(ctx: Any, dy: Any) -> Any:
    """The gradient with respect to `z`, from the gradient with respect to the output."""
    how = ctx.activation
    if how is None or ctx.want_logits:
        return dy
    if type(how[0]) is Recording:
        recording, z, y = how
        return recording.reverse([(y, dy)])[z]
    kernel, kept = how
    return kernel.backward(kept, dy)


def activated_product(ctx: Any, activation: Any, x: Any, w: Any, bias: Any, shape: tuple) -> Any:
    """`activation(x @ w + bias)` of matrices, as `activate`, in `shape`."""
    kernel = getattr(activation, "kernel", None)
    rectify = kernel == RELU and not ctx.want_logits
    z = affine(x, w, bias, rectify)
    if len(shape) != 2:
        z = z.reshape(shape)
    if not rectify:
        return activate(ctx, activation, z)
    if ctx.recording:
        ctx.activation = (kernel, z)
    return z


def product_gradients(ctx: Any, x: Any, kernel: Any, bias: Any, dy: Any) -> Any:
    """Through `activated_product`, by parts of rows: None where that is not for it.

    Otherwise the gradients; those of the variables have been added.
    """
    how = () if ctx.want_logits else ctx.activation or ()
    if how and how[0] != RELU:
        return None
    size = kernel.array.size // x.shape[1]
    y = how[1].reshape(-1, size) if how else None
    bias_wanted = bias is not None and bias.trainable
    wanted = (ctx.needs[0], kernel.trainable, bias_wanted)
    w = kernel.array.reshape(x.shape[1], size)
    found = affine_backward(x, w, y, dy.reshape(-1, size), wanted)
    if found is not None:
        if kernel.trainable:
            ctx.add_grad(kernel, found[1].reshape(kernel.shape))
        if bias_wanted:
            ctx.add_grad(bias, found[2].reshape(bias.shape))
    return found


def bind_activation(activation: Any, shape: tuple, dtype: Any, logits: bool) -> Any:
    """What `bound_activation` makes of an activation, or None; with `logits`, of none."""
    if logits or is_linear(activation):
        return bound_activation(None, shape, dtype)
    kernel = getattr(activation, "kernel", None)
    return None if kernel is None else bound_activation(kernel, shape, dtype)


def _recorded(ctx: Any, function: Any, z: Any) -> Any:
    if not ctx.recording:
        result = function(Tensor(z))
        return result.array if isinstance(result, Tensor) else result
    with Recording(ctx.run) as recording:
        tensor = recording.track(z)
        result = function(tensor)
        if not isinstance(result, Tensor) or result.recording is not recording:
            raise ValueError(
                f"The activation {function!r} must compute its result from its argument with"
                " `minikeras.ops`, so that it has a gradient."
            )
    ctx.activation = (recording, tensor.slot, result.slot)
    return result.array
