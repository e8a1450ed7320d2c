"""Learning rates by epoch: from a schedule, or lowered when a metric stands still."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback, MonitorCallback
from minikeras.utils.io_utils import print_msg


def named_optimizers(optimizer: Any) -> list[tuple[str, Any]]:
    """The optimizers within a `MultiOptimizer` with their names, or the one there is under ''."""
    if hasattr(optimizer, "optimizers"):
        return [(inner.name, inner) for inner in optimizer.optimizers]
    return [("", optimizer)]


def learning_rate_of(optimizer: Any) -> float:
    """The learning rate of the moment."""
    return float(np.asarray(optimizer.learning_rate))


def log_learning_rates(optimizer: Any, logs: dict) -> None:
    """Puts `learning_rate` into the logs (one entry an optimizer, where there are several)."""
    for name, inner in named_optimizers(optimizer):
        logs["learning_rate" + (f"_{name}" if name else "")] = learning_rate_of(inner)


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of every epoch.

    Args:
        schedule: Function of the epoch (counted from 0) and the learning rate of the moment that
            returns the new one, a float. It may take the epoch alone.
        verbose: 1 says what it sets. Defaults to 0.

    Raises:
        ValueError: The schedule returned no float.

    Example:

    >>> import minikeras
    >>> def schedule(epoch, learning_rate):
    ...     return learning_rate if epoch < 10 else learning_rate * 0.9
    >>> scheduler = minikeras.callbacks.LearningRateScheduler(schedule)
    """

    def __init__(self, schedule: Callable, verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for name, optimizer in named_optimizers(self.model.optimizer):
            if not hasattr(optimizer, "learning_rate"):
                raise ValueError(
                    'Optimizer must have a "learning_rate" attribute. '
                    f"Received: {type(optimizer).__name__}"
                )
            value = self._scheduled(epoch, learning_rate_of(optimizer))
            optimizer.learning_rate = value
            if self.verbose > 0:
                whose = f"{name} learning rate" if name else "learning rate"
                print_msg(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {whose} to {value}.")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        log_learning_rates(self.model.optimizer, logs if logs is not None else {})

    def _scheduled(self, epoch: int, learning_rate: float) -> Any:
        two = _takes_two(self.schedule)
        value = self.schedule(epoch, learning_rate) if two else self.schedule(epoch)
        if getattr(value, "shape", None) == () and not isinstance(value, np.generic):
            value = np.asarray(value)[()]
        if not isinstance(value, (float, np.floating)):
            raise ValueError(
                "The output of the `schedule` function should be a float. "
                f"Received: {value!r} (of type {type(value).__name__}), at epoch {epoch}"
            )
        return value


def _takes_two(function: Callable) -> bool:
    """Whether `function(epoch, learning_rate)` is a possible call."""
    try:
        inspect.signature(function).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when a metric has stopped improving.

    Args:
        monitor: The metric, in either spelling. Defaults to `"val_loss"`.
        factor: What the learning rate is multiplied by, less than 1. Defaults to 0.1.
        patience: Epochs without improvement after which it is lowered. Defaults to 10.
        verbose: 1 says when. Defaults to 0.
        mode: `"min"`, `"max"` or `"auto"` (default): as the metric itself says.
        min_delta: A change of less is no improvement. Defaults to 1e-4.
        cooldown: Epochs after a reduction in which none is counted. Defaults to 0.
        min_lr: The learning rate is never set below. Defaults to 0.
        **kwargs: `epsilon`, the name of `min_delta` in Keras 1 and 2.

    Raises:
        ValueError: `factor` is 1 or more.

    Example:

    >>> import minikeras
    >>> reduce = minikeras.callbacks.ReduceLROnPlateau(factor=0.2, patience=5, min_lr=0.001)
    """

    _state_attributes = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if "epsilon" in kwargs:
            warnings.warn(
                "The argument `epsilon` of ReduceLROnPlateau is now called `min_delta`.",
                DeprecationWarning,
                stacklevel=2,
            )
            min_delta = kwargs.pop("epsilon")
        if kwargs:
            raise TypeError(
                f"ReduceLROnPlateau got unexpected arguments: {', '.join(sorted(kwargs))}"
            )
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}"
            )
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.monitor_op is None:  # only now are all metrics built
            self._set_monitor_op()
        logs = logs if logs is not None else {}
        log_learning_rates(self.model.optimizer, logs)
        current = self._monitored(logs)
        if current is None:
            warnings.warn(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not "
                f"available. Available metrics are: {','.join(logs)}.",
                stacklevel=2,
            )
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction is too recent to count epochs again."""
        return self.cooldown_counter > 0

    def _reduce(self, epoch: int) -> bool:
        reduced = False
        for name, optimizer in named_optimizers(self.model.optimizer):
            old = learning_rate_of(optimizer)
            if old <= np.float32(self.min_lr):
                continue
            new = max(old * self.factor, self.min_lr)
            optimizer.learning_rate = new
            reduced = True
            if self.verbose > 0:
                whose = f" {name}" if name else ""
                print_msg(
                    f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing{whose} learning rate to "
                    f"{new}."
                )
        return reduced
