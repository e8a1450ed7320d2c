"""How labels, predictions and weights are brought to one shape."""

from __future__ import annotations

from typing import Any

import numpy as np


def same_rank(x: np.ndarray, y: np.ndarray, expand: bool = True) -> tuple:
    """Drop or add a last axis of size 1 where the ranks differ by one.

    Args:
        x: Array.
        y: Array.
        expand: Whether a vector gets the axis that the other has (else the other loses it).
    """
    difference = x.ndim - y.ndim
    if difference == 1 and x.shape[-1] == 1:
        return (x, y[:, None]) if y.ndim == 1 and expand else (x[..., 0], y)
    if difference == -1 and y.shape[-1] == 1:
        return (x[:, None], y) if x.ndim == 1 and expand else (x, y[..., 0])
    return x, y


def check_samples(y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """Raise a ValueError where labels and predictions are of different numbers of samples."""
    if y_true.ndim and y_pred.ndim and y_true.shape[0] != y_pred.shape[0]:
        if y_true.shape[0] != 1 and y_pred.shape[0] != 1:
            raise ValueError(
                "`y_true` and `y_pred` must hold the same number of samples. Received:"
                f" y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
            )


def with_mask(sample_weight: Any, mask: Any, dtype: Any) -> Any:
    """The weights, 0 where `mask` says so."""
    if mask is None:
        return sample_weight
    mask = np.asarray(mask).astype(dtype)
    if sample_weight is None:
        return mask
    mask, sample_weight = same_rank(mask, np.asarray(sample_weight).astype(dtype))
    return sample_weight * mask


def samplewise(values: np.ndarray, sample_weight: Any, reduce: Any, dtype: Any) -> tuple:
    """Reduce values (and weights) to one a sample.

    Axes that the weights lack are reduced first, so that a weight counts a whole sample.

    Args:
        values: Array of shape `(samples, ...)`.
        sample_weight: Array of weights, or None.
        reduce: `np.mean` or `np.sum`.
        dtype: Dtype of the computation.

    Returns:
        Values and weights (or None), one a sample.
    """
    values = np.asarray(values, dtype)
    if sample_weight is not None:
        values, sample_weight = same_rank(values, np.asarray(sample_weight, dtype))
        if values.ndim > sample_weight.ndim:
            values = reduce(values, axis=tuple(range(sample_weight.ndim, values.ndim)))
        try:
            sample_weight = np.broadcast_to(sample_weight, values.shape)
        except ValueError:
            raise ValueError(
                "`sample_weight` must have one weight a sample (or a step). Received:"
                f" sample_weight.shape={np.shape(sample_weight)}, for values of shape"
                f" {values.shape}"
            ) from None
        values = values * sample_weight
        if sample_weight.ndim > 1:
            sample_weight = reduce(sample_weight, axis=tuple(range(1, sample_weight.ndim)))
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, sample_weight
