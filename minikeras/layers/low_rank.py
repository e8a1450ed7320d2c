"""Layers of one large weight, and its low-rank adaptation (LoRA)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.recording import activate, activate_backward


class LowRankAdaptation(Layer):
    """Train a low-rank change of a frozen weight: `weight + alpha / rank * a @ b`.

    From Hu et al. 2022, "LoRA: low-rank adaptation of large language models". For layers with one
    large weight, named by `_adapted`.
    """

    _adapted = "kernel"
    activation: Any
    bias: Any
    # Whether there is a change, or the weight is quantized: then calls go another way.
    altered = False
    lora_enabled = False
    lora_rank: Any
    lora_alpha: Any

    def _init_low_rank(self, rank: Any, alpha: Any) -> None:
        self.lora_rank = rank
        self.lora_alpha = alpha if alpha is not None else rank
        self.lora_enabled = False

    # A layer defines the shape of the weight, however it is kept; what is computed before bias and
    # activation, with its gradients; and how the gradient of the bias is passed on.
    _weight_shape: Any
    _product: Any
    _product_backward: Any
    _bias_backward: Any

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a low-rank change of it instead.

        Args:
            rank: Positive integer.
            lora_alpha: Float. The change is scaled by `lora_alpha / rank`. Defaults to `rank`.
            a_initializer: Defaults to `"he_uniform"`.
            b_initializer: Defaults to `"zeros"`: the layer computes at first what it did before.

        Raises:
            ValueError: if the weight has a constraint, the layer is not built, this was done
                already, or `rank` is not positive.
            NotImplementedError: if the layer is quantized by GPTQ, AWQ or to float8.
        """
        name = self._adapted
        if getattr(self, f"{name}_constraint"):
            raise ValueError(
                f"Lora is incompatible with {name.removesuffix('s')} constraints. Remove the"
                f" `{name}_constraint` argument to enable lora on this layer."
            )
        if not self.built:
            raise ValueError("Cannot enable lora on a layer that isn't yet built.")
        if self.lora_enabled:
            raise ValueError("lora is already enabled. This can only be done once per layer.")
        if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)) or rank <= 0:
            raise ValueError(f"`rank` must be a positive integer. Received: rank={rank!r}")
        mode = self.quantization_mode
        if mode in ("gptq", "awq", "float8"):
            raise NotImplementedError(f"lora is not supported with {mode} quantization.")
        shape = self._weight_shape()
        regularizer = getattr(self, f"{name}_regularizer")
        for letter, part, initializer in (
            ("a", (*shape[:-1], rank), a_initializer),
            ("b", (rank, shape[-1]), b_initializer),
        ):
            variable = self.add_weight(
                name=f"lora_{name}_{letter}",
                shape=part,
                initializer=registry.initializers.get(initializer),
                dtype="float32",
                regularizer=regularizer,
            )
            setattr(self, f"lora_{name}_{letter}", variable)
        getattr(self, f"_{name}").trainable = False
        self.lora_enabled = self.altered = True
        self.lora_rank = rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else rank

    def _pair(self) -> tuple[Any, Any, float]:
        name = self._adapted
        scale = self.lora_alpha / self.lora_rank
        return getattr(self, f"lora_{name}_a"), getattr(self, f"lora_{name}_b"), scale

    def _float_weight(self) -> np.ndarray:
        """The weight without its low-rank change."""
        return getattr(self, f"_{self._adapted}").array

    def _merged(self) -> np.ndarray:
        """The weight with its low-rank change."""
        weight = self._float_weight()
        return self._changed(weight) if self.lora_enabled else weight

    def _changed(self, weight: np.ndarray) -> np.ndarray:
        a, b, scale = self._pair()
        return weight + (scale * (a.array @ b.array)).astype(weight.dtype, copy=False)

    def _add_merged_gradient(self, ctx: Any, gradient: np.ndarray) -> None:
        """Pass the gradient of the merged weight on to what trains."""
        weight = self.__dict__.get(f"_{self._adapted}")
        if weight is not None:
            ctx.add_grad(weight, gradient)
        if self.lora_enabled:
            a, b, scale = self._pair()
            rows = gradient.reshape(-1, gradient.shape[-1])
            columns = a.array.reshape(-1, a.shape[-1])
            ctx.add_grad(a, scale * (rows @ b.array.T).reshape(a.shape))
            ctx.add_grad(b, scale * (columns.T @ rows))

    def _trains_merged(self) -> bool:
        parts = [self.__dict__.get(f"_{self._adapted}")]
        if self.lora_enabled:
            parts += self._pair()[:2]
        return any(one is not None and one.trainable for one in parts)

    # Calls of an altered layer

    def _altered_forward(self, ctx: Any, x: np.ndarray) -> np.ndarray:
        given, inside, weight, bias = self._operands(ctx, x)
        total = self._changed(weight) if self.lora_enabled else weight
        if inside is given or not self.lora_enabled:
            z = self._product(inside, total)
        else:
            z = self._product(inside, weight) + self._product(given, total - weight)
        ctx.save(given, total)
        if bias is not None:
            z = z + bias
        return activate(ctx, self.activation, z)

    def _operands(self, ctx: Any, x: np.ndarray) -> tuple:
        """The input for the low-rank change and gradients, that for the weight, weight, bias."""
        bias = self.bias
        return x, x, self._float_weight(), None if bias is None else bias.array

    def _altered_backward(self, ctx: Any, dy: np.ndarray) -> Any:
        x, weight = ctx.saved
        dz = activate_backward(ctx, dy)
        bias = self.bias
        if bias is not None and bias.trainable:
            self._bias_backward(ctx, dz)
        dz = self._upstream(ctx, dz)
        dx, dw = self._product_backward(x, weight, dz, ctx.needs[0], self._trains_merged())
        if dw is not None:
            self._add_merged_gradient(ctx, dw)
        return dx

    def _upstream(self, ctx: Any, dz: np.ndarray) -> np.ndarray:
        return dz

    # Files

    @property
    def variable_serialization_spec(self) -> dict:
        """The names of the variables, by quantization mode, in the order of files."""
        name = self._adapted
        scaled = [name, "bias", f"{name}_scale"]
        packed = ["bias", f"quantized_{name}", f"{name}_scale", f"{name}_zero"]
        return {
            None: [name, "bias"],
            "int8": scaled,
            "int4": [*scaled, f"{name}_zero", "g_idx"],
            "float8": [
                name, "bias", "inputs_scale", "inputs_amax_history", f"{name}_scale",
                f"{name}_amax_history", "outputs_grad_scale", "outputs_grad_amax_history",
            ],
            "gptq": [*packed, "g_idx"],
            "awq": [*packed, "awq_scales", "g_idx"],
        }  # fmt: skip

    def _in_files(self) -> dict:
        """The variables in the order of files, by name."""
        mode = self.quantization_mode
        names = self.variable_serialization_spec[mode]
        named = {
            name: self.__dict__.get(f"_{name}" if name == self._adapted else name) for name in names
        }
        return {name: variable for name, variable in named.items() if variable is not None}

    def _merged_in_files(self) -> dict:
        """Values that are not those of the variables, by name."""
        return {self._adapted: self._merged()}

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into `store`; a low-rank change is merged into its weight."""
        if not self.altered:
            super().save_own_variables(store)
            return
        merged = self._merged_in_files() if self.lora_enabled else {}
        for index, (name, variable) in enumerate(self._in_files().items()):
            store[str(index)] = merged[name] if name in merged else variable.array

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from `store`; a low-rank change is set back to zero."""
        if not self.altered:
            super().load_own_variables(store)
            return
        named = self._in_files()
        if len(store.keys()) != len(named):
            raise ValueError(
                f"Layer {self.name!r} expected {len(named)} variables,"
                f" but received {len(store.keys())} variables during loading. Expected:"
                f" {list(named)}"
            )
        for index, variable in enumerate(named.values()):
            variable.assign(np.asarray(store[str(index)]))
        if self.lora_enabled:
            for variable in self._pair()[:2]:
                variable.array[...] = 0

    def _low_rank_config(self) -> dict:
        if not self.lora_rank:
            return {}
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
