"""Layers of today with an option of Keras 1 that they have lost, and a regularizer of its."""

from __future__ import annotations

from typing import Any

from minikeras import layers, ops, random, regularizers
from minikeras.engine import registry
from minikeras.engine.rng import SeedGenerator


@registry.layers.register("Keras1BatchNormalization")
class Keras1BatchNormalization(layers.BatchNormalization):
    """`BatchNormalization(mode=1)` and `(mode=2)` of Keras 1.

    Args:
        mode: 1: each sample is normalized by its own statistics along `axis`. 2: each batch by its
            own, in inference too.

    Raises:
        ValueError: for another mode.
    """

    def __init__(self, *args: Any, mode: int = 2, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mode not in (1, 2):
            raise ValueError(
                f"Argument `mode` of BatchNormalization must be 0, 1 or 2. Received: {mode!r}"
            )
        self.mode = int(mode)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Compute the output."""
        rank = len(inputs.shape)
        axis = self.axis % rank
        alone = self.mode == 1
        axes = (axis,) if alone else tuple(one for one in range(rank) if one != axis)
        mean, variance = ops.moments(inputs, axes, keepdims=True)
        # Keras 1 added `epsilon` twice to the deviations of single samples.
        deviation = ops.sqrt(variance + self.epsilon) + (self.epsilon if alone else 0.0)
        y = (inputs - mean) / deviation
        shape = [-1 if one == axis else 1 for one in range(rank)]
        if self.scale:
            y = y * ops.reshape(self.gamma, shape)
        return y + ops.reshape(self.beta, shape) if self.center else y

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "mode": self.mode}


@registry.layers.register("Keras1Embedding")
class Keras1Embedding(layers.Embedding):
    """`Embedding(dropout=rate)` of Keras 1: in training, whole words are dropped from the table.

    Args:
        dropout: Float from 0 to 1, default 0.0. Share of the words; the others are scaled up.
    """

    def __init__(self, *args: Any, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(
                f"Argument `dropout` must be at least 0 and below 1. Received: {dropout!r}"
            )
        self.dropout = float(dropout)
        self.seed_generator = SeedGenerator()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Look the words up."""
        y = super().call(inputs)
        if not training or not self.dropout:
            return y
        kept = random.uniform((self.input_dim,), seed=self.seed_generator) >= self.dropout
        kept = ops.cast(kept, y.dtype) / (1.0 - self.dropout)
        return y * ops.expand_dims(ops.take(kept, ops.cast(inputs, "int32")), -1)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "dropout": self.dropout}


@registry.regularizers.register("EigenvalueRegularizer")
class EigenvalueRegularizer(regularizers.Regularizer):
    """A factor times the largest singular value of a matrix, as nine steps of a power method.

    Args:
        k: Float. The factor.
    """

    def __init__(self, k: float) -> None:
        self.k = float(k)

    def __call__(self, x: Any) -> Any:
        squares = ops.matmul(ops.transpose(x), x)
        vector = ops.ones((squares.shape[0], 1), squares.dtype)
        for _ in range(9):
            vector = ops.matmul(squares, vector)
            vector = vector / ops.norm(vector)
        return self.k * ops.sqrt(ops.sum(ops.matmul(squares, vector) * vector))

    def get_config(self) -> dict:
        """The configuration."""
        return {"k": self.k}
