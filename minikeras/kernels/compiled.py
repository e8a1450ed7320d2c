"""The switch for loops compiled by Numba: recurrence, attention, normalization of rows, Adam.

`minikeras.config.enable_numba()`, or `MINIKERAS_NUMBA=1` in the environment. NumPy alone is the
default, and does whatever these loops do not: dtypes other than float32, other activations, masks.
Numba lets other threads run, so that one call serves each of them, and OpenBLAS is called from
within, in blocks of at most a million multiplications, which it does without packing.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from typing import Any

from minikeras.kernels import blas

_enabled = os.environ.get("MINIKERAS_NUMBA", "0") not in ("", "0")


def enable(on: bool = True) -> None:
    """Use compiled loops from now on, or no longer; see `minikeras.config.enable_numba`."""
    global _enabled
    if on:
        compiled_loops()
    _enabled = on


def enabled() -> bool:
    """Whether compiled loops are asked for."""
    return _enabled


def loops() -> Any:
    """The compiled loops where they are asked for, or None."""
    return compiled_loops() if _enabled else None


@lru_cache(maxsize=1)
def compiled_loops() -> Any:
    """The module of loops."""
    if blas.functions().get(("gemm", "f")) is None:
        raise RuntimeError(
            "Compiled loops need the OpenBLAS that NumPy's wheels bring along, and this NumPy has"
            " another BLAS. Leave out `enable_numba()` and MINIKERAS_NUMBA."
        )
    try:
        return import_module("minikeras.kernels.loops")
    except ImportError as error:
        raise ImportError(
            "Compiled loops need Numba: `pip install minikeras[numba]`, or leave out"
            f" `enable_numba()` and MINIKERAS_NUMBA. ({error})"
        ) from error
