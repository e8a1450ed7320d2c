"""Automatic names (`dense`, `dense_1`, ...) and the name scopes that make variable paths."""

from __future__ import annotations

import re
import threading
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


class name_scope:
    """Prefix the paths of variables created inside a `with` block.

    Args:
        name: Name of the scope.
        caller: What opens the scope. Defaults to None.
        deduplicate: Boolean, default True. Whether a scope that the innermost scope's caller opens
            again under the same name adds nothing.
        override_parent: Path to put in the place of the scopes outside. Defaults to None.

    Raises:
        ValueError: if `name` is not a string, or has a `/`.

    Example:

    >>> import minikeras
    >>> with minikeras.name_scope("outer"):
    ...     print(minikeras.Variable(1.0, name="step").path)
    outer/step
    """

    def __init__(
        self,
        name: str,
        caller: Any = None,
        deduplicate: bool = True,
        override_parent: str | None = None,
    ) -> None:
        # Layers of old files may have such names.
        if not isinstance(name, str) or ("/" in name and caller is None):
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. Received:"
                f" name={name!r}"
            )
        self.name, self.caller = name, caller
        self.deduplicate, self.override_parent = deduplicate, override_parent
        self._entered: list[bool] = []

    def __enter__(self) -> name_scope:
        scopes = _scopes()
        again = (
            self.deduplicate
            and self.caller is not None
            and bool(scopes)
            and scopes[-1].caller is self.caller
            and scopes[-1].name == self.name
        )
        self._entered.append(not again)
        if not again:
            scopes.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._entered.pop():
            _scopes().pop()


def current_path() -> str:
    """The names of the open scopes, joined by `/`."""
    parts: list[str] = []
    for scope in _scopes():
        if scope.override_parent is not None:
            parts = [part for part in scope.override_parent.split("/") if part]
        parts.append(scope.name)
    return "/".join(parts)
