"""How much memory the weights of a model from a file may take.

The sizes in a configuration are claims of whoever wrote it. While a model is being made from a
file, variables are charged to a budget before they are allocated, and large ones wait with their
values until these are read from the file, or needed.
"""

from __future__ import annotations

import math
import threading
from typing import Any

_local = threading.local()
# Values of variables that are no larger are made at once.
_LARGE = 2**14


class Budget:
    """`with Budget(limit):` bounds the bytes of all variables that are made inside.

    Args:
        limit: Bytes, or None for no bound. An outer budget stays in force.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit, self.spent = limit, 0

    def __enter__(self) -> Budget:
        self.previous = getattr(_local, "budget", None)
        if self.previous is None:
            _local.budget = self
        return self

    def __exit__(self, *_: Any) -> None:
        _local.budget = self.previous


def repeatable(call: Any) -> Any:
    """Mark the `__call__` of an initializer whose values depend on its arguments and seed alone."""
    call.repeatable = True
    return call


def may_wait(initializer: Any, shape: tuple, dtype: str) -> bool:
    """Whether a variable is large, part of a model from a file, and worth no value yet."""
    return (
        getattr(_local, "budget", None) is not None
        and getattr(type(initializer).__call__, "repeatable", False)
        and isinstance(getattr(initializer, "seed", 0), int)
        and "float" in dtype
        and math.prod(shape) > _LARGE
    )


def charge(shape: Any, itemsize: int, what: str) -> None:
    """Account for one variable.

    Raises:
        ValueError: if it is more than the file can justify.
    """
    budget = getattr(_local, "budget", None)
    if budget is None or budget.limit is None:
        return
    budget.spent += math.prod(int(size) for size in shape) * itemsize
    if budget.spent > budget.limit:
        raise ValueError(
            f"The configuration asks for weights of more than {budget.limit:,} bytes (at {what!r},"
            " of"
            f" shape {tuple(shape)}), far more than belongs to a model of this kind. If you trust"
            " its source, pass `safe_mode=False`, or call"
            " `minikeras.config.enable_unsafe_deserialization()` first."
        )
