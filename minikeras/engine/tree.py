"""Nested structures of lists, tuples, deques and dicts: flatten, rebuild, map.

Plain dicts are walked in sorted key order and `OrderedDict`s in their own, as in `keras.tree`.
`None` is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

_SEQUENCES = (list, tuple, deque)
_NESTED = (*_SEQUENCES, dict)


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, tuple, deque or dict."""
    return isinstance(structure, _NESTED)


def keys_of(mapping: dict) -> list:
    """The keys of `mapping` in the order in which they are walked."""
    if isinstance(mapping, OrderedDict):
        return list(mapping)
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def flatten(structure: Any) -> list:
    """The leaves of `structure`, left to right."""
    if not isinstance(structure, _NESTED):
        return [structure]
    leaves: list = []
    _flatten(structure, leaves)
    return leaves


def _flatten(structure: Any, leaves: list) -> None:
    if isinstance(structure, _SEQUENCES):
        for item in structure:
            _flatten(item, leaves)
    elif isinstance(structure, dict):
        for key in keys_of(structure):
            _flatten(structure[key], leaves)
    else:
        leaves.append(structure)


def rebuild(structure: Any, children: Iterable) -> Any:
    """A container of the kind of `structure` around `children` (in walking order)."""
    if isinstance(structure, tuple):
        if hasattr(structure, "_fields"):
            return type(structure)(*children)
        return tuple(children)
    if isinstance(structure, list):
        return list(children)
    if isinstance(structure, deque):
        return deque(children, structure.maxlen)
    walked = dict(zip(keys_of(structure), children))
    ordered = ((key, walked[key]) for key in structure)
    if isinstance(structure, defaultdict):
        return defaultdict(structure.default_factory, ordered)
    return OrderedDict(ordered) if isinstance(structure, OrderedDict) else dict(ordered)


def map_structure(function: Callable, structure: Any, *others: Any) -> Any:
    """Apply `function` to matching leaves of the structures and keep the shape of the first."""
    if isinstance(structure, _SEQUENCES):
        for other in others:
            if not isinstance(other, _SEQUENCES) or len(other) != len(structure):
                raise ValueError(
                    f"The structures do not match. Received: {structure!r} and {other!r}"
                )
        return rebuild(
            structure,
            [map_structure(function, *group) for group in zip(structure, *others)],
        )
    if isinstance(structure, dict):
        for other in others:
            if not isinstance(other, dict) or set(other) != set(structure):
                raise ValueError(
                    f"The structures do not match. Received: {structure!r} and {other!r}"
                )
        return rebuild(
            structure,
            [
                map_structure(function, structure[key], *(other[key] for other in others))
                for key in keys_of(structure)
            ],
        )
    return function(structure, *others)


def pack_sequence_as(structure: Any, flat_sequence: Iterable) -> Any:
    """Rebuild `structure` with the leaves of `flat_sequence`."""
    leaves = list(flat_sequence)
    iterator = iter(leaves)
    try:
        packed = map_structure(lambda _: next(iterator), structure)
    except (StopIteration, RuntimeError) as error:
        raise ValueError(
            f"Cannot pack {len(leaves)} values into a structure of "
            f"{len(flatten(structure))} leaves: {structure!r}"
        ) from error
    rest = sum(1 for _ in iterator)
    if rest:
        raise ValueError(
            f"Cannot pack {len(leaves)} values into a structure of "
            f"{len(leaves) - rest} leaves: {structure!r}"
        )
    return packed
