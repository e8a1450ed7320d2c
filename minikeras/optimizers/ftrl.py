"""Ftrl."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.optimizers.kernel import Cast, KernelOptimizer, constant


@registry.optimizers.register("Ftrl")
class Ftrl(KernelOptimizer):
    """Follow the regularized leader (McMahan et al., 2013), for large sparse linear models.

    With `n' = n + g**2`, `z += g + 2 * shrinkage * w - (n'**-p - n**-p) / learning_rate * w`,
    `w = (clip(z, -l1, l1) - z) / (n'**-p / learning_rate + 2 * l2 + beta / learning_rate)`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        learning_rate_power: Float of at most 0, `p` above. Defaults to -0.5.
        initial_accumulator_value: Float of at least 0. Defaults to 0.1. Where `n` starts.
        l1_regularization_strength: Float of at least 0. Defaults to 0.0.
        l2_regularization_strength: Float of at least 0. Defaults to 0.0.
        l2_shrinkage_regularization_strength: Float of at least 0. Defaults to 0.0.
        beta: Float. Defaults to 0.0.
        {common}

    Raises:
        ValueError: for numbers of the wrong sign.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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
        for argument, value, sign in (
            ("initial_accumulator_value", initial_accumulator_value, 1),
            ("learning_rate_power", learning_rate_power, -1),
            ("l1_regularization_strength", l1_regularization_strength, 1),
            ("l2_regularization_strength", l2_regularization_strength, 1),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength, 1),
        ):
            if value * sign < 0:
                raise ValueError(
                    f"`{argument}` needs to be {'positive' if sign > 0 else 'negative'} or zero."
                    f" Received: {argument}={value}."
                )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def slot_groups(self) -> list:
        start = constant(self.initial_accumulator_value)
        return [{"_accumulators": ("accumulator", start), "_linears": ("linear", "zeros")}]

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        # A learning rate of zero has no step; Keras gives nan too.
        l2 = self.l2_regularization_strength + (self.beta / (2.0 * rate) if rate else np.nan)
        return (
            -self.learning_rate_power,
            rate,
            2 * l2,
            2 * self.l2_shrinkage_regularization_strength,
            self.l1_regularization_strength,
            -self.l1_regularization_strength,
        )

    def rule(self) -> Any:
        if self.learning_rate_power == -0.5:
            return partial(_ftrl, power=lambda x, _, out: np.sqrt(x, out))
        return _ftrl

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }


def _ftrl(
    c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple, power: Any = np.power
) -> None:
    _, exponent, rate, l2, shrinkage, l1, minus_l1, *_ = c
    (_, n, z), (_, t, u) = slots, scratch
    power(n, exponent, t)
    np.multiply(g, g, u)
    np.add(n, u, n)
    power(n, exponent, u)
    np.subtract(u, t, t)
    np.divide(t, rate, t)
    # z += g + shrinkage * w - t * w
    np.subtract(shrinkage, t, t)
    np.multiply(t, w, t)
    np.add(t, g, t)
    np.add(z, t, z)
    np.divide(u, rate, u)
    np.add(u, l2, u)
    np.minimum(z, l1, out=t)
    np.maximum(t, minus_l1, out=t)
    np.subtract(t, z, t)
    np.divide(t, u, w)
