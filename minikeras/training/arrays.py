"""What all sources of batches share; arrays, and what can be made one, as batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.training.outputs import cast, is_on_disk, is_sparse, read_rows, unwrap

Batch = tuple[Any, Any, Any]


def names_columns(part: Any, name: str) -> bool:
    """Whether a model takes of its data what it knows by name, so that the rest may be text."""
    return name == "x" and isinstance(part, dict)


class BatchSource:
    """Epochs of batches `(x, y, sample_weight)`. A subclass provides `_new_pass`.

    Attributes:
        num_batches: Batches of an epoch, or `None` while that is not known.
        batch_size: Rows of a full batch, or `None` where the data come in batches of their own.
        exhausted: Whether the last epoch had no batch at all, because the data have run out for
            good.
    """

    batch_size: int | None = None
    restartable = True  # whether a second pass over the data is possible

    def __init__(self, steps_per_epoch: int | None = None) -> None:
        self.steps_per_epoch = _checked_steps(steps_per_epoch)
        self.exhausted = False
        self._told = False
        self._length: int | None = None
        self._pass: Iterator[Batch] | None = None
        self._peeked: list[Batch | None] = []

    @property
    def num_batches(self) -> int | None:
        return self.steps_per_epoch or self._length

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        if self.steps_per_epoch:
            return self._steps(self.steps_per_epoch)
        return self._whole_pass()

    def reset(self) -> None:
        """Lets the next epoch begin with the first batch again, where that is possible."""
        if self.restartable:
            self._close()

    def peek(self) -> Batch:
        """The first batch of the next epoch, where it will come again.

        Raises:
            ValueError: There is none.
        """
        if not self._peeked:
            first = self._next()
            if first is None:
                raise ValueError(
                    "The data hold no batch: a generator or iterable must yield at least one. "
                    "Received one that is empty, or that was used up before."
                )
            self._peeked.append(first)
        return self._peeked[0]  # type: ignore[return-value]

    def peek_second(self) -> Batch | None:
        """The batch after `peek()`, where it may have other sizes."""
        return None

    def _new_pass(self) -> Iterator[Batch]:
        """One pass over the data from their beginning."""
        raise NotImplementedError

    def _epoch_begin(self) -> None: ...

    def _epoch_end(self) -> None: ...

    def _next(self) -> Batch | None:
        """The next batch of the pass under way, or of a new one; `None` at the end of the pass."""
        if self._peeked:
            batch = self._peeked.pop(0)
        else:
            if self._pass is None:
                self._pass = self._new_pass()
            batch = next(self._pass, None)
        if batch is None:
            self._pass = None
        return batch

    def _whole_pass(self) -> Iterator[Batch]:
        self._epoch_begin()
        try:
            seen = 0
            while (batch := self._next()) is not None:
                seen += 1
                yield batch
            if self.restartable:
                self._length = seen
            if not seen:
                self._ran_out(0)
        finally:
            if self.restartable:  # an epoch that was left early does not go on in the next one
                self._close()
            self._epoch_end()

    def _steps(self, steps: int) -> Iterator[Batch]:
        self._epoch_begin()
        try:
            for step in range(steps):
                fresh = self._pass is None
                batch = self._next()
                # A pass that ended together with the epoch before it is no shortage of data.
                if batch is None and step == 0 and not fresh and self.restartable:
                    batch = self._next()
                if batch is None:
                    self._ran_out(step)
                    return
                yield batch
        finally:
            self._epoch_end()

    def _ran_out(self, seen: int) -> None:
        """Warns that an epoch ended after `seen` batches because there are no more."""
        self.exhausted = not self.restartable and seen == 0
        if self.exhausted and self._told:
            return
        self._told = True
        warnings.warn(
            "Your input ran out of data; interrupting training. Make sure that your dataset or "
            "generator can generate at least `steps_per_epoch * epochs` batches. You may need to "
            "use the `.repeat()` function when building your dataset.",
            stacklevel=3,
        )

    def _close(self) -> None:
        current, self._pass, self._peeked = self._pass, None, []
        close = getattr(current, "close", None)
        if close is not None:
            close()


def _checked_steps(steps: Any) -> int | None:
    if steps is None:
        return None
    if isinstance(steps, (float, np.floating)) and 0 < steps < math.inf:
        # Keras 1 and 2 counted until they were there: `len(x) / 32` is common.
        if not steps.is_integer():
            from minikeras.dialects import warn_once

            warn_once(f"steps of {steps:g}", f"steps of {math.ceil(steps)}")
        steps = math.ceil(steps)
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ValueError(
            "The number of steps (`steps_per_epoch`, `validation_steps`, `steps`) must be a "
            f"positive integer or None. Received: {steps!r} (of type {type(steps).__name__})"
        )
    return int(steps) or None  # 0 means None in Keras


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
            text = strings or names_columns(part, name)
            leaves = [
                None if leaf is None else _Column(leaf, label, float_type, text)
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
