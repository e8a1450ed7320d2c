"""Arrays, and what can be made one, as batches."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.training.batches import Batch, BatchSource

# Shuffled rows are gathered a chunk of batches at a time and then cut: one call serves many small
# batches, and what was gathered is still in the cache when it is used.
_CHUNK_BYTES = 1 << 20
# Above this size a whole array is not cast at once but a chunk at a time, to spare memory.
_CAST_AT_ONCE_BYTES = 1 << 28


class RowRange:
    """Rows `start` to `stop` of an array that stays on disk (an h5py dataset)."""

    def __init__(self, array: Any, start: int, stop: int) -> None:
        self.array, self.start = array, start
        self.shape = (stop - start, *array.shape[1:])
        self.dtype = array.dtype

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.shape[0])
            return self.array[self.start + start : self.start + stop]
        return _read_rows(self.array, np.asarray(rows) + self.start)


def _module_of(x: Any) -> str:
    return type(x).__module__ or ""


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse matrix or array of SciPy."""
    return hasattr(x, "tocsr") and _module_of(x).startswith("scipy.sparse")


def is_on_disk(x: Any) -> bool:
    """Whether `x` is read from a file as it is indexed."""
    return isinstance(x, RowRange) or (_module_of(x).startswith("h5py") and hasattr(x, "shape"))


def is_frame(x: Any) -> bool:
    """Whether `x` is a table with named columns (pandas, or alike)."""
    return hasattr(x, "iloc") and hasattr(x, "columns") and hasattr(x, "dtypes")


def is_series(x: Any) -> bool:
    """Whether `x` is one column of a table."""
    return hasattr(x, "iloc") and hasattr(x, "to_numpy") and not hasattr(x, "columns")


def is_array_like(x: Any) -> bool:
    """Whether `x` is one array: of NumPy, pandas, SciPy, h5py, or any other that NumPy can read."""
    return (
        isinstance(x, np.ndarray)
        or (hasattr(x, "__array__") and not isinstance(x, np.generic))
        or is_sparse(x)
        or is_on_disk(x)
        or is_series(x)
        or is_frame(x)
        or isinstance(x, (memoryview, bytearray))
    )


def _is_number(x: Any) -> bool:
    return isinstance(x, (numbers.Number, np.generic))


def as_arrays(structure: Any, name: str = "x") -> Any:
    """`structure` with lists of numbers made arrays; `None`, arrays and the nesting stay.

    A list whose items are numbers or lists of numbers is one array. A list that holds an array
    anywhere is a list of arrays, one an input or output of a model.
    """
    if structure is None or is_array_like(structure):
        return structure
    if isinstance(structure, dict):
        return {key: as_arrays(value, f"{name}[{key!r}]") for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        if any(leaf is None or is_array_like(leaf) for leaf in _leaves(structure)):
            return tree.rebuild(
                structure, [as_arrays(v, f"{name}[{i}]") for i, v in enumerate(structure)]
            )
        return _array_of_numbers(structure, name)
    raise ValueError(
        f"Unrecognized data type: {name}={_brief(structure)} (of type {type(structure)}). Pass "
        "arrays, lists of numbers, a pandas frame, a generator or other iterable of batches, or a "
        "`minikeras.utils.PyDataset`."
    )


def _leaves(structure: Any) -> Iterator[Any]:
    if isinstance(structure, dict):
        yield from _leaves(list(structure.values()))
    elif isinstance(structure, (list, tuple)):
        for item in structure:
            if isinstance(item, (list, tuple, dict)):
                yield from _leaves(item)
            else:
                yield item
    else:
        yield structure


def _array_of_numbers(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(
            f"`{name}` is a list of lists of different lengths, which is no array. Make them "
            "equally long first, for example with `minikeras.utils.pad_sequences`. "
            f"Received: {name}={_brief(values)}"
        ) from None
    if array.dtype == object and array.size and not _is_number(array.flat[0]):
        raise ValueError(
            f"Unrecognized data type: {name}={_brief(values)} (of type {type(values)}), with items "
            f"of type {type(array.flat[0]).__name__}. Pass numbers or arrays."
        )
    return array


def _brief(value: Any, limit: int = 80) -> str:
    text = repr(value) if not isinstance(value, (list, tuple)) else repr(value[:5])
    return text if len(text) <= limit else text[: limit - 3] + "..."


def to_array(x: Any, name: str = "x", dtype: Any = None, strings: bool = False) -> np.ndarray:
    """One leaf as a NumPy array of numbers, floats as `dtype` (default `floatx()`).

    Args:
        x: An array, or what can be made one. A column of a table becomes shape (n, 1), as in Keras.
        name: What messages call it.
        dtype: Float type that floats are cast to.
        strings: Whether text is allowed (for models that begin with a layer that reads text).

    Raises:
        ValueError: It holds something that is no number; the message names the column of a frame.
    """
    if type(x) is not np.ndarray:
        x = _unwrapped(x, name, strings)
    return _cast(x, name, np.dtype(dtype or config.floatx()), strings)


def _unwrapped(x: Any, name: str, strings: bool) -> np.ndarray:
    """`x` as a plain array, whatever it holds."""
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise ValueError(
                f"`{name}` is a masked array, whose masked values would be read as numbers. Fill "
                "them first, with `.filled(value)`."
            )
    elif is_frame(x):
        return _frame_to_array(x, name, strings)
    elif is_series(x):
        return _column(x, f"`{name}`", strings)[:, None]
    elif is_sparse(x):
        return x.toarray()
    elif hasattr(x, "detach") and hasattr(x, "cpu"):  # torch: off the graph and the device
        x = x.detach().cpu()
    if isinstance(x, RowRange):
        return np.asarray(x[:])
    if not hasattr(x, "__array__") and hasattr(x, "numpy"):
        x = x.numpy()
    return np.asarray(x)


def _frame_to_array(frame: Any, name: str, strings: bool) -> np.ndarray:
    labels = list(frame.columns)
    columns = [
        _column(frame.iloc[:, i], f"Column {label!r} of `{name}`", strings)
        for i, label in enumerate(labels)
    ]
    if not columns:
        raise ValueError(f"`{name}` is a frame without columns.")
    # Booleans beside numbers are numbers; the frame itself would make such a mixture objects.
    return np.stack(columns, axis=1)


def _column(series: Any, what: str, strings: bool) -> np.ndarray:
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if isinstance(dtype, np.dtype) and kind in "biuf":
        return series.to_numpy()
    if kind in "biuf":  # pandas' own nullable types
        missing = bool(series.isna().any())
        target = dtype.numpy_dtype if hasattr(dtype, "numpy_dtype") else np.dtype("float64")
        if missing:
            return series.to_numpy(dtype="float64", na_value=np.nan)
        return series.to_numpy(dtype=target)
    if str(dtype) == "category":
        raise ValueError(
            f"{what} is categorical. Encode it as numbers first: with its codes (`.cat.codes`) for "
            "an embedding, or as one column a category (`pandas.get_dummies`)."
        )
    if kind in "mM":
        raise ValueError(
            f"{what} holds dates or durations ({dtype}). Turn them into numbers first, for example "
            "days since a date."
        )
    return _numbers_from_objects(np.asarray(series.to_numpy(dtype=object)), what, strings)


def _numbers_from_objects(array: np.ndarray, what: str, strings: bool) -> np.ndarray:
    """Python objects as numbers, where every one of them is a number (or missing)."""
    flat = array.ravel()
    odd = next((v for v in flat if v is not None and not _is_number(v)), None)
    if odd is None:
        if any(v is None for v in flat):
            return np.array([np.nan if v is None else v for v in flat], "float64").reshape(
                array.shape
            )
        return np.array(flat.tolist()).reshape(array.shape)
    if isinstance(odd, (str, bytes)):
        if strings:
            return array
        raise ValueError(
            f"{what} holds text, for example {_brief(odd)}. Models compute with numbers: drop it, "
            "convert it (`astype(float)`, if the text is a number), or encode it "
            "(`pandas.get_dummies`, `minikeras.layers.StringLookup`)."
        )
    if isinstance(odd, (list, tuple, np.ndarray)):
        raise ValueError(
            f"{what} holds {type(odd).__name__}s, not numbers (dtype object). If they are equally "
            "long, join them with `numpy.stack`; otherwise make them so first, for example with "
            "`minikeras.utils.pad_sequences`."
        )
    raise ValueError(
        f"{what} holds objects of type {type(odd).__name__}, for example {_brief(odd)}. "
        "Pass numbers."
    )


def _cast(array: np.ndarray, name: str, dtype: np.dtype, strings: bool) -> np.ndarray:
    kind = array.dtype.kind
    if kind == "f":
        return array if array.dtype == dtype else array.astype(dtype)
    if kind in "iubc" or (strings and kind in "UST"):
        return array
    if kind in "OUST":
        array = _numbers_from_objects(array.astype(object), f"`{name}`", strings)
        return array if array.dtype.kind == "O" else _cast(array, name, dtype, strings)
    raise ValueError(
        f"`{name}` has dtype {array.dtype}, which is no number. Convert it first. "
        f"Received: {name} of shape {array.shape}"
    )


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


def _read_rows(array: Any, rows: np.ndarray) -> np.ndarray:
    """Rows of an h5py dataset, which it gives in increasing order and without repetition only."""
    wanted, places = np.unique(rows, return_inverse=True)
    return array[wanted][places]


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
                x = x if type(x) is np.ndarray else _unwrapped(x, name, strings)
                if x.dtype.kind != "f" or x.nbytes <= _CAST_AT_ONCE_BYTES:
                    x = np.ascontiguousarray(_cast(x, name, dtype, strings))
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
            batch = np.ascontiguousarray(
                _cast(self.take(rows), self.name, self.dtype, self.strings)
            )
        batch.flags.writeable = False
        return batch

    def _take_dense(self, rows: Any) -> np.ndarray:
        # np.array: a plain array in memory, also where the source is a memory map
        return np.array(self.array[rows] if isinstance(rows, slice) else self.array.take(rows, 0))

    def _take_sparse(self, rows: Any) -> np.ndarray:
        return np.asarray(self.array[rows].toarray())

    def _take_on_disk(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice) or isinstance(self.array, RowRange):
            return np.asarray(self.array[rows])
        return np.asarray(_read_rows(self.array, rows))


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
