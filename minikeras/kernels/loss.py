"""Loss functions on arrays, and their derivatives.

Each takes targets `t` and predictions `p`, float arrays of one dtype, and returns the values and a
function `back(dv, true, pred)` that gives the gradients `(dt, dp)` from the gradient `dv` of the
values (a scalar stands for the same everywhere). Those that are not asked for are None. They have
the shape of `t` and `p` broadcast together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.kernels.activation import largest, sigmoid_of, total
from minikeras.kernels.rows import row_sum

Array = np.ndarray
Back = Callable[[Any, bool, bool], tuple]
Result = tuple[Array, Back]


def _expand(dv: Any, axis: Any) -> Any:
    """`dv` with the reduced axes put back, where it is no scalar."""
    if axis is None or getattr(dv, "ndim", 0) == 0:
        return dv
    return np.expand_dims(dv, axis)


def _count(shape: tuple, axis: Any) -> int:
    if axis is None:
        return math.prod(shape)
    if isinstance(axis, tuple):
        return math.prod(shape[one] for one in axis)
    return shape[axis]


def _mean_of(
    elements: Array,
    axis: Any,
    slope_pred: Callable[[], Array],
    slope_true: Callable[[], Array],
) -> Result:
    """The mean over `axis` of elements that depend on one target and one prediction each.

    The slopes are those of an element; they are made when asked for, in arrays to write into.
    """
    count = max(_count(elements.shape, axis), 1)
    sums = row_sum(elements) if axis == -1 else np.add.reduce(elements, axis=axis)
    values = sums / elements.dtype.type(count)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = _expand(dv, axis) / count
        return slope_true() * scale if true else None, slope_pred() * scale if pred else None

    return values, back


# Regression


def mean_squared_error(t: Array, p: Array) -> Result:
    """`mean((p - t)^2)` over the last axis."""
    d = p - t
    count = max(d.shape[-1], 1)
    values = np.vecdot(d, d) / d.dtype.type(count)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        dp = d * (_expand(dv, -1) * (2 / count))
        return -dp if true else None, dp

    return values, back


def mean_absolute_error(t: Array, p: Array) -> Result:
    """`mean(|p - t|)` over the last axis."""
    d = p - t
    return _mean_of(np.abs(d), -1, lambda: np.sign(d), lambda: -np.sign(d))


def mean_absolute_percentage_error(t: Array, p: Array, epsilon: float) -> Result:
    """`100 * mean(|p - t| / max(|t|, epsilon))` over the last axis."""
    d = p - t
    size = np.abs(t)
    scale = 100 / np.maximum(size, epsilon)

    def slope_true() -> Array:
        relative = np.abs(d) * np.sign(t) * (size >= epsilon) * scale / 100
        return -scale * (np.sign(d) + relative)

    return _mean_of(np.abs(d) * scale, -1, lambda: np.sign(d) * scale, slope_true)


def mean_squared_logarithmic_error(t: Array, p: Array, epsilon: float) -> Result:
    """`mean((log(1 + p) - log(1 + t))^2)` over the last axis, both bounded below by `epsilon`."""
    above_p, above_t = np.maximum(p, epsilon), np.maximum(t, epsilon)
    d = np.log1p(above_p) - np.log1p(above_t)
    return _mean_of(
        d * d,
        -1,
        lambda: 2 * d / (1 + above_p) * (p >= epsilon),
        lambda: -2 * d / (1 + above_t) * (t >= epsilon),
    )


def huber(t: Array, p: Array, delta: float = 1.0) -> Result:
    """`mean(d^2 / 2 if |d| <= delta else delta * |d| - delta^2 / 2)`, `d = p - t`."""
    d = p - t
    bounded = np.clip(d, -delta, delta)
    return _mean_of(bounded * (d - 0.5 * bounded), -1, lambda: bounded, lambda: -bounded)


def log_cosh(t: Array, p: Array) -> Result:
    """`mean(log(cosh(p - t)))` over the last axis."""
    d = p - t
    size = np.abs(d)
    elements = size + np.log1p(np.exp(-2 * size)) - math.log(2)
    return _mean_of(elements, -1, lambda: np.tanh(d), lambda: -np.tanh(d))


def cosine_similarity(t: Array, p: Array, epsilon: float, axis: Any = -1) -> Result:
    """`-sum(t * p) / (|t| * |p|)` over `axis`."""

    def normalized(x: Array) -> tuple[Array, Array, Array]:
        norm = np.sqrt(np.square(x).sum(axis=axis, keepdims=True))
        inverse = 1 / np.maximum(norm, epsilon)
        return x * inverse, inverse, norm > epsilon

    unit_t, inverse_t, long_t = normalized(t)
    unit_p, inverse_p, long_p = normalized(p)
    cosine = (unit_t * unit_p).sum(axis=axis, keepdims=True)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = -_expand(dv, axis)
        dt = (unit_p - unit_t * cosine * long_t) * inverse_t * scale if true else None
        dp = (unit_t - unit_p * cosine * long_p) * inverse_p * scale if pred else None
        return dt, dp

    values = -cosine.reshape(()) if axis is None else -np.squeeze(cosine, axis)
    return values, back


# Margins


def _signs(t: Array) -> tuple[Array, int]:
    """Labels 0 and 1 as -1 and 1, and by how much that stretches them."""
    if np.logical_or(t == 0, t == 1).all():
        return 2 * t - 1, 2
    return t, 1


def hinge(t: Array, p: Array) -> Result:
    """`mean(max(1 - t * p, 0))` over the last axis, with labels -1 and 1."""
    t, stretch = _signs(t)
    margin = 1 - t * p
    return _mean_of(
        np.maximum(margin, 0),
        -1,
        lambda: -t * (margin >= 0),
        lambda: -stretch * p * (margin >= 0),
    )


def squared_hinge(t: Array, p: Array) -> Result:
    """`mean(max(1 - t * p, 0)^2)` over the last axis, with labels -1 and 1."""
    t, stretch = _signs(t)
    margin = np.maximum(1 - t * p, 0)
    return _mean_of(margin * margin, -1, lambda: -2 * t * margin, lambda: -2 * stretch * p * margin)


def categorical_hinge(t: Array, p: Array) -> Result:
    """`max(max((1 - t) * p) - sum(t * p) + 1, 0)` over the last axis."""
    others = (1 - t) * p
    largest = others.max(axis=-1, keepdims=True)
    margin = largest[..., 0] - (t * p).sum(axis=-1) + 1

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = ((margin >= 0) * dv)[..., None]
        hit = (others == largest).astype(p.dtype)
        hit /= hit.sum(axis=-1, keepdims=True)
        dt = scale * (-p * hit - p) if true else None
        return dt, scale * ((1 - t) * hit - t) if pred else None

    return np.maximum(margin, 0), back


# Distributions


def poisson(t: Array, p: Array, epsilon: float) -> Result:
    """`mean(p - t * log(p + epsilon))` over the last axis."""
    q = p + p.dtype.type(epsilon)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_q = np.log(q)
        slope = 1 - t / q
    return _mean_of(p - t * log_q, -1, lambda: slope, lambda: -log_q)


def kl_divergence(t: Array, p: Array, epsilon: float) -> Result:
    """`sum(t * log(t / p))` over the last axis, both clipped to `[epsilon, 1]`."""
    q, r = np.clip(p, epsilon, 1), np.clip(t, epsilon, 1)
    log_ratio = np.log(r / q)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = _expand(dv, -1)
        dt = (log_ratio + 1) * ((t >= epsilon) & (t <= 1)) * scale if true else None
        dp = -r / q * ((p >= epsilon) & (p <= 1)) * scale if pred else None
        return dt, dp

    return (r * log_ratio).sum(axis=-1), back


def _clip_probabilities(p: Array, epsilon: float) -> tuple[Array, Array]:
    """Probabilities within `[epsilon, 1 - epsilon]`, and where they were there already."""
    low, high = p.dtype.type(epsilon), p.dtype.type(1 - epsilon)
    return np.clip(p, low, high), (p >= low) & (p <= high)


def binary_crossentropy(
    t: Array,
    p: Array,
    epsilon: float,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Any = -1,
) -> Result:
    """`-mean(t * log(p) + (1 - t) * log(1 - p))` over `axis`."""
    keep = 1 - label_smoothing
    if label_smoothing:
        t = t * keep + 0.5 * label_smoothing
    if from_logits:
        elements = binary_crossentropy_of_logits(t, p)
        return _mean_of(elements, axis, lambda: sigmoid_of(p) - t, lambda: -keep * p)
    q, inside = _clip_probabilities(p, epsilon)
    log_q, log_rest = np.log(q), np.log(1 - q)
    return _mean_of(
        -(t * log_q + (1 - t) * log_rest),
        axis,
        lambda: (q - t) / (q * (1 - q)) * inside,
        lambda: keep * (log_rest - log_q),
    )


def binary_crossentropy_of_logits(t: Array, z: Array) -> Array:
    """`-(t * log(p) + (1 - t) * log(1 - p))` with `p = sigmoid(z)`, without overflow."""
    elements = np.abs(z)
    np.negative(elements, out=elements)
    np.exp(elements, out=elements)
    np.log1p(elements, out=elements)
    elements += np.maximum(z, 0)
    return elements - z * t


def binary_focal_crossentropy(
    t: Array,
    p: Array,
    epsilon: float,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Any = -1,
) -> Result:
    """Binary cross-entropy times `(1 - p_t)^gamma`, `p_t` the probability of the right class.

    From Lin et al. 2018, "Focal loss for dense object detection".
    """
    keep = 1 - label_smoothing
    if label_smoothing:
        t = t * keep + 0.5 * label_smoothing
    if from_logits:
        p = sigmoid_of(p)
    q, inside = _clip_probabilities(p, epsilon)
    log_q, log_rest = np.log(q), np.log(1 - q)
    entropy = -(t * log_q + (1 - t) * log_rest)
    miss = 1 - (t * p + (1 - t) * (1 - p))
    focus = miss**gamma
    weight: Any = t * alpha + (1 - t) * (1 - alpha) if apply_class_balancing else 1

    def slope_focus() -> Any:
        return gamma * miss ** (gamma - 1) if gamma else 0 * miss

    def slope_pred() -> Array:
        slope = focus * (q - t) / (q * (1 - q)) * inside
        slope += entropy * slope_focus() * (1 - 2 * t)
        slope *= weight
        return slope * (p * (1 - p)) if from_logits else slope

    def slope_true() -> Array:
        slope = weight * (focus * (log_rest - log_q) + entropy * slope_focus() * (1 - 2 * p))
        if apply_class_balancing:
            slope += (2 * alpha - 1) * focus * entropy
        return keep * slope

    return _mean_of(weight * focus * entropy, axis, slope_pred, slope_true)


def _softmax(z: Array, axis: Any) -> tuple[Array, Array]:
    """The softmax of `z` and its logarithm."""
    log_p = z - largest(z, axis)
    p = np.exp(log_p)
    sums = total(p, axis)
    p /= sums
    log_p -= np.log(sums)
    return p, log_p


def _smooth(t: Array, label_smoothing: float) -> Array:
    if not label_smoothing:
        return t
    return t * (1 - label_smoothing) + label_smoothing / t.shape[-1]


def categorical_crossentropy(
    t: Array,
    p: Array,
    epsilon: float,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Any = -1,
) -> Result:
    """`-sum(t * log(p))` over `axis`, with `p` scaled to sum to 1."""
    keep = 1 - label_smoothing
    t = _smooth(t, label_smoothing)
    if from_logits:
        softmax, log_p = _softmax(p, axis)

        def back_of_logits(dv: Any, true: bool, pred: bool) -> tuple:
            scale = _expand(dv, axis)
            dp = None
            if pred:
                dp = softmax * t.sum(axis=axis, keepdims=True)
                dp -= t
                dp *= scale
            return -keep * log_p * scale if true else None, dp

        return -(t * log_p).sum(axis=axis), back_of_logits
    total = p.sum(axis=axis, keepdims=True)
    scaled = p / total
    q, inside = _clip_probabilities(scaled, epsilon)
    log_q = np.log(q)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = _expand(dv, axis)
        dp = None
        if pred:
            dp = _through_scaling(-t / q * inside, scaled, total, axis) * scale
        return -keep * log_q * scale if true else None, dp

    return -(t * log_q).sum(axis=axis), back


def _through_scaling(slope: Array, scaled: Array, total: Array, axis: Any) -> Array:
    """The gradient with respect to `p`, from that with respect to `p / sum(p)`."""
    return (slope - (slope * scaled).sum(axis=axis, keepdims=True)) / total


def categorical_focal_crossentropy(
    t: Array,
    p: Array,
    epsilon: float,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Any = -1,
) -> Result:
    """`-sum(alpha * (1 - p)^gamma * t * log(p))` over `axis`, with `p` scaled to sum to 1.

    From Lin et al. 2018, "Focal loss for dense object detection".
    """
    keep = 1 - label_smoothing
    t = _smooth(t, label_smoothing)
    alpha = np.asarray(alpha, p.dtype)
    if from_logits:
        p = _softmax(p, axis)[0]
    total = p.sum(axis=axis, keepdims=True)
    scaled = p / total
    q, inside = _clip_probabilities(scaled, epsilon)
    log_q = np.log(q)
    focus = alpha * (1 - q) ** gamma

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = _expand(dv, axis)
        dp = None
        if pred:
            slope = -t * (focus / q - alpha * gamma * (1 - q) ** (gamma - 1) * log_q) * inside
            dp = _through_scaling(slope, scaled, total, axis)
            if from_logits:
                dp = p * (dp - (dp * p).sum(axis=axis, keepdims=True))
            dp = dp * scale
        return -keep * focus * log_q * scale if true else None, dp

    return -(focus * t * log_q).sum(axis=axis), back


def _picked(p: Array, labels: Array) -> Array:
    return np.take_along_axis(p, labels[..., None], axis=-1)[..., 0]


def sparse_categorical_crossentropy(
    labels: Array, p: Array, epsilon: float, from_logits: bool = False
) -> Result:
    """`-log(p[label])` over the last axis, with `p` scaled to sum to 1."""
    if from_logits:
        softmax, log_p = _softmax(p, -1)
        values = -_picked(log_p, labels)

        def slope() -> Array:
            return softmax
    else:
        q, inside = _clip_probabilities(p, epsilon)
        total = q.sum(axis=-1, keepdims=True)
        values = np.log(total[..., 0]) - np.log(_picked(q, labels))

        def slope() -> Array:
            return np.broadcast_to(1 / total, p.shape).copy()

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        dp = slope()
        columns = labels[..., None]
        at_label = np.take_along_axis(dp, columns, axis=-1)
        at_label -= 1 if from_logits else 1 / np.take_along_axis(q, columns, axis=-1)
        if from_logits:
            dp = dp.copy()
        np.put_along_axis(dp, columns, at_label, axis=-1)
        if not from_logits:
            dp *= inside
        dp *= _expand(dv, -1)
        return None, dp

    return values, back


def categorical_generalized_cross_entropy(labels: Array, p: Array, q: float) -> Result:
    """`(1 - p[label]^q) / q` over the last axis (Zhang and Sabuncu 2018)."""
    picked = _picked(p, labels)

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        dp = np.zeros_like(p)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = -(picked ** (q - 1)) * dv
        np.put_along_axis(dp, labels[..., None], slope[..., None], axis=-1)
        return None, dp

    return (1 - picked**q) / q, back


# Overlap


def tversky(
    t: Array, p: Array, epsilon: float, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Result:
    """`1 - I / (I + alpha * sum(t * (1 - p)) + beta * sum((1 - t) * p))`, `I = sum(t * p)`.

    From Salehi et al. 2017, "Tversky loss function for image segmentation".
    """
    overlap = (t * p).sum(axis=axis, keepdims=True)
    total = overlap + alpha * ((1 - p) * t).sum(axis=axis, keepdims=True)
    total += beta * (p * (1 - t)).sum(axis=axis, keepdims=True) + epsilon

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = -_expand(dv, axis) / (total * total)
        dt = dp = None
        if true:
            dt = scale * (p * total - overlap * (p + alpha * (1 - p) - beta * p))
        if pred:
            dp = scale * (t * total - overlap * (t - alpha * t + beta * (1 - t)))
        return dt, dp

    return 1 - _dropped(overlap / total, axis), back


def dice(t: Array, p: Array, epsilon: float, axis: Any = None) -> Result:
    """`1 - 2 * sum(t * p) / (sum(t) + sum(p))` over `axis`."""
    overlap = 2 * (t * p).sum(axis=axis, keepdims=True)
    total = t.sum(axis=axis, keepdims=True) + p.sum(axis=axis, keepdims=True) + epsilon

    def back(dv: Any, true: bool, pred: bool) -> tuple:
        scale = -_expand(dv, axis) / (total * total)
        dt = scale * (2 * p * total - overlap) if true else None
        return dt, scale * (2 * t * total - overlap) if pred else None

    return 1 - _dropped(overlap / total, axis), back


def _dropped(x: Array, axis: Any) -> Array:
    return x.reshape(()) if axis is None else np.squeeze(x, axis)


# Pairs


def circle(
    labels: Array,
    p: Array,
    reference_labels: Array,
    reference: Array,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> tuple[Array, Callable[[Any], tuple[Array, Array]]]:
    """Circle loss of embeddings `p` against reference embeddings, one value per row of `p`.

    From Sun et al. 2020, "Circle loss: a unified perspective of pair similarity optimization".
    `back(dv)` gives the gradients of `p` and of `reference`.
    """
    similarity = p @ reference.T
    distance = np.maximum(1 - similarity, 0)
    same = labels.reshape(-1, 1) == reference_labels.reshape(1, -1)
    other = ~same
    if remove_diagonal:
        same = same & (np.eye(*same.shape) == 0)
    weight_same = np.maximum(margin + distance, 0)
    weight_other = np.maximum(1 + margin - distance, 0)
    score_same = -gamma * weight_same * (margin - distance)
    score_other = gamma * weight_other * (1 - margin - distance)
    sum_same, part_same = _log_sum_exp(score_same, same)
    sum_other, part_other = _log_sum_exp(score_other, other)
    total = sum_same + sum_other
    finite = np.isfinite(total)
    bounded = np.where(finite, total, 0)
    values = np.where(finite, np.logaddexp(bounded, 0), 0).astype(p.dtype)

    def back(dv: Any) -> tuple[Array, Array]:
        scale = (sigmoid_of(bounded) * finite * dv)[:, None]
        slope_same = gamma * (weight_same - (weight_same > 0) * (margin - distance))
        slope_other = -gamma * (weight_other + (weight_other > 0) * (1 - margin - distance))
        slope = part_same * slope_same + part_other * slope_other
        d_similarity = -slope * scale * (similarity <= 1)
        return d_similarity @ reference, d_similarity.T @ p

    return values, back


def _log_sum_exp(scores: Array, mask: Array) -> tuple[Array, Array]:
    """`log(sum(exp(scores)))` of each row where `mask` is true, and its gradient."""
    masked = np.where(mask, scores, -np.inf)
    top = masked.max(axis=1, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    parts = np.exp(masked - top)
    total = parts.sum(axis=1, keepdims=True)
    some = total > 0
    safe = np.where(some, total, 1)
    sums = np.where(some, np.log(safe) + top, -np.inf)[:, 0]
    return sums, parts / safe
