"""From what users pass to `fit`, `evaluate` and `predict` to batches.

The trainer's side of it is one call and one loop::

    source = make_batches(x, y, sample_weight, batch_size=32, shuffle=True, rng=generator)
    source.num_batches                      # batches of an epoch; None while nobody knows
    first = source.peek()                   # (x, y, sample_weight), to build a model on
    for epoch in range(epochs):
        for x, y, sample_weight in source.epoch():
            ...                             # at least one batch, unless the data have run out

What is promised:

- A batch is always the triple `(x, y, sample_weight)`, with `None` where nothing was given. All
  three keep the structure (list, tuple, dict) that the user gave them; their leaves are
  C-contiguous arrays, floats cast to `dtype` (`floatx()` unless told otherwise), integers and
  booleans as they came. Batches of arrays are read-only: they may be views of the user's data.
- `epoch()` calls `on_epoch_begin` and `on_epoch_end` of a `PyDataset` itself, the latter also when
  the loop is left early. There is nothing to call afterwards.
- With `steps_per_epoch` an epoch has that many batches and the next one goes on where it stopped.
  Where the data end too soon there is Keras's warning, and the epoch ends early. An epoch of a
  generator that has nothing left yields no batch at all: `source.exhausted` is then true, and
  training should stop without recording that epoch.
- `reset()` lets the next epoch begin with the first batch again (a generator goes on all the same):
  for validation with `validation_steps`, which is on the same batches each time.
- `num_batches` of an iterable of unknown length is known after its first whole epoch.

`train_validation_split((x, y, sample_weight), 0.2)` cuts the last fifth off, `one_batch(x, y,
sample_weight, class_weight)` does for `train_on_batch` what a source does for `fit`.

Data that come in batches already: `PyDataset`s, generators, loaders, any iterable.
"""

from __future__ import annotations

import itertools
import math
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.engine.spelling import runs_unedited
from minikeras.training.arrays import (
    ArrayBatches,
    Batch,
    BatchSource,
    count_samples,
    names_columns,
)
from minikeras.training.outputs import (
    RowRange,
    as_arrays,
    is_array_like,
    is_on_disk,
    is_sparse,
    to_array,
)

__all__ = [
    "BatchSource",
    "class_weight_to_sample_weights",
    "make_batches",
    "one_batch",
    "pack_x_y_sample_weight",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]


def make_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict | None = None,
    *,
    rng: np.random.Generator | None = None,
    dtype: Any = None,
    strings: bool = False,
) -> BatchSource:
    """The source of batches for data of any kind.

    Args:
        x: Arrays, lists of numbers, pandas frames or series, SciPy sparse matrices, h5py data sets,
            in any nesting of lists, tuples and dicts; or a `PyDataset`, a generator, a torch
            `DataLoader`, a `tf.data.Dataset` or any other iterable of batches; or a `BatchSource`.
        y: Targets, of the same kinds of arrays. Not with data that come in batches.
        sample_weight: Weights: one array, or one an output in the structure of `y`.
        batch_size: Rows of a batch of arrays. Defaults to 32, or to the size that makes
            `steps_per_epoch` batches.
        steps_per_epoch: Batches of an epoch. Defaults to all data.
        shuffle: True orders rows anew each epoch (`PyDataset`: batches), `'batch'` rows within each
            batch only. Other iterables come in their own order.
        class_weight: Class -> weight of its rows.
        rng: The generator that shuffles. Defaults to one that follows from the global seed.
        dtype: Float type that floats are cast to. Defaults to `floatx()`.
        strings: Whether arrays of text are allowed.

    Raises:
        ValueError: The data are of no known kind, empty, of unequal lengths, hold no numbers, or an
            argument does not fit them. The message says what was received.

    Example:

    >>> import numpy as np
    >>> from minikeras.training.data import make_batches
    >>> source = make_batches(np.arange(5.0), np.arange(5), batch_size=2)
    >>> source.num_batches
    3
    >>> [x.tolist() for x, y, sample_weight in source.epoch()]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    """
    if isinstance(x, BatchSource):
        return x
    limit = config.max_steps_per_epoch()
    if limit and (not steps_per_epoch or limit < steps_per_epoch):
        steps_per_epoch = limit
    if _comes_in_batches(x):
        kind = _kind_of(x)
        if batch_size is not None and not isinstance(batch_size, (int, np.integer)):
            raise ValueError(f"`batch_size` must be an integer or None. Received: {batch_size!r}")
        for name, part, what in (("y", y, "targets"), ("sample_weight", sample_weight, "weights")):
            if part is not None:
                raise ValueError(
                    f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, the "
                    f"{what} should be included as part of the {kind}."
                )
        common: dict[str, Any] = {
            "steps_per_epoch": steps_per_epoch,
            "class_weight": class_weight,
            "dtype": dtype,
            "strings": strings,
        }
        if is_indexed(x):
            return IndexedBatches(x, shuffle=shuffle, rng=rng, **common)
        return IterableBatches(x, **common)
    x, y = as_arrays(x, "x"), as_arrays(y, "y")
    sample_weight = _weights(y, as_arrays(sample_weight, "sample_weight"))
    if class_weight is not None:
        target = y if y is None or tree.is_nested(y) else to_array(y, "y", dtype)
        sample_weight = checked_class_weights(target, sample_weight, class_weight)
    return ArrayBatches(
        x,
        y,
        sample_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        shuffle=shuffle,
        rng=rng,
        dtype=dtype,
        strings=strings,
    )


def one_batch(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: dict | None = None,
    *,
    dtype: Any = None,
    strings: bool = False,
) -> Batch:
    """All rows as one batch, by the same rules: for `train_on_batch` and its like.

    Example:

    >>> from minikeras.training.data import one_batch
    >>> one_batch([[1.0, 2.0]], [3])
    (array([[1., 2.]], dtype=float32), array([3]), None)
    """
    float_type = np.dtype(dtype or config.floatx())
    if class_weight is None and sample_weight is None and type(x) is np.ndarray:
        if x.dtype == float_type and x.shape and x.shape[0] and (y is None):
            return x, None, None
    x, y = as_arrays(x, "x"), as_arrays(y, "y")
    sample_weight = _weights(y, as_arrays(sample_weight, "sample_weight"))
    count_samples(x, y, sample_weight)

    def convert(part: Any, name: str) -> Any:
        text = strings or names_columns(part, name)
        return tree.map_structure(
            lambda leaf: None if leaf is None else to_array(leaf, name, float_type, text), part
        )

    x, y = convert(x, "x"), convert(y, "y")
    sample_weight = convert(sample_weight, "sample_weight")
    if class_weight is not None:
        sample_weight = checked_class_weights(y, sample_weight, class_weight)
    return x, y, sample_weight


def _comes_in_batches(x: Any) -> bool:
    if isinstance(x, (list, tuple, dict, str, bytes)) or x is None or is_array_like(x):
        return False
    return is_indexed(x) or hasattr(x, "__iter__")


def _kind_of(x: Any) -> str:
    return "generator" if hasattr(x, "__next__") else type(x).__name__


def _weights(y: Any, sample_weight: Any) -> Any:
    """Sample weights in the structure of `y`: one array for several outputs serves them all."""
    if sample_weight is None or not tree.is_nested(y):
        return sample_weight
    if tree.is_nested(sample_weight):
        same = type(sample_weight) is type(y) and len(sample_weight) == len(y)
        if runs_unedited() and isinstance(sample_weight, dict) and isinstance(y, dict):
            if set(sample_weight) <= set(y):
                return {key: sample_weight.get(key) for key in y}
        if not same or (isinstance(y, dict) and set(y) != set(sample_weight)):
            raise ValueError(
                "You should provide one `sample_weight` array per output in `y`, in the same "
                f"structure. Received: y={_outline(y)}, sample_weight={_outline(sample_weight)}"
            )
        return sample_weight
    shape = sample_weight.shape
    if len(shape) != 1 and not (len(shape) == 2 and shape[1] == 1):
        raise ValueError(
            "For a model with multiple outputs, a single `sample_weight` array should only have "
            "one score per sample, shape (num_samples,). For other weights pass one per output. "
            f"Received: sample_weight of shape {tuple(shape)}"
        )
    return tree.map_structure(lambda _: sample_weight, y)


def _outline(structure: Any) -> Any:
    return tree.map_structure(lambda leaf: getattr(leaf, "shape", leaf), structure)


def train_validation_split(arrays: Any, validation_split: float) -> tuple[Any, Any]:
    """Cuts the last rows off, to validate on.

    Args:
        arrays: A structure of arrays of equal length, such as `(x, y, sample_weight)`.
        validation_split: The fraction of the rows to cut off, between 0 and 1. The others are the
            first `floor(n * (1 - validation_split))`.

    Returns:
        The structure with the first rows and the structure with the last ones, as views.

    Raises:
        ValueError: The fraction is out of range, leaves one side empty, or the data are no arrays.

    Example:

    >>> import numpy as np
    >>> from minikeras.training.data import train_validation_split
    >>> train_validation_split(np.arange(5), 0.4)
    (array([0, 1, 2]), array([3, 4]))
    """
    number = isinstance(validation_split, (int, float, np.number))
    if not number or not 0 <= validation_split < 1:
        raise ValueError(
            "`validation_split` must be a number from 0 to 1, the fraction of the data to validate "
            f"on. Received: validation_split={validation_split!r}"
        )
    if any(_comes_in_batches(leaf) for leaf in tree.flatten(arrays)):
        kinds = [type(leaf).__name__ for leaf in tree.flatten(arrays) if _comes_in_batches(leaf)]
        raise ValueError(
            "Argument `validation_split` is only supported for arrays, because other data cannot "
            f"be cut. Pass `validation_data` instead. Received: {', '.join(kinds)}"
        )
    if isinstance(arrays, tuple):
        arrays = tuple(as_arrays(part, name) for part, name in zip(arrays, ("x", "y", "weights")))
        count = count_samples(*(*arrays, None, None)[:3])
    else:
        arrays = as_arrays(arrays)
        count = count_samples(arrays, None, None)
    cut = math.floor(count * (1.0 - validation_split))
    if cut in (0, count):
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a "
            f"validation and training set as specified by `validation_split={validation_split}`. "
            "Either provide more data, or a different value for the `validation_split` argument."
        )

    def rows(start: int, stop: int) -> Any:
        return tree.map_structure(lambda leaf: _rows(leaf, start, stop), arrays)

    return rows(0, cut), rows(cut, count)


def _rows(array: Any, start: int, stop: int) -> Any:
    if array is None:
        return None
    if is_on_disk(array):
        return RowRange(array, start, stop)
    if is_sparse(array):
        return array.tocsr()[start:stop]
    if hasattr(array, "iloc"):
        return array.iloc[start:stop]
    return array[start:stop] if hasattr(array, "__getitem__") else np.asarray(array)[start:stop]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Unpacks what a step is given into `(x, y, sample_weight)`.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. A list counts as a tuple.

    Returns:
        The triple, with `None` for what is not there.

    Raises:
        ValueError: There are more than three parts, or none.

    Example:

    >>> import minikeras
    >>> minikeras.utils.unpack_x_y_sample_weight(("inputs", "targets"))
    ('inputs', 'targets', None)
    """
    if not isinstance(data, (list, tuple)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found: {data}"
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Packs `x`, `y` and `sample_weight` as a step is given them.

    Args:
        x: Inputs.
        y: Targets, or None (default).
        sample_weight: Weights, or None (default).

    Returns:
        `x` itself, or `(x,)` where `x` is a list or tuple; `(x, y)`; or `(x, y, sample_weight)`.

    Example:

    >>> import minikeras
    >>> minikeras.utils.pack_x_y_sample_weight("inputs", "targets")
    ('inputs', 'targets')
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def is_indexed(x: Any) -> bool:
    """Whether `x` gives its batches by number: a `PyDataset`, or anything with `len` and `[i]`."""
    return hasattr(x, "__getitem__") and (hasattr(x, "num_batches") or hasattr(x, "__len__"))


def class_weight_to_sample_weights(y: Any, class_weight: dict) -> np.ndarray:
    """One weight a row, from the weight of its class.

    Args:
        y: Labels of shape (n,) or (n, 1), or one-hot rows of shape (n, classes).
        class_weight: Class -> weight. A class that is not there weighs 1.

    Raises:
        ValueError: `class_weight` does not map whole numbers to numbers, or `y` has no labels.

    Example:

    >>> import numpy as np
    >>> from minikeras.training.data import class_weight_to_sample_weights
    >>> class_weight_to_sample_weights(np.array([0, 1, 2]), {1: 5.0})
    array([1., 5., 1.], dtype=float32)
    """
    if not isinstance(class_weight, dict) or any(
        isinstance(key, (str, bytes)) or int(key) != key for key in class_weight
    ):
        raise ValueError(
            "`class_weight` must be a dict from class (an integer) to weight, like "
            f"{{0: 1.0, 1: 5.0}}. Received: class_weight={class_weight!r}"
        )
    labels = np.asarray(y)
    if labels.ndim > 2 or labels.ndim == 0:
        raise ValueError(
            "`class_weight` needs labels of shape (samples,) or (samples, 1), or one-hot rows of "
            f"shape (samples, classes). Received: y of shape {labels.shape}. For other targets "
            "pass `sample_weight`."
        )
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    classes, places = np.unique(np.round(labels).astype("int64"), return_inverse=True)
    weights = [class_weight.get(int(label), 1.0) for label in classes]
    return np.asarray(weights, dtype=config.floatx())[places]


class _Stream(BatchSource):
    """Batches made elsewhere: checks each and makes it a triple of arrays."""

    kind = "iterable"
    # A list in place of a tuple: (inputs, targets), or several inputs? A generator must say.
    lists_are_tuples = True

    def __init__(
        self,
        steps_per_epoch: int | None,
        class_weight: dict | None,
        dtype: Any,
        strings: bool,
    ) -> None:
        super().__init__(steps_per_epoch)
        self._class_weight = class_weight
        self._float = np.dtype(dtype or config.floatx())
        self._strings = strings
        self.num_samples = None

    def _standardize(self, batch: Any) -> Batch:
        if isinstance(batch, list) and self.lists_are_tuples:
            batch = tuple(batch)
        if isinstance(batch, dict) or is_array_like(batch):
            batch = (batch,)
        if not isinstance(batch, tuple) or not 1 <= len(batch) <= 3:
            raise ValueError(
                f"A {self.kind} must yield batches that are tuples, either (input,) or "
                "(inputs, targets) or (inputs, targets, sample_weights). "
                f"Received: {str(batch)[:100]} of type {type(batch).__name__}"
            )
        x, y, weight = (*batch, None, None)[:3]
        x, y, weight = self._arrays(x, "x"), self._arrays(y, "y"), self._arrays(weight, "weight")
        if self._class_weight is not None and y is not None:
            weight = checked_class_weights(y, weight, self._class_weight)
        return x, y, weight

    def _arrays(self, part: Any, name: str) -> Any:
        if type(part) is np.ndarray and part.dtype == self._float:
            return part
        if part is None:
            return None
        strings = self._strings or names_columns(part, name)
        return tree.map_structure(
            lambda leaf: None if leaf is None else to_array(leaf, name, self._float, strings),
            as_arrays(part, name),
        )


def checked_class_weights(y: Any, sample_weight: Any, class_weight: dict) -> np.ndarray:
    """Sample weights from `class_weight`, where it may be used at all."""
    if sample_weight is not None:
        raise ValueError(
            "You cannot use `class_weight` and `sample_weight` at the same time. Multiply the one "
            "into the other and pass `sample_weight`."
        )
    if y is None:
        raise ValueError("`class_weight` needs targets. Received: y=None")
    if tree.is_nested(y):
        raise ValueError(
            "`class_weight` is only supported for Models with a single output. Pass one "
            "`sample_weight` array an output instead."
        )
    return class_weight_to_sample_weights(y, class_weight)


class IndexedBatches(_Stream):
    """Batches by number: from a `PyDataset`, or any object with `len(x)` and `x[i]`.

    `workers`, `use_multiprocessing` and `max_queue_size` of the data set decide whether batches are
    made ahead, in threads or processes. Their order does not depend on that.
    """

    kind = "PyDataset"

    def __init__(
        self,
        dataset: Any,
        *,
        steps_per_epoch: int | None = None,
        shuffle: bool | str = False,
        rng: np.random.Generator | None = None,
        class_weight: dict | None = None,
        dtype: Any = None,
        strings: bool = False,
    ) -> None:
        super().__init__(steps_per_epoch, class_weight, dtype, strings)
        self._dataset = dataset
        self._next_index = 0  # of an endless data set
        self._shuffle = bool(shuffle)
        if shuffle and rng is None:
            from minikeras.engine.rng import make_default_seed

            rng = np.random.default_rng(make_default_seed())
        self._rng: Any = rng
        self._length = self._dataset_length()
        if self._length == 0:
            raise ValueError(f"The PyDataset has length 0, no batch. Received: {dataset!r}")

    def _dataset_length(self) -> int | None:
        dataset = self._dataset
        length = dataset.num_batches if hasattr(dataset, "num_batches") else len(dataset)
        return None if length is None else int(length)

    def peek(self) -> Batch:
        """Batch number 0. It is made anew when its turn comes."""
        return self._standardize(self._dataset[0])

    def peek_second(self) -> Batch | None:
        return self._standardize(self._dataset[1]) if self._length != 1 else None

    def _epoch_begin(self) -> None:
        getattr(self._dataset, "on_epoch_begin", lambda: None)()

    def _epoch_end(self) -> None:
        getattr(self._dataset, "on_epoch_end", lambda: None)()

    def _indices(self) -> Iterator[int]:
        self._length = self._dataset_length()
        if self._length is None:
            return itertools.count(self._next_index)
        if self._shuffle:
            return iter(self._rng.permutation(self._length).tolist())
        return iter(range(self._length))

    def _new_pass(self) -> Iterator[Batch]:
        dataset, indices = self._dataset, self._indices()
        workers = getattr(dataset, "workers", 1)
        processes = getattr(dataset, "use_multiprocessing", False)
        if workers > 1 or (workers > 0 and processes):
            ahead = getattr(dataset, "max_queue_size", 10)
            made: Iterable = _made_ahead(dataset, indices, workers, processes, ahead)
        else:
            made = map(dataset.__getitem__, indices)
        for batch in made:
            self._next_index += 1
            yield self._standardize(batch)


# The data set that a worker process serves.
_worker_dataset: Any = None


def _serve(dataset: Any) -> None:
    global _worker_dataset
    _worker_dataset = dataset


def _serve_batch(index: int) -> Any:
    return _worker_dataset[index]


def _made_ahead(
    dataset: Any, indices: Iterator[int], workers: int, processes: bool, ahead: int
) -> Iterator[Any]:
    """The batches in order, up to `ahead` of them made by workers before they are asked for."""
    from concurrent import futures

    pool: futures.Executor
    make: Callable[[int], Any]
    if processes:
        pool = futures.ProcessPoolExecutor(workers, initializer=_serve, initargs=(dataset,))
        make = _serve_batch
    else:
        pool = futures.ThreadPoolExecutor(workers, thread_name_prefix="PyDataset")
        make = dataset.__getitem__
    pending: deque[futures.Future] = deque()
    try:
        for index in indices:
            pending.append(pool.submit(make, index))
            if len(pending) > max(ahead, 1):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class IterableBatches(_Stream):
    """Batches from a generator, an iterator, or an iterable that can be walked again and again."""

    def __init__(
        self,
        iterable: Iterable,
        *,
        steps_per_epoch: int | None = None,
        class_weight: dict | None = None,
        dtype: Any = None,
        strings: bool = False,
    ) -> None:
        super().__init__(steps_per_epoch, class_weight, dtype, strings)
        self.restartable = not hasattr(iterable, "__next__")
        self._iterable = iterable
        self._length = _known_length(iterable)
        if isinstance(iterable, types.GeneratorType):
            self.kind, self.lists_are_tuples = "generator", False
        self._stream: Iterator[Batch] | None = None

    def peek_second(self) -> Batch | None:
        self.peek()
        if len(self._peeked) == 1:
            self._peeked.append(next(self._pass, None) if self._pass is not None else None)
        return self._peeked[1]

    def _new_pass(self) -> Iterator[Batch]:
        if self.restartable:
            return map(self._standardize, iter(self._iterable))
        if self._stream is None:  # what is left of the one pass there is
            self._stream = map(self._standardize, iter(self._iterable))
        return self._stream

    def _epoch_begin(self) -> None:
        if self.restartable:
            getattr(self._iterable, "on_epoch_begin", lambda: None)()

    def _epoch_end(self) -> None:
        if self.restartable:
            getattr(self._iterable, "on_epoch_end", lambda: None)()


def _known_length(iterable: Any) -> int | None:
    if hasattr(iterable, "cardinality"):  # as of tf.data: negative where infinite or unknown
        length = int(iterable.cardinality())
    elif hasattr(iterable, "__len__"):
        try:
            length = len(iterable)
        except TypeError:  # torch: a loader over an iterable data set has no length
            return None
    else:
        return None
    return length if length >= 0 else None
