"""What the commands on model files share: looking into a file without running or building it.

`python -m minikeras info`: what a model file holds, and what of it would not load.
"""

from __future__ import annotations

import argparse
import io
import json
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


def register(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "info",
        help="tell what a model file holds, and what would not load",
        description=(
            "Tells the format of a file, the Keras version that wrote it, architecture,"
            " parameters, compile state, and what would not load and why. Nothing in the file is"
            " run. Exit code 0 when the file would load, 1 when it would not, 2 when it is no file"
            " of Keras."
        ),
    )
    parser.add_argument("file", help=".keras, .h5, .weights.h5, .json or .npz of any Keras")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what there is; returns 1 if it would not load."""
    from minikeras.cli import files

    with files.one_line():
        content = files.look(arguments.file)
        problems = _problems(arguments.file, content)
    if arguments.json:
        print(json.dumps(_record(content, problems)))
    else:
        for line in _text(arguments.file, content, problems):
            print(line)
    return 1 if problems else 0


def _record(content: Any, problems: list) -> dict:
    from minikeras.cli import files

    return {
        "format": content.form,
        "keras_version": content.version,
        "backend": content.backend,
        "model": (content.config or {}).get("class_name"),
        "layers": [
            {"depth": depth, "name": name, "class_name": kind}
            for depth, name, kind, _ in files.layers_of(content.config)
        ],
        "parameters": None if content.shapes is None else files.count(content.shapes),
        "optimizer_values": content.optimizer_values,
        "compiled": content.training is not None,
        "compile_config": content.training,
        "assets": list(content.assets),
        "problems": problems,
    }


def _text(path: str, content: Any, problems: list) -> list[str]:
    from minikeras.cli import files

    writer = f"Keras {content.version}" if content.version else "a Keras that does not say"
    if content.version is None and content.config is None:
        writer = "not said in the file"
    lines = [
        f"file         {path}",
        f"format       {content.form}",
        f"written by   {writer}" + (f" on {content.backend}" if content.backend else ""),
    ]
    layers = files.layers_of(content.config)
    if content.config is not None:
        top = sum(1 for depth, *_ in layers if depth == 0)
        lines.append(f"model        {content.config.get('class_name')}, {top} layers")
    if content.shapes is not None:
        lines.append(
            f"parameters   {files.count(content.shapes):,} in {len(content.shapes)} arrays"
        )
    elif content.config is not None:
        lines.append("parameters   no weights in the file")
    if content.optimizer_values:
        lines.append(f"optimizer    state of {content.optimizer_values:,} values")
    if content.config is not None:
        lines += _compiled(content.training)
    if content.assets:
        lines.append(f"assets       {', '.join(content.assets)}")
    if layers:
        lines += ["", "layers"]
        width = max(len("  " * depth + name) for depth, name, *_ in layers)
        for depth, name, kind, config in layers:
            label = ("  " * depth + name).ljust(width)
            lines.append(f"  {label}  {kind}{_details(config)}")
    elif content.shapes:
        lines += ["", "arrays"]
        lines += [f"  {name}  {shape}" for name, shape in content.shapes.items()]
    lines.append("")
    if problems:
        lines.append("would not load:")
        lines += [f"  {problem}" for problem in problems]
    elif content.config is not None:
        lines.append("would load")
    return lines


_TOLD = (
    "units", "output_dim", "filters", "nb_filter", "kernel_size", "pool_size", "strides", "padding",
    "border_mode", "activation", "rate", "p", "batch_shape", "batch_input_shape", "target_shape",
    "num_heads", "key_dim", "input_dim", "axis", "merge_mode",
)  # fmt: skip


def _details(config: dict) -> str:
    told = []
    for key in _TOLD:
        value = config.get(key)
        if isinstance(value, dict):
            value = value.get("class_name")
        if value is not None and value != "linear":
            told.append(f"{key}={_short(value)}")
    return f"({', '.join(told)})" if told else ""


def _short(value: Any) -> str:
    text = str(tuple(value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _compiled(training: Any) -> list[str]:
    training = training if isinstance(training, dict) else {}
    optimizer = training.get("optimizer_config") or training.get("optimizer")
    if optimizer is None and training.get("loss") is None:
        return ["compiled     no"]
    if isinstance(optimizer, dict):
        inner = optimizer.get("config") or {}
        rate = inner.get("learning_rate", inner.get("lr"))
        rate = rate.get("class_name") if isinstance(rate, dict) else rate
        optimizer = f"{optimizer.get('class_name')}(learning_rate={rate})"
    return [
        f"compiled     optimizer {optimizer}",
        f"             loss {_named(training.get('loss'))}",
        f"             metrics {_named(training.get('metrics'))}",
    ]


def _named(value: Any) -> str:
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        function = inner.get("fn") if isinstance(inner, dict) else inner
        if isinstance(function, dict):
            function = function.get("config")
        return str(value["class_name"]) + (f"({function})" if function else "")
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_named(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_named(one) for one in value) or "none"
    return "none" if value is None else str(value)


def _problems(path: str, content: Any) -> list[str]:
    """Why a file would not load: names that are not known, code, or what loading itself says."""
    import warnings

    if content.config is None:
        return []
    found = _lambdas(content.config) + _unknown(content.config)
    if found:
        return found
    from minikeras.saving import api

    # Only built-in layers are left: to open them runs nothing that the file brings along.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if content.form.startswith("architecture"):
                with open(path, encoding="utf-8") as file:
                    api.model_from_json(file.read())
            else:
                api.load_model(path)
    except Exception as error:  # whatever it is, it is the answer
        return [" ".join(str(error).split())]
    return []


def _records(config: Any) -> list[dict]:
    pending, found = [config], []
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if isinstance(item.get("class_name"), str):
                found.append(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return found[::-1]


def _lambdas(config: Any) -> list[str]:
    names = []
    for record in _records(config):
        inner = record.get("config")
        if record["class_name"] == "Lambda" and isinstance(inner, dict):
            names.append(str(inner.get("name")))
    names = sorted(set(names))
    return [
        f"layer {name!r} is a Lambda: it runs code that the file brings along. Open it with"
        " `load_model(..., safe_mode=False)` if you trust its source"
        for name in names
    ]


def _unknown(config: Any) -> list[str]:
    from minikeras.dialects import configs
    from minikeras.engine import registry

    configs.make_old_objects_known()
    found: dict[str, str] = {}
    for _, name, kind, _ in _layers(config):
        today = configs.RENAMED_CLASSES.get(kind, kind).rsplit(">", 1)[-1]
        known = registry.layers.find(today) or registry.operations.find(today)
        if known is None and registry.models.find(today) is None and today not in _OTHERS:
            found.setdefault(kind, name)
    return [
        f"layer {name!r} is a {kind!r}, which is not built in. Pass it in `custom_objects` to"
        " `load_model`, or register it"
        for kind, name in found.items()
    ]


_OTHERS = ("Model", "Functional", "Sequential", "Merge")


def _layers(config: Any) -> list:
    from minikeras.cli import files

    return files.layers_of(config)
