"""Maximum-margin losses."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.kernels import loss as kernels
from minikeras.losses.function import loss_function, run
from minikeras.losses.loss import BuiltInLoss


@loss_function(kernels.hinge, shapes="broadcast")
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Hinge loss: `mean(max(1 - y_true * y_pred, 0))` over the last axis.

    Args:
        y_true: Targets -1 or 1 (0 or 1 are converted), of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.hinge([[-1.0, 1.0]], [[0.5, 2.0]]).numpy()
    array([0.75], dtype=float32)
    """
    return run(hinge, y_true, y_pred)


@loss_function(kernels.squared_hinge, shapes="broadcast")
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Squared hinge loss: `mean(max(1 - y_true * y_pred, 0)^2)` over the last axis.

    Args:
        y_true: Targets -1 or 1 (0 or 1 are converted), of shape `(batch, d0, ..., dN)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.squared_hinge([[-1.0, 1.0]], [[1.0, 2.0]]).numpy()
    array([2.], dtype=float32)
    """
    return run(squared_hinge, y_true, y_pred)


@loss_function(kernels.categorical_hinge, shapes="broadcast")
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """Hinge loss between the right class and the strongest other one.

    `max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)` over the last axis.

    Args:
        y_true: Targets, one-hot, of shape `(batch, d0, ..., classes)`.
        y_pred: Predictions, of the same shape.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]]).numpy()
    array([0.75], dtype=float32)
    """
    return run(categorical_hinge, y_true, y_pred)


@registry.losses.register("Hinge")
class Hinge(BuiltInLoss):
    """Hinge loss: `mean(max(1 - y_true * y_pred, 0))`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.Hinge()([[-1.0, 1.0]], [[0.5, 2.0]]))
    0.75
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


@registry.losses.register("SquaredHinge")
class SquaredHinge(BuiltInLoss):
    """Squared hinge loss: `mean(max(1 - y_true * y_pred, 0)^2)`.

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.SquaredHinge()([[-1.0, 1.0]], [[1.0, 2.0]]))
    2.0
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@registry.losses.register("CategoricalHinge")
class CategoricalHinge(BuiltInLoss):
    """Hinge loss between the right class and the strongest other one (see `categorical_hinge`).

    Args:
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> float(minikeras.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
    0.75
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
