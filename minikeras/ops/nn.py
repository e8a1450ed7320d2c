"""`keras.ops.nn`: operations of neural networks."""

# ruff: noqa: F401, F403
from minikeras.ops.activation import *
from minikeras.ops.activation import __all__ as _activations
from minikeras.ops.convolutional import conv, conv_transpose, depthwise_conv, separable_conv
from minikeras.ops.fourier import polar
from minikeras.ops.losses import *
from minikeras.ops.losses import __all__ as _losses
from minikeras.ops.normalization import *
from minikeras.ops.normalization import __all__ as _normalizations
from minikeras.ops.pooling import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    max_pool,
)
from minikeras.ops.spatial import *
from minikeras.ops.spatial import __all__ as _blocks

__all__ = sorted(
    [
        "adaptive_average_pool", "adaptive_max_pool", "average_pool", "conv", "conv_transpose",
        "depthwise_conv", "max_pool", "polar", "separable_conv",
        *_activations, *_blocks, *_losses, *_normalizations,
    ]
)  # fmt: skip
