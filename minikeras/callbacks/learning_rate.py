"""Callbacks that change the course of training: learning rates, early stopping, averages."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback, MonitorCallback
from minikeras.utils.progbar import print_msg


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


class EarlyStopping(MonitorCallback):
    """Stops training when a metric has stopped improving.

    Args:
        monitor: The metric, in either spelling (`"val_acc"`, `"val_accuracy"`). Defaults to
            `"val_loss"`.
        min_delta: A change of less is no improvement. Defaults to 0.
        patience: Epochs without improvement after which training stops. Defaults to 0.
        verbose: 1 says when training stops. Defaults to 0.
        mode: `"min"`, `"max"` or `"auto"` (default): as the metric itself says.
        baseline: A value that has to be beaten too for patience to begin anew. Defaults to None.
        restore_best_weights: Whether the model ends with the weights of its best epoch. Defaults to
            False. If no epoch beats the baseline, the best one still counts.
        start_from_epoch: Epochs at the start that are not watched. Defaults to 0.

    Example:

    >>> import minikeras
    >>> stop = minikeras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    """

    _state_attributes = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.restore_best_weights = restore_best_weights
        self.best_weights: list | None = None
        self.start_from_epoch = start_from_epoch

    def on_train_begin(self, logs: dict | None = None) -> None:
        # One object may serve several calls of `fit`.
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.monitor_op is None:  # only now are all metrics built
            self._set_monitor_op()
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch

        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print_msg(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print_msg(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs: dict | None) -> Any:
        """The value of the metric in the logs; warns if it is not there."""
        value = self._monitored(logs)
        if value is None:
            warnings.warn(
                f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                stacklevel=2,
            )
        return value


class SwapEMAWeights(Callback):
    """Evaluates, predicts and saves with the moving average of the weights.

    The optimizer must have `use_ema=True`. Before `evaluate`, `predict` and the validation in `fit`
    the model's weights and their averages change places; afterwards they change back.

    Args:
        swap_on_epoch: Whether they also change places at the end of each epoch, so that callbacks
            after this one (such as `ModelCheckpoint`) save the averages. Defaults to False.

    Raises:
        ValueError: In use, if the optimizer has no averages.

    Example:

    >>> import minikeras
    >>> swap = minikeras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Each trainable variable with its average."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        several = hasattr(optimizer, "optimizers")
        inner = optimizer.optimizers if several else [optimizer]
        averaged = [one for one in inner if getattr(one, "use_ema", False)]
        if not averaged:
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer"
                f"{' (on at least one of them)' if several else ''}. Received: use_ema=False"
            )
        for one in averaged:
            averages = getattr(one, "_model_variables_moving_average", None)
            if averages is None:
                raise ValueError(
                    "SwapEMAWeights needs an optimizer that is built. Compile the model, and fit "
                    f"it first. Received: {type(one).__name__}, not built."
                )
            yield from zip(one._trainable_variables, averages)

    def _swap_variables(self) -> None:
        for variable, average in self._pairs():
            value = np.array(variable.numpy())
            variable.assign(average.numpy())
            average.assign(value)
        self._ema_weights_in_model = not self._ema_weights_in_model

    def _swap_in(self) -> None:
        if not self._ema_weights_in_model:
            self._swap_variables()

    def _swap_out(self) -> None:
        if self._ema_weights_in_model:
            self._swap_variables()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.swap_on_epoch:
            self._swap_out()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not self.swap_on_epoch:
            return
        self._swap_in()
        if self.params is not None and epoch == self.params["epochs"] - 1:
            # Training ends by assigning the averages to the weights: they must be found there.
            for variable, average in self._pairs():
                average.assign(variable.numpy())

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._swap_in()

    def on_test_end(self, logs: dict | None = None) -> None:
        self._swap_out()

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._swap_in()

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._swap_out()
