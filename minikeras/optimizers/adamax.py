"""Further from Adam: Adamax, Nadam, schedule-free AdamW."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.spelling import understands_old
from minikeras.engine.variable import Variable
from minikeras.optimizers.adam import update_moments
from minikeras.optimizers.kernel import Cast, KernelOptimizer


@registry.optimizers.register("Adamax")
class Adamax(KernelOptimizer):
    """Adam with the largest gradient in place of the root mean square (Kingma and Ba, 2014).

    `m += (1 - beta_1) * (g - m)`, `u = max(beta_2 * u, abs(g))`,
    `w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        beta_1: Float. Defaults to 0.9.
        beta_2: Float. Defaults to 0.999.
        epsilon: Float. Defaults to 1e-7.
        {common}
    """

    fades = True

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
        return [{"_m": ("momentum", "zeros"), "_u": ("norm", "zeros")}]

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        correction = 1.0 - cast(given(self.beta_1) ** step)
        return (1 - self.beta_1, self.beta_2, self.epsilon, rate, correction)

    def rule(self) -> Any:
        return _adamax

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _adamax(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, rest, beta_2, epsilon, rate, correction, *_ = c
    (_, m, u), (_, t, s) = slots, scratch
    np.subtract(g, m, t)
    np.multiply(t, rest, t)
    np.add(m, t, m)
    np.multiply(u, beta_2, u)
    np.abs(g, t)
    np.maximum(u, t, out=u)
    np.add(u, epsilon, t)
    np.multiply(t, correction, t)
    np.multiply(m, rate, s)
    np.divide(s, t, t)
    np.subtract(w, t, w)


@registry.optimizers.register("Nadam")
class Nadam(KernelOptimizer):
    """Adam with Nesterov momentum (Dozat, 2016).

    With `u(t) = beta_1 * (1 - 0.96**t / 2)` and `p(t)` the product of the `u` up to `t`:
    `m_hat = u(t + 1) * m / (1 - p(t + 1)) + (1 - u(t)) * g / (1 - p(t))`,
    `w -= learning_rate * m_hat / (sqrt(v / (1 - beta_2**t)) + epsilon)`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        beta_1: Float. Defaults to 0.9.
        beta_2: Float. Defaults to 0.999.
        epsilon: Float. Defaults to 1e-7.
        {common}
    """

    fades = True

    @understands_old
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

    def build(self, var_list: list) -> None:
        if self.built:
            return
        super().build(var_list)
        dtype = var_list[0].dtype if var_list else None
        # Keras gives it neither a name nor the optimizer's scope; files have it last.
        self._u_product = Variable(1.0, dtype=dtype)

    def _begin_update(self, step: int) -> None:
        product = self._u_product.array
        product *= self.beta_1
        product *= 1.0 - 0.5 * 0.96**step

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        product = self._u_product.array.item()
        beta_1, decay = given(self.beta_1), given(0.96)
        now = cast(beta_1 * (1.0 - 0.5 * cast(decay**step)))
        following = cast(beta_1 * (1.0 - 0.5 * cast(decay ** (step + 1))))
        return (
            1 - beta_1,
            1 - given(self.beta_2),
            self.epsilon,
            rate,
            following / (1.0 - cast(product * following)),
            (1.0 - now) / (1.0 - product),
            1.0 - cast(given(self.beta_2) ** step),
        )

    def rule(self) -> Any:
        return _nadam

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _nadam(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, _, _, epsilon, rate, from_m, from_g, correction, *_ = c
    (moments, m, v), (_, t, u) = slots, scratch
    update_moments(c, g, moments, scratch)
    np.multiply(m, from_m, t)
    np.multiply(g, from_g, u)
    np.add(t, u, t)
    np.multiply(t, rate, t)
    np.divide(v, correction, u)
    np.sqrt(u, u)
    np.add(u, epsilon, u)
    np.divide(t, u, t)
    np.subtract(w, t, w)


@registry.optimizers.register("ScheduleFreeAdamW")
class ScheduleFreeAdamW(KernelOptimizer):
    """AdamW without a learning rate schedule (Defazio et al., 2024).

    The model holds `y = (1 - beta_1) * z + beta_1 * x`; `z` makes Adam's steps without momentum,
    `x` is the mean of the `z` so far.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.0025.
        beta_1: Float. Defaults to 0.9. Between `z` and `x`.
        beta_2: Float. Defaults to 0.999.
        epsilon: Float. Defaults to 1e-8.
        warmup_steps: Integer. Defaults to 0. Steps over which the learning rate grows.
        {common}
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
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
        self.warmup_steps = warmup_steps

    _momentums: list

    def slot_groups(self) -> list:
        return [{"_momentums": ("momentum", "zeros"), "_velocities": ("velocity", "zeros")}]

    def build(self, var_list: list) -> None:
        if self.built:
            return
        super().build(var_list)
        for momentum, variable in zip(self._momentums, var_list):
            if momentum is not None:
                momentum.assign(variable)

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        if self.warmup_steps > 0:
            rate *= cast(min(step / self.warmup_steps, 1.0))
        beta_1, beta_2 = given(self.beta_1), given(self.beta_2)
        part = cast(1.0 / step)
        # sqrt(v / k) + epsilon, times sqrt(k) on both sides of the fraction.
        root = math.sqrt(1.0 - cast(beta_2**step))
        return (
            1 - beta_2,
            given(self.epsilon) * root,
            rate * root,
            1.0 - part,
            # y' = (1 - part) * (y - (1 - beta_1) * z) + (1 - beta_1 + beta_1 * part) * z'
            (1.0 - part) * (1.0 - beta_1),
            (1.0 - beta_1) + beta_1 * part,
        )

    def rule(self) -> Any:
        return _schedule_free

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }


def _schedule_free(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, rest, epsilon, rate, keep, old, new, *_ = c
    (_, z, v), (_, t, u) = slots, scratch
    np.multiply(g, g, t)
    np.subtract(t, v, t)
    np.multiply(t, rest, t)
    np.add(v, t, v)
    np.sqrt(v, t)
    np.add(t, epsilon, t)
    np.multiply(g, rate, u)
    np.divide(u, t, t)
    np.multiply(w, keep, w)
    np.multiply(z, old, u)
    np.subtract(w, u, w)
    np.subtract(z, t, z)
    np.multiply(z, new, u)
    np.add(w, u, w)
