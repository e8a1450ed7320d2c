"""The optimizer state in a whole-model `.h5`, in the order of every Keras generation."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

from minikeras.engine.variable import Variable
from minikeras.saving import guard, legacy_weights
from minikeras.saving.legacy_weights import Origin

# The slots of Keras 1 and 2 (and tf.keras up to 2.10), one list a kind, in the order of files.
_SLOTS: dict[str, tuple] = {
    "SGD": ("momentums",),
    "RMSprop": ("_velocities", "_momentums", "_average_gradients"),
    "Adagrad": ("_accumulators",),
    "Adadelta": ("_accumulated_grads", "_accumulated_delta_vars"),
    "Adam": ("_momentums", "_velocities", "_velocity_hats"),
    "Adamax": ("_m", "_u"),
    "Nadam": ("_momentums", "_velocities"),
    "Ftrl": ("_accumulators", "_linears"),
}


def read(file: Any, model: Any, names: dict[int, str], origin: Origin, version: Any) -> None:
    """Take the optimizer's variables from a whole-model file; warns where they do not fit.

    Args:
        file: Open HDF5 file.
        model: The model, compiled.
        names: Names in the file by `id` of the model's variables.
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
    values = _assign_in_order(optimizer, datasets, weight_names)
    if values is None:
        values = _assign_by_kind(model, optimizer, datasets, weight_names, names, origin, version)
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


def _assign_in_order(optimizer: Any, datasets: list, names: list[str]) -> list | None:
    """Keras 3 and the optimizers of tf.keras 2.11 and later: the same order as today."""
    if not _is_new(names):
        return None
    variables = list(optimizer.variables)
    if len(variables) == len(datasets) + 1 and not any("learning_rate" in name for name in names):
        # tf.keras did not write the learning rate.
        rate = optimizer.__dict__.get("_learning_rate")
        if isinstance(rate, Variable):
            variables = [one for one in variables if one is not rate]
    if len(variables) == len(datasets) - 1 and "learning_rate" in names[1]:
        datasets = [datasets[0], *datasets[2:]]
    if [tuple(one.shape) for one in datasets] != [one.shape for one in variables]:
        return _assign_by_name(optimizer, datasets, names)
    return [(v, guard.read_array(d, v.shape)) for v, d in zip(variables, datasets)]


def _assign_by_name(optimizer: Any, datasets: list, names: list[str]) -> list | None:
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
    attributes = _SLOTS.get(type(optimizer).__name__, ())
    found = []
    for attribute in attributes:
        slots = getattr(optimizer, attribute, None)
        if slots:
            found.append(list(slots))
    return found


def _assign_by_kind(
    model: Any,
    optimizer: Any,
    datasets: list,
    weight_names: list[str],
    names: dict[int, str],
    origin: Origin,
    version: Any,
) -> list | None:
    """Keras 1 and 2: the count of iterations, then all slots of one kind after another."""
    if _is_new(weight_names):
        return None
    lists = _slot_lists(optimizer)
    values: list = []
    rest = list(datasets)
    kind = type(optimizer).__name__
    if rest and rest[0].shape == () :
        count = guard.read_array(rest.pop(0), ())
        values.append((optimizer._iterations, np.asarray(np.round(count), "int64")))
    scalars = [one for one in rest if one.shape == ()]
    if kind == "Nadam" and scalars and rest[0] is scalars[0]:
        rest.pop(0)
        optimizer._u_product.assign(guard.read_array(scalars[0], ()))
    variables = list(model.trainable_variables)
    widths = _file_counts(model, variables, names, origin, version)
    if widths is None:
        return None
    per_kind = sum(count for _, count, _ in widths)
    for own in lists:
        if len(rest) < per_kind:
            return values if not lists.index(own) and not rest and kind == "SGD" else None
        part, rest = rest[:per_kind], rest[per_kind:]
        by_variable = {id(variable): slot for variable, slot in zip(variables, own)}
        position = 0
        for targets, count, convert in widths:
            found = part[position : position + count]
            position += count
            slots = [by_variable[id(variable)] for variable in targets]
            limit = 2 * sum(int(np.prod(slot.shape)) for slot in slots)
            if sum(int(np.prod(one.shape, dtype=object)) for one in found) > limit:
                return None
            arrays = [guard.read_array(one, one.shape) for one in found]
            if convert is not None:
                arrays = convert(arrays)
            if [one.shape for one in arrays] != [slot.shape for slot in slots]:
                return None
            values += list(zip(slots, arrays))
    # Keras 2 wrote a placeholder of one element for every slot that it does not use.
    if any(int(np.prod(one.shape)) > 1 for one in rest) and kind != "RMSprop":
        return None
    return values


def _file_counts(
    model: Any, variables: list, names: dict[int, str], origin: Origin, version: Any
) -> list | None:
    """[(variables, how many arrays they are in the file, conversion)] in the file's order."""
    known = {id(variable) for variable in variables}
    groups: list = []
    seen: set[int] = set()
    for layer in model.layers:
        for part in legacy_weights._parts(layer):
            own = [one for one in part.trainable_weights if id(one) in known and id(one) not in seen]
            if not own:
                continue
            seen.update(id(one) for one in own)
            groups.append((part, own))
    if len(seen) != len(variables):
        return None
    found = []
    for part, own in groups:
        name = type(part).__name__
        split = names.get(id(own[0]), "")
        gates = legacy_weights._GATES_OF_KERAS_1.get(name)
        if origin.generation == 1 and gates and re.search(r"_[WUb]_[a-z](:0)?$", split):
            count = 3 * len(gates)
            shapes: list = [()] * count
            found.append((own, count, legacy_weights._conversion(part, shapes, origin), split))
            continue
        convert = legacy_weights._conversion(part, [tuple(one.shape) for one in own], origin)
        if convert is not None:
            found.append((own, len(own), convert, split))
        else:
            found += [([one], 1, None, names.get(id(one), "")) for one in own]
    if origin.generation == 1 or isinstance(version, str) and re.match(r"2\.0\.[0-4]$", version):
        found = _sorted_by_name(found)
    return [(own, count, convert) for own, count, convert, _ in found]


def _sorted_by_name(found: list) -> list:
    # The first versions gave the optimizer the weights in the order of their names.
    return sorted(found, key=lambda one: one[3])
