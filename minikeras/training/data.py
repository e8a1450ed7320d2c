"""From what users pass to `fit`, `evaluate` and `predict` to batches.

The trainer's side of it is one call and one loop::

    source = make_batches(x, y, sample_weight, batch_size=32, shuffle=True, rng=generator)
    source.num_batches                      # batches of an epoch; None while nobody knows
    first = source.peek()                   # (x, y, sample_weight), to build a model on
    for epoch in range(epochs):
        for x, y, sample_weight in source.epoch():
            ...                             # at least one batch, unless the data have run out

What is promised:

- A batch is always the triple `(x, y, sample_weight)`, with `None` where nothing was given. All
  three keep the structure (list, tuple, dict) that the user gave them; their leaves are
  C-contiguous arrays, floats cast to `dtype` (`floatx()` unless told otherwise), integers and
  booleans as they came. Batches of arrays are read-only: they may be views of the user's data.
- `epoch()` calls `on_epoch_begin` and `on_epoch_end` of a `PyDataset` itself, the latter also when
  the loop is left early. There is nothing to call afterwards.
- With `steps_per_epoch` an epoch has that many batches and the next one goes on where it stopped.
  Where the data end too soon there is Keras's warning, and the epoch ends early. An epoch of a
  generator that has nothing left yields no batch at all: `source.exhausted` is then true, and
  training should stop without recording that epoch.
- `reset()` lets the next epoch begin with the first batch again (a generator goes on all the same):
  for validation with `validation_steps`, which is on the same batches each time.
- `num_batches` of an iterable of unknown length is known after its first whole epoch.

`train_validation_split((x, y, sample_weight), 0.2)` cuts the last fifth off, `one_batch(x, y,
sample_weight, class_weight)` does for `train_on_batch` what a source does for `fit`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import tree
from minikeras.training.arrays import ArrayBatches, Batch, BatchSource, count_samples
from minikeras.training.convert import (
    RowRange,
    as_arrays,
    is_array_like,
    is_on_disk,
    is_sparse,
    to_array,
)
from minikeras.training.streams import (
    IndexedBatches,
    IterableBatches,
    checked_class_weights,
    class_weight_to_sample_weights,
    is_indexed,
)

__all__ = [
    "BatchSource",
    "class_weight_to_sample_weights",
    "make_batches",
    "one_batch",
    "pack_x_y_sample_weight",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]


def make_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict | None = None,
    *,
    rng: np.random.Generator | None = None,
    dtype: Any = None,
    strings: bool = False,
) -> BatchSource:
    """The source of batches for data of any kind.

    Args:
        x: Arrays, lists of numbers, pandas frames or series, SciPy sparse matrices, h5py data sets,
            in any nesting of lists, tuples and dicts; or a `PyDataset`, a generator, a torch
            `DataLoader`, a `tf.data.Dataset` or any other iterable of batches; or a `BatchSource`.
        y: Targets, of the same kinds of arrays. Not with data that come in batches.
        sample_weight: Weights: one array, or one an output in the structure of `y`.
        batch_size: Rows of a batch of arrays. Defaults to 32, or to the size that makes
            `steps_per_epoch` batches.
        steps_per_epoch: Batches of an epoch. Defaults to all data.
        shuffle: True orders rows anew each epoch (`PyDataset`: batches), `'batch'` rows within each
            batch only. Other iterables come in their own order.
        class_weight: Class -> weight of its rows.
        rng: The generator that shuffles. Defaults to one that follows from the global seed.
        dtype: Float type that floats are cast to. Defaults to `floatx()`.
        strings: Whether arrays of text are allowed.

    Raises:
        ValueError: The data are of no known kind, empty, of unequal lengths, hold no numbers, or an
            argument does not fit them. The message says what was received.

    Example:

    >>> import numpy as np
    >>> from minikeras.training.data import make_batches
    >>> source = make_batches(np.arange(5.0), np.arange(5), batch_size=2)
    >>> source.num_batches
    3
    >>> [x.tolist() for x, y, sample_weight in source.epoch()]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    """
    if isinstance(x, BatchSource):
        return x
    limit = config.max_steps_per_epoch()
    if limit and (not steps_per_epoch or limit < steps_per_epoch):
        steps_per_epoch = limit
    if _comes_in_batches(x):
        kind = _kind_of(x)
        if batch_size is not None and not isinstance(batch_size, (int, np.integer)):
            raise ValueError(f"`batch_size` must be an integer or None. Received: {batch_size!r}")
        for name, part, what in (("y", y, "targets"), ("sample_weight", sample_weight, "weights")):
            if part is not None:
                raise ValueError(
                    f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, the "
                    f"{what} should be included as part of the {kind}."
                )
        common: dict[str, Any] = {
            "steps_per_epoch": steps_per_epoch,
            "class_weight": class_weight,
            "dtype": dtype,
            "strings": strings,
        }
        if is_indexed(x):
            return IndexedBatches(x, shuffle=shuffle, rng=rng, **common)
        return IterableBatches(x, **common)
    x, y = as_arrays(x, "x"), as_arrays(y, "y")
    sample_weight = _weights(y, as_arrays(sample_weight, "sample_weight"))
    if class_weight is not None:
        target = y if y is None or tree.is_nested(y) else to_array(y, "y", dtype)
        sample_weight = checked_class_weights(target, sample_weight, class_weight)
    return ArrayBatches(
        x,
        y,
        sample_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        shuffle=shuffle,
        rng=rng,
        dtype=dtype,
        strings=strings,
    )


def one_batch(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: dict | None = None,
    *,
    dtype: Any = None,
    strings: bool = False,
) -> Batch:
    """All rows as one batch, by the same rules: for `train_on_batch` and its like.

    Example:

    >>> from minikeras.training.data import one_batch
    >>> one_batch([[1.0, 2.0]], [3])
    (array([[1., 2.]], dtype=float32), array([3]), None)
    """
    float_type = np.dtype(dtype or config.floatx())
    if class_weight is None and sample_weight is None and type(x) is np.ndarray:
        if x.dtype == float_type and x.shape and x.shape[0] and (y is None):
            return x, None, None
    x, y = as_arrays(x, "x"), as_arrays(y, "y")
    sample_weight = _weights(y, as_arrays(sample_weight, "sample_weight"))
    count_samples(x, y, sample_weight)

    def convert(part: Any, name: str) -> Any:
        return tree.map_structure(
            lambda leaf: None if leaf is None else to_array(leaf, name, float_type, strings), part
        )

    x, y = convert(x, "x"), convert(y, "y")
    sample_weight = convert(sample_weight, "sample_weight")
    if class_weight is not None:
        sample_weight = checked_class_weights(y, sample_weight, class_weight)
    return x, y, sample_weight


def _comes_in_batches(x: Any) -> bool:
    if isinstance(x, (list, tuple, dict, str, bytes)) or x is None or is_array_like(x):
        return False
    return is_indexed(x) or hasattr(x, "__iter__")


def _kind_of(x: Any) -> str:
    return "generator" if hasattr(x, "__next__") else type(x).__name__


def _weights(y: Any, sample_weight: Any) -> Any:
    """Sample weights in the structure of `y`: one array for several outputs serves them all."""
    if sample_weight is None or not tree.is_nested(y):
        return sample_weight
    if tree.is_nested(sample_weight):
        same = type(sample_weight) is type(y) and len(sample_weight) == len(y)
        if not same or (isinstance(y, dict) and set(y) != set(sample_weight)):
            raise ValueError(
                "You should provide one `sample_weight` array per output in `y`, in the same "
                f"structure. Received: y={_outline(y)}, sample_weight={_outline(sample_weight)}"
            )
        return sample_weight
    shape = sample_weight.shape
    if len(shape) != 1 and not (len(shape) == 2 and shape[1] == 1):
        raise ValueError(
            "For a model with multiple outputs, a single `sample_weight` array should only have "
            "one score per sample, shape (num_samples,). For other weights pass one per output. "
            f"Received: sample_weight of shape {tuple(shape)}"
        )
    return tree.map_structure(lambda _: sample_weight, y)


def _outline(structure: Any) -> Any:
    return tree.map_structure(lambda leaf: getattr(leaf, "shape", leaf), structure)


def train_validation_split(arrays: Any, validation_split: float) -> tuple[Any, Any]:
    """Cuts the last rows off, to validate on.

    Args:
        arrays: A structure of arrays of equal length, such as `(x, y, sample_weight)`.
        validation_split: The fraction of the rows to cut off, between 0 and 1. The others are the
            first `floor(n * (1 - validation_split))`.

    Returns:
        The structure with the first rows and the structure with the last ones, as views.

    Raises:
        ValueError: The fraction is out of range, leaves one side empty, or the data are no arrays.

    Example:

    >>> import numpy as np
    >>> from minikeras.training.data import train_validation_split
    >>> train_validation_split(np.arange(5), 0.4)
    (array([0, 1, 2]), array([3, 4]))
    """
    number = isinstance(validation_split, (int, float, np.number))
    if not number or not 0 <= validation_split < 1:
        raise ValueError(
            "`validation_split` must be a number from 0 to 1, the fraction of the data to validate "
            f"on. Received: validation_split={validation_split!r}"
        )
    if any(_comes_in_batches(leaf) for leaf in tree.flatten(arrays)):
        kinds = [type(leaf).__name__ for leaf in tree.flatten(arrays) if _comes_in_batches(leaf)]
        raise ValueError(
            "Argument `validation_split` is only supported for arrays, because other data cannot "
            f"be cut. Pass `validation_data` instead. Received: {', '.join(kinds)}"
        )
    if isinstance(arrays, tuple):
        arrays = tuple(as_arrays(part, name) for part, name in zip(arrays, ("x", "y", "weights")))
        count = count_samples(*(*arrays, None, None)[:3])
    else:
        arrays = as_arrays(arrays)
        count = count_samples(arrays, None, None)
    cut = math.floor(count * (1.0 - validation_split))
    if cut in (0, count):
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a "
            f"validation and training set as specified by `validation_split={validation_split}`. "
            "Either provide more data, or a different value for the `validation_split` argument."
        )

    def rows(start: int, stop: int) -> Any:
        return tree.map_structure(lambda leaf: _rows(leaf, start, stop), arrays)

    return rows(0, cut), rows(cut, count)


def _rows(array: Any, start: int, stop: int) -> Any:
    if array is None:
        return None
    if is_on_disk(array):
        return RowRange(array, start, stop)
    if is_sparse(array):
        return array.tocsr()[start:stop]
    if hasattr(array, "iloc"):
        return array.iloc[start:stop]
    return array[start:stop] if hasattr(array, "__getitem__") else np.asarray(array)[start:stop]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Unpacks what a step is given into `(x, y, sample_weight)`.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. A list counts as a tuple.

    Returns:
        The triple, with `None` for what is not there.

    Raises:
        ValueError: There are more than three parts, or none.

    Example:

    >>> import minikeras
    >>> minikeras.utils.unpack_x_y_sample_weight(("inputs", "targets"))
    ('inputs', 'targets', None)
    """
    if not isinstance(data, (list, tuple)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found: {data}"
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Packs `x`, `y` and `sample_weight` as a step is given them.

    Args:
        x: Inputs.
        y: Targets, or None (default).
        sample_weight: Weights, or None (default).

    Returns:
        `x` itself, or `(x,)` where `x` is a list or tuple; `(x, y)`; or `(x, y, sample_weight)`.

    Example:

    >>> import minikeras
    >>> minikeras.utils.pack_x_y_sample_weight("inputs", "targets")
    ('inputs', 'targets')
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
