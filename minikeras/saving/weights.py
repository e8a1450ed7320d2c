"""The layout of `.weights.h5`: a tree of objects by attribute, each with its numbered variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.engine.layer import Layer
from minikeras.engine.registry import to_snake_case
from minikeras.engine.variable import Variable
from minikeras.saving import guard


def children(saveable: Any) -> Iterator[tuple[str, Any]]:
    """The parts of an object that have state of their own, by attribute name, in file order."""
    if isinstance(saveable, Layer):
        from minikeras.models.functional import Functional
        from minikeras.models.model import Model
        from minikeras.models.sequential import Sequential

        own = {
            name: saveable.__dict__.get(name)
            for name in saveable._tracked
            if name not in ("_stack", "_operations")
        }
        if isinstance(saveable, (Sequential, Functional)):
            yield "layers", saveable.layers
        elif isinstance(saveable, Model):
            own["layers"] = saveable.layers
        if isinstance(saveable, Model) and saveable.optimizer is not None:
            own["optimizer"] = saveable.optimizer
        extra = getattr(saveable, "_saveable_attributes", None)
        if extra is not None:
            own.update(extra())
        own = {_public_name(saveable, name): value for name, value in own.items()}
        for name in sorted(own, key=lambda one: f"~{one}" if one.startswith("_") else one):
            yield name, own[name]
    else:
        for name in sorted(
            vars(saveable) if hasattr(saveable, "__dict__") else (),
            key=lambda one: f"~{one}" if one.startswith("_") else one,
        ):
            value = getattr(saveable, name)
            if _is_saveable(value) and value is not saveable:
                yield name, value


def _public_name(saveable: Any, name: str) -> str:
    """The property that shows a private attribute, if there is one: files use its name."""
    public = name[1:]
    if name.startswith("_") and isinstance(getattr(type(saveable), public, None), property):
        return public
    return name


def _is_saveable(value: Any) -> bool:
    return hasattr(value, "save_own_variables") and not isinstance(value, (type, Variable))


def walk(saveable: Any, path: str = "", visited: set | None = None) -> Iterator[tuple[str, Any]]:
    """Every object with state below `saveable`, once, with its path in the file.

    Args:
        visited: The `id`s of objects to leave out.
    """
    visited = set() if visited is None else visited
    if id(saveable) in visited:
        return
    visited.add(id(saveable))
    yield path, saveable
    for name, value in children(saveable):
        inner = f"{path}/{name}" if path else name
        if _is_saveable(value):
            yield from walk(value, inner, visited)
        elif isinstance(value, (list, tuple, dict)):
            yield from _walk_container(value, inner, visited)


def _walk_container(container: Any, path: str, visited: set) -> Iterator[tuple[str, Any]]:
    if id(container) in visited:  # a list that holds itself
        return
    visited.add(id(container))
    counts: dict[str, int] = {}

    def unique(name: str) -> str:
        count = counts.get(name)
        counts[name] = 0 if count is None else count + 1
        return name if count is None else f"{name}_{count + 1}"

    for value in container.values() if isinstance(container, dict) else container:
        if _is_saveable(value):
            yield from walk(value, f"{path}/{unique(to_snake_case(type(value).__name__))}", visited)
        elif isinstance(value, (list, tuple, dict)):
            yield from _walk_container(value, f"{path}/{unique('container')}", visited)
    visited.discard(id(container))  # which may be a list made for this walk alone


class WriteStore(dict):
    """What `save_own_variables` of one object fills."""


class ReadStore:
    """The variables of one object in a file, read when they are asked for.

    Args:
        *groups: HDF5 groups with numbered datasets: one, or one a shard.
    """

    def __init__(self, *groups: Any) -> None:
        self.groups = groups

    def keys(self) -> list[str]:
        """The names of the variables, numbers in order."""
        return sorted(
            (key for group in self.groups for key in group.keys()),
            key=lambda key: (not key.isdigit(), int(key) if key.isdigit() else 0, key),
        )

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: Any) -> bool:
        return any(guard.has_name(group, str(key)) for group in self.groups)

    def shape(self, key: str) -> tuple:
        """The shape of a variable, without reading it."""
        return tuple(self.dataset(key).shape)

    def dataset(self, key: str) -> Any:
        """The HDF5 dataset of a variable."""
        for group in self.groups:
            dataset = guard.dataset_at(group, str(key))
            if dataset is not None:
                return dataset
        raise KeyError(key)

    def __getitem__(self, key: str) -> np.ndarray:
        return guard.read_array(self.dataset(key))

    def get(self, key: str, default: Any = None) -> Any:
        """A variable, or `default`."""
        return self[key] if key in self else default


def write(file: Any, saveable: Any, skip: Any = None) -> None:
    """Write the state of `saveable` and of all its parts but `skip` into an open HDF5 file."""
    for path, part in walk(saveable, "", set(map(id, skip or ()))):
        store = WriteStore()
        part.save_own_variables(store)
        name = getattr(part, "name", None)
        if not store and not isinstance(name, str):
            continue
        group = file.require_group(path).create_group("vars") if path else file.create_group("vars")
        if isinstance(name, str):
            group.attrs["name"] = name
        for key, value in store.items():
            group[str(key)] = np.asarray(value)


class Paths:
    """Where the parts of a model are in a file, whichever Keras wrote it.

    Keras 3 uses the names of attributes. tf.keras 2 differs in underscores, and its first version
    of the format numbers layers by another count.

    Args:
        file: Open HDF5 file.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self._found: dict[str, Any] = {"": file}
        self._orders: dict[str, dict[str, list[str]]] = {}

    def group(self, path: str) -> Any:
        """The group of the part at `path`, or None."""
        if path not in self._found:
            parent, _, name = path.rpartition("/")
            above = self.group(parent)
            self._found[path] = None if above is None else self._below(above, name)
        return self._found[path]

    def store(self, path: str) -> ReadStore | None:
        """The variables of the part at `path`, or None."""
        above = self.group(path)
        group = None if above is None else guard.group_at(above, "vars")
        return None if group is None else ReadStore(group)

    def _below(self, parent: Any, name: str) -> Any:
        if parent.name.endswith("/_layer_checkpoint_dependencies"):
            match = self._by_order(parent, name)
            return None if match is None else guard.group_at(parent, match)
        names = [name, f"_{name}", name.lstrip("_")]
        if name == "layers":
            names.append("_layer_checkpoint_dependencies")
        for one in names:
            found = guard.group_at(parent, one)
            if found is not None:
                return found
        return None

    def _by_order(self, parent: Any, name: str) -> str | None:
        """tf.keras 2.12 and 2.13 skip numbers: the n-th of a class is the n-th that is there."""
        order = self._orders.get(parent.name)
        if order is None:
            order = self._orders[parent.name] = {}
            for key in parent:
                order.setdefault(_base(key)[0], []).append(key)
            for keys in order.values():
                keys.sort(key=lambda key: _base(key)[1])
        base, number = _base(name)
        keys = order.get(base, [])
        return keys[number] if number < len(keys) else None


def _base(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.+?)_(\d+)", name)
    return (match.group(1), int(match.group(2))) if match else (name, 0)


def read(
    file: Any, saveable: Any, skip_mismatch: bool = False, skip: Any = None, partial: bool = False
) -> None:
    """Take the state of `saveable` and of all its parts from an open HDF5 file.

    Args:
        file: Open HDF5 file, or something with `store(path)`, as `Paths` has it.
        saveable: Model, layer or the like.
        skip_mismatch: Boolean, default False. Whether to leave out what does not fit.
        skip: Parts to leave as they are, or None.
        partial: Boolean, default False. Whether the file may have nothing for a part.

    Raises:
        ValueError: naming every part that does not fit; with `skip_mismatch` these are left as
            they are.
    """
    import warnings

    problems: list[str] = []
    paths = file if hasattr(file, "store") else Paths(file)
    done: list[Any] = []
    parts: dict[str, Any] = {}
    for path, part in walk(saveable, "", set(map(id, skip or ()))):
        group = paths.store(path)
        parts[path] = part
        if group is None:
            group = _under_other_name(paths, path, parts)
        store = ReadStore() if group is None else group
        if group is None and isinstance(part, Layer) and _copy_of_namesake(part, done):
            continue
        if group is None and isinstance(part, Layer) and not part._own(with_seeds=False):
            continue
        if group is None and (partial or not isinstance(part, Layer)):
            continue
        try:
            _check_shapes(part, store)
            if not _fit_optimizer(part, store):
                part.load_own_variables(store)
            done.append(part)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ValueError) and "Such files are not opened" in str(error):
                raise
            problems.append(f"{getattr(part, 'name', type(part).__name__)} (at {path!r}): {error}")
    if problems:
        text = "; ".join(problems[:8]) + (
            f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        )
        if not skip_mismatch:
            raise ValueError(
                f"{len(problems)} of the model's parts could not be loaded from the file: {text}"
            )
        warnings.warn(f"Weights that do not fit were left as they are: {text}", stacklevel=3)


def _under_other_name(paths: Any, path: str, parts: dict[str, Any]) -> Any:
    """The variables of a part that a property of the object above it shows too."""
    place, _, own = path.rpartition("/")
    above = parts.get(place)
    if not own or type(above).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return None
    for name, value in vars(type(above)).items():
        if isinstance(value, property) and getattr(above, name, None) is parts[path]:
            return paths.store(f"{place}/{name}" if place else name)
    return None


def _copy_of_namesake(part: Layer, done: list) -> bool:
    """Take the state of a layer that a file has once, though the model had it in two places."""
    own = part._own(with_seeds=False)
    for other in done if own else ():
        if type(other) is type(part) and other.name == part.name:
            theirs = other._own(with_seeds=False)
            if [one.shape for one in theirs] == [one.shape for one in own]:
                for variable, value in zip(own, theirs):
                    variable.assign(value.array)
                return True
    return False


def _fit_optimizer(part: Any, store: ReadStore) -> bool:
    """Take the state of an optimizer whose file has it in another Keras's order."""
    if isinstance(part, Layer) or not hasattr(part, "_iterations"):
        return False
    own = part.variables
    keys = store.keys()
    if [store.shape(key) for key in keys] == [variable.shape for variable in own]:
        return False
    from minikeras.saving import legacy_weights

    values = legacy_weights.fit(part, [store.dataset(key) for key in keys])
    if values is None:
        return False
    for variable, value in values:
        variable.assign(value)
    return True


def _check_shapes(part: Any, store: ReadStore) -> None:
    """Compare shapes before anything is read."""
    if not isinstance(part, Layer) or type(part).load_own_variables is not Layer.load_own_variables:
        return
    own = part._own(with_seeds=False)
    if len(own) != len(store.keys()):
        return
    for index, variable in enumerate(own):
        shape = store.shape(str(index))
        if shape != variable.shape:
            raise ValueError(
                f"variable {variable.path!r} has shape {variable.shape}, the file has {shape}: they"
                " must match"
            )
