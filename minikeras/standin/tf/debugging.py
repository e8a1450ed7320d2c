"""`tf.debugging`: assertions on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.ops.base import array_of
from minikeras.standin.tf import public
from minikeras.standin.tf.small import InvalidArgumentError


def _check(holds: Any, what: str, message: Any) -> None:
    if not np.all(holds):
        raise InvalidArgumentError(f"{message or ''} Condition not met: {what}.".strip())


def assert_equal(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """All are equal."""
    _check(array_of(x) == array_of(y), "x == y", message)


def assert_less(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """All are less."""
    _check(array_of(x) < array_of(y), "x < y", message)


def assert_greater(
    x: Any, y: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """All are greater."""
    _check(array_of(x) > array_of(y), "x > y", message)


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, message: Any = None, *_: Any, **__: Any
) -> None:
    """All are next to each other."""
    a, b = array_of(x), array_of(y)
    tolerance = 10 * np.finfo(np.result_type(a, b, np.float32)).eps
    rtol, atol = (tolerance if one is None else one for one in (rtol, atol))
    _check(np.abs(a - b) <= atol + rtol * np.abs(b), "x is near y", message)


def assert_positive(x: Any, message: Any = None, summarize: Any = None, name: Any = None) -> None:
    """All are above 0."""
    _check(array_of(x) > 0, "x > 0", message)


def assert_non_negative(
    x: Any, message: Any = None, summarize: Any = None, name: Any = None
) -> None:
    """None is below 0."""
    _check(array_of(x) >= 0, "x >= 0", message)


def assert_shapes(shapes: Any, *_: Any, **__: Any) -> None:
    """Each tensor has its shape; a name in a shape is one size everywhere."""
    known: dict[Any, int] = {}
    for tensor, shape in shapes.items() if isinstance(shapes, dict) else shapes:
        _check(len(tensor.shape) == len(shape), f"shape {tensor.shape} fits {shape}", None)
        for size, wanted in zip(tensor.shape, shape):
            wanted = known.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            _check(wanted in (None, size), f"shape {tensor.shape} fits {shape}", None)


def assert_rank(x: Any, rank: Any, message: Any = None, name: Any = None) -> None:
    """It has so many axes."""
    _check(len(x.shape) == int(rank), f"rank {len(x.shape)} == {rank}", message)


def check_numerics(tensor: Any, message: Any, name: Any = None) -> Any:
    """The tensor, if it is finite."""
    if not np.isfinite(array_of(tensor)).all():
        raise InvalidArgumentError(f"{message} : Tensor had NaN or Inf values.")
    return tensor


def set_log_device_placement(enabled: bool) -> None:
    """Nothing: there is one device."""


def disable_traceback_filtering() -> None:
    """Nothing: tracebacks are whole."""


enable_traceback_filtering = disable_traceback_filtering
__all__ = public(globals())
