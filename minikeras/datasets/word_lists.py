"""What IMDB and Reuters share: texts as lists of word numbers."""

import json
from collections.abc import Sequence

import numpy as np

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
