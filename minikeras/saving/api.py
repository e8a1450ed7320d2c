"""Saving and loading: models, weights, architectures, and the editor of files."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras.engine import arena, registry, serialization
from minikeras.engine.spelling import runs_unedited
from minikeras.saving import archive, guard, hdf5, weights
from minikeras.saving.window import atomic_hdf5, atomic_path

_saved_classes: dict[str, Any] = {}


def _extension(path: Any) -> str:
    name = os.fspath(path).lower()
    return ".weights.h5" if name.endswith(".weights.h5") else os.path.splitext(name)[1]


def _is_checkpoint(extension: str) -> bool:
    """Whether an unedited script means a checkpoint of TensorFlow: `save_weights("cp.ckpt")`."""
    known = (".npz", ".weights.h5", ".h5", ".hdf5", ".hf", ".keras")
    return extension not in known and runs_unedited()


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any
) -> None:
    """Write a whole model: architecture, weights, compile and optimizer state.

    The file is written beside the target and renamed, so that a failure leaves the old one whole.

    Args:
        model: Model.
        filepath: Path. `.h5`, `.hdf5` and `.hf` write HDF5, `.keras` the zip archive of Keras 3.
            Or an open binary file, which gets such an archive.
        overwrite: Boolean, default True. False: an existing file is an error.
        zipped: Boolean or None (default: True). False: what an archive holds is written into a
            folder, file by file.
        include_optimizer: Boolean, default True. HDF5 only: whether to write compile and optimizer
            state.
        save_format: `"h5"`, `"tf"` or None: overrides the extension, as in Keras 2. `"keras"` is
            understood where the path ends in `.keras`.

    Raises:
        ValueError: for an extension that stands for no format, or an existing file that must stay.
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    save_format = kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {sorted(kwargs)}")
    if hasattr(filepath, "write"):
        archive.write_to(filepath, model)
        return
    path = os.fspath(filepath)
    extension = _extension(path)
    formats = {"h5": ".h5", "hdf5": ".h5", "tf": ".keras", None: extension}
    if extension == ".keras":
        formats["keras"] = extension  # Keras would not open another file
    if save_format not in formats:
        raise ValueError(
            "The `save_format` argument is deprecated: the extension of the path says the format."
            " It may be 'h5' or 'tf', or 'keras' where the path ends in `.keras`."
            f" Received: save_format={save_format!r}, filepath={path}"
        )
    kind = formats[save_format]
    if os.path.exists(path) and not overwrite:
        raise ValueError(
            f"The file {path!r} exists already. Pass `overwrite=True` or another path."
        )
    if zipped is False:
        if extension == ".keras":
            raise ValueError(
                "With `zipped=False` a folder is written: its path should not end in `.keras`."
                f" Received: filepath={path}"
            )
        archive.write_folder(path, model)
    elif kind in (".h5", ".hdf5", ".hf", ".he5", ".h5df"):
        with atomic_hdf5(path) as file:
            hdf5.write_model(file, model, include_optimizer)
    elif kind == ".keras" or runs_unedited():  # a folder of TensorFlow's own format, once
        if _is_checkpoint(extension):
            # TensorFlow's format held what classes do: its models are opened without them.
            for part in model._flatten_layers():
                if not type(part).__module__.startswith("minikeras."):
                    _saved_classes[type(part).__name__] = type(part)
        with atomic_path(path) as temporary:
            archive.write_model(temporary, model)
    else:
        raise ValueError(
            "Invalid filepath extension for saving. Please add either a `.keras` extension for the"
            f" native Keras format (recommended) or a `.h5` extension. Received: filepath={path}."
        )


def load_model(
    filepath: Any,
    custom_objects: dict | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Open a model file. Its content decides the format, not its name.

    Args:
        filepath: Path, or an open binary file with an archive.
        custom_objects: dict of the user's classes and functions by name.
        compile: Boolean, default True. Whether to restore compile and optimizer state.
        safe_mode: Boolean, default True. Whether to refuse lambdas (compiled code) in the file.

    Raises:
        FileNotFoundError: if there is no such file (it is a `ValueError` too).
        ValueError: if the file holds no model; says what it looks like.
    """
    if hasattr(filepath, "read"):
        filepath = io.BytesIO(filepath.read())
    kind = guard.sniff(filepath)
    if kind == "folder" and not archive.is_folder(filepath):
        raise ValueError(
            f"{os.fspath(filepath)!r} is a folder. TensorFlow SavedModels are not supported: save"
            " the"
            " model as `.h5` or `.keras` where TensorFlow is installed."
        )
    if kind == "json":
        raise ValueError(
            f"{os.fspath(filepath)!r} is JSON, an architecture without weights. Use"
            " `model_from_json(open(path).read())`, then `load_weights`."
        )
    # `enable_unsafe_deserialization` holds for the whole process, whatever is passed.
    if kind == "zip" and isinstance(filepath, (str, os.PathLike)):
        if _is_checkpoint(_extension(filepath)):
            custom_objects = {**_saved_classes, **(custom_objects or {})}
    flag = False if serialization.safe_mode() is False else safe_mode
    with (
        registry.custom_objects(custom_objects),
        serialization.SafeMode(flag),
        guard.budget_of(filepath),
        guard.opening(filepath),
    ):
        if kind == "folder":
            return archive.read_model(archive.pack_folder(filepath), compile)
        if kind == "zip":
            return archive.read_model(filepath, compile)
        with guard.open_hdf5(filepath) as file:
            return hdf5.read_model(file, compile)


def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    """Write the weights of a model.

    Args:
        model: Model.
        filepath: Path. `.weights.h5` writes Keras 3's layout, other `.h5` the older one, `.npz`
            arrays for NumPy.
        overwrite: Boolean, default True. False: an existing file is an error.
        max_shard_size: Number of gigabytes, or None (default: one file). The weights go into
            files of at most that size, `name_00000.weights.h5` and so on; `filepath`, which ends
            in `.weights.json`, says where each one is.
        objects_to_skip: List of layers and other parts of the model to leave out, or None
            (default). In Keras 3's layout only.

    Raises:
        ValueError: for an extension that stands for no format, or a model that is not built.
    """
    save_format = kwargs.pop("save_format", None)
    skip = kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {sorted(kwargs)}")
    path = os.fspath(filepath)
    extension = _extension(path)
    if skip is not None and extension != ".weights.h5" and max_shard_size is None:
        raise ValueError(
            f"Argument `objects_to_skip` is for `.weights.h5` files. Received: filepath={path}"
        )
    if max_shard_size is not None:
        if not path.endswith((".weights.json", ".weights.h5")):
            raise ValueError(
                "The filename must end in `.weights.json` when `max_shard_size` is specified."
                f" Received: filepath={path}"
            )
        path = archive.index_path(path)
    if os.path.exists(path) and not overwrite:
        raise ValueError(
            f"The file {path!r} exists already. Pass `overwrite=True` or another path."
        )
    if not (model.built or runs_unedited() and model.weights):  # Keras 2 went by the weights
        raise ValueError(
            "You are saving a model that has not yet been built, so it has no weights. Build it by"
            " calling it on data or with `build(input_shape)`."
        )
    if max_shard_size is not None:
        archive.write_shards(path, model, max_shard_size, skip)
    elif extension == ".weights.h5" or save_format in (None, "tf") and _is_checkpoint(extension):
        with atomic_hdf5(path) as file:
            weights.write(file, model, skip)
    elif extension == ".npz":
        with atomic_path(path) as temporary:
            archive.write_npz(temporary, model)
    elif extension in (".h5", ".hdf5", ".hf", ".keras") or save_format in ("h5", "hdf5"):
        with atomic_hdf5(path) as file:
            hdf5.write_weights(file, model)
    else:
        raise ValueError(
            "The filename must end in `.weights.h5` (or `.h5` for the older layout, `.npz` for"
            f" NumPy). Received: filepath={path}"
        )


def load_weights(
    model: Any, filepath: Any, skip_mismatch: bool = False, by_name: bool = False, **kwargs: Any
) -> Any:
    """Read weights into a model, from a weights file or a whole-model file.

    Args:
        model: Model, built.
        filepath: Path of a weights file, the index of a sharded one, or a whole-model file.
        skip_mismatch: Boolean, default False. Whether to leave out what does not fit.
        by_name: Boolean, default False. Older layout: whether layers are matched by name.
        objects_to_skip: List of layers and other parts of the model to leave as they are, or None
            (default). In Keras 3's layout only.

    Raises:
        FileNotFoundError: if there is no such file (it is a `ValueError` too).
        ValueError: if the file does not fit the model.
    """
    skip = kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise ValueError(
            f"Invalid keyword arguments: {sorted(kwargs)}. Known ones: skip_mismatch, by_name,"
            " objects_to_skip."
        )
    kind = guard.sniff(filepath)
    checkpoint = _is_checkpoint(_extension(os.fspath(filepath)))
    if checkpoint and not model.built:
        # Loaded when the variables are there.
        model.__dict__["_waiting"] = functools.partial(
            load_weights, model, filepath, skip_mismatch, by_name
        )
        return Restored()
    with guard.opening(filepath):
        _load_weights(model, filepath, kind, skip_mismatch, by_name, skip)
    return Restored() if checkpoint else None


class Restored:
    """What TensorFlow returned for a checkpoint: everything was there, or it had raised."""

    def __init__(self, matched: bool = True) -> None:
        self.matched = matched

    def assert_consumed(self) -> Restored:
        """Nothing to check."""
        return self

    assert_existing_objects_matched = assert_nontrivial_match = expect_partial = assert_consumed


def _load_weights(
    model: Any, filepath: Any, kind: str, skip_mismatch: bool, by_name: bool, skip: Any
) -> None:
    if by_name and kind != "hdf5":
        raise ValueError(_ONLY_OLDER)
    if kind == "json":
        _assert_built(model)
        archive.read_shards(filepath, model, skip_mismatch, skip)
        return
    if skip is not None and (kind == "zip" or kind == "hdf5" and _is_older(filepath)):
        raise ValueError(
            "Invalid keyword argument `objects_to_skip`: it only supports loading '.weights.h5'"
            " files."
        )
    if kind == "zip" and archive.is_npz(filepath):
        _assert_built(model)
        archive.read_npz(filepath, model, skip_mismatch)
        return
    if kind == "zip":
        with archive.opened_weights(filepath) as file:
            weights.read(file, model, skip_mismatch)
        return
    if kind != "hdf5":
        raise ValueError(f"{os.fspath(filepath)!r} holds no weights: it is a {kind}.")
    with guard.open_hdf5(filepath) as file:
        if "layer_names" in file.attrs or "layer_names0" in file.attrs:
            hdf5.read_weights(file, model, skip_mismatch, by_name)
        elif guard.group_at(file, "model_weights") is not None:
            hdf5.read_weights(guard.group_at(file, "model_weights"), model, skip_mismatch, by_name)
        else:
            if by_name:
                raise ValueError(_ONLY_OLDER)
            _assert_built(model)
            # A checkpoint of TensorFlow could be that of a part of the model.
            partial = _is_checkpoint(_extension(filepath))
            weights.read(file, model, skip_mismatch, skip, partial)


_ONLY_OLDER = (
    "Invalid keyword argument `by_name`: it only supports loading legacy '.h5' or '.hdf5' files."
)


def _is_older(filepath: Any) -> bool:
    with guard.open_hdf5(filepath) as file:
        return any(
            name in file.attrs or name in file
            for name in ("layer_names", "layer_names0", "model_weights")
        )


def _assert_built(model: Any) -> None:
    if not (model.built or runs_unedited() and model.weights):
        raise ValueError(
            "You are loading weights into a model that has not yet been built, so it has none to"
            f" load into: {model.name!r}. Call it on data or `build(input_shape)` first."
        )


def model_from_json(json_string: str, custom_objects: dict | None = None) -> Any:
    """The model that a JSON architecture describes, with fresh weights."""
    config = guard.parse_json(json_string, "model JSON")
    flag = serialization.safe_mode() is not False
    with (
        registry.custom_objects(custom_objects),
        serialization.SafeMode(flag),
        serialization.architecture_budget(),
        guard.opening(None, "model JSON"),
    ):
        return hdf5.model_from_config(config)


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
                key: str(guard.attribute_of(group, key)) for key in group.attrs
            }
        found: dict[str, Any] = {}
        for key in group:
            inside = guard.group_at(group, key)
            if inside is None:
                dataset = guard.dataset_at(group, key)
                if dataset is not None:
                    arena.charge(dataset.shape, dataset.dtype.itemsize, dataset.name)
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
