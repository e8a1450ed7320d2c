"""Losses between distributions and counts: Kullback-Leibler divergence, Poisson."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.kernels import loss as kernels
from minikeras.losses.function import loss_function, run
from minikeras.losses.loss import BuiltInLoss


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
