"""How a model runs forward and back: by its planned graph, or by its own `call`.

Losses and metrics that reach into the graph of their model.

In Keras 1 and 2 a loss function may use tensors of the model besides its arguments, as that of a
variational autoencoder does with the mean and the variance of its latent code:

    def vae_loss(x, decoded):
        return binary_crossentropy(x, decoded) - 0.5 * K.sum(1 + z_log_var - ..., axis=-1)

Such a function says something only about the graph. It is called once, with the symbolic targets
and outputs, and its result becomes a further output of the graph that is trained.
"""

from __future__ import annotations

import copy
import math
import re
import types
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
from minikeras.engine.context import Run
from minikeras.engine.graph import Graph
from minikeras.engine.recording import Recording
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.training.arrays import ArrayBatches


class GraphProgram:
    """The forward and backward pass of a model with a planned graph."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.functional = model._graph_model
        self.graph = self.functional.graph
        self.single = len(self.graph.inputs) == 1
        self.names = self.functional.output_names
        self.symbolic = self.functional._outputs_struct
        first = self.graph.inputs[0]
        self.dtype = dtypes.numpy_dtype(first.dtype)
        self.row_shape = first.shape[1:] if self.single else None
        # Products with larger weights BLAS shares out even for one row.
        self.small = all(one.array.size <= 8192 for one in model.weights)

    def inputs(self, x: Any) -> list:
        """`x` as the flat list of arrays the graph takes."""
        if type(x) is np.ndarray and x.dtype is self.dtype and x.shape[1:] == self.row_shape:
            return [x]
        from minikeras.models.functional import fit_to, flatten_inputs

        if self.single and type(x) is np.ndarray:
            return [fit_to(x, self.graph.inputs[0], self.model)]
        return [
            fit_to(np.asarray(value), symbolic, self.model)
            for value, symbolic in zip(flatten_inputs(self.functional, x), self.graph.inputs)
        ]

    def forward(self, run: Run, x: Any) -> tuple[list, Any, list | None]:
        """The flat outputs, what `backward` needs, and the masks of the outputs."""
        graph = self.graph
        if graph.chain and not run.recording and run.fuse is None and not run.training:
            return [graph.infer(run, self.inputs(x)[0])], (), None
        plan = graph.plan() if run.recording else None
        outputs, calls, masks = graph.forward(run, self.inputs(x), plan)
        if not masks:
            return outputs, calls, None
        found = [masks.get(slot) for slot in graph.output_slots]
        return outputs, calls, [mask.array if isinstance(mask, Tensor) else mask for mask in found]

    def backward(self, calls: Any, douts: list, run: Run) -> None:
        """Walk back; gradients go to the run's sink."""
        self.graph.backward(calls, douts)

    def pack(self, outputs: list) -> Any:
        """The outputs in the model's structure."""
        outputs = [dtypes.plain_array(one) for one in outputs]
        if isinstance(self.symbolic, KerasTensor):
            return outputs[0]
        from minikeras.models.functional import pack_outputs

        return pack_outputs(self.functional, outputs)


class CallProgram:
    """The forward and backward pass of a model that defines `call`: recorded anew each time."""

    names = None
    graph = None

    def __init__(self, model: Any) -> None:
        self.model = model
        self.structure: Any = None

    def forward(self, run: Run, x: Any) -> tuple[list, Any, list | None]:
        """The flat outputs, what `backward` needs, and the masks of the outputs."""
        inputs = tree.map_structure(Tensor, x)
        recording = Recording(run)
        if run.recording:
            with recording:
                result = self.model(inputs, training=run.training)
        else:
            with _Quiet(run):
                result = self.model(inputs, training=run.training)
        self.structure = tree.map_structure(lambda _: None, result)
        tensors = tree.flatten(result)
        outputs = [np.asarray(t.array if isinstance(t, Tensor) else t) for t in tensors]
        masks = [getattr(tensor, "_keras_mask", None) for tensor in tensors]
        slots = [
            tensor.slot if isinstance(tensor, Tensor) and tensor.recording is recording else None
            for tensor in tensors
        ]
        terms = [
            term.slot
            for term in run.losses
            if isinstance(term, Tensor) and term.recording is recording
        ]
        found = [m.array if isinstance(m, Tensor) else m for m in masks]
        return (
            outputs,
            (recording, slots, terms),
            found if any(m is not None for m in found) else None,
        )

    def backward(self, state: Any, douts: list, run: Run) -> None:
        """Walk back; gradients go to the run's sink."""
        recording, slots, terms = state
        seeds = [
            (slot, dout)
            for slot, dout in zip(slots, douts)
            if slot is not None and dout is not None
        ]
        seeds += [(slot, np.ones((), "float32")) for slot in terms]
        recording.reverse(seeds)

    def pack(self, outputs: list) -> Any:
        """The outputs in the structure that `call` returned."""
        outputs = [dtypes.plain_array(one) for one in outputs]
        if not tree.is_nested(self.structure):
            return outputs[0]
        return tree.pack_sequence_as(self.structure, outputs)


class _Quiet:
    def __init__(self, run: Run) -> None:
        self.run = run

    def __enter__(self) -> None:
        from minikeras.engine.context import state

        self.outer = (state.recording, state.run)
        state.recording, state.run = None, self.run

    def __exit__(self, *_: Any) -> None:
        from minikeras.engine.context import state

        state.recording, state.run = self.outer


# Which models treat each row of a batch by itself, so that their batches may be cut otherwise.

# How many rows are predicted at once where nobody sees the batches, and how many numbers the
# largest of a model's arrays may then have.
_ROWS, _NUMBERS = 1024, 2**22

# Layers that do so at inference, of 1, 2 or 3 dimensions, unless an axis that they are told is that
# of the batch. What is not named here is taken to look at the whole batch.
_LAYERS = frozenset(
    """
    Activation Add AdditiveAttention AlphaDropout Attention Average AveragePooling
    BatchNormalization Bidirectional Concatenate Conv ConvTranspose Cropping Dense DepthwiseConv
    Dropout ELU Embedding Flatten Functional GRU GRUCell GaussianDropout GaussianNoise
    GlobalAveragePooling GlobalMaxPooling GroupNormalization Identity InputLayer LSTM LSTMCell
    LayerNormalization LeakyReLU Masking MaxPooling Maximum Minimum Multiply Normalization PReLU
    Permute RMSNormalization ReLU RepeatVector Rescaling Reshape SeparableConv Sequential
    SimpleRNN SimpleRNNCell Softmax SpatialDropout StackedRNNCells Subtract TimeDistributed
    UpSampling ZeroPadding
    """.split()
)


def batches_at_once(model: Any, program: Any, source: Any) -> int:
    """How many batches of `source` may be predicted as one, because large ones are faster."""
    graph = program.graph
    if type(source) is not ArrayBatches or source.steps_per_epoch or graph is None:
        return 1
    shapes = [tensor.shape[1:] for tensor in graph.tensors]
    if source.num_batches == 1 or any(None in shape for shape in shapes):
        return 1
    largest = max(math.prod(shape) for shape in shapes)
    rows = min(_ROWS, _NUMBERS // max(largest, 1), source.num_samples)
    count = rows // (source.batch_size or 1)
    return count if count > 1 and rows_alone(model) else 1


def rows_alone(model: Any) -> bool:
    """Whether `model` computes, at inference, each row from that row of its inputs only.

    Layers of one's own, functions of one's own as activations, operations between layers and
    stateful layers count as looking at the whole batch.
    """
    return all(_alone(layer) for layer in model._flatten_layers())


def _alone(layer: Any) -> bool:
    kind = type(layer)
    if re.sub(r"\dD", "", kind.__name__) not in _LAYERS or not _ours(kind):
        return False
    if getattr(layer, "stateful", False):
        return False
    functions = (getattr(layer, "activation", None), getattr(layer, "recurrent_activation", None))
    if not all(function is None or _ours(function) for function in functions):
        return False
    axes = tree.flatten([getattr(layer, name, None) for name in ("axis", "axes")])
    if any(axis is not None and int(axis) == 0 for axis in axes):
        return False
    graph = getattr(layer, "graph", None) if hasattr(layer, "_outputs_struct") else None
    if graph is None:
        return True
    return all(
        "training" not in step.kwargs and hasattr(step.operation, "_flatten_layers")
        for step in graph.steps
    )


def _ours(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    return module.split(".", 1)[0] == __name__.split(".", 1)[0]


def joined_outputs(batches: list) -> Any:
    """The outputs of the batches of one execution, as callbacks see them."""
    parts = batches[0]
    if len(batches) > 1:
        parts = [np.concatenate(several) for several in zip(*batches)]
    return parts[0] if len(parts) == 1 else parts


def uses_graph(function: Any, _seen: set | None = None) -> bool:
    """Whether a function (or what it calls, or an object's attributes) holds symbolic tensors."""
    seen = set() if _seen is None else _seen
    if id(function) in seen or len(seen) > 200:
        return False
    seen.add(id(function))
    if isinstance(function, KerasTensor):
        return True
    if isinstance(function, (list, tuple)):
        return any(uses_graph(one, seen) for one in function)
    if isinstance(function, types.MethodType):
        return uses_graph(function.__func__, seen) or uses_graph(function.__self__, seen)
    if not isinstance(function, types.FunctionType):
        if _is_own(type(function)) or isinstance(function, type) or not callable(function):
            return False
        held = list(getattr(function, "__dict__", {}).values())
        return any(uses_graph(one, seen) for one in held) or uses_graph(
            getattr(type(function), "call", type(function).__call__), seen
        )
    if _is_own(function):
        return False
    held = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    held += function.__defaults__ or ()
    held += [
        function.__globals__[name]
        for name in function.__code__.co_names
        if name in function.__globals__
    ]
    return any(
        uses_graph(one, seen)
        for one in held
        if isinstance(one, (KerasTensor, types.FunctionType, types.MethodType, list, tuple))
    )


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _is_own(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    return module.split(".", 1)[0] == __name__.split(".", 1)[0]


def _function_of(thing: Any) -> Any:
    """The function inside a loss or metric that wraps one, else the object itself."""
    return getattr(thing, "fn", None) or getattr(thing, "_fn", None) or thing


class GraphLosses:
    """The losses and metrics of a compiled model that reach into its graph.

    Args:
        program: The `GraphProgram` of the model.
        terms: Its `LossTerm`s.
        groups: Its `MetricGroup`s.
        targets: Flat list of the first batch's targets.

    Attributes:
        losses: Position of a term -> which of the values behind the outputs is its own.
        metrics: `id` of a metric -> the same.
        means: Metrics that are means of values, with the place of these.
        added: Places of scalars that are losses by themselves (`model.add_loss`).
    """

    def __init__(self, program: Any, terms: list, groups: list, targets: list) -> None:
        graph, model = program.graph, program.model
        self.count = len(graph.outputs)
        self.targets: list[int] = []
        self.losses: dict[int, int] = {}
        self.metrics: dict[int, int] = {}
        self.means: list[tuple] = []
        self.added: list[int] = []
        symbolic: dict[int, KerasTensor] = {}
        values: list[KerasTensor] = []

        def target_of(output: int) -> Any:
            target = targets[output]
            prediction = graph.outputs[output]
            if output not in symbolic:
                from minikeras.layers import Input

                kind = prediction.dtype if target.dtype.kind == "f" else str(target.dtype)
                symbolic[output] = Input(
                    batch_shape=(prediction.shape[0], *target.shape[1:]),
                    dtype=kind,
                    name=f"target_{output + 1}",
                )
                self.targets.append(output)
            y_true = symbolic[output]
            if y_true.dtype != prediction.dtype:
                from minikeras import ops

                y_true = ops.cast(y_true, prediction.dtype)
            return y_true

        def call(thing: Any, output: Any) -> int:
            y_true = tree.map_structure(target_of, output)
            prediction = tree.map_structure(graph.outputs.__getitem__, output)
            function = _function_of(thing)
            options = getattr(thing, "_fn_kwargs", {})
            call_it = function if function is not thing else thing.call
            value = call_it(y_true, prediction, **options)
            values.append(value)
            return len(values) - 1

        for position, term in enumerate(terms):
            if uses_graph(_function_of(term.loss)):
                output = term.output if term.parts is None else term.parts
                self.losses[position] = call(term.loss, output)
        for group in groups:
            for metric in group.metrics:
                if hasattr(metric, "accumulate_values") and uses_graph(_function_of(metric)):
                    self.metrics[id(metric)] = call(metric, group.output)
        for tensor, metric in model.__dict__.get("_graph_metrics", ()):
            self.metrics[id(metric)] = len(values)
            self.means.append((metric, len(values)))
            values.append(tensor)
        for tensor in model.__dict__.get("_graph_losses", ()):
            self.added.append(len(values))
            values.append(tensor)
        self.graph: Any = None
        if values:
            inputs = [symbolic[output] for output in self.targets]
            self.graph = Graph([*graph.inputs, *inputs], [*graph.outputs, *tree.flatten(values)])
            self.dtypes = [dtypes.numpy_dtype(one.dtype) for one in inputs]

    def program(self, program: Any) -> JointProgram:
        """The program that computes these values together with the model's outputs."""
        joint = copy.copy(program)
        joint.__class__ = JointProgram
        joint.graph, joint.own = self.graph, program
        return joint

    def give(self, program: JointProgram, targets: list) -> None:
        """Hand the targets of a batch to the program."""
        program.targets = [
            np.asarray(targets[output], dtype=dtype)
            for output, dtype in zip(self.targets, self.dtypes)
        ]


class JointProgram(GraphProgram):
    """A program whose graph also takes targets, and has values of losses as further outputs."""

    own: Any
    targets: list

    def inputs(self, x: Any) -> list:
        """`x` and the targets as the flat list of arrays the graph takes."""
        return [*self.own.inputs(x), *self.targets]
