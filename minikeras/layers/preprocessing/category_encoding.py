"""`CategoryEncoding`, `Discretization`, and the base of layers that encode categories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry, tree
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import plain


class CategoryLayer(Layer):
    """A layer that looks values up: it takes lists, strings and numbers, and has no gradient."""

    # Its own `__call__` only converts what a plan hands on converted already.
    _plain_call = True
    takes_strings = True

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(inputs)):
            inputs = self._convert(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def _convert(self, inputs: Any) -> Any:
        return Tensor(as_values(inputs))

    def backward(self, ctx: Any, dy: Any) -> None:  # type: ignore[override]
        """Categories have no gradient."""
        return None

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> KerasTensor:
        """The output as a symbolic tensor."""
        inputs = args[0] if args else kwargs["inputs"]
        shape = tree.map_structure(lambda leaf: tuple(leaf.shape), inputs)
        return KerasTensor(self.compute_output_shape(shape), dtype=self._output_dtype())

    def _output_dtype(self) -> str:
        return self.compute_dtype


def as_values(inputs: Any, encoding: str = "utf-8") -> np.ndarray:
    """`inputs` as an array of numbers, or of Python strings (dtype object)."""
    array = np.asarray(plain(inputs))
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind not in "SUOT":
        raise ValueError(
            f"Expected strings or numbers. Received values of dtype {array.dtype}: {inputs!r}"
        )
    values = [text(value, encoding) for value in array.ravel().tolist()]
    result = np.empty(len(values), object)
    result[:] = values
    return result.reshape(array.shape)


def text(value: Any, encoding: str = "utf-8") -> Any:
    """Bytes as a string; what is missing as an empty one."""
    if isinstance(value, bytes):
        return value.decode(encoding)
    return "" if value is None else value


def batches_of(data: Any, steps: int | None) -> Iterator[Any]:
    """The batches of data that `adapt` takes: all of an array at once, or a data set's."""
    if isinstance(data, (list, tuple, np.ndarray, Tensor, str)) or hasattr(data, "to_numpy"):
        yield data.to_numpy() if hasattr(data, "to_numpy") else data
        return
    for index, batch in enumerate(data):
        if steps is not None and index >= steps:
            return
        yield batch


def one_of(argument: str, value: Any, allowed: tuple, layer: Any) -> None:
    """Raise a ValueError unless `value` is among `allowed`."""
    if value not in allowed:
        raise ValueError(
            f"{type(layer).__name__}: Invalid value for argument `{argument}`. Expected one of"
            f" {allowed}. Unknown arg for {argument}: {value}"
        )


def refuse_sparse(sparse: bool, layer: Any, output_mode: str | None = None) -> None:
    """Raise a ValueError where sparse output is asked for."""
    if sparse and output_mode == "int":
        raise ValueError(
            f"{type(layer).__name__}: `sparse` may only be true if `output_mode` is `'one_hot'`,"
            " `'multi_hot'`, `'count'` or `'tf_idf'`; and minikeras has no sparse tensors."
        )
    if sparse:
        raise ValueError(
            f"{type(layer).__name__}: argument `sparse` must be False: minikeras has no sparse"
            " tensors. The dense output holds the same numbers."
        )


def encode(
    indices: np.ndarray, mode: str, depth: int, dtype: Any, weights: Any = None
) -> np.ndarray:
    """Class numbers as they are, or as one-hot, multi-hot or counts.

    Numbers outside of `0 ... depth - 1` leave no trace.

    Args:
        indices: Integers. One-hot drops a last axis of size 1; multi-hot and counts take the
            second axis (the only one, of a vector) together.
        mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`.
        depth: The number of classes.
        dtype: Dtype of the result.
        weights: For counts: what each index counts, or None.
    """
    dtype = dtypes.to_numpy_dtype(dtype)
    if mode == "int":
        return indices.astype(dtype, copy=False)
    if indices.ndim == 0:
        indices = indices[None]
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return _one_hot(indices, depth, dtype)
    if indices.ndim > 2:
        hot = _one_hot(indices, depth, dtype)
        if mode == "count" and weights is not None:
            hot *= np.asarray(weights, dtype)[..., None]
        return hot.max(1) if mode == "multi_hot" else hot.sum(1)
    rows = np.atleast_2d(indices)
    known = (rows >= 0) & (rows < depth)
    cells = (rows + depth * np.arange(len(rows))[:, None])[known]
    if weights is not None:
        weights = np.broadcast_to(np.asarray(weights), indices.shape).reshape(rows.shape)[known]
    found = np.bincount(cells, weights, minlength=depth * len(rows))
    counts = found > 0 if mode == "multi_hot" else found
    return counts.astype(dtype).reshape(*indices.shape[:-1], depth)


def _one_hot(indices: np.ndarray, depth: int, dtype: np.dtype) -> np.ndarray:
    return (indices[..., None] == np.arange(depth)).astype(dtype)


def encoded_shape(shape: tuple, mode: str, depth: int | None) -> tuple:
    """The shape of what `encode` returns for indices of `shape`."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if not shape:
        return (1, depth) if mode == "one_hot" else (depth,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


@registry.layers.register("CategoryEncoding")
class CategoryEncoding(CategoryLayer):
    """Encodes class numbers from 0 to `num_tokens - 1`.

    Args:
        num_tokens: Integer. The number of classes.
        output_mode: `"multi_hot"` (default; also `"binary"`): which classes a row holds;
            `"one_hot"`: each number by itself; `"count"`: how often a row holds each class.
        sparse: Must be False (default).
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, numbers)`, `(numbers,)` or, for `"one_hot"`, any.

    Output shape:
        `(batch, num_tokens)`, `(num_tokens,)` or, for `"one_hot"`, the input's with an axis added.

    Raises:
        ValueError: for an unknown mode, or a number of classes below 1.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.CategoryEncoding(num_tokens=4, output_mode="count")
    >>> layer([[0, 1], [0, 0], [3, 1]]).tolist()
    [[1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse_sparse(sparse, self)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        one_of("output_mode", output_mode, ("count", "one_hot", "multi_hot"), self)
        if num_tokens is None:
            raise ValueError(
                "num_tokens must be set to use this layer. If the classes are not known"
                " beforehand, use IntegerLookup. Received: num_tokens=None"
            )
        if num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}")
        self.num_tokens = num_tokens
        self.output_mode = output_mode
        self.sparse = sparse

    def forward(  # type: ignore[override]
        self, ctx: Any, inputs: np.ndarray, count_weights: Any = None
    ) -> np.ndarray:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "`count_weights` is not used when `output_mode` is not 'count'. Received:"
                f" output_mode={self.output_mode!r}"
            )
        if inputs.dtype.kind == "O":
            raise ValueError(
                f"CategoryEncoding takes class numbers. Received strings: {inputs.ravel()[:3]}. Use"
                " StringLookup for strings."
            )
        indices = inputs.astype(np.int64, copy=False)
        if indices.size and indices.min() < 0:
            raise ValueError(
                f"CategoryEncoding takes numbers from 0 to {self.num_tokens - 1}. Received:"
                f" {indices.min()}"
            )
        return encode(indices, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The input's, with an axis of classes."""
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "output_mode": self.output_mode,
        }


_MODES = ("int", "one_hot", "multi_hot", "count")


@registry.layers.register("Discretization")
class Discretization(CategoryLayer):
    """Puts numbers into bins, with boundaries that are given or taken from data by `adapt`.

    Args:
        bin_boundaries: List of rising floats, or None (default). Bin `i` holds
            `boundaries[i - 1] <= x < boundaries[i]`.
        num_bins: Integer or None (default). How many bins `adapt` makes, of equal counts.
        epsilon: Float, default 0.01. How exactly `adapt` finds the quantiles.
        output_mode: `"int"` (default), `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: Must be False (default).
        dtype: Dtype of encoded outputs. Defaults to the global policy.
        name: String. Defaults to an automatic name.

    Input shape:
        Any.

    Output shape:
        That of the input for `"int"` (dtype int32), else with an axis of bins.

    Raises:
        ValueError: unless exactly one of `bin_boundaries` and `num_bins` is given.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    >>> layer([[-1.5, 1.0, 3.4, 0.5]]).tolist()
    [[0, 2, 3, 1]]
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        refuse_sparse(sparse, self)
        one_of("output_mode", output_mode, _MODES, self)
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"Argument `num_bins` must not be negative. Received: num_bins={num_bins}"
            )
        if (num_bins is None) == (bin_boundaries is None):
            both = "Both `num_bins` and `bin_boundaries` were given. " if num_bins else ""
            raise ValueError(
                f"{both}Give either `num_bins` or `bin_boundaries`; with `num_bins`, call `adapt`."
                f" Received: num_bins={num_bins}, bin_boundaries={bin_boundaries}"
            )
        self.bin_boundaries = bin_boundaries
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = sparse
        self.summary = np.zeros((2, 0), "float32")

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Choose the boundaries so that the bins hold equally many of `data`.

        Args:
            data: Array, or an iterable of batches.
            steps: Integer or None (default). How many batches to take at most.
        """
        if self.num_bins is None:
            raise ValueError(
                "A Discretization layer that was made with `bin_boundaries` cannot adapt. Use"
                " `num_bins` instead."
            )
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add a batch to the summary of the data."""
        values = np.sort(as_values(data).astype("float32").ravel())
        step = max(values.size * self.epsilon, 1)
        chosen = values[int(step - 1) :: int(step)]
        summary = np.stack([chosen, np.full_like(chosen, step)])
        merged = np.concatenate([summary, self.summary], axis=1)
        self.summary = _compress(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Take the boundaries from the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compress(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forget the data."""
        self.summary = np.zeros((2, 0), "float32")

    def load_own_variables(self, store: Any) -> None:
        """Take the summary that older files hold; the boundaries are in the config."""
        if len(store.keys()) == 1:
            self.load_legacy_state([np.asarray(store["0"])])

    def load_legacy_state(self, arrays: list) -> None:
        """Take the summary that files of Keras 2 hold, and the boundaries from it."""
        if len(arrays) == 1 and arrays[0].ndim == 2 and len(arrays[0]) == 2:
            self.summary = arrays[0].astype("float32")
            if self.bin_boundaries is None:
                self.finalize_state()

    def _depth(self) -> int | None:
        return self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    def _output_dtype(self) -> str:
        return self.output_dtype

    @property
    def output_dtype(self) -> str:
        """The dtype of the output."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def forward(self, ctx: Any, inputs: np.ndarray) -> np.ndarray:  # type: ignore[override]
        if self.bin_boundaries is None:
            raise ValueError(
                "The Discretization layer has no boundaries yet. You need to either call"
                " `adapt(data)` first or pass `bin_boundaries`."
            )
        boundaries = np.asarray(self.bin_boundaries, "float32")
        indices = np.digitize(inputs, boundaries)
        return encode(indices, self.output_mode, len(boundaries) + 1, self.output_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The input's, with an axis of bins unless numbers are returned."""
        return encoded_shape(input_shape, self.output_mode, self._depth())

    def get_config(self) -> dict:
        """The constructor's arguments, and the boundaries found."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The layer that `config` describes; boundaries that were found are kept."""
        config = dict(config)
        if str(config.get("dtype")).startswith("int"):
            # Keras 3.0 to 3.11 wrote that of the numbers of bins; it would round the inputs.
            del config["dtype"]
        found = config.pop("bin_boundaries", None)
        if config.get("num_bins") is None:
            return cls(bin_boundaries=found, **config)
        layer = cls(**config)
        layer.bin_boundaries = found
        return layer


def _compress(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary (values and their weights) of at most some `1 / epsilon` points.

    The points are at equal steps of the cumulated weight.
    """
    if summary.shape[1] * epsilon < 1:
        return summary
    percents = epsilon + np.arange(0.0, 1.0, epsilon)
    cumulated = summary[1].cumsum()
    shares = cumulated / cumulated[-1]
    values = np.interp(percents, shares, summary[0])
    weights = np.diff(np.interp(percents, shares, cumulated), prepend=0)
    return np.stack([values, weights]).astype("float32")
