"""`tf.summary`: events for TensorBoard, by the writer of the callback of that name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minikeras.ops.base import array_of
from minikeras.standin.tf import public

_default: list[tuple[Any, Any]] = []  # writers and steps, the last one counts


class SummaryWriter:
    """Writes events into a folder.

    Args:
        logdir: The folder, or None: nothing is written.
    """

    def __init__(self, logdir: Any) -> None:
        from minikeras.callbacks.tensorboard import _NoWriter, _Writer

        self._writer: Any = _NoWriter() if logdir is None else _Writer(str(logdir))

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """Inside of its `with` block the functions of this module write here."""
        _default.append((self, step))
        try:
            yield self
        finally:
            _default.pop()
            self.flush()

    def set_as_default(self, step: Any = None) -> None:
        """From now on the functions of this module write here."""
        _default[:] = [(self, step)]

    def flush(self) -> None:
        """Writes what is still in memory."""
        self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


def create_file_writer(logdir: Any, *_: Any, **__: Any) -> SummaryWriter:
    """A writer of events into a folder."""
    return SummaryWriter(logdir)


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing."""
    return SummaryWriter(None)


def _write(kind: str, name: Any, step: Any, *values: Any) -> bool:
    if not _default:
        return False
    writer, step_of_writer = _default[-1]
    step = step_of_writer if step is None else step
    if step is None:
        raise ValueError("Pass `step`, or a step to `writer.as_default`. Received: step=None")
    getattr(writer._writer, kind)(str(name), *values, int(step))
    return True


def scalar(name: Any, data: Any, step: Any = None, description: Any = None) -> bool:
    """Writes a number; False without a default writer."""
    return _write("scalar", name, step, float(array_of(data)))


def histogram(
    name: Any, data: Any, step: Any = None, buckets: Any = None, description: Any = None
) -> bool:
    """Writes how values are spread, in as many buckets as the writer makes."""
    return _write("histogram", name, step, np.asarray(array_of(data)))


def image(
    name: Any, data: Any, step: Any = None, max_outputs: int = 3, description: Any = None
) -> bool:
    """Writes images of shape (number, rows, columns, channels), floats from 0 to 1 or uint8."""
    images = np.asarray(array_of(data))[: int(max_outputs)]
    if images.dtype.kind != "f":
        images = images / 255.0
    return _write("images", name, step, images)


def text(name: Any, data: Any, step: Any = None, description: Any = None) -> bool:
    """Writes a text, or several."""
    if not _default:
        return False
    from tensorboard.plugins.text.metadata import create_summary_metadata

    writer, step_of_writer = _default[-1]
    writer = writer._writer
    if hasattr(writer, "_tensor"):
        tensor = writer._tensor(np.asarray(array_of(data)).astype(object))
        step = step_of_writer if step is None else step
        writer._write(str(name), tensor, create_summary_metadata("", ""), int(step))
    return True


def flush(writer: Any = None, name: Any = None) -> None:
    """Writes what is still in memory."""
    for one in [writer] if writer is not None else [one for one, _ in _default[-1:]]:
        one.flush()


__all__ = public(globals())
