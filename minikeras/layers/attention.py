"""Attention over one head: `Attention` (dot product) and `AdditiveAttention`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import plain
from minikeras.layers.grouped_query_attention import GroupedQueryAttention
from minikeras.layers.multi_head_attention import MultiHeadAttention

__all__ = ["AdditiveAttention", "Attention", "GroupedQueryAttention", "MultiHeadAttention"]


@registry.layers.register("Attention")
class Attention(Layer):
    """Dot-product attention (Luong et al. 2015): `softmax(query key') value`.

    Args:
        use_scale: Boolean, default False. Whether the scores are multiplied by a trainable scalar.
        score_mode: `"dot"` (default): the scores are `query key'`. `"concat"`: they are the sum
            over the last axis of `tanh(query + key)`, times a trainable scalar.
        dropout: Float between 0 and 1, default 0. Rate of dropping attention weights.
        seed: Integer, default None. Seed of the dropout.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: List `[query, value]` or `[query, value, key]`: query of shape `(batch, target,
            size)`, value of shape `(batch, source, value size)`, key of shape `(batch, source,
            size)`, default the value.
        mask: List `[query_mask, value_mask]` of boolean arrays of shapes `(batch, target)` and
            `(batch, source)`, or None. The output is zero where the query's mask is false; no
            attention goes where the value's mask is false.
        return_attention_scores: Boolean, default False. Whether to return the weights too.
        training: Boolean. Whether dropout is active.
        use_causal_mask: Boolean, default False. Whether a target position sees only source
            positions up to its own.

    Output shape:
        `(batch, target, value size)`, and `(batch, target, source)` for the weights.

    Raises:
        ValueError: for an unknown `score_mode`, or inputs or masks that are no such lists.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> query, value = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 4), "float32")
    >>> minikeras.layers.Attention()([query, value]).shape
    (2, 3, 4)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}."
                f" Received: score_mode={score_mode!r}"
            )
        self.use_scale, self.score_mode = use_scale, score_mode
        self.dropout, self.seed = dropout, seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed=seed)
        self.scale: Any = None
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        self._validate_inputs(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )
        self.built = True

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        """Scores of shape `(batch, target, source)`."""
        from minikeras import ops

        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale
        pairs = ops.expand_dims(query, axis=-2) + ops.expand_dims(key, axis=-3)
        if self.scale is not None:
            pairs = pairs * self.scale
        return self.concat_score_weight * ops.sum(ops.tanh(pairs), axis=-1)  # type: ignore[attr-defined]

    def _apply_scores(
        self, scores: Any, value: Any, scores_mask: Any = None, training: Any = False
    ) -> tuple:
        """The weighted values and the weights."""
        from minikeras import ops

        if scores_mask is not None:
            hidden = ~np.asarray(plain(scores_mask), dtype=bool)
            if hidden.ndim == 2:
                hidden = hidden[:, None, :]
            far = 65504.0 if scores.dtype == "float16" else 1.0e9
            scores = ops.where(hidden, scores - far, scores)
        weights = ops.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            keep = self.seed_generator.generator().random(weights.shape, np.float32) >= self.dropout
            weights = weights * (keep / (1 - self.dropout)).astype(weights.dtype)
        return ops.matmul(weights, value), weights

    def _calculate_score_mask(self, scores: Any, v_mask: Any, use_causal_mask: bool) -> Any:
        v_mask = None if v_mask is None else np.asarray(plain(v_mask), dtype=bool)
        if not use_causal_mask:
            return v_mask
        target, source = scores.shape[-2:]
        causal = np.tri(target, source, dtype=bool)[None]
        return causal if v_mask is None else v_mask[..., None, :] & causal

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: Any = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        from minikeras import ops

        self._validate_inputs(inputs, mask)
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = mask[:2] if mask else (None, None)
        scores = self._calculate_scores(query=query, key=key)
        output, weights = self._apply_scores(
            scores=scores,
            value=value,
            scores_mask=self._calculate_score_mask(scores, value_mask, use_causal_mask),
            training=training,
        )
        if query_mask is not None:
            live = np.asarray(plain(query_mask), dtype=bool)[..., None]
            output = ops.where(live, output, ops.zeros_like(output))
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._validate_inputs(inputs, mask)
        return mask[0] if mask else None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        self._validate_inputs(inputs, mask)
        shapes = [tuple(one.shape) for one in inputs]
        output = KerasTensor(self.compute_output_shape(shapes), dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        weights = (*shapes[0][:-1], shapes[-1][-2])
        return output, KerasTensor(weights, dtype=self.compute_dtype)

    def _validate_inputs(self, inputs: Any, mask: Any = None) -> None:
        name = type(self).__name__
        for what, value in (("inputs", inputs), ("mask", mask)):
            if value is None and what == "mask":
                continue
            order = "[query, value] or [query, value, key]"
            if what == "mask":
                order = "[query_mask, value_mask]"
            if not isinstance(value, list):
                what = (
                    "must be called on a list of inputs"
                    if what == "inputs"
                    else "mask must be a list"
                )
                raise ValueError(f"{name} layer {what}, {order}. Received: {value}")
            if not 2 <= len(value) <= 3:
                raise ValueError(
                    f"{name} expects `{what}` to be a list of length 2 or 3, {order}. Received"
                    f" {len(value)}: {what}={value}"
                )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


@registry.layers.register("AdditiveAttention")
class AdditiveAttention(Attention):
    """Additive attention (Bahdanau et al. 2015).

    The scores are the sum over the last axis of `scale * tanh(query + key)`; the output is
    `softmax(scores) value`.

    Args:
        use_scale: Boolean, default True. Whether `scale` is a trainable vector; 1 otherwise.
        dropout: Float between 0 and 1, default 0. Rate of dropping attention weights.
        **kwargs: `seed`, `name`, `dtype`, `trainable`.

    Call arguments:
        inputs, mask, return_attention_scores, training, use_causal_mask: As for `Attention`; query
            and key must have the same size.

    Output shape:
        `(batch, target, value size)`, and `(batch, target, source)` for the weights.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> query, value = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 4), "float32")
    >>> minikeras.layers.AdditiveAttention()([query, value]).shape
    (2, 3, 4)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._validate_inputs(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )
        self.built = True

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        from minikeras import ops

        pairs = ops.expand_dims(query, axis=-2) + ops.expand_dims(key, axis=-3)
        pairs = ops.tanh(pairs)  # type: ignore[attr-defined]
        return ops.sum(pairs if self.scale is None else self.scale * pairs, axis=-1)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["score_mode"]
        return config
