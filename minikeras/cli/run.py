"""`python -m minikeras run`: a Keras script or notebook, unedited, on minikeras."""

from __future__ import annotations

import argparse
from typing import Any


def register(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "run",
        help="run a Keras script or notebook unedited",
        description="Runs a script or notebook in which `keras` and `tensorflow` mean minikeras.",
    )
    parser.add_argument("script", help="a .py or .ipynb file")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="arguments of the script (its sys.argv[1:])"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs it; returns its exit code."""
    raise NotImplementedError
