"""Reuters: 11,228 newswires of 1987 as lists of word numbers, in 46 topics.

Made from Reuters-21578, collected by D. Lewis.
"""

import numpy as np

from minikeras.datasets.npz import (
    Split,
    as_objects,
    check_test_split,
    fetch,
    load_npz,
    marked,
    read_word_index,
    shuffled_order,
    within_vocabulary,
    without_long,
)
from minikeras.engine.spelling import understands_old

_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves "
    "ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin "
    "strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem "
    "dlr gas silver wpi hog lead"
)


@understands_old
def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Split:
    """Loads the newswires.

    Args:
        path, num_words, skip_top, maxlen, start_char, oov_char, index_from: As those of
            `imdb.load_data`.
        test_split: The part to keep for testing, at least 0 and below 1. Defaults to 0.2.
        seed: The seed of the shuffle before the split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays of lists of integers, and `int64`
        labels from 0 to 45. `get_label_names` names them.

    Raises:
        OSError: The file is not in the cache and cannot be downloaded.
        ValueError: `test_split` is out of range, `maxlen` leaves no newswire, or the file is
            damaged.
    """
    check_test_split(test_split)
    arrays = load_npz(
        fetch(
            path, "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
        )
    )
    order = shuffled_order(len(arrays["x"]), np.random.RandomState(seed))
    texts = marked(arrays["x"][order], start_char, index_from)
    texts, labels = without_long(texts, arrays["y"][order], maxlen)
    texts = within_vocabulary(texts, num_words, skip_top, oov_char)
    cut = int(len(texts) * (1 - test_split))
    return (
        (as_objects(texts[:cut]), labels[:cut]),
        (as_objects(texts[cut:]), labels[cut:]),
    )


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Returns the number of each word, before `index_from` is added to it.

    Args:
        path: The file's name in the cache, `~/.keras/datasets`.

    Returns:
        Each word to its number, 1 for the most frequent.
    """
    return read_word_index(
        fetch(path, "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")
    )


def get_label_names() -> tuple[str, ...]:
    """Returns the names of the 46 topics, in the order of the labels.

    >>> import minikeras
    >>> minikeras.datasets.reuters.get_label_names()[:3]
    ('cocoa', 'grain', 'veg-oil')
    """
    return tuple(_TOPICS.split())
