"""Losses of regression, and divergences of distributions."""

from __future__ import annotations

from typing import Any

from minikeras import ops
from minikeras.engine import registry
from minikeras.kernels import loss as kernels
from minikeras.losses.function import loss_function, run
from minikeras.losses.loss import BuiltInLoss
from minikeras.ops.base import tensor


@loss_function(kernels.mean_squared_error, "mse", "MSE", shapes="broadcast", aligns=True)
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean squared error: `mean((y_true - y_pred)^2)` over the last axis.

    Args:
        y_true: Targets, of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.mean_squared_error([[0.0, 2.0]], [[1.0, 4.0]]).numpy()
    array([2.5], dtype=float32)
    """
    return run(mean_squared_error, y_true, y_pred)


@loss_function(kernels.mean_absolute_error, "mae", "MAE", shapes="broadcast", aligns=True)
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean absolute error: `mean(|y_true - y_pred|)` over the last axis.

    Args:
        y_true: Targets, of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.mean_absolute_error([[0.0, 2.0]], [[1.0, 4.0]]).numpy()
    array([1.5], dtype=float32)
    """
    return run(mean_absolute_error, y_true, y_pred)


@loss_function(
    kernels.mean_absolute_percentage_error,
    "mape",
    "MAPE",
    epsilon=True,
    shapes="broadcast",
    aligns=True,
)
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Mean absolute error in percent of the targets.

    `100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))` over the last axis.

    Args:
        y_true: Targets, of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.mean_absolute_percentage_error([[4.0, 2.0]], [[5.0, 3.0]]).numpy()
    array([37.5], dtype=float32)
    """
    return run(mean_absolute_percentage_error, y_true, y_pred)


@loss_function(
    kernels.mean_squared_logarithmic_error,
    "msle",
    "MSLE",
    epsilon=True,
    shapes="broadcast",
    aligns=True,
)
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean squared error of logarithms: `mean((log(1 + y_true) - log(1 + y_pred))^2)`.

    Targets and predictions below the fuzz factor count as that.

    Args:
        y_true: Targets, of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.mean_squared_logarithmic_error([[1.0]], [[3.0]]).numpy().round(4)
    array([0.4805], dtype=float32)
    """
    return run(mean_squared_logarithmic_error, y_true, y_pred)


@loss_function(kernels.huber, "huber_loss", shapes="broadcast", aligns=True)
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Squared error for small errors, absolute error for large ones.

    With `d = y_true - y_pred`, the mean over the last axis of `d^2 / 2` where `|d| <= delta` and of
    `delta * |d| - delta^2 / 2` elsewhere (Huber 1964, "Robust estimation of a location parameter").

    Args:
        y_true: Targets, of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.
        delta: Float, default 1. Where the error is no longer squared.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy()
    array([1.5], dtype=float32)
    """
    return run(huber, y_true, y_pred, delta=delta)


@loss_function(kernels.log_cosh, "logcosh", shapes="broadcast", aligns=True)
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Logarithm of the hyperbolic cosine of the error, `mean(log(cosh(y_pred - y_true)))`.

    About half the squared error where that is small, and the absolute error where it is large.

    Args:
        y_true: Targets, of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.log_cosh([[0.0, 0.0]], [[1.0, 100.0]]).numpy().round(3)
    array([49.87], dtype=float32)
    """
    return run(log_cosh, y_true, y_pred)


@loss_function(
    kernels.cosine_similarity,
    "cosine",
    "cosine_proximity",
    epsilon=True,
    shapes="broadcast",
    aligns=True,
)
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between targets and predictions: -1 for the same direction.

    Args:
        y_true: Targets.
        y_pred: Predictions, of the same shape.
        axis: Integer, default -1. The axis of the vectors.

    Returns:
        Values of the shape of the inputs without `axis`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.cosine_similarity([[0.0, 2.0]], [[0.0, 3.0]]).numpy()
    array([-1.], dtype=float32)
    """
    return run(cosine_similarity, y_true, y_pred, axis=axis)


@registry.losses.register("MeanSquaredError")
class MeanSquaredError(BuiltInLoss):
    """Mean squared error: `mean((y_true - y_pred)^2)`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.MeanSquaredError()([[0.0, 2.0]], [[1.0, 4.0]]))
    2.5
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


@registry.losses.register("MeanAbsoluteError")
class MeanAbsoluteError(BuiltInLoss):
    """Mean absolute error: `mean(|y_true - y_pred|)`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.MeanAbsoluteError()([[0.0, 2.0]], [[1.0, 4.0]]))
    1.5
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


@registry.losses.register("MeanAbsolutePercentageError")
class MeanAbsolutePercentageError(BuiltInLoss):
    """Mean absolute error in percent of the targets.

    `100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.MeanAbsolutePercentageError()([[4.0, 2.0]], [[5.0, 3.0]]))
    37.5
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@registry.losses.register("MeanSquaredLogarithmicError")
class MeanSquaredLogarithmicError(BuiltInLoss):
    """Mean squared error of logarithms: `mean((log(1 + y_true) - log(1 + y_pred))^2)`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> round(float(minikeras.losses.MeanSquaredLogarithmicError()([[1.0]], [[3.0]])), 4)
    0.4805
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@registry.losses.register("CosineSimilarity")
class CosineSimilarity(BuiltInLoss):
    """Minus the cosine of the angle between targets and predictions: -1 for the same direction.

    Args:
        axis: Integer, default -1. The axis of the vectors.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.CosineSimilarity()([[0.0, 2.0]], [[0.0, 3.0]]))
    -1.0
    """

    _unsaved = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


@registry.losses.register("Huber")
class Huber(BuiltInLoss):
    """Squared error for small errors, absolute error for large ones (see `huber`).

    Args:
        delta: Float, default 1. Where the error is no longer squared.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    _unsaved = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


@registry.losses.register("LogCosh", "Logcosh")
class LogCosh(BuiltInLoss):
    """Logarithm of the hyperbolic cosine of the error: `mean(log(cosh(y_pred - y_true)))`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> round(float(minikeras.losses.LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: Any = None,
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)


@loss_function(
    kernels.kl_divergence,
    "kld",
    "KLD",
    "kullback_leibler_divergence",
    epsilon=True,
    shapes="broadcast",
)
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Kullback-Leibler divergence: `sum(y_true * log(y_true / y_pred))` over the last axis.

    Args:
        y_true: Target distributions, of shape `(batch, d0, ..., dN)`.
        y_pred: Predicted distributions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).numpy().round(4)
    array([0.1438], dtype=float32)
    """
    return run(kl_divergence, y_true, y_pred)


@loss_function(kernels.poisson, epsilon=True, shapes="broadcast")
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Poisson loss: `mean(y_pred - y_true * log(y_pred))` over the last axis.

    Args:
        y_true: Target counts, of shape `(batch, d0, ..., dN)`.
        y_pred: Predicted rates, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.poisson([[2.0, 0.0]], [[1.0, 3.0]]).numpy().round(4)
    array([2.], dtype=float32)
    """
    return run(poisson, y_true, y_pred)


@registry.losses.register("KLDivergence")
class KLDivergence(BuiltInLoss):
    """Kullback-Leibler divergence: `sum(y_true * log(y_true / y_pred))`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> round(float(minikeras.losses.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


@registry.losses.register("Poisson")
class Poisson(BuiltInLoss):
    """Poisson loss: `mean(y_pred - y_true * log(y_pred))`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> round(float(minikeras.losses.Poisson()([[2.0, 0.0]], [[1.0, 3.0]])), 4)
    2.0
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: Any = None,
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)


@loss_function()
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification loss.

    Minus the logarithm of the probability of the labels, over all ways to place them in time; from
    Graves et al. 2006, "Connectionist temporal classification".

    Args:
        y_true: Class numbers from 1 on, of shape `(batch, max_length)`; 0 is padding.
        y_pred: Logits of shape `(batch, steps, classes)`; class 0 stands for no label.

    Returns:
        Values of shape `(batch,)`.

    Raises:
        ValueError: for other shapes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.losses.ctc([[1, 0]], np.zeros((1, 2, 3), "float32")).numpy().round(4)
    array([1.0986], dtype=float32)
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if len(y_true.shape) != 2:
        raise ValueError(
            "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in"
            f" integer format. Received: y_true.shape={tuple(y_true.shape)}"
        )
    if len(y_pred.shape) != 3:
        raise ValueError(
            "Logits `y_pred` are expected to be a tensor of shape `(batch_size, max_length,"
            f" num_classes)`. Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    labels = ops.cast(y_true, "int32")
    given = ops.not_equal(labels, 0)  # type: ignore[attr-defined]
    label_length = ops.sum(ops.cast(given, "int32"), axis=-1)
    steps = ops.zeros_like(label_length) + y_pred.shape[1]
    return ops.ctc_loss(labels, y_pred, label_length, steps, mask_index=0)


@registry.losses.register("CTC")
class CTC(BuiltInLoss):
    """Connectionist temporal classification loss (see `ctc`).

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> loss = minikeras.losses.CTC()
    >>> round(float(loss(np.array([[1, 0]]), np.zeros((1, 2, 3), "float32"))), 4)
    1.0986
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: Any = None,
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
