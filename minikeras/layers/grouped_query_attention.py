"""What the layers with attention over several heads share, and `GroupedQueryAttention`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, call_kernel
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import plain
from minikeras.kernels.attention import attention, attention_backward


class AttentionCore(Operation):
    """Scaled dot-product attention of arrays of shape `(batch, time, heads, size)`."""

    def forward(self, ctx: Any, query: Any, key: Any, value: Any, **options: Any) -> tuple:
        output, weights, saved = attention(query, key, value, keep=ctx.recording, **options)
        ctx.save(saved)
        return output, weights

    def backward(self, ctx: Any, d_output: Any, d_weights: Any = None) -> tuple:
        (saved,) = ctx.saved
        if d_output is None:
            d_output = np.zeros(saved.output.shape, d_weights.dtype)
        return attention_backward(saved, d_output, d_weights)[:3]


_CORE = AttentionCore()


class HeadsAttention(Layer):
    """Masks, projections and the core, as both layers use them."""

    _query_dense: Any
    _key_dense: Any
    _gate_dense: Any
    _value_dense: Any
    _output_dense: Any
    seed: Any
    # Whether masks that come with tensors are left out; see `dialects.eras`.
    _explicit_masks_only = False
    _sublayer_arguments = (
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    )

    def _dense(
        self, equation: str, output_shape: Any, bias_axes: str, name: str, shape: Any, **extra: Any
    ) -> Any:
        """A projection, built for inputs of `shape`."""
        from minikeras.layers import EinsumDense

        def twin(initializer: Any) -> Any:
            # Each projection draws values of its own.
            return type(initializer).from_config(initializer.get_config())

        dense = EinsumDense(
            equation,
            output_shape=output_shape,
            bias_axes=bias_axes if self._argument("use_bias") else None,
            name=name,
            kernel_initializer=twin(self._argument("kernel_initializer")),
            bias_initializer=twin(self._argument("bias_initializer")),
            dtype=self._dtype_policy,
            **{one: self._argument(one) for one in self._sublayer_arguments},
            **extra,
        )
        dense.build_with({"input_shape": tuple(shape)}, single=True)
        return dense

    def _argument(self, name: str) -> Any:
        """A constructor argument, under whatever attribute the class keeps it."""
        raise NotImplementedError

    def _add_helpers(self, softmax_axis: Any) -> None:
        from minikeras.layers import Dropout, Softmax

        self._softmax = Softmax(axis=softmax_axis, dtype=self._dtype_policy)
        self._dropout_layer = Dropout(
            rate=self._argument("dropout"), dtype=self._dtype_policy, seed=self.seed
        )

    def _dropout_mask(self, shape: tuple, dtype: Any, training: Any) -> Any:
        rate = self._argument("dropout")
        if not training or rate <= 0:
            return None
        generator = self._dropout_layer.seed_generator.generator()
        keep = generator.random(shape, dtype=np.float32) >= rate
        return keep * np.dtype(dtype).type(1 / (1 - rate))

    def _compute_attention_mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """All masks as one boolean array that broadcasts to `(batch, target, source)`, or None."""
        parts = []
        if self._explicit_masks_only:
            query_mask = value_mask = key_mask = None
        if query_mask is not None:
            parts.append(boolean(query_mask)[..., :, None])
        for mask in (value_mask, key_mask):
            if mask is not None:
                parts.append(boolean(mask)[..., None, :])
        target, source = query.shape[1], value.shape[1]
        if use_causal_mask:
            parts.append(np.tri(target, source, dtype=bool)[None])
        window = self._argument("sliding_window")
        if window is not None:
            distance = np.arange(target)[:, None] - np.arange(source)
            parts.append((np.abs(distance) < window)[None])
        if attention_mask is not None:
            parts.append(boolean(attention_mask))
        combined = None
        for part in parts:
            combined = part if combined is None else combined & part
        return combined

    def _attend_projected(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any,
        training: Any,
        return_attention_scores: bool,
    ) -> Any:
        gate = self._gate_dense(query) if self._argument("use_gate") else None
        output, weights = self._compute_attention(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            attention_mask,
            training,
            return_attention_scores,
        )
        output = self._output_dense(output if gate is None else output * gate)
        return (output, weights) if return_attention_scores else output

    def _compute_attention(self, *args: Any) -> tuple:
        raise NotImplementedError

    def _check_flash(self, flash_attention: Any, dropout: float) -> None:
        from minikeras import config

        enabled = getattr(config, "is_flash_attention_enabled", lambda: None)()
        self._flash_attention = flash_attention or enabled
        if self._flash_attention and dropout > 0.0:
            raise ValueError(
                "Dropout is not supported when flash attention is enabled. Set `dropout=0.0`, or"
                " leave `flash_attention` out."
            )

    def _check_scores(self, wanted: bool) -> None:
        if self._flash_attention and wanted:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is enabled."
                " Please disable flash attention to access attention scores."
                " (`flash_attention=False`)"
            )


def boolean(mask: Any) -> np.ndarray:
    return np.asarray(plain(mask)).astype(bool, copy=False)


def check_positive(name: str, value: Any, layer: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
        raise ValueError(
            f"{layer}: argument `{name}` must be a positive integer. Received: {name}={value!r}"
        )


def check_key_shape(value_shape: Any, key_shape: Any) -> None:
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            "All axes of `value` and `key` but the first and the last must be equal. Received:"
            f" value_shape={value_shape} and key_shape={key_shape}"
        )


SERIALIZED = {
    "kernel_initializer": registry.initializers,
    "bias_initializer": registry.initializers,
    "kernel_regularizer": registry.regularizers,
    "bias_regularizer": registry.regularizers,
    "activity_regularizer": registry.regularizers,
    "kernel_constraint": registry.constraints,
    "bias_constraint": registry.constraints,
}


def attend(query: Any, key: Any, value: Any, **options: Any) -> tuple:
    return call_kernel(_CORE, [query, key, value], options)


@registry.layers.register("GroupQueryAttention", "GroupedQueryAttention")
class GroupedQueryAttention(HeadsAttention):
    """Grouped-query attention (Ainslie et al. 2023).

    As `MultiHeadAttention`, but several query heads share one key and value head.

    Args:
        head_dim: Positive integer. Size of a head.
        num_query_heads: Positive integer. Number of query heads.
        num_key_value_heads: Positive integer that divides `num_query_heads`. Number of key and
            value heads.
        dropout: Float between 0 and 1, default 0. Rate of dropping attention weights.
        use_bias: Boolean, default True. Whether the projections have a bias.
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
        `(batch, target, size)`, and `(batch, query heads, target, source)` for the weights.

    Raises:
        ValueError: for arguments out of range, or shapes that do not match.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.GroupQueryAttention(3, num_query_heads=4, num_key_value_heads=2)
    >>> query, value = np.ones((2, 5, 8), "float32"), np.ones((2, 7, 8), "float32")
    >>> layer(query, value).shape
    (2, 5, 8)
    """

    _keras_name = "GroupQueryAttention"

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
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
        for name, given in (
            ("head_dim", head_dim),
            ("num_query_heads", num_query_heads),
            ("num_key_value_heads", num_key_value_heads),
            ("sliding_window", sliding_window),
        ):
            if name != "sliding_window" or given is not None:
                check_positive(name, given, "GroupedQueryAttention")
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                "Argument `num_query_heads` must be divisible by `num_key_value_heads`. Received:"
                f" num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}"
            )
        super().__init__(**kwargs)
        self.supports_masking = True
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads
        self.num_repeats = num_query_heads // num_key_value_heads
        self.dropout, self.use_bias, self.use_gate = dropout, use_bias, use_gate
        self.sliding_window, self.seed = sliding_window, seed
        self.kernel_initializer = registry.initializers.get(kernel_initializer)
        self.bias_initializer = registry.initializers.get(bias_initializer)
        self.kernel_regularizer = registry.regularizers.get(kernel_regularizer)
        self.bias_regularizer = registry.regularizers.get(bias_regularizer)
        self.activity_regularizer = registry.regularizers.get(activity_regularizer)
        self.kernel_constraint = registry.constraints.get(kernel_constraint)
        self.bias_constraint = registry.constraints.get(bias_constraint)
        self._check_flash(flash_attention, dropout)

    def _argument(self, name: str) -> Any:
        return getattr(self, name)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        check_key_shape(value_shape, key_shape)
        self.feature_dim = query_shape[-1]
        own = (None, self.num_query_heads, self.head_dim)
        shared = (None, self.num_key_value_heads, self.head_dim)
        query, source = "bqm,muh->bquh", "bkm,mvh->bkvh"
        self._query_dense = self._dense(query, own, "uh", "query", query_shape)
        self._key_dense = self._dense(source, shared, "vh", "key", key_shape)
        if self.use_gate:
            self._gate_dense = self._dense(
                query, own, "uh", "gate", query_shape, activation="sigmoid"
            )
        self._value_dense = self._dense(source, shared, "vh", "value", value_shape)
        self._add_helpers(-1)
        self._output_dense = self._dense(
            "bquh,uhm->bqm",
            (None, self.feature_dim),
            "m",
            "attention_output",
            (None, *own),
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
        mask = None if attention_mask is None else boolean(attention_mask)
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]
        shape = (query.shape[0], self.num_query_heads, query.shape[1], key.shape[1])
        return attend(
            query,
            key,
            value,
            scale=1 / math.sqrt(self.head_dim),
            mask=mask,
            dropout=self._dropout_mask(shape, query.dtype, training),
            # Keras's two ways of computing differ for rows without anything to attend to.
            zero_masked_rows=self.dropout > 0 or return_attention_scores,
            need_weights=return_attention_scores,
        )

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
        if query_shape[-1] != value_shape[-1]:
            raise ValueError(
                "The last axes of query and value must be equal. Received:"
                f" query_shape={query_shape}, value_shape={value_shape}"
            )
        check_key_shape(value_shape, value_shape if key_shape is None else key_shape)
        return tuple(query_shape)

    def compute_output_spec(self, query: Any, value: Any, key: Any = None, **options: Any) -> Any:
        key_shape = None if key is None else tuple(key.shape)
        shape = self.compute_output_shape(tuple(query.shape), tuple(value.shape), key_shape)
        output = KerasTensor(shape, dtype=self.compute_dtype)
        if not options.get("return_attention_scores"):
            return output
        source = value.shape[1] if key is None else key.shape[1]
        weights = (query.shape[0], self.num_query_heads, query.shape[1], source)
        return output, KerasTensor(weights, dtype=self.compute_dtype)

    def get_config(self) -> dict:
        config = super().get_config()
        for name in (
            "head_dim",
            "num_query_heads",
            "num_key_value_heads",
            "use_bias",
            "use_gate",
            "sliding_window",
            "dropout",
        ):
            config[name] = getattr(self, name)
        for name, home in SERIALIZED.items():
            config[name] = home.serialize(getattr(self, name))
        return {**config, "seed": self.seed}
