"""What the loaders share: where files come from, and how rows are split."""

import os
from typing import Any

import numpy as np

from minikeras.utils.file_utils import get_file

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
