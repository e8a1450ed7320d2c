"""How labels and predictions vary together."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.metrics.accuracy import AccuracyMetric, metric_function
from minikeras.metrics.shapes import same_rank


@metric_function
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Pearson's correlation `cov(y_true, y_pred) / (std(y_true) std(y_pred))`.

    Args:
        y_true: Array of numbers.
        y_pred: Array of the same shape.
        axis: Integer, default -1. The axis along which they vary.

    Returns:
        Tensor of that shape without `axis`; NaN where one of them does not vary.

    Example:

    >>> import minikeras
    >>> values = minikeras.metrics.pearson_correlation([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]])
    >>> values.numpy().round(4).tolist()
    [1.0]
    """
    y_true, y_pred = same_rank(y_true.astype(y_pred.dtype, copy=False), y_pred)
    y_true = y_true - y_true.mean(axis, keepdims=True)
    y_pred = y_pred - y_pred.mean(axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        y_true = y_true / y_true.std(axis, keepdims=True)
        y_pred = y_pred / y_pred.std(axis, keepdims=True)
        return (y_true * y_pred).mean(axis)


@metric_function
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Lin's concordance `2 cov / (var(y_true) + var(y_pred) + (mean difference)^2)`.

    Lin 1989, "A concordance correlation coefficient to evaluate reproducibility".

    Args:
        y_true: Array of numbers.
        y_pred: Array of the same shape.
        axis: Integer, default -1. The axis along which they vary.

    Returns:
        Tensor of that shape without `axis`.
    """
    y_true, y_pred = same_rank(y_true.astype(y_pred.dtype, copy=False), y_pred)
    mean_true, mean_pred = (y.mean(axis, keepdims=True) for y in (y_true, y_pred))
    covariance = (y_true - mean_true) * (y_pred - mean_pred)
    spread = y_true.var(axis, keepdims=True) + y_pred.var(axis, keepdims=True)
    norm = spread + np.square(mean_true - mean_pred) + config.epsilon()
    return (2 * covariance / norm).mean(axis)


@registry.metrics.register("PearsonCorrelation", "pearson_correlation")
class PearsonCorrelation(AccuracyMetric):
    """The mean of Pearson's correlation, taken of each sample.

    Args:
        name: String, default `"pearson_correlation"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        axis: Integer, default -1. The axis along which values vary.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.PearsonCorrelation(axis=-1)
    >>> y_true = [[0.0, 1, 0.5], [1, 1, 0.2]]
    >>> y_pred = [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
    >>> round(float(metric(y_true, y_pred)), 4)
    0.9967
    """

    def __init__(
        self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


@registry.metrics.register("ConcordanceCorrelation", "concordance_correlation")
class ConcordanceCorrelation(AccuracyMetric):
    """The mean of Lin's concordance correlation, taken of each sample.

    Args:
        name: String, default `"concordance_correlation"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        axis: Integer, default -1. The axis along which values vary.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.ConcordanceCorrelation(axis=-1)
    >>> y_true = [[0.0, 1, 0.5], [1, 1, 0.2]]
    >>> y_pred = [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
    >>> round(float(metric(y_true, y_pred)), 4)
    0.9816
    """

    def __init__(
        self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
