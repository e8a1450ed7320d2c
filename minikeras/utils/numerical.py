"""One-hot labels, unit vectors, padded sequences, one seed for all chance, and settings."""

import difflib
import json
import random
from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine.spelling import understands_old
from minikeras.engine.symbolic import is_tensor


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


def normalize(x: Any, axis: int = -1, order: int | float = 2) -> Any:
    """Scales vectors to length 1; zero vectors stay zero.

    Args:
        x: An array, or a tensor, whose gradients flow.
        axis: The axis along which the vectors lie. Defaults to -1.
        order: The order of the norm, such as 1, 2 or `numpy.inf`. Defaults to 2.

    Returns:
        An array (of a tensor, a tensor) of the shape of `x`.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.utils.normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if not isinstance(x, np.ndarray):
        if is_tensor(x):
            from minikeras import ops

            return ops.normalize(x, axis, order)
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


class Config:
    """Named values, read and set as attributes or as items, that can be frozen.

    Args:
        **kwargs: The first values.

    Raises:
        ValueError: A frozen config is changed.
        AttributeError: An unknown name is read.

    Example:

    >>> import minikeras
    >>> config = minikeras.utils.Config(learning_rate=0.1)
    >>> config.seed = 123
    >>> config["seed"], config.learning_rate
    (123, 0.1)
    >>> config.to_json()
    '{"learning_rate": 0.1, "seed": 123}'
    """

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether changes are refused."""
        return self._frozen

    def freeze(self) -> None:
        """Refuses changes from now on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allows changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changeable(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("The config is frozen. Call `unfreeze()` before changing it.")
        return self._config

    def as_dict(self) -> dict[str, Any]:
        """Returns the values as a new dictionary."""
        return dict(self._config)

    def to_json(self) -> str:
        """Returns the values as JSON."""
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        """Returns the names."""
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        """Returns the values."""
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        """Returns pairs of name and value."""
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """Returns the value of a name, or `value` if there is none."""
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Removes a name and returns its value, as `dict.pop` does."""
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several values, as `dict.update` does."""
        self._changeable().update(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in dir(type(self)):
            raise AttributeError(f"{name!r} is a part of Config itself. Use config[{name!r}] = ...")
        self._changeable()[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_config" not in self.__dict__:
            raise AttributeError(name)
        if name in self._config:
            return self._config[name]
        near = difflib.get_close_matches(name, self._config, n=1, cutoff=0.7)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"The config has no value named {name!r}.{hint}")

    def __setitem__(self, key: str, item: Any) -> None:
        self._changeable()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changeable()[key]

    def __contains__(self, item: object) -> bool:
        return item in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
