"""One-hot labels and unit vectors."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine.spelling import understands_old


@understands_old
def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Turns class numbers into one-hot rows.

    Args:
        x: Whole numbers from 0 to `num_classes - 1`, of any shape. A last axis of size 1 is
            dropped.
        num_classes: The number of classes. Defaults to the largest number in `x` plus 1.

    Returns:
        A `float64` array of the shape of `x` with an axis of size `num_classes` added.

    Raises:
        ValueError: A number is negative, too large or not whole.

    Example:

    >>> import minikeras
    >>> minikeras.utils.to_categorical([0, 2, 1], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    given = np.asarray(x)
    labels = given.astype("int64")
    if given.dtype.kind == "f" and not np.array_equal(labels, given):
        raise ValueError(
            "`x` must hold whole numbers, the numbers of the classes. "
            f"Received: {given[labels != given].flat[0]}"
        )
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not num_classes:
        if labels.size == 0:
            raise ValueError("`x` is empty: pass `num_classes` too.")
        num_classes = int(labels.max()) + 1
    if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(
            f"`x` must hold numbers from 0 to {num_classes - 1} (num_classes={num_classes}). "
            f"Received numbers from {labels.min()} to {labels.max()}."
        )
    one_hot = np.zeros((labels.size, num_classes))
    one_hot[np.arange(labels.size), labels.ravel()] = 1
    return one_hot.reshape(*labels.shape, num_classes)


def normalize(x: Any, axis: int = -1, order: int | float = 2) -> np.ndarray:
    """Scales vectors to length 1; zero vectors stay zero.

    Args:
        x: An array.
        axis: The axis along which the vectors lie. Defaults to -1.
        order: The order of the norm, such as 1, 2 or `numpy.inf`. Defaults to 2.

    Returns:
        An array of the shape of `x`.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.utils.normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if not isinstance(x, np.ndarray):
        x = np.asarray(x, dtype=config.floatx())
    length = np.atleast_1d(np.linalg.norm(x, order, axis, keepdims=True))
    length[length == 0] = 1
    return x / length
