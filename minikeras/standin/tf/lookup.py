"""`tf.lookup`: tables from keys to values, as dictionaries."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import constant

__all__ = ["KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable"]


class KeyValueTensorInitializer:
    """What is in a table.

    Args:
        keys: Tensor of keys, text or integers.
        values: Tensor of as many values.
        key_dtype: A dtype, or None for that of the keys.
        value_dtype: A dtype, or None for that of the values.
    """

    def __init__(
        self,
        keys: Any,
        values: Any,
        key_dtype: Any = None,
        value_dtype: Any = None,
        name: Any = None,
    ) -> None:
        self.keys, self.values = constant(keys, key_dtype), constant(values, value_dtype)
        self.value_dtype = self.values.dtype


class StaticHashTable:
    """A table that does not change.

    Args:
        initializer: What is in it.
        default_value: The value of keys that are not in it.

    Example:

    >>> from minikeras.standin.tf.lookup import KeyValueTensorInitializer, StaticHashTable
    >>> table = StaticHashTable(KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
    >>> table.lookup(["b", "c"]).numpy().tolist()
    [2, -1]
    """

    def __init__(
        self,
        initializer: KeyValueTensorInitializer,
        default_value: Any,
        name: Any = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        self._table = dict(
            zip(initializer.keys.array.tolist(), initializer.values.array.tolist(), strict=True)
        )
        self._default, self._dtype = default_value, initializer.value_dtype

    def lookup(self, keys: Any, name: Any = None) -> Any:
        """The values of keys."""
        keys = constant(keys).array
        found = [self._table.get(key, self._missing(key)) for key in keys.ravel().tolist()]
        if self._dtype.kind == "O":
            return constant(np.array([*found, None], object)[:-1].reshape(keys.shape))
        return Tensor(np.array(found, self._dtype).reshape(keys.shape))

    __getitem__ = lookup

    def _missing(self, key: Any) -> Any:
        return array_of(self._default)[()]

    def size(self, name: Any = None) -> Any:
        """How many keys it has."""
        return Tensor(np.asarray(len(self._table), "int64"))


class StaticVocabularyTable(StaticHashTable):
    """A table from keys to numbers; other keys share so many numbers after these.

    Args:
        initializer: What is in it; the values are numbers from 0.
        num_oov_buckets: How many numbers there are for other keys.
    """

    def __init__(
        self,
        initializer: KeyValueTensorInitializer,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: Any = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        super().__init__(initializer, None)
        self._buckets, self._dtype = int(num_oov_buckets), np.dtype(as_dtype("int64").name)

    def _missing(self, key: Any) -> Any:
        from zlib import crc32

        # TensorFlow has another hash: with more than one bucket the numbers differ from its own.
        text = key if isinstance(key, bytes) else str(key).encode()
        return len(self._table) + (crc32(text) % self._buckets if self._buckets else -1)

    def size(self, name: Any = None) -> Any:
        """How many numbers there are."""
        return Tensor(np.asarray(len(self._table) + self._buckets, "int64"))
