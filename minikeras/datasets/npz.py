"""Reading data files without running what they may hold.

The word lists of IMDB and Reuters are kept as pickled object arrays, CIFAR as pickled
dictionaries. A pickle can call any function, so they are read by an unpickler that knows NumPy
arrays alone, and knows them only as descriptions: no class or function outside this file is called
while a file is read, and every array is checked before it is made.
"""

import io
import math
import os
import pickle
import re
import zipfile
from typing import Any

import numpy as np

_PLAIN_DTYPE = re.compile(r"[biuf]([1248])")


class _DtypeDescription:
    """What a pickle says of a dtype."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name
        self.order = "|"

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order

    @property
    def is_object(self) -> bool:
        return self.name in ("O", "O4", "O8")

    def dtype(self) -> np.dtype:
        if not isinstance(self.name, str) or not _PLAIN_DTYPE.fullmatch(self.name):
            raise pickle.UnpicklingError(f"it holds an array of type {self.name!r}")
        if self.order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"it holds an array of byte order {self.order!r}")
        return np.dtype(self.order + self.name)


class _ArrayDescription:
    """What a pickle says of an array."""

    def __init__(self) -> None:
        self.state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        try:
            _, shape, dtype, fortran, data = self.state
        except ValueError:
            raise pickle.UnpicklingError("it holds an array without content") from None
        shape = tuple(shape)
        if not isinstance(dtype, _DtypeDescription) or not all(
            type(size) is int and size >= 0 for size in shape
        ):
            raise pickle.UnpicklingError(f"it holds an array of shape {shape} and type {dtype}")
        if dtype.is_object:
            return _array_of_lists(data, shape)
        kind = dtype.dtype()
        if isinstance(data, str):  # bytes that Python 2 wrote and Python 3 read as text
            data = data.encode("latin1")
        if not isinstance(data, bytes) or len(data) != math.prod(shape) * kind.itemsize:
            raise pickle.UnpicklingError(f"it holds an array of shape {shape} with other data")
        return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C").copy()


def _array_of_lists(items: Any, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(items, list) or shape != (len(items),):
        raise pickle.UnpicklingError(f"it holds an object array of shape {shape}")
    for item in items:
        if type(item) is not list or not {*map(type, item)} <= {int}:
            raise pickle.UnpicklingError("it holds an object array of other than lists of integers")
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _reconstruct(*_: Any) -> _ArrayDescription:
    return _ArrayDescription()


class _RestrictedUnpickler(pickle.Unpickler):
    """Knows NumPy arrays by the names that NumPy 1 and 2 give them, and nothing else."""

    _KNOWN = {
        ("numpy", "ndarray"): _ArrayDescription,
        ("numpy", "dtype"): _DtypeDescription,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which no file of data needs"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def _described(value: Any) -> Any:
    return value.array() if isinstance(value, _ArrayDescription) else value


def load_pickle(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a pickled dictionary of arrays and lists, such as a batch of CIFAR.

    Args:
        path: The file.

    Returns:
        The dictionary, with names as `str`.

    Raises:
        ValueError: The file is damaged, or holds anything else.
    """
    with open(path, "rb") as file:
        content = _guarded(path, lambda: _RestrictedUnpickler(file, encoding="bytes").load())
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no dictionary of arrays. Delete it to download it again.")
    return {
        (name.decode("utf-8") if isinstance(name, bytes) else str(name)): _guarded(
            path, lambda value=value: _described(value)
        )
        for name, value in content.items()
    }


def load_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the arrays of an `.npz` file: numbers, or lists of integers.

    Args:
        path: The file.

    Returns:
        Name of each array to the array.

    Raises:
        ValueError: The file is damaged, or holds anything else.
    """

    def read() -> dict[str, np.ndarray]:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): _read_npy(archive.read(name))
                for name in archive.namelist()
                if name.endswith(".npy")
            }

    return _guarded(path, read)


def _read_npy(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    else:  # 3.0 differs from 2.0 only in the encoding of names, which plain arrays have not
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.hasobject:
        return _RestrictedUnpickler(stream).load().array()
    content = stream.getbuffer()[stream.tell() :]
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"it declares an array of shape {shape} but holds {len(content)} bytes")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").copy()


def _guarded(path: Any, read: Any) -> Any:
    try:
        return read()
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged pickles raise nearly anything
        raise ValueError(
            f"The data file {path} cannot be read: {error}. It is damaged or is not what it "
            "claims to be. Delete it to download it again."
        ) from error
