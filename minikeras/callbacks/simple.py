"""Callbacks of a few lines: `LambdaCallback`, `TerminateOnNaN`, `CSVLogger`, `RemoteMonitor`..."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback
from minikeras.utils.progbar import print_msg


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
