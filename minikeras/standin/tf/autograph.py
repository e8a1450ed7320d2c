"""`tf.autograph`: functions run as they are written."""

from __future__ import annotations

from typing import Any

__all__ = ["do_not_convert", "set_loop_options", "set_verbosity"]


def do_not_convert(func: Any = None) -> Any:
    """`func` itself."""
    return (lambda one: one) if func is None else func


def set_verbosity(level: Any, alsologtostdout: bool = False) -> None:
    """Nothing."""


def set_loop_options(*_: Any, **__: Any) -> None:
    """Nothing."""
