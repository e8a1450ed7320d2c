"""Lion."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.optimizers.kernel import Cast, KernelOptimizer


@registry.optimizers.register("Lion")
class Lion(KernelOptimizer):
    """Steps of equal size, by the sign of a mean gradient (Chen et al., 2023).

    `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`,
    `m = beta_2 * m + (1 - beta_2) * g`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        beta_1: Float in (0, 1]. Defaults to 0.9.
        beta_2: Float. Defaults to 0.99.
        {common}

    Raises:
        ValueError: if `beta_1` is out of range.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer"
                f" degenerates to SignSGD. Received: beta_1={beta_1}."
            )

    def slot_groups(self) -> list:
        return [{"_momentums": ("momentum", "zeros")}]

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        beta_1, beta_2 = given(self.beta_1), given(self.beta_2)
        return (beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, rate)

    def rule(self) -> Any:
        return _lion

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
        }


def _lion(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, beta_1, rest_1, beta_2, rest_2, rate, *_ = c
    m, (_, t, u) = slots[1], scratch
    np.multiply(m, beta_1, t)
    np.multiply(g, rest_1, u)
    np.add(t, u, t)
    np.sign(t, t)
    np.multiply(t, rate, t)
    np.subtract(w, t, w)
    np.multiply(m, beta_2, m)
    np.multiply(g, rest_2, u)
    np.add(m, u, m)
