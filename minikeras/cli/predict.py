"""`python -m minikeras predict`: the predictions of a model in a file for data in a file."""

from __future__ import annotations

import argparse
import os
from typing import Any


def register(subparsers: Any) -> None:
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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
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
