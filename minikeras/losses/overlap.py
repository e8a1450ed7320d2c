"""Losses of overlapping regions, for segmentation: Dice and Tversky."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.kernels import loss as kernels
from minikeras.losses.function import loss_function, run
from minikeras.losses.loss import BuiltInLoss


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


@loss_function(kernels.dice, epsilon=True, shapes="broadcast")
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """Dice loss: `1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        y_true: Targets.
        y_pred: Predictions, of the same shape.
        axis: Integer, tuple of integers, or None (default) for all. The axes of the sums.

    Returns:
        Values of the shape of the inputs without `axis`; a scalar by default.

    Example:

    >>> import minikeras
    >>> minikeras.losses.dice([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4)
    np.float32(0.5)
    """
    return run(dice, y_true, y_pred, axis=_axes(axis))


@loss_function(kernels.tversky, epsilon=True, shapes="broadcast")
def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Any:
    """Tversky loss: the Dice loss with different weights for the two kinds of error.

    `1 - I / (I + alpha * sum(y_true * (1 - y_pred)) + beta * sum((1 - y_true) * y_pred))` with
    `I = sum(y_true * y_pred)`; from Salehi et al. 2017, "Tversky loss function for image
    segmentation".

    Args:
        y_true: Targets.
        y_pred: Predictions, of the same shape.
        alpha: Float, default 0.5. The weight of what is missed.
        beta: Float, default 0.5. The weight of what is predicted in excess.
        axis: Integer, tuple of integers, or None (default) for all. The axes of the sums.

    Returns:
        Values of the shape of the inputs without `axis`; a scalar by default.

    Example:

    >>> import minikeras
    >>> minikeras.losses.tversky([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4)
    np.float32(0.5)
    """
    return run(tversky, y_true, y_pred, alpha=alpha, beta=beta, axis=_axes(axis))


@registry.losses.register("Dice")
class Dice(BuiltInLoss):
    """Dice loss: `1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        reduction: As in `Loss`.
        name: String.
        axis: Integer, tuple of integers, or None (default) for all. The axes of the sums.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> round(float(minikeras.losses.Dice()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.5
    """

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=_axes(axis))


@registry.losses.register("Tversky")
class Tversky(BuiltInLoss):
    """Tversky loss: the Dice loss with different weights for the two kinds of error.

    See `tversky`.

    Args:
        alpha: Float, default 0.5. The weight of what is missed.
        beta: Float, default 0.5. The weight of what is predicted in excess.
        reduction: As in `Loss`.
        name: String.
        axis: Integer, tuple of integers, or None (default) for all. The axes of the sums.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> round(float(minikeras.losses.Tversky()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.5
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=_axes(axis))
