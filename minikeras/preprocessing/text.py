"""Texts as lists of word numbers, as Keras 1 and 2 made them.

Keras 3 has the layer `TextVectorization` instead.
"""

import collections
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minikeras.engine.spelling import understands_old

_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


@understands_old
def text_to_word_sequence(
    input_text: str, filters: str = _FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """Splits a text into words.

    Args:
        input_text: The text.
        filters: Characters to leave out, such as punctuation.
        lower: Whether to turn letters into lower case. Defaults to `True`.
        split: What stands between words. Defaults to a space.

    Returns:
        The words.

    Example:

    >>> import minikeras
    >>> minikeras.preprocessing.text.text_to_word_sequence("To be, or not to be!")
    ['to', 'be', 'or', 'not', 'to', 'be']
    """
    text = input_text.lower() if lower else input_text
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


@understands_old
def one_hot(
    input_text: str,
    n: int,
    filters: str = _FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """Turns a text into word numbers by Python's `hash`, which differs from run to run.

    The name is Keras's; no one-hot rows are made. See `hashing_trick` for the arguments.
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = _FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """Turns a text into word numbers by hashing; different words may share a number.

    Args:
        text: The text.
        n: Numbers run from 1 to `n - 1`.
        hash_function: A function from word to integer, `"md5"`, or `None` for Python's `hash`,
            which differs from run to run.
        filters: As for `text_to_word_sequence`.
        lower: As for `text_to_word_sequence`.
        split: As for `text_to_word_sequence`.
        analyzer: A function that splits a text into words, instead of the three above.

    Returns:
        The numbers.

    Example:

    >>> import minikeras
    >>> minikeras.preprocessing.text.hashing_trick("to be or not to be", 20, hash_function="md5")
    [6, 7, 15, 10, 6, 7]
    """
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":
        hash_function = _md5
    elif not callable(hash_function):
        raise ValueError(
            "`hash_function` must be a function, 'md5' or None. "
            f"Received: hash_function={hash_function!r}"
        )
    words = (
        text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    )
    return [hash_function(word) % (n - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Numbers the words of texts by how often they occur, and turns texts into numbers or rows.

    Args:
        num_words: Only the `num_words - 1` most frequent words are used. Defaults to all.
        filters: As for `text_to_word_sequence`.
        lower: As for `text_to_word_sequence`.
        split: As for `text_to_word_sequence`.
        char_level: Whether each character is a word. Defaults to `False`.
        oov_token: Stands for words outside the vocabulary, with number 1. Defaults to `None`: such
            words are left out.
        analyzer: A function that splits a text into words.

    Attributes:
        word_index: Word to number, 1 for the most frequent; 0 is left for padding.
        index_word: Number to word.
        word_counts: Word to how often it occurred.
        word_docs: Word to the number of texts it occurred in.
        index_docs: Word number to the same.
        document_count: The number of texts seen.

    Example:

    >>> import minikeras
    >>> tokenizer = minikeras.preprocessing.text.Tokenizer()
    >>> tokenizer.fit_on_texts(["to be or not to be", "to see"])
    >>> tokenizer.texts_to_sequences(["to see or not to see"])
    [[1, 5, 3, 4, 1, 5]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = _FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], list[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        if "nb_words" in kwargs:
            warnings.warn(
                "`nb_words` is called `num_words` today.", DeprecationWarning, stacklevel=2
            )
            num_words = kwargs.pop("nb_words")
        self.document_count: int = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer() has no argument {next(iter(kwargs))!r}")
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts: dict[str, int] = collections.OrderedDict()
        self.word_docs: dict[str, int] = collections.defaultdict(int)
        self.index_docs: dict[int, int] = collections.defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: str | list[str]) -> Iterable[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """Counts the words of texts and numbers them.

        Args:
            texts: Texts, or lists of words.
        """
        for text in texts:
            self.document_count += 1
            words = list(self._words(text))
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ranked = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        if self.oov_token is not None:
            ranked.insert(0, self.oov_token)
        self.word_index = {word: number for number, word in enumerate(ranked, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: list[list[int]]) -> None:
        """Counts the texts that word numbers occur in, for the mode `tfidf` of matrices."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """Turns texts into lists of word numbers."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | list[str]]) -> Iterator[list[int]]:
        """Yields the word numbers of each text."""
        for text in texts:
            numbers = (self._known(self.word_index.get(word)) for word in self._words(text))
            yield [number for number in numbers if number is not None]

    def _known(self, number: int | None) -> int | None:
        """Returns the number, or that of `oov_token` if it is outside the vocabulary."""
        if number is None or (self.num_words and number >= self.num_words):
            return self.word_index.get(self.oov_token) if self.oov_token is not None else None
        return number

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Turns lists of word numbers into texts, with a space between words."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yields the text of each list of word numbers."""
        for sequence in sequences:
            numbers = (
                self._known(number if number in self.index_word else None) for number in sequence
            )
            yield " ".join(self.index_word[number] for number in numbers if number is not None)

    def texts_to_matrix(self, texts: Iterable[str | list[str]], mode: str = "binary") -> np.ndarray:
        """Turns each text into a row with a column a word. See `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode=mode)

    def sequences_to_matrix(self, sequences: list[list[int]], mode: str = "binary") -> np.ndarray:
        """Turns each list of word numbers into a row with a column a word.

        Args:
            sequences: Lists of word numbers.
            mode: `"binary"` (does the word occur), `"count"` (how often), `"freq"` (how often, by
                the length of the text) or `"tfidf"`:
                `(1 + log(count)) * log(1 + texts / (1 + texts with the word))`.

        Returns:
            A `float64` array of shape `(len(sequences), num_words)`.

        Raises:
            ValueError: `mode` is unknown, or the tokenizer has seen no text.
        """
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ValueError(
                f"`mode` must be 'binary', 'count', 'freq' or 'tfidf'. Received: mode={mode!r}"
            )
        if not (self.num_words or self.word_index):
            raise ValueError("Set `num_words`, or call `fit_on_texts` first.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Call `fit_on_texts` or `fit_on_sequences` before the mode 'tfidf'.")
        columns = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), columns))
        for row, sequence in zip(matrix, sequences):
            numbers, counts = np.unique(np.asarray(sequence, int), return_counts=True)
            inside = numbers < columns
            numbers, counts = numbers[inside], counts[inside]
            if mode == "binary":
                row[numbers] = 1
            elif mode == "count":
                row[numbers] = counts
            elif mode == "freq":
                row[numbers] = counts / max(len(sequence), 1)
            else:
                texts = np.array([self.index_docs.get(int(number), 0) for number in numbers])
                row[numbers] = (1 + np.log(counts)) * np.log(1 + self.document_count / (1 + texts))
        return matrix

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, and the counts as JSON."""
        plain = "num_words filters lower split char_level oov_token document_count"
        as_json = "word_counts word_docs index_docs index_word word_index"
        return {name: getattr(self, name) for name in plain.split()} | {
            name: json.dumps(getattr(self, name)) for name in as_json.split()
        }

    def to_json(self, **kwargs: Any) -> str:
        """Returns the tokenizer as JSON, for `tokenizer_from_json`. `kwargs` go to `json.dumps`."""
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **kwargs
        )


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Returns the tokenizer that `Tokenizer.to_json` wrote.

    Args:
        json_string: The JSON.

    Raises:
        ValueError: It is no tokenizer.

    Example:

    >>> import minikeras
    >>> text = minikeras.preprocessing.text
    >>> tokenizer = text.Tokenizer()
    >>> tokenizer.fit_on_texts(["to be"])
    >>> text.tokenizer_from_json(tokenizer.to_json()).word_index
    {'to': 1, 'be': 2}
    """
    try:
        config = dict(json.loads(json_string)["config"])
        words = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs")}
        word_index = json.loads(config.pop("word_index"))
        numbers = {
            name: {int(number): value for number, value in json.loads(config.pop(name)).items()}
            for name in ("index_docs", "index_word")
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"`json_string` is not what Tokenizer.to_json() wrote: {error!r}"
        ) from error
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts = collections.OrderedDict(words["word_counts"])
    # Both go on counting when more texts are fitted.
    tokenizer.word_docs = collections.defaultdict(int, words["word_docs"])
    tokenizer.index_docs = collections.defaultdict(int, numbers["index_docs"])
    tokenizer.word_index = word_index
    tokenizer.index_word = numbers["index_word"]
    return tokenizer
