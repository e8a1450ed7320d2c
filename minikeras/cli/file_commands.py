"""`python -m minikeras convert | predict | diff`: commands on model files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

_TARGETS = (".keras", ".weights.h5", ".h5", ".hdf5", ".npz", ".json")


def register_convert(subparsers: Any) -> None:
    """Adds the command."""
    from minikeras.cli import files

    parser = subparsers.add_parser(
        "convert",
        help="write a model file in another format",
        description=(
            "Opens a model file of Keras 1, 2 or 3 and writes it in the format that the new"
            " name says: .keras, .h5 (in the layout of Keras 3), .weights.h5, .npz or .json."
        ),
    )
    parser.add_argument("old", help="file to read; for a .json also pass --weights")
    parser.add_argument("new", help="file to write")
    parser.add_argument("--no-compile", action="store_true", help="leave the compile state out")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    files.add_loading(parser)
    parser.set_defaults(run=run_convert)


def run_convert(arguments: argparse.Namespace) -> int:
    """Converts; returns 0."""
    from minikeras.cli import CommandError, files

    old, new = arguments.old, arguments.new
    if not new.lower().endswith(_TARGETS):
        raise CommandError(f"cannot tell the format from {new!r}: end it in {', '.join(_TARGETS)}")
    if os.path.exists(new) and not arguments.overwrite:
        raise CommandError(f"{new!r} exists already: pass --overwrite or another name")
    with files.one_line():
        model = files.load(old, arguments.weights, not arguments.no_compile, arguments.trust)
        notes = _notes(model)
        if new.lower().endswith((".weights.h5", ".npz")):
            model.save_weights(new)
        elif new.lower().endswith(".json"):
            from minikeras.saving.window import atomic_path

            with atomic_path(new) as temporary, open(temporary, "w", encoding="utf-8") as file:
                file.write(model.to_json())
        else:
            model.save(new)
    for note in notes:
        print(f"minikeras convert: note: {note}", file=sys.stderr)
    print(f"{new}: {type(model).__name__}, {model.count_params():,} parameters")
    return 0


def _notes(model: Any) -> list[str]:
    """What of the model Keras 3 cannot open, or computes otherwise."""
    found = []
    gone, hard, padded = [], [], []
    for layer in model._flatten_layers(include_self=False):
        if type(layer).__name__.endswith("Cell"):
            continue
        if type(layer).__module__.startswith("minikeras.dialects"):
            gone.append(layer.name)
        for name in ("activation", "recurrent_activation"):
            function = getattr(layer, name, None)
            if getattr(function, "__name__", "").startswith("keras2_"):
                hard.append(layer.name)
        if getattr(layer, "_pads_half", False) and getattr(layer, "padding", None) == "same":
            padded.append(layer.name)
    if gone:
        found.append(f"Keras 3 does not have these layers, minikeras does: {_list(gone)}")
    if hard:
        found.append(
            "Keras 3 has another hard_sigmoid; the file names the old one, which minikeras alone"
            f" opens: {_list(hard)}"
        )
    if padded:
        found.append(
            "Theano padded otherwise, which the new file does not say; predictions will differ at"
            f" the borders: {_list(padded)}"
        )
    return found


def _list(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def register_predict(subparsers: Any) -> None:
    """Adds the command."""
    from minikeras.cli import files

    parser = subparsers.add_parser(
        "predict",
        help="predict from a model file and a data file",
        description=(
            "Opens a model file, predicts for the rows of a data file and writes the predictions."
            " Several inputs come from an .npz, by name or in order; several outputs go to one."
        ),
    )
    parser.add_argument("file", help="model file of any Keras")
    parser.add_argument("input", help=".npy, .npz or .csv (numbers; a first line of names is fine)")
    parser.add_argument(
        "-o", "--output", required=True, help=".npy, .npz or .csv to write; `-` prints CSV"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="default 32")
    files.add_loading(parser)
    parser.set_defaults(run=run_predict)


def run_predict(arguments: argparse.Namespace) -> int:
    """Predicts; returns 0."""
    from minikeras.cli import CommandError, files

    output = arguments.output
    if output != "-" and not output.lower().endswith((".npy", ".npz", ".csv")):
        raise CommandError(f"cannot tell the format from {output!r}: end it in .npy, .npz or .csv")
    if arguments.batch_size < 1:
        raise CommandError(f"--batch-size must be positive, received {arguments.batch_size}")
    with files.one_line():
        model = files.load(arguments.file, arguments.weights, False, arguments.trust)
        data = _fit_to(model, _read(arguments.input))
        result = model.predict(data, batch_size=arguments.batch_size, verbose=0)
        rows = _write(output, _named_outputs(model, result))
    if output != "-":
        print(f"{output}: {rows} rows")
    return 0


def _read(path: str) -> Any:
    """An array, or a dict of arrays."""
    import numpy as np

    from minikeras.cli import CommandError

    lower = path.lower()
    if not os.path.exists(path):
        raise CommandError(f"there is no file {path!r}")
    if lower.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    if lower.endswith(".npz"):
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    if lower.endswith(".csv"):
        return _read_csv(path)
    raise CommandError(f"cannot tell the format of {path!r}: it must end in .npy, .npz or .csv")


def _read_csv(path: str) -> Any:
    import csv

    import numpy as np

    from minikeras.cli import CommandError

    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and not all(map(_is_number, rows[0])):
        rows = rows[1:]
    if not rows:
        raise CommandError(f"{path!r} has no rows")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise CommandError(f"{path!r}: row {number} has {len(row)} fields instead of {width}")
        bad = next((field for field in row if not _is_number(field)), None)
        if bad is not None:
            raise CommandError(f"{path!r}: row {number} has {bad!r} where a number is expected")
    return np.array(rows, "float32")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _fit_to(model: Any, data: Any) -> Any:
    """The data in the structure and shape of the model's inputs."""
    from minikeras.cli import CommandError

    inputs = getattr(model, "inputs", None) or []
    if isinstance(data, dict):
        names = [getattr(one, "name", None) for one in inputs]
        if len(data) == 1 and len(inputs) <= 1:
            data = next(iter(data.values()))
        elif set(names) == set(data):
            return [data[name] for name in names]  # type: ignore[index]
        elif len(inputs) == len(data):
            return list(data.values())
        else:
            raise CommandError(
                f"the model has {len(inputs)} inputs {names}, the data {len(data)} arrays"
                f" {sorted(data)}"
            )
    elif len(inputs) > 1:
        raise CommandError(
            f"the model has {len(inputs)} inputs, {[one.name for one in inputs]}: pass an .npz"
        )
    if len(inputs) == 1:
        wanted = tuple(inputs[0].shape[1:])
        if data.ndim == 2 and len(wanted) != 1 and None not in wanted:
            size = 1
            for axis in wanted:
                size *= axis
            if size == data.shape[1]:
                # A row of a CSV is a flattened image or sequence.
                data = data.reshape(len(data), *wanted)
    return data


def _named_outputs(model: Any, result: Any) -> dict:
    if isinstance(result, dict):
        return dict(result)
    if not isinstance(result, (list, tuple)):
        return {"predictions": result}
    names = list(getattr(model, "output_names", None) or [])
    if len(set(names)) != len(result):
        names = [f"output_{index}" for index in range(len(result))]
    return dict(zip(names, result))


def _write(path: str, outputs: dict) -> int:
    import sys

    import numpy as np

    from minikeras.cli import CommandError
    from minikeras.saving.window import atomic_path

    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    first = next(iter(arrays.values()))
    if path.lower().endswith(".npz"):
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        return len(first)
    if len(arrays) > 1:
        raise CommandError(f"the model has {len(arrays)} outputs {list(arrays)}: write an .npz")
    if path.lower().endswith(".npy"):
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.save(file, first)
        return len(first)
    flat = first.reshape(len(first), -1)
    digits = "%.17g" if flat.dtype == np.float64 else "%.9g"
    if path == "-":
        np.savetxt(sys.stdout, flat, fmt=digits, delimiter=",")
    else:
        with atomic_path(path) as temporary:
            np.savetxt(temporary, flat, fmt=digits, delimiter=",")
    return len(first)


def register_diff(subparsers: Any) -> None:
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
    parser.set_defaults(run=run_diff)


def run_diff(arguments: argparse.Namespace) -> int:
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
