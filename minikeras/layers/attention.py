"""Attention over one head (`Attention`, `AdditiveAttention`) and several (`MultiHeadAttention`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import plain
from minikeras.layers.grouped_query_attention import (
    SERIALIZED,
    GroupedQueryAttention,
    HeadsAttention,
    attend,
    boolean,
    check_key_shape,
    check_positive,
)

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


@registry.layers.register("MultiHeadAttention")
class MultiHeadAttention(HeadsAttention):
    """Multi-head attention (Vaswani et al. 2017, "Attention is all you need").

    Query, key and value are projected for each head; the heads attend by
    `softmax(query key' / sqrt(key_dim)) value`; their outputs are projected together.

    Args:
        num_heads: Positive integer. Number of heads.
        key_dim: Positive integer. Size of a head's query and key.
        value_dim: Positive integer. Size of a head's value, default `key_dim`.
        dropout: Float between 0 and 1, default 0. Rate of dropping attention weights.
        use_bias: Boolean, default True. Whether the projections have a bias.
        output_shape: Integer or tuple. Shape of the output without batch and time, default the
            last axis of the query.
        attention_axes: Integer or tuple. The axes attended over, default all but the batch and the
            last axis.
        sliding_window: Positive integer, default None. Positions further apart than
            `sliding_window - 1` do not see each other.
        flash_attention: Boolean, default None. Accepted; the result is the same. It excludes
            dropout and the return of attention scores, as in Keras.
        kernel_initializer: Initializer, default `"glorot_uniform"`.
        bias_initializer: Initializer, default `"zeros"`.
        kernel_regularizer, bias_regularizer: Regularizers, default None.
        activity_regularizer: Regularizer of the projections' outputs, default None.
        kernel_constraint, bias_constraint: Constraints, default None.
        use_gate: Boolean, default False. Whether the heads' outputs are multiplied by
            `sigmoid(projection of the query)`.
        seed: Integer, default None. Seed of the dropout.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        query: Of shape `(batch, target, size)`.
        value: Of shape `(batch, source, size)`.
        key: Of shape `(batch, source, size)`, default the value.
        query_mask, value_mask, key_mask: Boolean arrays of shapes `(batch, target)`, `(batch,
            source)`, `(batch, source)`, default the masks that come with the arguments.
        attention_mask: Boolean array of shape `(batch, target, source)` or `(batch, heads, target,
            source)`: who attends to whom.
        return_attention_scores: Boolean, default False. Whether to return the weights too.
        training: Boolean. Whether dropout is active.
        use_causal_mask: Boolean, default False. Whether a target position sees only source
            positions up to its own.

    Output shape:
        `(batch, target, size)`, and `(batch, heads, target, source)` for the weights.

    Raises:
        ValueError: for arguments out of range, or value and key of different length.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.MultiHeadAttention(num_heads=2, key_dim=3)
    >>> query, value = np.ones((2, 5, 8), "float32"), np.ones((2, 7, 8), "float32")
    >>> output, weights = layer(query, value, return_attention_scores=True)
    >>> output.shape, weights.shape
    ((2, 5, 8), (2, 2, 5, 7))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: Any = None,
        **kwargs: Any,
    ) -> None:
        check_positive("num_heads", num_heads, "MultiHeadAttention")
        check_positive("key_dim", key_dim, "MultiHeadAttention")
        for name, given in (("value_dim", value_dim), ("sliding_window", sliding_window)):
            if given is not None:
                check_positive(name, given, "MultiHeadAttention")
        super().__init__(**kwargs)
        self.supports_masking = True
        self._num_heads, self._key_dim = num_heads, key_dim
        self._value_dim = value_dim or key_dim
        self._dropout, self._use_bias, self._use_gate = dropout, use_bias, use_gate
        if isinstance(output_shape, (int, np.integer)):
            output_shape = (output_shape,)
        if output_shape and not isinstance(output_shape, (list, tuple)):
            raise ValueError(
                "Invalid `output_shape` of MultiHeadAttention: it must be an integer, a tuple or a"
                f" list. Received: output_shape={output_shape!r}"
            )
        self._output_shape = tuple(output_shape) if output_shape else None
        self._kernel_initializer = registry.initializers.get(kernel_initializer)
        self._bias_initializer = registry.initializers.get(bias_initializer)
        self._kernel_regularizer = registry.regularizers.get(kernel_regularizer)
        self._bias_regularizer = registry.regularizers.get(bias_regularizer)
        self._activity_regularizer = registry.regularizers.get(activity_regularizer)
        self._kernel_constraint = registry.constraints.get(kernel_constraint)
        self._bias_constraint = registry.constraints.get(bias_constraint)
        if isinstance(attention_axes, (int, np.integer)):
            attention_axes = (attention_axes,)
        elif attention_axes and not isinstance(attention_axes, (list, tuple)):
            raise ValueError(
                "Argument `attention_axes` must be an integer, a tuple or a list. Received:"
                f" attention_axes={attention_axes!r}"
            )
        self._attention_axes = attention_axes
        self._sliding_window = sliding_window
        self.seed = seed
        self._check_flash(flash_attention, dropout)

    def _argument(self, name: str) -> Any:
        return getattr(self, f"_{name}")

    num_heads = property(lambda self: self._num_heads, doc="Number of heads.")
    key_dim = property(lambda self: self._key_dim, doc="Size of a head's query and key.")
    value_dim = property(lambda self: self._value_dim, doc="Size of a head's value.")
    dropout = property(lambda self: self._dropout, doc="Rate of dropping attention weights.")
    use_bias = property(lambda self: self._use_bias, doc="Whether the projections have a bias.")
    attention_axes = property(lambda self: self._attention_axes, doc="The axes attended over.")
    query_dense = property(lambda self: self._query_dense, doc="Projection of the query.")
    key_dense = property(lambda self: self._key_dense, doc="Projection of the key.")
    value_dense = property(lambda self: self._value_dense, doc="Projection of the value.")
    output_dense = property(lambda self: self._output_dense, doc="Projection of the output.")

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        check_key_shape(value_shape, key_shape)
        heads, rank = self._num_heads, len(query_shape)
        query_plan = _projection(rank - 1, 1, 2)
        key_plan = _projection(len(key_shape) - 1, 1, 2)
        value_plan = _projection(len(value_shape) - 1, 1, 2)

        def project(plan: tuple, size: int, name: str, shape: Any, **extra: Any) -> Any:
            equation, bias_axes, output_rank = plan
            output_shape = _free(output_rank, (heads, size))
            return self._dense(equation, output_shape, bias_axes, name, shape, **extra)

        self._query_dense = project(query_plan, self._key_dim, "query", query_shape)
        self._key_dense = project(key_plan, self._key_dim, "key", key_shape)
        if self._use_gate:
            self._gate_dense = project(
                query_plan, self._value_dim, "gate", query_shape, activation="sigmoid"
            )
        self._value_dense = project(value_plan, self._value_dim, "value", value_shape)
        output_rank = value_plan[2]
        if self._attention_axes is None:
            self._attention_axes = tuple(range(1, output_rank - 2))
        else:
            self._attention_axes = tuple(
                axis if axis >= 0 else output_rank - 1 + axis for axis in self._attention_axes
            )
        if not all(0 < axis < output_rank - 2 for axis in self._attention_axes):
            raise ValueError(
                "Argument `attention_axes` must name axes of the query between the batch and the"
                f" last axis. Received: attention_axes={self._attention_axes} for a query of shape"
                f" {tuple(query_shape)}"
            )
        count = len(self._attention_axes)
        self._add_helpers(tuple(range(-count, 0)))
        features = self._output_shape or (query_shape[-1],)
        equation, bias_axes, output_rank = _projection(rank - 1, 2, len(features))
        self._output_dense = self._dense(
            equation,
            _free(output_rank, features),
            bias_axes,
            "attention_output",
            (*query_shape[:-1], heads, self._value_dim),
        )
        self.built = True

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: Any = None,
        return_attention_scores: bool = False,
    ) -> tuple:
        """Output and weights of the projected query, key and value."""
        self._check_scores(return_attention_scores)
        axes = self._attention_axes
        rank, count = len(query.shape), len(axes)
        # Keras's two ways of computing differ for rows without anything to attend to.
        plain_kernel = self._dropout == 0 and not return_attention_scores and rank == 4
        simple = rank == 4 and axes == (1,)
        mask = None if attention_mask is None else boolean(attention_mask)
        if not simple:
            return self._attend_over_axes(query, key, value, mask, training)
        batch, target = query.shape[:2]
        if mask is not None:
            while mask.ndim < 4:
                mask = np.expand_dims(mask, -2 * count - 1)
        shape = (batch, self._num_heads, target, key.shape[1])
        return attend(
            query,
            key,
            value,
            scale=1 / math.sqrt(self._key_dim),
            mask=mask,
            dropout=self._dropout_mask(shape, query.dtype, training),
            zero_masked_rows=not plain_kernel,
            need_weights=return_attention_scores,
        )

    def _attend_over_axes(
        self, query: Any, key: Any, value: Any, mask: Any, training: Any
    ) -> tuple:
        """Attention over any axes: they become one, and the others one batch."""
        from minikeras import ops

        axes = self._attention_axes
        rank, count = len(query.shape), len(axes)
        others = tuple(axis for axis in range(rank - 2) if axis not in axes)
        order = (*others, *axes, rank - 2, rank - 1)

        def flatten(x: Any) -> tuple:
            x = ops.transpose(x, order)
            batch, times = x.shape[: len(others)], x.shape[len(others) : -2]
            flat = ops.reshape(x, (math.prod(batch), math.prod(times), *x.shape[-2:]))
            return flat, batch, times

        query, batch, targets = flatten(query)
        key, _, sources = flatten(key)
        value, _, _ = flatten(value)
        shape = (*batch, self._num_heads, *targets, *sources)
        flat_shape = (query.shape[0], self._num_heads, query.shape[1], key.shape[1])
        if mask is not None:
            while mask.ndim < len(shape):
                mask = np.expand_dims(mask, -2 * count - 1)
            mask = np.broadcast_to(mask, shape).reshape(flat_shape)
        output, weights = attend(
            query,
            key,
            value,
            scale=1 / math.sqrt(self._key_dim),
            mask=mask,
            dropout=self._dropout_mask(flat_shape, query.dtype, training),
            zero_masked_rows=True,
        )
        output = ops.reshape(output, (*batch, *targets, *output.shape[-2:]))
        back = tuple(int(axis) for axis in np.argsort(order))
        return ops.transpose(output, back), ops.reshape(weights, shape)

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        attention_mask = self._compute_attention_mask(
            query,
            value,
            query_mask=query_mask,
            value_mask=value_mask,
            key_mask=key_mask,
            attention_mask=attention_mask,
            use_causal_mask=use_causal_mask,
        )
        return self._attend_projected(
            query, key, value, attention_mask, training, return_attention_scores
        )

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> tuple:
        check_key_shape(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *(self._output_shape or (query_shape[-1],)))

    def compute_output_spec(self, query: Any, value: Any, key: Any = None, **options: Any) -> Any:
        key_shape = None if key is None else tuple(key.shape)
        shape = self.compute_output_shape(tuple(query.shape), tuple(value.shape), key_shape)
        output = KerasTensor(shape, dtype=self.compute_dtype)
        if not options.get("return_attention_scores"):
            return output
        source = value.shape if key is None else key.shape
        axes = self._attention_axes
        others = [size for axis, size in enumerate(query.shape[:-1]) if axis not in axes]
        weights = (
            *others,
            self._num_heads,
            *(query.shape[axis] for axis in axes),
            *(source[axis] for axis in axes),
        )
        return output, KerasTensor(weights, dtype=self.compute_dtype)

    def get_config(self) -> dict:
        config = super().get_config()
        for name in (
            "num_heads",
            "key_dim",
            "value_dim",
            "dropout",
            "use_bias",
            "use_gate",
            "output_shape",
            "attention_axes",
            "sliding_window",
        ):
            config[name] = getattr(self, f"_{name}")
        for name, home in SERIALIZED.items():
            config[name] = home.serialize(getattr(self, f"_{name}"))
        return {**config, "seed": self.seed}


def _projection(free: int, bound: int, produced: int) -> tuple[str, str, int]:
    """The equation of a projection, its bias axes, and the rank of its output.

    `free` axes stay, the last `bound` axes are summed over, `produced` axes are new.
    """
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    kept = "".join(next(letters) for _ in range(free))
    summed = "".join(next(letters) for _ in range(bound))
    new = "".join(next(letters) for _ in range(produced))
    return f"{kept}{summed},{summed}{new}->{kept}{new}", new, len(kept) + produced


def _free(output_rank: int, known: Any) -> list:
    """`known` sizes at the end of a shape without the batch axis; None elsewhere."""
    return [None] * (output_rank - 1 - len(known)) + list(known)
