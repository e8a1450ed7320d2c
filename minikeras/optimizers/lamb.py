"""Lamb."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.optimizers.kernel import Cast, KernelOptimizer
from minikeras.optimizers.plan import norm


@registry.optimizers.register("Lamb")
class Lamb(KernelOptimizer):
    """Adam whose step of each variable is scaled to the variable's norm (You et al., 2019).

    With Adam's corrected step `d = m_hat / (sqrt(v_hat) + epsilon)`:
    `w -= learning_rate * norm(w) / norm(d) * d`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        beta_1: Float. Defaults to 0.9.
        beta_2: Float. Defaults to 0.999.
        epsilon: Float. Defaults to 1e-7.
        {common}
    """

    layerwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
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
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def slot_groups(self) -> list:
        return [{"_momentums": ("momentum", "zeros"), "_velocities": ("velocity", "zeros")}]

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        return (
            1 - self.beta_1,
            1 - self.beta_2,
            self.epsilon,
            rate,
            1.0 - cast(given(self.beta_1) ** step),
            1.0 - cast(given(self.beta_2) ** step),
        )

    def rule(self) -> Any:
        return _lamb

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _lamb(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, first, second, epsilon, rate, correct_1, correct_2, *_ = c
    (_, m, v), (_, t, u) = slots, scratch
    np.subtract(g, m, t)
    np.multiply(t, first, t)
    np.add(m, t, m)
    np.multiply(g, g, t)
    np.subtract(t, v, t)
    np.multiply(t, second, t)
    np.add(v, t, v)
    np.divide(v, correct_2, t)
    np.sqrt(t, t)
    np.add(t, epsilon, t)
    np.divide(m, correct_1, u)
    np.divide(u, t, t)
    size, length = norm(w), norm(t)
    ratio = size / length if size > 0 and length > 0 else 1.0
    np.multiply(t, ratio * rate.item(), t)
    np.subtract(w, t, w)
