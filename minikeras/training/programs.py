"""How a model runs forward and back: by its planned graph, or by its own `call`."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
from minikeras.engine.context import Run
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
