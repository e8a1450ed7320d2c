"""Spectral normalization: a wrapper."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.context import state
from minikeras.engine.input_spec import InputSpec
from minikeras.layers.wrappers import Wrapper


@registry.layers.register("SpectralNormalization")
class SpectralNormalization(Wrapper):
    """Keeps the largest singular value of a layer's kernel at 1 (Miyato et al., 2018).

    Each training call divides the kernel by its largest singular value, which power iterations
    estimate.

    Args:
        layer: A layer with a `kernel` or `embeddings`.
        power_iterations: Integer. Defaults to 1. Iterations a call.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the layer.

    Raises:
        ValueError: if `power_iterations` is not positive, or the layer has no kernel.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.SpectralNormalization(minikeras.layers.Dense(2))
    >>> layer(np.ones((3, 4), "float32"), training=True).shape
    (3, 2)
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(
                "`power_iterations` should be greater than zero. Received:"
                f" `power_iterations={power_iterations}`"
            )
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        """Build the layer, and make the vector of the power iterations."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        for name in ("kernel", "embeddings"):
            if getattr(self.layer, name, None) is not None:
                # So it is one of the wrapper's own variables too, as files of Keras have it.
                self.kernel = getattr(self.layer, name)
                break
        else:
            raise ValueError(
                f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'"
            )
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, self.kernel.shape[-1]),
            initializer=registry.initializers.find("TruncatedNormal")(stddev=0.02),
            trainable=False,
            dtype=self.kernel.dtype,
        )
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training and not state.inferring and self.kernel.array.any():
            u, kernel = self.normalized_weights()
            self.vector_u.array[...] = u
            self.kernel.array[...] = kernel
        return self._narrow(self.layer(inputs))

    def normalized_weights(self) -> tuple:
        """The vector after the power iterations, and the kernel divided by its singular value."""
        kernel, u = self.kernel.array, self.vector_u.array
        weights = kernel.reshape(-1, kernel.shape[-1])
        for _ in range(self.power_iterations):
            v = _unit(u @ weights.T)
            u = _unit(v @ weights)
        return u, kernel / (v @ weights @ u.T)[0, 0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the layer's output."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector: Any) -> Any:
    return vector / np.maximum(np.sqrt(np.square(vector).sum()), 1e-12)
