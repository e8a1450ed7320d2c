"""Sequences of unequal length."""

from collections.abc import Sequence
from typing import Any

import numpy as np


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
