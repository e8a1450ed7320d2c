"""Tensors: `KerasTensor` stands for a value to come, `Tensor` holds one.

Operators on either are `minikeras.ops` functions, so they follow Keras's dtype rules, build graphs
from `KerasTensor`s and are recorded where a recording is open.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.context import state
from minikeras.engine.registry import auto_name

# Filled by `minikeras.ops`: operator name -> function.
operators: dict[str, Callable] = {}
# Filled by `minikeras.ops`: NumPy ufunc -> function.
ufuncs: dict[Any, Callable] = {}


def operator(name: str) -> Callable:
    """The `ops` function behind an operator."""
    if not operators:
        importlib.import_module("minikeras.ops")
    return operators[name]


def _unary(name: str) -> Any:
    def method(self: Any) -> Any:
        return operator(name)(self)

    return method


def _binary(name: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return operator(name)(self, other)

    return method


def _reflected(name: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return operator(name)(other, self)

    return method


class Operators:
    """Python's operators, as `ops` functions."""

    __slots__ = ()
    __array_priority__ = 100

    for _dunder, _name in {
        "add": "add",
        "sub": "subtract",
        "mul": "multiply",
        "truediv": "true_divide",
        "floordiv": "floor_divide",
        "mod": "mod",
        "pow": "power",
        "matmul": "matmul",
        "and": "logical_and",
        "or": "logical_or",
        "xor": "logical_xor",
    }.items():
        locals()[f"__{_dunder}__"] = _binary(_name)
        locals()[f"__r{_dunder}__"] = _reflected(_name)
    for _dunder, _name in {
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
        "eq": "equal",
        "ne": "not_equal",
    }.items():
        locals()[f"__{_dunder}__"] = _binary(_name)
    for _dunder, _name in {"neg": "negative", "abs": "abs", "invert": "logical_not"}.items():
        locals()[f"__{_dunder}__"] = _unary(_name)
    del _dunder, _name

    __hash__ = object.__hash__

    def __getitem__(self, key: Any) -> Any:
        return operator("getitem")(self, key)

    def __round__(self, ndigits: int | None = None) -> Any:
        return operator("round")(self, ndigits or 0)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        function = ufuncs.get(ufunc) if method == "__call__" and not kwargs else None
        if function is not None and out is None:
            return function(*inputs)
        plain = [x.__array__() if isinstance(x, Operators) else x for x in inputs]
        if out is not None:
            kwargs["out"] = out
        return getattr(ufunc, method)(*plain, **kwargs)

    # What tensors and variables share, read from `array`

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("A scalar has no length.")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.shape:
            raise TypeError("A scalar cannot be iterated over.")
        if self.shape[0] is None:
            raise TypeError("Cannot iterate over an axis of unknown size.")
        return (self[index] for index in range(self.shape[0]))

    def __bool__(self) -> bool:
        return bool(self._concrete())

    def __int__(self) -> int:
        return int(self._number())

    def __float__(self) -> float:
        return float(self._number())

    def _number(self) -> Any:
        array = self._concrete()
        if array.size != 1:
            raise TypeError(
                "Only scalar arrays can be converted to Python scalars. Received: shape="
                f"{array.shape}"
            )
        return array.item()  # of any shape, if it is one number

    def __complex__(self) -> complex:
        return complex(self._concrete())

    def __index__(self) -> int:
        return self._concrete().__index__()

    def __format__(self, spec: str) -> str:
        array = self._concrete() if spec else None
        if array is not None and array.ndim == 0:
            return format(array.item(), spec)
        return format(str(self), spec)

    def _concrete(self) -> np.ndarray:
        return self.array

    shape: Any
    array: Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise NotImplementedError


class Tensor(Operators):
    """A value: a NumPy array with Keras's operators.

    Attributes:
        array: The NumPy array. Do not write to it.
        recording: The recording that follows it, or None.
        slot: Its number in that recording.
    """

    # Scripts may put marks of their own on tensors: hence the dict, which is made when one does.
    __slots__ = ("array", "recording", "slot", "__dict__", "__weakref__")
    _keras_mask: Any = None

    def __init__(self, array: Any, recording: Any = None, slot: int = -1) -> None:
        self.array = array if isinstance(array, np.ndarray) else np.asarray(array)
        self.recording = recording
        self.slot = slot

    @property
    def shape(self) -> tuple:
        """The shape."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """The dtype; a name where NumPy has no such type (`"bfloat16"`)."""
        dtype = self.array.dtype
        return dtype if dtype.metadata is None else dtypes.label(dtype) or dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of values."""
        return self.array.size

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return operator("transpose")(self)

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array, detached from any recording."""
        array = dtypes.plain_array(self.array)
        return array.copy() if array.ndim else array[()]

    def item(self) -> Any:
        """The only value, as a Python scalar."""
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists."""
        return self.array.tolist()

    def astype(self, dtype: Any) -> Any:
        """The value in another dtype."""
        return operator("cast")(self, dtype)

    def reshape(self, *shape: Any) -> Any:
        """The value in another shape."""
        return operator("reshape")(self, shape[0] if len(shape) == 1 else shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.recording is not None and self.recording.open and not self.recording.lets_go():
            raise RuntimeError(
                "Plain NumPy was used on a tensor whose gradient is being recorded, which would"
                " lose the gradient. Use the function of the same name in `minikeras.ops`, or"
                " `tensor.numpy()` where no gradient is wanted."
            )
        array = dtypes.plain_array(self.array)
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        shared = array is self.array or array.base is self.array
        return array.copy() if copy or shared and copy is None else array

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        def unwrap(value: Any) -> Any:
            if isinstance(value, Operators):
                return value.__array__()
            if isinstance(value, (list, tuple)):
                return type(value)(unwrap(item) for item in value)
            return value

        return function(*unwrap(args), **{key: unwrap(value) for key, value in kwargs.items()})

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            "Tensors cannot be changed in place. Use `minikeras.ops.slice_update` or"
            " `minikeras.ops.scatter_update`, or take `tensor.numpy()`."
        )

    def __format__(self, spec: str) -> str:
        # A number reads as one in a text.
        return str(self.numpy()) if self.ndim or not spec else format(self.item(), spec)

    def __repr__(self) -> str:
        name = dtypes.standardize_dtype(self.dtype)
        return f"<Tensor shape={self.shape}, dtype={name}, numpy={self.array}>"

    def __str__(self) -> str:
        return repr(self)

    def __deepcopy__(self, memo: dict) -> Tensor:
        return Tensor(self.array.copy())

    def __copy__(self) -> Tensor:
        return Tensor(self.array)

    def __reduce__(self) -> Any:
        return (Tensor, (self.array,))


def record_variable(variable: Any) -> Tensor:
    """The value of a variable as a tensor; an open recording follows it."""
    recording = state.recording
    if recording is None or not variable.trainable:
        return Tensor(_named_array(variable))
    slot = recording.slot_of_variable(variable)
    return Tensor(_named_array(variable), recording, slot)


def _named_array(variable: Any) -> np.ndarray:
    name = variable._dtype
    return dtypes.labelled(variable.array, name) if name in dtypes.NARROW else variable.array


class SymbolicError(TypeError, ValueError):
    """Something asked a symbolic tensor for its value."""


def _compared(name: str, one: Any, other: Any, same: bool) -> Any:
    result = operator(name)(one, other)
    if isinstance(result, KerasTensor):
        result._same = same
    return result


class KerasTensor(Operators):
    """A symbolic tensor: a shape and a dtype, and how it came about.

    Args:
        shape: Tuple of integers and None.
        dtype: String. Defaults to `"float32"`.
        sparse: Boolean, default False. Sparse tensors are not supported; False only.
        ragged: Boolean, default False. Ragged tensors are not supported; False only.
        record_history: Boolean, default True. Kept for Keras's signature.
        name: String. Defaults to an automatic name.
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        from minikeras.engine.variable import standardize_shape

        if sparse or ragged:
            raise ValueError(
                "Sparse and ragged tensors are not supported. Use dense tensors with a mask or"
                " padding."
            )
        self._shape = standardize_shape(shape)
        self._dtype = dtypes.standardize_dtype(dtype)
        self._sparse = False
        self._ragged = False
        self.name = name or auto_name(type(self).__name__)
        self.record_history = record_history
        self._keras_mask: Any = None
        self._keras_history: Any = None

    @property
    def shape(self) -> tuple:
        """The shape; None where a size is not known yet."""
        return self._shape

    @shape.setter
    def shape(self, value: Any) -> None:
        raise AttributeError("The `shape` attribute of KerasTensor is immutable.")

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self._dtype

    @dtype.setter
    def dtype(self, value: Any) -> None:
        raise AttributeError("The `dtype` attribute of KerasTensor is immutable.")

    @property
    def sparse(self) -> bool:
        """False."""
        return False

    @property
    def ragged(self) -> bool:
        """False."""
        return False

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return operator("transpose")(self)

    def reshape(self, *shape: Any) -> Any:
        """The tensor in another shape."""
        return operator("reshape")(self, shape[0] if len(shape) == 1 else shape)

    def squeeze(self, axis: Any = None) -> Any:
        """The tensor without axes of size 1."""
        return operator("squeeze")(self, axis)

    def _no_value(self, *_: Any, **__: Any) -> Any:
        raise SymbolicError(
            "A KerasTensor is symbolic: it doesn't have any actual numerical value. While a model"
            " is built it can be passed to layers and `minikeras.ops` functions, not to NumPy or"
            " Python functions. Wrap such code in a Layer, or in `minikeras.layers.Lambda` with"
            " `ops` inside."
        )

    _concrete = _no_value
    numpy = _no_value
    __array__ = _no_value
    __float__ = _no_value
    __int__ = _no_value
    __index__ = _no_value
    __array_function__ = _no_value

    # Of what a comparison gave: whether both sides were one object, so that `x in tensors` works.
    _same: bool | None = None

    def __eq__(self, other: Any) -> Any:
        return _compared("equal", self, other, self is other)

    def __ne__(self, other: Any) -> Any:
        return _compared("not_equal", self, other, self is not other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        if self._same is None:
            raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")
        return self._same

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = ufuncs.get(ufunc) if method == "__call__" and not kwargs else None
        if function is None:
            self._no_value()
            return NotImplemented
        return function(*inputs)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("KerasTensors cannot be changed. Use `minikeras.ops.slice_update`.")

    def __iter__(self) -> Any:
        raise NotImplementedError("Iterating over a symbolic KerasTensor is not supported.")

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse=False, ragged=False,"
            f" name={self.name}>"
        )

    def __deepcopy__(self, memo: dict) -> KerasTensor:
        twin = KerasTensor(self.shape, self.dtype, name=self.name)
        memo[id(self)] = twin
        return twin


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor of any kind (NumPy arrays included)."""
    return isinstance(x, (Tensor, KerasTensor, np.ndarray))
