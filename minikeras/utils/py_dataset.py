"""The base class of data sets that make their batches one by one."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

_DEFAULTS = {"workers": 1, "use_multiprocessing": False, "max_queue_size": 10}


class _Setting:
    """A setting of the constructor, with its default where a subclass did not call that."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, dataset: Any, owner: type | None = None) -> Any:
        if dataset is None:
            return self
        if "_" + self.name not in dataset.__dict__:
            warnings.warn(
                "Your `PyDataset` class should call `super().__init__(**kwargs)` in its "
                "constructor. `**kwargs` can include `workers`, `use_multiprocessing`, "
                "`max_queue_size`. Do not pass these arguments to `fit()`, as they will be "
                "ignored.",
                stacklevel=2,
            )
            for name, default in _DEFAULTS.items():
                dataset.__dict__.setdefault("_" + name, default)
        return dataset.__dict__["_" + self.name]

    def __set__(self, dataset: Any, value: Any) -> None:
        dataset.__dict__["_" + self.name] = value


class PyDataset:
    """Base class of a data set that makes each batch when it is asked for it by number.

    A subclass provides `__getitem__(index)`, which returns the batch `(inputs, targets)` or
    `(inputs, targets, sample_weights)`, and `__len__()` (or the property `num_batches`; `None`
    there means that the data never end). `on_epoch_begin` and `on_epoch_end` may be overridden.
    Also known as `Sequence`.

    Args:
        workers: How many threads or processes make batches ahead. Defaults to 1: none, batches are
            made as they are needed.
        use_multiprocessing: Whether workers are processes. Defaults to False: threads. NumPy lets
            threads run side by side in most of its work; processes help where batches are made in
            pure Python. The data set must then be picklable, or processes be forked.
        max_queue_size: How many batches are made ahead at most. Defaults to 10.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> class Rows(minikeras.utils.PyDataset):
    ...     def __init__(self, x, y, batch_size, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.x, self.y, self.batch_size = x, y, batch_size
    ...     def __len__(self):
    ...         return -(-len(self.x) // self.batch_size)
    ...     def __getitem__(self, index):
    ...         rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
    ...         return self.x[rows], self.y[rows]
    >>> rows = Rows(np.arange(5), np.arange(5) ** 2, batch_size=2)
    >>> rows.num_batches
    3
    >>> rows[2]
    (array([4]), array([16]))
    """

    workers = _Setting()
    use_multiprocessing = _Setting()
    max_queue_size = _Setting()

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Returns batch number `index`: a tuple `(inputs, targets)`, or one with weights too."""
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__(index)`.")

    def __iter__(self) -> Iterator[Any]:
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """How many batches an epoch has; `None` where the data never end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            "You need to implement the `num_batches` property:\n\n"
            "@property\ndef num_batches(self):\n  return ..."
        )

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of an epoch."""


Sequence = PyDataset
