"""What `keras.backend` did with models and their tensors: functions, gradients, phases, loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minikeras import config, ops
from minikeras.dialects import warn_once
from minikeras.engine import tree
from minikeras.engine.context import Run, state
from minikeras.engine.operation import Operation
from minikeras.engine.recording import Paused, Recording
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable, plain

# The learning phase


class LearningPhase(int):
    """0, and as an input of `K.function`: what says whether it runs as in training."""


_PHASE = LearningPhase(0)


def learning_phase() -> Any:
    """1 in training, else 0. Among the inputs of `K.function` it takes a value."""
    if state.run is not None and state.run.training is not None:
        return int(state.run.training)
    return _PHASE if state.learning_phase is None else int(state.learning_phase)


def set_learning_phase(value: Any) -> None:
    """Say how layers run that are called without `training`; `fit` and `predict` know it."""
    if value not in (0, 1):
        raise ValueError(f"Argument `value` must be 0 or 1. Received: {value!r}")
    warn_once("K.set_learning_phase(value)", "model(x, training=...)")
    type(state).learning_phase = bool(value)


@contextmanager
def learning_phase_scope(value: Any) -> Iterator[None]:
    """Inside of the block layers run with `training=value`, where nothing else is said."""
    before = type(state).learning_phase
    set_learning_phase(value)
    try:
        yield
    finally:
        type(state).learning_phase = before


class _Phase(Operation):
    """The first of two tensors in training, else the second."""

    def forward(self, ctx: Any, *arrays: Any) -> Any:
        """Compute the output."""
        ctx.save(bool(ctx.training))
        return arrays[0] if ctx.training else arrays[1]

    def backward(self, ctx: Any, *douts: Any) -> Any:
        """Compute the gradients of the inputs."""
        return (douts[0], None) if ctx.saved[0] else (None, douts[0])

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The output as a `KerasTensor`."""
        return KerasTensor(args[0].shape, args[0].dtype)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, else `alt`. Either may be a function without arguments."""
    if training is None and state.run is None and state.learning_phase is None:
        both = [one() if callable(one) and not hasattr(one, "shape") else one for one in (x, alt)]
        if any(isinstance(one, KerasTensor) for one in both):
            return _Phase()(*both)
        return both[1]
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) and not hasattr(chosen, "shape") else chosen


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` in training, else `x`."""
    return in_train_phase(alt, x, training)


# Functions between tensors


def placeholder(
    shape: Any = None,
    ndim: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    name: str | None = None,
    ragged: bool = False,
) -> Any:
    """A symbolic tensor of `shape` (batch axis included) or with `ndim` axes; else a vector."""
    from minikeras.layers import Input

    shape = (None,) * (1 if ndim is None else ndim) if shape is None else tuple(shape)
    return Input(
        batch_shape=shape, dtype=dtype or config.floatx(), name=name, sparse=sparse, ragged=ragged
    )


def is_placeholder(x: Any) -> bool:
    """Whether `x` is the input of a graph."""
    history = getattr(x, "_keras_history", None)
    return history is not None and history.operation._inbound_nodes[history.node_index].is_input


def _inputs_of(tensors: list) -> list:
    """The inputs that tensors are computed from."""
    found, seen, pending = [], set(), list(tensors)
    while pending:
        tensor = pending.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        history = tensor._keras_history
        if history is None:
            raise ValueError(f"The tensor {tensor} comes from no layer, operation or placeholder.")
        node = history.operation._inbound_nodes[history.node_index]
        if node.is_input:
            found.append(tensor)
        pending.extend(reversed(node.input_tensors))
    return found


class _Function:
    """What `K.function` returns."""

    def __init__(self, inputs: Any, outputs: Any, updates: Any, name: str | None) -> None:
        from minikeras.models import Function

        self.single = not isinstance(inputs, (list, tuple))
        # `model.input` is a list where the model was made of one.
        self.inputs = [inputs] if self.single else tree.flatten(list(inputs))
        for one in self.inputs:
            if not isinstance(one, (KerasTensor, int)):
                raise ValueError(
                    "Argument `inputs` of `function` must be tensors of a model, placeholders or"
                    f" `K.learning_phase()`. Received: {one!r}"
                )
        self.structure = outputs
        self.updates = [one for one in updates or [] if one is not None]
        wanted = tree.flatten([outputs, [value for _, value in self.updates]])
        self.symbolic = [one for one in wanted if isinstance(one, KerasTensor)]
        given = [one for one in self.inputs if isinstance(one, KerasTensor)]
        self.name = name
        self.made = None
        if self.symbolic:
            known = {id(one) for one in given}
            if not all(id(one) in known for one in self.symbolic):
                missing = [
                    one
                    for one in _cut(self.symbolic, given)
                    if getattr(one._keras_history.operation, "_held", None) is None
                ]
                if missing:
                    raise ValueError(
                        "The outputs of `function` depend on inputs that are not in `inputs`:"
                        f" {missing}"
                    )
            self.made = Function(given, self.symbolic, name=name)

    def __call__(self, *arguments: Any) -> Any:
        values: Any = arguments[0] if len(arguments) == 1 else arguments
        if self.single and not (isinstance(values, (list, tuple)) and len(values) == 1):
            values = [values]
        if len(values) != len(self.inputs):
            raise ValueError(
                f"The function takes {len(self.inputs)} values, in a list. Received: {len(values)}"
            )
        training = state.learning_phase
        arrays = []
        for one, value in zip(self.inputs, values):
            if isinstance(one, KerasTensor):
                arrays.append(Tensor(np.asarray(plain(value), dtype=str(one.dtype))))
            else:
                training = bool(value)
        results: list = []
        if self.made is not None:
            with Paused(training=bool(training)):
                results = self.made.call(arrays)
        found = {id(one): np.asarray(result) for one, result in zip(self.symbolic, results)}

        def value_of(leaf: Any) -> Any:
            return found[id(leaf)] if isinstance(leaf, KerasTensor) else np.array(plain(leaf))

        outputs = tree.map_structure(value_of, self.structure)
        for variable, new in [(one, value_of(value)) for one, value in self.updates]:
            variable.assign(new)
        return outputs


def _cut(tensors: list, inputs: list) -> list:
    """What remains to be followed back from `tensors`, where `inputs` end the way."""
    known = {id(one) for one in inputs}
    ends, seen, pending = [], set(), list(tensors)
    while pending:
        tensor = pending.pop()
        if id(tensor) in known or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        history = tensor._keras_history
        if history is None:
            raise ValueError(f"The tensor {tensor} comes from no layer, operation or placeholder.")
        node = history.operation._inbound_nodes[history.node_index]
        if node.is_input:
            ends.append(tensor)
        pending.extend(node.input_tensors)
    return ends


def function(
    inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **gone: Any
) -> Any:
    """A function from lists of arrays to arrays, between tensors of a model.

    Args:
        inputs: List of tensors of a model, placeholders and `K.learning_phase()`.
        outputs: Tensor, variable, or structure of them, as the function returns them.
        updates: List of pairs (variable, its new value), or None.
        name: String, or None.
    """
    if gone:
        raise TypeError(
            f"function() got {sorted(gone)}, which were options of TensorFlow's sessions. There"
            " are none: leave them out."
        )
    return _Function(inputs, outputs, updates, name)


# Gradients

_PIECEWISE_LINEAR = {"InputLayer", "MaxPooling", "AveragePooling", "Sum", "Mean", "Max", "Reshape"}


class Gradients(Operation):
    """The derivatives of a loss by tensors that it is computed from, as one operation.

    Args:
        loss: `KerasTensor`.
        sources: List of variables, and of `KerasTensor`s that are among `inputs`.
        inputs: What the operation is called on, and `loss` computed from.
    """

    def __init__(self, loss: KerasTensor, sources: list, inputs: list) -> None:
        from minikeras.models import Function

        super().__init__(name=None)
        self.sources, self.inputs = sources, inputs
        self.graph = Function(inputs, loss)

    def call(self, *values: Any) -> Any:
        """Compute the gradients, one for each source."""
        training = None if state.run is None else state.run.training
        if state.run is not None and state.run.recording:
            # Where every value passes as it is or not at all, the gradients are constants.
            kinds = {type(one).__name__.rstrip("123D") for one in self.graph.graph.operations}
            if not kinds <= _PIECEWISE_LINEAR or any(
                isinstance(one, Variable) for one in self.sources
            ):
                raise NotImplementedError(
                    "Gradients of gradients are not supported. Compute `K.gradients` outside of"
                    " training."
                )
        with Paused(training=training):
            return self._walk(list(values), training)

    def _walk(self, values: list, training: bool | None) -> tuple:
        run = Run(training=training, recording=True)
        run.sink.begin()
        recording = Recording(run)
        with recording:
            tracked = [recording.track(np.asarray(plain(value))) for value in values]
            loss = self.graph.call(tracked)
        if loss.recording is not recording:
            gradients: list = [None] * recording.count
        else:
            gradients = recording.reverse([(loss.slot, np.ones_like(loss.array))])
        results = []
        for source in self.sources:
            if isinstance(source, Variable):
                gradient, shape = run.sink.get(source), source.shape
            else:
                one = tracked[next(i for i, at in enumerate(self.inputs) if at is source)]
                gradient, shape = gradients[one.slot], one.shape
            results.append(Tensor(np.zeros(shape, "float32") if gradient is None else gradient))
        return tuple(results)

    def compute_output_spec(self, *values: Any, **_: Any) -> Any:
        """The gradients as `KerasTensor`s."""
        return tuple(KerasTensor(one.shape, one.dtype) for one in self.sources)


def _depends(tensor: Any, source: Any) -> bool:
    seen, pending = set(), [tensor]
    while pending:
        one = pending.pop()
        if one is source:
            return True
        if id(one) in seen or one._keras_history is None:
            continue
        seen.add(id(one))
        history = one._keras_history
        pending.extend(history.operation._inbound_nodes[history.node_index].input_tensors)
    return False


def gradients(loss: Any, variables: Any) -> list:
    """The derivatives of the sum of `loss` by tensors of a model, placeholders or variables.

    Args:
        loss: A tensor that a model or `K` functions made of symbolic tensors.
        variables: Tensor or variable, or list of them.

    Returns:
        A list of tensors, for `K.function`; None for a tensor that `loss` does not depend on.

    Raises:
        ValueError: for a loss that is a value; `minikeras.GradientTape` differentiates those.
    """
    warn_once("K.gradients(loss, tensors)", "tape.gradient(loss, tensors) of a GradientTape")
    sources = list(variables) if isinstance(variables, (list, tuple)) else [variables]
    if not isinstance(loss, KerasTensor):
        raise ValueError(
            "`K.gradients` needs symbolic tensors, such as `model.output`. For values, compute the"
            " loss inside of `with minikeras.GradientTape() as tape:` and call"
            f" `tape.gradient(loss, variables)`. Received: loss={loss!r}"
        )
    for one in sources:
        if not isinstance(one, (KerasTensor, Variable)):
            raise ValueError(
                "Argument `variables` of `K.gradients` must be tensors of a model or variables."
                f" Received: {one!r}"
            )
    found: dict[int, Any] = {}
    ends = _inputs_of([loss])
    whole = [one for one in sources if isinstance(one, Variable) or is_placeholder(one)]
    ways = [(whole, ends)] if whole else []
    for one in sources:
        if not (isinstance(one, Variable) or is_placeholder(one)) and _depends(loss, one):
            ways.append(([one], [one, *_cut([loss], [one])]))
    for wanted, inputs in ways:
        wanted = [one for one in wanted if isinstance(one, Variable) or _depends(loss, one)]
        if wanted:
            made = Gradients(loss, wanted, inputs)(*inputs)
            found.update(zip(map(id, wanted), made))
    return [found.get(id(one)) for one in sources]


# Updates


def update(x: Any, new_x: Any) -> Any:
    """Assign `new_x` to a variable; of a symbolic value, the pair for `updates` of `function`."""
    if isinstance(new_x, KerasTensor):
        return (x, new_x)
    x.assign(plain(new_x))
    return x


def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable."""
    return update(x, x + increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtract from a variable."""
    return update(x, x - decrement)


def print_tensor(x: Any, message: str = "", summarize: int = 3) -> Any:
    """Print a tensor when it is computed, and return it."""
    if isinstance(x, KerasTensor):
        from minikeras.layers import Lambda

        shown = Lambda(lambda one: print_tensor(one, message, summarize), tuple(x.shape[1:]))
        return shown(x)
    if not state.inferring:
        edge = -1 if summarize is None else summarize
        print(
            message,
            np.array2string(
                np.asarray(x), edgeitems=max(edge, 1), threshold=0 if edge > 0 else 10**9
            ),
        )
    return x


# Sessions


def get_session(*_: Any) -> None:
    """Not available: there are no sessions.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "There are no sessions: tensors have values. Read one with `K.get_value(x)`, compute"
        " tensors of a model with `K.function(inputs, outputs)(values)`."
    )


def set_session(session: Any) -> None:
    """Nothing to do: sessions said which devices TensorFlow used."""
    warn_once("K.set_session(session)", "nothing: there are no sessions")


# Loops


def map_fn(fn: Any, elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """`fn` of each row, stacked."""
    made = ops.stack([ops.convert_to_tensor(fn(row)) for row in _rows(elems)])
    return made if dtype is None else ops.cast(made, dtype)


def foldl(fn: Any, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`fn(accumulator, row)` over the rows, from the first to the last."""
    return _fold(fn, list(_rows(elems)), initializer)


def foldr(fn: Any, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`fn(accumulator, row)` over the rows, from the last to the first."""
    return _fold(fn, list(_rows(elems))[::-1], initializer)


def _rows(elems: Any) -> list:
    if isinstance(elems, (tuple, list)):
        return list(zip(*(_rows(one) for one in elems)))
    if elems.shape[0] is None:
        raise ValueError(
            "A loop over the rows of a symbolic tensor needs their number. Use a `Lambda` layer."
        )
    return [elems[index] for index in range(elems.shape[0])]


def _fold(fn: Any, rows: list, value: Any) -> Any:
    if value is None:
        value, rows = rows[0], rows[1:]
    for row in rows:
        value = fn(value, row)
    return value


def rnn(
    step_function: Any,
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
    unroll: bool = False,
    input_length: Any = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple:
    """`step_function(input, states)` over the time axis, which must have a known length.

    Returns:
        (last output, outputs of all steps, last states).
    """
    axis = 0 if time_major else 1
    first = tree.flatten(inputs)[0]
    length = first.shape[axis]
    if length is None:
        raise ValueError("`rnn` needs a known number of time steps. Use a `RNN` layer.")

    def at(x: Any, time: int) -> Any:
        return x[time] if time_major else x[:, time]

    states, outputs, previous = list(initial_states), [], None
    order = range(length - 1, -1, -1) if go_backwards else range(length)
    if input_length is not None and mask is None and not isinstance(input_length, int):
        steps = ops.expand_dims(ops.arange(length), 0 if not time_major else 1)
        lengths = ops.reshape(input_length, (-1, 1) if not time_major else (1, -1))
        mask = ops.less(steps, lengths)
    for time in order:
        x = tree.map_structure(lambda one: at(one, time), inputs)  # noqa: B023
        output, new = step_function(x, states + list(constants or []))
        if mask is not None:
            kept = at(mask, time)
            if len(kept.shape) == 1:
                kept = ops.expand_dims(kept, -1)
            kept = ops.cast(kept, "bool")
            if previous is None or zero_output_for_mask:
                previous = ops.zeros_like(output)
            output = ops.where(kept, output, previous)
            new = [ops.where(kept, one, old) for one, old in zip(new, states)]
        states, previous = list(new), output
        outputs.append(output)
    last = outputs[-1]
    if not return_all_outputs:
        outputs = outputs[-1:]
    return last, ops.stack(outputs, axis=axis), states


__all__ = [
    name
    for name, value in list(globals().items())
    if getattr(value, "__module__", "") == __name__
    and name[0] != "_"
    and name not in ("LearningPhase", "Gradients")
]
