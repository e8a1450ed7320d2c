"""Names of dtypes and how they combine.

NumPy has no `bfloat16` and no `float8_*`: they are kept in float32. Where the name matters (the
tensors that operations take and give when they are called one by one), the dtype of the array
carries it as metadata, and conversion to the dtype rounds; see `to_numpy_dtype`, `label`. Graphs
in training and variables keep plain float32 (`numpy_dtype`).
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np

from minikeras import config

FLOATS = ("bfloat16", "float16", "float32", "float64")
INTS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
NARROW = ("bfloat16", *FLOAT8)
ALLOWED = FLOATS + INTS + FLOAT8 + ("bool", "string", "complex64", "complex128", "int4")

_ALIASES = {
    bool: "bool",
    int: "int64",
    float: "float32",
    str: "string",
    complex: "complex64",
}


def standardize_dtype(dtype: Any) -> str:
    """The name of `dtype` (a string, NumPy dtype, Python type; None is `floatx()`).

    Raises:
        ValueError: for anything that is not a dtype.
    """
    if dtype is None:
        return config.floatx()
    if type(dtype) is str:
        name = dtype
    elif isinstance(dtype, np.dtype):
        name = dtype.name if dtype.metadata is None else label(dtype) or dtype.name
    elif dtype is int and np.dtype(int).itemsize == 4:
        name = "int32"
    else:
        try:
            name = _ALIASES.get(dtype, dtype)
        except TypeError:
            name = dtype
        if not isinstance(name, str):
            name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
            if name.startswith("torch."):
                name = name[6:]
    if name in ALLOWED:
        return name
    if name in ("int", "long"):
        return "int64"
    if name in ("half", "single", "double"):
        return {"half": "float16", "single": "float32", "double": "float64"}[name]
    if name == "bool_":
        return "bool"
    if name.startswith(("str", "bytes")) or name == "object":
        return "string"
    raise ValueError(f"Invalid dtype: {dtype!r}. Known dtypes: {', '.join(ALLOWED)}.")


@cache
def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype that holds values of dtype `name`: plain, for storage."""
    if name in NARROW:
        return np.dtype("float32")
    if name == "string":
        return np.dtype(object)
    if name == "int4":
        return np.dtype("int8")
    return np.dtype(name)


def to_numpy_dtype(dtype: Any) -> np.dtype:
    """The NumPy dtype of tensors of `dtype` (anything `standardize_dtype` takes).

    For the types that NumPy does not have, it carries their name.
    """
    if isinstance(dtype, np.dtype) and dtype.kind != "V":
        return dtype
    name = standardize_dtype(dtype)
    return _LABELLED[name] if name in _LABELLED else numpy_dtype(name)


_LABELLED = {name: np.dtype("float32", metadata={"minikeras": name}) for name in NARROW}
# Bits of the mantissa, lowest exponent, largest value, and what is beyond it.
_WIDTHS: dict[str, tuple] = {
    "bfloat16": (7, -126, float.fromhex("0x1.fep127"), np.inf),
    "float8_e4m3fn": (3, -6, 448.0, np.nan),
    "float8_e5m2": (2, -14, 57344.0, np.inf),
}


def label(dtype: np.dtype) -> str | None:
    """The name that a dtype carries for a type that NumPy does not have, or None."""
    metadata = dtype.metadata
    return None if metadata is None else metadata.get("minikeras")


def labelled(array: np.ndarray, name: str | None) -> np.ndarray:
    """A view of a float32 array under the name of a narrower type; None: under none."""
    if label(array.dtype) == name:
        return array
    return array.view(_LABELLED[name] if name else np.float32)


def plain_array(array: np.ndarray) -> np.ndarray:
    """`array` without a name for a narrower type."""
    return array if array.dtype.metadata is None else labelled(array, None)


def narrowed(array: np.ndarray, name: str) -> np.ndarray:
    """A float array rounded to a type that NumPy does not have, and under its name."""
    bits, lowest, largest, beyond = _WIDTHS[name]
    values = np.asarray(array, "float32")
    exponents = np.maximum(np.frexp(values)[1] - 1, lowest) - bits
    with np.errstate(all="ignore"):
        rounded = np.ldexp(np.rint(np.ldexp(values.astype("float64"), -exponents)), exponents)
        rounded = np.where(np.abs(rounded) > largest, np.copysign(beyond, rounded), rounded)
    return rounded.astype(_LABELLED[name])


def is_float(dtype: Any) -> bool:
    """Whether `dtype` names a floating type."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int(dtype: Any) -> bool:
    """Whether `dtype` names an integer type."""
    return standardize_dtype(dtype) in INTS


# The promotion lattice of JAX ("Type promotion semantics"), which Keras follows with
# float64 and int64 kept: each type and the types directly above it. `int`, `float` and
# `complex` are Python scalars, which are weak.
_LATTICE = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "int8": ("int16",),
    "uint16": ("int32", "uint32"),
    "int16": ("int32",),
    "uint32": ("int64", "uint64"),
    "int32": ("int64",),
    "uint64": ("float",),
    "int64": ("float",),
    "float": ("bfloat16", "float16", "complex"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


@cache
def _above(name: str) -> frozenset:
    found = {name}
    for upper in _LATTICE[name]:
        found |= _above(upper)
    return frozenset(found)


@cache
def _join(names: frozenset) -> str:
    common = frozenset.intersection(*(_above(name) for name in names))
    for name in common:
        if common <= _above(name):
            return name
    raise ValueError(f"No dtype holds all of {sorted(names)}.")


_WEAK = {int: "int", float: "float", bool: "bool", complex: "complex"}


@lru_cache(maxsize=4096)
def _result_type(dtypes: tuple) -> str:
    names = []
    for dtype in dtypes:
        if dtype in _WEAK and isinstance(dtype, type):
            names.append(_WEAK[dtype])
            continue
        name = standardize_dtype(dtype)
        if name in FLOAT8:
            raise ValueError(f"There is no implicit conversion from {name}. Cast it first.")
        names.append("int8" if name == "int4" else name)
    strings = [name for name in names if name == "string"]
    if strings:
        if len(strings) == len(names):
            return "string"
        raise ValueError(f"Strings do not combine with numbers. Received dtypes: {names}")
    result = _join(frozenset(names))
    if result == "int":
        return "int32"
    if result == "float":
        return config.floatx()
    if result == "complex":
        return "complex64"
    return result


def result_type(*dtypes: Any) -> str:
    """The dtype of a result of operands of `dtypes`, as `keras.backend.result_type`.

    Python's `int`, `float`, `bool` and `complex` stand for scalars without a width of their own.
    With integers and floats mixed, the float wins: int32 and float16 give float16; int64 and a
    Python float give `floatx()`.
    """
    if not dtypes:
        return config.floatx()
    return _result_type(tuple([_named(dtype) for dtype in dtypes]))


def _named(dtype: Any) -> Any:
    if dtype is None:
        return config.floatx()
    # A dtype that carries a name equals, for a cache, the one that does not.
    if isinstance(dtype, np.dtype) and dtype.metadata is not None:
        return label(dtype) or dtype
    return dtype
