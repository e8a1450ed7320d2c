"""Cross-entropies from logits, with the gradient back through the last activation.

The gradient of softmax and cross-entropy together, `softmax - target`, neither overflows nor loses
what a saturated probability has lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.kernels.activation import sigmoid_of
from minikeras.kernels.loss import binary_crossentropy_of_logits
from minikeras.kernels.rows import row_max, row_sum
from minikeras.losses.function import _check_equal, _numeric, class_numbers
from minikeras.losses.loss import squeeze_or_expand_to_same_rank

Array = np.ndarray


def softmax_crossentropy(
    logits: Array,
    y_true: Any,
    sparse: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> tuple[Array, Array]:
    """Cross-entropy of `softmax(logits)`.

    Args:
        logits: Array of shape `(..., classes)` (with the classes at `axis`).
        y_true: Targets of the shape of `logits`; class numbers of the shape of the values (or with
            an axis of size 1 for the classes) if `sparse`.
        sparse: Whether targets are class numbers.
        label_smoothing: As in `categorical_crossentropy`; not with `sparse`.
        axis: The axis of the classes.

    Returns:
        The values, of the shape of `logits` without `axis`, and a new array of the shape of
        `logits`: the gradient of each value with respect to its logits.

    Raises:
        ValueError: for shapes that do not fit, or labels out of range.
    """
    if axis not in (-1, logits.ndim - 1):
        moved = np.moveaxis(logits, axis, -1)
        y_true = np.asarray(y_true)
        if y_true.ndim == logits.ndim:
            y_true = np.moveaxis(y_true, axis, -1)
        values, gradient = softmax_crossentropy(moved, y_true, sparse, label_smoothing)
        return values, np.moveaxis(gradient, -1, axis)
    t = np.asarray(y_true)
    with np.errstate(over="ignore", invalid="ignore"):
        shifted = logits - row_max(logits)[..., None]
        gradient = np.exp(shifted)
        total = row_sum(gradient)
        gradient /= total[..., None]
    log_total = np.log(total)
    if sparse:
        from minikeras.losses.crossentropy import _check_labels

        t = _check_labels("sparse_categorical_crossentropy", t, logits)
        labels = class_numbers("sparse_categorical_crossentropy", t, logits.shape[-1])
        rows = np.arange(labels.size)
        flat = shifted.reshape(-1, logits.shape[-1])
        values = log_total - flat[rows, labels.reshape(-1)].reshape(labels.shape)
        gradient.reshape(-1, logits.shape[-1])[rows, labels.reshape(-1)] -= 1
        return values, gradient
    if t.ndim != logits.ndim:
        t = squeeze_or_expand_to_same_rank(t, logits)[0]
    if t.dtype != logits.dtype:
        t = _numeric("categorical_crossentropy", t).astype(logits.dtype)
    if t.shape != logits.shape:
        _check_equal("categorical_crossentropy", t, logits)
    if label_smoothing:
        t = t * (1 - label_smoothing) + label_smoothing / t.shape[-1]
    weight = row_sum(t)
    values = weight * log_total - np.vecdot(t, shifted)
    gradient *= weight[..., None]
    gradient -= t
    return values, gradient


def sigmoid_crossentropy(
    logits: Array, y_true: Any, label_smoothing: float = 0.0, probabilities: Array | None = None
) -> tuple[Array, Array]:
    """Binary cross-entropy of `sigmoid(logits)`, its mean over the last axis.

    Args:
        logits: Array of shape `(..., n)`.
        y_true: Targets of the same shape; a last axis of size 1 may be missing or be too much.
        label_smoothing: As in `binary_crossentropy`.
        probabilities: `sigmoid(logits)`, where it is known already.

    Returns:
        The values, of shape `(...)`, and a new array of the shape of `logits`: the gradient of each
        value with respect to its logits.

    Raises:
        ValueError: for shapes that do not fit.
    """
    t, z = np.asarray(y_true), logits
    if t.ndim != z.ndim:
        t, z = squeeze_or_expand_to_same_rank(t, z)
    if t.dtype != z.dtype:
        t = _numeric("binary_crossentropy", t).astype(z.dtype)
    if t.shape != z.shape:
        _check_equal("binary_crossentropy", t, z)
    if label_smoothing:
        t = t * (1 - label_smoothing) + 0.5 * label_smoothing
    count = max(z.shape[-1], 1)
    elements = binary_crossentropy_of_logits(t, z)
    values = elements[..., 0] if count == 1 else row_sum(elements) / count
    if probabilities is None:
        gradient = sigmoid_of(z)
        gradient -= t
    else:
        gradient = probabilities.reshape(z.shape) - t
    if count != 1:
        gradient *= 1 / count
    return values, gradient.reshape(logits.shape)
