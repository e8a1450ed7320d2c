"""The optimizer state in files of every Keras generation."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

from minikeras.engine.variable import Variable
from minikeras.saving import guard
from minikeras.saving.legacy_weights import Origin

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
            ([others[0], rate, product, *slots], datasets),
        ]
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
