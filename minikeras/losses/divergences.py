"""Likelihoods: Kullback-Leibler divergence, Poisson, connectionist temporal classification."""

from __future__ import annotations

from typing import Any

from minikeras import ops
from minikeras.engine import registry
from minikeras.kernels import loss as kernels
from minikeras.losses.function import loss_function, run
from minikeras.losses.loss import BuiltInLoss
from minikeras.ops.base import tensor


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
