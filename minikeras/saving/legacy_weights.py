"""How Keras 1 and 2 laid out weights and optimizer states, and what they need today."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras.engine.layer import Layer
from minikeras.engine.variable import Variable
from minikeras.saving import guard

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
        last = [names[position].rpartition("/")[2] for position in positions]
        today = [variable.name for variable in legacy_order(part)]
        if origin.generation == 3 and sorted(last) == sorted(set(today)):
            # A layer that became float8 has its weights in another order than one made so.
            positions = [positions[last.index(name)] for name in today]
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
    if origin.generation == 1 and shapes and name in _FLIPPED_BY_THEANO[:5]:
        steps.append(lambda arrays: [_kernel_of_keras_1(part, arrays[0]), *arrays[1:]])
    if origin.theano and name in _FLIPPED_BY_THEANO:
        count = 2 if name.startswith("ConvLSTM") else 1
        steps.append(lambda arrays: [*map(_turn, arrays[:count]), *arrays[count:]])
    if not steps:
        return None

    def convert(arrays: list) -> list:
        for step in steps:
            arrays = step(arrays)
        return arrays

    return convert


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


# The slots of Keras 1 and 2 (and tf.keras up to 2.10), one list a kind, in the order of files.
_SLOTS: dict[str, tuple] = {
    "SGD": ("momentums",),
    "RMSprop": ("_velocities", "_momentums", "_average_gradients"),
    "Adagrad": ("_accumulators",),
    "Adadelta": ("_accumulated_grads", "_accumulated_delta_vars"),
    "Adam": ("_momentums", "_velocities", "_velocity_hats"),
    "AdamW": ("_momentums", "_velocities", "_velocity_hats"),
    "Adamax": ("_m", "_u"),
    "Nadam": ("_momentums", "_velocities"),
    "Ftrl": ("_accumulators", "_linears"),
}


def read(file: Any, model: Any, pieces: list, origin: Origin, version: Any) -> None:
    """Take the optimizer's variables from a whole-model file; warns where they do not fit.

    Args:
        file: Open HDF5 file.
        model: The model, compiled.
        pieces: What `hdf5.read_weights` said of the model's weights.
        origin: What wrote the file.
        version: The `keras_version` attribute.
    """
    group = guard.group_at(file, "optimizer_weights")
    optimizer = model.optimizer
    if group is None or optimizer is None or not model.built:
        return
    optimizer.build(model.trainable_variables)
    weight_names = guard.names(group, "weight_names")
    # Keras 2.0 on Theano wrote one as an absolute path.
    datasets = [
        guard.dataset_at(file if name.startswith("/") else group, name) for name in weight_names
    ]
    if any(one is None for one in datasets):
        raise ValueError("The file lists optimizer weights that it lacks.")
    if _is_new(weight_names):
        values = fit(optimizer, datasets, any("learning_rate" in name for name in weight_names))
        if values is None:
            values = _by_name(optimizer, datasets, weight_names)
    else:
        values = _by_kind(model, optimizer, datasets, pieces, origin, version)
    if values is None:
        warnings.warn(
            "The optimizer state in the file does not fit the optimizer, so training starts with a"
            f" fresh state. The optimizer has {len(optimizer.variables)} variables, the file"
            f" {len(datasets)}.",
            stacklevel=5,
        )
        return
    product = optimizer.__dict__.get("_u_product")
    if product is not None and all(variable is not product for variable, _ in values):
        # tf.keras did not write Nadam's running product, which follows from the count.
        steps = np.arange(1.0, min(int(values[0][1]), 2000) + 1)
        values.append((product, np.prod(optimizer.beta_1 * (1.0 - 0.5 * 0.96**steps))))
    for variable, value in values:
        variable.assign(value)


def _is_new(names: list[str]) -> bool:
    """Whether the optimizer is one of tf.keras 2.11 and later: counted by `iteration`."""
    first = names[0].split(":")[0] if names else ""
    return first == "iteration" or first.endswith("/iteration")


def fit(optimizer: Any, datasets: list, has_rate: bool = False) -> list | None:
    """Pairs (variable, value) for state in today's order, with or without the learning rate.

    That is the order of Keras 3 and of the optimizers of tf.keras 2.11 and later, which did not
    write the learning rate. None if it does not fit.
    """
    variables = list(optimizer.variables)
    shapes = [tuple(one.shape) for one in datasets]
    rate = optimizer.__dict__.get("_learning_rate")
    others = [one for one in variables if one is not rate]
    product = optimizer.__dict__.get("_u_product")
    candidates = [(variables, datasets)]
    if not has_rate and isinstance(rate, Variable):
        candidates.append((others, datasets))
    if has_rate and not isinstance(rate, Variable):
        candidates.append((variables, [datasets[0], *datasets[2:]]))
    if product is not None:
        # tf.keras wrote Nadam's running product before its slots, Keras 3 behind them.
        slots = [one for one in others[1:] if one is not product]
        candidates += [
            ([others[0], product, *slots], datasets),
            (
                [others[0], *([rate] if isinstance(rate, Variable) else []), product, *slots],
                datasets,
            ),
        ]
    if type(optimizer).__name__ == "Adafactor":
        # tf.keras did not write the places of rows and columns that vectors have not.
        placed = (*optimizer._r, *optimizer._c)
        unused = {id(one) for one in placed if one is not None and not one.shape}
        candidates.append(([one for one in others if id(one) not in unused], datasets))
    if type(optimizer).__name__ == "SGD" and not optimizer.momentum:
        # tf.keras kept momentums of zero too.
        head = variables if has_rate else others
        candidates.append((head, datasets[: len(head)]))
    if 0 < len(shapes) <= 2 and not any(shapes):
        # Saved before the first step: there was nothing but the count and the rate.
        candidates.append((variables[: len(shapes)], datasets))
    for own, found in candidates:
        if [tuple(one.shape) for one in found] == [one.shape for one in own]:
            return [(v, guard.read_array(d, v.shape)) for v, d in zip(own, found)]
    return None


def _by_name(optimizer: Any, datasets: list, names: list[str]) -> list | None:
    """tf.keras 2.11 to 2.15: slots grouped by the word after the optimizer's name."""
    groups: dict[str, list] = {}
    for name, dataset in zip(names[1:], datasets[1:]):
        match = re.match(r"[^/]+/([^/]+)/", name)
        if "learning_rate" in name and not match:
            continue
        groups.setdefault(match.group(1) if match else "", []).append(dataset)
    lists = _slot_lists(optimizer)
    if len(groups) != len(lists):
        return None
    values = [(optimizer._iterations, guard.read_array(datasets[0], ()))]
    for own, found in zip(lists, groups.values()):
        if [one.shape for one in own] != [tuple(one.shape) for one in found]:
            return None
        values += [(v, guard.read_array(d, v.shape)) for v, d in zip(own, found)]
    return values


def _slot_lists(optimizer: Any) -> list[list]:
    """The slots of an optimizer that are in use, kind by kind."""
    found = []
    for attribute in _SLOTS.get(type(optimizer).__name__, ()):
        slots = getattr(optimizer, attribute, None)
        if slots:
            found.append(list(slots))
    return found


def _by_kind(
    model: Any, optimizer: Any, datasets: list, pieces: list, origin: Origin, version: Any
) -> list | None:
    """Keras 1 and 2: the count of iterations, then all slots of one kind after another."""
    lists = _slot_lists(optimizer)
    values: list = []
    rest = list(datasets)
    kind = type(optimizer).__name__
    variables = list(model.trainable_variables)
    layout = _layout(variables, pieces, origin, version)
    if layout is None:
        return None
    per_kind = sum(len(names) for _, names, _ in layout[0])
    extra = len(rest) - per_kind * len(lists)
    if extra > 0 and rest and rest[0].shape == ():
        count = guard.read_array(rest.pop(0), ())
        values.append((optimizer._iterations, np.asarray(np.round(count), "int64")))
    if kind == "Nadam" and len(rest) > per_kind * len(lists) and rest[0].shape == ():
        values.append((optimizer._u_product, guard.read_array(rest.pop(0), ())))
    if kind == "Ftrl":
        # This one wrote them variable by variable.
        rest = [*rest[::2], *rest[1::2]]
    for own in lists:
        if len(rest) < per_kind:
            return None
        part, rest = rest[:per_kind], rest[per_kind:]
        pairs = _one_kind(part, dict(zip(map(id, variables), own)), *layout)
        if pairs is None:
            return None
        values += pairs
    # Slots that are not in use are there as placeholders of one element, or for nothing.
    if any(int(np.prod(one.shape)) > 1 for one in rest) and kind not in ("RMSprop", "SGD"):
        return None
    return values


def _layout(variables: list, pieces: list, origin: Origin, version: Any) -> tuple | None:
    """Groups [(variables, names in the file, conversion)], and the order of all the names."""
    known = {id(variable) for variable in variables}
    groups: list = []
    seen: set[int] = set()
    for own, names, convert in pieces:
        fresh = [one for one in own if id(one) in known and id(one) not in seen]
        if not fresh:
            continue
        seen.update(map(id, fresh))
        if convert is not None:
            groups.append((own, names, convert))
        else:
            groups += [([v], [n], None) for v, n in zip(own, names) if any(v is f for f in fresh)]
    if len(seen) != len(variables):
        return None
    order = [(name, index, place) for index, (_, names, _) in enumerate(groups)
             for place, name in enumerate(names)]  # fmt: skip
    if origin.generation == 1 or isinstance(version, str) and re.match(r"2\.0\.[0-4]$", version):
        # The first versions gave the optimizer the weights in the order of their names.
        order.sort(key=lambda one: one[0])
    return groups, order


def _one_kind(datasets: list, slot_of: dict, groups: list, order: list) -> list | None:
    """Pairs (slot, value) for the slots of one kind."""
    sorted_out: dict[tuple, Any] = {
        (index, place): dataset for (_, index, place), dataset in zip(order, datasets)
    }
    values: list = []
    for index, (variables, names, convert) in enumerate(groups):
        found = [sorted_out[index, place] for place in range(len(names))]
        slots = [slot_of[id(variable)] for variable in variables]
        limit = 2 * sum(int(np.prod(slot.shape)) for slot in slots)
        if sum(int(np.prod(one.shape, dtype=object)) for one in found) > limit:
            return None
        arrays = [guard.read_array(one, one.shape) for one in found]
        if convert is not None:
            arrays = convert(arrays)
        if [one.shape for one in arrays] != [slot.shape for slot in slots]:
            return None
        values += list(zip(slots, arrays))
    return values
