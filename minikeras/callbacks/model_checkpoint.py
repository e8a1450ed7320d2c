"""`ModelCheckpoint` and `BackupAndRestore`: what is left on disk while a model trains."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback, MonitorCallback
from minikeras.callbacks.callback_list import HistoryDict
from minikeras.engine.spelling import runs_unedited, understands_old
from minikeras.utils.progbar import print_msg


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


class BackupAndRestore(Callback):
    """Backs training up, so that after a crash the same `fit` goes on where it stopped.

    Every epoch (or so many batches) the weights, the state of the optimizer, the epoch, the state
    of shuffling, and what the other callbacks know (the best value of `ModelCheckpoint`, the
    patience of `EarlyStopping` and `ReduceLROnPlateau`) are written to `backup_dir`. The next `fit`
    with the same `backup_dir` begins with them, and ends as one would that was never interrupted.
    The model must be built before.

    Args:
        backup_dir: The directory, for this alone: it is deleted in the end.
        save_freq: `"epoch"` (default), or a number of batches. Training resumes at the start of an
            epoch in either case.
        double_checkpoint: Whether the backup before the last is kept too, to be used if the last
            one is damaged. Defaults to False.
        delete_checkpoint: Whether `backup_dir` is deleted when training has ended. Defaults to
            True.

    Raises:
        ValueError: `backup_dir` is empty, `save_freq` is none of those, or (in `fit`) the model is
            not built.

    Example:

    >>> import minikeras
    >>> backup = minikeras.callbacks.BackupAndRestore("backup")
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError(f"Empty `backup_dir` argument passed. Received: {backup_dir!r}")
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.backup_dir = os.fspath(backup_dir)
        self._counter = BatchCounter(save_freq)
        self._current_epoch = 0
        self._last_batch_seen = 0
        self._weights_path = os.path.join(self.backup_dir, "latest.weights.h5")
        self._training_metadata_path = os.path.join(self.backup_dir, "training_metadata.json")
        self._arrays_path = os.path.join(self.backup_dir, "callbacks.npz")
        self._prev_weights_path = f"{self._weights_path}.bkp"
        self._prev_training_metadata_path = f"{self._training_metadata_path}.bkp"
        self._states: list[dict] = []  # of the other callbacks
        self._shuffle: dict | None = None  # state of the generator that shuffles

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._states, self._shuffle = [], None
        try:
            self._load_model()
        except (OSError, ValueError, KeyError):
            # The last backup may be damaged: the one before it is as good as there is.
            if not os.path.exists(self._prev_weights_path):
                raise
            shutil.copyfile(self._prev_weights_path, self._weights_path)
            if os.path.exists(self._prev_training_metadata_path):
                shutil.copyfile(self._prev_training_metadata_path, self._training_metadata_path)
            elif os.path.exists(self._training_metadata_path):
                os.remove(self._training_metadata_path)
            self._load_model()

    def _load_model(self) -> None:
        if not self.model.built:
            raise ValueError(
                "To use the BackupAndRestore callback, your model must be built before you call "
                "`fit()`. Give its first layer an `Input`, or call the model on a batch of data. "
                f"Received: {self.model}, which is not built."
            )
        if os.path.exists(self._weights_path):
            optimizer = self.model.optimizer
            if optimizer is not None and not optimizer.built:
                optimizer.build(self.model.trainable_variables)  # it has state to load into
            self.model.load_weights(self._weights_path)
        if os.path.exists(self._training_metadata_path):
            with open(self._training_metadata_path, encoding="utf-8") as file:
                metadata = json.load(file)
            self._current_epoch = metadata["epoch"]
            self._states = metadata.get("callbacks", [])
            self._shuffle = metadata.get("shuffle")
            self.model._initial_epoch = self._current_epoch

    def _after_train_begin(self, callbacks: list) -> None:
        """Gives the other callbacks back what they knew. They have made a fresh start before."""
        rng = getattr(self.model, "_shuffle_rng", None)
        if rng is not None and self._shuffle is not None:
            rng.bit_generator.state = self._shuffle
        arrays = {}
        if self._states and os.path.exists(self._arrays_path):
            with np.load(self._arrays_path, allow_pickle=False) as file:
                arrays = dict(file)
        stateful = _stateful(callbacks)
        for index, (callback, saved) in enumerate(zip(stateful, self._states)):
            if saved.get("class") != type(callback).__name__:
                return  # other callbacks than before: their states do not fit
            for name in callback._state_attributes:
                if name in saved:
                    setattr(callback, name, saved[name])
                count = saved.get(f"{name}/count")
                if count is not None:
                    parts = [arrays.get(f"{index}/{name}/{i}") for i in range(count)]
                    if all(part is not None for part in parts):
                        setattr(callback, name, parts)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._current_epoch = epoch + 1
        self._last_batch_seen = 0
        if self.save_freq == "epoch":
            self._save_model()

    def _after_epoch_end(self, epoch: int, callbacks: list) -> None:
        """Writes down what the other callbacks know, now that they have all seen the epoch."""
        stateful = _stateful(callbacks)
        rng = getattr(self.model, "_shuffle_rng", None)
        self._shuffle = None if rng is None else rng.bit_generator.state
        if not stateful and rng is None:
            return
        arrays: dict[str, np.ndarray] = {}
        self._states = []
        for index, callback in enumerate(stateful):
            state: dict[str, Any] = {"class": type(callback).__name__}
            for name in callback._state_attributes:
                value = getattr(callback, name)
                if isinstance(value, list):
                    state[f"{name}/count"] = len(value)
                    arrays.update({f"{index}/{name}/{i}": part for i, part in enumerate(value)})
                else:
                    state[name] = value if value is None else float(value)
                    if isinstance(value, int):
                        state[name] = value
            self._states.append(state)
        if self.save_freq == "epoch":
            if arrays:
                _replace(self._arrays_path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
            self._save_metadata()

    def _is_idle(self, event: str) -> bool:
        return self.save_freq == "epoch"

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        due = self._counter.is_due(batch)
        if self.save_freq != "epoch":
            self._last_batch_seen = batch
        if due:
            self._save_model()

    def _save_model(self) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint:
            for path, previous in (
                (self._weights_path, self._prev_weights_path),
                (self._training_metadata_path, self._prev_training_metadata_path),
            ):
                if os.path.exists(path):
                    shutil.copyfile(path, previous)
        self.model.save_weights(self._weights_path, overwrite=True)
        self._save_metadata()

    def _save_metadata(self) -> None:
        metadata: dict[str, Any] = {"epoch": self._current_epoch, "batch": self._last_batch_seen}
        if self._states:
            metadata["callbacks"] = self._states
        if self._shuffle:
            metadata["shuffle"] = self._shuffle
        text = json.dumps(metadata)
        _replace(self._training_metadata_path, lambda file: file.write(text.encode()))

    def on_train_end(self, logs: dict | None = None) -> None:
        self.model._initial_epoch = None  # the next `fit` is another one
        if self.delete_checkpoint and os.path.exists(self.backup_dir):
            shutil.rmtree(self.backup_dir)


def _stateful(callbacks: list) -> list:
    return [callback for callback in callbacks if getattr(callback, "_state_attributes", ())]


def _replace(path: str, write: Any) -> None:
    """Writes a file beside `path` and puts it in its place: a crash leaves the old one whole."""
    part = f"{path}.part"
    with open(part, "wb") as file:
        write(file)
    os.replace(part, path)
