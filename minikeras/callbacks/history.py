"""What happened in each epoch."""

from __future__ import annotations

from typing import Any

from minikeras.callbacks.callback import Callback, resolve_monitor_name


class HistoryDict(dict):
    """Metric name -> values, an epoch each.

    A metric also answers to its other spelling: with `metrics=["accuracy"]` compiled,
    `history["acc"]` and `history["val_acc"]` work. The keys are those that were compiled.
    """

    def __missing__(self, name: Any) -> Any:
        resolved = resolve_monitor_name(name, self)
        if resolved not in self:
            raise KeyError(name)
        return self[resolved]

    def get(self, name: Any, default: Any = None) -> Any:
        """The values of a metric, under any spelling, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default


class History(Callback):
    """Keeps the metrics of every epoch. `fit` adds one by itself and returns it.

    Attributes:
        history: Dict from metric name to the list of its values. Metrics answer to both spellings:
            `"acc"` and `"accuracy"`, `"mae"` and `"mean_absolute_error"`...
        epoch: The numbers of the epochs.

    Example:

    >>> import minikeras
    >>> history = minikeras.callbacks.History()
    >>> history.history["accuracy"] = [0.5, 0.75]
    >>> history.history["acc"]
    [0.5, 0.75]
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list] = HistoryDict()
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
