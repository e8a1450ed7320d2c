"""`keras.ops.numpy`: the operations that NumPy has too."""

from importlib import import_module

from minikeras.ops.core import array, copy, ndim, size  # noqa: F401
from minikeras.ops.linalg import slogdet  # noqa: F401

# Keras has these in `keras.ops` alone.
_ELSEWHERE = {
    "erf", "erfc", "erfinv", "rsqrt", "logsumexp", "scatter", "scatter_update", "slice",
    "slice_update", "unstack", "in_top_k", "top_k", "segment_max", "segment_sum",
}  # fmt: skip
_MODULES = [
    import_module(f"minikeras.ops.{name}")
    for name in (
        "counting creation cumulative elementwise indexing joining layout products reductions"
        " shaping sorting statistics"
    ).split()
]
__all__ = sorted(
    {"array", "copy", "ndim", "size", "slogdet"}
    | {name for module in _MODULES for name in module.__all__ if name not in _ELSEWHERE}
)
globals().update(
    {
        name: getattr(module, name)
        for module in _MODULES
        for name in module.__all__
        if name in __all__
    }
)
