"""Embedding and ReversibleEmbedding."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import ops
from minikeras.engine import dtypes, registry
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels.rows import row_sums
from minikeras.layers.quantized import Part, QuantizableWeight


@registry.layers.register("Embedding")
class Embedding(QuantizableWeight):
    """Turns integers (such as words) into vectors, by a table that is trained.

    Args:
        input_dim: Positive integer. Size of the vocabulary: the largest integer plus 1.
        output_dim: Positive integer. Size of the vectors.
        embeddings_initializer: Defaults to `"uniform"`.
        embeddings_regularizer: Regularizer of the table, or None.
        embeddings_constraint: Constraint of the table, or None.
        mask_zero: Boolean, default False. Whether 0 is padding, which later layers skip.
        weights: Array of shape `(input_dim, output_dim)` to start from (or a list that holds it),
            or None.
        lora_rank: Positive integer, or None (default). If given, the table is frozen and a change
            of this rank is trained; see `enable_lora`.
        lora_alpha: Float, default `lora_rank`. Scale of that change.
        quantization_config: `QuantizationConfig` for a quantized dtype policy, or None (default).

    Input shape: `(batch, ...)`, integers. Output shape: `(batch, ..., output_dim)`.

    Raises:
        ValueError: when called with an integer that is negative or not below `input_dim`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Embedding(1000, 64)(np.array([[4, 20, 7]])).shape
    (1, 3, 64)
    """

    _adapted = "embeddings"
    _modes = ("int8", "int4")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        for argument, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
                raise ValueError(
                    f"`{argument}` must be a positive integer. Received: {argument}={value!r} (of"
                    f" type {type(value).__name__})."
                )
        input_length = kwargs.pop("input_length", None)
        if input_length is not None:
            warnings.warn("Argument `input_length` is deprecated. Just remove it.", stacklevel=2)
            if not {"input_shape", "batch_shape", "batch_input_shape"} & set(kwargs):
                # What it said in Keras 1 and 2: models know their shapes before they see data.
                lengths = (
                    input_length if isinstance(input_length, (tuple, list)) else [input_length]
                )
                kwargs["input_shape"] = tuple(lengths)
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        self.embeddings_initializer = registry.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = registry.regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = registry.constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        self._init_low_rank(lora_rank, lora_alpha)
        self._init_quantization(quantization_config)
        if weights is not None:
            self.build()
            self.set_weights(
                weights if isinstance(weights, list) and len(weights) == 1 else [weights]
            )

    def build(self, input_shape: Any = None) -> None:
        """Make the table."""
        if self.built:
            return
        mode = self.quantization_mode
        if mode is not None:
            self.quantized_build(self._weight_shape(), mode, self.quantization_config)
        else:
            self._embeddings = self.add_weight(
                name="embeddings",
                shape=(self.input_dim, self.output_dim),
                initializer=self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
            )
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def embeddings(self) -> Any:
        """The table, with its low-rank change if there is one."""
        if not self.built:
            raise AttributeError("You must build the layer before accessing `embeddings`.")
        return self._shown_weight() if self.altered else self._embeddings

    def _weight_shape(self) -> tuple:
        return self.input_dim, self.output_dim

    def _parts(self, mode: str) -> list:
        return [Part("embeddings", "_embeddings", self._weight_shape(), 1)]

    def _indices(self, x: np.ndarray) -> np.ndarray:
        if x.dtype.kind not in "iu":
            x = x.astype(np.int32)
        if x.size and (x.min() < 0 or x.max() >= self.input_dim):
            wrong = x[(x < 0) | (x >= self.input_dim)].flat[0]
            raise ValueError(
                f"Layer {self.name!r} received the index {wrong}, but its table has rows 0 to"
                f" {self.input_dim - 1} (input_dim={self.input_dim}). Set `input_dim` to the"
                " largest index plus 1."
            )
        return x

    def forward(self, ctx: Any, x: Any) -> Any:
        indices = self._indices(x)
        ctx.save(indices)
        y = self._embeddings.array.take(indices, axis=0)
        if self._is_quantized:
            mode: Any = self.quantization_mode
            y = self._floats(self._parts(mode)[0], mode, y, indices)
        if self.lora_enabled:
            a, b, scale = self._pair()
            y = y + (scale * (a.array[indices] @ b.array)).astype(y.dtype, copy=False)
        return y.astype(dtypes.numpy_dtype(self.compute_dtype), copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not self._trains_merged():
            return None
        indices, sums = row_sums(ctx.saved[0], dy)
        table = self._embeddings
        target = ctx.grad_target(table) if table.trainable else None
        gradient = np.empty(self._weight_shape(), dy.dtype) if target is None else target
        gradient.fill(0)
        gradient[indices] = sums
        if target is None:
            self._add_merged_gradient(ctx, gradient)
        return None

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where the input is not 0, if `mask_zero`."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None  # type: ignore[attr-defined]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input, and `output_dim`."""
        return *input_shape, self.output_dim

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": registry.initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": registry.regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": registry.regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": registry.constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            **self._quantization_config(),
            **self._low_rank_config(),
        }


@registry.layers.register("ReversibleEmbedding")
class ReversibleEmbedding(Embedding):
    """An embedding that also turns vectors back into scores of the vocabulary.

    `layer(indices)` embeds; `layer(vectors, reverse=True)` multiplies vectors with the table.

    Args:
        input_dim: Positive integer. Size of the vocabulary.
        output_dim: Positive integer. Size of the vectors.
        tie_weights: Boolean, default True. Whether both ways use the same table.
        embeddings_initializer: Defaults to `"uniform"`.
        embeddings_regularizer, embeddings_constraint: As in `Embedding`.
        mask_zero: Boolean, default False. Whether 0 is padding, which later layers skip.
        reverse_dtype: Dtype in which scores are computed. Defaults to that of the layer.
        logit_soft_cap: Float or None (default). Scores are bounded by it, as
            `cap * tanh(scores / cap)`.

    Input shape: `(batch, ...)`, or `(batch, ..., output_dim)` in reverse.
    Output shape: `(batch, ..., output_dim)`, or `(batch, ..., input_dim)` in reverse.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ReversibleEmbedding(100, 16)
    >>> vectors = layer(np.array([[3, 4]]))
    >>> layer(vectors, reverse=True).shape
    (1, 2, 100)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.tie_weights = tie_weights
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )
        self.reverse_dtype, self.logit_soft_cap = reverse_dtype, logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        """Make the table, and the reverse one unless it is tied."""
        if self.built:
            return
        super().build(input_shape)
        if not self.tie_weights and not self._is_quantized:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings",
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )

    def _parts(self, mode: str) -> list:
        parts = super()._parts(mode)
        if not self.tie_weights:
            name = "reverse_embeddings"
            parts.append(Part(name, name, self._weight_shape()[::-1], 0, 0, None))
        return parts

    @property
    def variable_serialization_spec(self) -> dict:
        """The names of the variables, by quantization mode, in the order of files."""
        spec = super().variable_serialization_spec
        if not self.tie_weights:
            endings = {"int8": ("", "_scale"), "int4": ("", "_scale", "_zero")}
            for mode, names in spec.items():
                names += [f"reverse_embeddings{end}" for end in endings.get(mode, ("",))]
        return spec

    def _reverse_kernel(self) -> np.ndarray:
        if self.tie_weights:
            return self._merged().T
        kernel = self.reverse_embeddings.array
        if self._is_quantized:
            mode: Any = self.quantization_mode
            kernel = self._floats(self._parts(mode)[1], mode, kernel)
        return kernel

    def forward(self, ctx: Any, x: Any, reverse: bool = False) -> Any:
        ctx.reverse = reverse
        if not reverse:
            return super().forward(ctx, x)
        kernel = self._reverse_kernel()
        ctx.dtype = x.dtype
        if self.inputs_quantizer is not None:
            x = self._rounded(x, -1)
        dtype = dtypes.numpy_dtype(self.reverse_dtype or self.compute_dtype)
        x, kernel = x.astype(dtype, copy=False), kernel.astype(dtype, copy=False)
        scores = x @ kernel
        cap = self.logit_soft_cap
        if cap is not None:
            scores /= cap
            np.tanh(scores, out=scores)
        ctx.save(x, kernel, scores)
        return scores if cap is None else scores * cap

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not ctx.reverse:
            return super().backward(ctx, dy)
        x, kernel, bounded = ctx.saved
        if self.logit_soft_cap is not None:
            dy = dy * (1 - bounded * bounded)
        rows, scores = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        if self.tie_weights:
            if self._trains_merged():
                self._add_merged_gradient(ctx, scores.T @ rows)
        elif self.reverse_embeddings.trainable:
            ctx.add_grad(self.reverse_embeddings, rows.T @ scores)
        return (dy @ kernel.T).astype(ctx.dtype, copy=False) if ctx.needs[0] else None

    def _narrow(self, outputs: Any) -> Any:
        return outputs if self.reverse_dtype else super()._narrow(outputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where the input is not 0, if `mask_zero`; vectors give none."""
        if np.dtype(inputs.dtype).kind not in "iu":
            return None
        return super().compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        """The shape of vectors, or of scores in reverse."""
        if reverse:
            return *input_shape[:-1], self.input_dim
        return *input_shape, self.output_dim

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        dtype = self.reverse_dtype if reverse and self.reverse_dtype else self.compute_dtype
        return KerasTensor(self.compute_output_shape(inputs.shape, reverse), dtype=dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
