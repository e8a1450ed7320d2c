"""How much memory the weights of a model from a file may take.

The sizes in a configuration are claims of whoever wrote it. While a model is being made from a
file, variables are charged to a budget before they are allocated, and large ones wait with their
values until these are read from the file, or needed.
"""

from __future__ import annotations

import math
import threading
from typing import Any

from minikeras.engine import tree
from minikeras.engine.symbolic import KerasTensor

_local = threading.local()
# Values of variables that are no larger are made at once.
_LARGE = 2**14
_TRUST = (
    ", far more than belongs to a model of this kind. If you trust its source, pass"
    " `safe_mode=False`, or call `minikeras.config.enable_unsafe_deserialization()` first."
)


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
            f" shape {tuple(shape)}){_TRUST}"
        )


# An operation of a model from a file is tried on no more values, and makes no more of them.
_VALUES = 2**26


def assert_small(operation: Any, args: Any, kwargs: Any, tried: bool = False) -> None:
    """See that an operation of a model from a file may run to show the shape of its output.

    Args:
        tried: Whether running it is the only way to know.

    Raises:
        ValueError: if it could fill memory.
    """
    budget = getattr(_local, "budget", None)
    if budget is None or budget.limit is None:
        return
    tensors = [one for one in tree.flatten([args, kwargs]) if hasattr(one, "shape")]
    sizes = [math.prod(2 if size is None else size for size in one.shape) for one in tensors]
    total, fields = sum(sizes), getattr(operation, "fields", None)
    kind = type(operation)
    if kind.__module__.endswith("decompositions"):
        total *= 2**8  # what they take is time
    if tried:
        numbers = tree.flatten([getattr(operation, key) for key in fields or ()])
        large = [abs(one) for one in numbers if isinstance(one, int) and abs(one) > 64]
        # The parts of a composite are looked at one by one.
        parts = "call" in vars(kind)
        total *= max(large, default=1) if parts else math.prod(large)
        if kind.__name__ in ("Diag", "Meshgrid"):
            total = max(total**2 if len(sizes) == 1 else 0, math.prod(sizes))
        elif fields is None:
            axes = zip(*([1] * (64 - len(one.shape)) + [*one.shape] for one in tensors))
            total = max(total, math.prod(max(size or 2 for size in axis) for axis in axes))
    elif fields is not None:
        args, kwargs = tree.map_structure(_spec, (args, kwargs))
        outputs = tree.flatten(operation.compute_output_spec(*args, **kwargs))
        total += sum(math.prod(size or 2 for size in one.shape) for one in outputs)
    if total > _VALUES:
        raise ValueError(
            f"{type(operation).__name__} would make {total:,} values to find out the shape of its"
            f" output{_TRUST}"
        )


def _spec(value: Any) -> Any:
    return KerasTensor(value.shape, value.dtype) if hasattr(value, "shape") else value
