"""The area under the ROC, precision-recall or precision-recall-gain curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.arena import charge
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.confusion import BestUnderConstraint, ConfusionMetric, ratio
from minikeras.metrics.counting import Thresholds, evenly_spaced
from minikeras.metrics.metric import as_array

_CURVES = {key: name for name in ("ROC", "PR", "PRGAIN") for key in (name, name.lower())}
_METHODS = ("interpolation", "majoring", "minoring")


@registry.metrics.register("AUC", "auc")
class AUC(ConfusionMetric):
    """The area under a curve, approximated by sums over thresholds.

    Args:
        num_thresholds: Integer > 1, default 200. How many thresholds, evenly spaced, make the
            curve.
        curve: `"ROC"` (default), `"PR"` (precision over recall) or `"PRGAIN"` (Flach & Kull 2015,
            "Precision-Recall-Gain Curves").
        summation_method: `"interpolation"` (default: trapezoids; for `"PR"`, the interpolation of
            Davis & Goadrich 2006), `"minoring"` or `"majoring"` (the lower or the higher end of
            each interval).
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        thresholds: List of floats in [0, 1] or None (default). Replaces `num_thresholds`; the
            ends 0 and 1 are added.
        multi_label: Boolean, default False. Whether each column of shape `(samples, labels)` has
            a curve of its own; the areas are averaged.
        num_labels: Integer or None (default). With `multi_label`, the number of columns, so that
            the state exists before the first batch.
        label_weights: Weights of the labels, or None (default).
        from_logits: Boolean, default False. Whether predictions are scores before the sigmoid.

    Raises:
        ValueError: for an unknown curve or method, or `num_thresholds` of 1 or less, or
            `num_labels` without `multi_label`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.AUC(num_thresholds=3)
    >>> float(metric([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    _direction = "up"
    counted = BestUnderConstraint.counted

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        curve, summation_method = (getattr(x, "value", x) for x in (curve, summation_method))
        if curve not in _CURVES:
            raise ValueError(
                f'Invalid AUC curve value: "{curve}". Argument `curve` must be one of'
                f" {list(_CURVES)}. Received: curve={curve!r}"
            )
        method = str(summation_method)
        method = method[:1].lower() + method[1:]
        if method not in _METHODS:
            raise ValueError(
                f'Invalid AUC summation method value: "{summation_method}". Argument'
                f" `summation_method` must be one of {_METHODS}. Received:"
                f" summation_method={summation_method!r}"
            )
        if num_labels and not multi_label:
            raise ValueError(
                "Argument `num_labels` is for `multi_label=True` only. Received:"
                f" num_labels={num_labels}, multi_label={multi_label}"
            )
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. Received:"
                f" num_thresholds={num_thresholds}"
            )
        super().__init__(name=name, dtype=dtype)
        self._init_from_thresholds = thresholds is not None
        if thresholds is not None:
            inner = sorted(float(threshold) for threshold in thresholds)
        else:
            charge((num_thresholds,), 64, "thresholds")
            inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        self.num_thresholds = len(inner) + 2
        epsilon = config.epsilon()
        self.thresholds = [0.0 - epsilon, *inner, 1.0 + epsilon]
        self._levels = Thresholds(
            self.thresholds,
            even=evenly_spaced([0.0, *inner, 1.0]) if self._init_from_thresholds else True,
        )
        self.curve = _CURVES[curve]
        self.summation_method = method
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = Tensor(np.array(as_array(label_weights), self._float()))
        self._from_logits = from_logits
        self._built = False
        if not multi_label:
            self._build((None,))
        elif num_labels:
            self._build((None, num_labels))

    def _float(self) -> np.dtype:
        return self._dtype_policy.compute_array_dtype

    def _build(self, shape: tuple) -> None:
        if self.multi_label and len(shape) != 2:
            raise ValueError(
                "With `multi_label=True`, `y_pred` must be of shape (samples, labels). Received:"
                f" y_pred.shape={shape}"
            )
        self._add_counts((self.num_thresholds, *shape[1:]))
        self._built = True

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        if not self._built:
            self._build(np.shape(y_pred))
        if self._from_logits:
            y_pred = 0.5 * (1 + np.tanh(0.5 * np.asarray(y_pred, self._float())))
        self._count(
            y_true,
            y_pred,
            sample_weight,
            multi_label=self.multi_label,
            label_weights=None if self.label_weights is None else self.label_weights.array,
        )

    def result(self) -> Tensor:
        """The area so far."""
        if not self._built:
            return Tensor(np.zeros((), self._float()))
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._combined(self._interpolated_pieces())
        x, y = self._curve_points()
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        elif self.summation_method == "minoring":
            heights = np.minimum(y[:-1], y[1:])
        else:
            heights = np.maximum(y[:-1], y[1:])
        return self._combined((x[:-1] - x[1:]) * heights)

    def _curve_points(self) -> tuple:
        tp, fp, tn, fn = (getattr(self, name).array for name, _ in self.counted)
        if self.curve == "ROC":
            return ratio(fp, fp + tn), ratio(tp, tp + fn)
        if self.curve == "PR":
            return ratio(tp, tp + fn), ratio(tp, tp + fp)
        scale = ratio(tp + fn, tn + fp)
        none = tp == 0
        recall_gain = np.where(none, 0, 1 - scale * ratio(fn, tp))
        precision_gain = np.where(none, 1, 1 - scale * ratio(fp, tp))
        return np.maximum(recall_gain, 0).astype(tp.dtype), precision_gain.astype(tp.dtype)

    def _interpolated_pieces(self) -> np.ndarray:
        """Areas between points of the precision-recall curve.

        Between two points, true positives are taken to grow linearly with all positives, so the
        precision between them is `slope + intercept / positives`, which integrates to a logarithm.
        """
        tp, fp, _, fn = (getattr(self, name).array for name, _ in self.counted)
        positives = tp + fp
        gained = tp[:-1] - tp[1:]
        slope = ratio(gained, np.maximum(positives[:-1] - positives[1:], 0))
        intercept = tp[1:] - slope * positives[1:]
        both = (positives[:-1] > 0) & (positives[1:] > 0)
        growth = np.where(both, ratio(positives[:-1], np.maximum(positives[1:], 0)), 1)
        area = slope * (gained + intercept * np.log(growth.astype(tp.dtype)))
        return ratio(area, np.maximum(tp[1:] + fn[1:], 0))

    def _combined(self, pieces: np.ndarray) -> Tensor:
        if not self.multi_label:
            return Tensor(pieces.sum())
        areas = pieces.sum(0)
        if self.label_weights is None:
            return Tensor(areas.mean())
        weights = self.label_weights.array.astype(areas.dtype, copy=False)
        return Tensor(ratio((areas * weights).sum(keepdims=True), weights.sum(keepdims=True))[0])

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self._from_logits,
        }
        # The state's thresholds include the ends; the argument's do not.
        if self._init_from_thresholds:
            config["thresholds"] = self.thresholds[1:-1]
        return config
