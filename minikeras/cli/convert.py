"""`python -m minikeras convert`: a model file of any Keras as one of another format."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

_TARGETS = (".keras", ".weights.h5", ".h5", ".hdf5", ".npz", ".json")


def register(subparsers: Any) -> None:
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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
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
