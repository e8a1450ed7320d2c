"""Class numbers as one-hot, multi-hot or counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.layers.preprocessing.categories import (
    CategoryLayer,
    encode,
    encoded_shape,
    one_of,
    refuse_sparse,
)


@registry.layers.register("CategoryEncoding")
class CategoryEncoding(CategoryLayer):
    """Encodes class numbers from 0 to `num_tokens - 1`.

    Args:
        num_tokens: Integer. The number of classes.
        output_mode: `"multi_hot"` (default; also `"binary"`): which classes a row holds;
            `"one_hot"`: each number by itself; `"count"`: how often a row holds each class.
        sparse: Must be False (default).
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, numbers)`, `(numbers,)` or, for `"one_hot"`, any.

    Output shape:
        `(batch, num_tokens)`, `(num_tokens,)` or, for `"one_hot"`, the input's with an axis added.

    Raises:
        ValueError: for an unknown mode, or a number of classes below 1.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.CategoryEncoding(num_tokens=4, output_mode="count")
    >>> layer([[0, 1], [0, 0], [3, 1]]).tolist()
    [[1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse_sparse(sparse, self)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        one_of("output_mode", output_mode, ("count", "one_hot", "multi_hot"), self)
        if num_tokens is None:
            raise ValueError(
                "num_tokens must be set to use this layer. If the classes are not known"
                " beforehand, use IntegerLookup. Received: num_tokens=None"
            )
        if num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}")
        self.num_tokens = num_tokens
        self.output_mode = output_mode
        self.sparse = sparse

    def forward(  # type: ignore[override]
        self, ctx: Any, inputs: np.ndarray, count_weights: Any = None
    ) -> np.ndarray:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "`count_weights` is not used when `output_mode` is not 'count'. Received:"
                f" output_mode={self.output_mode!r}"
            )
        if inputs.dtype.kind == "O":
            raise ValueError(
                f"CategoryEncoding takes class numbers. Received strings: {inputs.ravel()[:3]}. Use"
                " StringLookup for strings."
            )
        indices = inputs.astype(np.int64, copy=False)
        if indices.size and indices.min() < 0:
            raise ValueError(
                f"CategoryEncoding takes numbers from 0 to {self.num_tokens - 1}. Received:"
                f" {indices.min()}"
            )
        return encode(indices, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The input's, with an axis of classes."""
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "output_mode": self.output_mode,
        }
