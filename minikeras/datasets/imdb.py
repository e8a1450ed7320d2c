"""IMDB: 50,000 film reviews as lists of word numbers, liked or not.

A. Maas, R. Daly, P. Pham, D. Huang, A. Ng and C. Potts, "Learning word vectors for sentiment
analysis", ACL 2011, https://ai.stanford.edu/~amaas/data/sentiment/
"""

import warnings
from typing import Any

import numpy as np

from minikeras.datasets.npz import (
    Split,
    Texts,
    as_objects,
    fetch,
    load_npz,
    marked,
    read_word_index,
    shuffled_order,
    within_vocabulary,
    without_long,
)
from minikeras.engine.spelling import understands_old


@understands_old
def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> Split:
    """Loads the film reviews.

    Words are numbered by how often they occur: before `index_from` is added, 1 is the most frequent
    word. 0 is left free for padding.

    Args:
        path: The file's name in the cache, `~/.keras/datasets`.
        num_words: Words of this number and above become `oov_char`. Defaults to `None`: all are
            kept but the last.
        skip_top: Words below this number become `oov_char`. Defaults to 0.
        maxlen: Reviews of this length and longer are left out. Defaults to `None`.
        seed: The seed of the shuffle.
        start_char: The number put before each review, or `None` for none. Defaults to 1.
        oov_char: The number of words outside the vocabulary, or `None` to drop them.
            Defaults to 2.
        index_from: What is added to word numbers. Defaults to 3.
        **kwargs: `nb_words`, the name that Keras 1 gave `num_words`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays of lists of integers, and `int64`
        labels, 1 for reviews that like the film. 25,000 reviews each.

    Raises:
        OSError: The file is not in the cache and cannot be downloaded.
        TypeError: An unknown argument was passed.
        ValueError: `maxlen` leaves no review, or the file is damaged.
    """
    if "nb_words" in kwargs:
        warnings.warn("`nb_words` is called `num_words` today.", DeprecationWarning, stacklevel=2)
        num_words = kwargs.pop("nb_words")
    if kwargs:
        raise TypeError(f"imdb.load_data() has no argument {next(iter(kwargs))!r}")
    arrays = load_npz(
        fetch(path, "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
    )
    rng = np.random.RandomState(seed)
    texts: Texts = []
    labels = []
    for part in ("train", "test"):
        order = shuffled_order(len(arrays[f"x_{part}"]), rng)
        some = marked(arrays[f"x_{part}"][order], start_char, index_from)
        some, kept = without_long(some, arrays[f"y_{part}"][order], maxlen)
        texts += some
        labels.append(kept)
    texts = within_vocabulary(texts, num_words, skip_top, oov_char)
    cut = len(labels[0])
    return (
        (as_objects(texts[:cut]), labels[0]),
        (as_objects(texts[cut:]), labels[1]),
    )


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Returns the number of each word, before `index_from` is added to it.

    Args:
        path: The file's name in the cache, `~/.keras/datasets`.

    Returns:
        Each word to its number, 1 for the most frequent.
    """
    return read_word_index(fetch(path, "imdb_word_index.json", "bfafd718b763782e994055a2d397834f"))
