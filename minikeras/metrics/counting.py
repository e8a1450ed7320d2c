"""True and false positives at thresholds, counted in one pass, and F-scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.metric import Metric, as_array, check_samples, same_rank

# Scores that `top_k` leaves out, and the default threshold that all others exceed.
LOWEST = -1e10


def parse_thresholds(thresholds: Any, default: float = 0.5) -> list:
    """Thresholds as a list.

    Raises:
        ValueError: if one is not in [0, 1].
    """
    if thresholds is None:
        return [default]
    values = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    bad = [value for value in values if value is None or value < 0 or value > 1]
    if bad:
        raise ValueError(
            f"Threshold values must be in [0, 1]. Received: {bad} in thresholds={thresholds}"
        )
    return values


def evenly_spaced(thresholds: Sequence[float]) -> bool:
    """Whether thresholds (3 or more) go from 0 to 1 in equal steps."""
    count = len(thresholds)
    if count < 3:
        return False
    return np.allclose(thresholds, np.linspace(0, 1, count), atol=config.epsilon())


class Thresholds:
    """Where predictions count as positive.

    Args:
        values: The thresholds; a prediction above one is positive there.
        even: Whether they go from 0 to 1 in equal steps. Found out by default.
    """

    def __init__(self, values: Sequence[float], even: bool | None = None) -> None:
        self.values = np.asarray(values, np.float64)
        self.even = evenly_spaced(values) if even is None else even
        # Just below 0 and above 1, so that predictions of 0 are positive at the first.
        self.include_zero = self.even and (values[0] < 0 or values[-1] > 1)
        self.order = np.argsort(self.values, kind="stable")

    def positives(self, y_pred: np.ndarray) -> np.ndarray:
        """At how many of the thresholds, from the smallest on, each prediction is positive."""
        if self.even:
            # The same arithmetic as Keras's, since rounding decides who is at a threshold.
            steps = y_pred.dtype.type(len(self.values) - 1)
            with np.errstate(invalid="ignore"):
                counts = np.ceil(np.clip(y_pred, 0, 1) * steps)
            counts = np.nan_to_num(counts, nan=0.0)
            if self.include_zero:
                counts = np.maximum(counts, 1)
            return counts.astype(np.intp)
        ordered = self.values[self.order].astype(y_pred.dtype)
        counts = np.searchsorted(ordered, y_pred, side="left")
        return np.where(np.isnan(y_pred), 0, counts)

    def sums(self, counts: np.ndarray, weights: Any, labels: int) -> tuple:
        """The weights of those positive, and of those negative, at each threshold.

        Args:
            counts: What `positives` returned.
            weights: Weights of the same shape, or booleans.
            labels: Number of label columns counted apart, or 0.

        Returns:
            Two arrays of shape `(thresholds,)`, or `(thresholds, labels)`.
        """
        size = len(self.values) + 1
        if labels:
            counts = counts * labels + np.arange(labels)
            size *= labels
        if weights.dtype.kind == "b":
            bins = np.bincount(counts[weights], minlength=size)
        else:
            bins = np.bincount(counts.ravel(), weights.ravel(), minlength=size)
        if labels:
            bins = bins.reshape(-1, labels)
        above, below = np.empty_like(bins[1:]), np.empty_like(bins[1:])
        above[self.order] = np.cumsum(bins[:0:-1], axis=0)[::-1]
        below[self.order] = np.cumsum(bins[:-1], axis=0)
        return above, below


def confusion_counts(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    thresholds: Thresholds,
    dtype: Any,
    sample_weight: Any = None,
    top_k: int | None = None,
    class_id: int | None = None,
    multi_label: bool = False,
    label_weights: Any = None,
) -> dict[str, np.ndarray]:
    """Weighted numbers of true and false positives and negatives at each threshold.

    Args:
        y_true: Array of labels; what is not 0 is positive.
        y_pred: Array of predictions in [0, 1], of the same shape.
        thresholds: The thresholds.
        dtype: Dtype of the computation.
        sample_weight: Array of weights that broadcasts, or None.
        top_k: If given, only the `k` largest predictions of a row can be positive.
        class_id: If given, only this class counts.
        multi_label: Whether the columns are counted apart.
        label_weights: Weights of the columns, or None.

    Returns:
        dict with `"tp"`, `"fp"`, `"tn"`, `"fn"`: arrays of shape `(thresholds,)`, or
        `(thresholds, labels)`.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, dtype)
    y_pred, y_true = same_rank(y_pred, y_true)
    check_samples(y_true, y_pred)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, dtype)[..., None]
        _, sample_weight = same_rank(y_true, sample_weight, expand=False)
    if top_k is not None:
        y_pred = _only_top_k(y_pred, top_k)
    if class_id is not None:
        if y_pred.ndim == 1:
            raise ValueError(
                "When class_id is provided, y_pred must be a 2D array with shape (num_samples,"
                f" num_classes), found shape: {y_pred.shape}"
            )
        y_true, y_pred = y_true[..., class_id, None], y_pred[..., class_id, None]
    is_positive = y_true.astype(bool)
    if is_positive.shape != y_pred.shape:
        is_positive, y_pred = np.broadcast_arrays(is_positive, y_pred)
    weights = _weights(sample_weight, None if multi_label else label_weights, y_pred.shape, dtype)
    labels = y_pred.shape[1] if multi_label else 0
    counts = thresholds.positives(y_pred)
    positives = is_positive if weights is None else is_positive * weights
    negatives = ~is_positive if weights is None else ~is_positive * weights
    tp, fn = thresholds.sums(counts, positives, labels)
    fp, tn = thresholds.sums(counts, negatives, labels)
    return {"tp": tp, "fp": fp, "tn": tn, "fn": fn}


def _weights(sample_weight: Any, label_weights: Any, shape: tuple, dtype: Any) -> Any:
    if sample_weight is None and label_weights is None:
        return None
    weights = np.ones((), dtype)
    for one in (sample_weight, label_weights):
        if one is not None:
            try:
                weights = weights * np.broadcast_to(np.asarray(one, dtype), shape)
            except ValueError:
                raise ValueError(
                    "Weights must have one value a sample (or a label). Received weights of shape"
                    f" {np.shape(one)} for predictions of shape {shape}"
                ) from None
    return weights


def _only_top_k(y_pred: np.ndarray, k: int) -> np.ndarray:
    # A stable sort, so that of equal scores the first wins.
    best = np.argsort(-y_pred, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(y_pred, LOWEST)
    np.put_along_axis(kept, best, np.take_along_axis(y_pred, best, -1), -1)
    return kept


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
