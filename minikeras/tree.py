"""`keras.tree`: nested structures of lists, tuples and dictionaries."""

from collections.abc import Callable, Iterator
from typing import Any

from minikeras.engine.tree import flatten, is_nested, keys_of, pack_sequence_as, rebuild

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


class MAP_TO_NONE:
    """What a function given to `traverse` returns to put `None` in place of a part."""


def _parts(structure: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the keys and the parts of a container, in walking order."""
    if isinstance(structure, dict):
        return ((key, structure[key]) for key in keys_of(structure))
    return enumerate(structure)


def _check_same_kind(one: Any, other: Any) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        same = set(one) == set(other)
    else:
        same = type(one) is type(other) and len(one) == len(other)
    if not same:
        raise ValueError(
            "The structures do not have the same nested structure. Expected a"
            f" {type(one).__name__} of length {len(one)}. Received: {one!r} and {other!r}"
        )


def _walk(is_leaf: Callable[[Any], bool], function: Callable, first: Any, *others: Any) -> Any:
    """Applies `function` where `first` has a leaf, and keeps the shape of `first`."""
    if is_leaf(first):
        return function(first, *others)
    for other in others:
        _check_same_kind(first, other)
    return rebuild(
        first,
        [
            _walk(is_leaf, function, part, *(other[key] for other in others))
            for key, part in _parts(first)
        ],
    )


def _is_leaf(structure: Any) -> bool:
    return not is_nested(structure)


def map_structure(func: Callable, *structures: Any, none_is_leaf: bool = True) -> Any:
    """Applies a function to the matching leaves of structures.

    Args:
        func: Called with one leaf of each structure.
        *structures: Structures of one shape.
        none_is_leaf: Whether `None` is passed to `func`. Otherwise it stays. Defaults to `True`.

    Returns:
        A structure of that shape with the results.

    Raises:
        ValueError: There is no structure, or their shapes differ.

    Example:

    >>> import minikeras
    >>> minikeras.tree.map_structure(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]})
    {'x': [11, 22]}
    """
    if not structures:
        raise ValueError("Pass at least one structure.")

    def at_leaf(*leaves: Any) -> Any:
        if any(map(is_nested, leaves)) or (
            not none_is_leaf and len({x is None for x in leaves}) > 1
        ):
            raise ValueError(
                f"The structures do not have the same nested structure. Received leaves: {leaves}"
            )
        return None if not none_is_leaf and leaves[0] is None else func(*leaves)

    return _walk(_is_leaf, at_leaf, *structures)


def map_structure_up_to(shallow_structure: Any, func: Callable, *structures: Any) -> Any:
    """Applies a function to the parts of structures that lie where a shallower one has leaves.

    Args:
        shallow_structure: Gives the shape.
        func: Called with one part of each of `structures`.
        *structures: Structures that have this shape or go deeper.

    Returns:
        A structure of the shape of `shallow_structure` with the results.

    Raises:
        ValueError: There is no structure, or one is shallower.

    Example:

    >>> import minikeras
    >>> minikeras.tree.map_structure_up_to([None, None], len, [(1, 2), (3,)])
    [2, 1]
    """
    if not structures:
        raise ValueError("Pass at least one structure.")
    return _walk(_is_leaf, lambda _, *parts: func(*parts), shallow_structure, *structures)


def map_shape_structure(func: Callable, structure: Any) -> Any:
    """Applies a function to the shapes in a structure: tuples and lists of integers and `None`.

    >>> import minikeras
    >>> minikeras.tree.map_shape_structure(len, {"a": (None, 3), "b": [(2,), (2, 3, 4)]})
    {'a': 2, 'b': [1, 3]}
    """

    def is_shape(x: Any) -> bool:
        is_flat = isinstance(x, (list, tuple)) and all(e is None or isinstance(e, int) for e in x)
        return is_flat or not is_nested(x)

    return _walk(is_shape, func, structure)


def traverse(func: Callable, structure: Any, top_down: bool = True) -> Any:
    """Walks a structure and replaces the parts for which `func` returns something.

    Args:
        func: Called with each part. What it returns takes the part's place; `None` keeps the part
            and goes on into it, `MAP_TO_NONE` puts `None`.
        structure: The structure.
        top_down: Whether a container comes before what it holds. Defaults to `True`.

    Returns:
        The new structure.

    Example:

    >>> import minikeras
    >>> minikeras.tree.traverse(lambda x: x * 2 if isinstance(x, int) else None, [1, (2, "a")])
    [2, (4, 'a')]
    """

    def children() -> Any:
        if not is_nested(structure):
            return structure
        return rebuild(structure, [traverse(func, part, top_down) for _, part in _parts(structure)])

    current = structure if top_down else children()
    result = func(current)
    if result is None:
        return children() if top_down else current
    return None if result is MAP_TO_NONE else result


def lists_to_tuples(structure: Any) -> Any:
    """Turns every list of a structure into a tuple.

    >>> import minikeras
    >>> minikeras.tree.lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """Returns the leaves of a structure, each with the keys that lead to it.

    >>> import minikeras
    >>> minikeras.tree.flatten_with_path({"a": [1, 2]})
    [(('a', 0), 1), (('a', 1), 2)]
    """
    if not is_nested(structure):
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key, part in _parts(structure)
        for path, leaf in flatten_with_path(part)
    ]


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raises a `ValueError` unless two structures have one shape.

    Args:
        a: A structure.
        b: Another.
        check_types: Accepted for scripts of older versions; types are always checked.

    Raises:
        ValueError: The structures differ.
    """
    map_structure(lambda *_: None, a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raises a `ValueError` unless two structures have leaves at the same places.

    Args:
        a: A structure.
        b: Another; lists and tuples count as equal.

    Raises:
        ValueError: The places differ.
    """
    ours, theirs = ({path for path, _ in flatten_with_path(each)} for each in (a, b))
    if ours != theirs:
        raise ValueError(
            "`a` and `b` do not have the same paths. "
            f"In `a` alone: {ours - theirs or {}}. In `b` alone: {theirs - ours or {}}."
        )
