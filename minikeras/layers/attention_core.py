"""What the layers with attention over several heads share: projections, masks, the core."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, call_kernel
from minikeras.engine.variable import plain
from minikeras.kernels.attention import attention, attention_backward


class AttentionCore(Operation):
    """Scaled dot-product attention of arrays of shape `(batch, time, heads, size)`."""

    def forward(self, ctx: Any, query: Any, key: Any, value: Any, **options: Any) -> tuple:
        output, weights, saved = attention(query, key, value, keep=ctx.recording, **options)
        ctx.save(saved)
        return output, weights

    def backward(self, ctx: Any, d_output: Any, d_weights: Any) -> tuple:
        (saved,) = ctx.saved
        if d_output is None:
            d_output = np.zeros(saved.query.shape[:-1] + saved.value.shape[-1:], d_weights.dtype)
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
            dtype=self.dtype_policy,
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

        self._softmax = Softmax(axis=softmax_axis, dtype=self.dtype_policy)
        self._dropout_layer = Dropout(
            rate=self._argument("dropout"), dtype=self.dtype_policy, seed=self.seed
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
