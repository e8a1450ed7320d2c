"""Loss functions as operations: arrays in, one value per sample out, with both gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.operation import Operation
from minikeras.engine.symbolic import Tensor
from minikeras.kernels.activation import sigmoid_of
from minikeras.kernels.loss import binary_crossentropy_of_logits
from minikeras.kernels.rows import row_max, row_sum
from minikeras.losses.loss import squeeze_or_expand_to_same_rank
from minikeras.ops.base import tensor, unbroadcast

Array = np.ndarray


class LossOperation(Operation):
    """Run a loss function on arrays.

    Args:
        function: The public loss function; its `on_arrays` does the work.
        options: dict of its arguments.
    """

    def __init__(self, function: Any, options: dict, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.function, self.options = function, options

    def forward(self, ctx: Any, y_true: Array, y_pred: Array) -> Any:  # type: ignore[override]
        p = y_pred if y_pred.dtype.kind == "f" else y_pred.astype(config.floatx())
        t = y_true
        if self.function.aligns and t.ndim != p.ndim:
            t, p = squeeze_or_expand_to_same_rank(t, p)
        values, back, mask = self.function.on_arrays(t, p, **self.options)
        ctx.save(back, y_true, y_pred, t.shape, p.shape)
        values = np.asarray(values)
        return values if mask is None else (values, mask)

    def backward(self, ctx: Any, dy: Any, *_: Any) -> Any:  # type: ignore[override]
        back, y_true, y_pred, t_shape, p_shape = ctx.saved
        wanted = [need and x.dtype.kind == "f" for need, x in zip(ctx.needs, (y_true, y_pred))]
        if dy is None:
            return None, None
        gradients = back(dy, *wanted)
        return tuple(
            unbroadcast(gradient, shape).reshape(x.shape).astype(x.dtype, copy=False)
            if want and gradient is not None
            else None
            for want, gradient, shape, x in zip(
                wanted, gradients, (t_shape, p_shape), (y_true, y_pred)
            )
        )


def run(function: Any, y_true: Any, y_pred: Any, **options: Any) -> Any:
    """Call a loss function on tensors or arrays."""
    result = LossOperation(function, options)(tensor(y_true), tensor(y_pred))
    if isinstance(result, tuple):
        values, mask = result
        if isinstance(values, Tensor):
            values._keras_mask = mask
        return values
    return result


def loss_function(
    kernel: Callable | None = None,
    *aliases: str,
    epsilon: bool = False,
    shapes: str = "equal",
    aligns: bool = False,
) -> Callable:
    """Decorator of a public loss function: register it and give it `on_arrays`.

    Args:
        kernel: Function of `kernels.loss`.
        aliases: Further names.
        epsilon: Whether the kernel takes the fuzz factor as its third argument.
        shapes: `"equal"` or `"broadcast"`: how the shapes of targets and predictions must match.
        aligns: Whether the function itself drops or adds a last axis of size 1. (The classes
            always do.)
    """

    def decorator(function: Any) -> Any:
        if kernel is not None:
            function.on_arrays = _on_arrays(function.__name__, kernel, epsilon, shapes)
        function.aligns = aligns
        registry.losses.register(function.__name__, *aliases)(function)
        return function

    return decorator


def _on_arrays(name: str, kernel: Callable, epsilon: bool, shapes: str) -> Callable:
    check = _check_equal if shapes == "equal" else _check_broadcast

    def on_arrays(t: Array, p: Array, **options: Any) -> tuple:
        if t.dtype != p.dtype:
            t = _numeric(name, t).astype(p.dtype)
        if t.shape != p.shape:
            check(name, t, p)
        if epsilon:
            values, back = kernel(t, p, config.epsilon(), **options)
        else:
            values, back = kernel(t, p, **options)
        return values, back, None

    return on_arrays


def _numeric(name: str, t: Array) -> Array:
    if t.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} takes numbers as targets. Received `y_true` of dtype {t.dtype}. Encode"
            " categories as numbers first."
        )
    return t


def _check_broadcast(name: str, t: Array, p: Array) -> None:
    try:
        shape = np.broadcast_shapes(t.shape, p.shape)
    except ValueError:
        raise ValueError(_mismatch(name, t, p)) from None
    # Every target against every prediction is never meant.
    if math.prod(shape) > max(t.size, p.size):
        raise ValueError(_mismatch(name, t, p))


def _check_equal(name: str, t: Array, p: Array) -> None:
    what = "rank (ndim)" if t.ndim != p.ndim else "shape"
    raise ValueError(
        f"Arguments `target` and `output` must have the same {what}. " + _mismatch(name, t, p)
    )


def _mismatch(name: str, t: Array, p: Array) -> str:
    hint = ""
    if "categorical" in name and p.ndim and (t.shape == p.shape[:-1] or t.shape[-1:] == (1,)):
        hint = (
            " For labels that are class numbers use sparse_categorical_crossentropy, or make them"
            " one-hot with `minikeras.utils.to_categorical`."
        )
    return (
        f"{name}: targets do not fit the predictions. Received y_true of shape {t.shape} and y_pred"
        f" of shape {p.shape}.{hint}"
    )


def class_numbers(name: str, labels: Array, classes: int) -> Array:
    """Labels as integers from 0 to `classes - 1`.

    Raises:
        ValueError: for a label that is out of range or not whole; it is named.
    """
    if _numeric(name, labels).dtype.kind == "f":
        wrong = labels[labels != np.floor(labels)]
        if wrong.size:
            raise ValueError(
                f"{name}: labels must be whole numbers. Received a label value of {wrong.flat[0]}"
                f" in `y_true` of dtype {labels.dtype}. For targets that are no classes use a loss"
                " such as 'mse'; remove rows whose label is missing (NaN)."
            )
    whole = labels.astype(np.intp, copy=False)
    # Seen as unsigned, negative numbers are too large.
    if whole.size and whole.view(np.uintp).max() >= classes:
        wrong = whole[(whole < 0) | (whole >= classes)].flat[0]
        raise ValueError(
            f"{name}: received a label value of {wrong}, which is outside the valid range of"
            f" [0, {classes}): the predictions have {classes} classes. Labels must be numbered from"
            f" 0 to {classes - 1}, or the last layer needs more units."
        )
    return whole


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
