"""Windows over a time series."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.utils.folders import Dataset, as_array


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Cuts a series into windows of equal length.

    Window `i` starts at `p = start_index + i * sequence_stride` and holds the steps
    `p, p + sampling_rate, ...`; its target is `targets[p]`.

    Args:
        data: The series, an array whose first axis is time.
        targets: What belongs to a window that starts at each step, or `None`. To predict
            `data[t]` from the `n` steps before it, pass `data[n:]`.
        sequence_length: The number of steps in a window.
        sequence_stride: Steps from the start of a window to that of the next. Defaults to 1.
        sampling_rate: Steps of `data` between the steps of a window. Defaults to 1.
        batch_size: Windows a batch, or `None` for single windows. Defaults to 128.
        shuffle: Whether the windows come in an order drawn by chance, anew for each walk.
        seed: The seed of the order.
        start_index: Steps before this one are not used.
        end_index: This step and those after it are not used.
        format: `"tf"` or `"grain"`; both give NumPy arrays.

    Returns:
        An iterable of arrays of shape `(batch, sequence_length, ...)`, or with `targets` of tuples
        `(windows, targets)`. It can be passed to `fit`.

    Raises:
        ValueError: An argument is out of range.

    Example:

    >>> import minikeras, numpy as np
    >>> series = np.arange(6)
    >>> windows = minikeras.utils.timeseries_dataset_from_array(series, series[3:], 3)
    >>> for x, y in windows:
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]] [3, 4, 5]
    """
    size = len(data)
    if start_index is not None and not 0 <= start_index < size:
        raise ValueError(
            "`start_index` must be at least 0 and below the length of the data. "
            f"Received: start_index={start_index}, for data of length {size}"
        )
    first = start_index or 0
    if end_index is not None and not first < end_index < size:
        raise ValueError(
            "`end_index` must be above `start_index` and below the length of the data. "
            f"Received: end_index={end_index}, start_index={start_index}, "
            f"for data of length {size}"
        )
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < size:
            raise ValueError(
                f"`{name}` must be above 0 and below the length of the data. "
                f"Received: {name}={value}, for data of length {size}"
            )
    if sequence_length < 1:
        raise ValueError(
            f"`sequence_length` must be at least 1. Received: sequence_length={sequence_length}"
        )
    if format not in ("tf", "grain"):
        raise ValueError(f"`format` should be either 'tf' or 'grain'. Received: format={format!r}")

    used = slice(first, size if end_index is None else end_index)
    series = as_array(data)[used]
    count = len(series) - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = as_array(targets)[used]
        count = min(count, len(targets))
    starts = np.arange(0, max(count, 0), sequence_stride)
    steps = np.arange(sequence_length) * sampling_rate
    if shuffle:
        rng = np.random.RandomState(np.random.randint(1_000_000) if seed is None else seed)

    def pick(chosen: Any) -> Any:
        windows = series[np.add.outer(chosen, steps)]
        return windows if targets is None else (windows, targets[chosen])

    def walk() -> Iterator:
        order = starts.copy()
        if shuffle:
            rng.shuffle(order)
        if batch_size is None:
            return map(pick, order)
        return (pick(order[i : i + batch_size]) for i in range(0, len(order), batch_size))

    length = len(starts) if batch_size is None else -(-len(starts) // batch_size)
    return Dataset(walk, length)
