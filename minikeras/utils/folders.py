"""Iterables of samples, and labelled files found in folders: what data sets share."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.utils.progbar import print_msg


class Dataset:
    """Samples or batches, made anew each time they are walked.

    What `image_dataset_from_directory` and its kin return. `fit`, `evaluate` and `predict` take it
    as it is. The methods are those of a `tf.data.Dataset` that scripts use most; each returns a new
    data set.

    Args:
        make_iterator: Called for each walk; returns an iterator.
        length: How many items a walk has, or `None` if that is not known.

    Example:

    >>> from minikeras.utils.folders import Dataset
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


def dataset_from_directory(
    directory: Any,
    formats: tuple[str, ...],
    read: Callable[[str], Any],
    *,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
    stack: Callable[[list], Any] = stacked,
) -> Any:
    """Makes the data set, or for `subset="both"` the two, that the arguments describe.

    Args:
        directory: The folder.
        formats: The endings of files to take, in lower case.
        read: Makes a sample of a path.
        stack: Makes a batch of a list of samples.

    The other arguments are those of `image_dataset_from_directory`.
    """
    _check(labels, label_mode, class_names, validation_split, subset, shuffle, seed)
    if labels is None or label_mode is None:
        labels = label_mode = None
    if seed is None:
        seed = int(np.random.randint(1_000_000))
    paths, numbers, names = index_directory(
        directory, labels, formats, class_names, shuffle, seed, follow_links, verbose
    )
    if label_mode == "binary" and len(names or ()) != 2:
        raise ValueError(
            "With `label_mode='binary'` there must be exactly 2 classes. Received:"
            f" class_names={names}"
        )
    encoded = _encoded(numbers, label_mode, len(names or ()))
    made = []
    for part in ("training", "validation") if subset == "both" else (subset,):
        chosen = _chosen(len(paths), validation_split, part)
        if len(paths[chosen]) == 0:
            share = f"{part} " if part else ""
            found = {
                ".png": "images found. None is",
                ".wav": "audio files found",
                ".txt": "text files found",
            }
            what = next((found[one] for one in found if one in formats), "files found")
            raise ValueError(
                f"No {share}{what} in directory {directory}. Files ending in"
                f" {', '.join(formats)} are taken."
            )
        dataset = _dataset(
            paths[chosen],
            None if encoded is None else encoded[chosen],
            read,
            stack,
            batch_size,
            # Validation data beside training data keep their order.
            shuffle and not (subset == "both" and part == "validation"),
            seed,
        )
        dataset.class_names = names
        dataset.file_paths = paths[chosen]
        made.append(dataset)
    return made if subset == "both" else made[0]


def _dataset(
    paths: list[str],
    labels: np.ndarray | None,
    read: Callable[[str], Any],
    stack: Callable[[list], Any],
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
) -> Dataset:
    options: dict[str, Any] = {"shuffle": shuffle, "seed": seed, "batch_size": batch_size}
    if labels is None:
        return from_samples(paths, read, stack=stack, **options)

    def read_pair(pair: tuple[str, Any]) -> tuple:
        return read(pair[0]), pair[1]

    def stack_pairs(pairs: list) -> tuple:
        return stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])

    return from_samples(list(zip(paths, labels)), read_pair, stack=stack_pairs, **options)


def _check(
    labels: Any,
    label_mode: Any,
    class_names: Any,
    validation_split: Any,
    subset: Any,
    shuffle: bool,
    seed: Any,
) -> None:
    if not (
        labels is None or isinstance(labels, (list, tuple, np.ndarray)) or labels == "inferred"
    ):
        raise ValueError(
            "`labels` argument should be 'inferred' (from the names of subfolders), None, or a list"
            f" of one whole number a file. Received: labels={labels!r}"
        )
    if class_names and not (isinstance(labels, str) and labels == "inferred"):
        raise ValueError(
            'You can only pass `class_names` if `labels="inferred"`. '
            f"Received: labels={labels!r}, class_names={class_names!r}"
        )
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            "`label_mode` argument must be 'int', 'categorical', 'binary' or None. "
            f"Received: label_mode={label_mode!r}"
        )
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(
            "`validation_split` must be between 0 and 1. "
            f"Received: validation_split={validation_split}"
        )
    if subset not in ("training", "validation", "both", None):
        raise ValueError(
            '`subset` must be either "training", "validation" or "both", or it is None. '
            f"Received: subset={subset!r}"
        )
    if bool(validation_split) != bool(subset):
        raise ValueError(
            "`validation_split` must be set where `subset` is, and the other way round. "
            f"Received: validation_split={validation_split}, subset={subset!r}"
        )
    if validation_split and shuffle and seed is None:
        raise ValueError(
            "You must provide a `seed` along with `validation_split` and `shuffle`: without it the"
            " training and the validation part would overlap."
        )


def index_directory(
    directory: Any,
    labels: Any,
    formats: tuple[str, ...],
    class_names: Sequence[str] | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], np.ndarray | None, list[str] | None]:
    """Lists files and their classes in the order that Keras gives them.

    Returns:
        Paths, the class of each (or `None`), and the names of the classes (or `None`).
    """
    directory = os.fspath(directory)
    folders = [""]
    if isinstance(labels, str):
        folders = sorted(
            entry.name
            for entry in os.scandir(directory)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if class_names is not None:
            if not set(class_names) <= set(folders):
                raise ValueError(
                    "The `class_names` passed did not match the names of the subfolders of"
                    f" {directory}: {folders}. "
                    f"Received: class_names={class_names!r}"
                )
            folders = list(class_names)
    paths: list[str] = []
    counts = []
    for folder in folders:
        found = _files(os.path.join(directory, folder), formats, follow_links)
        paths += found
        counts.append(len(found))

    numbers: np.ndarray | None = None
    names: list[str] | None = None
    if isinstance(labels, str):
        numbers, names = np.repeat(np.arange(len(folders), dtype="int32"), counts), folders
    elif labels is not None:
        if len(labels) != len(paths):
            raise ValueError(
                "Expected the lengths of `labels` to match the number of files in the directory. "
                f"Received {len(labels)} labels for {len(paths)} files in {directory}."
            )
        numbers = np.array(labels, dtype="int32")
        names = [str(label) for label in sorted({int(label) for label in labels})]
    if verbose:
        belonging = "" if names is None else f" belonging to {len(names)} classes"
        print_msg(f"Found {len(paths)} files{belonging}.")
    if shuffle:
        order = np.arange(len(paths))
        np.random.RandomState(seed).shuffle(order)
        paths = [paths[i] for i in order]
        numbers = None if numbers is None else numbers[order]
    return paths, numbers, names


def _files(folder: str, formats: tuple[str, ...], follow_links: bool) -> list[str]:
    walk = sorted(os.walk(folder, followlinks=follow_links))
    return [
        os.path.join(root, name)
        for root, _, names in walk
        for name in sorted(names)
        if name.lower().endswith(formats)
    ]


def _chosen(count: int, validation_split: float | None, part: str | None) -> slice:
    if part is None or not validation_split:
        return slice(None)
    training = count - int(validation_split * count)
    if part == "training":
        print_msg(f"Using {training} files for training.")
        return slice(training)
    print_msg(f"Using {count - training} files for validation.")
    return slice(training, None)


def _encoded(
    numbers: np.ndarray | None, label_mode: str | None, class_count: int
) -> np.ndarray | None:
    if numbers is None or label_mode == "int":
        return numbers
    if label_mode == "binary":
        return numbers.astype("float32")[:, None]
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < class_count:
        raise ValueError(
            f"`labels` must be numbers from 0 to {class_count - 1} for `label_mode='categorical'`. "
            f"Received numbers from {numbers.min()} to {numbers.max()}."
        )
    return np.eye(class_count, dtype="float32")[numbers]
