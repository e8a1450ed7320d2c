"""Weights in several files (`.weights.json` and `.weights.h5` shards) and in NumPy's `.npz`."""

from __future__ import annotations

import io
import json
import os
from contextlib import ExitStack
from typing import Any

import numpy as np

from minikeras.saving import guard, weights
from minikeras.saving.window import atomic_hdf5, atomic_path

_GIGABYTE = 1024**3


def write(path: Any, model: Any, max_shard_size: Any, skip: Any = None) -> None:
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


def read(path: Any, model: Any, skip_mismatch: bool = False, skip: Any = None) -> None:
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
