"""Further from Adam: Adamax, Nadam, schedule-free AdamW, Muon."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.spelling import understands_old
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable, plain
from minikeras.optimizers.adam import bias_corrected, update_moments
from minikeras.optimizers.kernel import Cast, KernelOptimizer
from minikeras.optimizers.plan import norm


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


@registry.optimizers.register("Muon")
class Muon(KernelOptimizer):
    """Momentum made orthogonal, for matrices (Jordan et al., 2024); AdamW for all else.

    The momentum of a matrix is replaced by the nearest (semi-)orthogonal matrix, which a few
    Newton-Schulz iterations `x = a * x + (b * x @ x.T + c * (x @ x.T) @ (x @ x.T)) @ x` find.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        adam_beta_1: Float. Defaults to 0.9.
        adam_beta_2: Float. Defaults to 0.999.
        adam_weight_decay: Float or None. Defaults to 0.004. Decay of what AdamW updates.
        epsilon: Float. Defaults to 1e-7.
        weight_decay: Float or None. Defaults to 0.004. Decay of the matrices.
        exclude_layers: List of regular expressions. Variables with one of them in their path are
            left to AdamW.
        exclude_embeddings: Boolean, default True. Whether embeddings are left to AdamW.
        muon_a, muon_b, muon_c: Floats. Default to 3.4445, -4.775 and 2.0315. Coefficients of the
            iteration.
        adam_lr_ratio: Float. Defaults to 1. AdamW's learning rate as a multiple.
        momentum: Float. Defaults to 0.95.
        ns_steps: Integer. Defaults to 5. Number of iterations.
        nesterov: Boolean, default True.
        rms_rate: Float or None. Defaults to 0.2. Steps are scaled by it times the root of the
            longer side.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: As in `Adam`.
    """

    layerwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: list | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
            ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name, **kwargs,
        )  # fmt: skip
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.epsilon = epsilon
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.exclude_embeddings = exclude_embeddings
        self.exclude_layers = exclude_layers or []
        self.adam_weight_decay = adam_weight_decay
        self.rms_rate = rms_rate

    def _should_use_adamw(self, variable: Any) -> bool:
        if len(variable.shape) != 2:
            return True
        if self.exclude_embeddings and "embedding" in variable.path.lower():
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build(self, var_list: list) -> None:
        if self.built:
            return
        super().build(var_list)
        momentums: list = []
        velocities: list = []
        for variable in var_list:
            overwrites = getattr(variable, "overwrite_with_gradient", False)
            for into, name, wanted in (
                (momentums, "momentum", True),
                (velocities, "velocity", self._should_use_adamw(variable)),
            ):
                make = wanted and not overwrites
                into.append(self.add_variable_from_reference(variable, name) if make else None)
        self.momentums, self.adam_velocities = momentums, velocities

    def _slot_lists(self) -> dict[str, list]:
        return {"momentum": self.momentums, "velocity": self.adam_velocities}

    def _decay_of(self, variable: Any) -> float | None:
        if not self._use_weight_decay(variable):
            return None
        return self.adam_weight_decay if self._should_use_adamw(variable) else self.weight_decay

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        alpha = bias_corrected(
            rate * self.adam_lr_ratio, self.adam_beta_1, self.adam_beta_2, step, cast, given
        )
        return (1 - self.adam_beta_1, 1 - self.adam_beta_2, self.epsilon, alpha, rate)

    def rule(self) -> Any:
        momentum, nesterov = self.momentum, self.nesterov

        def update(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
            _, first, second, epsilon, alpha, rate, *_ = c
            (_, m, v), t = slots, scratch[1]
            if v is None:
                np.multiply(m, momentum, m)
                np.add(m, g, m)
                direction = m
                if nesterov:
                    np.multiply(m, momentum, t)
                    direction = np.add(t, g, t)
                step = self._orthogonal(direction, self.ns_steps)
                scale = rate.item() * self._scale(w.shape)
                np.subtract(w, np.multiply(step, scale, t), w)
                return
            np.subtract(g, m, t)
            np.multiply(t, first, t)
            np.add(m, t, m)
            np.multiply(g, g, t)
            np.subtract(t, v, t)
            np.multiply(t, second, t)
            np.add(v, t, v)
            np.sqrt(v, t)
            np.add(t, epsilon, t)
            np.divide(m, t, t)
            np.multiply(t, alpha, t)
            np.subtract(w, t, w)

        return update

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Tensor:
        """A matrix made nearly orthogonal by steps of the Newton-Schulz iteration.

        Args:
            x: Matrix.
            steps: Integer. How many steps.
        """
        return Tensor(self._orthogonal(np.asarray(plain(x)), steps))

    def lr_adjust(self, x: Any) -> Tensor:
        """An update, scaled with the size of its matrix as `rms_rate` says.

        Args:
            x: Matrix.
        """
        return Tensor(np.asarray(plain(x)) * self._scale(x.shape))

    def _scale(self, shape: tuple) -> float:
        return 1.0 if self.rms_rate is None else max(shape) ** 0.5 * self.rms_rate

    def _orthogonal(self, x: np.ndarray, steps: int) -> np.ndarray:
        tall = x.shape[0] > x.shape[1]
        if tall:
            x = x.T
        x = x / (norm(np.ascontiguousarray(x)) + 1e-7)
        for _ in range(steps):
            square = x @ x.T
            x = self.muon_a * x + (self.muon_b * square + self.muon_c * square @ square) @ x
        return x.T if tall else x

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "exclude_embeddings": self.exclude_embeddings,
            "adam_weight_decay": self.adam_weight_decay,
            "rms_rate": self.rms_rate,
        }
