"""Adagrad and Adadelta."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.optimizers.kernel import Cast, KernelOptimizer, constant


@registry.optimizers.register("Adagrad")
class Adagrad(KernelOptimizer):
    """Divides the gradient by the root of the sum of its squares so far (Duchi et al., 2011).

    `a += g**2`, `w -= learning_rate * g / sqrt(a + epsilon)`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        initial_accumulator_value: Float. Defaults to 0.1. Where the sums start.
        epsilon: Float. Defaults to 1e-7.
        {common}
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
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
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def slot_groups(self) -> list:
        start = constant(self.initial_accumulator_value)
        return [{"_accumulators": ("accumulator", start)}]

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        return (self.epsilon, rate)

    def rule(self) -> Any:
        return _adagrad

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


def _adagrad(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, epsilon, rate, *_ = c
    a, (_, t, u) = slots[1], scratch
    np.multiply(g, g, t)
    np.add(a, t, a)
    np.add(a, epsilon, t)
    np.sqrt(t, t)
    np.multiply(g, rate, u)
    np.divide(u, t, t)
    np.subtract(w, t, w)


@registry.optimizers.register("Adadelta")
class Adadelta(KernelOptimizer):
    """Adagrad with running means, and steps in the units of the variables (Zeiler, 2012).

    `a = rho * a + (1 - rho) * g**2`, `d = -sqrt(b + epsilon) / sqrt(a + epsilon) * g`,
    `b = rho * b + (1 - rho) * d**2`, `w += learning_rate * d`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        rho: Float. Defaults to 0.95.
        epsilon: Float. Defaults to 1e-7.
        {common}
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
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
        self.rho = rho
        self.epsilon = epsilon

    def slot_groups(self) -> list:
        return [
            {
                "_accumulated_grads": ("accumulated_grad", "zeros"),
                "_accumulated_delta_vars": ("accumulated_delta_var", "zeros"),
            }
        ]

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        return (self.rho, 1 - self.rho, self.epsilon, rate)

    def rule(self) -> Any:
        return _adadelta

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "rho": self.rho,
            "epsilon": self.epsilon,
        }


def _adadelta(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, rho, rest, epsilon, rate, *_ = c
    (_, a, b), (_, t, u) = slots, scratch
    np.multiply(a, rho, a)
    np.multiply(g, g, t)
    np.multiply(t, rest, t)
    np.add(a, t, a)
    np.add(b, epsilon, t)
    np.sqrt(t, t)
    np.multiply(t, g, t)
    np.add(a, epsilon, u)
    np.sqrt(u, u)
    np.divide(t, u, t)
    np.multiply(b, rho, b)
    np.multiply(t, t, u)
    np.multiply(u, rest, u)
    np.add(b, u, b)
    np.multiply(t, rate, t)
    np.subtract(w, t, w)
