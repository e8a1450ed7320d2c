"""How often predictions match labels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.metric import MeanMetricWrapper, as_array, same_rank


def metric_function(kernel: Callable) -> Callable:
    """Make a function of tensors, in `floatx()`, from one of arrays.

    The kernel stays reachable as `.values_on_arrays`: it takes arrays, and may return booleans.
    """

    @registry.metric_functions.register(kernel.__name__)
    @functools.wraps(kernel)
    def function(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Tensor:
        values = kernel(as_array(y_true), as_array(y_pred), *args, **kwargs)
        if values.dtype.kind == "b":
            values = values.astype(config.floatx())
        return Tensor(values)

    function.values_on_arrays = kernel  # type: ignore[attr-defined]
    return function


@metric_function
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the prediction equals the label, else 0.

    Args:
        y_true: Array of labels.
        y_pred: Array of predictions, of the same shape.

    Returns:
        Tensor of that shape.
    """
    y_true, y_pred = same_rank(y_true.astype(y_pred.dtype, copy=False), y_pred)
    return y_true == y_pred


@metric_function
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where `y_pred > threshold` agrees with the label 0 or 1, else 0.

    Args:
        y_true: Array of labels 0 and 1.
        y_pred: Array of probabilities, of the same shape.
        threshold: Float, default 0.5.

    Returns:
        Tensor of the shape of `y_true`.

    Example:

    >>> import minikeras
    >>> minikeras.metrics.binary_accuracy([[1], [1], [0]], [[0.9], [0.2], [0.1]]).tolist()
    [[1.0], [0.0], [1.0]]
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    return (y_pred > threshold) == y_true


@metric_function
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest entries of the label and of the prediction are at one place, else 0.

    Args:
        y_true: Array of one-hot labels, of shape `(..., classes)`.
        y_pred: Array of scores, of shape `(..., classes)`.

    Returns:
        Tensor of shape `(...)`.
    """
    return y_true.argmax(-1) == y_pred.argmax(-1)


@metric_function
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest score is that of the label, else 0.

    Args:
        y_true: Array of class numbers, of shape `(...)` or `(..., 1)`.
        y_pred: Array of scores, of shape `(..., classes)`.

    Returns:
        Tensor of shape `(...)`.

    Example:

    >>> import minikeras
    >>> minikeras.metrics.sparse_categorical_accuracy([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
    <Tensor shape=(2,), dtype=float32, numpy=[0. 1.]>
    """
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    matches = y_pred.argmax(-1) == y_true
    return matches[..., 0] if matches.ndim > 1 and matches.shape[-1] == 1 else matches


def in_top_k(classes: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Whether the score of the class is among the `k` largest.

    Ties at the boundary all count; classes that do not exist and scores that are not finite do
    not.
    """
    known = (classes >= 0) & (classes < scores.shape[-1])
    own = np.take_along_axis(scores, np.where(known, classes, 0)[..., None].astype(np.intp), -1)
    return (np.count_nonzero(scores > own, -1) < k) & known & np.isfinite(own[..., 0])


@metric_function
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the score of the label is among the `k` largest, else 0.

    Args:
        y_true: Array of one-hot labels, of shape `(..., classes)`.
        y_pred: Array of scores, of shape `(..., classes)`.
        k: Integer, default 5.

    Returns:
        Tensor of shape `(...)`.
    """
    return in_top_k(y_true.argmax(-1), y_pred, k)


@metric_function
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where the score of the class is among the `k` largest, else 0.

    Args:
        y_true: Array of class numbers, of shape `(...)`.
        y_pred: Array of scores, of shape `(..., classes)`; with `from_sorted_ids`, the class
            numbers themselves, best first.
        k: Integer, default 5.
        from_sorted_ids: Boolean, default False.

    Returns:
        Tensor of shape `(...)`.
    """
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if from_sorted_ids:
        return (y_pred[..., :k] == y_true[..., None]).any(-1)
    return in_top_k(y_true.astype(np.int64, copy=False), y_pred, k)


class AccuracyMetric(MeanMetricWrapper):
    """The mean of an accuracy function: more is better, and the config holds its options."""

    _direction = "up"

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype, **self._fn_kwargs}


@registry.metrics.register("Accuracy", "accuracy")
class Accuracy(AccuracyMetric):
    """How often predictions equal labels.

    Args:
        name: String, default `"accuracy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Accuracy()
    >>> float(metric([[1], [2], [3], [4]], [[0], [2], [3], [4]]))
    0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


@registry.metrics.register("BinaryAccuracy", "binary_accuracy")
class BinaryAccuracy(AccuracyMetric):
    """How often `y_pred > threshold` agrees with labels 0 and 1.

    Args:
        name: String, default `"binary_accuracy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        threshold: Float, default 0.5.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.BinaryAccuracy()
    >>> float(metric([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]]))
    0.75
    """

    def __init__(
        self,
        name: str | None = "binary_accuracy",
        dtype: Any = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


@registry.metrics.register("CategoricalAccuracy", "categorical_accuracy")
class CategoricalAccuracy(AccuracyMetric):
    """How often the largest score is that of the one-hot label.

    Args:
        name: String, default `"categorical_accuracy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.CategoricalAccuracy()
    >>> float(metric([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]]))
    0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@registry.metrics.register("SparseCategoricalAccuracy", "sparse_categorical_accuracy")
class SparseCategoricalAccuracy(AccuracyMetric):
    """How often the largest score is that of the class number.

    Args:
        name: String, default `"sparse_categorical_accuracy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.SparseCategoricalAccuracy()
    >>> float(metric([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]]))
    0.5
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@registry.metrics.register("TopKCategoricalAccuracy", "top_k_categorical_accuracy")
class TopKCategoricalAccuracy(AccuracyMetric):
    """How often the score of the one-hot label is among the `k` largest.

    Args:
        k: Integer, default 5.
        name: String, default `"top_k_categorical_accuracy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.TopKCategoricalAccuracy(k=1)
    >>> float(metric([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]]))
    0.5
    """

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@registry.metrics.register("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy")
class SparseTopKCategoricalAccuracy(AccuracyMetric):
    """How often the score of the class number is among the `k` largest.

    Args:
        k: Integer, default 5.
        name: String, default `"sparse_top_k_categorical_accuracy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        from_sorted_ids: Boolean, default False. Whether `y_pred` holds class numbers, best first,
            instead of scores.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.SparseTopKCategoricalAccuracy(k=1)
    >>> float(metric([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]]))
    0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = super().get_config()
        if not self.from_sorted_ids:
            del config["from_sorted_ids"]
        return config
