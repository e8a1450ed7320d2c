"""CSV: `tf.io.decode_csv`, and the data sets of `tf.data.experimental` that read such files."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf import public
from minikeras.standin.tf.data import Dataset
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.small import glob
from minikeras.standin.tf.tensors import constant

_AT_ONCE = 1024  # lines of a file


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _names(files: Any) -> list[str]:
    return [_text(one) for one in np.ravel(array_of(files))]


def _quoting(use_quote_delim: bool) -> Any:
    return csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE


def _columns(rows: list, record_defaults: Any, na_value: str, select: Any, shape: Any) -> list:
    """The fields of rows as a tensor a column, of the dtypes of the defaults."""
    if select is not None:
        rows = [[row[place] for place in select] for row in rows]
    if any(len(row) != len(record_defaults) for row in rows):
        raise ValueError(
            f"Expected {len(record_defaults)} fields a line."
            f" Received: {sorted(set(map(len, rows)))}"
        )
    columns = []
    for place, default in enumerate(record_defaults):
        if hasattr(default, "is_floating"):
            kind, fallback = default, None
        else:
            given = array_of(default)
            kind = as_dtype("string" if given.dtype.kind in "USO" else given.dtype)
            fallback = given.ravel()[0] if given.size else None
        found: list[Any] = []
        for row in rows:
            empty = row[place] in ("", na_value)
            if empty and fallback is None:
                raise ValueError(f"Field {place} is required but missing in a line.")
            found.append(fallback if empty else row[place])
        if kind == "string":
            columns.append(constant(np.array([*found, None], object)[:-1].reshape(shape)))
        else:
            parse = int if kind.is_integer else float
            values = np.array([parse(one) for one in found], kind.name)
            columns.append(Tensor(values.reshape(shape)))
    return columns


def decode_csv(
    records: Any,
    record_defaults: Any,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Any = None,
    name: Any = None,
) -> list:
    """The fields of lines of CSV: a tensor a column, of the dtypes of the defaults.

    Raises:
        ValueError: a line has another number of fields, or lacks one that has no default.
    """
    lines = array_of(records)
    texts = [_text(one) for one in lines.ravel()]
    rows = list(csv.reader(texts, delimiter=field_delim, quoting=_quoting(use_quote_delim)))
    return _columns(rows, record_defaults, na_value, select_cols, lines.shape)


def _lines(name: str, compression_type: Any, header: bool, delimiter: str, quote: bool) -> Iterator:
    """The rows of a file."""
    import gzip

    if compression_type not in (None, "", "GZIP"):
        raise ValueError(f"`compression_type` must be '' or 'GZIP': {compression_type!r}")
    opener: Any = gzip.open if compression_type == "GZIP" else open
    with opener(name, "rt", newline="", encoding="utf-8") as file:
        rows = csv.reader(file, delimiter=delimiter, quoting=_quoting(quote))
        yield from itertools.islice((row for row in rows if row), int(header), None)


class CsvDataset(Dataset):
    """The rows of CSV files: each a tuple of scalars, a column one.

    Args:
        filenames: The name of a file, or several.
        record_defaults: A column each: what stands for an empty field, or a dtype where there must
            be one.
        compression_type: `""` or None, or `"GZIP"`.
        buffer_size: Without effect.
        header: Boolean, default False. Whether each file begins with a line to skip.
        field_delim: String, default `","`.
        use_quote_delim: Boolean, default True. Whether `"` quotes.
        na_value: String, default `""`. Another text of an empty field.
        select_cols: Numbers of the columns to take, or None: all.
        exclude_cols: Numbers of the columns to leave out, or None.

    Raises:
        ValueError: while it is read, for a line that does not fit `record_defaults`.
    """

    def __init__(
        self,
        filenames: Any,
        record_defaults: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Any = None,
        exclude_cols: Any = None,
    ) -> None:
        names = _names(filenames)

        def walk() -> Iterator:
            for name in names:
                rows = _lines(name, compression_type, header, field_delim, use_quote_delim)
                while block := list(itertools.islice(rows, _AT_ONCE)):
                    select = select_cols
                    if exclude_cols is not None:
                        select = [one for one in range(len(block[0])) if one not in exclude_cols]
                    columns = _columns(block, record_defaults, na_value, select, len(block))
                    yield from zip(*columns)

        super().__init__(walk)


def _guess(fields: list, na_value: str) -> Any:
    """The default of a column: of the first kind that reads all of its fields."""
    for default, parse in ((np.int32(0), np.int32), (np.int64(0), np.int64), (0.0, float)):
        try:
            for one in fields:
                if one not in ("", na_value):
                    parse(one)
        except (ValueError, OverflowError):
            continue
        return default
    return ""


def make_csv_dataset(
    file_pattern: Any,
    batch_size: int,
    column_names: Any = None,
    column_defaults: Any = None,
    label_name: str | None = None,
    select_columns: Any = None,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    header: bool = True,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    prefetch_buffer_size: Any = None,
    num_parallel_reads: Any = None,
    sloppy: bool = False,
    num_rows_for_inference: int | None = 100,
    compression_type: Any = None,
    ignore_errors: bool = False,
) -> Dataset:
    """Batches of CSV files: dicts from column to tensor, and the labels if `label_name` is given.

    Args:
        file_pattern: A pattern or name of files, or several.
        batch_size: Rows a batch.
        column_names: Names of all columns. None: the first line of the first file.
        column_defaults: As `record_defaults` of `CsvDataset`. None: guessed from the first rows.
        label_name: Name of the column of the labels, or None.
        select_columns: Names or numbers of the columns to take, or None: all.
        num_epochs: How many times through the files. None: without end.
        shuffle: Boolean, default True.
        shuffle_buffer_size, shuffle_seed: As of `Dataset.shuffle`.
        num_rows_for_inference: How many rows to guess from. None: all.

    The others are as of `CsvDataset`, or say how to read and have no effect.

    Raises:
        ValueError: no file fits, or a column is not there.
    """
    patterns = _names(file_pattern)
    names = sorted({name for pattern in patterns for name in glob(pattern)})
    if not names:
        raise ValueError(f"No files fit `file_pattern`. Received: {file_pattern!r}")
    if ignore_errors:
        raise ValueError("`ignore_errors` is not supported: mend or drop the lines that are wrong.")

    def rows(skip: bool) -> Iterator:
        return _lines(names[0], compression_type, skip, field_delim, use_quote_delim)

    if column_names is None:
        if not header:
            raise ValueError("Pass `column_names`: `header=False` says that the files have none.")
        column_names = next(rows(False))
    column_names = list(column_names)
    places = list(range(len(column_names)))
    if select_columns is not None:
        absent = [one for one in select_columns if isinstance(one, str) and one not in column_names]
        if absent:
            raise ValueError(f"There are no columns {absent}. There are {column_names}.")
        places = sorted(
            column_names.index(one) if isinstance(one, str) else int(one) for one in select_columns
        )
        column_names = [column_names[place] for place in places]
    if label_name is not None and label_name not in column_names:
        raise ValueError(f"`label_name` must be one of {column_names}. Received: {label_name!r}")
    if column_defaults is None:
        sample = list(itertools.islice(rows(header), num_rows_for_inference))
        column_defaults = [_guess([row[place] for row in sample], na_value) for place in places]
    dataset: Dataset = CsvDataset(
        names, column_defaults, compression_type, None, header, field_delim, use_quote_delim,
        na_value, places,
    )  # fmt: skip
    if shuffle:
        dataset = dataset.shuffle(shuffle_buffer_size, shuffle_seed)
    dataset = dataset.repeat(num_epochs).batch(batch_size, drop_remainder=num_epochs is None)

    def named(*columns: Any) -> Any:
        features = dict(zip(column_names, columns))
        return features if label_name is None else (features, features.pop(label_name))

    return dataset.map(named)


__all__ = public(globals())
