"""`python -m minikeras diff`: where two model files differ."""

from __future__ import annotations

import argparse
from typing import Any


def register(subparsers: Any) -> None:
    """Adds the command."""
    from minikeras.cli import files

    parser = subparsers.add_parser(
        "diff",
        help="compare the architecture and weights of two files",
        description=(
            "Lists the layers, settings and weights in which two model files differ, whatever"
            " versions of Keras wrote them. Exit code 0 when they are the same, 1 otherwise."
        ),
    )
    parser.add_argument("a", help="model or weights file")
    parser.add_argument("b", help="another one")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        help="weights that differ by no more count as the same; default 0",
    )
    files.add_loading(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the differences; returns 1 if there are any."""
    from minikeras.cli import CommandError, files

    with files.one_line():
        kinds = [files.look(path) for path in (arguments.a, arguments.b)]
        if (kinds[0].config is None) != (kinds[1].config is None):
            raise CommandError(
                f"cannot compare a model with weights only: {arguments.a} is"
                f" {kinds[0].form}, {arguments.b} is {kinds[1].form}"
            )
        if kinds[0].config is None:
            lines = _arrays_differ(_arrays(arguments.a), _arrays(arguments.b), arguments.tolerance)
        else:
            first, second = (_open(path, arguments) for path in (arguments.a, arguments.b))
            lines = _models_differ(first, second, arguments.tolerance)
    for line in lines:
        print(line)
    if not lines:
        print("the same")
    return 1 if lines else 0


def _open(path: str, arguments: argparse.Namespace) -> Any:
    from minikeras.cli import files
    from minikeras.saving import api

    if files.look(path).form.startswith("architecture") and arguments.weights is None:
        with open(path, encoding="utf-8") as file:
            model = api.model_from_json(file.read())
        model._has_no_weights_to_compare = True
        return model
    return files.load(path, arguments.weights, False, arguments.trust)


def _models_differ(a: Any, b: Any, tolerance: float) -> list[str]:
    lines = []
    first, second = a.layers, b.layers
    if type(a).__name__ != type(b).__name__:
        lines.append(f"model: {type(a).__name__} / {type(b).__name__}")
    kinds = [[type(one).__name__ for one in layers] for layers in (first, second)]
    if kinds[0] != kinds[1]:
        import difflib

        for line in difflib.unified_diff(kinds[0], kinds[1], "a", "b", lineterm="", n=0):
            if line[:1] in "+-" and line[:3] not in ("+++", "---"):
                lines.append(f"layers: {line[0]} {line[1:]}")
        return lines
    bare = any(getattr(one, "_has_no_weights_to_compare", False) for one in (a, b))
    for left, right in zip(first, second):
        for key, x, y in _settings_differ(left.get_config(), right.get_config()):
            lines.append(f"{left.name}: {key} {x!r} / {y!r}")
        pairs = list(zip(left.weights, right.weights))
        if len(left.weights) != len(right.weights):
            lines.append(f"{left.name}: {len(left.weights)} weights / {len(right.weights)}")
            continue
        for v, w in pairs:
            name = v.path.split("/", 1)[-1]
            if bare:
                if v.shape != w.shape:
                    lines.append(f"{left.name}: {name} shape {v.shape} / {w.shape}")
                continue
            found = _values_differ(v.array, w.array, tolerance)
            if found:
                lines.append(f"{left.name}: {name} {found}")
    return lines


# Automatic names say nothing of a model.
_IGNORED = ("name", "build_config")


def _settings_differ(a: Any, b: Any, path: str = "") -> list:
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for key in [*a, *(key for key in b if key not in a)]:
            if key in _IGNORED or key == "layers":
                continue
            inner = f"{path}.{key}" if path else str(key)
            found += _settings_differ(a.get(key), b.get(key), inner)
        return found
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return [] if list(a) == list(b) else [(path, a, b)]
    return [] if a == b else [(path, a, b)]


def _values_differ(a: Any, b: Any, tolerance: float) -> str | None:
    import numpy as np

    if a.shape != b.shape:
        return f"shape {a.shape} / {b.shape}"
    if a.size == 0 or np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        return None
    gap = np.abs(a.astype("float64") - b.astype("float64"))
    largest = float(np.nanmax(gap)) if not np.isnan(gap).all() else float("nan")
    if largest <= tolerance and not (np.isnan(a) != np.isnan(b)).any():
        return None
    count = int(np.count_nonzero(~(gap <= tolerance)))
    return f"{count:,} of {a.size:,} values differ, by up to {largest:.3g}"


def _arrays(path: str) -> dict:
    """All arrays of a weights file, by path."""
    from minikeras.cli import files
    from minikeras.saving import archive, guard

    if guard.sniff(path) == "zip":
        return archive._npz_arrays(path)
    with guard.open_hdf5(path) as file:
        return {
            name: guard.read_array(guard.dataset_at(file, name)) for name, _ in files._shapes(file)
        }


def _arrays_differ(a: dict, b: dict, tolerance: float) -> list[str]:
    lines = [f"{name}: only in a" for name in a if name not in b]
    lines += [f"{name}: only in b" for name in b if name not in a]
    for name in a:
        found = _values_differ(a[name], b[name], tolerance) if name in b else None
        if found:
            lines.append(f"{name}: {found}")
    return lines
