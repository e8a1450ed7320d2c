"""Which models treat each row of a batch by itself: their batches may be cut otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import tree
from minikeras.training.arrays import ArrayBatches

# How many rows are predicted at once where nobody sees the batches, and how many numbers the
# largest of a model's arrays may then have.
_ROWS, _NUMBERS = 1024, 2**22

# Layers that do so at inference, unless an axis that they are told is that of the batch. What is
# not named here is taken to look at the whole batch.
_LAYERS = frozenset(
    """
    Activation Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D
    AveragePooling2D AveragePooling3D BatchNormalization Bidirectional Concatenate Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D Cropping2D Cropping3D
    Dense DepthwiseConv1D DepthwiseConv2D Dropout ELU Embedding Flatten Functional GRU GRUCell
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking
    MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum Multiply Normalization Permute
    PReLU RMSNormalization ReLU RepeatVector Rescaling Reshape SeparableConv1D SeparableConv2D
    Sequential SimpleRNN SimpleRNNCell Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D
    StackedRNNCells Subtract TimeDistributed UpSampling1D UpSampling2D UpSampling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D
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
    if type(layer).__name__ not in _LAYERS or not _ours(type(layer)):
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
