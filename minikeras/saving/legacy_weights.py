"""How Keras 1 and 2 laid out the weights of a layer, and what has to be done to them today."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras.engine.layer import Layer

# i, c, f, o -> i, f, c, o
_GATES_OF_KERAS_1 = {"LSTM": (0, 2, 1, 3), "ConvLSTM2D": (0, 2, 1, 3), "GRU": (0, 1, 2)}
_FLIPPED_BY_THEANO = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "ConvLSTM2D",
)


_NAME_OF_KERAS_1 = re.compile(r"_([WUb](_[a-z]|_carry)?|running_std)(:0)?$")


class Origin(NamedTuple):
    """What wrote a file.

    Attributes:
        generation: 1, 2 or 3.
        theano: Whether its kernels are Theano's, which turns them around.
    """

    generation: int = 3
    theano: bool = False


class Piece(NamedTuple):
    """The arrays of one layer in a file, as positions in the list of its group's arrays."""

    layer: Any
    variables: list
    positions: list
    convert: Callable | None


def legacy_order(layer: Any) -> list:
    """The weights, trainable ones first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def pieces(layer: Any, shapes: list, names: list, origin: Origin) -> list[Piece] | None:
    """Which arrays of a layer's group belong to which of its parts; None if they do not fit.

    Args:
        layer: A layer of the model, a nested model perhaps.
        shapes: The shapes of the arrays in the file.
        names: Their names.
        origin: What wrote the file.
    """
    parts = list(_parts(layer))
    counts = []
    rest = len(shapes) - sum(len(part.weights) for part in parts)
    for part in parts:
        trainable, other = len(part.trainable_weights), len(part.non_trainable_weights)
        split = _split_gates(part, rest, shapes, origin)
        if split:
            rest -= split - len(part.weights)
            trainable, other = (split, 0) if trainable else (0, split)
        counts.append((trainable, other))
    if rest:
        return None
    found = []
    first, second = 0, sum(trainable for trainable, _ in counts)
    for part, (trainable, other) in zip(parts, counts):
        positions = [*range(first, first + trainable), *range(second, second + other)]
        first, second = first + trainable, second + other
        if not positions:
            continue
        own = [shapes[position] for position in positions]
        own_names = [names[position] for position in positions]
        convert = _conversion(part, own, own_names, origin)
        found.append(Piece(part, legacy_order(part), positions, convert))
    return found


def _parts(layer: Any) -> Any:
    """The layers inside whose arrays are laid out one layer at a time."""
    from minikeras.models.model import Model

    inner = _inside(layer) if not isinstance(layer, Model) else layer.layers
    own = layer._own(with_seeds=False)
    if not inner or own or type(layer).__name__ in _GATES_OF_KERAS_1:
        yield layer
        return
    for one in inner:
        yield from _parts(one)


def _inside(layer: Any) -> list:
    if type(layer).__name__ == "Bidirectional":
        return [layer.forward_layer, layer.backward_layer]
    if type(layer).__name__ == "TimeDistributed":
        return [layer.layer]
    return []


def _split_gates(part: Any, rest: int, shapes: list, origin: Origin) -> int:
    """How many arrays a recurrent layer has in a file of Keras 1 that holds its gates apart."""
    gates = _GATES_OF_KERAS_1.get(type(part).__name__)
    if origin.generation != 1 or gates is None or rest <= 0:
        return 0
    return 3 * len(gates)


def _conversion(part: Layer, shapes: list, names: list, origin: Origin) -> Callable | None:
    """What turns the arrays in a file into those of the layer; None where they are the same."""
    name = type(part).__name__
    steps: list[Callable] = []
    gates = _GATES_OF_KERAS_1.get(name)
    if origin.generation == 1 and gates is not None and len(shapes) == 3 * len(gates):
        steps.append(lambda arrays: _join_gates(arrays, gates))
    elif name in ("LSTM", "GRU") and origin.generation == 2 and len(shapes) == 3:
        units = part.units  # type: ignore[attr-defined]
        count = 4 if name == "LSTM" else 3
        if shapes[2] == (2 * count * units,):
            steps.append(lambda arrays: _from_cudnn(arrays, count))
    if name == "Highway" and len(shapes) == 4 and "_carry" in names[1]:
        # Keras 1.2 wrote both kernels first.
        steps.append(lambda arrays: [arrays[index] for index in (0, 2, 1, 3)])
    if origin.generation == 1 and shapes and _is_convolution(name):
        steps.append(lambda arrays: [_kernel_of_keras_1(part, arrays[0]), *arrays[1:]])
    if origin.theano and name in _FLIPPED_BY_THEANO:
        count = 2 if name.startswith("ConvLSTM") else 1
        steps.append(
            lambda arrays: [
                *(_turn(one) for one in arrays[:count]),
                *arrays[count:],
            ]
        )
    if not steps:
        return None

    def convert(arrays: list) -> list:
        for step in steps:
            arrays = step(arrays)
        return arrays

    return convert


def _is_convolution(name: str) -> bool:
    return name in ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose")


def _turn(kernel: np.ndarray) -> np.ndarray:
    """A kernel turned around in space; the last two axes are channels."""
    return kernel[tuple(slice(None, None, -1) for _ in range(kernel.ndim - 2))]


def _join_gates(arrays: list, order: tuple) -> list:
    """Kernel, recurrent kernel and bias, from those of each gate."""
    return [
        np.concatenate([arrays[3 * gate + kind] for gate in order], axis=-1) for kind in range(3)
    ]


def _from_cudnn(arrays: list, gates: int) -> list:
    """The weights of a CuDNN layer: every gate's kernels transposed, two biases."""
    kernel, recurrent, bias = arrays

    def each(array: np.ndarray, change: Callable) -> np.ndarray:
        return np.concatenate([change(one) for one in np.split(array, gates, axis=1)], axis=1)

    kernel = each(kernel, lambda one: one.T.reshape(one.shape, order="F"))
    recurrent = each(recurrent, np.transpose)
    bias = bias.reshape(2, -1)
    return [kernel, recurrent, bias.sum(0) if gates == 4 else bias]


def _kernel_of_keras_1(part: Any, kernel: np.ndarray) -> np.ndarray:
    """A kernel of Keras 1 with its axes in today's order: space, in, out (transposed: out, in)."""
    name = type(part).__name__
    target = tuple(part.kernel.shape)
    if name == "Conv1D":
        if kernel.shape[:2] != (target[0], 1) or kernel.shape[3] != target[-1]:
            kernel = kernel.transpose(2, 3, 1, 0)
        return kernel[:, 0]
    first = part.data_format == "channels_first"
    if name.endswith("Transpose"):
        # Keras 1 wrote (rows, columns, in, out) here too, or (in, out, rows, columns).
        space = kernel.ndim - 2
        if first:
            straight = kernel.transpose(*range(2, 2 + space), 0, 1)
            return straight if straight.shape == target else straight.swapaxes(-1, -2)
        swapped = kernel.swapaxes(-1, -2)
        return swapped if swapped.shape == target else kernel
    if first:
        return kernel.transpose(*range(2, kernel.ndim), 1, 0)
    return kernel


def origin_of(version: Any, backend: Any, names: list[str]) -> Origin:
    """What wrote a file, by its attributes and the names of its weights.

    Args:
        version: The `keras_version` attribute, or None.
        backend: The `backend` attribute, or None.
        names: Names of weights.
    """
    generation = int(version[0]) if isinstance(version, str) and version[:1] in "123" else 0
    if not generation:
        # Weights files of Keras 1 say nothing of their version.
        old = any("/" not in name and _NAME_OF_KERAS_1.search(name) for name in names)
        generation = 1 if old else 2
    theano = backend == "theano"
    if generation == 1 and backend is None and names:
        theano = not any(name.endswith(":0") for name in names)
    return Origin(generation, theano)
