"""Losses of margins, pairs and regions: hinges, circle loss, Dice and Tversky."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.operation import Operation
from minikeras.engine.symbolic import Tensor
from minikeras.kernels import loss as kernels
from minikeras.losses.function import loss_function, run
from minikeras.losses.loss import BuiltInLoss
from minikeras.ops.base import tensor


class CircleOperation(Operation):
    """Circle loss of embeddings against reference embeddings."""

    def __init__(
        self,
        remove_diagonal: bool = True,
        gamma: float = 80.0,
        margin: float = 0.4,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.remove_diagonal, self.gamma, self.margin = remove_diagonal, gamma, margin

    def forward(  # type: ignore[override]
        self, ctx: Any, labels: Any, p: Any, reference_labels: Any, reference: Any
    ) -> tuple:
        values, back = kernels.circle(
            labels.astype(np.int32),
            p,
            reference_labels.astype(np.int32),
            reference,
            self.remove_diagonal,
            self.gamma,
            self.margin,
        )
        ctx.save(back)
        return values, values > 0

    def backward(self, ctx: Any, dy: Any, *_: Any) -> tuple:  # type: ignore[override]
        if dy is None:
            return None, None, None, None
        dp, d_reference = ctx.saved[0](dy)
        return None, dp, None, d_reference


@loss_function()
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """Circle loss: pulls embeddings of one class together, pushes those of others away.

    From Sun et al. 2020, "Circle loss: a unified perspective of pair similarity optimization".

    Args:
        y_true: Class numbers, of shape `(batch,)`.
        y_pred: Embeddings of norm 1, of shape `(batch, size)`.
        ref_labels: Class numbers of the reference embeddings. Defaults to `y_true`.
        ref_embeddings: Embeddings to compare with, of shape `(references, size)`. Defaults to
            `y_pred`.
        remove_diagonal: Boolean, default True. Whether the pair of an embedding with the reference
            of its own number is left out.
        gamma: Float, default 80. Scale of the similarities.
        margin: Float, default 0.4. How wide the margin between the kinds of pairs is.

    Returns:
        Values of shape `(batch,)`. Those that are 0 are masked, so that they do not count in means.

    Example:

    >>> import minikeras
    >>> embeddings = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> minikeras.losses.circle([0, 0, 1], embeddings).numpy().round(2)
    array([0. , 6.4, 0. ], dtype=float32)
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    ref_embeddings = y_pred if ref_embeddings is None else tensor(ref_embeddings)
    ref_labels = y_true if ref_labels is None else tensor(ref_labels)
    values, mask = CircleOperation(remove_diagonal, gamma, margin)(
        y_true, y_pred, ref_labels, ref_embeddings
    )
    if isinstance(values, Tensor):
        values._keras_mask = mask
    return values


def _on_arrays(t: Any, p: Any, **options: Any) -> tuple:
    values, kernel_back = kernels.circle(t.astype(np.int32), p, t.astype(np.int32), p, **options)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        return None, np.add(*kernel_back(dv))

    return values, back, values > 0


circle.on_arrays = _on_arrays  # type: ignore[attr-defined]


@registry.losses.register("Circle")
class Circle(BuiltInLoss):
    """Circle loss: pulls embeddings of one class together, pushes those of others away.

    See `circle`.

    Args:
        gamma: Float, default 80. Scale of the similarities.
        margin: Float, default 0.4. How wide the margin between the kinds of pairs is.
        remove_diagonal: Boolean, default True. Whether pairs of an embedding with itself are left
            out.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> embeddings = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
    >>> round(float(minikeras.losses.Circle()([0, 0, 1], embeddings)), 2)
    3.2
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            circle,
            reduction,
            name,
            dtype,
            gamma=gamma,
            margin=margin,
            remove_diagonal=remove_diagonal,
        )


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
