"""What every source of batches has in common: epochs, steps, running out of data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

Batch = tuple[Any, Any, Any]


class BatchSource:
    """Epochs of batches `(x, y, sample_weight)`. A subclass provides `_new_pass`.

    Attributes:
        num_batches: Batches of an epoch, or `None` while that is not known.
        batch_size: Rows of a full batch, or `None` where the data come in batches of their own.
        exhausted: Whether the last epoch had no batch at all, because the data have run out for
            good.
    """

    batch_size: int | None = None
    restartable = True  # whether a second pass over the data is possible

    def __init__(self, steps_per_epoch: int | None = None) -> None:
        self.steps_per_epoch = _checked_steps(steps_per_epoch)
        self.exhausted = False
        self._told = False
        self._length: int | None = None
        self._pass: Iterator[Batch] | None = None
        self._peeked: Batch | None = None

    @property
    def num_batches(self) -> int | None:
        return self.steps_per_epoch or self._length

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        if self.steps_per_epoch:
            return self._steps(self.steps_per_epoch)
        return self._whole_pass()

    def reset(self) -> None:
        """Lets the next epoch begin with the first batch again, where that is possible."""
        if self.restartable:
            self._close()

    def peek(self) -> Batch:
        """The first batch of the next epoch, where it will come again.

        Raises:
            ValueError: There is none.
        """
        if self._peeked is None:
            self._peeked = self._next()
            if self._peeked is None:
                raise ValueError(
                    "The data hold no batch: a generator or iterable must yield at least one. "
                    "Received one that is empty, or that was used up before."
                )
        return self._peeked

    def _new_pass(self) -> Iterator[Batch]:
        """One pass over the data from their beginning."""
        raise NotImplementedError

    def _epoch_begin(self) -> None: ...

    def _epoch_end(self) -> None: ...

    def _next(self) -> Batch | None:
        """The next batch of the pass under way, or of a new one; `None` at the end of the pass."""
        if self._peeked is not None:
            peeked, self._peeked = self._peeked, None
            return peeked
        if self._pass is None:
            self._pass = self._new_pass()
        batch = next(self._pass, None)
        if batch is None:
            self._pass = None
        return batch

    def _whole_pass(self) -> Iterator[Batch]:
        self._epoch_begin()
        try:
            seen = 0
            while (batch := self._next()) is not None:
                seen += 1
                yield batch
            if self.restartable:
                self._length = seen
            if not seen:
                self._ran_out(0)
        finally:
            if self.restartable:  # an epoch that was left early does not go on in the next one
                self._close()
            self._epoch_end()

    def _steps(self, steps: int) -> Iterator[Batch]:
        self._epoch_begin()
        try:
            for step in range(steps):
                fresh = self._pass is None
                batch = self._next()
                # A pass that ended together with the epoch before it is no shortage of data.
                if batch is None and step == 0 and not fresh and self.restartable:
                    batch = self._next()
                if batch is None:
                    self._ran_out(step)
                    return
                yield batch
        finally:
            self._epoch_end()

    def _ran_out(self, seen: int) -> None:
        """Warns that an epoch ended after `seen` batches because there are no more."""
        self.exhausted = not self.restartable and seen == 0
        if self.exhausted and self._told:
            return
        self._told = True
        warnings.warn(
            "Your input ran out of data; interrupting training. Make sure that your dataset or "
            "generator can generate at least `steps_per_epoch * epochs` batches. You may need to "
            "use the `.repeat()` function when building your dataset.",
            stacklevel=3,
        )

    def _close(self) -> None:
        current, self._pass, self._peeked = self._pass, None, None
        close = getattr(current, "close", None)
        if close is not None:
            close()


def _checked_steps(steps: Any) -> int | None:
    if steps is None:
        return None
    if isinstance(steps, (float, np.floating)) and 0 < steps < math.inf:
        # Keras 1 and 2 counted until they were there: `len(x) / 32` is common.
        if not steps.is_integer():
            from minikeras.dialects import warn_once

            warn_once(f"steps of {steps:g}", f"steps of {math.ceil(steps)}")
        steps = math.ceil(steps)
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ValueError(
            "The number of steps (`steps_per_epoch`, `validation_steps`, `steps`) must be a "
            f"positive integer or None. Received: {steps!r} (of type {type(steps).__name__})"
        )
    return int(steps) or None  # 0 means None in Keras
