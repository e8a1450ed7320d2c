"""The outputs of a model, and how targets and settings of `compile` are dealt out to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minikeras.engine import tree
from minikeras.engine.spelling import runs_unedited
from minikeras.engine.variable import plain


class Outputs:
    """The flat outputs of a model and their names.

    Args:
        y_pred: The structure of the outputs.
        names: Names of the outputs by the model, or None.
    """

    def __init__(self, y_pred: Any, names: list | None) -> None:
        self.count = len(tree.flatten(y_pred))
        self.structure = tree.pack_sequence_as(y_pred, range(self.count))
        if isinstance(y_pred, dict) and len(y_pred) == self.count:
            self.names: list = tree.keys_of(y_pred)
        elif names is not None and len(names) == self.count:
            self.names = list(names)
        else:
            self.names = [f"output_{index + 1}" for index in range(self.count)]
        self.have_names = (
            isinstance(y_pred, dict)
            and len(y_pred) == self.count
            or (names is not None and len(names) == self.count)
        )

    def spread(self, value: Any, what: str, partial: list | None = None) -> list:
        """`value` (targets, weights) as a flat list, one entry per output.

        Args:
            partial: Indices of the outputs that need a value, where it may be given for those only.
        """
        if value is None:
            return [None] * self.count
        if not isinstance(value, (list, tuple, dict)):
            if self.count == 1:
                return [value]
            if what == "sample_weight":
                return [value] * self.count
            if partial is not None and len(partial) == 1:
                spread: list = [None] * self.count
                spread[partial[0]] = value
                return spread
        if isinstance(value, dict):
            keys = set(value)
            if keys <= set(self.names):
                return [value.get(name) for name in self.names]
            if self.count == 1 and len(value) == 1:
                return list(value.values())
            structure = self.structure
            if isinstance(structure, dict) and set(value) == set(structure):
                flat = tree.flatten(value)
                if len(flat) == self.count:
                    return flat
        else:
            flat = tree.flatten(value)
            if len(flat) == self.count:
                return flat
            if partial is not None and len(flat) == len(partial):
                spread = [None] * self.count
                for index, item in zip(partial, flat):
                    spread[index] = item
                return spread
        outline = tree.map_structure(lambda leaf: np.shape(plain(leaf)), value)
        raise ValueError(
            f"{what} and y_pred have different structures. The model has {self.count} output(s),"
            f" {self.names}. Received {what} with shapes: {outline}"
        )


def along(setting: Any, structure: Any) -> list | None:
    """The parts of a setting that is built like the outputs, flat; None if it is not."""
    if not tree.is_nested(structure):
        return [setting]
    if setting is None:
        return [None] * len(tree.flatten(structure))
    if isinstance(structure, dict):
        if not isinstance(setting, dict) or not set(setting) <= set(structure):
            return None
        pairs = [(setting.get(key), structure[key]) for key in tree.keys_of(structure)]
    elif isinstance(setting, (list, tuple)) and len(setting) == len(structure):
        pairs = list(zip(setting, structure))
    else:
        return None
    found = [along(one, part) for one, part in pairs]
    return None if None in found else [leaf for one in found for leaf in one]  # type: ignore[union-attr]


class LossTerm(NamedTuple):
    """One loss of one output, or (`parts`: a structure of their numbers) of several together."""

    output: int
    loss: Any
    weight: float | None
    name: str
    parts: Any = None

    @property
    def outputs(self) -> list[int]:
        """The numbers of its outputs."""
        return [self.output] if self.parts is None else tree.flatten(self.parts)

    def pick(self, values: list) -> Any:
        """Of one value an output, those of its outputs in their structure."""
        return tree.map_structure(values.__getitem__, self.parts)

    def pick_weight(self, weights: list) -> Any:
        """The one weight of its outputs."""
        first = weights[self.output]
        if not all(_same(weights[index], first) for index in self.outputs):
            raise ValueError(
                f"The loss {self.name!r} is of several outputs together: it takes one"
                " `sample_weight`, not one an output."
            )
        return first


def _same(one: Any, other: Any) -> bool:
    return one is other or one is not None and other is not None and np.array_equal(one, other)


def spread_losses(setting: Any, outputs: Outputs, argument: str) -> list:
    """`loss` as one entry per output."""
    if isinstance(setting, dict):
        unknown = set(setting) - set(outputs.names)
        missing = set(outputs.names) - set(setting)
        if unknown and isinstance(outputs.structure, dict):
            raise KeyError(
                f"The path: {sorted(map(str, unknown))} in the `{argument}` argument, can't be"
                f" found in either the model's output (`y_pred`), which has {outputs.names}, or in"
                " the labels (`y_true`)."
            )
        needed = not (isinstance(outputs.structure, dict) or runs_unedited())
        if unknown or missing and needed:
            raise ValueError(
                f"Expected keys {outputs.names} in argument `{argument}`, the outputs of the model,"
                f" but found {argument}.keys()={list(setting)}"
            )
        return [setting.get(name) for name in outputs.names]
    if isinstance(setting, (list, tuple)):
        if len(setting) == outputs.count:
            return list(setting)
        if outputs.count == 1:
            return [list(setting)]
        flat = tree.flatten(setting)
        if len(flat) == outputs.count:
            return flat
        raise ValueError(
            f"Argument `{argument}` has {len(setting)} entries for a model with {outputs.count}"
            f" outputs, {outputs.names}. Received: {argument}={setting}"
        )
    return [setting] * outputs.count


def nested_losses(setting: Any, weights: Any, outputs: Outputs) -> Iterator[tuple] | None:
    """Losses of parts of the structure of outputs: `(part, loss, weight, name)` of each.

    A list beside outputs that are no list (or the other way round, for tuples) holds losses of all
    outputs together; what is nested in it belongs to single outputs, or to parts of them.

    Returns:
        None if the setting has one entry an output.
    """
    structure = outputs.structure
    if not tree.is_nested(setting) or outputs.count == 1 or not tree.is_nested(structure):
        return None
    plainly = len(structure) == outputs.count
    if isinstance(setting, dict):
        if plainly or not isinstance(structure, dict) or not set(setting) <= set(structure):
            return None
    elif isinstance(structure, type(setting)):
        if plainly or len(setting) != len(structure) or _counts(setting, outputs):
            return None
    elif _counts(setting, outputs) or not any(map(_takes_structures, tree.flatten(setting))):
        return None
    if weights is not None:
        flat = tree.flatten(weights)
        if len(flat) != len(tree.flatten(setting)):
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {len(tree.flatten(setting))}"
                f" losses and {len(flat)} weights."
            )
        weights = tree.pack_sequence_as(setting, flat)
    names = tree.pack_sequence_as(structure, outputs.names)
    return _walk(setting, weights, structure, names, ())


def _counts(setting: Any, outputs: Outputs) -> bool:
    """Whether a list has one entry an output, none of which is for several."""
    flat = tree.flatten(setting)
    return len(flat) == outputs.count and (
        len(setting) == outputs.count or len(setting) == len(outputs.structure)
    )


def _takes_structures(loss: Any) -> bool:
    return loss is not None and not isinstance(loss, str)


def _walk(loss: Any, weight: Any, part: Any, names: Any, path: tuple) -> Iterator[tuple]:
    if loss is None:
        return
    if not tree.is_nested(loss):
        yield part, loss, weight, _path_name(names, path)
        return
    several = isinstance(loss, (list, tuple))
    flat = tree.flatten(part)
    if several and len(loss) == len(flat) and not any(map(tree.is_nested, loss)):
        loss = tree.pack_sequence_as(part, loss)
        weight = None if weight is None else tree.pack_sequence_as(part, tree.flatten(weight))
        if not tree.is_nested(loss):
            yield from _walk(loss, weight, part, names, path)
            return
    elif several and not isinstance(part, type(loss)):
        for index, one in enumerate(loss):
            yield from _walk(one, None if weight is None else weight[index], part, names, path)
        return
    for key in loss if isinstance(loss, dict) else range(len(loss)):
        if loss[key] is None:
            continue
        if isinstance(loss, dict) != isinstance(part, dict) or (
            key not in part if isinstance(part, dict) else key >= len(part)
        ):
            raise KeyError(
                f"The path: {(*path, key)} in the `loss` argument, can't be found in the model's"
                " output (`y_pred`)."
            )
        below = None if weight is None else weight[key]
        yield from _walk(loss[key], below, part[key], names[key], (*path, key))


def _path_name(names: Any, path: tuple) -> str:
    """`a/y2` for the second of the outputs under `a`; an output's own name where it is numbered."""
    if not tree.is_nested(names) and (not path or isinstance(path[-1], int)):
        path = (*path[:-1], names)
    return "/".join(map(str, path)) or "_".join(map(str, tree.flatten(names)))
