"""Saves the model, or its weights, as training goes on."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from minikeras.callbacks.callback import MonitorCallback
from minikeras.callbacks.history import HistoryDict
from minikeras.engine.spelling import runs_unedited, understands_old
from minikeras.utils.io_utils import print_msg


class BatchCounter:
    """Tells every how many batches something is due, over the bounds of epochs.

    Args:
        every: The number of batches, or `"epoch"`: then it is never due after a batch.
    """

    def __init__(self, every: Any, name: str = "save_freq") -> None:
        whole = isinstance(every, (int, np.integer)) and not isinstance(every, bool)
        if every != "epoch" and not (whole and every > 0):
            raise ValueError(
                f"Unrecognized {name}: {every!r}. Invalid value for argument `{name}`: expected "
                "'epoch' or a positive integer (a number of batches)."
            )
        self.every = every
        self.seen = 0  # since it was last due
        self.last: int | None = None

    def is_due(self, batch: int) -> bool:
        """Whether it is due after batch number `batch` of an epoch."""
        if self.every == "epoch":
            return False
        # With `steps_per_execution` not every batch is reported.
        new_epoch = self.last is None or batch <= self.last
        self.seen += batch + 1 if new_epoch else batch - (self.last or 0)
        self.last = batch
        if self.seen < self.every:
            return False
        self.seen = 0
        return True


class ModelCheckpoint(MonitorCallback):
    """Saves the model or its weights every epoch, every so many batches, or when it is best.

    Args:
        filepath: Where to. It may hold `{epoch}` (counted from 1), `{batch}` and names of metrics,
            such as `"{epoch:02d}-{val_loss:.2f}.keras"`. It ends in `.weights.h5` with
            `save_weights_only=True`, otherwise in `.keras` or `.h5`.
        monitor: The metric that says what is best, in either spelling. Defaults to `"val_loss"`.
        verbose: 1 says when it saves. Defaults to 0.
        save_best_only: Whether to save only when the metric has improved. Defaults to False.
        save_weights_only: Whether to save weights (`save_weights`) instead of the whole model.
            Defaults to False.
        mode: `"min"`, `"max"` or `"auto"` (default): as the metric itself says.
        save_freq: `"epoch"` (default), or a number of batches.
        initial_value_threshold: The best value there was before. Defaults to None. Pass it to
            continue an earlier run; `BackupAndRestore` does so by itself.

    Raises:
        ValueError: The file's ending, or `save_freq`, is none of those.

    Example:

    >>> import minikeras
    >>> save = minikeras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
    """

    _state_attributes = ("best",)
    period = 1
    _epochs_since = 0

    @understands_old
    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.verbose = verbose
        self.filepath = os.fspath(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._counter = BatchCounter(save_freq)
        self._current_epoch = 0
        endings = (".h5", ".hdf5") if save_weights_only else (".keras", ".h5", ".hdf5")
        if not self.filepath.endswith(endings) and not runs_unedited():
            what = "using `save_weights_only=True`" if save_weights_only else "saving whole models"
            raise ValueError(
                f"When {what} in `ModelCheckpoint`, the filepath provided must end in "
                f"{' or '.join(f'`{ending}`' for ending in endings)}. "
                f"Received: filepath={self.filepath}"
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._current_epoch = epoch

    def _is_idle(self, event: str) -> bool:
        return self.save_freq == "epoch"

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._counter.is_due(batch):
            self._save_model(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._epochs_since += 1
        if self.save_freq == "epoch" and self._epochs_since >= self.period:
            self._epochs_since = 0
            self._save_model(epoch, None, logs)

    def _is_due(self, epoch: int, logs: dict, filepath: str) -> bool:
        """Whether to save, as the metric says; with a message where messages are wanted."""
        if not self.save_best_only:
            self._say(epoch, f"saving model to {filepath}")
            return True
        current = self._monitored(logs)
        if current is None:
            warnings.warn(
                f"Can save best model only with {self.monitor} available. Available metrics are: "
                f"{','.join(logs)}",
                stacklevel=4,
            )
            return True
        if np.ndim(current):
            warnings.warn(
                "Can save best model only when `monitor` is a scalar value. "
                f"Received: {current}. Falling back to `save_best_only=False`.",
                stacklevel=4,
            )
            return True
        if self.monitor_op is None:  # only now are all metrics built
            self._set_monitor_op()
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._say(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._say(
            epoch,
            f"{self.monitor} improved from {best} to {current:.5f}, saving model to {filepath}",
        )
        self.best = current
        return True

    def _say(self, epoch: int, message: str) -> None:
        if self.verbose > 0:
            print_msg(f"\nEpoch {epoch + 1}: {message}")

    def _save_model(self, epoch: int, batch: int | None, logs: dict | None) -> None:
        logs = logs or {}
        filepath = self._file_path(epoch, batch, logs)
        if not self._is_due(epoch, logs, filepath):
            return
        if os.path.isdir(filepath):
            raise OSError(
                "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an "
                f"existing directory: {filepath}"
            )
        directory = os.path.dirname(filepath)
        if directory:
            os.makedirs(directory, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(filepath, overwrite=True)
        else:
            self.model.save(filepath, overwrite=True)
        self._say(epoch, f"finished saving model to {filepath}")

    def _file_path(self, epoch: int, batch: int | None, logs: dict) -> str:
        names = HistoryDict(logs)
        names["epoch"] = epoch + 1
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format_map(names)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". There is no {error} '
                f"among: {', '.join(names)}"
            ) from None
