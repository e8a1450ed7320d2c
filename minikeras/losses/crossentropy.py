"""Losses of predicted classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.kernels import loss as kernels
from minikeras.losses.function import _check_equal, class_numbers, loss_function, run
from minikeras.losses.loss import BuiltInLoss

Array = np.ndarray


@loss_function(kernels.binary_crossentropy, "bce", "BCE", epsilon=True)
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy: `-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`.

    Args:
        y_true: Targets, 0 or 1, of shape `(batch, d0, ..., dN)`.
        y_pred: Predicted probabilities (or logits), of the same shape.
        from_logits: Boolean, default False. Whether predictions are logits, before the sigmoid.
        label_smoothing: Float from 0 to 1, default 0. How far targets are moved towards 0.5.
        axis: Integer, default -1. The axis of the mean.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.binary_crossentropy([[0.0, 1.0]], [[0.4, 0.6]]).numpy().round(4)
    array([0.5108], dtype=float32)
    """
    return run(
        binary_crossentropy,
        y_true,
        y_pred,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
    )


@loss_function(kernels.binary_focal_crossentropy, epsilon=True)
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy that weighs down what is predicted well already.

    Each term is multiplied by `(1 - p_t)^gamma`, where `p_t` is the probability of the right class
    (Lin et al. 2018, "Focal loss for dense object detection").

    Args:
        y_true: Targets, 0 or 1, of shape `(batch, d0, ..., dN)`.
        y_pred: Predicted probabilities (or logits), of the same shape.
        apply_class_balancing: Boolean, default False. Whether class 1 is weighted by `alpha` and
            class 0 by `1 - alpha`.
        alpha: Float, default 0.25.
        gamma: Float, default 2. 0 gives the plain binary cross-entropy.
        from_logits: Boolean, default False. Whether predictions are logits.
        label_smoothing: Float from 0 to 1, default 0.
        axis: Integer, default -1. The axis of the mean.

    Returns:
        Values of shape `(batch, d0, ..., dN-1)`.

    Example:

    >>> import minikeras
    >>> minikeras.losses.binary_focal_crossentropy([[0.0, 1.0]], [[0.4, 0.6]]).numpy().round(4)
    array([0.0817], dtype=float32)
    """
    return run(
        binary_focal_crossentropy,
        y_true,
        y_pred,
        apply_class_balancing=apply_class_balancing,
        alpha=alpha,
        gamma=gamma,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
    )


def _categorical(name: str, kernel: Any) -> Any:
    """The array form of a loss with one-hot targets."""

    def on_arrays(t: Array, p: Array, axis: int = -1, **options: Any) -> tuple:
        if isinstance(axis, bool):
            raise ValueError(
                f"Argument `axis` must be an integer. Received: axis={axis} of type {type(axis)}"
            )
        if t.dtype != p.dtype:
            t = t.astype(p.dtype)
        if t.shape != p.shape:
            _check_equal(name, t, p)
        if p.shape[-1] == 1:
            warnings.warn(
                f"In loss {name}, expected y_pred.shape to be (batch_size, num_classes) with"
                f" num_classes > 1. Received: y_pred.shape={p.shape}. Consider using"
                " 'binary_crossentropy' if you only have 2 classes.",
                SyntaxWarning,
                stacklevel=2,
            )
        values, back = kernel(t, p, config.epsilon(), axis=axis, **options)
        return values, back, None

    return on_arrays


@loss_function()
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one-hot targets: `-sum(y_true * log(y_pred))`.

    Predictions are scaled to sum to 1.

    Args:
        y_true: Targets, one-hot or distributions, of shape `(batch, d0, ..., classes)`.
        y_pred: Predicted probabilities (or logits), of the same shape.
        from_logits: Boolean, default False. Whether predictions are logits, before the softmax.
        label_smoothing: Float from 0 to 1, default 0. The part of the targets that is spread over
            all classes.
        axis: Integer, default -1. The axis of the classes.

    Returns:
        Values of the shape of the inputs without `axis`.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> import minikeras
    >>> y_true = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> minikeras.losses.categorical_crossentropy(y_true, y_pred).numpy().round(4)
    array([0.0513, 2.3026], dtype=float32)
    """
    return run(
        categorical_crossentropy,
        y_true,
        y_pred,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
    )


categorical_crossentropy.on_arrays = _categorical(  # type: ignore[attr-defined]
    "categorical_crossentropy", kernels.categorical_crossentropy
)


@loss_function()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one-hot targets that weighs down what is predicted well already.

    `-sum(alpha * (1 - y_pred)^gamma * y_true * log(y_pred))`; see Lin et al. 2018, "Focal loss for
    dense object detection".

    Args:
        y_true: Targets, one-hot, of shape `(batch, d0, ..., classes)`.
        y_pred: Predicted probabilities (or logits), of the same shape.
        alpha: Float, or one per class. Defaults to 0.25.
        gamma: Float, default 2.
        from_logits: Boolean, default False. Whether predictions are logits.
        label_smoothing: Float from 0 to 1, default 0.
        axis: Integer, default -1. The axis of the classes.

    Returns:
        Values of the shape of the inputs without `axis`.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> import minikeras
    >>> y_true = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> y_pred = [[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]
    >>> minikeras.losses.categorical_focal_crossentropy(y_true, y_pred).numpy()[1].round(4)
    np.float32(0.6759)
    """
    return run(
        categorical_focal_crossentropy,
        y_true,
        y_pred,
        alpha=alpha,
        gamma=gamma,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
    )


categorical_focal_crossentropy.on_arrays = _categorical(  # type: ignore[attr-defined]
    "categorical_focal_crossentropy", kernels.categorical_focal_crossentropy
)


@loss_function()
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Cross-entropy of class numbers: `-log(y_pred[y_true])`.

    Args:
        y_true: Class numbers, of shape `(batch, d0, ..., dN-1)` or with a last axis of size 1.
        y_pred: Predicted probabilities (or logits), of shape `(batch, d0, ..., classes)`.
        from_logits: Boolean, default False. Whether predictions are logits, before the softmax.
        ignore_class: Integer or None (default). A label whose samples do not count.
        axis: Integer, default -1. The axis of the classes.

    Returns:
        Values of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: for a label that is no class number, or if the shapes do not fit.

    Example:

    >>> import minikeras
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> minikeras.losses.sparse_categorical_crossentropy([1, 2], y_pred).numpy().round(4)
    array([0.0513, 2.3026], dtype=float32)
    """
    return run(
        sparse_categorical_crossentropy,
        y_true,
        y_pred,
        from_logits=from_logits,
        ignore_class=ignore_class,
        axis=axis,
    )


def _check_labels(name: str, t: Array, p: Array, axis: int = -1) -> Array:
    """Labels without an axis for the classes."""
    if t.ndim == p.ndim and t.shape[axis] == 1:
        t = np.squeeze(t, axis)
    expected = p.shape[:-1] if axis == -1 else np.delete(p.shape, axis)
    if t.shape != tuple(expected):
        hint = ""
        if t.shape == p.shape:
            hint = " For one-hot targets use categorical_crossentropy."
        raise ValueError(
            f"{name}: labels must have the shape of the predictions without the axis of the"
            f" classes, {tuple(int(size) for size in expected)}. Received y_true of shape {t.shape}"
            f" and y_pred of shape {p.shape}.{hint}"
        )
    return t


def _sparse_on_arrays(
    t: Array,
    p: Array,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> tuple:
    t = _check_labels("sparse_categorical_crossentropy", t, p, axis)
    moved = axis not in (-1, p.ndim - 1)
    if moved:
        p = np.moveaxis(p, axis, -1)
    valid = None
    if ignore_class is not None:
        valid = t != ignore_class
        t = np.where(valid, t, 0)
    labels = class_numbers("sparse_categorical_crossentropy", t, p.shape[-1])
    values, kernel_back = kernels.sparse_categorical_crossentropy(
        labels, p, config.epsilon(), from_logits=from_logits
    )
    if valid is None and not moved:
        return values, kernel_back, None
    if valid is not None:
        values = np.where(valid, values, values.dtype.type(0))

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        dp = kernel_back(dv if valid is None else valid * dv, true, pred)[1]
        return None, np.moveaxis(dp, -1, axis) if moved else dp

    return values, back, valid


sparse_categorical_crossentropy.on_arrays = _sparse_on_arrays  # type: ignore[attr-defined]


@loss_function()
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """Cross-entropy that stands wrong labels: `(1 - y_pred[y_true]^q) / q`.

    Between the cross-entropy (q near 0) and the mean absolute error (q = 1); from Zhang and Sabuncu
    2018, "Generalized cross entropy loss for training deep neural networks with noisy labels".

    Args:
        y_true: Class numbers, of shape `(batch,)`.
        y_pred: Predicted probabilities, of shape `(batch, classes)`.
        q: Float between 0 and 1.

    Returns:
        Values of shape `(batch,)`.

    Raises:
        ValueError: for a label that is no class number, or if the shapes do not fit.

    Example:

    >>> import minikeras
    >>> from minikeras.losses import categorical_generalized_cross_entropy
    >>> categorical_generalized_cross_entropy([1], [[0.19, 0.81]], q=0.5).numpy().round(4)
    array([0.2], dtype=float32)
    """
    return run(categorical_generalized_cross_entropy, y_true, y_pred, q=q)


def _generalized_on_arrays(t: Array, p: Array, q: float) -> tuple:
    name = "categorical_generalized_cross_entropy"
    labels = class_numbers(name, _check_labels(name, t, p), p.shape[-1])
    values, back = kernels.categorical_generalized_cross_entropy(labels, p, q)
    return values, back, None


categorical_generalized_cross_entropy.on_arrays = (  # type: ignore[attr-defined]
    _generalized_on_arrays
)


@registry.losses.register("BinaryCrossentropy")
class BinaryCrossentropy(BuiltInLoss):
    """Binary cross-entropy: `-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`.

    Args:
        from_logits: Boolean, default False. Whether predictions are logits, before the sigmoid.
        label_smoothing: Float from 0 to 1, default 0. How far targets are moved towards 0.5.
        axis: Integer, default -1. The axis of the mean.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> bce = minikeras.losses.BinaryCrossentropy(from_logits=True)
    >>> round(float(bce([0.0, 1.0, 0.0, 0.0], [-18.6, 0.51, 2.94, -12.8])), 4)
    0.8655
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@registry.losses.register("BinaryFocalCrossentropy")
class BinaryFocalCrossentropy(BuiltInLoss):
    """Binary cross-entropy that weighs down what is predicted well already.

    See `binary_focal_crossentropy`.

    Args:
        apply_class_balancing: Boolean, default False. Whether class 1 is weighted by `alpha` and
            class 0 by `1 - alpha`.
        alpha: Float, default 0.25.
        gamma: Float, default 2. 0 gives the plain binary cross-entropy.
        from_logits: Boolean, default False. Whether predictions are logits.
        label_smoothing: Float from 0 to 1, default 0.
        axis: Integer, default -1. The axis of the mean.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> loss = minikeras.losses.BinaryFocalCrossentropy(gamma=2.0)
    >>> round(float(loss([[0.0, 1.0]], [[0.4, 0.6]])), 4)
    0.0817
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@registry.losses.register("CategoricalCrossentropy")
class CategoricalCrossentropy(BuiltInLoss):
    """Cross-entropy of one-hot targets: `-sum(y_true * log(y_pred))`.

    Args:
        from_logits: Boolean, default False. Whether predictions are logits, before the softmax.
        label_smoothing: Float from 0 to 1, default 0. The part of the targets that is spread over
            all classes.
        axis: Integer, default -1. The axis of the classes.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> loss = minikeras.losses.CategoricalCrossentropy()
    >>> y_pred = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]
    >>> round(float(loss([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], y_pred)), 3)
    1.177
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@registry.losses.register("CategoricalFocalCrossentropy")
class CategoricalFocalCrossentropy(BuiltInLoss):
    """Cross-entropy of one-hot targets that weighs down what is predicted well already.

    See `categorical_focal_crossentropy`.

    Args:
        alpha: Float, or one per class. Defaults to 0.25.
        gamma: Float, default 2.
        from_logits: Boolean, default False. Whether predictions are logits.
        label_smoothing: Float from 0 to 1, default 0.
        axis: Integer, default -1. The axis of the classes.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Example:

    >>> import minikeras
    >>> loss = minikeras.losses.CategoricalFocalCrossentropy()
    >>> y_pred = [[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]]
    >>> round(float(loss([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], y_pred)), 4)
    0.3381
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@registry.losses.register("SparseCategoricalCrossentropy")
class SparseCategoricalCrossentropy(BuiltInLoss):
    """Cross-entropy of class numbers: `-log(y_pred[y_true])`.

    Args:
        from_logits: Boolean, default False. Whether predictions are logits, before the softmax.
        ignore_class: Integer or None (default). A label whose samples do not count.
        reduction: As in `Loss`.
        axis: Integer, default -1. The axis of the classes.
        name: String.
        dtype: As in `Loss`.

    Raises:
        ValueError: when called with a label that is no class number.

    Example:

    >>> import minikeras
    >>> loss = minikeras.losses.SparseCategoricalCrossentropy()
    >>> round(float(loss([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])), 3)
    1.177
    """

    _unsaved = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: Any = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


@registry.losses.register("CategoricalGeneralizedCrossEntropy")
class CategoricalGeneralizedCrossEntropy(BuiltInLoss):
    """Cross-entropy that stands wrong labels (see `categorical_generalized_cross_entropy`).

    Args:
        q: Float between 0 and 1, default 0.5.
        reduction: As in `Loss`.
        name: String.
        dtype: As in `Loss`.

    Raises:
        ValueError: for `q` outside of (0, 1).

    Example:

    >>> import minikeras
    >>> loss = minikeras.losses.CategoricalGeneralizedCrossEntropy()
    >>> round(float(loss([1], [[0.19, 0.81]])), 4)
    0.2
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: Any = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"Argument `q` must lie between 0 and 1. Received: q={q}")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
