"""Low-rank adaptation (LoRA) of a layer's weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry


class LowRankAdaptation:
    """Train a low-rank change of a frozen weight: `weight + alpha / rank * a @ b`.

    From Hu et al. 2022, "LoRA: low-rank adaptation of large language models". For layers with one
    large weight, named by `_adapted`.
    """

    _adapted = "kernel"
    _stored: tuple = ("kernel", "bias")
    lora_enabled = False
    lora_rank: Any
    lora_alpha: Any

    def _init_low_rank(self, rank: Any, alpha: Any, quantization_config: Any) -> None:
        if quantization_config is not None:
            raise ValueError(
                "minikeras has no quantized layers, so `quantization_config` must be None."
                f" Received: quantization_config={quantization_config!r}"
            )
        self.quantization_config = None
        self.lora_rank = rank
        self.lora_alpha = alpha if alpha is not None else rank
        self.lora_enabled = False

    def _constraint_of_adapted(self) -> Any:
        return getattr(self, f"{self._adapted}_constraint")

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
            ValueError: if the weight has a constraint, the layer is not built, or this was done
                already.
        """
        name = self._adapted
        if self._constraint_of_adapted():
            raise ValueError(
                f"Lora is incompatible with {name.removesuffix('s')} constraints. Remove the"
                f" `{name}_constraint` argument to enable lora on this layer."
            )
        if not self.built:  # type: ignore[attr-defined]
            raise ValueError("Cannot enable lora on a layer that isn't yet built.")
        if self.lora_enabled:
            raise ValueError("lora is already enabled. This can only be done once per layer.")
        weight = getattr(self, f"_{name}")
        regularizer = getattr(self, f"{name}_regularizer")
        for letter, shape, initializer in (
            ("a", (*weight.shape[:-1], rank), a_initializer),
            ("b", (rank, weight.shape[-1]), b_initializer),
        ):
            variable = self.add_weight(  # type: ignore[attr-defined]
                name=f"lora_{name}_{letter}",
                shape=shape,
                initializer=registry.initializers.get(initializer),
                dtype="float32",
                regularizer=regularizer,
            )
            setattr(self, f"lora_{name}_{letter}", variable)
        weight.trainable = False
        self.lora_enabled = True
        self.lora_rank = rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else rank

    def _pair(self) -> tuple[Any, Any, float]:
        name = self._adapted
        scale = self.lora_alpha / self.lora_rank
        return getattr(self, f"lora_{name}_a"), getattr(self, f"lora_{name}_b"), scale

    def _merged(self) -> np.ndarray:
        """The value of the weight, with its low-rank change."""
        weight = getattr(self, f"_{self._adapted}").array
        if not self.lora_enabled:
            return weight
        a, b, scale = self._pair()
        return weight + (scale * (a.array @ b.array)).astype(weight.dtype, copy=False)

    def _add_merged_gradient(self, ctx: Any, gradient: np.ndarray) -> None:
        """Pass the gradient of the merged weight on to what trains."""
        ctx.add_grad(getattr(self, f"_{self._adapted}"), gradient)
        if self.lora_enabled:
            a, b, scale = self._pair()
            rows = gradient.reshape(-1, gradient.shape[-1])
            columns = a.array.reshape(-1, a.shape[-1])
            ctx.add_grad(a, scale * (rows @ b.array.T).reshape(a.shape))
            ctx.add_grad(b, scale * (columns.T @ rows))

    def _trains_merged(self) -> bool:
        if getattr(self, f"_{self._adapted}").trainable:
            return True
        if not self.lora_enabled:
            return False
        a, b, _ = self._pair()
        return a.trainable or b.trainable

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into `store`; a low-rank change is merged into its weight."""
        if not self.lora_enabled:
            super().save_own_variables(store)  # type: ignore[misc]
            return
        names = [name for name in self._stored if getattr(self, name, None) is not None]
        for index, name in enumerate(names):
            store[str(index)] = (
                self._merged() if name == self._adapted else getattr(self, name).array
            )

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from `store`; a low-rank change is set back to zero."""
        if not self.lora_enabled:
            super().load_own_variables(store)  # type: ignore[misc]
            return
        names = [name for name in self._stored if getattr(self, name, None) is not None]
        if len(store.keys()) != len(names):
            raise ValueError(
                f"Layer {self.name!r} expected {len(names)} variables,"  # type: ignore[attr-defined]
                f" but received {len(store.keys())} variables during loading. Expected: {names}"
            )
        for index, name in enumerate(names):
            variable = getattr(self, f"_{name}" if name == self._adapted else name)
            variable.assign(np.asarray(store[str(index)]))
        for variable in self._pair()[:2]:
            variable.array[...] = 0

    def _low_rank_config(self) -> dict:
        config: dict = {"quantization_config": None}
        if self.lora_rank:
            config["lora_rank"], config["lora_alpha"] = self.lora_rank, self.lora_alpha
        return config
