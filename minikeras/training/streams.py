"""Data that come in batches already: `PyDataset`s, generators, loaders, any iterable."""

from __future__ import annotations

import itertools
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.training.arrays import Batch, BatchSource
from minikeras.training.convert import as_arrays, is_array_like, to_array


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
        return tree.map_structure(
            lambda leaf: None if leaf is None else to_array(leaf, name, self._float, self._strings),
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
