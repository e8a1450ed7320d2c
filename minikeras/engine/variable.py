"""Variables: named arrays that belong to a layer, an optimizer or a metric."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import arena, dtypes
from minikeras.engine.context import state
from minikeras.engine.registry import auto_name, current_path
from minikeras.engine.symbolic import Operators, Tensor, record_variable

# Counts changes of `trainable` anywhere: plans that depend on it compare.
_changes = [0]
_making = threading.RLock()


class AutocastScope:
    """Within it, floating variables are read in another dtype.

    Args:
        dtype: Name of a floating dtype, or None: variables are read as they are.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = None if dtype is None else dtypes.standardize_dtype(dtype)
        if self.dtype is not None and not dtypes.is_float(self.dtype):
            raise ValueError(
                "`AutocastScope` can only be used with a floating-point dtype, such as 'float16'."
                f" Received: dtype={dtype!r}"
            )
        self._outer: list = []

    def __enter__(self) -> AutocastScope:
        self._outer.append(state.autocast)
        state.autocast = self.dtype
        return self

    def __exit__(self, *exception: Any) -> None:
        state.autocast = self._outer.pop()


def trainable_version() -> int:
    """A number that grows whenever a variable or layer is frozen or thawed."""
    return _changes[0]


def trainable_changed() -> None:
    """Say that something was frozen or thawed."""
    _changes[0] += 1


class Variable(Operators):
    """A named array that training may change.

    Args:
        initializer: Array, scalar or callable `(shape, dtype) -> array`, or the name of an
            initializer.
        shape: Tuple. Needed with a callable.
        dtype: Name of the dtype. Defaults to that of the array given, else `floatx()`.
        trainable: Boolean, default True. Whether optimizers update it.
        autocast: Boolean, default True. Whether a layer casts it to its compute dtype.
        aggregation: String, default `"none"`. Kept; how replicas combine.
        synchronization: String, default `"auto"`. Kept.
        name: String. Defaults to an automatic name.

    Raises:
        ValueError: for a callable without a shape.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> v = minikeras.Variable(np.zeros((2, 3)), name="v")
    >>> v.assign(np.ones((2, 3))).shape
    (2, 3)
    >>> float(v.numpy().sum())
    6.0
    """

    __slots__ = (
        "array",
        "name",
        "path",
        "_dtype",
        "_trainable",
        "autocast",
        "aggregation",
        "synchronization",
        "_regularizer",
        "_constraint",
        "_overwrite_with_gradient",
        "owner",
        "arena",
        "_pending",
        "__weakref__",
        "__dict__",
    )

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str = "auto",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments for Variable: {sorted(kwargs)}")
        self.name = name if name is not None else auto_name(type(self).__name__)
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. Received:"
                f" name={name!r}"
            )
        if aggregation not in (None, "none", "mean", "sum", "only_first_replica"):
            raise ValueError(
                "Argument `aggregation` must be one of None, 'none', 'mean', 'sum',"
                f" 'only_first_replica'. Received: aggregation={aggregation!r}"
            )
        scope = current_path()
        self.path = f"{scope}/{self.name}" if scope else self.name
        self._trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = "none" if aggregation is None else aggregation
        self.synchronization = synchronization
        self._regularizer: Any = None
        self._constraint: Any = None
        self._overwrite_with_gradient = False
        self.arena: Any = None
        self._pending: Any = None
        if isinstance(initializer, str):
            from minikeras.engine import registry

            initializer = registry.initializers.get(initializer)
        if callable(initializer) and not isinstance(initializer, (Tensor, Variable)):
            if shape is None:
                raise ValueError(
                    "When creating a Variable from an initializer, the `shape` argument should be"
                    " specified. Received:"
                    f" initializer={initializer}, shape=None"
                )
            self._dtype = dtypes.standardize_dtype(dtype)
            shape = standardize_shape(shape)
            if arena.may_wait(initializer, shape, self._dtype):
                self._pending = (initializer, shape)
                return
            value = initializer(shape, dtype=self._dtype)
        else:
            value = initializer
            if dtype is None:
                found = getattr(initializer, "dtype", None)
                dtype = found if found is not None else np.asarray(initializer).dtype
                if found is None and np.dtype(dtype).kind == "f":
                    dtype = None
                elif found is None and np.dtype(dtype).kind == "i":
                    dtype = "int32"
            self._dtype = dtypes.standardize_dtype(dtype)
        self._store(value, shape)

    def _store(self, value: Any, shape: Any) -> None:
        dtype = dtypes.numpy_dtype(self._dtype)
        self.array = dtypes.plain_array(np.array(plain(value), dtype=dtype, order="C"))
        if shape is not None and self.array.shape != tuple(shape):
            self.array = np.array(np.broadcast_to(self.array, tuple(shape)), order="C")

    def __getattr__(self, name: str) -> Any:
        """The array of a variable that waits for its value is made when somebody asks for it."""
        if name != "array":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with _making:
            if self._pending is not None:
                initializer, shape = self._pending
                self._store(initializer(shape, dtype=self._dtype), shape)
                self._pending = None
        return self.array

    def take(self, array: np.ndarray) -> None:
        """Set the value from an array that nobody else keeps; it may not be copied."""
        if self._pending is not None and array.shape == self.shape:
            if array.dtype == dtypes.numpy_dtype(self._dtype) and array.flags.carray:
                self.array, self._pending = array, None
                return
        self.assign(array)

    # What it is

    @property
    def value(self) -> Tensor:
        """The value as a tensor; a recording that is open follows it."""
        value = record_variable(self)
        if state.autocast is not None and self._dtype != (name := self.dtype):
            from minikeras.engine.operation import cast_tensor

            return cast_tensor(value, dtypes.to_numpy_dtype(name))
        return value

    @property
    def dtype(self) -> str:
        """The name of the dtype; inside a layer of mixed precision, the one it is read in."""
        if state.autocast is not None and self.autocast and dtypes.is_float(self._dtype):
            return state.autocast
        return self._dtype

    @property
    def shape(self) -> tuple:
        """The shape."""
        return self.array.shape if self._pending is None else self._pending[1]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def overwrite_with_gradient(self) -> bool:
        """Whether the gradient replaces the value."""
        return self._overwrite_with_gradient

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"`overwrite_with_gradient` must be a boolean. Received: {value!r}")
        self._overwrite_with_gradient = value

    @property
    def trainable(self) -> bool:
        """Whether optimizers update it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        if value != self._trainable:
            self._trainable = value
            trainable_changed()

    @property
    def regularizer(self) -> Any:
        """Penalty on the value, or None."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                f"Invalid value for attribute `regularizer`: it must be callable. Received:"
                f" {value!r}"
            )
        self._regularizer = value

    @property
    def constraint(self) -> Any:
        """Projection of the value after an update, or None."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                f"Invalid value for attribute `constraint`: it must be callable. Received:"
                f" {value!r}"
            )
        self._constraint = value

    def __bool__(self) -> bool:
        raise TypeError("A Keras Variable cannot be used as a boolean. Compare its `.numpy()`.")

    def __pos__(self) -> Tensor:
        return self.value

    # Change

    def assign(self, value: Any) -> Variable:
        """Set the value, in place; returns the variable.

        Raises:
            ValueError: if the shape differs.
        """
        value = plain(value)
        shape = np.shape(value)
        if shape != self.shape:
            raise ValueError(
                "The shape of a variable cannot change, that of a value must match. Variable"
                f" {self.path!r} has shape {self.shape}. Received a value of shape {shape}"
            )
        if not state.inferring:
            if self._pending is not None:
                self._store(value, None)
                self._pending = None
            else:
                self.array[...] = value
        return self

    def assign_add(self, value: Any) -> Variable:
        """Add to the value, in place; returns the variable."""
        if state.inferring:
            return self
        self.array += np.asarray(plain(value), dtype=self.array.dtype)
        return self

    def assign_sub(self, value: Any) -> Variable:
        """Subtract from the value, in place; returns the variable."""
        if state.inferring:
            return self
        self.array -= np.asarray(plain(value), dtype=self.array.dtype)
        return self

    def numpy(self) -> np.ndarray:
        """A copy of the value as a NumPy array; of a scalar a NumPy number."""
        return self.array.copy()[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy is not False else array

    def __deepcopy__(self, memo: dict) -> Variable:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        for slot in Variable.__slots__:
            if slot not in ("__weakref__", "__dict__") and hasattr(self, slot):
                setattr(twin, slot, getattr(self, slot))
        twin.array, twin.arena = self.array.copy(), None
        twin.__dict__.update(self.__dict__)
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        state = {
            slot: getattr(self, slot)
            for slot in Variable.__slots__
            if slot not in ("__weakref__", "__dict__", "arena") and hasattr(self, slot)
        }
        state["array"], state["arena"] = self.array.copy(), None
        return (_restore_variable, (type(self), state, dict(self.__dict__)))

    def __repr__(self) -> str:
        return (
            f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype},"
            f" value={self.array}>"
        )


def _restore_variable(kind: type, state: dict, attributes: dict) -> Variable:
    variable: Any = object.__new__(kind)
    for slot, value in state.items():
        setattr(variable, slot, value)
    variable.__dict__.update(attributes)
    return variable


def plain(value: Any) -> Any:
    """`value` as something NumPy takes: tensors and variables become their arrays."""
    return value.array if isinstance(value, (Tensor, Variable)) else value


def standardize_shape(shape: Any) -> tuple:
    """`shape` as a tuple of non-negative ints (None allowed).

    Raises:
        ValueError: for negative or non-integer sizes.
    """
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if shape is None:
        raise ValueError(
            "Undefined shapes are not supported. Argument `shape` must be a tuple. Received: None"
        )
    result: list = []
    for size in tuple(shape):
        if size is None:
            result.append(None)
            continue
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise ValueError(
                f"Cannot convert '{shape}' to a shape. Found invalid dimension '{size}'. Sizes must"
                " be integers."
            )
        size = size.__index__()
        if size < 0:
            raise ValueError(
                f"Cannot convert '{shape}' to a shape. Negative dimensions are not allowed."
            )
        result.append(size)
    return tuple(result)


Initializer = Callable[..., Any]
