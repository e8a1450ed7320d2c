"""What the loaders share: where files come from, how rows are split, texts of word numbers."""

import json
import os
from collections.abc import Sequence
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
