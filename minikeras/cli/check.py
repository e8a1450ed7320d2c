"""`python -m minikeras check`: what of a script is spelled otherwise today, or is not there."""

from __future__ import annotations

import argparse
from bisect import bisect_right
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
    source, cells = _read(path)

    def place(line: int) -> str:
        number = bisect_right(cells, line - 1)
        return f"{path}[{number}]:{line - cells[number - 1]}" if cells else f"{path}:{line}"

    try:
        for one in findings(source, str(path)):
            counts[one.kind] += 1
            sign = " -> " if one.kind == "old" else ". "
            print(f"{place(one.line)}: {one.kind}: {one.what}{sign}{one.instead}".rstrip())
    except SyntaxError as error:
        where = place(error.lineno or 1)
        raise CommandError(f"{where}: not Python 3: {error.msg}", 1) from None
    print(
        f"{path}: {counts['old']} old spelling{'s' * (counts['old'] != 1)}, which minikeras"
        f" understands; {counts['missing']} thing{'s' * (counts['missing'] != 1)} missing"
    )
    return counts["missing"]


def _read(path: Path) -> tuple[str, list[int]]:
    """The Python of a file; of a notebook, all cells as one, and how many lines are before each."""
    import tokenize

    if path.suffix == ".ipynb":
        from minikeras.cli.run import read_notebook

        text, before = "", []
        for cell in read_notebook(path):
            before.append(text.count("\n"))
            text += cell.source + "\n"
        return text, before
    try:
        with tokenize.open(path) as file:
            return file.read(), []
    except (UnicodeDecodeError, SyntaxError) as error:
        raise CommandError(f"{path} is not a Python script: {error}") from None
