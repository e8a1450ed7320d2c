"""`keras.ops.nn`: operations of neural networks."""

from minikeras.ops.activation import *  # noqa: F403
from minikeras.ops.activation import __all__ as _activations
from minikeras.ops.blocks import *  # noqa: F403
from minikeras.ops.blocks import __all__ as _blocks
from minikeras.ops.losses import *  # noqa: F403
from minikeras.ops.losses import __all__ as _losses
from minikeras.ops.normalization import *  # noqa: F403
from minikeras.ops.normalization import __all__ as _normalizations

__all__ = sorted(
    [
        "adaptive_average_pool", "adaptive_max_pool", "average_pool", "conv", "conv_transpose",
        "ctc_decode", "ctc_loss", "depthwise_conv", "max_pool", "polar", "separable_conv",
        *_activations, *_blocks, *_losses, *_normalizations,
    ]
)  # fmt: skip
