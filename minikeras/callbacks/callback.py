"""The base class of callbacks, and of those that watch a metric."""

from __future__ import annotations

import warnings
from collections.abc import Container
from typing import Any

import numpy as np


class Callback:
    """Base class of what is called at the events of `fit`, `evaluate` and `predict`.

    Override the methods for the events of interest. `logs` is a dict of metric values, which later
    callbacks see too. Batch events cost nothing unless some callback overrides them.

    Attributes:
        params: Dict with `verbose`, `epochs` and `steps` of the run.
        model: The model that runs.

    Example:

    >>> import minikeras
    >>> class PrintLoss(minikeras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> PrintLoss().on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    params: dict | None = None
    _model: Any = None

    def __init__(self) -> None:
        self.params = None
        self._model = None

    def set_params(self, params: dict) -> None:
        """Takes the parameters of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Takes the model that runs."""
        self._model = model

    def _is_idle(self, event: str) -> bool:
        """Whether nothing is to be done at a batch event, although there is a method for it."""
        return False

    @property
    def model(self) -> Any:
        """The model that runs."""
        return self._model

    def on_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Called at the start of an epoch of `fit`, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Called at the end of an epoch of `fit`.

        Args:
            epoch: Which one, counted from 0.
            logs: Metrics of the epoch, and of its validation under names that begin with `val_`.
        """

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of `fit`, counted from 0 in its epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of `fit`; `logs` holds the metrics of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of `evaluate`, or of the validation in `fit`."""

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of `evaluate`, or of the validation in `fit`."""

    def on_predict_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after a batch of `predict`; `logs["outputs"]` holds what it gave."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Called at the start of `fit`."""

    def on_train_end(self, logs: dict | None = None) -> None:
        """Called at the end of `fit`, with the logs of its last epoch."""

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Called at the start of `evaluate`, or of the validation in `fit`."""

    def on_test_end(self, logs: dict | None = None) -> None:
        """Called at the end of `evaluate`, or of the validation in `fit`."""

    def on_predict_begin(self, logs: dict | None = None) -> None:
        """Called at the start of `predict`."""

    def on_predict_end(self, logs: dict | None = None) -> None:
        """Called at the end of `predict`."""


# Spellings of one metric, which older and newer Keras log it under.
_SPELLINGS = (
    ("accuracy", "acc"),
    ("mean_squared_error", "mse", "MSE"),
    ("mean_absolute_error", "mae", "MAE"),
    ("mean_absolute_percentage_error", "mape", "MAPE"),
    ("mean_squared_logarithmic_error", "msle", "MSLE"),
    ("kl_divergence", "kullback_leibler_divergence", "kld", "KLD"),
    ("cosine_similarity", "cosine_proximity", "cosine"),
    ("logcosh", "log_cosh"),
    ("bce", "BCE", "binary_crossentropy"),
    ("learning_rate", "lr"),
)


def resolve_monitor_name(name: str, logs: Container) -> str:
    """The name under which `logs` has the metric that is called `name`.

    That is `name` itself if it is there, or else the same metric in another spelling (`acc` and
    `accuracy`, `mae` and `mean_absolute_error`), also behind `val_` or the name of an output. If
    there is none, it is `name`.

    Example:

    >>> from minikeras.callbacks.callback import resolve_monitor_name
    >>> resolve_monitor_name("val_acc", {"loss": 0.5, "val_accuracy": 0.75})
    'val_accuracy'
    """
    if not isinstance(name, str) or name in logs:
        return name
    for spellings in _SPELLINGS:
        for spelling in sorted(spellings, key=len, reverse=True):
            if name != spelling and not name.endswith("_" + spelling):
                continue
            stem = name[: len(name) - len(spelling)]
            for other in spellings:
                if stem + other in logs:
                    return stem + other
    return name


class MonitorCallback(Callback):
    """Base class of callbacks that watch one metric for improvement.

    Args:
        monitor: Name of the metric in the logs, in either spelling (`"val_acc"` finds
            `"val_accuracy"`). Defaults to `"val_loss"`.
        mode: `"min"`: less is better; `"max"`: more is better; `"auto"` (default): as the metric
            itself says.
        baseline: The best value so far. Defaults to None: the first value is the best.
        min_delta: A change of less is no improvement. Defaults to 0.

    Raises:
        ValueError: In mode `"auto"`, when the metric does not say which way is better.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode. Expected "
                "one of 'auto', 'min', 'max'.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Any = None

    def _set_monitor_op(self) -> None:
        from minikeras import ops

        mode = self.mode if self.mode != "auto" else self._better_way()
        if mode is None:
            raise ValueError(
                f"{type(self).__name__} callback received monitor={self.monitor}, but it is not "
                "known whether that metric should be maximized or minimized. Pass `mode='max'` if "
                "higher values are better, or `mode='min'` if lower ones are."
            )
        if self.monitor_op is None and mode == "min":
            self.min_delta *= -1
        self.monitor_op = getattr(ops, "less" if mode == "min" else "greater")

    def _better_way(self) -> str | None:
        """`"min"` or `"max"`, as the metric that is monitored says; `None` if none does."""
        name = self.monitor.removeprefix("val_")
        ways = {"loss": "min"}
        for metric in _all_metrics(getattr(self.model, "metrics", None) or ()):
            direction = getattr(metric, "_direction", None)
            if direction in ("up", "down"):
                ways[metric.name] = "max" if direction == "up" else "min"
        return ways.get(resolve_monitor_name(name, ways))

    def _is_improvement(self, value: Any, reference: float | None) -> bool:
        # After a value that is no number, any that is one is better.
        if reference is None or np.isnan(reference).any():
            return True
        return bool(self.monitor_op(value - self.min_delta, reference))

    def _monitored(self, logs: dict | None) -> Any:
        """The value of the metric in the logs, or `None`."""
        logs = logs or {}
        return logs.get(resolve_monitor_name(self.monitor, logs))


def _all_metrics(metrics: Any) -> list:
    found = []
    for metric in metrics:
        found.append(metric)
        parts = getattr(metric, "metrics", None)
        if isinstance(parts, (list, tuple)):
            found += _all_metrics(parts)
    return found
