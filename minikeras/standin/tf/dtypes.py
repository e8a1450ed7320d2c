"""`tf.dtypes`: names of dtypes. Each is a string too, as Keras takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import ops
from minikeras.engine import dtypes
from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of

_NAMES = (
    "float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string"
    " complex64 complex128"
).split()

_NUMBERED = "float32 float64 int32 uint8 int16 int8 string complex64 int64 bool".split()


class DType(str):
    """A dtype of TensorFlow: a string with its name.

    >>> from minikeras.standin.tf.dtypes import DType
    >>> DType("float32").is_floating, DType("uint8").max
    (True, 255)
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name."""
        return str.__str__(self)

    @property
    def as_numpy_dtype(self) -> Any:
        """The type of NumPy."""
        return dtypes.numpy_dtype(self.name).type

    @property
    def is_floating(self) -> bool:
        """Whether it is of real floats."""
        return dtypes.is_float(self.name)

    @property
    def is_integer(self) -> bool:
        """Whether it is of integers."""
        return dtypes.is_int(self.name)

    @property
    def is_bool(self) -> bool:
        """Whether it is the boolean one."""
        return self.name == "bool"

    @property
    def is_complex(self) -> bool:
        """Whether it is of complex numbers."""
        return self.name.startswith("complex")

    @property
    def base_dtype(self) -> DType:
        """Itself."""
        return self

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return dtypes.numpy_dtype(self.name).itemsize

    def _limit(self, which: str) -> Any:
        kind = dtypes.numpy_dtype(self.name)
        info: Any = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
        return getattr(info, which) if kind.kind == "f" else int(getattr(info, which))

    @property
    def max(self) -> Any:
        """The largest value."""
        return self._limit("max")

    @property
    def min(self) -> Any:
        """The smallest value."""
        return self._limit("min")

    def __repr__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __reduce__(self) -> Any:
        return DType, (self.name,)


DTYPES = {name: DType(name) for name in _NAMES}
globals().update(DTYPES)
half, double = DTYPES["float16"], DTYPES["float64"]
__all__ = ["DType", "as_dtype", "cast", "complex", "double", "half", "saturate_cast", *_NAMES]


def as_dtype(type_value: Any) -> DType:
    """The dtype of a name, a NumPy dtype, a Python type, or one of TensorFlow's first ten."""
    if type(type_value) is int and 0 < type_value < 11:
        type_value = _NUMBERED[type_value - 1]
    return DType(dtypes.standardize_dtype(type_value))


def cast(x: Any, dtype: Any, name: Any = None) -> Any:
    """`x` in another dtype."""
    return ops.cast(x, as_dtype(dtype).name)


def saturate_cast(value: Any, dtype: Any, name: Any = None) -> Any:
    """`value` in another dtype, cut off at the ends of its range."""
    return ops.saturate_cast(value, as_dtype(dtype).name)


def complex(real: Any, imag: Any, name: Any = None) -> Any:
    """A complex tensor of its parts."""
    re, im = array_of(real), array_of(imag)
    return Tensor(re + im * np.asarray(1j, "complex64" if re.itemsize == 4 else "complex128"))
