"""`keras.ops.nn`: operations of neural networks."""

# ruff: noqa: F403
from minikeras.ops import activation, convolutional, losses, normalization, pooling, spatial
from minikeras.ops.activation import *
from minikeras.ops.convolutional import *
from minikeras.ops.fourier import polar  # noqa: F401
from minikeras.ops.losses import *
from minikeras.ops.normalization import *
from minikeras.ops.pooling import *
from minikeras.ops.spatial import *

_MODULES = (activation, convolutional, losses, normalization, pooling, spatial)
__all__ = sorted(["polar", *(name for module in _MODULES for name in module.__all__)])
