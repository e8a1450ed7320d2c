"""`tf.experimental.numpy`: the functions of `minikeras.ops` that NumPy has."""

from __future__ import annotations

from typing import Any

import numpy as _np

from minikeras.ops import numpy as _numpy

__all__ = sorted(name for name in dir(_numpy) if name[0] != "_" and callable(getattr(_numpy, name)))
newaxis, pi, inf, nan, e = None, _np.pi, _np.inf, _np.nan, _np.e
float16, float32, float64, int32, int64 = (
    _np.float16,
    _np.float32,
    _np.float64,
    _np.int32,
    _np.int64,
)
bool_ = _np.bool_
asarray = _numpy.array


def experimental_enable_numpy_behavior(*_: Any, **__: Any) -> None:
    """Nothing: tensors have it."""


__all__ += "newaxis pi inf nan e float16 float32 float64 int32 int64 bool_ asarray".split()
__all__ += ["experimental_enable_numpy_behavior"]


def __getattr__(name: str) -> Any:
    return getattr(_numpy, name)
