"""Connectionist temporal classification: labels in order, without known times."""

from __future__ import annotations

from typing import Any

from minikeras import ops
from minikeras.engine import registry
from minikeras.losses.function import loss_function
from minikeras.losses.loss import BuiltInLoss
from minikeras.ops.base import tensor


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
