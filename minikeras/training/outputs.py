"""The outputs of a model, and how targets and settings of `compile` are dealt out to them.

One array of numbers from whatever a user calls one.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.engine.spelling import runs_unedited
from minikeras.engine.variable import plain


class Outputs:
    """The flat outputs of a model and their names.

    Args:
        y_pred: The structure of the outputs.
        names: Names of the outputs by the model, or None.
    """

    def __init__(self, y_pred: Any, names: list | None) -> None:
        self.count = len(tree.flatten(y_pred))
        self.structure = tree.pack_sequence_as(y_pred, range(self.count))
        if isinstance(y_pred, dict) and len(y_pred) == self.count:
            self.names: list = tree.keys_of(y_pred)
        elif names is not None and len(names) == self.count:
            self.names = list(names)
        else:
            self.names = [f"output_{index + 1}" for index in range(self.count)]
        self.have_names = (
            isinstance(y_pred, dict)
            and len(y_pred) == self.count
            or (names is not None and len(names) == self.count)
        )

    def spread(self, value: Any, what: str, partial: list | None = None) -> list:
        """`value` (targets, weights) as a flat list, one entry per output.

        Args:
            partial: Indices of the outputs that need a value, where it may be given for those only.
        """
        if value is None:
            return [None] * self.count
        if not isinstance(value, (list, tuple, dict)):
            if self.count == 1:
                return [value]
            if what == "sample_weight":
                return [value] * self.count
            if partial is not None and len(partial) == 1:
                spread: list = [None] * self.count
                spread[partial[0]] = value
                return spread
        if isinstance(value, dict):
            keys = set(value)
            if keys <= set(self.names):
                return [value.get(name) for name in self.names]
            if self.count == 1 and len(value) == 1:
                return list(value.values())
            structure = self.structure
            if isinstance(structure, dict) and set(value) == set(structure):
                flat = tree.flatten(value)
                if len(flat) == self.count:
                    return flat
        else:
            flat = tree.flatten(value)
            if len(flat) == self.count:
                return flat
            if partial is not None and len(flat) == len(partial):
                spread = [None] * self.count
                for index, item in zip(partial, flat):
                    spread[index] = item
                return spread
        outline = tree.map_structure(lambda leaf: np.shape(plain(leaf)), value)
        raise ValueError(
            f"{what} and y_pred have different structures. The model has {self.count} output(s),"
            f" {self.names}. Received {what} with shapes: {outline}"
        )


def along(setting: Any, structure: Any) -> list | None:
    """The parts of a setting that is built like the outputs, flat; None if it is not."""
    if not tree.is_nested(structure):
        return [setting]
    if setting is None:
        return [None] * len(tree.flatten(structure))
    if isinstance(structure, dict):
        if not isinstance(setting, dict) or not set(setting) <= set(structure):
            return None
        pairs = [(setting.get(key), structure[key]) for key in tree.keys_of(structure)]
    elif isinstance(setting, (list, tuple)) and len(setting) == len(structure):
        pairs = list(zip(setting, structure))
    else:
        return None
    found = [along(one, part) for one, part in pairs]
    return None if None in found else [leaf for one in found for leaf in one]  # type: ignore[union-attr]


class LossTerm(NamedTuple):
    """One loss of one output, or (`parts`: a structure of their numbers) of several together."""

    output: int
    loss: Any
    weight: float | None
    name: str
    parts: Any = None

    @property
    def outputs(self) -> list[int]:
        """The numbers of its outputs."""
        return [self.output] if self.parts is None else tree.flatten(self.parts)

    def pick(self, values: list) -> Any:
        """Of one value an output, those of its outputs in their structure."""
        return tree.map_structure(values.__getitem__, self.parts)

    def pick_weight(self, weights: list) -> Any:
        """The one weight of its outputs."""
        first = weights[self.output]
        if not all(_same(weights[index], first) for index in self.outputs):
            raise ValueError(
                f"The loss {self.name!r} is of several outputs together: it takes one"
                " `sample_weight`, not one an output."
            )
        return first


def _same(one: Any, other: Any) -> bool:
    return one is other or one is not None and other is not None and np.array_equal(one, other)


def spread_losses(setting: Any, outputs: Outputs, argument: str) -> list:
    """`loss` as one entry per output."""
    if isinstance(setting, dict):
        unknown = set(setting) - set(outputs.names)
        missing = set(outputs.names) - set(setting)
        if unknown and isinstance(outputs.structure, dict):
            raise KeyError(
                f"The path: {sorted(map(str, unknown))} in the `{argument}` argument, can't be"
                f" found in either the model's output (`y_pred`), which has {outputs.names}, or in"
                " the labels (`y_true`)."
            )
        needed = not (isinstance(outputs.structure, dict) or runs_unedited())
        if unknown or missing and needed:
            raise ValueError(
                f"Expected keys {outputs.names} in argument `{argument}`, the outputs of the model,"
                f" but found {argument}.keys()={list(setting)}"
            )
        return [setting.get(name) for name in outputs.names]
    if isinstance(setting, (list, tuple)):
        if len(setting) == outputs.count:
            return list(setting)
        if outputs.count == 1:
            return [list(setting)]
        flat = tree.flatten(setting)
        if len(flat) == outputs.count:
            return flat
        raise ValueError(
            f"Argument `{argument}` has {len(setting)} entries for a model with {outputs.count}"
            f" outputs, {outputs.names}. Received: {argument}={setting}"
        )
    return [setting] * outputs.count


def nested_losses(setting: Any, weights: Any, outputs: Outputs) -> Iterator[tuple] | None:
    """Losses of parts of the structure of outputs: `(part, loss, weight, name)` of each.

    A list beside outputs that are no list (or the other way round, for tuples) holds losses of all
    outputs together; what is nested in it belongs to single outputs, or to parts of them.

    Returns:
        None if the setting has one entry an output.
    """
    structure = outputs.structure
    if not tree.is_nested(setting) or outputs.count == 1 or not tree.is_nested(structure):
        return None
    plainly = len(structure) == outputs.count
    if isinstance(setting, dict):
        if plainly or not isinstance(structure, dict) or not set(setting) <= set(structure):
            return None
    elif isinstance(structure, type(setting)):
        if plainly or len(setting) != len(structure) or _counts(setting, outputs):
            return None
    elif _counts(setting, outputs) or not any(map(_takes_structures, tree.flatten(setting))):
        return None
    if weights is not None:
        flat = tree.flatten(weights)
        if len(flat) != len(tree.flatten(setting)):
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {len(tree.flatten(setting))}"
                f" losses and {len(flat)} weights."
            )
        weights = tree.pack_sequence_as(setting, flat)
    names = tree.pack_sequence_as(structure, outputs.names)
    return _walk(setting, weights, structure, names, ())


def _counts(setting: Any, outputs: Outputs) -> bool:
    """Whether a list has one entry an output, none of which is for several."""
    flat = tree.flatten(setting)
    return len(flat) == outputs.count and (
        len(setting) == outputs.count or len(setting) == len(outputs.structure)
    )


def _takes_structures(loss: Any) -> bool:
    return loss is not None and not isinstance(loss, str)


def _walk(loss: Any, weight: Any, part: Any, names: Any, path: tuple) -> Iterator[tuple]:
    if loss is None:
        return
    if not tree.is_nested(loss):
        yield part, loss, weight, _path_name(names, path)
        return
    several = isinstance(loss, (list, tuple))
    flat = tree.flatten(part)
    if several and len(loss) == len(flat) and not any(map(tree.is_nested, loss)):
        loss = tree.pack_sequence_as(part, loss)
        weight = None if weight is None else tree.pack_sequence_as(part, tree.flatten(weight))
        if not tree.is_nested(loss):
            yield from _walk(loss, weight, part, names, path)
            return
    elif several and not isinstance(part, type(loss)):
        for index, one in enumerate(loss):
            yield from _walk(one, None if weight is None else weight[index], part, names, path)
        return
    for key in loss if isinstance(loss, dict) else range(len(loss)):
        if loss[key] is None:
            continue
        if isinstance(loss, dict) != isinstance(part, dict) or (
            key not in part if isinstance(part, dict) else key >= len(part)
        ):
            raise KeyError(
                f"The path: {(*path, key)} in the `loss` argument, can't be found in the model's"
                " output (`y_pred`)."
            )
        below = None if weight is None else weight[key]
        yield from _walk(loss[key], below, part[key], names[key], (*path, key))


def _path_name(names: Any, path: tuple) -> str:
    """`a/y2` for the second of the outputs under `a`; an output's own name where it is numbered."""
    if not tree.is_nested(names) and (not path or isinstance(path[-1], int)):
        path = (*path[:-1], names)
    return "/".join(map(str, path)) or "_".join(map(str, tree.flatten(names)))


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
