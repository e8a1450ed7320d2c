"""More modules of `tf`: each has the names that its list says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable
from minikeras.ops.base import array_of
from minikeras.saving.api import Restored
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


# `tf.train`: checkpoints, in files of NumPy instead of TensorFlow's.
TRAIN = ["Checkpoint", "CheckpointManager", "latest_checkpoint", "list_variables"]
_ENDING = ".npz"


def _variables(thing: Any) -> list:
    """The variables of what a checkpoint tracks, in order."""
    if isinstance(thing, Variable):
        return [thing]
    if isinstance(thing, dict):
        return [one for key in sorted(thing, key=str) for one in _variables(thing[key])]
    if isinstance(thing, (list, tuple)):
        return [one for value in thing for one in _variables(value)]
    if isinstance(thing, Checkpoint):
        return _variables(thing._tracked)
    for name in ("weights", "variables"):
        found = getattr(thing, name, None)
        if found is not None:
            return list(found() if callable(found) else found)
    return []


class Checkpoint:
    """Saves and restores variables of models, optimizers and the like.

    Args:
        root: One thing to track, or None.
        **kwargs: Things to track, by name; they are attributes too.

    >>> import tempfile
    >>> from minikeras import Variable
    >>> from minikeras.standin.tf.more import Checkpoint, latest_checkpoint
    >>> step = Variable(1.0)
    >>> checkpoint = Checkpoint(step=step)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = checkpoint.save(folder + "/ckpt")
    ...     _ = step.assign(7.0)
    ...     _ = checkpoint.restore(latest_checkpoint(folder))
    >>> float(step)
    1.0
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._tracked = {**({} if root is None else {"root": root}), **kwargs}
        self.save_counter = Variable(0, dtype="int64", trainable=False, name="save_counter")
        for name, value in kwargs.items():
            setattr(self, name, value)

    def save(self, file_prefix: str, options: Any = None) -> str:
        """Writes `file_prefix-N`, N counting the calls; returns that path."""
        self.save_counter.assign(int(self.save_counter) + 1)
        return self.write(f"{os.fspath(file_prefix)}-{int(self.save_counter)}")

    def write(self, file_prefix: str, options: Any = None) -> str:
        """Writes a file; returns its path, without the ending."""
        path = os.fspath(file_prefix)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        arrays = {
            f"{name}/{index}": np.asarray(variable)
            for name, thing in self._things()
            for index, variable in enumerate(_variables(thing))
        }
        part = f"{path}.part{_ENDING}"
        np.savez(part, **arrays)  # type: ignore[arg-type]
        os.replace(part, path + _ENDING)
        return path

    def restore(self, save_path: str | None, options: Any = None) -> Restored:
        """Reads what `save` or `write` wrote; None: nothing.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds other variables.
        """
        if save_path is None:
            return Restored(False)
        path = os.fspath(save_path)
        if not os.path.exists(path + _ENDING):
            raise FileNotFoundError(
                f"No checkpoint {path}{_ENDING}. Checkpoints of TensorFlow cannot be read."
            )
        with np.load(path + _ENDING, allow_pickle=False) as arrays:
            for name, thing in self._things():
                count = sum(key.rpartition("/")[0] == name for key in arrays.files)
                if hasattr(thing, "apply_gradients") and len(_variables(thing)) < count:
                    self._build(thing, count)
                variables = _variables(thing)
                if len(variables) != count:
                    raise ValueError(
                        f"The checkpoint {path} has {count} variables of {name!r}, and there are"
                        f" {len(variables)}. Call a model once before it is restored."
                    )
                for index, variable in enumerate(variables):
                    variable.assign(arrays[f"{name}/{index}"])
        return Restored()

    read = restore

    def _things(self) -> list:
        return [*sorted(self._tracked.items()), ("save_counter", self.save_counter)]

    def _build(self, optimizer: Any, count: int) -> None:
        """Makes the slots of an optimizer that has not seen its variables yet."""
        for thing in self._tracked.values():
            trainable = getattr(thing, "trainable_variables", None)
            if trainable and len(optimizer.variables) < count:
                optimizer.build(list(trainable))


class CheckpointManager:
    """Keeps the last checkpoints in a folder.

    Args:
        checkpoint: `Checkpoint`.
        directory: The folder.
        max_to_keep: How many to keep; None: all.
        checkpoint_name: Beginning of the names of files. Defaults to `"ckpt"`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        directory: Any,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: Any = None,
        checkpoint_name: str = "ckpt",
        **_: Any,
    ) -> None:
        self.checkpoint = checkpoint
        self.directory = os.fspath(directory)
        self.max_to_keep = max_to_keep
        self._prefix = os.path.join(self.directory, checkpoint_name)

    @property
    def checkpoints(self) -> list[str]:
        """Paths of the checkpoints, oldest first."""
        return _checkpoints(self.directory)

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the newest one, or None."""
        return latest_checkpoint(self.directory)

    def save(self, checkpoint_number: Any = None, **_: Any) -> str:
        """Writes a checkpoint and removes those that are too many; returns its path."""
        if checkpoint_number is None:
            path = self.checkpoint.save(self._prefix)
        else:
            path = self.checkpoint.write(f"{self._prefix}-{int(checkpoint_number)}")
        if self.max_to_keep:
            for old in self.checkpoints[: -self.max_to_keep]:
                os.remove(old + _ENDING)
        return path

    def restore_or_initialize(self) -> str | None:
        """Restores the newest checkpoint, if there is one; returns its path."""
        path = self.latest_checkpoint
        self.checkpoint.restore(path)
        return path


def _checkpoints(folder: Any) -> list[str]:
    if not os.path.isdir(folder):
        return []
    found = [name[: -len(_ENDING)] for name in os.listdir(folder) if name.endswith(_ENDING)]
    numbered = [name for name in found if re.search(r"-\d+$", name)]
    numbered.sort(key=lambda name: int(name.rpartition("-")[2]))
    return [os.path.join(folder, name) for name in numbered]


def latest_checkpoint(checkpoint_dir: Any, latest_filename: Any = None) -> str | None:
    """The path of the newest checkpoint in a folder, or None."""
    folder = os.fspath(checkpoint_dir)
    found = _checkpoints(folder)
    if not found and os.path.isdir(folder):
        # Weights that `save_weights` or ModelCheckpoint wrote in the place of a checkpoint.
        files = [one for one in os.scandir(folder) if one.is_file()]
        found = [
            one.path
            for one in sorted(files, key=lambda one: (one.stat().st_mtime_ns, one.name))
            if not one.name.endswith((".h5", ".hdf5", ".keras", _ENDING))
        ]
    return found[-1] if found else None


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Names and shapes of what a checkpoint holds."""
    path = os.fspath(ckpt_dir_or_file)
    path = (latest_checkpoint(path) or path) if os.path.isdir(path) else path
    with np.load(path + _ENDING, allow_pickle=False) as arrays:
        return [(key, list(arrays[key].shape)) for key in sorted(arrays.files)]
