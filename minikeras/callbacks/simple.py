"""Callbacks of a few lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback
from minikeras.utils.io_utils import print_msg


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
    """Sends the metrics of every epoch to a web server, by POST.

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
        import urllib.error
        import urllib.parse
        import urllib.request
        import warnings

        values: dict[str, Any] = {"epoch": epoch}
        for name, value in (logs or {}).items():
            scalar = isinstance(value, (np.ndarray, np.generic))
            values[name] = value.item() if scalar else value
        text = json.dumps(values)
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body = urllib.parse.urlencode({self.field: text})
            kind = "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            self.root + self.path,
            data=body.encode(),
            headers={"Content-Type": kind, **(self.headers or {})},
            method="POST",
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()  # the server was reached; what it makes of the data is its own affair
        except OSError as error:
            warnings.warn(
                f"Could not reach RemoteMonitor root server at {self.root}: {error}", stacklevel=2
            )


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
