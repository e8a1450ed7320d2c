"""Adafactor."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import Variable
from minikeras.optimizers.kernel import Cast, KernelOptimizer


@registry.optimizers.register("Adafactor")
class Adafactor(KernelOptimizer):
    """Adam whose second moments of a matrix are kept as row and column means (Shazeer, 2018).

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        beta_2_decay: Float. Defaults to -0.8. The mean of the squares keeps
            `1 - step**beta_2_decay` of its value.
        epsilon_1: Float. Defaults to 1e-30. Added to the squares.
        epsilon_2: Float. Defaults to 0.001. Least root mean square of a variable to scale by.
        clip_threshold: Float. Defaults to 1.0. Largest root mean square of a step.
        relative_step: Boolean, default True. Whether the rate is at most `1 / sqrt(step)`.
        {common}
    """

    layerwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
            ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name, **kwargs,
        )  # fmt: skip
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, var_list: list) -> None:
        if self.built:
            return
        super().build(var_list)
        rows: list = []
        columns: list = []
        velocities: list = []
        for variable in var_list:
            shape = variable.shape
            overwrites = getattr(variable, "overwrite_with_gradient", False)
            if len(shape) < 2:
                # Not used; they keep the places that Keras gives them in files.
                for into in (rows, columns):
                    into.append(Variable(0, name=variable.name, trainable=False))
                    self._track(into[-1])
            elif overwrites:
                rows.append(None)
                columns.append(None)
            else:
                for into, reduced in ((rows, shape[:-1]), (columns, (*shape[:-2], shape[-1]))):
                    into.append(
                        self.add_variable(reduced, dtype=variable.dtype, name=variable.name)
                    )
            velocities.append(
                None if overwrites else self.add_variable_from_reference(variable, "velocity")
            )
        self._r, self._c, self._v = rows, columns, velocities

    def _slot_lists(self) -> dict[str, list]:
        return {"velocity": self._v}

    def _layer_slots(self) -> dict[str, list]:
        return {"row": self._r, "column": self._c, "velocity": self._v}

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        limit = cast(1.0 / cast(step**0.5))
        # Both of Keras's minima come to this one, as it takes the second in any case.
        rate = min(rate, limit)
        keep = 1.0 - cast(step**self.beta_2_decay)
        return (rate, keep, 1.0 - keep, self.epsilon_1, given(self.epsilon_2), self.clip_threshold)

    def rule(self) -> Any:
        return _adafactor

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _mean_square(x: np.ndarray) -> float:
    flat = x.reshape(-1)
    return float(np.dot(flat, flat)) / x.size


def _adafactor(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, rate, keep, rest, epsilon_1, epsilon_2, threshold, *_ = c
    (_, r, k, v), t = slots, scratch[1]
    if not w.size:
        return
    alpha = max(epsilon_2.item(), _mean_square(w) ** 0.5) * rate.item()
    np.multiply(g, g, t)
    np.add(t, epsilon_1, t)
    if w.ndim >= 2:
        r *= keep
        r += rest * t.mean(axis=-1)
        k *= keep
        k += rest * t.mean(axis=-2)
        np.multiply((r / r.mean(axis=-1, keepdims=True))[..., None], k[..., None, :], v)
    else:
        np.multiply(v, keep, v)
        np.multiply(t, rest, t)
        np.add(v, t, v)
    np.sqrt(v, t)
    np.divide(g, t, t)
    scale = max(1.0, _mean_square(t) ** 0.5 / threshold.item())
    np.multiply(t, alpha / scale, t)
    np.subtract(w, t, w)
