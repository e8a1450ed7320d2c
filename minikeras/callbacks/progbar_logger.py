"""The progress bar of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import math
from typing import Any

from minikeras.callbacks.callback import Callback
from minikeras.utils.io_utils import print_msg
from minikeras.utils.progbar import Progbar


class ProgbarLogger(Callback):
    """Shows progress and metrics. `fit`, `evaluate` and `predict` add one unless `verbose=0`.

    With `verbose=1` (`"auto"`) it is a bar that is redrawn in a terminal or notebook, and one line
    an epoch elsewhere; with `verbose=2` one line an epoch everywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose: int = 1
        self.epochs = 1
        self._called_in_fit = False

    def set_params(self, params: dict) -> None:
        self.params = params
        verbose = params.get("verbose", 1)
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(
                "Argument `verbose` must be 'auto', 0 (silent), 1 (progress bar) or 2 (one line an"
                f" epoch). Received: verbose={verbose!r}"
            )
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def follows(self, phase: str) -> bool:
        """Whether batches of this phase (`"train"`, `"test"`, `"predict"`) move the bar."""
        return phase != "test" or not self._called_in_fit

    @property
    def next_update(self) -> float:
        """The time before which an update would not show."""
        return math.inf if self.progbar is None else self.progbar.next_update

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._called_in_fit = True  # the validation in it is silent

    def on_train_end(self, logs: dict | None = None) -> None:
        self._called_in_fit = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start()
        if self.verbose and self.epochs > 1:
            print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def on_test_begin(self, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._start()

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._update(batch, None)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._finish(None)

    def _start(self) -> None:
        self.seen = 0
        # The metrics are running means already: the bar must not average them again.
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())

    def _update(self, batch: int, logs: dict | None) -> None:
        if self.progbar is None:
            self._start()
        self.seen = batch + 1
        if self.verbose == 1:
            self._bar().update(self.seen, _items(logs), finalize=False)

    def _finish(self, logs: dict | None) -> None:
        bar = self._bar()
        if self.target is None:
            self.target = bar.target = self.seen
        bar.update(self.target, _items(logs), finalize=True)

    def _bar(self) -> Progbar:
        if self.progbar is None:
            self._start()
        assert self.progbar is not None
        return self.progbar


def _items(logs: dict | None) -> list[tuple[str, Any]]:
    return list((logs or {}).items())
