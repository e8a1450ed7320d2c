"""Saving and loading: which layout a file has or shall have."""

from __future__ import annotations

import io
import os
from typing import Any

from minikeras.engine import registry, serialization
from minikeras.engine.spelling import runs_unedited
from minikeras.saving import archive, guard, hdf5, weights
from minikeras.saving.window import atomic_hdf5, atomic_path


def _extension(path: Any) -> str:
    name = os.fspath(path).lower()
    return ".weights.h5" if name.endswith(".weights.h5") else os.path.splitext(name)[1]


def _is_checkpoint(extension: str) -> bool:
    """Whether an unedited script means a checkpoint of TensorFlow: `save_weights("cp.ckpt")`."""
    known = (".npz", ".h5", ".hdf5", ".hf", ".keras")
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
        save_format: `"h5"`, `"keras"`, `"tf"` or None: overrides the extension, as in Keras 2.

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
    formats = {"h5": ".h5", "hdf5": ".h5", "keras": ".keras", "tf": ".keras", None: extension}
    if save_format not in formats:
        raise ValueError(
            "The `save_format` argument is deprecated: the extension of the path says the format."
            f" It may be 'h5', 'keras' or 'tf'. Received: save_format={save_format!r}"
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
    if not model.built:
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
) -> None:
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
    with guard.opening(filepath):
        _load_weights(model, filepath, kind, skip_mismatch, by_name, skip)


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
            weights.read(file, model, skip_mismatch, skip)


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
    if not model.built:
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
        guard.architecture_budget(),
        guard.opening(None, "model JSON"),
    ):
        return hdf5.model_from_config(config)
