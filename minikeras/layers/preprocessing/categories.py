"""What the layers of categories share: strings as arrays, and one-hot, multi-hot and counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
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
