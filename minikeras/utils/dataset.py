"""An iterable of samples or batches that can be walked again and again."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minikeras import config


class Dataset:
    """Samples or batches, made anew each time they are walked.

    What `image_dataset_from_directory` and its kin return. `fit`, `evaluate` and `predict` take it
    as it is. The methods are those of a `tf.data.Dataset` that scripts use most; each returns a new
    data set.

    Args:
        make_iterator: Called for each walk; returns an iterator.
        length: How many items a walk has, or `None` if that is not known.

    Example:

    >>> from minikeras.utils.dataset import Dataset
    >>> dataset = Dataset(lambda: iter(range(5)), length=5)
    >>> [batch.tolist() for batch in dataset.map(lambda x: x * 10).batch(2)]
    [[0, 10], [20, 30], [40]]
    """

    # What the makers of data sets fill in.
    class_names: list[str] | None = None
    file_paths: list[str] | None = None

    def __init__(self, make_iterator: Callable[[], Iterator], length: int | None = None) -> None:
        self._make_iterator = make_iterator
        self._length = length
        self._samples: Dataset | None = None  # what the batches were made of
        self._batch_size: int | None = None

    def __iter__(self) -> Iterator:
        return self._make_iterator()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("The length of this data set is not known.")
        return self._length

    def __bool__(self) -> bool:
        return True

    def cardinality(self) -> int:
        """Returns the number of items, or -2 if it is not known."""
        return -2 if self._length is None else self._length

    def _derived(
        self, transform: Callable[[Iterator], Iterable], length: int | None = None
    ) -> "Dataset":
        derived = Dataset(lambda: iter(transform(iter(self))), length)
        derived.class_names, derived.file_paths = self.class_names, self.file_paths
        return derived

    def map(self, map_func: Callable, num_parallel_calls: Any = None) -> "Dataset":
        """Applies a function to each item; an item that is a tuple becomes several arguments.

        Args:
            map_func: The function.
            num_parallel_calls: Accepted for scripts that pass it. Items are made one after another.
        """

        def call(item: Any) -> Any:
            return map_func(*item) if isinstance(item, tuple) else map_func(item)

        return self._derived(lambda items: map(call, items), self._length)

    def take(self, count: int) -> "Dataset":
        """Keeps the first `count` items, or all of them if it is negative."""
        if count < 0:
            return self._derived(lambda items: items, self._length)
        length = None if self._length is None else min(count, self._length)
        return self._derived(lambda items: itertools.islice(items, count), length)

    def skip(self, count: int) -> "Dataset":
        """Leaves out the first `count` items."""
        length = None if self._length is None else max(self._length - count, 0)
        return self._derived(lambda items: itertools.islice(items, count, None), length)

    def cache(self) -> "Dataset":
        """Keeps the items of the first whole walk in memory for the walks after it."""
        kept: list | None = None

        def walk(items: Iterator) -> Iterator:
            nonlocal kept
            if kept is not None:
                yield from kept
                return
            seen = []
            for item in items:
                seen.append(item)
                yield item
            kept = seen

        return self._derived(walk, self._length)

    def prefetch(self, buffer_size: Any = None) -> "Dataset":
        """Returns an equal data set: items are made when they are asked for."""
        return self._derived(lambda items: items, self._length)

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool = True,
    ) -> "Dataset":
        """Gives the items in an order drawn by chance from a buffer.

        Args:
            buffer_size: How many items the buffer holds. The larger, the better mixed.
            seed: The seed, or `None` to take one from NumPy's global generator.
            reshuffle_each_iteration: Whether each walk has another order. Defaults to `True`.
        """
        seed = _seed_or_drawn(seed)
        rng = np.random.RandomState(seed)

        def walk(items: Iterator) -> Iterator:
            draw = rng if reshuffle_each_iteration else np.random.RandomState(seed)
            buffer = list(itertools.islice(items, max(buffer_size, 1)))
            for item in items:
                place = draw.randint(len(buffer))
                yield buffer[place]
                buffer[place] = item
            order = np.arange(len(buffer))
            draw.shuffle(order)
            yield from (buffer[i] for i in order)

        return self._derived(walk, self._length)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> "Dataset":
        """Stacks each `batch_size` items into one.

        Args:
            batch_size: The number of items a batch.
            drop_remainder: Whether to leave out a last batch that is smaller.
                Defaults to `False`.
        """
        return self._batched(batch_size, stacked, drop_remainder)

    def _batched(
        self, batch_size: int, stack: Callable[[list], Any], drop_remainder: bool = False
    ) -> "Dataset":
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")

        def walk(items: Iterator) -> Iterator:
            while group := list(itertools.islice(items, batch_size)):
                if len(group) == batch_size or not drop_remainder:
                    yield stack(group)

        length = self._length
        if length is not None:
            length = length // batch_size if drop_remainder else -(-length // batch_size)
        batches = self._derived(walk, length)
        batches._samples, batches._batch_size = self, batch_size
        return batches

    def unbatch(self) -> "Dataset":
        """Takes batches apart into samples."""
        if self._samples is not None:
            return self._samples
        return self._derived(lambda items: itertools.chain.from_iterable(map(_rows, items)))

    def as_numpy_iterator(self) -> Iterator:
        """Returns an iterator over the items, which are NumPy arrays anyway."""
        return iter(self)


def stacked(items: list) -> Any:
    """Stacks arrays, or tuples, lists or dictionaries of arrays, along a new first axis."""
    first = items[0]
    if isinstance(first, dict):
        return {key: stacked([item[key] for item in items]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(stacked(list(parts)) for parts in zip(*items))
    if isinstance(first, str):
        return as_object_array(items)
    return np.stack(items)


def as_object_array(items: list) -> np.ndarray:
    """Returns a one-dimensional array of Python objects."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _rows(batch: Any) -> Iterator:
    if isinstance(batch, dict):
        return (dict(zip(batch, row)) for row in zip(*map(_rows, batch.values())))
    if isinstance(batch, (tuple, list)):
        return zip(*map(_rows, batch))
    return iter(batch)


def _seed_or_drawn(seed: int | None) -> int:
    return int(np.random.randint(1_000_000)) if seed is None else seed


def from_samples(
    samples: Any,
    read: Callable[[Any], Any],
    *,
    shuffle: bool,
    seed: int | None,
    batch_size: int | None,
    stack: Callable[[list], Any] = stacked,
) -> Dataset:
    """Makes a data set of samples that are read one by one as they are needed.

    Args:
        samples: A sequence of what `read` takes.
        read: Makes a sample.
        shuffle: Whether each walk has an order of its own.
        seed: The seed of these orders, or `None` to draw one.
        batch_size: The size of batches, or `None` for single samples.
        stack: Makes a batch of a list of samples.
    """
    rng = np.random.RandomState(_seed_or_drawn(seed)) if shuffle else None

    def walk() -> Iterator:
        order = np.arange(len(samples))
        if rng is not None:
            rng.shuffle(order)
        return (read(samples[i]) for i in order)

    dataset = Dataset(walk, len(samples))
    return dataset if batch_size is None else dataset._batched(batch_size, stack)


def as_array(x: Any) -> np.ndarray:
    """Returns an array: lists of numbers become `floatx` or `int32`, arrays keep their dtype."""
    if isinstance(x, np.ndarray):
        return x
    array = np.asarray(x)
    if hasattr(x, "dtype"):
        return array
    narrow = {"f": config.floatx(), "i": "int32"}.get(array.dtype.kind)
    return array if narrow is None else array.astype(narrow)
