"""`python -m minikeras check`: what of a script is spelled otherwise today, or is not there."""

from __future__ import annotations

import argparse
from typing import Any


def register(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "check",
        help="list old spellings and missing things in a script or notebook",
        description=(
            "Reads a script or notebook, runs nothing, and lists by line each spelling of an older"
            " Keras with today's and each thing that minikeras does not have. Exit code 0 when"
            " all of it exists, 1 otherwise."
        ),
    )
    parser.add_argument("script", nargs="+", help=".py or .ipynb files")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; returns 1 if something is missing."""
    raise NotImplementedError
