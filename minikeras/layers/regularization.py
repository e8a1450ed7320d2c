"""A layer that only adds to the loss."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.engine.layer import Layer


@registry.layers.register("ActivityRegularization")
class ActivityRegularization(Layer):
    """Passes its inputs on and adds a penalty on them to the loss.

    `(l1 * sum(abs(x)) + l2 * sum(x**2)) / batch size`.

    Args:
        l1: Float. Defaults to 0.0.
        l2: Float. Defaults to 0.0.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ActivityRegularization(l2=0.5)
    >>> y = layer(np.array([[2.0], [4.0]], "float32"))
    >>> float(layer.losses[0])
    5.0
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        regularizer = registry.regularizers.find("L1L2")(l1=l1, l2=l2)
        super().__init__(activity_regularizer=regularizer, **kwargs)
        self.l1 = l1
        self.l2 = l2
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        return x

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}
