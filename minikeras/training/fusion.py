"""Softmax + cross-entropy and sigmoid + binary cross-entropy as one.

Keras on TensorFlow computes cross-entropy of a softmax or sigmoid output from its logits, which is
exact where probabilities saturate; so does this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def fusion_for(operation: Any, loss: Any) -> Callable | None:
    """The fused loss of an activation that ends `operation`, or None if there is none.

    The function takes `(loss, y_true, logits, sample_weight, mask, output)` and returns the value
    and the gradient to the logits.
    """
    if not getattr(type(operation), "ends_in_activation", False):
        return None
    activation = getattr(operation, "activation", None)
    if getattr(activation, "kernel", None) is None:
        return None
    from minikeras import activations, losses

    if getattr(operation, "axis", -1) not in (-1,):
        return None
    options = getattr(loss, "_fn_kwargs", {})
    if options.get("from_logits") or options.get("axis", -1) != -1:
        return None
    if options.get("ignore_class") is not None:
        return None
    kind = type(loss)
    if activation is activations.softmax:
        if kind is losses.CategoricalCrossentropy or _wraps(loss, losses.categorical_crossentropy):
            return _categorical
        if kind is losses.SparseCategoricalCrossentropy or _wraps(
            loss, losses.sparse_categorical_crossentropy
        ):
            return _sparse
    if activation is activations.sigmoid:
        if kind is losses.BinaryCrossentropy or _wraps(loss, losses.binary_crossentropy):
            return _binary
    return None


def _wraps(loss: Any, function: Any) -> bool:
    from minikeras import losses

    return type(loss) is losses.LossFunctionWrapper and loss.fn is function


def _smoothing(loss: Any) -> float:
    return float(getattr(loss, "_fn_kwargs", {}).get("label_smoothing") or 0.0)


def _categorical(
    loss: Any, y: Any, logits: Any, weight: Any, mask: Any, output: Any
) -> tuple[Any, Any]:
    import minikeras.losses.fused as fused

    values, gradient = fused.softmax_crossentropy(
        logits, y, sparse=False, label_smoothing=_smoothing(loss)
    )
    return _reduce(loss, values, gradient, weight, mask, y, logits)


def _sparse(loss: Any, y: Any, logits: Any, weight: Any, mask: Any, output: Any) -> tuple[Any, Any]:
    import minikeras.losses.fused as fused

    values, gradient = fused.softmax_crossentropy(logits, y, sparse=True)
    return _reduce(loss, values, gradient, weight, mask, y, logits)


def _binary(loss: Any, y: Any, logits: Any, weight: Any, mask: Any, output: Any) -> tuple[Any, Any]:
    import minikeras.losses.fused as fused

    values, gradient = fused.sigmoid_crossentropy(logits, y, _smoothing(loss), output)
    return _reduce(loss, values, gradient, weight, mask, y, logits)


def _reduce(
    loss: Any, values: Any, gradient: Any, weight: Any, mask: Any, y: Any, logits: Any
) -> tuple[Any, Any]:
    """Apply the loss's reduction to per-sample values and to the gradients of each."""
    if weight is None and mask is None and loss.reduction in ("sum_over_batch_size", "mean"):
        gradient *= logits.dtype.type(1.0 / max(values.size, 1))
        return np.add.reduce(values, axis=None) / max(values.size, 1), gradient
    value, factors = loss.reduce_with_gradient(values, weight, mask)
    factors = np.asarray(factors, dtype=logits.dtype)
    return value, gradient * factors.reshape(factors.shape + (1,) * (gradient.ndim - factors.ndim))
