"""Texts to sequences of word indices, or to bags of words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry, serialization
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.category_encoding import (
    CategoryLayer,
    as_values,
    batches_of,
    one_of,
    refuse_sparse,
)
from minikeras.layers.preprocessing.index_lookup import _SYNONYMS, StringLookup, as_list

_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
# Keras changes ASCII letters only, and takes ASCII white space only for the end of a word:
# vocabularies of saved models depend on it.
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_STRIP = dict.fromkeys(map(ord, "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"))
_TABLES = {
    "lower": _LOWER,
    "strip_punctuation": _STRIP,
    "lower_and_strip_punctuation": {**_LOWER, **_STRIP},
}
_WORDS = re.compile(r"[^ \t\n\v\f\r]+")


@registry.layers.register("TextVectorization")
class TextVectorization(CategoryLayer):
    """Turns texts into word indices, with a vocabulary that is given or learned by `adapt`.

    A text is standardized, split into words, joined into n-grams, and looked up.

    Args:
        max_tokens: Integer or None (default). The most words the vocabulary may have.
        standardize: `"lower_and_strip_punctuation"` (default), `"lower"`,
            `"strip_punctuation"`, None, or a function of an array of strings.
        split: `"whitespace"` (default), `"character"`, None, or a function from an array of
            strings to a list of lists of strings.
        ngrams: Integer (all lengths up to it), tuple of lengths, or None (default).
        output_mode: `"int"` (default), `"one_hot"`, `"multi_hot"`, `"count"` or `"tf_idf"`.
        output_sequence_length: Integer or None (default). For `"int"`: the length that sequences
            are cut or padded to. None: that of the longest of the batch.
        pad_to_max_tokens: Boolean, default False. Whether encodings are `max_tokens` wide.
        vocabulary: Sequence of words, the path of a text file, or None (default) to `adapt`.
        idf_weights: For `"tf_idf"`: a weight a word, or None (default).
        sparse: Must be False (default).
        ragged: Must be False (default).
        encoding: String, default `"utf-8"`. How bytes are read.
        name: String. Defaults to an automatic name.
        **kwargs: `dtype`, `trainable`.

    Input shape:
        `(batch,)`, `(batch, 1)` or `()`, of strings.

    Output shape:
        `(batch, length)` for `"int"`, else `(batch, words)`.

    Raises:
        ValueError: if an argument is out of range, or does not fit the others.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    >>> layer(["Foo, qux! bar", "baz"]).tolist()
    [[4, 1, 3, 0], [2, 0, 0, 0]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        size = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, autocast=False, **kwargs)
        refuse_sparse(sparse, self)
        if ragged:
            raise ValueError(
                "Argument `ragged` must be False: minikeras has no ragged tensors. Sequences are"
                " padded with 0."
            )
        if not callable(standardize):
            one_of("standardize", standardize, (*_STANDARDIZE, None), self)
        if not callable(split):
            one_of("split", split, ("whitespace", "character", None), self)
        output_mode = _SYNONYMS.get(output_mode, output_mode)
        one_of("output_mode", output_mode, _MODES, self)
        whole = isinstance(ngrams, tuple) and all(isinstance(item, int) for item in ngrams)
        if not (ngrams is None or isinstance(ngrams, int) or whole):
            raise ValueError(
                "Argument `ngrams` must be None, an integer or a tuple of integers. Received:"
                f" ngrams={ngrams!r}"
            )
        length = output_sequence_length
        if length is not None and output_mode != "int":
            raise ValueError(
                "`output_sequence_length` must not be set if `output_mode` is not 'int'. Received:"
                f" output_sequence_length={length!r}, output_mode={output_mode!r}"
            )
        if length is not None and not isinstance(length, int):
            raise ValueError(
                "Argument `output_sequence_length` must be None or an integer. Received:"
                f" output_sequence_length={length!r}"
            )
        self._standardize = standardize
        self._split = split
        self._ngrams_arg = ngrams
        self._ngrams = tuple(range(1, ngrams + 1)) if isinstance(ngrams, int) else ngrams
        self._output_mode = output_mode
        self._output_sequence_length = length
        self._encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=output_mode,
            has_input_vocabulary=has_vocabulary,
            encoding=encoding,
            vocabulary_size=size,
        )

    # Vocabulary

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent words of `data` first.

        Args:
            data: Array or list of texts, or an iterable of batches of texts.
            batch_size: Not needed. Kept for Keras's signature.
            steps: Integer or None (default). How many batches to take at most.
        """
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the words of a batch of texts."""
        documents = self._tokens(as_values(data, self._encoding))
        if self._split is None:
            documents = [[token] for token in documents]
        elif documents and isinstance(documents[0], str):
            documents = [documents]
        self._lookup_layer.count_documents(documents)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """The words in the order of their indices.

        Args:
            include_special_tokens: Boolean, default True. Whether those for padding and unknown
                words come first.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of words, those for padding and unknown ones included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the words (and, for `"tf_idf"`, their weights)."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)

    # Texts to words

    def _convert(self, inputs: Any) -> Any:
        return Tensor(as_values(inputs, self._encoding))

    def _tokens(self, texts: np.ndarray) -> list:
        """The words of each text; without `split`, the texts themselves."""
        if callable(self._standardize):
            texts = as_values(self._standardize(np.asarray(texts, dtype=str)), self._encoding)
        elif self._standardize is not None:
            table = _TABLES[self._standardize]
            values = [value.translate(table) for value in texts.ravel().tolist()]
            texts = np.array([*values, None], object)[:-1].reshape(texts.shape)
        if self._split is None:
            rows = texts.ravel().tolist()
            return rows if self._ngrams is None else [" ".join(rows)]
        if texts.ndim > 1:
            if texts.shape[-1] != 1:
                raise ValueError(
                    "TextVectorization splits texts of shape (batch,) or (batch, 1). Received"
                    f" shape: {texts.shape}"
                )
            texts = texts[..., 0]
        if callable(self._split):
            words = [list(map(str, as_values(row).tolist())) for row in plain(self._split(texts))]
        elif self._split == "character":
            words = [list(value) for value in texts.ravel().tolist()]
        else:
            words = [_WORDS.findall(value) for value in texts.ravel().tolist()]
        if self._ngrams is not None:
            words = [_joined(row, self._ngrams) for row in words]
        return words[0] if texts.ndim == 0 else words

    # Words to numbers

    def forward(self, ctx: Any, inputs: np.ndarray) -> np.ndarray:  # type: ignore[override]
        # In a graph, batches come as they are in the data.
        inputs = as_values(inputs, self._encoding)
        lookup = self._lookup_layer
        if self._split is None:
            texts = np.array([*self._tokens(inputs), None], object)[:-1].reshape(inputs.shape)
            return lookup.encode(lookup.lookup(texts))
        rows = self._tokens(inputs)
        flat = inputs.ndim == 0
        rows = [rows] if flat else rows
        length = self._output_sequence_length
        longest = length if length is not None else max(map(len, rows), default=0)
        # Padding is index 0 for "int"; elsewhere it is outside of the vocabulary.
        padding = 0 if self._output_mode == "int" else -1
        indices = np.full((len(rows), longest), padding, np.int64)
        for place, row in zip(indices, rows):
            row = row[:longest]
            place[: len(row)] = lookup.lookup(np.array([*row, None], object)[:-1])
        return lookup.encode(indices[0] if flat else indices)

    @property
    def compute_dtype(self) -> str:
        """`"string"`."""
        return "string"

    @property
    def variable_dtype(self) -> str:
        """`"string"`."""
        return "string"

    def _output_dtype(self) -> str:
        return "int64" if self._output_mode == "int" else settings.floatx()

    def compute_output_spec(self, inputs: Any, **_: Any) -> KerasTensor:  # type: ignore[override]
        """The output as a symbolic tensor."""
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype=self._output_dtype())

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """`(batch, length)`, or `(batch, words)`."""
        shape = tuple(input_shape)
        if self._output_mode == "int":
            return (shape[0], self._output_sequence_length)
        if self._split is not None:
            shape = (*(shape[:-1] if len(shape) > 1 else shape), None)
        return self._lookup_layer.compute_output_shape(shape)

    # Files

    def build(self, input_shape: Any = None) -> None:
        """Nothing to make."""
        self.built = True

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of `"tf_idf"` into `store`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of `"tf_idf"` from `store`."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, folder: Any) -> None:
        """Write a learned vocabulary to `vocabulary.txt` in a folder."""
        self._lookup_layer.save_assets(folder)

    def load_assets(self, folder: Any) -> None:
        """Read the vocabulary from `vocabulary.txt` in a folder."""
        self._lookup_layer.load_assets(folder)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        lookup = self._lookup_layer
        return {
            **super().get_config(),
            "max_tokens": lookup.max_tokens,
            "standardize": self._standardize,
            "split": self._split,
            "ngrams": self._ngrams_arg,
            "output_mode": self._output_mode,
            "output_sequence_length": self._output_sequence_length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": as_list(lookup.input_vocabulary),
            "idf_weights": as_list(lookup.input_idf_weights),
            "encoding": self._encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The layer that `config` describes."""
        config = dict(config)
        for key in ("standardize", "split"):
            if isinstance(config.get(key), dict):
                config[key] = serialization.deserialize(config[key])
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return cls(**config)


def _joined(words: list, widths: tuple) -> list:
    """The n-grams of each width in turn."""
    return [
        " ".join(words[first : first + width])
        for width in widths
        for first in range(len(words) - width + 1)
    ]
