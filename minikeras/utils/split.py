"""Splitting a data set in two."""

import random
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from minikeras.utils.folders import Dataset


def split_dataset(
    dataset: Any,
    left_size: int | float | None = None,
    right_size: int | float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Splits a data set into a left and a right one.

    Args:
        dataset: An array, a list or tuple of arrays of equal length, or a data set such as
            `image_dataset_from_directory` returns.
        left_size: The size of the left part: a number of samples, or a part between 0 and 1.
            Defaults to what the right one leaves.
        right_size: The same for the right part.
        shuffle: Whether to shuffle first. Defaults to `False`.
        seed: The seed of the shuffle.
        preferred_backend: `"numpy"` or `None`, the one backend there is.

    Returns:
        Two data sets of single samples (`.batch(32)` batches them), or of batches if `dataset`
        has batches.

    Raises:
        TypeError: `dataset` is none of these, or a size is no number.
        ValueError: A size is out of range, both are missing, or the data are empty or of unequal
            lengths.

    Example:

    >>> import minikeras, numpy as np
    >>> left, right = minikeras.utils.split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), list(right)
    (8, [np.int64(8), np.int64(9)])
    """
    if preferred_backend not in (None, "numpy"):
        raise ValueError(
            "`preferred_backend` must be 'numpy' or None: there is no other backend. "
            f"Received: preferred_backend={preferred_backend!r}"
        )
    samples, batch_size = _samples(dataset)
    if not samples:
        raise ValueError("`dataset` is empty: there is nothing to split.")
    left, right = _sizes(left_size, right_size, len(samples))
    if shuffle:
        # As Keras: the order that random.seed(seed); random.shuffle(...) gives.
        random.Random(random.randint(0, int(1e6)) if seed is None else seed).shuffle(samples)
    return _restored(samples[:left], batch_size), _restored(samples[-right:], batch_size)


def _samples(dataset: Any) -> tuple[list, int | None]:
    if isinstance(dataset, np.ndarray):
        return list(dataset), None
    if isinstance(dataset, (list, tuple)):
        arrays = [np.asarray(array) for array in dataset]
        if not all(isinstance(array, np.ndarray) for array in dataset):
            raise ValueError(
                f"`dataset` must be a {type(dataset).__name__} of arrays. Received: "
                f"{next(type(array) for array in dataset if not isinstance(array, np.ndarray))}"
            )
        if len({len(array) for array in arrays}) > 1:
            raise ValueError(
                "The arrays in `dataset` must have one length. "
                f"Received lengths {[len(array) for array in arrays]}"
            )
        return list(zip(*arrays)), None
    if isinstance(dataset, Dataset):
        batch_size = dataset._batch_size
        return list(dataset if batch_size is None else dataset.unbatch()), batch_size
    raise TypeError(
        "`dataset` must be an array, a list or tuple of arrays, or a data set such as "
        f"`image_dataset_from_directory` returns. Received: {type(dataset)}"
    )


def _sizes(left_size: Any, right_size: Any, total: int) -> tuple[int, int]:
    if left_size is None and right_size is None:
        raise ValueError("Pass `left_size` or `right_size`: both are None.")
    sizes: list[int | None] = []
    for name, size in (("left_size", left_size), ("right_size", right_size)):
        if size is None:
            sizes.append(None)
            continue
        if isinstance(size, bool) or not isinstance(size, Real):
            raise TypeError(f"`{name}` must be an int, a float or None. Received: {type(size)}")
        whole, number = isinstance(size, Integral), float(size)
        if not 0 < number < (total if whole else 1):
            raise ValueError(
                f"`{name}` must be a whole number between 0 and {total}, or a float between 0 and "
                f"1. Received: {name}={size}"
            )
        sizes.append(int(number) if whole else round(number * total))
    if (
        isinstance(left_size, float)
        and isinstance(right_size, float)
        and left_size + right_size > 1
    ):
        raise ValueError(
            "`left_size` and `right_size` must not add up to more than 1. "
            f"Received: left_size={left_size}, right_size={right_size}"
        )
    left = total - sizes[1] if sizes[0] is None and sizes[1] is not None else sizes[0]
    right = total - sizes[0] if sizes[1] is None and sizes[0] is not None else sizes[1]
    assert left is not None and right is not None
    if not (left and right) or left + right > total:
        raise ValueError(
            f"A data set of {total} samples cannot be split into {left} and {right}. "
            f"Received: left_size={left_size}, right_size={right_size}"
        )
    return left, right


def _restored(samples: Sequence, batch_size: int | None) -> Dataset:
    part = Dataset(lambda: iter(samples), len(samples))
    return part if batch_size is None else part.batch(batch_size)
