"""Reading data files without running what they may hold.

The word lists of IMDB and Reuters are kept as pickled object arrays, CIFAR as pickled
dictionaries. A pickle can call any function, so they are read by an unpickler that knows NumPy
arrays alone, and knows them only as descriptions: no class or function outside this file is called
while a file is read, and every array is checked before it is made.

What the loaders share: files, splits, texts of word numbers, batches of CIFAR.
"""

import io
import json
import math
import os
import pickle
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.utils.file_utils import get_file

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


# Where Keras keeps its data sets.
STORE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def fetch(path: str | os.PathLike, name: str, file_hash: str) -> str:
    """Returns the local path of a file of Keras's store, downloaded if need be.

    Args:
        path: The name the file has in the cache, or an absolute path to keep it at.
        name: The name the file has in the store.
        file_hash: Its hash.
    """
    path = os.fspath(path)
    where: dict[str, Any] = {}
    if os.path.isabs(path):
        where["cache_subdir"], path = os.path.split(path)
    return get_file(path, origin=STORE + name, file_hash=file_hash, **where)


def shuffled_split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int | None) -> Split:
    """Shuffles the rows with a seed and cuts the last part off as the test set."""
    check_test_split(test_split)
    order = shuffled_order(len(x), np.random.RandomState(seed))
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut].copy(), y[:cut].copy()), (x[cut:].copy(), y[cut:].copy())


def shuffled_order(length: int, rng: np.random.RandomState) -> np.ndarray:
    """Returns the numbers below `length` in the order that Keras's loaders draw."""
    order = np.arange(length)
    rng.shuffle(order)
    return order


def check_test_split(test_split: float) -> None:
    """Raises a `ValueError` unless 0 <= `test_split` < 1."""
    if not 0 <= test_split < 1:
        raise ValueError(
            f"`test_split` must be at least 0 and below 1. Received: test_split={test_split}"
        )


Texts = list[list[int]]


def marked(texts: Sequence[list[int]], start_char: int | None, index_from: int) -> Texts:
    """Puts the start mark before each text and moves word numbers up by `index_from`."""
    start = [] if start_char is None else [start_char]
    return [start + [word + index_from for word in text] for text in texts]


def without_long(texts: Texts, labels: np.ndarray, maxlen: int | None) -> tuple[Texts, np.ndarray]:
    """Leaves out texts of `maxlen` words and more (so as Keras does), marks included."""
    if not maxlen:
        return texts, labels
    kept = [i for i, text in enumerate(texts) if len(text) < maxlen]
    if not kept:
        raise ValueError(
            f"No text is shorter than maxlen={maxlen}, so none would be left. Increase `maxlen`."
        )
    return [texts[i] for i in kept], labels[kept]


def within_vocabulary(
    texts: Texts, num_words: int | None, skip_top: int, oov_char: int | None
) -> Texts:
    """Replaces words outside the vocabulary by `oov_char`, or drops them if that is `None`.

    Without `num_words` the limit is the largest number there is, itself outside: as in Keras.
    """
    limit = num_words or max((max(text, default=0) for text in texts), default=0)
    if oov_char is None:
        return [[word for word in text if skip_top <= word < limit] for text in texts]
    return [[word if skip_top <= word < limit else oov_char for word in text] for text in texts]


def as_objects(texts: Texts) -> np.ndarray:
    """Returns a one-dimensional array of lists, also where all have one length."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def read_word_index(path: str) -> dict[str, int]:
    """Reads a word index, which maps each word to its number."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def load_cifar(
    folder: str, files: tuple[list[str], list[str]], label_key: str, file_hash: str
) -> Split:
    """Loads the training and the test batches of one of the two data sets.

    Args:
        folder: The folder inside the archive, such as `cifar-10-batches-py`.
        files: The names of the training and of the test batches.
        label_key: The name of the labels in a batch.
        file_hash: The hash of the archive.
    """
    path = _locate(folder, [*files[0], *files[1]], file_hash)
    train, test = ([load_batch(os.path.join(path, n), label_key) for n in names] for names in files)
    return _joined(train), _joined(test)


def _locate(folder: str, names: list[str], file_hash: str) -> str:
    # Extracted once is enough; Keras 2 extracted beside the archive, Keras 3 into `...-target`.
    store = os.path.join(os.path.expanduser(config.keras_home()), "datasets")
    for known in (os.path.join(f"{folder}-target", folder), folder):
        path = os.path.join(store, known)
        if all(os.path.isfile(os.path.join(path, name)) for name in names):
            return path
    archive = folder.replace("-batches-py", "-python")
    extracted = get_file(
        f"{folder}-target",
        origin=f"https://www.cs.toronto.edu/~kriz/{archive}.tar.gz",
        file_hash=file_hash,
        extract=True,
    )
    return os.path.join(extracted, folder)


def load_batch(path: str, label_key: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Reads one file: images of shape `(n, 3, 32, 32)` and labels of shape `(n, 1)`."""
    batch = load_pickle(path)
    try:
        images = np.asarray(batch["data"], "uint8").reshape(-1, 3, 32, 32)
        labels = np.asarray(batch[label_key], "uint8").reshape(len(images), 1)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path} is no batch of CIFAR images ({error}). Delete it to download it again."
        ) from error
    return images, labels


def _joined(batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = (np.concatenate(parts) for parts in zip(*batches))
    if config.image_data_format() == "channels_last":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return images, labels
