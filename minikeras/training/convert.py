"""One array of numbers from whatever a user calls one."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree


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
        return self.array[np.asarray(rows) + self.start]


def read_rows(array: Any, rows: np.ndarray) -> np.ndarray:
    """Rows of an h5py dataset, which it gives in increasing order and without repetition only."""
    wanted, places = np.unique(rows, return_inverse=True)
    return array[wanted][places]


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
        x = unwrap(x, name, strings)
    return cast(x, name, np.dtype(dtype or config.floatx()), strings)


def unwrap(x: Any, name: str, strings: bool) -> np.ndarray:
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
    if strings and len({column.dtype.kind == "O" for column in columns}) == 2:
        return _frame_to_array(frame, name, strings=False)  # text beside numbers: names the column
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


def cast(array: np.ndarray, name: str, dtype: np.dtype, strings: bool) -> np.ndarray:
    kind = array.dtype.kind
    if kind == "f":
        return array if array.dtype == dtype else array.astype(dtype)
    if kind in "iubc" or (strings and kind in "UST"):
        return array
    if kind in "OUST":
        array = _numbers_from_objects(array.astype(object), f"`{name}`", strings)
        return array if array.dtype.kind == "O" else cast(array, name, dtype, strings)
    raise ValueError(
        f"`{name}` has dtype {array.dtype}, which is no number. Convert it first. "
        f"Received: {name} of shape {array.shape}"
    )
