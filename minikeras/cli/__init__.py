"""The command line: `python -m minikeras COMMAND`.

Each command has two functions in a module here. `register(subparsers)` adds its parser and says
`parser.set_defaults(run=run)`; `run(arguments)` does the work and returns the exit code (None is
0). Where a module has several commands, both names end in the command's. An error that is the
user's to mend is a `CommandError`: one line on stderr, no traceback. Modules import what they need
inside of `run`, so that `--help` answers at once.

>>> from minikeras.cli import main
>>> main(["--version"])
minikeras 0.1.0
0
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["COMMANDS", "CommandError", "main"]

# Where each command is registered, in the order of `--help`.
COMMANDS = {
    "run": "run.register_run",
    "check": "run.register_check",
    "info": "files.register",
    "convert": "file_commands.register_convert",
    "predict": "file_commands.register_predict",
    "diff": "file_commands.register_diff",
}


class CommandError(Exception):
    """An error of which the user wants one line.

    Args:
        message: What was wrong, what was received, what to do.
        code: The exit code, default 2 (as for wrong arguments).
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minikeras",
        description="Keras on NumPy: run Keras scripts, check them, look into model files.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for home in COMMANDS.values():
        module, _, function = home.partition(".")
        getattr(import_module(f"{__name__}.{module}"), function)(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments after `python -m minikeras`. Defaults to those of the process.

    Returns:
        The exit code: 0, or 1 where the answer is no, or 2 where the question was wrong.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from minikeras import __version__

        print(f"minikeras {__version__}")
        return 0
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return int(arguments.run(arguments) or 0)
    except CommandError as error:
        text = " ".join(str(error).split())
        print(f"minikeras {arguments.command}: error: {text}", file=sys.stderr)
        return error.code
