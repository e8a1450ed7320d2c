"""Arrays, and what can be made one, as batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.training.batches import Batch, BatchSource
from minikeras.training.convert import cast, is_on_disk, is_sparse, read_rows, unwrap

# Shuffled rows are gathered a chunk of batches at a time and then cut: one call serves many small
# batches, and what was gathered is still in the cache when it is used.
_CHUNK_BYTES = 1 << 20
# Above this size a whole array is not cast at once but a chunk at a time, to spare memory.
_CAST_AT_ONCE_BYTES = 1 << 28


def count_samples(x: Any, y: Any, sample_weight: Any) -> int:
    """The number of rows, the same in all arrays.

    Raises:
        ValueError: It is not, or it is none, or an array has no rows at all.
    """
    lengths: set[int] = set()
    sizes = []
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        shapes = [leaf.shape for leaf in tree.flatten(part) if leaf is not None]
        if any(len(shape) == 0 for shape in shapes):
            raise ValueError(
                f"Arrays must have at least one axis, of samples. Received a scalar in `{name}`."
            )
        if shapes:
            sizes.append(f"'{name}' sizes: {', '.join(str(shape[0]) for shape in shapes)}")
        lengths.update(int(shape[0]) for shape in shapes)
    if not lengths:
        raise ValueError("There are no data: `x` is None or holds no array. Received: x=None")
    if len(lengths) > 1:
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of "
            "samples. Received: " + "; ".join(sizes)
        )
    (count,) = lengths
    if count == 0:
        raise ValueError("The data are empty: they hold 0 samples. Received: " + "; ".join(sizes))
    return count


class _Column:
    """One array of a structure: reads a range or a choice of rows, contiguous and cast."""

    def __init__(self, x: Any, name: str, dtype: np.dtype, strings: bool) -> None:
        self.name, self.dtype, self.strings = name, dtype, strings
        self.in_memory = False
        if is_sparse(x):
            self.array = x.tocsr()
            self.take: Callable = self._take_sparse
        elif is_on_disk(x):
            self.array = x
            self.take = self._take_on_disk
        else:
            if not isinstance(x, np.memmap):
                x = x if type(x) is np.ndarray else unwrap(x, name, strings)
                if x.dtype.kind != "f" or x.nbytes <= _CAST_AT_ONCE_BYTES:
                    x = np.ascontiguousarray(cast(x, name, dtype, strings))
                    self.in_memory = True
            self.array = x
            self.take = self._take_dense
        self.shape = tuple(self.array.shape)
        row_items = math.prod(self.shape[1:])
        self.row_bytes = row_items * max(self.array.dtype.itemsize, 1)
        if self.in_memory:
            self.array = self.array.view()
            self.array.flags.writeable = False

    def read(self, rows: Any) -> np.ndarray:
        """Rows in a slice or an array of indices."""
        if self.in_memory:
            if isinstance(rows, slice):
                return self.array[rows]
            batch = self.array.take(rows, axis=0)
        else:
            batch = np.ascontiguousarray(cast(self.take(rows), self.name, self.dtype, self.strings))
        batch.flags.writeable = False
        return batch

    def _take_dense(self, rows: Any) -> np.ndarray:
        # np.array: a plain array in memory, also where the source is a memory map
        return np.array(self.array[rows] if isinstance(rows, slice) else self.array.take(rows, 0))

    def _take_sparse(self, rows: Any) -> np.ndarray:
        return np.asarray(self.array[rows].toarray())

    def _take_on_disk(self, rows: Any) -> np.ndarray:
        return np.asarray(
            self.array[rows] if isinstance(rows, slice) else read_rows(self.array, rows)
        )


class ArrayBatches(BatchSource):
    """Batches of arrays that are all there from the beginning.

    Args:
        x, y, sample_weight: Structures of arrays as `as_arrays` leaves them.
        batch_size: Rows of a batch. None (default) is 32, or as many as make `steps_per_epoch`
            batches of the data.
        steps_per_epoch: Batches of an epoch. None (default): all data.
        shuffle: True draws a new order of the rows each epoch; `'batch'` only within each batch.
        rng: The generator that shuffles.
        dtype: Float type that floats are cast to.
        strings: Whether arrays of text are allowed.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        steps_per_epoch: int | None = None,
        shuffle: bool | str = False,
        rng: np.random.Generator | None = None,
        dtype: Any = None,
        strings: bool = False,
    ) -> None:
        super().__init__(steps_per_epoch)
        float_type = np.dtype(dtype or config.floatx())
        self.num_samples = count_samples(x, y, sample_weight)
        self._columns: list[_Column] = []
        parts = []
        for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
            leaves = [
                None if leaf is None else _Column(leaf, label, float_type, strings)
                for label, leaf in _named_leaves(part, name)
            ]
            parts.append(self._part(part, leaves))
            self._columns += [leaf for leaf in leaves if leaf is not None]
        self._pack = _packer(parts)
        if batch_size is None:
            steps = self.steps_per_epoch
            batch_size = math.ceil(self.num_samples / steps) if steps else 32
        self.batch_size = _checked_batch_size(batch_size)
        self._length = math.ceil(self.num_samples / self.batch_size)
        self._shuffle = _checked_shuffle(shuffle)
        if self._shuffle and rng is None:
            from minikeras.engine.rng import make_default_seed

            rng = np.random.default_rng(make_default_seed())
        self._rng: Any = rng

    def _part(self, structure: Any, leaves: list) -> tuple[Any, list[int | None]]:
        """The shape of the structure, and which column each of its leaves is, if any."""
        start = len(self._columns)
        places: list[int | None] = []
        for leaf in leaves:
            places.append(None if leaf is None else start)
            start += leaf is not None
        return tree.map_structure(lambda _: None, structure), places

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        if self.steps_per_epoch:
            return self._steps(self.steps_per_epoch)
        self._close()
        return self._new_pass()

    def peek(self) -> Batch:
        """The first rows, as a batch of the size that batches have."""
        first = slice(0, min(self.num_samples, self.batch_size or 1))
        return self._pack([column.read(first) for column in self._columns])

    def _new_pass(self) -> Iterator[Batch]:
        size, total, columns, pack = (
            self.batch_size or 1,
            self.num_samples,
            self._columns,
            self._pack,
        )
        order = self._order()
        if order is None and all(column.in_memory for column in columns):
            chunk = total
        else:
            widest = max(column.row_bytes for column in columns)
            chunk = max(1, _CHUNK_BYTES // max(1, widest * size)) * size
        for start in range(0, total, chunk):
            stop = min(start + chunk, total)
            rows = slice(start, stop) if order is None else order[start:stop]
            arrays = [column.read(rows) for column in columns]
            for first in range(0, stop - start, size):
                last = first + size
                yield pack([array[first:last] for array in arrays])

    def _order(self) -> np.ndarray | None:
        if not self._shuffle:
            return None
        if self._shuffle == "batch":
            order = np.arange(self.num_samples)
            for start in range(0, self.num_samples, self.batch_size or 1):
                self._rng.shuffle(order[start : start + (self.batch_size or 1)])
            return order
        return self._rng.permutation(self.num_samples)


def _named_leaves(structure: Any, name: str) -> list[tuple[str, Any]]:
    """The leaves in walking order, each with what a message calls it."""
    if isinstance(structure, dict):
        items = [(f"{name}[{key!r}]", structure[key]) for key in tree.keys_of(structure)]
    elif isinstance(structure, (list, tuple)):
        items = [(f"{name}[{i}]", item) for i, item in enumerate(structure)]
    else:
        return [(name, structure)]
    return [leaf for label, item in items for leaf in _named_leaves(item, label)]


def _packer(parts: list[tuple[Any, list[int | None]]]) -> Callable[[list], Batch]:
    """The function that puts a list of arrays back into `(x, y, sample_weight)`."""
    if not any(tree.is_nested(structure) for structure, _ in parts):
        present = [places[0] is not None for _, places in parts]
        if present == [True, True, False]:
            return lambda arrays: (arrays[0], arrays[1], None)
        if present == [True, False, False]:
            return lambda arrays: (arrays[0], None, None)
        if present == [True, True, True]:
            return lambda arrays: (arrays[0], arrays[1], arrays[2])

    def pack(arrays: list) -> Batch:
        x, y, weights = (
            tree.pack_sequence_as(
                structure, [None if place is None else arrays[place] for place in places]
            )
            for structure, places in parts
        )
        return x, y, weights

    return pack


def _checked_batch_size(batch_size: Any) -> int:
    whole = isinstance(batch_size, (int, np.integer)) and not isinstance(batch_size, bool)
    if not whole or batch_size < 1:
        raise ValueError(
            "`batch_size` must be a positive integer or None. "
            f"Received: batch_size={batch_size!r} (of type {type(batch_size).__name__})"
        )
    return int(batch_size)


def _checked_shuffle(shuffle: Any) -> bool | str:
    if isinstance(shuffle, str) and shuffle != "batch":
        raise ValueError(f"`shuffle` must be True, False or 'batch'. Received: shuffle={shuffle!r}")
    return shuffle if shuffle == "batch" else bool(shuffle)
