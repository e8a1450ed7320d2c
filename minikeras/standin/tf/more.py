"""More modules of `tf`: each has the names that its list says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import constant, convert_to_tensor

ops: Any = _ops

# `tf.lookup`: tables from keys to values, as dictionaries.
LOOKUP = ["KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable"]


class KeyValueTensorInitializer:
    """What is in a table.

    Args:
        keys: Tensor of keys, text or integers.
        values: Tensor of as many values.
        key_dtype: A dtype, or None for that of the keys.
        value_dtype: A dtype, or None for that of the values.
    """

    def __init__(
        self,
        keys: Any,
        values: Any,
        key_dtype: Any = None,
        value_dtype: Any = None,
        name: Any = None,
    ) -> None:
        self.keys, self.values = constant(keys, key_dtype), constant(values, value_dtype)
        self.value_dtype = self.values.dtype


class StaticHashTable:
    """A table that does not change.

    Args:
        initializer: What is in it.
        default_value: The value of keys that are not in it.

    Example:

    >>> from minikeras.standin.tf.more import KeyValueTensorInitializer, StaticHashTable
    >>> table = StaticHashTable(KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
    >>> table.lookup(["b", "c"]).numpy().tolist()
    [2, -1]
    """

    def __init__(
        self,
        initializer: KeyValueTensorInitializer,
        default_value: Any,
        name: Any = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        self._table = dict(
            zip(initializer.keys.array.tolist(), initializer.values.array.tolist(), strict=True)
        )
        self._default, self._dtype = default_value, initializer.value_dtype

    def lookup(self, keys: Any, name: Any = None) -> Any:
        """The values of keys."""
        keys = constant(keys).array
        found = [self._table.get(key, self._missing(key)) for key in keys.ravel().tolist()]
        if self._dtype.kind == "O":
            return constant(np.array([*found, None], object)[:-1].reshape(keys.shape))
        return Tensor(np.array(found, self._dtype).reshape(keys.shape))

    __getitem__ = lookup

    def _missing(self, key: Any) -> Any:
        return array_of(self._default)[()]

    def size(self, name: Any = None) -> Any:
        """How many keys it has."""
        return Tensor(np.asarray(len(self._table), "int64"))


class StaticVocabularyTable(StaticHashTable):
    """A table from keys to numbers; other keys share so many numbers after these.

    Args:
        initializer: What is in it; the values are numbers from 0.
        num_oov_buckets: How many numbers there are for other keys.
    """

    def __init__(
        self,
        initializer: KeyValueTensorInitializer,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: Any = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(initializer, None)
        self._buckets, self._dtype = int(num_oov_buckets), np.dtype(as_dtype("int64").name)

    def _missing(self, key: Any) -> Any:
        from zlib import crc32

        # TensorFlow has another hash: with more than one bucket the numbers differ from its own.
        text = key if isinstance(key, bytes) else str(key).encode()
        return len(self._table) + (crc32(text) % self._buckets if self._buckets else -1)

    def size(self, name: Any = None) -> Any:
        """How many numbers there are."""
        return Tensor(np.asarray(len(self._table) + self._buckets, "int64"))


# `tf.signal`: Fourier transforms.
SIGNAL = "fft frame hamming_window hann_window ifft irfft rfft stft".split()


def _complex_of(array: np.ndarray) -> str:
    return "complex128" if array.dtype in ("float64", "complex128") else "complex64"


def fft(input: Any, name: Any = None) -> Any:
    """The Fourier transform along the last axis."""
    array = array_of(input)
    return Tensor(np.fft.fft(array).astype(_complex_of(array)))


def ifft(input: Any, name: Any = None) -> Any:
    """The inverse of `fft`."""
    array = array_of(input)
    return Tensor(np.fft.ifft(array).astype(_complex_of(array)))


def rfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The Fourier transform of real numbers."""
    array = array_of(input_tensor)
    count = None if fft_length is None else int(np.ravel(array_of(fft_length))[0])
    return Tensor(np.fft.rfft(array, count).astype(_complex_of(array)))


def irfft(input_tensor: Any, fft_length: Any = None, name: Any = None) -> Any:
    """The inverse of `rfft`."""
    array = array_of(input_tensor)
    count = None if fft_length is None else int(np.ravel(array_of(fft_length))[0])
    real = "float64" if array.dtype == "complex128" else "float32"
    return Tensor(np.fft.irfft(array, count).astype(real))


def _window(values: Any, window_length: Any, periodic: bool, dtype: Any) -> Any:
    length = int(window_length)
    made = values(length + 1)[:-1] if periodic and length > 1 else values(length)
    return Tensor(made.astype(dtype))


def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = "float32", name: Any = None
) -> Any:
    """A raised cosine."""
    return _window(np.hanning, window_length, periodic, dtype)


def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = "float32", name: Any = None
) -> Any:
    """A raised cosine on a step."""
    return _window(
        lambda n: 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(n) / max(n - 1, 1)),
        window_length,
        periodic,
        dtype,
    )


def frame(
    signal: Any,
    frame_length: Any,
    frame_step: Any,
    pad_end: bool = False,
    pad_value: float = 0,
    axis: int = -1,
    name: Any = None,
) -> Any:
    """Overlapping pieces of the last axis."""
    if axis not in (-1, len(signal.shape) - 1):
        raise NotImplementedError("tf.signal.frame works along the last axis alone here.")
    signal, length, step = convert_to_tensor(signal), int(frame_length), int(frame_step)
    size = signal.shape[-1]
    count = -(-size // step) if pad_end else max(0, 1 + (size - length) // step)
    missing = (count - 1) * step + length - size
    if pad_end and missing > 0:
        spread = [(0, 0)] * (len(signal.shape) - 1) + [(0, missing)]
        signal = ops.pad(signal, spread, constant_values=pad_value)
    places = np.arange(count)[:, None] * step + np.arange(length)
    return ops.take(signal, places, axis=-1)


def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    pad_end: bool = False,
    name: Any = None,
) -> Any:
    """The Fourier transforms of overlapping pieces."""
    pieces = frame(signals, frame_length, frame_step, pad_end)
    if window_fn is not None:
        pieces = ops.multiply(pieces, window_fn(int(frame_length), dtype=pieces.dtype))
    count = 1 << (int(frame_length) - 1).bit_length() if fft_length is None else fft_length
    return rfft(pieces, [count])


# `tf.summary`: events for TensorBoard, by the writer of the callback of that name.
SUMMARY = (
    "SummaryWriter create_file_writer create_noop_writer flush histogram image scalar text".split()
)
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
