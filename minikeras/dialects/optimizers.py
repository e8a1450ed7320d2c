"""Optimizers as Keras 1 and 2 computed them, where that differs from today.

Files of those versions go on training with them. They are saved under today's names.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import optimizers
from minikeras.engine import registry


@registry.optimizers.register("keras2_rmsprop")
class RMSprop(optimizers.RMSprop):
    """RMSprop with `epsilon` outside the root (inside, with momentum)."""

    def rule(self) -> Any:
        if self.momentum > 0:
            return super().rule()
        centered = self.centered

        def update(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
            _, rho, rest, epsilon, rate, *_ = c
            v, t, u = slots[1], scratch[1], scratch[2]
            np.multiply(v, rho, v)
            np.multiply(g, g, t)
            np.multiply(t, rest, t)
            np.add(v, t, v)
            np.copyto(t, v)
            if centered:
                average = slots[-1]
                np.multiply(average, rho, average)
                np.multiply(g, rest, u)
                np.add(average, u, average)
                np.multiply(average, average, u)
                np.subtract(t, u, t)
            np.sqrt(t, t)
            np.add(t, epsilon, t)
            np.multiply(g, rate, u)
            np.divide(u, t, t)
            np.subtract(w, t, w)

        return update


@registry.optimizers.register("keras2_adagrad")
class Adagrad(optimizers.Adagrad):
    """Adagrad with `epsilon` outside the root."""

    def rule(self) -> Any:
        def update(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
            _, epsilon, rate, *_ = c
            a, (_, t, u) = slots[1], scratch
            np.multiply(g, g, t)
            np.add(a, t, a)
            np.sqrt(a, t)
            np.add(t, epsilon, t)
            np.multiply(g, rate, u)
            np.divide(u, t, t)
            np.subtract(w, t, w)

        return update


@registry.optimizers.register("keras2_nadam")
class Nadam(optimizers.Nadam):
    """Nadam whose momentum warms up slowly.

    Args:
        schedule_decay: Float, default 0.004. How fast.
    """

    def __init__(self, *args: Any, schedule_decay: float = 0.004, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.schedule_decay = schedule_decay

    def _begin_update(self, step: int) -> None:
        product = self._u_product.array
        product *= self.beta_1 * (1.0 - 0.5 * 0.96 ** (step * self.schedule_decay))

    def coefficients(self, rate: float, step: int, cast: Any, given: Any) -> tuple:
        product = self._u_product.array.item()
        now, following = (
            self.beta_1 * (1.0 - 0.5 * 0.96 ** (count * self.schedule_decay))
            for count in (step, step + 1)
        )
        return (
            1 - self.beta_1,
            1 - self.beta_2,
            self.epsilon,
            rate,
            following / (1.0 - product * following),
            (1.0 - now) / (1.0 - product),
            1.0 - self.beta_2**step,
        )


class _OneAhead:
    """Keras 2.1 to 2.3 counts a step before its bias correction and decay read the count."""

    def coefficients(self, rate: float, step: int, cast: Any, given: Any) -> tuple:
        return super().coefficients(rate, step + 1, cast, given)  # type: ignore[misc]


@registry.optimizers.register("keras2_adam")
class Adam(_OneAhead, optimizers.Adam):
    """Adam of Keras 2.1 to 2.3."""


@registry.optimizers.register("keras2_adamax")
class Adamax(_OneAhead, optimizers.Adamax):
    """Adamax of Keras 2.1 to 2.3."""
