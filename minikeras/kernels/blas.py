"""NumPy's own BLAS through its C interface, where one pass of it replaces several of NumPy's.

`y = a x + b y` takes NumPy three passes over memory and BLAS one. NumPy's wheels bring OpenBLAS
along; where it is not found (NumPy built on another library), `axpy` and `axpby` are made of
NumPy's passes: the same numbers but for rounding.

The switch for loops compiled by Numba (`loops`), which call OpenBLAS from within. NumPy alone is
the default, and does whatever these do not: dtypes other than float32, other activations, masks.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray

_PLACES = ("../numpy.libs/*openblas*", ".dylibs/*openblas*", ".libs/*openblas*")
# Prefix and suffix of names, and the integers that go with them.
_NAMES = (
    ("scipy_cblas_", "64_", ctypes.c_int64),
    ("cblas_", "64_", ctypes.c_int64),
    ("scipy_cblas_", "", ctypes.c_int),
    ("cblas_", "", ctypes.c_int),
)
_REALS = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}


@lru_cache(maxsize=1)
def functions() -> dict[tuple[str, str], Any]:
    """BLAS's functions by name and dtype character, none where they are not found."""
    package = Path(np.__file__).parent
    for pattern in _PLACES:
        for path in sorted(package.glob(pattern)):
            found = _functions_of(path)
            if found and _work(found):
                return found
    return {}


def _functions_of(path: Path) -> dict[tuple[str, str], Any]:
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return {}
    for prefix, suffix, integer in _NAMES:
        found = {}
        for char, (letter, real) in _REALS.items():
            axpy = getattr(library, f"{prefix}{letter}axpy{suffix}", None)
            axpby = getattr(library, f"{prefix}{letter}axpby{suffix}", None)
            if axpy is None or axpby is None:
                break
            vector = (ctypes.c_void_p, integer)
            axpy.argtypes = [integer, real, *vector, *vector]
            axpby.argtypes = [integer, real, *vector, real, *vector]
            axpy.restype = axpby.restype = None
            found["axpy", char], found["axpby", char] = axpy, axpby
        else:
            found["gemm", "f"] = getattr(library, f"{prefix}sgemm{suffix}", None)
            if integer is not ctypes.c_int64:
                found["gemm", "f"] = None
            for verb in ("get", "set"):
                name = f"{prefix.replace('cblas', 'openblas')}{verb}_num_threads{suffix}"
                found[verb, ""] = getattr(library, name, None)
            if found["set", ""] is not None:
                found["set", ""].argtypes = [ctypes.c_int]
                found["set", ""].restype = None
            return found
    return {}


def _work(found: dict[tuple[str, str], Any]) -> bool:
    """Whether the functions do what their names say."""
    for char in _REALS:
        x, y = np.array([1, 2, 3], char), np.array([10, 20, 30], char)
        found["axpy", char](2, 10.0, _address(x), 1, _address(y), 1)
        found["axpby", char](2, 4.0, _address(x), 1, 0.5, _address(y), 1)
        if y.tolist() != [14.0, 28.0, 30.0]:
            return False
    return True


def _address(array: Array) -> int:
    return array.__array_interface__["data"][0]


def threads() -> int:
    """How many threads BLAS may use; 1 where that is not known."""
    count = functions().get(("get", ""))
    return count() if count is not None else 1


def set_threads(count: int) -> bool:
    """Let BLAS use `count` threads; whether it can be told."""
    tell = functions().get(("set", ""))
    if tell is not None:
        tell(count)
    return tell is not None


def axpy(x: Array, y: Array) -> Callable[[float], None]:
    """A function of `a` that does `y += a * x`, for flat contiguous arrays of one float dtype."""
    function = functions().get(("axpy", x.dtype.char))
    if function is None:
        return lambda a: _add(y, a * x)
    size, source, target = x.size, _address(x), _address(y)

    def run(a: float, keep: Any = (x, y)) -> None:
        function(size, a, source, 1, target, 1)

    return run


def axpby(x: Array, y: Array) -> Callable[[float, float], None]:
    """A function of `a` and `b` that does `y = a * x + b * y`, as `axpy`."""
    function = functions().get(("axpby", x.dtype.char))
    if function is None:
        return lambda a, b: _add(np.multiply(y, b, y), a * x)
    size, source, target = x.size, _address(x), _address(y)

    def run(a: float, b: float, keep: Any = (x, y)) -> None:
        function(size, a, source, 1, b, target, 1)

    return run


def _add(y: Array, x: Array) -> None:
    np.add(y, x, y)


_enabled = os.environ.get("MINIKERAS_NUMBA", "0") not in ("", "0")


def enable(on: bool = True) -> None:
    """Use compiled loops from now on, or no longer; see `minikeras.config.enable_numba`."""
    global _enabled
    if on:
        compiled_loops()
    _enabled = on


def loops() -> Any:
    """The compiled loops where they are asked for, or None."""
    return compiled_loops() if _enabled else None


@lru_cache(maxsize=1)
def compiled_loops() -> Any:
    """The module of loops."""
    if functions().get(("gemm", "f")) is None:
        raise RuntimeError(
            "Compiled loops need the OpenBLAS of NumPy's wheels: this NumPy has another BLAS."
        )
    try:
        return import_module("minikeras.kernels.loops")
    except ImportError as error:
        raise ImportError(
            f"Compiled loops need Numba: `pip install minikeras[numba]`. ({error})"
        ) from error
