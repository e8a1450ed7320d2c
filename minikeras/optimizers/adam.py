"""Adam and its kin: AdamW, Lamb, Lion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.kernels import blas
from minikeras.optimizers.kernel import Cast, KernelOptimizer
from minikeras.optimizers.plan import norm


@registry.optimizers.register("Adam")
class Adam(KernelOptimizer):
    """Adaptive moments (Kingma and Ba, 2014).

    `m += (1 - beta_1) * (g - m)`, `v += (1 - beta_2) * (g**2 - v)`,
    `w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)`.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        beta_1: Float. Defaults to 0.9.
        beta_2: Float. Defaults to 0.999.
        epsilon: Float. Defaults to 1e-7.
        amsgrad: Boolean, default False. Whether the largest `v` so far is divided by
            (Reddi et al., 2018).
        {common}

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> optimizer = minikeras.optimizers.Adam(learning_rate=0.1)
    >>> v = minikeras.Variable(np.array([1.0, 2.0]))
    >>> count = optimizer.apply_gradients([(np.array([3.0, -5.0]), v)])
    >>> v.numpy().round(4).tolist()
    [0.9, 2.1]
    """

    fades = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        if isinstance(amsgrad, float):
            # The order of Keras 1 and 2.0 to 2.3 went on with the decay and `amsgrad`.
            kwargs["decay"], amsgrad, weight_decay = amsgrad, bool(weight_decay), None
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
            ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name, **kwargs,
        )  # fmt: skip
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def slot_groups(self) -> list:
        groups = [{"_momentums": ("momentum", "zeros"), "_velocities": ("velocity", "zeros")}]
        if self.amsgrad:
            groups.append({"_velocity_hats": ("velocity_hat", "zeros")})
        return groups

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        return (
            1 - self.beta_1,
            1 - self.beta_2,
            self.epsilon,
            bias_corrected(rate, self.beta_1, self.beta_2, step, cast, given),
        )

    def rule(self) -> Any:
        return _amsgrad if self.amsgrad else _adam

    def long_rule(self, w: Any, g: Any, slots: tuple, scratch: tuple) -> Any:
        _, m, v, *largest = slots
        if (loops := blas.loops()) and not largest and w.dtype.char == "f":
            return lambda c: loops.adam(w, g, m, v, *map(np.float32, c))
        top, t = (largest or [v])[0], scratch[1]
        move_m, move_v, descend = blas.axpby(g, m), blas.axpby(t, v), blas.axpy(t, w)

        def update(c: tuple) -> None:
            first, second, epsilon, alpha = c
            move_m(first, 1 - first)
            np.multiply(g, g, t)
            move_v(second, 1 - second)
            if top is not v:
                np.maximum(top, v, out=top)
            np.sqrt(top, t)
            np.add(t, epsilon, t)
            np.divide(m, t, t)
            descend(-alpha)

        return update

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


def bias_corrected(
    rate: float, beta_1: float, beta_2: float, step: int, cast: Cast, given: Cast
) -> float:
    """`rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)`, rounded where Keras rounds."""
    first = 1.0 - cast(given(beta_1) ** step)
    second = 1.0 - cast(given(beta_2) ** step)
    return rate * math.sqrt(second) / first


def update_moments(c: tuple, g: np.ndarray, slots: np.ndarray, scratch: tuple) -> None:
    """Move the rows `m, v` of `slots` towards `g, g**2`, by `c[0]` (a column)."""
    both, first, second, *_ = scratch
    np.subtract(g, slots[0], first)
    np.multiply(g, g, second)
    np.subtract(second, slots[1], second)
    np.multiply(both, c[0], both)
    np.add(slots, both, slots)


def _adam(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    column, _, _, epsilon, alpha, *_ = c
    moments, m, v = slots
    both, t, u = scratch
    # Both moments at once: a small model's step is spent in calls, not in arithmetic.
    np.subtract(g, m, t)
    np.multiply(g, g, u)
    np.subtract(u, v, u)
    np.multiply(both, column, both)
    np.add(moments, both, moments)
    np.sqrt(v, t)
    np.add(t, epsilon, t)
    np.divide(m, t, t)
    np.multiply(t, alpha, t)
    np.subtract(w, t, w)


def _amsgrad(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, first, second, epsilon, alpha, *_ = c
    _, m, v, largest = slots
    _, t, u = scratch
    np.subtract(g, m, t)
    np.multiply(t, first, t)
    np.add(m, t, m)
    np.multiply(g, g, u)
    np.subtract(u, v, u)
    np.multiply(u, second, u)
    np.add(v, u, v)
    np.maximum(largest, v, out=largest)
    np.sqrt(largest, t)
    np.add(t, epsilon, t)
    np.divide(m, t, t)
    np.multiply(t, alpha, t)
    np.subtract(w, t, w)


@registry.optimizers.register("AdamW")
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, 2017).

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        weight_decay: Float. Defaults to 0.004.
        beta_1: Float. Defaults to 0.9.
        beta_2: Float. Defaults to 0.999.
        epsilon: Float. Defaults to 1e-7.
        amsgrad: Boolean, default False. Whether the largest `v` so far is divided by.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: As in `Adam`.

    Raises:
        ValueError: if `weight_decay` is None.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue,
            global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name, **kwargs,
        )  # fmt: skip
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")


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
