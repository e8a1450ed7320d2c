"""`tf.data`: data sets of tensors, over NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minikeras.engine import rng
from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import TensorSpec, constant
from minikeras.utils.folders import Dataset as _Dataset

__all__ = [
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
    "Dataset",
    "Options",
    "TextLineDataset",
    "assert_cardinality",
    "cardinality",
    "sample_from_datasets",
]
AUTOTUNE = -1
INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = -1, -2
_FOREVER = -1


def _tensors(element: Any) -> Any:
    """An element as a structure of tensors: a list is one tensor, as in TensorFlow."""
    if isinstance(element, dict):
        return {key: _tensors(value) for key, value in element.items()}
    if isinstance(element, tuple):
        made = [_tensors(value) for value in element]
        return type(element)(*made) if hasattr(element, "_fields") else tuple(made)
    if isinstance(element, (Tensor, Dataset)) or element is None:
        return element
    if hasattr(element, "value") and hasattr(element, "assign"):
        return Tensor(np.asarray(element))
    if isinstance(element, list) and any(isinstance(one, Tensor) for one in element):
        element = np.stack([array_of(one) for one in element])
    if type(element).__module__.startswith("pandas") and hasattr(element, "to_numpy"):
        element = element.to_numpy()
    return constant(element)


def _leaves(element: Any) -> list:
    if isinstance(element, dict):
        return [leaf for value in element.values() for leaf in _leaves(value)]
    if isinstance(element, tuple):
        return [leaf for value in element for leaf in _leaves(value)]
    return [element]


def _mapped(function: Callable, *elements: Any) -> Any:
    """`function` of the leaves, in the structure of the first element."""
    first = elements[0]
    if isinstance(first, dict):
        return {key: _mapped(function, *(one[key] for one in elements)) for key in first}
    if isinstance(first, tuple):
        made = [_mapped(function, *parts) for parts in zip(*elements)]
        return type(first)(*made) if hasattr(first, "_fields") else tuple(made)
    return function(*elements)


def _stacked(elements: list) -> Any:
    def stack(*leaves: Any) -> Any:
        arrays = [leaf.array for leaf in leaves]
        try:
            return Tensor(np.stack(arrays))
        except ValueError:
            raise ValueError(
                "Cannot batch tensors with different shapes. Received shapes:"
                f" {sorted({one.shape for one in arrays})}. Pad them (`padded_batch`) or crop them."
            ) from None

    return _mapped(stack, *elements)


def _call(function: Callable, element: Any) -> Any:
    return function(*element) if isinstance(element, tuple) else function(element)


def _number(value: Any) -> int:
    return int(array_of(value))


class Options:
    """How a data set is made: kept, and without effect. Elements come in their order."""

    def __init__(self) -> None:
        self.deterministic = True
        self.threading = self.autotune = self.experimental_distribute = _Anything()
        self.experimental_optimization = self.experimental_threading = _Anything()
        self.experimental_deterministic = True


class _Anything:
    """Settings of settings."""


class Dataset(_Dataset):
    """Elements (tensors, or tuples or dictionaries of them), made anew at each walk.

    `fit`, `evaluate` and `predict` take a data set of batches. Elements are made one after
    another, in order; arguments that say how many to make at a time do not change what comes.

    Example:

    >>> from minikeras.standin.tf.data import Dataset
    >>> dataset = Dataset.from_tensor_slices([1, 2, 3]).map(lambda x: x * 10).batch(2)
    >>> [batch.numpy().tolist() for batch in dataset]
    [[10, 20], [30]]
    """

    def __init__(
        self,
        make_iterator: Callable[[], Iterator],
        length: int | None = None,
        spec: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(make_iterator, length)
        self._spec = spec
        # Rows of arrays in some order: kept apart as long as possible, then gathered at once.
        self._arrays: Any = None
        self._order: Callable[[], Iterator[int]] | None = None

    # Sources

    @classmethod
    def _of_rows(
        cls, arrays: Any, order: Callable[[], Iterator[int]], length: int | None
    ) -> Dataset:
        def walk() -> Iterator:
            for place in order():
                yield _mapped(lambda array, place=place: Tensor(array[place]), arrays)

        made = cls(walk, length)
        made._arrays, made._order = arrays, order
        return made

    @classmethod
    def from_tensor_slices(cls, tensors: Any, name: Any = None) -> Dataset:
        """One element a row.

        Raises:
            ValueError: the arrays have no rows, or not equally many.
        """
        arrays = _mapped(lambda leaf: leaf.array, _tensors(_plain_dict(tensors)))
        counts = {leaf.shape[0] if leaf.ndim else None for leaf in _leaves(arrays)}
        if len(counts) != 1 or None in counts:
            raise ValueError(
                "from_tensor_slices needs arrays with equally many rows. Received shapes:"
                f" {[leaf.shape for leaf in _leaves(arrays)]}"
            )
        count: Any = counts.pop()
        return Dataset._of_rows(arrays, lambda: iter(range(count)), count)

    @staticmethod
    def from_tensors(tensors: Any, name: Any = None) -> Dataset:
        """One element."""
        element = _tensors(_plain_dict(tensors))
        return Dataset(lambda: iter([element]), 1)

    @staticmethod
    def from_generator(
        generator: Callable,
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: Any = None,
    ) -> Dataset:
        """What a function's iterator gives, in the dtypes of the signature or of `output_types`."""
        spec = output_signature
        if spec is None and output_types is not None:
            shapes = output_shapes
            spec = _mapped(
                lambda kind, *shape: TensorSpec(shape[0] if shape else (), kind),
                _as_tuples(output_types),
                *(() if shapes is None or _is_shape(shapes) else (_as_tuples(shapes),)),
            )
        given = [array_of(one) for one in args or ()]

        def typed(leaf_spec: Any, value: Any) -> Any:
            return constant(value, leaf_spec.dtype)

        def walk() -> Iterator:
            for element in generator(*given):
                if spec is None:
                    yield _tensors(element)
                    continue
                yield _mapped(typed, spec, _like(spec, element))

        declared = output_signature
        return Dataset(walk, None, None if declared is None else lambda: declared)

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: Any = None) -> Dataset:
        """Integers, as `range` has them."""
        numbers = range(*map(_number, args))
        kind = np.dtype(as_dtype(output_type).name)
        return Dataset._of_rows(
            np.asarray(numbers, kind), lambda: iter(range(len(numbers))), len(numbers)
        )

    @staticmethod
    def zip(*datasets: Any, name: Any = None) -> Dataset:
        """Elements of several data sets side by side, as long as the shortest."""
        parts = datasets[0] if len(datasets) == 1 else datasets
        flat = _leaves(parts)
        lengths = [one._length for one in flat]
        finite = [one for one in lengths if one is not None and one >= 0]
        length = None if None in lengths else min(finite, default=_FOREVER)

        def walk() -> Iterator:
            for items in zip(*flat):
                left = iter(items)
                yield _mapped(lambda _, left=left: next(left), parts)

        return Dataset(walk, length)

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: Any = None) -> Dataset:
        """The files that fit a pattern, in any order unless `shuffle` is False."""
        from minikeras.standin.tf.small import glob

        patterns = file_pattern
        if hasattr(patterns, "shape"):
            patterns = [
                one.decode() if isinstance(one, bytes) else one
                for one in np.ravel(array_of(patterns))
            ]
        names = glob(patterns)
        if not names:
            raise ValueError(f"No files matched pattern: {file_pattern}")
        dataset = Dataset.from_tensor_slices(names)
        return dataset if shuffle is False else dataset.shuffle(len(names), seed)

    @staticmethod
    def random(seed: Any = None, rerandomize_each_iteration: Any = None) -> Dataset:
        """Random integers without end."""

        def walk() -> Iterator:
            draw = rng.draw_generator(seed)
            while True:
                yield Tensor(np.asarray(draw.integers(0, 2**32), "int64"))

        return Dataset(walk, _FOREVER)

    @staticmethod
    def counter(start: Any = 0, step: Any = 1, dtype: Any = "int64") -> Dataset:
        """Integers without end."""
        kind = as_dtype(dtype).name
        first, by = _number(start), _number(step)
        return Dataset(
            lambda: (Tensor(np.asarray(one, kind)) for one in itertools.count(first, by)), _FOREVER
        )

    @staticmethod
    def sample_from_datasets(
        datasets: Any, weights: Any = None, seed: Any = None, *_: Any, **__: Any
    ) -> Dataset:
        """Elements of several data sets, each drawn from one by chance."""

        def walk() -> Iterator:
            draw = rng.draw_generator(seed)
            iterators = [iter(one) for one in datasets]
            odds = np.ones(len(iterators)) if weights is None else np.array(weights, "float64")
            while odds.sum() > 0:
                place = int(draw.choice(len(iterators), p=odds / odds.sum()))
                try:
                    yield next(iterators[place])
                except StopIteration:
                    odds[place] = 0

        return Dataset(walk)

    # What it is

    def __iter__(self) -> Iterator:
        return self._make_iterator()

    def __len__(self) -> int:
        if self._length == _FOREVER:
            raise TypeError("The dataset is infinite.")
        return super().__len__()

    def cardinality(self) -> Any:
        """The number of elements, -1 without end, -2 if it is not known."""
        return Tensor(np.asarray(-2 if self._length is None else self._length, "int64"))

    @property
    def element_spec(self) -> Any:
        """Shapes and dtypes of an element."""
        if self._spec is not None:
            return self._spec()
        return _mapped(TensorSpec.from_tensor, next(iter(self)))

    def _derived(
        self, transform: Callable[[Iterator], Iterable], length: int | None = None
    ) -> Dataset:
        derived = Dataset(lambda: iter(transform(iter(self))), length)
        derived.class_names, derived.file_paths = self.class_names, self.file_paths
        return derived

    def _reordered(self, transform: Callable[[Iterator], Iterable], length: int | None) -> Dataset:
        """Other elements of the same, in another order: numbers of rows, or elements."""
        order = self._order
        if order is None:
            derived = self._derived(transform, length)
            derived._spec = self._spec
            return derived
        return Dataset._of_rows(self._arrays, lambda: iter(transform(order())), length)

    # Steps

    def map(  # type: ignore[override]
        self, map_func: Callable, num_parallel_calls: Any = None, *_: Any, **__: Any
    ) -> Dataset:
        """A function of each element; a tuple becomes several arguments."""
        return self._derived(
            lambda items: (_tensors(_call(map_func, item)) for item in items), self._length
        )

    def filter(self, predicate: Callable, name: Any = None) -> Dataset:
        """The elements for which a function is true."""
        return self._derived(lambda items: (item for item in items if bool(_call(predicate, item))))

    def flat_map(self, map_func: Callable, name: Any = None) -> Dataset:
        """The elements of the data sets that a function returns, one set after the other."""
        return self._derived(
            lambda items: (inner for item in items for inner in _call(map_func, item))
        )

    def interleave(
        self,
        map_func: Callable,
        cycle_length: Any = None,
        block_length: Any = None,
        *_: Any,
        **__: Any,
    ) -> Dataset:
        """The elements of the data sets that a function returns, from several in turn."""
        width = 1 if cycle_length in (None, AUTOTUNE) else _number(cycle_length)
        block = 1 if block_length is None else _number(block_length)

        def walk(items: Iterator) -> Iterator:
            slots: list = [iter(_call(map_func, item)) for item in itertools.islice(items, width)]
            while any(slot is not None for slot in slots):
                for place in range(len(slots)):
                    if slots[place] is None:
                        continue
                    group = list(itertools.islice(slots[place], block))
                    yield from group
                    if len(group) < block:
                        following = list(itertools.islice(items, 1))
                        slots[place] = iter(_call(map_func, following[0])) if following else None

        return self._derived(walk)

    def take(self, count: Any, name: Any = None) -> Dataset:
        """The first `count` elements, or all of them if it is negative."""
        number = _number(count)
        if number < 0:
            return self._reordered(lambda items: items, self._length)
        length = self._length
        if length is not None:
            length = number if length == _FOREVER else min(number, length)
        return self._reordered(lambda items: itertools.islice(items, number), length)

    def skip(self, count: Any, name: Any = None) -> Dataset:
        """Without the first `count` elements."""
        number = _number(count)
        if number < 0:
            return self._reordered(lambda items: iter(()), 0)
        length = self._length
        if length is not None and length >= 0:
            length = max(length - number, 0)
        return self._reordered(lambda items: itertools.islice(items, number, None), length)

    def shard(self, num_shards: Any, index: Any, name: Any = None) -> Dataset:
        """Each `num_shards`-th element, from that of the number `index`."""
        count, first = _number(num_shards), _number(index)
        length = self._length
        if length is not None and length >= 0:
            length = len(range(first, length, count))
        return self._reordered(lambda items: itertools.islice(items, first, None, count), length)

    def repeat(self, count: Any = None, name: Any = None) -> Dataset:
        """All again, `count` times, or without end."""
        number = -1 if count is None else _number(count)
        source = self._order if self._order is not None else self.__iter__

        def again(_: Iterator) -> Iterator:
            for _round in itertools.count() if number < 0 else range(number):
                empty = True
                for item in source():
                    empty = False
                    yield item
                if empty:
                    return

        length = self._length
        if number < 0:
            length = _FOREVER
        elif length is not None and length >= 0:
            length *= number
        return self._reordered(again, length)

    def shuffle(  # type: ignore[override]
        self,
        buffer_size: Any,
        seed: Any = None,
        reshuffle_each_iteration: bool | None = True,
        name: Any = None,
    ) -> Dataset:
        """Elements in an order drawn by chance from a buffer."""
        size = _number(buffer_size)
        if size < 1:
            raise ValueError(f"`buffer_size` must be at least 1. Received: {size}")
        own = rng.SeedGenerator(None if seed is None else int(seed))
        first = own.state.array.copy()

        def walk(items: Iterator) -> Iterator:
            if reshuffle_each_iteration is False:
                own.state.array[...] = first
            draw = rng.draw_generator(own)
            buffer = list(itertools.islice(items, size))
            places: list = []
            for item in items:
                if not places:
                    places = draw.integers(0, size, 1024).tolist()
                place = places.pop()
                yield buffer[place]
                buffer[place] = item
            yield from (buffer[place] for place in draw.permutation(len(buffer)).tolist())

        return self._reordered(walk, self._length)

    def batch(  # type: ignore[override]
        self, batch_size: Any, drop_remainder: bool = False, *_: Any, **__: Any
    ) -> Dataset:
        """Each `batch_size` elements as one, with a new first axis."""
        size = _number(batch_size)
        if size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={size}")
        order, arrays = self._order, self._arrays

        def walk() -> Iterator:
            items = iter(self) if order is None else order()
            while group := list(itertools.islice(items, size)):
                if len(group) < size and drop_remainder:
                    return
                yield (
                    _stacked(group)
                    if order is None
                    else _mapped(lambda array, group=group: Tensor(_rows(array, group)), arrays)
                )

        length = self._length
        if length is not None and length >= 0:
            length = length // size if drop_remainder else -(-length // size)

        def spec() -> Any:
            lead = size if drop_remainder else None
            return _mapped(lambda one: TensorSpec((lead, *one.shape), one.dtype), self.element_spec)

        batches = Dataset(walk, length, spec)
        batches.class_names, batches.file_paths = self.class_names, self.file_paths
        batches._samples, batches._batch_size = self, size
        return batches

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: Any = None,
    ) -> Dataset:
        """As `batch`, elements padded at the ends of their axes to the longest, or to a shape."""
        size = _number(batch_size)

        def pad(leaves: list, shape: Any, value: Any) -> Any:
            arrays = [leaf.array for leaf in leaves]
            longest = [max(sizes) for sizes in zip(*(one.shape for one in arrays))]
            if shape is not None:
                longest = [
                    most if wanted in (None, -1) else int(wanted)
                    for most, wanted in zip(longest, shape)
                ]
            blank: Any = b"" if arrays[0].dtype == object else 0
            made = np.full(
                (len(arrays), *longest),
                blank if value is None else array_of(value),
                arrays[0].dtype,
            )
            for row, one in zip(made, arrays):
                if any(have > most for have, most in zip(one.shape, longest)):
                    raise ValueError(f"An element of shape {one.shape} is longer than {longest}.")
                row[tuple(slice(count) for count in one.shape)] = one
            return Tensor(made)

        def walk(items: Iterator) -> Iterator:
            while group := list(itertools.islice(items, size)):
                if len(group) < size and drop_remainder:
                    return
                leaves = [_leaves(item) for item in group]
                count = len(leaves[0])
                shapes = _per_leaf(padded_shapes, count, _is_shape)
                values = _per_leaf(padding_values, count, lambda one: not isinstance(one, tuple))
                made = iter(
                    [
                        pad([item[place] for item in leaves], shapes[place], values[place])
                        for place in range(count)
                    ]
                )
                yield _mapped(lambda _, made=made: next(made), group[0])

        length = self._length
        if length is not None and length >= 0:
            length = length // size if drop_remainder else -(-length // size)
        return self._derived(walk, length)

    def unbatch(self, name: Any = None) -> Dataset:
        """The rows of each element."""

        def walk(items: Iterator) -> Iterator:
            for item in items:
                for place in range(_leaves(item)[0].shape[0]):
                    yield _mapped(lambda leaf, place=place: Tensor(leaf.array[place]), item)

        return self._derived(walk)

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: Any = None) -> Dataset:
        """Batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(
        self,
        size: Any,
        shift: Any = None,
        stride: Any = 1,
        drop_remainder: bool = False,
        name: Any = None,
    ) -> Dataset:
        """Data sets of `size` elements each, beginning `shift` apart."""
        count, apart = _number(size), _number(stride)
        step = count if shift is None else _number(shift)

        def walk(items: Iterator) -> Iterator:
            buffer: list = []
            reach = (count - 1) * apart + 1
            for item in items:
                buffer.append(item)
                if len(buffer) >= max(reach, step):
                    yield _window_of(buffer[:reach:apart])
                    del buffer[:step]
            while buffer:
                part = buffer[:reach:apart]
                if len(part) == count or not drop_remainder:
                    yield _window_of(part)
                del buffer[:step]

        return self._derived(walk)

    def enumerate(self, start: Any = 0, name: Any = None) -> Dataset:
        """Elements with their numbers."""
        first = _number(start)
        return self._derived(
            lambda items: (
                (Tensor(np.asarray(place, "int64")), item)
                for place, item in enumerate(items, first)
            ),
            self._length,
        )

    def concatenate(self, dataset: Any, name: Any = None) -> Dataset:
        """These elements, then those of another data set."""
        lengths = (self._length, dataset._length)
        length = None if None in lengths else _FOREVER if _FOREVER in lengths else sum(lengths)
        return Dataset(lambda: itertools.chain(iter(self), iter(dataset)), length)

    def take_while(self, predicate: Callable, name: Any = None) -> Dataset:
        """The elements up to the first for which a function is false."""
        return self._derived(
            lambda items: itertools.takewhile(lambda item: bool(_call(predicate, item)), items)
        )

    def scan(self, initial_state: Any, scan_func: Callable, name: Any = None) -> Dataset:
        """What a function of a state and each element gives, as (next state, result)."""

        def walk(items: Iterator) -> Iterator:
            state = _tensors(initial_state)
            for item in items:
                state, result = scan_func(state, item)
                yield _tensors(result)

        return self._derived(walk, self._length)

    def reduce(self, initial_state: Any, reduce_func: Callable, name: Any = None) -> Any:
        """All elements combined, from the first to the last."""
        state = _tensors(initial_state)
        for item in self:
            state = _tensors(reduce_func(state, item))
        return state

    def unique(self, name: Any = None) -> Dataset:
        """Each value once."""

        def walk(items: Iterator) -> Iterator:
            seen = set()
            for item in items:
                key = item.array.tobytes() if item.array.dtype != object else str(item.array)
                if key not in seen:
                    seen.add(key)
                    yield item

        return self._derived(walk)

    def apply(self, transformation_func: Callable, name: Any = None) -> Dataset:
        """What a function makes of the data set."""
        return transformation_func(self)

    def cache(self, filename: Any = "", name: Any = None) -> Dataset:  # type: ignore[override]
        """Keeps the elements of the first whole walk in memory (not in a file)."""
        made = super().cache()
        made._spec = self._spec  # type: ignore[attr-defined]
        return made  # type: ignore[return-value]

    def prefetch(self, buffer_size: Any = None, name: Any = None) -> Dataset:  # type: ignore
        """The same: elements are made when they are asked for."""
        return self._reordered(lambda items: items, self._length)

    def with_options(self, options: Any, name: Any = None) -> Dataset:
        """The same."""
        return self._reordered(lambda items: items, self._length)

    def options(self) -> Options:
        """How it is made."""
        return Options()

    def get_single_element(self, name: Any = None) -> Any:
        """The one element.

        Raises:
            ValueError: there is none, or more than one.
        """
        found = list(itertools.islice(self, 2))
        if len(found) != 1:
            raise ValueError(f"The data set must have one element. It has {len(found) or 'none'}.")
        return found[0]

    def as_numpy_iterator(self) -> Iterator:
        """An iterator over the elements as arrays."""
        for item in self:
            yield _mapped(lambda leaf: leaf if isinstance(leaf, Dataset) else leaf.array[()], item)

    def __repr__(self) -> str:
        return f"<Dataset element_spec={self.element_spec}>"


class TextLineDataset(Dataset):
    """The lines of text files.

    Args:
        filenames: The name of a file, or several.
        compression_type: `""` or None, or `"GZIP"`.
    """

    def __init__(self, filenames: Any, compression_type: Any = None, *_: Any, **__: Any) -> None:
        names = [
            one.decode() if isinstance(one, bytes) else str(one)
            for one in np.ravel(array_of(filenames))
        ]
        if compression_type not in (None, "", "GZIP"):
            raise ValueError(f"`compression_type` must be '' or 'GZIP': {compression_type!r}")

        def walk() -> Iterator:
            import gzip

            for name in names:
                with gzip.open(name) if compression_type == "GZIP" else open(name, "rb") as file:
                    for line in file:
                        yield constant(line.rstrip(b"\r\n"))

        super().__init__(walk)


def _plain_dict(tensors: Any) -> Any:
    """A pandas frame as its values."""
    return dict(tensors) if isinstance(tensors, dict) else tensors


def _rows(array: np.ndarray, places: list) -> np.ndarray:
    """Rows by their numbers; a view, where they follow each other."""
    first, last = places[0], places[-1]
    if last - first == len(places) - 1 and places == list(range(first, last + 1)):
        return array[first : last + 1]
    return array[places]


def _window_of(items: list) -> Any:
    def one(place: int) -> Dataset:
        return Dataset(lambda: (_leaves(item)[place] for item in items), len(items))

    first = items[0]
    if not isinstance(first, (tuple, dict)):
        return Dataset(lambda: iter(items), len(items))
    places = itertools.count()
    return _mapped(lambda _: one(next(places)), first)


def _is_shape(value: Any) -> bool:
    return not isinstance(value, dict) and all(
        size is None or isinstance(size, (int, np.integer)) for size in value
    )


def _per_leaf(value: Any, count: int, is_one: Callable) -> list:
    if value is None or is_one(value):
        return [value] * count
    if isinstance(value, dict):
        value = tuple(value.values())
    found: list = []
    for one in value:
        found.extend([one] if one is None or is_one(one) else _per_leaf(one, len(one), is_one))
    return found


def _as_tuples(value: Any) -> Any:
    if isinstance(value, list) and not _is_shape(value):
        return tuple(map(_as_tuples, value))
    return value


def _like(spec: Any, element: Any) -> Any:
    """An element with tuples where the signature has them."""
    if isinstance(spec, tuple) and isinstance(element, (list, tuple)):
        return tuple(_like(a, b) for a, b in zip(spec, element))
    if isinstance(spec, dict):
        return {key: _like(one, element[key]) for key, one in spec.items()}
    return element


def cardinality(dataset: Dataset) -> Any:
    """The number of elements, -1 without end, -2 if it is not known."""
    return dataset.cardinality()


def assert_cardinality(expected_cardinality: Any) -> Callable:
    """For `Dataset.apply`: says how many elements there are."""
    return lambda dataset: dataset._derived(lambda items: items, _number(expected_cardinality))


sample_from_datasets = Dataset.sample_from_datasets
