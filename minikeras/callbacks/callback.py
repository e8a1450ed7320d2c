"""The base class of callbacks."""

from __future__ import annotations

from typing import Any


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
