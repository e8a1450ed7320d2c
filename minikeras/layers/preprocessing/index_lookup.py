"""Tokens to indices and back, by a vocabulary that is given or learned."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry
from minikeras.engine.context import state
from minikeras.engine.serialization import safe_mode
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.category_encoding import (
    CategoryLayer,
    as_values,
    batches_of,
    encode,
    encoded_shape,
    one_of,
    refuse_sparse,
)
from minikeras.layers.preprocessing.hashing import hash_bins, parse_salt

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_SYNONYMS = {"binary": "multi_hot", "tf-idf": "tf_idf"}
# An index that is outside of every vocabulary: masked tokens leave no trace in encodings.
_NOWHERE = np.iinfo(np.int64).max


class IndexLookup(CategoryLayer):
    """What `StringLookup` and `IntegerLookup` share."""

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary_dtype: str,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        frozen_size = kwargs.pop("vocabulary_size", None)
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        kwargs.pop("trainable", None)
        kwargs.pop("dtype", None)
        super().__init__(name=name, autocast=False, **kwargs)
        refuse_sparse(sparse, self, output_mode)
        output_mode = _SYNONYMS.get(output_mode, output_mode)
        one_of("output_mode", output_mode, _MODES, self)
        one_of("oov_method", oov_method, ("floormod", "farmhash"), self)
        if max_tokens is not None and max_tokens <= 1:
            raise ValueError(
                f"If set, `max_tokens` must be greater than 1. Received: max_tokens={max_tokens}"
            )
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(
                "If pad_to_max_tokens is True, must set `max_tokens`. Received:"
                f" max_tokens={max_tokens}"
            )
        if num_oov_indices < 0:
            raise ValueError(
                "`num_oov_indices` must be greater than or equal to 0. Received:"
                f" num_oov_indices={num_oov_indices}"
            )
        if salt is not None and vocabulary_dtype != "string" and oov_method != "farmhash":
            raise ValueError(
                "A `salt` needs `oov_method='farmhash'`. Received:"
                f" salt={salt}, oov_method={oov_method!r}"
            )
        if invert and output_mode != "int":
            raise ValueError(
                "`output_mode` must be `'int'` when `invert` is true. Received:"
                f" output_mode={output_mode!r}"
            )
        if idf_weights is not None and output_mode != "tf_idf":
            raise ValueError(
                "`idf_weights` should only be set if `output_mode` is `'tf_idf'`. Received:"
                f" output_mode={output_mode!r}"
            )
        if output_mode == "tf_idf" and has_vocabulary and idf_weights is None:
            raise ValueError(
                "With `output_mode='tf_idf'` a `vocabulary` needs its `idf_weights` too."
            )
        self.invert = invert
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.output_mode = output_mode
        self.sparse = sparse
        self.pad_to_max_tokens = pad_to_max_tokens
        self.vocabulary_dtype = vocabulary_dtype
        self.oov_method = oov_method
        self.salt = parse_salt(salt, self)
        self.input_vocabulary = None if isinstance(vocabulary, str) else vocabulary
        self.input_idf_weights = idf_weights
        self.idf_weights: np.ndarray | None = None
        self._has_input_vocabulary = has_vocabulary
        self._frozen_vocab_size = frozen_size
        self._tokens: list = []
        self._indices: dict = {}
        self._counts: Counter = Counter()
        self._document_counts: Counter = Counter()
        self._documents = 0
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # Vocabulary

    def _token_start(self) -> int:
        """The index of the first token, after those of the mask and of unknown tokens."""
        return self._oov_start() + self.num_oov_indices

    def _oov_start(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    def _special(self) -> list:
        return [self.mask_token] * self._oov_start() + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: Boolean, default True. Whether the mask and the tokens for
                unknown ones come first.
        """
        return (self._special() if include_special_tokens else []) + list(self._tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, those for the mask and unknown ones included."""
        return len(self._tokens) + self._token_start()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the tokens.

        Args:
            vocabulary: Sequence of tokens, with or without the special ones in front; or the path
                of a text file, a token a line.
            idf_weights: For `output_mode="tf_idf"`: a weight a token.

        Raises:
            ValueError: for repeated tokens, special tokens elsewhere, or too many.
        """
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ValueError(
                "`idf_weights` should only be set if `output_mode` is `'tf_idf'`, and must be then."
                f" Received: output_mode={self.output_mode!r}, idf_weights={idf_weights}"
            )
        if isinstance(vocabulary, str):
            vocabulary = self._read(vocabulary)
        tokens = as_values(vocabulary).ravel().tolist()
        if not tokens:
            raise ValueError("A vocabulary must not be empty.")
        start, special = self._token_start(), self._special()
        given_special = tokens[:start] == special
        words = tokens[start:] if given_special else tokens
        repeated = [token for token, count in Counter(words).items() if count > 1]
        if repeated:
            raise ValueError(
                f"The passed vocabulary has at least one repeated term. Repeated: {repeated[:10]}"
            )
        reserved = [self.mask_token] + ([self.oov_token] if self.invert else [])
        for kind, token in zip(("mask", "OOV"), reserved):
            if token is not None and token in words:
                raise ValueError(
                    f"Found reserved {kind} token at unexpected location in `vocabulary`. Leave"
                    f" {token!r} out, or put the special tokens in front in this order: {special}"
                )
        if self.max_tokens is not None and len(words) + start > self.max_tokens:
            raise ValueError(
                f"The vocabulary has {len(words) + start} tokens, special ones included;"
                f" `max_tokens` is {self.max_tokens}."
            )
        self._set_tokens(words)
        if idf_weights is not None:
            self._set_weights(np.asarray(plain(idf_weights)), len(tokens), given_special)

    def _read(self, path: str) -> list:
        if safe_mode():
            raise ValueError(
                f"A saved model asks for the vocabulary file {path!r}, outside of its archive. That"
                " is refused, because it could name any file. If you trust its source, load it"
                " with `safe_mode=False`."
            )
        if self.output_mode == "tf_idf":
            raise ValueError("With `output_mode='tf_idf'` a vocabulary file cannot be used.")
        if not Path(path).exists():
            raise ValueError(f"Vocabulary file {path} does not exist.")
        return [self._parse(line) for line in Path(path).read_text("utf-8").splitlines()]

    def _parse(self, line: str) -> Any:
        return line if self.vocabulary_dtype == "string" else int(line)

    def _set_tokens(self, tokens: list) -> None:
        before = self._frozen_vocab_size
        size = len(tokens) + self._token_start()
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens
        if fixed and before is not None and before != size:
            raise RuntimeError(
                f"The vocabulary of layer {self.name!r} has {before} tokens and cannot become"
                f" {size}, because that is the width of its output."
            )
        self._tokens = tokens
        start = self._token_start()
        self._indices = {token: start + index for index, token in enumerate(tokens)}
        self._frozen_vocab_size = size

    def _set_weights(self, weights: np.ndarray, count: int, given_special: bool) -> None:
        if weights.ndim != 1 or len(weights) != count:
            raise ValueError(
                f"`idf_weights` must be a vector of a weight a token ({count}). Received shape:"
                f" {weights.shape}"
            )
        if not given_special:
            # An unknown token weighs what tokens weigh on average.
            weights = np.pad(weights, (self._token_start(), 0), constant_values=weights.mean())
        self.idf_weights = self._padded(weights)

    def _padded(self, weights: np.ndarray) -> np.ndarray:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            weights = np.pad(weights, (0, self.max_tokens - len(weights)))
        return weights.astype(settings.floatx())

    # Learning the vocabulary

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent tokens of `data` first.

        Args:
            data: Array or list of tokens, or an iterable of batches.
            steps: Integer or None (default). How many batches to take at most.
        """
        self.reset_state()
        for batch in batches_of(data, steps):
            values = as_values(batch)
            self.update_state(values[:, None] if values.ndim == 1 else values)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch; each row is a document."""
        values = as_values(data)
        rows = values.reshape(1, -1) if values.ndim < 2 else values
        self.count_documents(rows.reshape(len(rows), -1).tolist())

    def count_documents(self, documents: list) -> None:
        """Count the tokens of lists of tokens."""
        if self._has_input_vocabulary:
            raise ValueError(
                f"Layer {self.name!r} has a fixed vocabulary, so it cannot adapt. Make it without"
                " `vocabulary` to learn one."
            )
        for document in documents:
            self._counts.update(document)
            if self.output_mode == "tf_idf":
                self._document_counts.update(set(document))
        self._documents += len(documents)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        if self._has_input_vocabulary or not self._counts:
            self._set_tokens(self._tokens)
            return
        for token in (self.mask_token, self.oov_token):
            self._counts.pop(token, None)
        start = self._token_start()
        # The most frequent first; of equally frequent ones, the last in order.
        tokens = sorted(self._counts, key=lambda token: (self._counts[token], token), reverse=True)
        if self.max_tokens:
            tokens = tokens[: self.max_tokens - start]
        self._set_tokens(tokens)
        if self.output_mode == "tf_idf":
            documents = self._documents
            weights = [math.log(1 + documents / (1 + self._document_counts[t])) for t in tokens]
            mean = np.mean(np.array(weights, settings.floatx())) if weights else 0.0
            self.idf_weights = self._padded(np.array([mean] * start + weights))
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        if not self._has_input_vocabulary:
            self._counts.clear()
            self._document_counts.clear()
            self._documents = 0

    # Looking up

    @property
    def compute_dtype(self) -> str:
        """The dtype of the tokens."""
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the tokens."""
        return self.vocabulary_dtype

    def _output_dtype(self) -> str:
        if self.invert:
            return self.vocabulary_dtype
        return "int64" if self.output_mode == "int" else settings.floatx()

    def _depth(self) -> int | None:
        return self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size

    def lookup(self, values: np.ndarray) -> np.ndarray:
        """The indices of tokens (with `invert`, the tokens of indices)."""
        flat = values.ravel().tolist()
        if self.invert:
            found = self.get_vocabulary()
            size, unknown = len(found), self.oov_token
            result = np.empty(len(flat), object if self.vocabulary_dtype == "string" else np.int64)
            result[:] = [found[i] if 0 <= i < size else unknown for i in flat]
            return result.reshape(values.shape)
        unknown = self._oov_start() if self.num_oov_indices == 1 else -1
        table = self._indices
        if self.mask_token is not None:
            table = {**table, self.mask_token: 0 if self.output_mode == "int" else _NOWHERE}
        found = [table.get(token, unknown) for token in flat]
        indices = np.array(found, np.int64).reshape(values.shape)
        if self.num_oov_indices != 1:
            self._place_unknown(values, indices)
        return indices

    def _place_unknown(self, values: np.ndarray, indices: np.ndarray) -> None:
        places = indices == -1
        if state.inferring:
            indices[places] = 0  # of made-up tokens
        if not places.any() or state.inferring:
            return
        unknown = values[places]
        if self.num_oov_indices == 0:
            raise ValueError(
                "With `num_oov_indices=0` all tokens must be in the vocabulary. Not in it:"
                f" {unknown[:10].tolist()}. Use `num_oov_indices=1` to give them an index."
            )
        if self.vocabulary_dtype != "string" and self.oov_method != "farmhash":
            bins = unknown % self.num_oov_indices
        else:
            bins = hash_bins(unknown, self.num_oov_indices, self.salt)
        indices[places] = bins + self._oov_start()

    def forward(self, ctx: Any, inputs: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return self.encode(self.lookup(self._keys(inputs)))

    def _keys(self, inputs: np.ndarray) -> np.ndarray:
        if self.invert or self.vocabulary_dtype != "string":
            return inputs.astype(np.int64, copy=False)
        # In a graph, batches come as they are in the data.
        inputs = as_values(inputs, getattr(self, "encoding", "utf-8"))
        if inputs.dtype.kind != "O":
            raise ValueError(
                f"Layer {self.name!r} looks strings up. Received numbers of dtype {inputs.dtype}."
                " Use IntegerLookup for integers."
            )
        return inputs

    def encode(self, indices: np.ndarray) -> np.ndarray:
        """Indices as the output mode wants them."""
        if self.output_mode == "int":
            return indices
        depth = self._known_depth()
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        output = encode(indices, mode, depth, settings.floatx())
        return output * self.idf_weights if self.output_mode == "tf_idf" else output

    def _known_depth(self) -> int:
        depth = self._depth()
        if depth is None or (self.output_mode == "tf_idf" and self.idf_weights is None):
            raise RuntimeError(
                f"Layer {self.name!r} has no vocabulary yet, so the width of its output is not"
                " known. Pass `vocabulary`, or call `adapt(data)` first."
            )
        return depth

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The input's, with an axis of tokens unless indices are returned."""
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return encoded_shape(input_shape, mode, self._depth())

    # Files

    def get_build_config(self) -> dict:
        """Nothing: there is nothing to build."""
        return {}

    def build_from_config(self, config: dict) -> None:
        """Mark the layer as built."""
        self.built = True

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of `"tf_idf"` into `store`."""
        if self.output_mode == "tf_idf" and self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of `"tf_idf"` from `store`."""
        if self.output_mode == "tf_idf":
            self.idf_weights = np.asarray(store["idf_weights"])

    def save_assets(self, folder: Any) -> None:
        """Write a learned vocabulary to `vocabulary.txt` in a folder."""
        if self.input_vocabulary is None:
            lines = "\n".join(str(token) for token in self.get_vocabulary())
            (Path(folder) / "vocabulary.txt").write_text(lines, "utf-8")

    def load_assets(self, folder: Any) -> None:
        """Read the vocabulary from `vocabulary.txt` in a folder."""
        if self.input_vocabulary is not None:
            return
        lines = (Path(folder) / "vocabulary.txt").read_text("utf-8").split("\n")
        while lines and lines[-1] == "":
            lines.pop()
        if lines:
            self.set_vocabulary([self._parse(line) for line in lines], self.idf_weights)

    def load_legacy_state(self, arrays: list) -> None:
        """Leave what an `.h5` of Keras 2 holds: the weights of "tf_idf" are in the config too."""

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary_dtype": self.vocabulary_dtype,
            "idf_weights": as_list(self.input_idf_weights),
            "vocabulary": as_list(self.input_vocabulary),
            "vocabulary_size": self._frozen_vocab_size,
            "oov_method": self.oov_method,
            "salt": self.salt,
        }


def as_list(values: Any) -> Any:
    """Arrays and tensors as lists."""
    values = plain(values)
    return values.tolist() if isinstance(values, np.ndarray) else values


_COMMON = """max_tokens: Integer or None (default). The most tokens the vocabulary may have, special
            ones included.
        num_oov_indices: Integer, default 1. How many indices unknown tokens share. With 0,
            unknown tokens are an error.
        mask_token: Token that stands for nothing, with index 0, or None (default).
        oov_token: What unknown tokens become with `invert`. Defaults to {oov}.
        vocabulary: Sequence of tokens, the path of a text file, or None (default) to `adapt`.
        {dtype}idf_weights: For `"tf_idf"`: a weight a token, or None (default).
        invert: Boolean, default False. Whether to turn indices into tokens instead.
        output_mode: `"int"` (default), `"one_hot"`, `"multi_hot"`, `"count"` or `"tf_idf"`."""


@registry.layers.register("StringLookup")
class StringLookup(IndexLookup):
    """Turns strings into indices of a vocabulary, or encodes them.

    Args:
        {common}
        pad_to_max_tokens: Boolean, default False. Whether encodings are `max_tokens` wide.
        sparse: Must be False (default).
        encoding: String, default `"utf-8"`. How bytes are read.
        name: String. Defaults to an automatic name.
        salt: Integer or pair of integers that keys the hash of unknown tokens, or None (default).
        **kwargs: Kept for configs.

    Raises:
        ValueError: if an argument is out of range, or does not fit the others.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.StringLookup(vocabulary=["a", "b", "c", "d"])
    >>> layer([["a", "c", "d"], ["d", "z", "b"]]).tolist()
    [[1, 3, 4], [4, 0, 2]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        object.__setattr__(self, "encoding", encoding)
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, "string", vocabulary, idf_weights,
            invert, output_mode, sparse, pad_to_max_tokens, name=name, salt=salt, **kwargs,
        )  # fmt: skip

    def _convert(self, inputs: Any) -> Any:
        return Tensor(as_values(inputs, self.encoding))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = super().get_config()
        del config["vocabulary_dtype"]
        return {**config, "encoding": self.encoding}


@registry.layers.register("IntegerLookup")
class IntegerLookup(IndexLookup):
    """Turns integers into indices of a vocabulary, or encodes them.

    Args:
        {common}
        sparse: Must be False (default).
        pad_to_max_tokens: Boolean, default False. Whether encodings are `max_tokens` wide.
        oov_method: `"floormod"` (default) or `"farmhash"`: how unknown tokens are spread over
            several indices.
        salt: Integer or pair of integers that keys the hash of unknown tokens, or None (default).
        name: String. Defaults to an automatic name.
        **kwargs: Kept for configs.

    Raises:
        ValueError: if an argument is out of range, or does not fit the others.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    >>> layer([[12, 1138, 42], [42, 1000, 36]]).tolist()
    [[1, 3, 4], [4, 0, 2]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(
                "Argument `vocabulary_dtype` must be 'int64'. Received:"
                f" vocabulary_dtype={vocabulary_dtype!r}"
            )
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary,
            idf_weights, invert, output_mode, sparse, pad_to_max_tokens, oov_method, name, salt,
            **kwargs,
        )  # fmt: skip


for _layer, _oov, _dtype in (
    (StringLookup, '`"[UNK]"`', ""),
    (IntegerLookup, "-1", 'vocabulary_dtype: `"int64"`.\n        '),
):
    assert _layer.__doc__ is not None
    _layer.__doc__ = _layer.__doc__.replace("{common}", _COMMON.format(oov=_oov, dtype=_dtype))
