"""Operations on tensors: NumPy's, neural networks', linear algebra's and images'.

They take anything array-like and return tensors; symbolic tensors make a graph. All that is
differentiable in Keras has a gradient here.

Example:

>>> from minikeras import ops
>>> ops.add([1, 2], [3, 4]).tolist()
[4, 6]
"""

# ruff: noqa: F401, F403
from typing import TYPE_CHECKING as _TYPE_CHECKING

import numpy as _np

from minikeras.engine import symbolic as _symbolic
from minikeras.ops import elementwise as _elementwise
from minikeras.ops import image, linalg, nn, numpy
from minikeras.ops.activation import *
from minikeras.ops.base import settle as _settle
from minikeras.ops.control_flow import *
from minikeras.ops.convolutional import conv, conv_transpose, depthwise_conv, separable_conv
from minikeras.ops.core import *
from minikeras.ops.counting import *
from minikeras.ops.creation import *
from minikeras.ops.cumulative import *
from minikeras.ops.elementwise import *
from minikeras.ops.fourier import *
from minikeras.ops.indexing import *
from minikeras.ops.joining import *
from minikeras.ops.layout import *
from minikeras.ops.linalg import *
from minikeras.ops.linalg import logdet, slogdet
from minikeras.ops.losses import *
from minikeras.ops.normalization import *
from minikeras.ops.pooling import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from minikeras.ops.products import *
from minikeras.ops.reductions import *
from minikeras.ops.scattering import *
from minikeras.ops.shaping import *
from minikeras.ops.sorting import *
from minikeras.ops.spatial import *
from minikeras.ops.statistics import *

_symbolic.operators.update(
    {
        name: globals()[name]
        for name in (
            "add subtract multiply true_divide floor_divide mod power matmul logical_and logical_or"
            " logical_xor less less_equal greater greater_equal equal not_equal negative abs"
            " logical_not round transpose cast reshape squeeze"
        ).split()
    },
    getitem=get_item,  # noqa: F405
)
_symbolic.ufuncs.update(
    {
        getattr(_np, name): function
        for name, function in vars(_elementwise).items()
        if hasattr(function, "operation") and isinstance(getattr(_np, name, None), _np.ufunc)
    },
)
_symbolic.ufuncs[_np.matmul] = matmul  # noqa: F405
_settle()

if _TYPE_CHECKING:
    from typing import Any as _Any

    def __getattr__(name: str) -> _Any:
        """The functions that tables make, which type checkers do not see."""
