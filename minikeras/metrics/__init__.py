"""Metrics: what a model is judged by, accumulated batch by batch."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.engine.spelling import older_names
from minikeras.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from minikeras.metrics.auc import AUC
from minikeras.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from minikeras.metrics.counting import F1Score, FBetaScore
from minikeras.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from minikeras.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum
from minikeras.metrics.of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from minikeras.metrics.regression import (
    ConcordanceCorrelation,
    CosineSimilarity,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
    concordance_correlation,
    pearson_correlation,
)

# Functions of `minikeras.losses` that Keras lists here too.
_LOSSES = (
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
)


def get(identifier: Any) -> Any:
    """The metric that `identifier` means.

    Args:
        identifier: The name of a metric, a config dict, a class, an object or a function; None
            gives None.

    Returns:
        A `Metric`, or a function `(y_true, y_pred)`.

    Raises:
        ValueError: for an unknown name; lists near matches.

    Example:

    >>> import minikeras
    >>> minikeras.metrics.get("mse")
    <MeanSquaredError name=mean_squared_error>
    """
    if isinstance(identifier, str) and registry.metrics.find(identifier) is None:
        function = _function(identifier)
        if function is not None and registry.custom_object(identifier) is None:
            return function
    return registry.metrics.get(identifier)


def _function(name: str) -> Any:
    """The metric or loss function of that name, where no metric class has it; else None."""
    found = registry.metric_functions.find(name)
    found = registry.losses.find(name) if found is None else found
    if found is None and name in ("fmeasure", "fbeta_score", "matthews_correlation"):
        return older_names("metrics")(name)
    return None if isinstance(found, type) else found


def serialize(metric: Any) -> Any:
    """The config of a metric or metric function."""
    return registry.metrics.serialize(metric)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The metric or metric function that `config` describes.

    Args:
        config: What `serialize` returned, or a name.
        custom_objects: dict of your own classes and functions by name.

    Raises:
        ValueError: for an unknown name.
    """
    found = registry.metrics.deserialize(config, custom_objects)
    return found() if isinstance(found, type) else found


def __getattr__(name: str) -> Any:
    if name in _LOSSES:
        from minikeras import losses

        return getattr(losses, name)
    return older_names("metrics")(name)


__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]
