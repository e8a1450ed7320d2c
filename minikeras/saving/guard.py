"""The one door for files from strangers: what they may not do.

HDF5: links are looked at before they are followed, external and virtual storage is refused, and
shape and kind are compared with the target before anything is read. Zip: members are read, never
extracted; duplicates, absurd ratios and sizes are refused.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minikeras.engine import serialization
from minikeras.engine.arena import Budget
from minikeras.saving.window import Window

_HDF5 = b"\x89HDF\r\n\x1a\n"
_MAX_JSON = 256 * 2**20
_MAX_RATIO = 200
_RATIO_FLOOR = 64 * 2**20
_MAX_DEPTH = 64


class UnfitError(ValueError, TypeError):
    """A config that a class cannot be made from: to whoever wrote the class, a `TypeError`."""


class MissingFileError(FileNotFoundError, ValueError):
    """A file that is not there: to Python a `FileNotFoundError`, to Keras a `ValueError`."""


def sniff(path: Any) -> str:
    """What a file is, by its first bytes: `"hdf5"`, `"zip"`, `"folder"`, `"json"`.

    Raises:
        MissingFileError: if there is no file.
        ValueError: if it is nothing of the kind; says what it looks like.
    """
    if isinstance(path, io.BytesIO):
        return "zip"
    path = os.fspath(path)
    if os.path.isdir(path):
        return "folder"
    if not os.path.exists(path):
        extension = os.path.splitext(path)[1]
        known = extension in (".keras", ".h5", ".hdf5", ".json", ".npz")
        raise MissingFileError(
            f"File not found: {path!r}. Check the path; relative paths start at {os.getcwd()!r}."
            " Please ensure the file is an accessible `.keras` or `.h5` file."
            + ("" if known else f" File format not supported: {extension!r}.")
        )
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(2048)
    if size == 0:
        raise ValueError(f"The file {path!r} is empty: it holds no model.")
    if head.startswith(_HDF5) or _hdf5_behind_user_block(path, size):
        return "hdf5"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.lstrip()[:1] in (b"{", b"["):
        return "json"
    raise ValueError(
        f"The file {path!r} ({size:,} bytes) is no Keras model: {_looks_like(head)}. A model file"
        " is"
        " HDF5 (.h5, .hdf5) or a zip archive (.keras)."
    )


def _hdf5_behind_user_block(path: str, size: int) -> bool:
    offset = 512
    with open(path, "rb") as file:
        while offset < size and offset <= 2**20:
            file.seek(offset)
            if file.read(8) == _HDF5:
                return True
            offset *= 2
    return False


def _looks_like(head: bytes) -> str:
    text = head.lstrip().lower()
    for start, meaning in (
        (
            b"version https://git-lfs",
            "it is a git-lfs pointer; run `git lfs pull` for the real file",
        ),
        (b"<!doctype html", "it is an HTML page, perhaps the error page of a download"),
        (b"<html", "it is an HTML page, perhaps the error page of a download"),
        (b"<?xml", "it is XML"),
        (b"\x1f\x8b", "it is gzip-compressed; unpack it first"),
        (b"bzh", "it is bzip2-compressed; unpack it first"),
        (b"\xfd7zxz", "it is xz-compressed; unpack it first"),
        (b"\x93numpy", "it is a NumPy array"),
        (b"\x80\x04", "it is a Python pickle, which is never loaded"),
        (b"\x80\x03", "it is a Python pickle, which is never loaded"),
        (b"\x80\x02", "it is a Python pickle, which is never loaded"),
    ):
        if text.startswith(start):
            return meaning
    if not head.strip(b"\x00"):
        return "it holds zeros only"
    return f"it begins with {head[:16]!r}"


@contextmanager
def opening(path: Any, what: str = "file") -> Iterator[None]:
    """Turn whatever goes wrong with the content of a file into an error that names the file.

    Damage shows in many ways: a number where a list was, a missing key, an array that no layer
    can use. All of them are a `ValueError` to whoever opens the file; what the disk does is an
    `OSError`.
    """
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else what
    text = repr(name) if name is not what else f"the {what}"
    try:
        yield
    except (FileNotFoundError, MemoryError, Warning):
        raise
    except OSError as error:
        if str(name) in str(error):
            raise
        raise OSError(f"Could not read {text}: {error}") from error
    except ValueError as error:
        if str(name) in str(error):
            raise
        raise ValueError(f"Could not load {text}: {error}") from error
    except RecursionError as error:
        raise ValueError(f"Could not load {text}: its content is nested too deeply.") from error
    except Exception as error:
        kind = UnfitError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"Could not load {text}: its content is damaged, belongs to another kind of model, or"
            " holds objects inside others: see that these are explicitly deserialized by"
            f" `from_config` ({type(error).__name__}: {error})."
        ) from error


def open_hdf5(path: Any) -> Any:
    """Open an HDF5 file for reading.

    Args:
        path: Path, a `Window` of a file, or an `io.BytesIO`.

    Raises:
        ValueError: if it is damaged; says so, with its size.
    """
    import h5py

    if isinstance(path, Window):
        window, where = path, "the file of weights"
    elif isinstance(path, io.BytesIO):
        window, where = Window(path), "the file of weights"
    else:
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
        window, where = Window(os.open(path, flags)), repr(os.fspath(path))
    try:
        file = h5py.File(window, "r")
    except Exception as error:
        size = window.size
        window.close()
        if "truncated" in str(error):
            raise ValueError(
                f"{where} ({size:,} bytes) is a truncated HDF5 file: it was not written or"
                " downloaded to its end."
            ) from error
        raise ValueError(f"{where} ({size:,} bytes) is a damaged HDF5 file: {error}") from error
    return _Opened(file, window)


class _Opened:
    """An open HDF5 file that closes its window, for a `with` statement."""

    def __init__(self, file: Any, window: Window) -> None:
        self.file, self.window = file, window

    def __enter__(self) -> Any:
        return self.file

    def __exit__(self, *_: Any) -> None:
        try:
            self.file.close()
        finally:
            self.window.close()


def child(group: Any, path: str) -> Any:
    """The object at `path` below an HDF5 group, each link checked before it is followed.

    None if there is none.

    Raises:
        ValueError: for soft and external links.
    """
    import h5py

    for part in str(path).split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            raise ValueError(f"The file names a path that leaves its group: {path!r}.")
        if not isinstance(group, h5py.Group):
            return None
        link = group.get(part, getlink=True, default=None)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
            raise ValueError(
                f"The HDF5 file has {kind} link ({type(link).__name__}) at {part!r}, which could"
                " lead to other data. Such files are not opened."
            )
        group = group[part]
    return group


def enter(group: Any, seen: set) -> None:
    """Note a group on a walk through a whole file, which meets each one once.

    Raises:
        ValueError: if it has been there: links in circles, or so many ways that none ends.
    """
    import h5py

    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        raise ValueError(
            f"The HDF5 file has one group in several places ({group.name!r}). Such files are not"
            " opened."
        )
    seen.add(address)


def group_at(parent: Any, path: str) -> Any:
    """The HDF5 group at `path`, or None."""
    import h5py

    found = child(parent, path)
    return found if isinstance(found, h5py.Group) else None


def dataset_at(parent: Any, path: str) -> Any:
    """The HDF5 dataset at `path`, or None.

    Raises:
        ValueError: for datasets with external or virtual storage, or of anything but numbers.
    """
    import h5py

    found = child(parent, path)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external:
        raise ValueError(
            f"The HDF5 dataset {path!r} keeps its data in another file. Such files are not opened."
        )
    if found.is_virtual:
        raise ValueError(
            f"The HDF5 dataset {path!r} is virtual: its data are in other files. Such files are not"
            " opened."
        )
    if found.dtype.kind not in "biufc" or found.dtype.hasobject:
        raise ValueError(
            f"The HDF5 dataset {path!r} holds {found.dtype}, not numbers. Such files are not"
            " opened."
        )
    return found


def read_array(dataset: Any, shape: Any = None) -> np.ndarray:
    """The values of a dataset whose shape was compared with what is expected.

    Args:
        shape: The shape it must have; None where it is bounded by what the file really holds.

    Raises:
        ValueError: if the shape differs or is absurd.
    """
    if shape is not None and tuple(dataset.shape) != tuple(shape):
        raise ValueError(
            f"Shape mismatch: the file holds an array of shape {tuple(dataset.shape)} where"
            f" {tuple(shape)} is expected."
        )
    size = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if shape is None and size > _RATIO_FLOOR and size > _MAX_RATIO * max(stored, 1):
        raise ValueError(
            f"The HDF5 dataset {dataset.name!r} claims {size:,} bytes but stores {stored:,}."
        )
    return np.asarray(dataset[()])


def attribute_of(group: Any, name: str) -> Any:
    """An attribute if it is text or numbers: HDF5 may crash on sequences."""
    import h5py

    dtype = group.attrs.get_id(name).dtype
    if dtype.hasobject and h5py.check_string_dtype(dtype) is None:
        raise ValueError(f"The HDF5 attribute {name!r} holds {dtype}, not text or numbers.")
    return group.attrs[name]


def names(group: Any, attribute: str) -> list[str]:
    """A list of names in the attributes of a group, which may be cut into numbered chunks."""
    if attribute in group.attrs:
        return [_text(name) for name in np.ravel(attribute_of(group, attribute))]
    found: list[str] = []
    index = 0
    while f"{attribute}{index}" in group.attrs:
        found += [_text(name) for name in np.ravel(attribute_of(group, f"{attribute}{index}"))]
        index += 1
    return found


def text_attribute(group: Any, attribute: str) -> str | None:
    """A text attribute of a group, or None."""
    if attribute not in group.attrs:
        return None
    return _text(attribute_of(group, attribute))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, np.ndarray) and value.size == 1:
        return _text(value.reshape(())[()])
    if isinstance(value, str):
        return str(value)
    raise ValueError(f"The HDF5 file has a value where text is expected: {value!r}")


def open_zip(path: Any) -> zipfile.ZipFile:
    """Open a zip archive whose directory makes sense.

    Raises:
        ValueError: for damaged archives, duplicate names, and sizes that are absurd.
    """
    try:
        archive = zipfile.ZipFile(path, "r")
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise ValueError(
            f"{path!r} is a damaged or truncated zip archive: {error}. Was it downloaded to its"
            " end?"
        ) from error
    members = [info for info in archive.infolist() if not info.is_dir()]
    seen = [info.filename for info in members]
    problem = None
    if len(set(seen)) != len(seen):
        problem = "has several members of one name"
    elif any(info.flag_bits & 1 for info in members):
        problem = "is encrypted"
    elif any(
        name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") for name in seen
    ):
        problem = "names files outside itself"
    else:
        total = sum(info.file_size for info in members)
        # Members may lie over each other.
        whole = archive.fp.seek(0, os.SEEK_END)  # type: ignore[union-attr]
        packed = min(whole, sum(info.compress_size for info in members))
        if total > _RATIO_FLOOR and total > _MAX_RATIO * max(packed, 1):
            problem = f"claims to unpack {packed:,} bytes to {total:,}"
    if problem:
        archive.close()
        raise ValueError(f"The archive {path!r} {problem}. Such files are not opened.")
    return archive


def read_member(archive: zipfile.ZipFile, name: str, limit: int | None = None) -> bytes:
    """The content of one member, never more than it declares.

    Raises:
        ValueError: if it is missing, damaged or too big.
    """
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(
            f"The archive has no member {name!r}; it holds {sorted(archive.namelist())[:10]}."
        ) from None
    if limit is not None and info.file_size > limit:
        raise ValueError(f"The member {name!r} is too big: {info.file_size:,} bytes.")
    try:
        with archive.open(info) as file:
            data = file.read(info.file_size + 1)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"The member {name!r} of the archive is damaged: {error}") from error
    except Exception as error:  # zlib.error has no common base
        raise ValueError(f"The member {name!r} of the archive is damaged: {error}") from error
    if len(data) > info.file_size:
        raise ValueError(f"The member {name!r} is bigger than it declares.")
    return data


@contextmanager
def opened_member(archive: zipfile.ZipFile, name: str) -> Iterator[Window]:
    """A member of an archive as a file. Where it is not compressed it is read in its place.

    Raises:
        ValueError: if it is missing or damaged; its checksum is compared meanwhile.
    """
    info = archive.NameToInfo.get(name)
    if info is None or info.compress_type != zipfile.ZIP_STORED or info.file_size < 2**20:
        with Window(io.BytesIO(read_member(archive, name))) as window:
            yield window
        return
    with Checked(archive, info) as check:
        with Window(os.dup(archive.fp.fileno()), check.start, info.file_size) as window:  # type: ignore[union-attr]
            yield window


class Checked:
    """Compares the checksum of a member in another thread, while it is being used.

    Attributes:
        start: Where the content begins in the file.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self.archive, self.info = archive, info
        self.error: Exception | None = None
        try:
            with archive.open(info):
                self.start = archive.fp.tell()  # type: ignore[union-attr]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ValueError(
                f"The member {info.filename!r} of the archive is damaged: {error}"
            ) from error

    def _run(self) -> None:
        import mmap
        import zlib

        with mmap.mmap(self.archive.fp.fileno(), 0, access=mmap.ACCESS_READ) as whole:  # type: ignore[union-attr]
            with memoryview(whole)[self.start : self.start + self.info.file_size] as part:
                found = zlib.crc32(part)
        if found != self.info.CRC:
            self.error = ValueError(
                f"The member {self.info.filename!r} of the archive is damaged: its checksum is"
                " wrong."
            )

    def __enter__(self) -> Checked:
        import threading

        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.thread.join()
        if self.error is not None:
            raise self.error


def parse_json(text: str | bytes, what: str) -> Any:
    """JSON, of bounded size and depth.

    Raises:
        ValueError: naming `what`.
    """
    import json

    if len(text) > _MAX_JSON:
        raise ValueError(f"The {what} is too big: {len(text):,} bytes.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The {what} is not valid JSON: {error}") from None
    _check_depth(value, what)
    return value


def _check_depth(value: Any, what: str) -> None:
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > _MAX_DEPTH * 4:
            raise ValueError(f"The {what} is nested too deeply.")
        if isinstance(item, dict):
            pending.extend((one, depth + 1) for one in item.values())
        elif isinstance(item, list):
            pending.extend((one, depth + 1) for one in item)


# A model whose weights take less than this is never too big for its file.
_FREE_BYTES = 2**28


def budget_of(path: Any) -> Budget:
    """What the weights of the model in a file may take, by the size of the file."""
    if serialization.safe_mode() is False:
        return Budget(None)
    size = len(path.getbuffer()) if isinstance(path, io.BytesIO) else os.path.getsize(path)
    return Budget(max(_FREE_BYTES, _MAX_RATIO * size))


def has_name(group: Any, name: str) -> bool:
    """Whether an HDF5 group has an entry of that name, which is not opened."""
    return group.get(name, getlink=True, default=None) is not None
