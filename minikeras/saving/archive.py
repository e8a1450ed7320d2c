"""`.keras` (config.json, metadata.json, model.weights.h5, assets in a zip), shards and `.npz`."""

from __future__ import annotations

import datetime
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from minikeras.engine import serialization
from minikeras.saving import guard, weights
from minikeras.saving.hdf5 import KERAS_VERSION, _json_value, compile_model, model_from_config
from minikeras.saving.window import atomic_hdf5, atomic_path, written_member

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def write_model(path: Any, model: Any) -> None:
    """Write a whole model as a `.keras` archive to a path."""
    texts = _texts(model)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        with written_member(archive, path, _WEIGHTS) as file:
            weights.write(file, model)
        for name, content in _assets(model):
            archive.writestr(f"assets/{name}", content)


def _texts(model: Any) -> dict[str, str]:
    """The files of JSON, by name."""
    with serialization.ObjectSharing():
        config = json.dumps(serialization.serialize(model), default=_json_value)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = json.dumps({"keras_version": KERAS_VERSION, "date_saved": now})
    return {_METADATA: metadata, _CONFIG: config}


def write_to(file: Any, model: Any) -> None:
    """Write a whole model as a `.keras` archive to an open binary file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        packed = os.path.join(folder, "m.keras")
        write_model(packed, model)
        with open(packed, "rb") as archive:
            while piece := archive.read(2**22):
                file.write(piece)


def write_folder(path: str, model: Any) -> None:
    """Write what an archive holds as files of a folder, which is whole or as it was."""
    import shutil
    import tempfile

    path = os.path.abspath(path)
    if os.path.isdir(path) and os.listdir(path) and not is_folder(path):
        raise ValueError(
            f"{path!r} is a folder of something else. Pass the path of a new folder, or of one with"
            " a model."
        )
    if os.path.isfile(path):
        raise ValueError(f"{path!r} is a file. With `zipped=False` a folder is written.")
    parent = os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=f".{os.path.basename(path)[:60]}.", dir=parent)
    try:
        packed = os.path.join(temporary, "m.keras")
        write_model(packed, model)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(temporary)
        os.unlink(packed)
        os.chmod(temporary, 0o755)
        if os.path.isdir(path):
            old = f"{temporary}.old"
            os.rename(path, old)
            os.rename(temporary, path)
            shutil.rmtree(old)
        else:
            os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def is_folder(path: Any) -> bool:
    """Whether a folder holds what an archive does."""
    return os.path.isfile(os.path.join(path, _CONFIG))


def pack_folder(path: Any) -> io.BytesIO:
    """The files of a folder as an archive in memory; links are refused."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        wanted = [_METADATA, _CONFIG, _WEIGHTS]
        for folder, _, names in os.walk(os.path.join(path, "assets")):
            wanted += [os.path.relpath(os.path.join(folder, name), path) for name in names]
        for name in wanted:
            where = os.path.join(path, name)
            if os.path.islink(where):
                raise ValueError(f"{where!r} is a link. Such files are not opened.")
            if os.path.isfile(where):
                archive.write(where, name.replace(os.sep, "/"))
    return buffer


def _assets(model: Any) -> list[tuple[str, bytes]]:
    """The files that layers keep beside their variables."""
    import tempfile

    found = []
    for path, part in weights.walk(model):
        if not hasattr(part, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            part.save_assets(folder)
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), "rb") as file:
                    found.append((f"{path}/{name}" if path else name, file.read()))
    return found


def read_model(path: Any, compile: bool = True) -> Any:
    """The model in a `.keras` archive."""
    from minikeras.dialects import configs

    with guard.open_zip(path) as archive:
        members = archive.namelist()
        if _CONFIG not in members:
            raise ValueError(
                f"The archive {path!r} holds no Keras model: it has no {_CONFIG}, only"
                f" {sorted(members)[:8]}."
            )
        config = guard.parse_json(guard.read_member(archive, _CONFIG, 2**28), _CONFIG)
        if not isinstance(config, dict):
            raise ValueError(f"{_CONFIG} must hold a JSON object. Received: {type(config)}")
        version = _version(archive)
        generation = configs.generation_of(version, config)
        compile_config = config.get("compile_config")
        if not compile or generation < 3:
            config["compile_config"] = None
        with serialization.ObjectSharing():
            model = model_from_config(config, generation, version)
        if compile and generation < 3 and isinstance(compile_config, dict):
            compile_model(
                model,
                {**compile_config, "optimizer_config": compile_config.get("optimizer")},
                generation,
            )
            if model.optimizer is not None and model.built:
                model.optimizer.build(model.trainable_variables)
        if _WEIGHTS not in members:
            raise ValueError(
                f"The archive {path!r} has no {_WEIGHTS}, only {sorted(members)[:8]}. Weights in"
                " several files, or in other formats, are not supported in archives."
            )
        else:
            with guard.opened_member(archive, _WEIGHTS) as window:
                with guard.open_hdf5(window) as file:
                    weights.read(file, model)
        _read_assets(archive, model)
    return model


def _version(archive: zipfile.ZipFile) -> Any:
    """The version of Keras that wrote an archive, or None."""
    if _METADATA not in archive.namelist():
        return None
    metadata = guard.parse_json(guard.read_member(archive, _METADATA, 2**20), _METADATA)
    return metadata.get("keras_version") if isinstance(metadata, dict) else None


def _read_assets(archive: zipfile.ZipFile, model: Any) -> None:
    import tempfile

    names = [name for name in archive.namelist() if name.startswith("assets/")]
    if not names:
        return
    for path, part in weights.walk(model):
        if not hasattr(part, "load_assets"):
            continue
        prefix = f"assets/{path}/" if path else "assets/"
        own = [n for n in names if n.startswith(prefix) and "/" not in n[len(prefix) :]]
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in own:
                base = name[len(prefix) :]
                if not base or base in (".", "..") or "\\" in base:
                    raise ValueError(f"The archive names an asset that is no plain file: {name!r}")
                with open(os.path.join(folder, base), "wb") as file:
                    file.write(guard.read_member(archive, name))
            part.load_assets(folder)


@contextmanager
def opened_weights(path: Any) -> Iterator[Any]:
    """The weights inside an archive, as an open HDF5 file."""
    with guard.open_zip(path) as archive, guard.opened_member(archive, _WEIGHTS) as window:
        with guard.open_hdf5(window) as file:
            yield file


_GIGABYTE = 1024**3


def write_shards(path: Any, model: Any, max_shard_size: Any, skip: Any = None) -> None:
    """Write the weights of a model into files of a limited size, and an index of them.

    The index is written last, so that an older one stays whole until all shards are there.

    Args:
        path: Path of the index, which ends in `.weights.json`; shards lie beside it.
        model: Model.
        max_shard_size: Largest size of the values in a shard, in gigabytes.
        skip: Parts of the model to leave out, or None.

    Raises:
        ValueError: if a single variable is larger than a shard may be.
    """
    if isinstance(max_shard_size, bool) or not isinstance(max_shard_size, (int, float)):
        raise ValueError(
            "Argument `max_shard_size` must be a number of gigabytes. Received:"
            f" max_shard_size={max_shard_size!r}"
        )
    path = index_path(path)
    limit = float(max_shard_size) * _GIGABYTE
    shards, index, total = _plan(model, limit, skip)
    folder, base = os.path.split(path)
    base = base.removesuffix(".json").removesuffix(".weights")
    names = [f"{base}_{number:05}.weights.h5" for number in range(len(shards))]
    for name, entries in zip(names, shards):
        with atomic_hdf5(os.path.join(folder, name)) as file:
            for group_path, layer, key, value in entries:
                group = file.require_group(group_path)
                if layer is not None:
                    group.attrs["name"] = layer
                if key is not None:
                    group[key] = value
    files = {
        place: names[found[0]] if len(found) == 1 else [names[number] for number in found]
        for place, found in index.items()
    }
    content = {"metadata": {"total_size": total}, "weight_map": files}
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=4)


def index_path(path: Any) -> str:
    """The path of the index, for that of the index or `x.weights.h5`."""
    text = os.fspath(path)
    return text if text.endswith(".json") else f"{text.removesuffix('.h5')}.json"


def _plan(model: Any, limit: float, skip: Any) -> tuple[list, dict, float]:
    """Shards as lists of (group, name of its object, key, value); which ones have a group."""
    shards: list[list] = [[]]
    index: dict[str, list[int]] = {}
    total = size = 0.0
    for place, part in weights.walk(model, "", set(map(id, skip or ()))):
        store = weights.WriteStore()
        part.save_own_variables(store)
        group = f"/{place}/vars" if place else "/vars"
        name = getattr(part, "name", None)
        name = name if isinstance(name, str) else None
        if not store and name is not None:
            shards[-1].append((group, name, None, None))
        for key, value in store.items():
            value = np.asarray(value)
            if value.nbytes > limit:
                raise ValueError(
                    f"The variable {key!r} of {name or place!r} takes {value.nbytes:,} bytes, more"
                    f" than a shard of {limit:,.0f} bytes. Pass a larger `max_shard_size`."
                )
            size += value.nbytes
            total += value.nbytes
            if size > limit:
                shards.append([])
                size = float(value.nbytes)
            shards[-1].append((group, name, str(key), value))
            found = index.setdefault(group, [])
            if len(shards) - 1 not in found:
                found.append(len(shards) - 1)
    return shards, index, total


class _ShardedPaths:
    """Where the parts of a model are in several files; as `weights.Paths` of one."""

    def __init__(self, path: str, index: dict, stack: ExitStack) -> None:
        self.folder, self.index, self.stack = os.path.dirname(path), index, stack
        self.files: dict[str, Any] = {}

    def store(self, path: str) -> weights.ReadStore | None:
        """The variables of the part at `path`, or None."""
        found = self.index.get(f"/{path}/vars" if path else "/vars")
        if found is None:
            return None
        names = found if isinstance(found, list) else [found]
        groups: dict[str, Any] = {}
        for name in names:
            if not isinstance(name, str) or name not in groups:
                groups[name] = self._group(name, f"{path}/vars")
        return weights.ReadStore(*(group for group in groups.values() if group is not None))

    def _group(self, name: Any, path: str) -> Any:
        if not isinstance(name, str) or os.path.basename(name) != name or "\\" in name:
            raise ValueError(
                f"The index of weights names a shard that is no plain file: {name!r}. Such files"
                " are not opened."
            )
        if name not in self.files:
            where = os.path.join(self.folder, name)
            if not os.path.isfile(where):
                raise ValueError(f"The index of weights names {name!r}, which is not beside it.")
            self.files[name] = self.stack.enter_context(guard.open_hdf5(where))
        return guard.group_at(self.files[name], path)


def read_shards(path: Any, model: Any, skip_mismatch: bool = False, skip: Any = None) -> None:
    """Take the weights of a model from an index and the shards beside it.

    Raises:
        ValueError: if the index names no weights, or files elsewhere.
    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        index = guard.parse_json(file.read(), "index of weights")
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict):
        raise ValueError(
            f"{path!r} is JSON without a `weight_map`: no index of weights. An architecture is"
            " opened with `model_from_json`."
        )
    with ExitStack() as stack:
        weights.read(_ShardedPaths(path, places, stack), model, skip_mismatch, skip)


# npz


def write_npz(path: Any, model: Any) -> None:
    """Write the weights of a model as arrays whose names are their paths in a `.weights.h5`."""
    arrays = {}
    for place, part in weights.walk(model):
        store = weights.WriteStore()
        part.save_own_variables(store)
        for key, value in store.items():
            arrays[f"{place}/vars/{key}" if place else f"vars/{key}"] = np.asarray(value)
    with open(path, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_npz(path: Any, model: Any, skip_mismatch: bool = False) -> None:
    """Take the weights of a model from an `.npz`: arrays by path, or in the order of `weights`.

    Raises:
        ValueError: for pickled objects, and for arrays that do not fit.
    """
    import h5py

    arrays = _npz_arrays(path)
    if arrays and all(name.startswith("arr_") and name[4:].isdigit() for name in arrays):
        # As `np.savez(path, *model.get_weights())` writes them.
        model.set_weights([arrays[f"arr_{number}"] for number in range(len(arrays))])
        return
    with h5py.File(io.BytesIO(), "w") as file:
        for name, array in arrays.items():
            if ".." in name.split("/"):
                raise ValueError(f"The file names a path that leaves it: {name!r}.")
            file[name] = array
        weights.read(file, model, skip_mismatch)


def is_npz(path: Any) -> bool:
    """Whether a zip archive holds NumPy arrays and nothing else."""
    with guard.open_zip(path) as archive:
        names = archive.namelist()
    return bool(names) and all(name.endswith(".npy") for name in names)


def _npz_arrays(path: Any) -> dict[str, np.ndarray]:
    found = {}
    with guard.open_zip(path) as archive:
        for name in archive.namelist():
            content = guard.read_member(archive, name)
            found[name.removesuffix(".npy")] = _npy(content, name)
    return found


def _npy(content: bytes, name: str) -> np.ndarray:
    """The array in an `.npy`, whose header is believed as far as there is content."""
    from numpy.lib import format as npy

    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, fortran, dtype = read_header[version](file)
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        # The header is an expression of Python, which its parser may find too deep.
        raise ValueError(f"The member {name!r} is no array of NumPy: {error!r}") from None
    if dtype.hasobject or dtype.kind not in "biufc":
        raise ValueError(
            f"The member {name!r} holds {dtype}, not numbers. Such files are not opened."
        )
    count = int(np.prod(shape, dtype=object))
    rest = content[file.tell() :]
    if count * dtype.itemsize != len(rest):
        raise ValueError(
            f"The member {name!r} claims {count * dtype.itemsize:,} bytes but holds {len(rest):,}."
        )
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")
