"""`python -m minikeras info`: what a model file holds, and what of it would not load."""

from __future__ import annotations

import argparse
import json
from typing import Any


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
