"""F-scores: the weighted harmonic mean of precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.metric import Metric, as_array, check_samples


def _check_float(argument: str, value: Any) -> None:
    if not isinstance(value, float):
        raise ValueError(
            f"Invalid `{argument}` argument value. It should be a Python float. Received:"
            f" {argument}={value} of type '{type(value)}'"
        )


@registry.metrics.register("FBetaScore", "f_beta_score")
class FBetaScore(Metric):
    """The F-beta score `(1 + beta^2) precision recall / (beta^2 precision + recall)`.

    Args:
        average: How classes combine: None (default, one score a class), `"micro"` (all decisions
            together), `"macro"` (mean of the classes) or `"weighted"` (mean weighted by support).
        beta: Float > 0, default 1.0. How much more recall counts than precision.
        threshold: Float in (0, 1] or None (default). Predictions above it are positive; None:
            the largest of each row is.
        name: String, default `"fbeta_score"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if an argument is out of range, or inputs are not of shape
            `(samples, classes)`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.FBetaScore(beta=2.0, threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]],
    ...                     [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().numpy().round(3)
    array([0.385, 0.909, 0.833], dtype=float32)
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                "Invalid `average` argument value. Expected one of: {None, 'micro', 'macro',"
                f" 'weighted'}}. Received: average={average}"
            )
        _check_float("beta", beta)
        if beta <= 0:
            raise ValueError(
                f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}"
            )
        if threshold is not None:
            _check_float("threshold", threshold)
            if not 0 < threshold <= 1:
                raise ValueError(
                    "Invalid `threshold` argument value. It should verify 0 < threshold <= 1."
                    f" Received: threshold={threshold}"
                )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self.axis = None if average == "micro" else 0
        self._built = False

    def _build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        ranks = (len(y_true_shape), len(y_pred_shape))
        if ranks != (2, 2) or None in (y_true_shape[-1], y_pred_shape[-1]):
            known = ", with output_dim fully defined (not None)" if ranks == (2, 2) else ""
            raise ValueError(
                f"{type(self).__name__} expects 2D inputs with shape (batch_size,"
                f" output_dim){known}. Received input shapes: y_pred.shape={y_pred_shape} and"
                f" y_true.shape={y_true_shape}."
            )
        shape = () if self.average == "micro" else (y_pred_shape[-1],)
        self.true_positives = self.add_variable(shape, dtype=self.dtype, name="true_positives")
        self.false_positives = self.add_variable(shape, dtype=self.dtype, name="false_positives")
        self.false_negatives = self.add_variable(shape, dtype=self.dtype, name="false_negatives")
        self.intermediate_weights = self.add_variable(
            shape, dtype=self.dtype, name="intermediate_weights"
        )
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: Array of labels 0 and 1, of shape `(samples, classes)`.
            y_pred: Array of scores of that shape.
            sample_weight: Array of weights, of shape `(samples,)`, or None.
        """
        self._accumulate(as_array(y_true), as_array(y_pred), as_array(sample_weight))

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        dtype = self._dtype_policy.compute_array_dtype
        y_true, y_pred = np.asarray(y_true, dtype), np.asarray(y_pred, dtype)
        check_samples(y_true, y_pred)
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            positive = (y_pred >= y_pred.max(-1, keepdims=True)) & (np.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        positive = positive.astype(dtype)
        weight = np.asarray(1 if sample_weight is None else sample_weight, dtype)
        weight = weight[:, None] if weight.ndim else weight
        self.true_positives.array += (positive * y_true * weight).sum(self.axis)
        self.false_positives.array += (positive * (1 - y_true) * weight).sum(self.axis)
        self.false_negatives.array += ((1 - positive) * y_true * weight).sum(self.axis)
        self.intermediate_weights.array += (y_true * weight).sum(self.axis)

    def result(self) -> Tensor:
        """The score so far: a scalar, or one a class."""
        epsilon, beta2 = config.epsilon(), self.beta**2
        hits = self.true_positives.array
        precision = hits / (hits + self.false_positives.array + epsilon)
        recall = hits / (hits + self.false_negatives.array + epsilon)
        score = precision * recall / (beta2 * precision + recall + epsilon) * (1 + beta2)
        if self.average == "weighted":
            support = self.intermediate_weights.array
            score = (score * (support / (support.sum() + epsilon))).sum()
        elif self.average is not None:
            score = score.mean()
        return Tensor(score)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


@registry.metrics.register("F1Score", "f1_score")
class F1Score(FBetaScore):
    """The F1 score `2 precision recall / (precision + recall)`.

    Args:
        average: How classes combine: None (default, one score a class), `"micro"`, `"macro"` or
            `"weighted"`.
        threshold: Float in (0, 1] or None (default: the largest of each row is positive).
        name: String, default `"f1_score"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: as `FBetaScore`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.F1Score(threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]],
    ...                     [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().numpy().round(3)
    array([0.5  , 0.8  , 0.667], dtype=float32)
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = super().get_config()
        del config["beta"]
        return config
