"""The base class of callbacks, and the simple ones."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Container, Iterable
from typing import Any

import numpy as np

from minikeras.utils.progbar import print_msg


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


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        on_epoch_begin: Function of `(epoch, logs)`. Defaults to None, as all of them.
        on_epoch_end: Function of `(epoch, logs)`.
        on_train_begin: Function of `(logs)`.
        on_train_end: Function of `(logs)`.
        on_train_batch_begin: Function of `(batch, logs)`.
        on_train_batch_end: Function of `(batch, logs)`.
        **kwargs: Functions for other events of `Callback` by name; anything else becomes an
            attribute.

    Example:

    >>> import minikeras
    >>> show = minikeras.callbacks.LambdaCallback(
    ...     on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"])
    ... )
    >>> show.on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable | None = None,
        on_epoch_end: Callable | None = None,
        on_train_begin: Callable | None = None,
        on_train_end: Callable | None = None,
        on_train_batch_begin: Callable | None = None,
        on_train_batch_end: Callable | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        events = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in events.items():
            if function is not None or not hasattr(Callback, name):
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    Args:
        raise_error: Whether to stop with a `RuntimeError`, so that nothing after it runs (no
            `on_train_end`: a backup stays). Defaults to False: stop after the batch.

    Example:

    >>> import minikeras
    >>> minikeras.callbacks.TerminateOnNaN(raise_error=True).on_batch_end(3, {"loss": float("nan")})
    Traceback (most recent call last):
        ...
    RuntimeError: NaN or Inf loss encountered at batch 3. Loss value: nan. ...
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating "
                "training immediately. Check the data for NaN, or lower the learning rate."
            )
        print_msg(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True


class RemoteMonitor(Callback):
    """Sends the metrics of every epoch to a web server, by POST (of `requests`, if installed).

    Args:
        root: The server. Defaults to `"http://localhost:9000"`.
        path: The path on it. Defaults to `"/publish/epoch/end/"`.
        field: The form field that holds the JSON. Defaults to `"data"`.
        headers: Dict of headers to send. Defaults to None.
        send_as_json: Whether the JSON itself is sent, not a form that holds it. Defaults to False.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        if not root.startswith(("http://", "https://")):
            raise ValueError(f"`root` must begin with http:// or https://. Received: root={root!r}")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        import json
        import warnings

        try:
            from requests import post
        except ImportError:
            post = _post  # type: ignore[assignment]
        values: dict[str, Any] = {"epoch": epoch}
        for name, value in (logs or {}).items():
            scalar = isinstance(value, (np.ndarray, np.generic))
            values[name] = value.item() if scalar else value
        address = self.root + self.path
        try:
            if self.send_as_json:
                post(address, json=values, headers=self.headers)
            else:
                post(address, {self.field: json.dumps(values)}, headers=self.headers)
        except OSError as error:  # as those of `requests` are
            warnings.warn(
                f"Could not reach RemoteMonitor root server at {self.root}: {error}", stacklevel=2
            )


def _post(address: str, data: Any = None, json: Any = None, headers: dict | None = None) -> None:
    """What `requests.post` does of it, with the standard library."""
    from json import dumps
    from urllib import error, parse, request

    kind = "application/json" if data is None else "application/x-www-form-urlencoded"
    body = dumps(json) if data is None else parse.urlencode(data)
    headers = {"Content-Type": kind, **(headers or {})}
    try:
        request.urlopen(request.Request(address, body.encode(), headers), timeout=10).close()
    except error.HTTPError as answer:
        answer.close()  # the server was reached; what it makes of the data is its own affair


class OrbaxCheckpoint(Callback):
    """Not available: Orbax checkpoints need JAX.

    Raises:
        NotImplementedError: Always. `ModelCheckpoint` and `BackupAndRestore` do the same with
            Keras's own files.
    """

    def __init__(
        self,
        directory: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        raise NotImplementedError(
            "OrbaxCheckpoint writes checkpoints of the Orbax library, which needs JAX and is not "
            "available on NumPy alone. Use `minikeras.callbacks.ModelCheckpoint` to save models or "
            "weights, or `BackupAndRestore` to resume training."
        )


class CSVLogger(Callback):
    """Writes a line of metrics an epoch to a CSV file.

    The columns are those of the first epoch; where it had no validation, a `val_` column for each
    metric is kept for later epochs. What an epoch does not have is `NA`.

    Args:
        filename: The file.
        separator: What stands between two values. Defaults to `","`.
        append: Whether lines are added to a file that exists already, rather than its replacement.
            Defaults to False.

    Example:

    >>> import minikeras
    >>> logger = minikeras.callbacks.CSVLogger("training.csv")
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.writer: Any = None
        self.keys: list[str] | None = None
        self.append_header = True
        self.csv_file: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._close()
        if self.append:
            has_lines = os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
            self.append_header = not has_lines
        # newline="": the csv module ends lines itself, alike on every system
        self.csv_file = open(
            self.filename, "a" if self.append else "w", newline="", encoding="utf-8"
        )
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        import csv

        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.writer is None:
            self.writer = csv.writer(self.csv_file, delimiter=self.sep)
            if self.append_header:
                self.writer.writerow(["epoch", *self.keys])
        self.writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
        self.csv_file.flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = self.writer = None


def _cell(value: Any) -> Any:
    if (
        isinstance(value, Iterable)
        and not isinstance(value, str)
        and getattr(value, "ndim", None) != 0
    ):
        return f'"[{", ".join(map(str, value))}]"'
    return value
