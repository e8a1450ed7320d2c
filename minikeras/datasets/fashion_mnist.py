"""Fashion-MNIST: 70,000 pictures of clothes, 28 by 28 pixels, in 10 classes.

H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST", https://arxiv.org/abs/1708.07747. License: MIT.

The classes: 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker,
8 bag, 9 ankle boot.
"""

import gzip
import os
import zlib

import numpy as np

from minikeras.datasets.npz import STORE, Split
from minikeras.utils.file_utils import get_file


def load_data() -> Split:
    """Loads Fashion-MNIST.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `uint8` images of shapes `(60000, 28, 28)` and
        `(10000, 28, 28)` with values from 0 to 255, and `uint8` labels from 0 to 9.

    Raises:
        OSError: The files are not in the cache and cannot be downloaded.
        ValueError: A file is damaged.
    """
    train = _read("train-images-idx3-ubyte.gz", 3), _read("train-labels-idx1-ubyte.gz", 1)
    test = _read("t10k-images-idx3-ubyte.gz", 3), _read("t10k-labels-idx1-ubyte.gz", 1)
    return train, test


def _read(name: str, rank: int) -> np.ndarray:
    """Reads an IDX file of bytes: two zeros, the type (8), the rank, the sizes, the bytes."""
    folder = os.path.join("datasets", "fashion-mnist")
    path = get_file(name, origin=STORE + name, cache_subdir=folder)
    try:
        with gzip.open(path, "rb") as file:
            data = file.read()
        sizes = tuple(np.frombuffer(data, ">u4", count=rank, offset=4).tolist())
        if data[:4] != bytes([0, 0, 8, rank]):
            raise ValueError("it is no IDX file of bytes")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(sizes).copy()
    except (EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"The data file {path} cannot be read: {error}. Delete it to download it again."
        ) from error
