"""`python -m minikeras check`: what of a script is spelled otherwise today, or is not there."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minikeras.cli import CommandError


def register(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "check",
        help="list old spellings and missing things in a script or notebook",
        description=(
            "Reads a script or notebook, runs nothing of it, and lists by line each spelling of an"
            " older Keras with today's, and each thing that minikeras does not have. What objects"
            " of unknown kind are asked for is judged by its name. Exit code 0 when all of it"
            " exists, 1 when something is missing."
        ),
    )
    parser.add_argument("script", nargs="+", help=".py or .ipynb files")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; returns 1 if something is missing."""
    from minikeras.standin import install_as_keras

    try:
        installation = install_as_keras()
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    missing = 0
    with installation:
        for name in arguments.script:
            missing += _report(Path(name))
    return 1 if missing else 0


def _report(path: Path) -> int:
    """Prints what there is to say of a file; returns how much is missing."""
    from minikeras.cli.report import findings

    if not path.is_file():
        raise CommandError(f"there is no file {path}. Pass .py or .ipynb files.")
    counts = {"old": 0, "missing": 0}
    for where, source in _sources(path):
        try:
            for one in findings(source, where):
                counts[one.kind] += 1
                sign = " -> " if one.kind == "old" else ". "
                print(f"{where}:{one.line}: {one.kind}: {one.what}{sign}{one.instead}".rstrip())
        except SyntaxError as error:
            text = f"{where}:{error.lineno}: not Python 3: {error.msg}"
            raise CommandError(text, 1) from None
    print(
        f"{path}: {counts['old']} old spelling{'s' * (counts['old'] != 1)}, which minikeras"
        f" understands; {counts['missing']} thing{'s' * (counts['missing'] != 1)} missing"
    )
    return counts["missing"]


def _sources(path: Path) -> Iterator[tuple[str, str]]:
    """The Python of a file, with a name for it; a notebook's as one, since cells share names."""
    import tokenize

    if path.suffix != ".ipynb":
        try:
            with tokenize.open(path) as file:
                yield str(path), file.read()
        except (UnicodeDecodeError, SyntaxError) as error:
            raise CommandError(f"{path} is not a Python script: {error}") from None
        return
    from minikeras.cli.notebook import read_notebook

    text, bounds = "", []
    for cell in read_notebook(path):
        bounds.append(text.count("\n"))
        text += cell.source + "\n"
    yield str(path), text
