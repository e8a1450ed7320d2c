"""Data sets that make their batches one by one, windows over a time series, and halves."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Iterator
from collections.abc import Sequence as Sequences
from numbers import Integral, Real
from typing import Any

import numpy as np

from minikeras.utils.folders import Dataset, as_array

_DEFAULTS = {"workers": 1, "use_multiprocessing": False, "max_queue_size": 10}


class _Setting:
    """A setting of the constructor, with its default where a subclass did not call that."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, dataset: Any, owner: type | None = None) -> Any:
        if dataset is None:
            return self
        if "_" + self.name not in dataset.__dict__:
            warnings.warn(
                "Your `PyDataset` class should call `super().__init__(**kwargs)` in its "
                "constructor. `**kwargs` can include `workers`, `use_multiprocessing`, "
                "`max_queue_size`. Do not pass these arguments to `fit()`, as they will be "
                "ignored.",
                stacklevel=2,
            )
            for name, default in _DEFAULTS.items():
                dataset.__dict__.setdefault("_" + name, default)
        return dataset.__dict__["_" + self.name]

    def __set__(self, dataset: Any, value: Any) -> None:
        dataset.__dict__["_" + self.name] = value


class PyDataset:
    """Base class of a data set that makes each batch when it is asked for it by number.

    A subclass provides `__getitem__(index)`, which returns the batch `(inputs, targets)` or
    `(inputs, targets, sample_weights)`, and `__len__()` (or the property `num_batches`; `None`
    there means that the data never end). `on_epoch_begin` and `on_epoch_end` may be overridden.
    Also known as `Sequence`.

    Args:
        workers: How many threads or processes make batches ahead. Defaults to 1: none, batches are
            made as they are needed.
        use_multiprocessing: Whether workers are processes. Defaults to False: threads. NumPy lets
            threads run side by side in most of its work; processes help where batches are made in
            pure Python. The data set must then be picklable, or processes be forked.
        max_queue_size: How many batches are made ahead at most. Defaults to 10.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> class Rows(minikeras.utils.PyDataset):
    ...     def __init__(self, x, y, batch_size, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.x, self.y, self.batch_size = x, y, batch_size
    ...     def __len__(self):
    ...         return -(-len(self.x) // self.batch_size)
    ...     def __getitem__(self, index):
    ...         rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
    ...         return self.x[rows], self.y[rows]
    >>> rows = Rows(np.arange(5), np.arange(5) ** 2, batch_size=2)
    >>> rows.num_batches
    3
    >>> rows[2]
    (array([4]), array([16]))
    """

    workers = _Setting()
    use_multiprocessing = _Setting()
    max_queue_size = _Setting()

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Returns batch number `index`: a tuple `(inputs, targets)`, or one with weights too."""
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__(index)`.")

    def __iter__(self) -> Iterator[Any]:
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """How many batches an epoch has; `None` where the data never end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            "You need to implement the `num_batches` property:\n\n"
            "@property\ndef num_batches(self):\n  return ..."
        )

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of an epoch."""


Sequence = PyDataset


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Cuts a series into windows of equal length.

    Window `i` starts at `p = start_index + i * sequence_stride` and holds the steps
    `p, p + sampling_rate, ...`; its target is `targets[p]`.

    Args:
        data: The series, an array whose first axis is time.
        targets: What belongs to a window that starts at each step, or `None`. To predict
            `data[t]` from the `n` steps before it, pass `data[n:]`.
        sequence_length: The number of steps in a window.
        sequence_stride: Steps from the start of a window to that of the next. Defaults to 1.
        sampling_rate: Steps of `data` between the steps of a window. Defaults to 1.
        batch_size: Windows a batch, or `None` for single windows. Defaults to 128.
        shuffle: Whether the windows come in an order drawn by chance, anew for each walk.
        seed: The seed of the order.
        start_index: Steps before this one are not used.
        end_index: This step and those after it are not used.
        format: `"tf"` or `"grain"`; both give NumPy arrays.

    Returns:
        An iterable of arrays of shape `(batch, sequence_length, ...)`, or with `targets` of tuples
        `(windows, targets)`. It can be passed to `fit`.

    Raises:
        ValueError: An argument is out of range.

    Example:

    >>> import minikeras, numpy as np
    >>> series = np.arange(6)
    >>> windows = minikeras.utils.timeseries_dataset_from_array(series, series[3:], 3)
    >>> for x, y in windows:
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]] [3, 4, 5]
    """
    size = len(data)
    if start_index is not None and not 0 <= start_index < size:
        raise ValueError(
            "`start_index` must be at least 0 and below the length of the data. "
            f"Received: start_index={start_index}, for data of length {size}"
        )
    first = start_index or 0
    if end_index is not None and not first < end_index < size:
        raise ValueError(
            "`end_index` must be above `start_index` and below the length of the data. "
            f"Received: end_index={end_index}, start_index={start_index}, "
            f"for data of length {size}"
        )
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < size:
            raise ValueError(
                f"`{name}` must be above 0 and below the length of the data. "
                f"Received: {name}={value}, for data of length {size}"
            )
    if sequence_length < 1:
        raise ValueError(
            f"`sequence_length` must be at least 1. Received: sequence_length={sequence_length}"
        )
    if format not in ("tf", "grain"):
        raise ValueError(f"`format` should be either 'tf' or 'grain'. Received: format={format!r}")

    used = slice(first, size if end_index is None else end_index)
    series = as_array(data)[used]
    count = len(series) - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = as_array(targets)[used]
        count = min(count, len(targets))
    starts = np.arange(0, max(count, 0), sequence_stride)
    steps = np.arange(sequence_length) * sampling_rate
    if shuffle:
        rng = np.random.RandomState(np.random.randint(1_000_000) if seed is None else seed)

    def pick(chosen: Any) -> Any:
        windows = series[np.add.outer(chosen, steps)]
        return windows if targets is None else (windows, targets[chosen])

    def walk() -> Iterator:
        order = starts.copy()
        if shuffle:
            rng.shuffle(order)
        if batch_size is None:
            return map(pick, order)
        return (pick(order[i : i + batch_size]) for i in range(0, len(order), batch_size))

    length = len(starts) if batch_size is None else -(-len(starts) // batch_size)
    return Dataset(walk, length)


def split_dataset(
    dataset: Any,
    left_size: int | float | None = None,
    right_size: int | float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Splits a data set into a left and a right one.

    Args:
        dataset: An array, a list or tuple of arrays of equal length, or a data set such as
            `image_dataset_from_directory` returns.
        left_size: The size of the left part: a number of samples, or a part between 0 and 1.
            Defaults to what the right one leaves.
        right_size: The same for the right part.
        shuffle: Whether to shuffle first. Defaults to `False`.
        seed: The seed of the shuffle.
        preferred_backend: `"numpy"` or `None`, the one backend there is.

    Returns:
        Two data sets of single samples (`.batch(32)` batches them), or of batches if `dataset`
        has batches.

    Raises:
        TypeError: `dataset` is none of these, or a size is no number.
        ValueError: A size is out of range, both are missing, or the data are empty or of unequal
            lengths.

    Example:

    >>> import minikeras, numpy as np
    >>> left, right = minikeras.utils.split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), list(right)
    (8, [np.int64(8), np.int64(9)])
    """
    if preferred_backend not in (None, "numpy"):
        raise ValueError(
            "`preferred_backend` must be 'numpy' or None: there is no other backend. "
            f"Received: preferred_backend={preferred_backend!r}"
        )
    samples, batch_size = _samples(dataset)
    if not samples:
        raise ValueError("`dataset` is empty: there is nothing to split.")
    left, right = _sizes(left_size, right_size, len(samples))
    if shuffle:
        # As Keras: the order that random.seed(seed); random.shuffle(...) gives.
        random.Random(random.randint(0, int(1e6)) if seed is None else seed).shuffle(samples)
    return _restored(samples[:left], batch_size), _restored(samples[-right:], batch_size)


def _samples(dataset: Any) -> tuple[list, int | None]:
    if isinstance(dataset, np.ndarray):
        return list(dataset), None
    if isinstance(dataset, (list, tuple)):
        arrays = [np.asarray(array) for array in dataset]
        if not all(isinstance(array, np.ndarray) for array in dataset):
            raise ValueError(
                f"`dataset` must be a {type(dataset).__name__} of arrays. Received: "
                f"{next(type(array) for array in dataset if not isinstance(array, np.ndarray))}"
            )
        if len({len(array) for array in arrays}) > 1:
            raise ValueError(
                "The arrays in `dataset` must have one length. "
                f"Received lengths {[len(array) for array in arrays]}"
            )
        return list(zip(*arrays)), None
    if isinstance(dataset, Dataset):
        batch_size = dataset._batch_size
        return list(dataset if batch_size is None else dataset.unbatch()), batch_size
    raise TypeError(
        "`dataset` must be an array, a list or tuple of arrays, or a data set such as "
        f"`image_dataset_from_directory` returns. Received: {type(dataset)}"
    )


def _sizes(left_size: Any, right_size: Any, total: int) -> tuple[int, int]:
    if left_size is None and right_size is None:
        raise ValueError("Pass `left_size` or `right_size`: both are None.")
    sizes: list[int | None] = []
    for name, size in (("left_size", left_size), ("right_size", right_size)):
        if size is None:
            sizes.append(None)
            continue
        if isinstance(size, bool) or not isinstance(size, Real):
            raise TypeError(f"`{name}` must be an int, a float or None. Received: {type(size)}")
        whole, number = isinstance(size, Integral), float(size)
        if not 0 < number < (total if whole else 1):
            raise ValueError(
                f"`{name}` must be a whole number between 0 and {total}, or a float between 0 and "
                f"1. Received: {name}={size}"
            )
        sizes.append(int(number) if whole else round(number * total))
    if (
        isinstance(left_size, float)
        and isinstance(right_size, float)
        and left_size + right_size > 1
    ):
        raise ValueError(
            "`left_size` and `right_size` must not add up to more than 1. "
            f"Received: left_size={left_size}, right_size={right_size}"
        )
    left = total - sizes[1] if sizes[0] is None and sizes[1] is not None else sizes[0]
    right = total - sizes[0] if sizes[1] is None and sizes[0] is not None else sizes[1]
    assert left is not None and right is not None
    if not (left and right) or left + right > total:
        raise ValueError(
            f"A data set of {total} samples cannot be split into {left} and {right}. "
            f"Received: left_size={left_size}, right_size={right_size}"
        )
    return left, right


def _restored(samples: Sequences, batch_size: int | None) -> Dataset:
    part = Dataset(lambda: iter(samples), len(samples))
    return part if batch_size is None else part.batch(batch_size)
