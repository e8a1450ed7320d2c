"""How well numbers are predicted, and how they vary together."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.accuracy import AccuracyMetric, metric_function
from minikeras.metrics.metric import Metric, PairMean, as_array, check_samples, same_rank


@registry.metrics.register("RootMeanSquaredError", "root_mean_squared_error")
class RootMeanSquaredError(PairMean):
    """The square root of the mean of `(y_true - y_pred)^2`.

    Args:
        name: String, default `"root_mean_squared_error"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.RootMeanSquaredError()
    >>> float(metric([[0, 1], [0, 0]], [[1.0, 1], [0, 0]]))
    0.5
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def sample_values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """The squared errors."""
        dtype = self._array_dtype
        y_true, y_pred = same_rank(np.asarray(y_true, dtype), np.asarray(y_pred, dtype))
        return np.square(y_pred - y_true)

    def result(self) -> Tensor:
        """The root of the mean so far."""
        return Tensor(np.sqrt(super().result().array))


def _cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """The cosine of the angle between labels and predictions."""
    y_true, y_pred = same_rank(y_true.astype(y_pred.dtype, copy=False), y_pred)
    norm = _length(y_true, axis) * _length(y_pred, axis)
    return (y_true * y_pred).sum(axis) / norm


def _length(x: np.ndarray, axis: int) -> np.ndarray:
    return np.maximum(np.sqrt(np.square(x).sum(axis)), config.epsilon())


_cosine_similarity.values_on_arrays = _cosine_similarity  # type: ignore[attr-defined]


@registry.metrics.register("CosineSimilarity", "cosine_similarity")
class CosineSimilarity(AccuracyMetric):
    """The mean cosine of the angle between labels and predictions.

    Args:
        name: String, default `"cosine_similarity"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        axis: Integer, default -1. The axis along which the vectors lie.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.CosineSimilarity()
    >>> round(float(metric([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])), 4)
    0.5
    """

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(_cosine_similarity, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = super().get_config()
        if self.axis == -1:
            del config["axis"]
        return config


@registry.metrics.register("R2Score", "r2_score")
class R2Score(Metric):
    """The coefficient of determination, `1 - sum((y - y_pred)^2) / sum((y - mean(y))^2)`.

    Args:
        class_aggregation: How the scores of the outputs combine: `"uniform_average"` (default),
            `"variance_weighted_average"`, or None for one score an output.
        num_regressors: Integer, default 0. The number of independent regressors; if given, the
            adjusted score is returned.
        name: String, default `"r2_score"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if an argument is out of range, or inputs are not of shape
            `(samples, outputs)`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.R2Score()
    >>> round(float(metric([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        allowed = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in allowed:
            raise ValueError(
                "Invalid value for argument `class_aggregation`. Expected one of"
                f" {allowed}. Received:"
                f" class_aggregation={class_aggregation!r}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. Received:"
                f" num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable(shape=(), name="num_samples")
        self._built = False

    def _build(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        if y_pred.ndim != 2 or y_true.ndim != 2:
            raise ValueError(
                "R2Score expects 2D inputs with shape (batch_size, output_dim). Received:"
                f" y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
            )
        shape = (y_pred.shape[-1],)
        self.squared_sum = self.add_variable(shape, name="squared_sum")
        self.sum = self.add_variable(shape, name="sum")
        self.total_mse = self.add_variable(shape, name="residual")
        self.count = self.add_variable(shape, name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: Array of shape `(samples, outputs)`.
            y_pred: Array of that shape.
            sample_weight: Array of weights, of shape `(samples,)`, or None.
        """
        self._accumulate(as_array(y_true), as_array(y_pred), as_array(sample_weight))

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        dtype = self._dtype_policy.compute_array_dtype
        y_true, y_pred = same_rank(np.asarray(y_true, dtype), np.asarray(y_pred, dtype))
        check_samples(y_true, y_pred)
        if not self._built:
            self._build(y_true, y_pred)
        weight = np.asarray(1 if sample_weight is None else sample_weight, dtype)
        weight = np.broadcast_to(weight[:, None] if weight.ndim == 1 else weight, y_true.shape)
        weighted = y_true * weight
        self.sum.array += weighted.sum(0)
        self.squared_sum.array += (y_true * weighted).sum(0)
        self.total_mse.array += (np.square(y_true - y_pred) * weight).sum(0)
        self.count.array += weight.sum(0)
        self.num_samples.array += y_true.size

    def result(self) -> Tensor:
        """The score so far: a scalar, or one an output."""
        total_sum = self.sum.array
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum.array - total_sum * (total_sum / self.count.array)
            scores = 1 - self.total_mse.array / total
            scores[np.isinf(scores)] = 0
            if self.class_aggregation == "uniform_average":
                score = scores.mean()
            elif self.class_aggregation == "variance_weighted_average":
                score = (total * scores).sum() / total.sum()
            else:
                score = scores
        return Tensor(self._adjusted(score))

    def _adjusted(self, score: Any) -> Any:
        regressors, samples = self.num_regressors, int(self.num_samples.array)
        if regressors == 0:
            return score
        if regressors >= samples - 1:
            warnings.warn(
                f"The adjusted R2 score needs more than {regressors + 1} samples for"
                f" {regressors} regressors. Received {samples}; the plain score is returned.",
                stacklevel=3,
            )
            return score
        factor = np.float32(samples - 1) / np.float32(samples - regressors - 1)
        return 1 - (1 - score) * factor

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


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
