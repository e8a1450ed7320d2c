"""`tf.io`: files, images in them (with Pillow), CSV, and the data sets that read that."""

from __future__ import annotations

import csv
import io as _io
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


def _bytes(value: Any) -> bytes:
    one = value if isinstance(value, (bytes, str)) else array_of(value)[()]
    return one.encode() if isinstance(one, str) else bytes(one)


def _name(value: Any) -> str:
    if hasattr(value, "__fspath__"):
        return str(value.__fspath__())
    return _bytes(value).decode()


def read_file(filename: Any, name: Any = None) -> Any:
    """The content of a file, as bytes."""
    with open(_name(filename), "rb") as file:
        return constant(file.read())


def write_file(filename: Any, contents: Any, name: Any = None) -> None:
    """Writes a file."""
    with open(_name(filename), "wb") as file:
        file.write(_bytes(contents))


def matching_files(pattern: Any, name: Any = None) -> Any:
    """The names of the files that fit a pattern."""
    return constant(np.array([*glob(_name(pattern)), None], object)[:-1])


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _image(contents: Any, channels: int, dtype: Any, frames: bool = False) -> Any:
    from minikeras.utils.image_utils import _pillow

    image = _pillow().open(_io.BytesIO(_bytes(contents)))
    if channels:
        mode = _MODES.get(int(channels))
    else:
        mode = image.mode if image.mode in ("L", "LA", "RGB", "RGBA") else "RGB"
    if mode is None:
        raise ValueError(f"`channels` must be 0, 1, 3 or 4. Received: {channels}")

    def values() -> np.ndarray:
        array = np.asarray(image.convert(mode))
        return array[..., None] if array.ndim == 2 else array

    if frames:
        made = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            made.append(values())
        array = np.stack(made)
    else:
        array = values()
    if as_dtype(dtype) == "uint8":
        return Tensor(array)
    from minikeras.standin.tf.image import convert_image_dtype

    return convert_image_dtype(Tensor(array), dtype)


def decode_image(
    contents: Any,
    channels: Any = None,
    dtype: Any = "uint8",
    name: Any = None,
    expand_animations: bool = True,
) -> Any:
    """An image of any format, of shape (height, width, channels); a GIF has frames first."""
    moving = expand_animations and _bytes(contents)[:3] == b"GIF"
    return _image(contents, channels or 0, dtype, moving)


def decode_jpeg(contents: Any, channels: int = 0, *_: Any, **__: Any) -> Any:
    """An image of shape (height, width, channels), as Pillow rounds it."""
    return _image(contents, channels, "uint8")


def decode_png(contents: Any, channels: int = 0, dtype: Any = "uint8", name: Any = None) -> Any:
    """An image of shape (height, width, channels)."""
    return _image(contents, channels, dtype)


def decode_bmp(contents: Any, channels: int = 0, name: Any = None) -> Any:
    """An image of shape (height, width, channels)."""
    return _image(contents, channels, "uint8")


def decode_gif(contents: Any, name: Any = None) -> Any:
    """Images of shape (frames, height, width, 3)."""
    return _image(contents, 3, "uint8", True)


def _encoded(image: Any, kind: str, **options: Any) -> Any:
    from minikeras.utils.image_utils import _pillow

    array = array_of(image)
    stream = _io.BytesIO()
    made = _pillow().fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    made.save(stream, kind, **options)
    return constant(stream.getvalue())


def encode_png(image: Any, compression: int = -1, name: Any = None) -> Any:
    """An image as the content of a PNG file."""
    return _encoded(image, "PNG")


def encode_jpeg(image: Any, format: str = "", quality: int = 95, *_: Any, **__: Any) -> Any:
    """An image as the content of a JPEG file."""
    return _encoded(image, "JPEG", quality=int(quality))


def decode_raw(input_bytes: Any, out_type: Any, *_: Any, **__: Any) -> Any:
    """Bytes as numbers."""
    return Tensor(np.frombuffer(_bytes(input_bytes), as_dtype(out_type).name).copy())


def is_jpeg(contents: Any, name: Any = None) -> Any:
    """Whether bytes begin as a JPEG file does."""
    return Tensor(np.asarray(_bytes(contents)[:3] == b"\xff\xd8\xff"))


def write_graph(*_: Any, **__: Any) -> None:
    """Not available.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("tf.io.write_graph: there are no graphs. Use `model.to_json()`.")


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


CSV = ["CsvDataset", "make_csv_dataset"]  # of `tf.data.experimental`
__all__ = sorted({*public(globals())} - {*CSV})
