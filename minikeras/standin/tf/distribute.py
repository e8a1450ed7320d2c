"""`tf.distribute`: strategies of one replica."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from minikeras import ops as _ops

ops: Any = _ops
__all__ = ["MirroredStrategy", "OneDeviceStrategy", "ReduceOp", "Strategy", "get_strategy"]


class ReduceOp:
    """How to combine what replicas computed."""

    SUM = "SUM"
    MEAN = "MEAN"


class Strategy:
    """Everything on the one CPU: results are those without a strategy.

    Example:

    >>> from minikeras.standin.tf.distribute import MirroredStrategy
    >>> strategy = MirroredStrategy()
    >>> with strategy.scope():
    ...     strategy.num_replicas_in_sync
    1
    """

    num_replicas_in_sync = 1

    def __init__(self, *_: Any, **__: Any) -> None:
        """Devices do not matter."""

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block for making models."""
        yield self

    def run(self, fn: Callable, args: Any = (), kwargs: Any = None, options: Any = None) -> Any:
        """Calls the function."""
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        """The value, summed or averaged along an axis if one is given."""
        if axis is None:
            return value
        mean = str(reduce_op).upper().endswith("MEAN")
        return ops.mean(value, axis) if mean else ops.sum(value, axis)

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set."""
        return dataset

    def experimental_local_results(self, value: Any) -> tuple:
        """The value, in a tuple."""
        return (value,)


class MirroredStrategy(Strategy):
    """One replica."""


class OneDeviceStrategy(Strategy):
    """One replica."""


_default = Strategy()


def get_strategy() -> Strategy:
    """The strategy of one replica."""
    return _default
