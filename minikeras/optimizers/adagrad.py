"""Adagrad and its descendants: Adadelta, Adafactor, Ftrl."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import Variable
from minikeras.optimizers.kernel import Cast, KernelOptimizer, constant, epsilon_inside


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

    def rule(self, root: Any = epsilon_inside) -> Any:
        return partial(_adagrad, root=root)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


def _adagrad(
    c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple, root: Any
) -> None:
    _, epsilon, rate, *_ = c
    a, (_, t, u) = slots[1], scratch
    np.multiply(g, g, t)
    np.add(a, t, a)
    root(a, epsilon, t)
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
