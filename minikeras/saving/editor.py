"""`KerasFileEditor`: look into a file of weights, change it, write it anew."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras.engine import budget
from minikeras.saving import guard


class KerasFileEditor:
    """What a weights file holds, as a tree that can be changed and saved.

    `weights_dict` is that tree: dicts by name, arrays where they end.

    Args:
        filepath: Path of a `.weights.h5` or `.keras` file.

    Raises:
        ValueError: for another kind of file, or a damaged one.

    Example:

    >>> import os, tempfile
    >>> import minikeras
    >>> model = minikeras.Sequential([minikeras.Input((2,)), minikeras.layers.Dense(1)])
    >>> path = os.path.join(tempfile.mkdtemp(), "m.weights.h5")
    >>> model.save_weights(path)
    >>> editor = minikeras.saving.KerasFileEditor(path)  # doctest: +ELLIPSIS
    Keras model file '...m.weights.h5'
    >>> editor.rename_object("layers/dense", "first")
    >>> sorted(editor.weights_dict["layers"])
    ['first']
    """

    def __init__(self, filepath: Any) -> None:
        self.filepath = os.fspath(filepath)
        self.metadata: dict | None = None
        self.config: dict | None = None
        self.model = None
        self.object_metadata: dict[str, dict] = {}
        name = self.filepath.lower()
        if not name.endswith((".keras", ".weights.h5")):
            raise ValueError(
                "Invalid filename: expected a `.keras` or `.weights.h5` extension. Received:"
                f" filepath={filepath}"
            )
        with guard.budget_of(self.filepath), guard.opening(self.filepath):
            if guard.sniff(self.filepath) == "zip":
                source: Any = io.BytesIO(self._read_archive())
            else:
                source = self.filepath
            with guard.open_hdf5(source) as file:
                self.weights_dict = self._tree(file, "", set())
        print(f"Keras model file '{self.filepath}'")
        if self.metadata is not None:
            print(
                f"Saved with Keras {self.metadata.get('keras_version')} - date:"
                f" {self.metadata.get('date_saved')}"
            )

    def _read_archive(self) -> bytes:
        with guard.open_zip(self.filepath) as archive:
            self.config, self.metadata = (
                guard.parse_json(guard.read_member(archive, member, 2**28), member)
                for member in ("config.json", "metadata.json")
            )
            return guard.read_member(archive, "model.weights.h5")

    def _tree(self, group: Any, path: str, seen: set, depth: int = 0) -> dict:
        """The groups below `group` as dicts; arrays in `vars` belong to the object itself."""
        guard.enter(group, seen)
        if depth > 64:
            raise ValueError("The file is nested too deeply.")
        if group.attrs:
            self.object_metadata[path] = {
                str(key): str(value) for key, value in group.attrs.items()
            }
        found: dict[str, Any] = {}
        for key in group:
            inside = guard.group_at(group, key)
            if inside is None:
                dataset = guard.dataset_at(group, key)
                if dataset is not None:
                    budget.charge(dataset.shape, dataset.dtype.itemsize, dataset.name)
                    found[key] = guard.read_array(dataset)
            elif key == "vars":
                found.update(self._tree(inside, path, seen, depth + 1))
            elif len(inside):
                found[key] = self._tree(inside, f"{path}/{key}", seen, depth + 1)
        return found

    def summary(self) -> None:
        """Print the structure of the weights."""
        print("Weights structure")
        for line in self._lines(self.weights_dict, "  ", ""):
            print(line)

    def _lines(self, tree: dict, prefix: str, path: str) -> Iterator[str]:
        for index, (key, value) in enumerate(tree.items()):
            last = index == len(tree) - 1
            bar = "└─" if last else "├─"
            if isinstance(value, dict):
                inner = f"{path}/{key}"
                name = self.object_metadata.get(inner, {}).get("name")
                yield f"{prefix}{bar} {key}" + (f" ('{name}')" if name else "")
                yield from self._lines(value, prefix + ("    " if last else "│   "), inner)
            else:
                yield f"{prefix}{bar} {key}: shape={value.shape}, dtype={value.dtype}"

    def compare(self, reference_model: Any) -> dict:
        """Print where the file differs from a model.

        Args:
            reference_model: Model, built.

        Returns:
            dict with `"status"` (`"success"` or `"error"`), `"error_count"` and `"match_count"`.
        """
        print("Running comparison")
        problems, matches = [], 0
        mine, theirs = dict(_leaves(self.weights_dict)), _shapes_of(reference_model)
        for path in _missing(theirs, mine):
            problems.append(f"{path} present in reference model, missing from file")
        for path, shape in theirs.items():
            if path not in mine:
                continue
            if mine[path].shape != shape:
                problems.append(
                    f"Weight shape mismatch for {path}: reference model {shape}, saved file"
                    f" {mine[path].shape}"
                )
            else:
                matches += 1
        for path in _missing(mine, theirs):
            problems.append(f"{path} present in file, missing from reference model")
        for problem in problems:
            print(f"...{problem}")
        if problems:
            print(f"Found {len(problems)} error(s): the file does not fit the reference model")
        else:
            print(f"Comparison successful: {matches} matching weight(s)")
        return {
            "status": "error" if problems else "success",
            "error_count": len(problems),
            "match_count": matches,
        }

    def _edit(self, name: str, change: Callable[[dict, str], None]) -> None:
        """Call `change(parent, key)` for the object at a path, or with a name that is unique."""
        if "/" in name:
            *above, key = name.strip("/").split("/")
            parent: Any = self.weights_dict
            for part in above:
                parent = parent.get(part) if isinstance(parent, dict) else None
            if not isinstance(parent, dict) or key not in parent:
                raise ValueError(f"Path '{name}' not found in model.")
            change(parent, key)
            return
        found = list(_parents(self.weights_dict, name))
        if not found:
            raise ValueError(
                f"Name '{name}' does not appear in the model. Use `editor.summary()` to list all"
                " objects."
            )
        if len(found) > 1:
            raise ValueError(
                f"Name '{name}' occurs more than once in the model; try passing a complete path"
            )
        change(found[0], name)

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Rename an object, such as a layer.

        Args:
            object_name: String. Name or path.
            new_name: String. The new name, no path.
        """
        if "/" in new_name:
            raise ValueError(
                "Argument `new_name` should be a leaf name, not a full path name. Received:"
                f" new_name='{new_name}'"
            )

        def rename(parent: dict, key: str) -> None:
            parent[new_name] = parent.pop(key)

        self._edit(object_name, rename)

    def delete_object(self, object_name: str) -> None:
        """Remove an object, such as a layer.

        Args:
            object_name: String. Name or path.
        """
        self._edit(object_name, lambda parent, key: parent.pop(key))

    def add_object(self, object_path: str, weights: dict) -> None:
        """Add an object, such as a layer.

        Args:
            object_path: String. Full path, such as `"layers/dense_2"`.
            weights: dict of arrays by name, such as `{"0": kernel, "1": bias}`.
        """
        _check_weights(weights)
        *above, key = object_path.strip("/").split("/")
        parent: Any = self.weights_dict
        for part in above:
            parent = parent.get(part) if isinstance(parent, dict) else None
        if not isinstance(parent, dict):
            raise ValueError(f"Path '{'/'.join(above)}' not found in model.")
        parent[key] = dict(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove a weight of an object.

        Args:
            object_name: String. Name or path of the object.
            weight_name: String, such as `"0"`.
        """

        def delete(parent: dict, key: str) -> None:
            if weight_name not in parent[key]:
                raise ValueError(
                    f"Weight {weight_name} not found in object {object_name}. Weights found:"
                    f" {list(parent[key])}"
                )
            del parent[key][weight_name]

        self._edit(object_name, delete)

    def add_weights(self, object_name: str, weights: dict) -> None:
        """Add weights to an object.

        Args:
            object_name: String. Name or path of the object.
            weights: dict of arrays by name.
        """
        _check_weights(weights)
        self._edit(object_name, lambda parent, key: parent[key].update(weights))

    def save(self, filepath: Any) -> None:
        """Write the weights, as they are now.

        Args:
            filepath: Path that ends in `.weights.h5`.
        """
        from minikeras.saving.window import atomic_hdf5

        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(
                "Invalid `filepath` argument: expected a `.weights.h5` extension. Received:"
                f" filepath={path}"
            )
        with atomic_hdf5(path) as file:
            for place, value in _leaves(self.weights_dict):
                above, _, key = place.rpartition("/")
                file.require_group(f"{above}/vars")[key] = np.asarray(value)

    def resave_weights(self, filepath: Any) -> None:
        """As `save`."""
        self.save(filepath)


def _check_weights(weights: Any) -> None:
    if not isinstance(weights, dict):
        raise ValueError(
            "Argument `weights` should be a dict of arrays by name (usually '0', '1', etc.)."
            f" Received: type(weights)={type(weights)}"
        )


def _leaves(tree: dict, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}/{key}")
        else:
            yield f"{path}/{key}", value


def _missing(there: Any, elsewhere: Any) -> list[str]:
    """Paths of weights that are not elsewhere; of an object that has none there, its own."""
    known = {path[:end] for path in elsewhere for end in _ends(path)}
    return list(
        dict.fromkeys(
            next(path[:end] for end in _ends(path) if path[:end] not in known)
            for path in there
            if path not in known
        )
    )


def _ends(path: str) -> list[int]:
    """Where the parts of a path end."""
    return [index for index, letter in enumerate(path) if letter == "/" and index] + [len(path)]


def _parents(tree: dict, name: str) -> Iterator[dict]:
    if name in tree:
        yield tree
    for value in tree.values():
        if isinstance(value, dict):
            yield from _parents(value, name)


def _shapes_of(model: Any) -> dict[str, tuple]:
    from minikeras.saving import weights

    found = {}
    for path, part in weights.walk(model):
        store = weights.WriteStore()
        part.save_own_variables(store)
        for key, value in store.items():
            found[f"/{path}/{key}" if path else f"/{key}"] = tuple(np.shape(value))
    return found
