"""The spellings of Keras 1 and 2, understood in code and in saved files.

Tables translate them into today's; nothing here is imported until an old spelling is met. Each
spelling warns once, with today's in its text:

>>> import warnings
>>> import minikeras
>>> from minikeras import dialects
>>> dialects.silence()
>>> minikeras.layers.Dense(output_dim=3, init="zeros").units
3
>>> dialects.silence(False)
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

__all__ = ["KerasDeprecationWarning", "silence", "warn_once"]


class KerasDeprecationWarning(DeprecationWarning):
    """A spelling of Keras 1 or 2 was understood; the text names today's."""


_warned: set[str] = set()
_silent = False


def silence(silent: bool = True) -> None:
    """Says whether old spellings are understood without a word.

    Args:
        silent: Boolean, default True. False: each one warns once, from now on.
    """
    global _silent
    _silent = bool(silent)
    _warned.clear()


def warn_once(old: str, new: str) -> None:
    """Warns, the first time that `old` is met, that it is spelled `new` today.

    Args:
        old: The spelling that was understood.
        new: Today's spelling, or what to do instead.
    """
    tell_once(old, f"`{old}` is the spelling of an older Keras. Today: `{new}`.")


def tell_once(key: str, text: str) -> None:
    """Warns of a spelling of an older Keras with a text of its own, the first time.

    Args:
        key: What is remembered.
        text: The text.
    """
    if _silent or key in _warned:
        return
    _warned.add(key)
    depth, frame = 1, sys._getframe(1)
    skipped = ("minikeras", "importlib", "functools")
    while frame.f_back and str(frame.f_globals.get("__name__", "")).startswith(skipped):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, KerasDeprecationWarning, stacklevel=depth + 1)


def translate_construction(cls: type, args: tuple, kwargs: dict, ordered: bool = False) -> Any:
    """An instance of `cls` from arguments in an old spelling; None if they are in none."""
    from minikeras.dialects import constructors

    return constructors.construct(cls, args, kwargs, ordered)


def translate_call(function: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict, Any]:
    """The arguments of a function or method, in today's spelling; and what to do with the result.

    The last is a function, or None.
    """
    from minikeras.dialects import calls

    return calls.translate(function, args, kwargs)
