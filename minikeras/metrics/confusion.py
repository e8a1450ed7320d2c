"""Counts of true and false positives and negatives, and rates made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.arena import charge
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.counting import LOWEST, Thresholds, confusion_counts, parse_thresholds
from minikeras.metrics.metric import Metric, as_array


def ratio(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`x / y`, and 0 where `y` is 0."""
    return np.divide(x, y, out=np.zeros_like(x), where=y != 0)


class ConfusionMetric(Metric):
    """A metric whose state is some of the four counts, at thresholds.

    A class lists in `counted` which: pairs of the attribute (and variable) name and the kind of
    count, `"tp"`, `"fp"`, `"tn"` or `"fn"`.
    """

    counted: tuple = ()
    top_k: int | None = None
    class_id: int | None = None
    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any

    def _make_state(self, thresholds: list, even: bool | None = None) -> None:
        self.thresholds = thresholds
        self._levels = Thresholds(thresholds, even)
        self._add_counts((len(thresholds),))

    def _add_counts(self, shape: tuple) -> None:
        for name, _ in self.counted:
            setattr(self, name, self.add_variable(shape, name=name))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: Array of labels 0 and 1.
            y_pred: Array of predictions in [0, 1], of the same shape.
            sample_weight: Array of weights that broadcasts to `y_true`, or None.
        """
        self._accumulate(as_array(y_true), as_array(y_pred), as_array(sample_weight))

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        self._count(y_true, y_pred, sample_weight)

    def _count(self, y_true: Any, y_pred: Any, sample_weight: Any, **options: Any) -> None:
        arrays = [(getattr(self, name).array, kind) for name, kind in self.counted]
        counts = confusion_counts(
            y_true,
            y_pred,
            self._levels,
            arrays[0][0].dtype,
            sample_weight,
            top_k=self.top_k,
            class_id=self.class_id,
            **options,
        )
        for array, kind in arrays:
            array += counts[kind]

    def _one_or_all(self, values: np.ndarray) -> Tensor:
        return Tensor(values[0] if len(self.thresholds) == 1 else values)


class ConditionCount(ConfusionMetric):
    """One of the four counts."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self._make_state(parse_thresholds(thresholds))

    def result(self) -> Tensor:
        """The count so far: a scalar, or one a threshold."""
        return self._one_or_all(self.accumulator.array.copy())  # type: ignore[attr-defined]

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


@registry.metrics.register("FalsePositives", "false_positives")
class FalsePositives(ConditionCount):
    """The (weighted) number of negatives that are predicted positive.

    Args:
        thresholds: Float or list of floats in [0, 1]; predictions above are positive. Defaults to
            0.5. Of several, the result has one count each.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if a threshold is not in [0, 1].

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.FalsePositives()
    >>> float(metric([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    counted = (("accumulator", "fp"),)


@registry.metrics.register("FalseNegatives", "false_negatives")
class FalseNegatives(ConditionCount):
    """The (weighted) number of positives that are predicted negative.

    Args:
        thresholds: Float or list of floats in [0, 1]; predictions above are positive. Defaults to
            0.5. Of several, the result has one count each.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if a threshold is not in [0, 1].

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.FalseNegatives()
    >>> float(metric([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    counted = (("accumulator", "fn"),)


@registry.metrics.register("TrueNegatives", "true_negatives")
class TrueNegatives(ConditionCount):
    """The (weighted) number of negatives that are predicted negative.

    Args:
        thresholds: Float or list of floats in [0, 1]; predictions above are positive. Defaults to
            0.5. Of several, the result has one count each.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if a threshold is not in [0, 1].

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.TrueNegatives()
    >>> float(metric([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    counted = (("accumulator", "tn"),)


@registry.metrics.register("TruePositives", "true_positives")
class TruePositives(ConditionCount):
    """The (weighted) number of positives that are predicted positive.

    Args:
        thresholds: Float or list of floats in [0, 1]; predictions above are positive. Defaults to
            0.5. Of several, the result has one count each.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if a threshold is not in [0, 1].

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.TruePositives()
    >>> float(metric([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    counted = (("accumulator", "tp"),)


class Rate(ConfusionMetric):
    """True positives over the sum of the two counts."""

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self._make_state(parse_thresholds(thresholds, 0.5 if top_k is None else LOWEST))

    def result(self) -> Tensor:
        """The rate so far: a scalar, or one a threshold."""
        first, second = (getattr(self, name).array for name, _ in self.counted)
        return self._one_or_all(ratio(first, first + second))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


@registry.metrics.register("Precision", "precision")
class Precision(Rate):
    """The share of predicted positives that are positive, `tp / (tp + fp)`.

    Args:
        thresholds: Float or list of floats in [0, 1]; predictions above are positive. Defaults to
            0.5, or to none with `top_k`. Of several, the result has one value each.
        top_k: Integer or None (default). If given, only the `k` largest predictions of a row can
            be positive.
        class_id: Integer or None (default). If given, only this class counts.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if a threshold is not in [0, 1].

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Precision()
    >>> round(float(metric([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    counted = (("true_positives", "tp"), ("false_positives", "fp"))


@registry.metrics.register("Recall", "recall")
class Recall(Rate):
    """The share of positives that are predicted positive, `tp / (tp + fn)`.

    Args:
        thresholds: Float or list of floats in [0, 1]; predictions above are positive. Defaults to
            0.5, or to none with `top_k`. Of several, the result has one value each.
        top_k: Integer or None (default). If given, only the `k` largest predictions of a row can
            be positive.
        class_id: Integer or None (default). If given, only this class counts.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if a threshold is not in [0, 1].

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Recall()
    >>> round(float(metric([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    counted = (("true_positives", "tp"), ("false_negatives", "fn"))


class BestUnderConstraint(ConfusionMetric):
    """The best of one rate where another is at least a given value.

    A class names both rates: functions of the metric.
    """

    _direction = "up"
    counted = (
        ("true_positives", "tp"),
        ("false_positives", "fp"),
        ("true_negatives", "tn"),
        ("false_negatives", "fn"),
    )
    constrained: Callable
    dependent: Callable

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: Any,
        argument: str,
    ) -> None:
        if not 0 <= value <= 1:
            raise ValueError(
                f"Argument `{argument}` must be in the range [0, 1]. Received: {argument}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. Received:"
                f" num_thresholds={num_thresholds}"
            )
        super().__init__(name=name, dtype=dtype)
        self._argument = argument
        setattr(self, argument, value)
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        charge((num_thresholds,), 64, "thresholds")
        steps = num_thresholds - 1
        levels = [i / steps for i in range(num_thresholds)] if steps else [0.5]
        self._make_state(levels, even=steps > 0)

    def sensitivity_rates(self) -> np.ndarray:
        """`tp / (tp + fn)`, also called recall, at each threshold."""
        hits = self.true_positives.array
        return ratio(hits, hits + self.false_negatives.array)

    def specificity_rates(self) -> np.ndarray:
        """`tn / (tn + fp)` at each threshold."""
        passed = self.true_negatives.array
        return ratio(passed, passed + self.false_positives.array)

    def precision_rates(self) -> np.ndarray:
        """`tp / (tp + fp)` at each threshold."""
        hits = self.true_positives.array
        return ratio(hits, hits + self.false_positives.array)

    def result(self) -> Tensor:
        """The best value so far; 0 where the constraint is never met."""
        feasible = self.constrained() >= self.value
        return Tensor(np.where(feasible, self.dependent(), 0).max(initial=0))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "class_id": self.class_id,
            "num_thresholds": self.num_thresholds,
            self._argument: self.value,
        }


@registry.metrics.register("SensitivityAtSpecificity", "sensitivity_at_specificity")
class SensitivityAtSpecificity(BestUnderConstraint):
    """The best sensitivity `tp / (tp + fn)` where the specificity `tn / (tn + fp)` is as given.

    Args:
        specificity: Float in [0, 1]. What it must be at least.
        num_thresholds: Integer, default 200. How many thresholds, evenly spaced, are tried.
        class_id: Integer or None (default). If given, only this class counts.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if `specificity` is not in [0, 1] or `num_thresholds` is not positive.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.SensitivityAtSpecificity(0.5)
    >>> round(float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.5
    """

    constrained = BestUnderConstraint.specificity_rates
    dependent = BestUnderConstraint.sensitivity_rates

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype, "specificity")


@registry.metrics.register("SpecificityAtSensitivity", "specificity_at_sensitivity")
class SpecificityAtSensitivity(BestUnderConstraint):
    """The best specificity `tn / (tn + fp)` where the sensitivity `tp / (tp + fn)` is as given.

    Args:
        sensitivity: Float in [0, 1]. What it must be at least.
        num_thresholds: Integer, default 200. How many thresholds, evenly spaced, are tried.
        class_id: Integer or None (default). If given, only this class counts.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if `sensitivity` is not in [0, 1] or `num_thresholds` is not positive.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.SpecificityAtSensitivity(0.5)
    >>> round(float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    constrained = BestUnderConstraint.sensitivity_rates
    dependent = BestUnderConstraint.specificity_rates

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype, "sensitivity")


@registry.metrics.register("PrecisionAtRecall", "precision_at_recall")
class PrecisionAtRecall(BestUnderConstraint):
    """The best precision `tp / (tp + fp)` where the recall `tp / (tp + fn)` is as given.

    Args:
        recall: Float in [0, 1]. What it must be at least.
        num_thresholds: Integer, default 200. How many thresholds, evenly spaced, are tried.
        class_id: Integer or None (default). If given, only this class counts.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if `recall` is not in [0, 1] or `num_thresholds` is not positive.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.PrecisionAtRecall(0.5)
    >>> round(float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.5
    """

    constrained = BestUnderConstraint.sensitivity_rates
    dependent = BestUnderConstraint.precision_rates

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype, "recall")


@registry.metrics.register("RecallAtPrecision", "recall_at_precision")
class RecallAtPrecision(BestUnderConstraint):
    """The best recall `tp / (tp + fn)` where the precision `tp / (tp + fp)` is as given.

    Args:
        precision: Float in [0, 1]. What it must be at least.
        num_thresholds: Integer, default 200. How many thresholds, evenly spaced, are tried.
        class_id: Integer or None (default). If given, only this class counts.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Raises:
        ValueError: if `precision` is not in [0, 1] or `num_thresholds` is not positive.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.RecallAtPrecision(0.8)
    >>> round(float(metric([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])), 4)
    0.5
    """

    constrained = BestUnderConstraint.precision_rates
    dependent = BestUnderConstraint.sensitivity_rates

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype, "precision")
