"""The base of layers that prepare data."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable


class DataLayer(Layer):
    """A layer that also takes plain lists and numbers, and casts them to its compute dtype."""

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(inputs, (Tensor, KerasTensor, Variable, np.ndarray)):
            inputs = np.asarray(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def backend(self) -> Any:
        """The functions that layers of one's own may use: `self.backend.numpy.flip` and so on."""
        return _functions()

    def _array(self, x: Any) -> np.ndarray:
        """`x` as an array in the compute dtype."""
        return np.asarray(x).astype(dtypes.numpy_dtype(self.compute_dtype), copy=False)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape


@cache
def _functions() -> SimpleNamespace:
    from minikeras import ops, random

    groups = dict.fromkeys(("core", "math", "nn", "numpy"), ops)
    return SimpleNamespace(
        **{
            name: getattr(ops, name) for name in ("cast", "convert_to_tensor", "is_tensor", "shape")
        },
        **groups,
        image=ops.image,
        linalg=ops.linalg,
        random=random,
    )
