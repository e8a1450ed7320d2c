"""Automatic names (`dense`, `dense_1`, ...) and the name scopes that make variable paths."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_counts: dict[str, int] = {}
_local = threading.local()


def to_snake_case(name: str) -> str:
    """`BatchNormalization` -> `batch_normalization`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def uniquify(name: str) -> str:
    """`name` the first time, then `name_1`, `name_2`, ..."""
    count = _counts.get(name)
    _counts[name] = 0 if count is None else count + 1
    return name if count is None else f"{name}_{count + 1}"


def auto_name(prefix: str) -> str:
    """A unique name from a class name or prefix."""
    return uniquify(to_snake_case(prefix))


def get_uid(prefix: str = "") -> int:
    """A number unique for `prefix`, starting at 1."""
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


_uids: dict[str, int] = {}


def reset_names() -> None:
    """Start all automatic names anew."""
    _counts.clear()
    _uids.clear()


def _scopes() -> list:
    try:
        return _local.scopes
    except AttributeError:
        _local.scopes = []
        return _local.scopes


@contextmanager
def name_scope(name: str, caller: Any = None) -> Iterator[None]:
    """Prefix the paths of variables created inside with `name`.

    A scope that is entered again by the caller that is already innermost adds nothing.
    """
    scopes = _scopes()
    if caller is not None and scopes and scopes[-1][1] is caller:
        yield
        return
    scopes.append((name, caller))
    try:
        yield
    finally:
        scopes.pop()


def current_path() -> str:
    """The names of the open scopes, joined by `/`."""
    return "/".join(name for name, _ in _scopes())
