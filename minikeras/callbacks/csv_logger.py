"""The metrics of every epoch in a CSV file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from minikeras.callbacks.callback import Callback


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
