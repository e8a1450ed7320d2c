"""True and false positives at thresholds, counted in one pass over the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.metrics.metric import check_samples, same_rank

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
