"""How much memory the weights of a model from a file may take.

The sizes in a configuration are claims of whoever wrote it. While a model is being made from a
file, variables are charged to a budget before they are allocated.
"""

from __future__ import annotations

import math
import threading
from typing import Any

_local = threading.local()


class Budget:
    """`with Budget(limit):` bounds the bytes of all variables that are made inside.

    Args:
        limit: Bytes, or None for no bound. An outer budget that is tighter stays in force.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit, self.spent = limit, 0

    def __enter__(self) -> Budget:
        self.previous = getattr(_local, "budget", None)
        if self.limit is not None:
            _local.budget = self
        return self

    def __exit__(self, *_: Any) -> None:
        _local.budget = self.previous


def charge(shape: Any, itemsize: int, what: str) -> None:
    """Account for one variable.

    Raises:
        ValueError: if it is more than the file can justify.
    """
    budget = getattr(_local, "budget", None)
    if budget is None:
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
