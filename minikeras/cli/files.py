"""What the commands on model files share: looking into a file without running or building it."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from minikeras.cli import CommandError


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        form: The format, in words.
        version: The version of Keras that wrote it, or None.
        backend: Its backend, or None.
        config: The architecture, a dict, or None.
        training: The compile state, a dict, or None.
        shapes: Shapes of the weights by path, or None where there are none.
        optimizer_values: How many numbers the optimizer's state has.
        assets: Names of further files in an archive.
    """

    form: str
    version: str | None = None
    backend: str | None = None
    config: Any = None
    training: Any = None
    shapes: dict[str, tuple] | None = None
    optimizer_values: int = 0
    assets: tuple = ()


@contextmanager
def one_line(code: int = 2) -> Iterator[None]:
    """Turn what goes wrong with a file into the one line of a `CommandError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CommandError:
        raise
    except (ValueError, TypeError, OSError, KeyError, NotImplementedError, MemoryError) as error:
        raise CommandError(str(error) or type(error).__name__, code) from None


def look(path: str) -> Content:
    """What a file holds.

    Raises:
        ValueError: if it is no file of Keras; says what it looks like.
    """
    from minikeras.saving import archive, guard

    kind = guard.sniff(path)
    with guard.opening(path):
        if kind == "folder":
            if not archive.is_folder(path):
                raise ValueError(f"{path!r} is a folder without a config.json: no model of Keras.")
            return _archive(archive.pack_folder(path), "folder of Keras 3, unzipped")
        if kind == "json":
            with open(path, "rb") as file:
                return _json(guard.parse_json(file.read(), "JSON"))
        if kind == "zip":
            if archive.is_npz(path):
                arrays = archive._npz_arrays(path)
                shapes = {name: array.shape for name, array in arrays.items()}
                return Content("weights, NumPy archive", shapes=shapes)
            return _archive(path, "whole model, zip archive (.keras)")
        with guard.open_hdf5(path) as file:
            return _hdf5(file)


def _json(value: Any) -> Content:
    if isinstance(value, dict) and isinstance(value.get("weight_map"), dict):
        return Content("index of sharded weights (.weights.json)")
    if not isinstance(value, dict) or "class_name" not in value:
        raise ValueError("The JSON describes no model: it has no `class_name`.")
    return Content(
        "architecture, JSON",
        value.get("keras_version"),
        value.get("backend"),
        value,
        value.get("compile_config"),
    )


def _archive(path: Any, form: str) -> Content:
    from minikeras.saving import guard

    with guard.open_zip(path) as archive:
        names = archive.namelist()
        if "config.json" not in names:
            raise ValueError(f"The zip archive holds no model of Keras, but {sorted(names)[:6]}.")
        config = guard.parse_json(guard.read_member(archive, "config.json", 2**28), "config.json")
        version = None
        if "metadata.json" in names:
            metadata = guard.parse_json(
                guard.read_member(archive, "metadata.json", 2**20), "metadata.json"
            )
            version = metadata.get("keras_version") if isinstance(metadata, dict) else None
        shapes, rest = None, 0
        if "model.weights.h5" in names:
            content = io.BytesIO(guard.read_member(archive, "model.weights.h5"))
            with guard.open_hdf5(content) as file:
                shapes, rest = _split(dict(_shapes(file)))
        assets = tuple(sorted(one for one in names if one.startswith("assets/")))
    training = config.get("compile_config") if isinstance(config, dict) else None
    return Content(form, version, None, config, training, shapes, rest, assets)


def _hdf5(file: Any) -> Content:
    from minikeras.saving import guard

    version = guard.text_attribute(file, "keras_version")
    backend = guard.text_attribute(file, "backend")
    text = guard.text_attribute(file, "model_config")
    if text is None:
        old = guard.names(file, "layer_names")
        shapes, rest = _split(dict(_shapes(file)))
        if not shapes and not old:
            raise ValueError("The HDF5 file holds neither a model of Keras nor weights.")
        form = "weights, HDF5 of the older layout" if old else "weights, HDF5 (.weights.h5)"
        return Content(form, version, backend, shapes=shapes, optimizer_values=rest)
    training = guard.text_attribute(file, "training_config")
    group = guard.group_at(file, "model_weights")
    state = guard.group_at(file, "optimizer_weights")
    return Content(
        "whole model, HDF5",
        version,
        backend,
        guard.parse_json(text, "model configuration"),
        None if training is None else guard.parse_json(training, "training configuration"),
        None if group is None else dict(_shapes(group)),
        0 if state is None else sum(map(_size, dict(_shapes(state)).values())),
    )


def _shapes(
    group: Any, path: str = "", depth: int = 0, seen: set | None = None
) -> Iterator[tuple[str, tuple]]:
    """Shapes of all datasets below a group, by path; nothing is read."""
    from minikeras.saving import guard

    seen = set() if seen is None else seen
    guard.enter(group, seen)
    if depth > 64:
        raise ValueError("The file is nested too deeply.")
    for name in group:
        inner = f"{path}/{name}" if path else name
        below = guard.group_at(group, name)
        if below is not None:
            yield from _shapes(below, inner, depth + 1, seen)
            continue
        dataset = guard.dataset_at(group, name)
        if dataset is not None:
            yield inner, tuple(dataset.shape)


def _split(shapes: dict) -> tuple[dict, int]:
    """The weights of layers, and how many values the optimizer has."""
    own = {path: shape for path, shape in shapes.items() if not path.startswith("optimizer/")}
    rest = sum(_size(shape) for path, shape in shapes.items() if path not in own)
    return own, rest


def _size(shape: tuple) -> int:
    size = 1
    for axis in shape:
        size *= int(axis)
    return size


def count(shapes: dict | None) -> int:
    """The number of values in arrays of these shapes."""
    return sum(map(_size, (shapes or {}).values()))


def layers_of(config: Any) -> list[tuple[int, str, str, dict]]:
    """(depth, name, class, config) of all layers in a config of any generation."""
    found: list = []

    def follow(record: Any, depth: int) -> None:
        if not isinstance(record, dict) or depth > 20:
            return
        inner = record.get("config")
        layers = inner if isinstance(inner, list) else None
        if isinstance(inner, dict) and isinstance(inner.get("layers"), list):
            layers = inner["layers"]
        if depth >= 0:
            own = inner if isinstance(inner, dict) else {}
            name = record.get("name") or own.get("name") or ""
            found.append((depth, str(name), str(record.get("class_name")), own))
        for one in layers or ():
            follow(one, depth + 1)
        if isinstance(inner, dict):
            for key in ("layer", "forward_layer", "backward_layer"):
                follow(inner.get(key), depth + 1)

    follow(config, -1)
    return found


def load(path: str, weights: str | None = None, compile: bool = True, trust: bool = False) -> Any:
    """The model in a file, or the one in a JSON with the weights beside it."""
    from minikeras.saving import api

    if not os.path.exists(path):
        raise CommandError(f"there is no file {path!r}")
    content = look(path)
    if content.config is None:
        raise CommandError(
            f"{path!r} holds weights only ({content.form}). Give the architecture:"
            f" MODEL.json with `--weights {os.path.basename(path)}`"
        )
    if not content.form.startswith("architecture"):
        model = api.load_model(path, compile=compile, safe_mode=not trust)
    else:
        from minikeras.engine.serialization import SafeMode

        with open(path, encoding="utf-8") as file, SafeMode(False if trust else None):
            model = api.model_from_json(file.read())
        if weights is None:
            raise CommandError(f"{path!r} is an architecture only: pass `--weights FILE` too")
    if weights is not None:
        model.load_weights(weights)
    return model


def add_loading(parser: Any) -> None:
    """The options that say how to open a file."""
    parser.add_argument("--weights", metavar="FILE", help="weights for an architecture in JSON")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="open Lambda layers, which run code in the file; only if you trust its source",
    )
