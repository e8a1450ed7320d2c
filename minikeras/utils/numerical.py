"""One-hot labels, unit vectors, padded sequences, and one seed for every source of chance.

Splitting a data set in two.
"""

import random
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine.spelling import understands_old
from minikeras.utils.folders import Dataset


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


def set_random_seed(seed: int) -> None:
    """Seeds Python's `random`, NumPy and every random operation of minikeras.

    Two runs that start with the same seed are equal to the last bit.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: The seed is no whole number.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.utils.set_random_seed(812)
    >>> first = np.random.rand()
    >>> minikeras.utils.set_random_seed(812)
    >>> bool(np.random.rand() == first)
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r} ({type(seed)})")
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be at least 0 and below 2**32. Received: seed={seed}")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)

    from minikeras.engine import rng as engine_rng

    engine_rng.set_global_seed(seed)


def pad_sequences(
    sequences: Sequence,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Brings sequences to one length.

    Args:
        sequences: A list of sequences.
        maxlen: The length. Defaults to that of the longest.
        dtype: The dtype of the result; `object` for strings of varying length.
            Defaults to `"int32"`.
        padding: `"pre"` or `"post"`: which end of short sequences is filled.
            Defaults to `"pre"`.
        truncating: `"pre"` or `"post"`: which end of long sequences is cut off.
            Defaults to `"pre"`.
        value: What to fill with. Defaults to 0.

    Returns:
        An array of shape `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: `sequences` is no list of sequences, their items differ in shape, or an
            argument has an unknown value.

    Example:

    >>> import minikeras
    >>> minikeras.utils.pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    for name, end in (("padding", padding), ("truncating", truncating)):
        if end not in ("pre", "post"):
            raise ValueError(f"`{name}` must be 'pre' or 'post'. Received: {name}={end!r}")
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` must be a list of sequences. Received: {sequences!r}")
    for item in sequences:
        if not hasattr(item, "__len__"):
            raise ValueError(f"`sequences` must be a list of sequences. It holds {item!r}")
    is_text = np.issubdtype(dtype, np.str_) or np.issubdtype(dtype, np.bytes_)
    if isinstance(value, str) and np.dtype(dtype) != object and not is_text:
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}, {value!r}. Use"
            " dtype=object."
        )
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    item_shape = next((np.asarray(item).shape[1:] for item in sequences if len(item)), ())
    padded = np.full((len(sequences), maxlen, *item_shape), value, dtype=dtype)
    for index, (row, item) in enumerate(zip(padded, sequences)):
        kept = item[max(len(item) - maxlen, 0) :] if truncating == "pre" else item[:maxlen]
        if not len(kept):
            continue
        kept = np.asarray(kept, dtype=dtype)
        if kept.shape[1:] != item_shape:
            raise ValueError(
                f"The items of sequence {index} have shape {kept.shape[1:]}, those of the "
                f"sequences before it {item_shape}. All must have one shape."
            )
        if padding == "pre":
            row[-len(kept) :] = kept
        else:
            row[: len(kept)] = kept
    return padded


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
