"""The base of the built-in optimizers, an update rule on flat blocks; gradient descent, RMSprop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import dtypes, registry
from minikeras.engine.variable import plain
from minikeras.kernels import blas
from minikeras.optimizers.base import Optimizer
from minikeras.optimizers.plan import Plan

Cast = Callable[[float], float]


class KernelOptimizer(Optimizer):
    """An optimizer that updates flat blocks in place instead of variable by variable.

    A subclass lists its slots, its coefficients and its rule. A user's subclass that overrides
    `update_step` is called variable by variable, and may call this one's `update_step`.
    """

    # Whether the rule looks at each variable as a whole, in its shape.
    layerwise = False

    def slot_groups(self) -> list[dict[str, tuple[str, Any]]]:
        """Attribute -> (name, initializer) of the slots; those of a group alternate in files."""
        return []

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        """The numbers of the rule, for update number `step` (from 1).

        `cast` rounds to the dtype of the variables; `given` rounds an argument of the constructor
        as Keras does, to `floatx()` where that is narrower. The first coefficients, as many as
        there are slots, also come as a column.
        """
        raise NotImplementedError

    def rule(self) -> Callable[..., None]:
        """The update rule: a function `update(c, w, g, slots, scratch)` that works in place.

        `c` is the column, then the coefficients one by one, as arrays without axes; `w` the
        values; `g` the gradients; `slots` the slot matrix, then its rows; `scratch` a matrix of
        two rows to be used at will, then its rows.
        """
        raise NotImplementedError

    def long_rule(self, w: Any, g: Any, slots: tuple, scratch: tuple) -> Callable | None:
        """The rule bound to the arrays of one long block, for float32 or float64.

        Returns:
            A function of the coefficients, as floats; or None where `rule` does for all blocks.
        """
        return None

    def _begin_update(self, step: int) -> None:
        """Called once before each update."""

    def build(self, var_list: list) -> None:
        """Make the optimizer's variables.

        Args:
            var_list: List of the variables that will be updated.
        """
        if self.built:
            return
        super().build(var_list)
        for group in self.slot_groups():
            names = [name for name, _ in group.values()]
            starts = [start for _, start in group.values()]
            lists = self.add_optimizer_variables(var_list, names, starts)
            for attribute, slots in zip(group, lists):
                setattr(self, attribute, slots)

    def _slot_lists(self) -> dict[str, list]:
        return {
            name: getattr(self, attribute)
            for group in self.slot_groups()
            for attribute, (name, _) in group.items()
        }

    def _layer_slots(self) -> dict[str, list]:
        return self._slot_lists()

    def _update_rule(self) -> Any:
        if type(self).update_step is not KernelOptimizer.update_step:
            return None
        return self.rule()

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable.

        Args:
            gradient: Tensor of the variable's shape.
            variable: The variable.
            learning_rate: Scalar.
        """
        chunk, position = self._places_of()[id(variable)]
        chunk.part(chunk.gradients, position)[...] = plain(gradient)
        key = ("one", id(variable))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(self, [variable], rule=self.rule(), alone=True)
        count = self._iterations.array.item()
        if self.gradient_accumulation_steps:
            count //= self.gradient_accumulation_steps
        plan.update(float(plain(learning_rate)), count)

    def _places_of(self) -> dict:
        if self._chunks is None:
            self._link()
        return self._places


def constant(value: float) -> Callable[..., np.ndarray]:
    """An initializer that fills with `value`, rounded to `floatx()` first as Keras does."""
    value = float(np.dtype(settings.floatx()).type(value))
    return lambda shape, dtype=None: np.full(shape, value, dtypes.to_numpy_dtype(dtype))


@registry.optimizers.register("SGD")
class SGD(KernelOptimizer):
    """Gradient descent, with momentum if wanted.

    `w -= learning_rate * g`; with momentum, `velocity = momentum * velocity - learning_rate * g`
    and `w += velocity`; with `nesterov`, `w += momentum * velocity - learning_rate * g`
    (Sutskever et al., 2013).

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.01.
        momentum: Float in [0, 1]. Defaults to 0.0.
        nesterov: Boolean, default False.
        {common}

    Raises:
        ValueError: if `momentum` is no float in [0, 1].

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> optimizer = minikeras.optimizers.SGD(learning_rate=0.1)
    >>> v = minikeras.Variable(np.array([1.0, 2.0]))
    >>> count = optimizer.apply_gradients([(np.array([1.0, -1.0]), v)])
    >>> v.numpy().round(6).tolist()
    [0.9, 2.1]
    """

    fades = True

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if isinstance(nesterov, float):
            # The order of Keras 1 and 2.0 to 2.3: rate, momentum, decay, nesterov.
            kwargs["decay"], nesterov, weight_decay = nesterov, bool(weight_decay), None
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
            ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name, **kwargs,
        )  # fmt: skip
        if type(momentum) is int:
            momentum = float(momentum)
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(
                f"`momentum` must be a float between [0, 1]. Received: momentum={momentum!r}"
            )
        self.momentum = momentum
        self.nesterov = nesterov
        self.momentums: list = []

    def slot_groups(self) -> list:
        return [{"momentums": ("momentum", "zeros")}] if self.momentum != 0 else []

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        return (given(self.momentum), rate)

    def rule(self) -> Any:
        if not self.momentum:
            return _descend
        return _nesterov if self.nesterov else _momentum

    def long_rule(self, w: Any, g: Any, slots: tuple, scratch: tuple) -> Any:
        descend, nesterov = blas.axpy(g, w), self.nesterov
        if not self.momentum:
            return lambda c: descend(-c[1])
        m = slots[1]
        move, follow = blas.axpby(g, m), blas.axpy(m, w)

        def update(c: tuple) -> None:
            momentum, rate = c
            move(-rate, momentum)
            if nesterov:
                follow(momentum)
                descend(-rate)
            else:
                np.add(w, m, w)

        return update

    def get_config(self) -> dict:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


def _descend(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    t = scratch[1]
    np.multiply(g, c[2], t)
    np.subtract(w, t, w)


def _momentum(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, momentum, rate, *_ = c
    m, t = slots[1], scratch[1]
    np.multiply(m, momentum, m)
    np.multiply(g, rate, t)
    np.subtract(m, t, m)
    np.add(w, m, w)


def _nesterov(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
    _, momentum, rate, *_ = c
    m, (_, t, u) = slots[1], scratch
    np.multiply(m, momentum, m)
    np.multiply(g, rate, t)
    np.subtract(m, t, m)
    np.multiply(m, momentum, u)
    np.subtract(u, t, u)
    np.add(w, u, w)


def epsilon_inside(x: Any, epsilon: Any, out: Any) -> None:
    """`out = sqrt(x + epsilon)`."""
    np.add(x, epsilon, out)
    np.sqrt(out, out)


@registry.optimizers.register("RMSprop")
class RMSprop(KernelOptimizer):
    """Divides the gradient by a running root of its mean square (Hinton, 2012).

    `v = rho * v + (1 - rho) * g**2`, `step = learning_rate * g / sqrt(v + epsilon)`; `centered`
    takes the square of the running mean gradient from `v`; `momentum` adds up the steps.

    Args:
        learning_rate: Float, `LearningRateSchedule` or callable. Defaults to 0.001.
        rho: Float. Defaults to 0.9.
        momentum: Float. Defaults to 0.0.
        epsilon: Float. Defaults to 1e-7.
        centered: Boolean, default False.
        {common}

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> optimizer = minikeras.optimizers.RMSprop(learning_rate=0.1, rho=0.75)
    >>> v = minikeras.Variable(np.array([1.0, 2.0]))
    >>> count = optimizer.apply_gradients([(np.array([3.0, -5.0]), v)])
    >>> v.numpy().round(6).tolist()
    [0.8, 2.2]
    """

    fades = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def slot_groups(self) -> list:
        groups = [{"_velocities": ("velocity", "zeros")}]
        if self.momentum > 0:
            groups.append({"_momentums": ("momentum", "zeros")})
        if self.centered:
            groups.append({"_average_gradients": ("average_gradient", "zeros")})
        return groups

    def coefficients(self, rate: float, step: int, cast: Cast, given: Cast) -> tuple:
        return (self.rho, 1 - self.rho, self.epsilon, rate, self.momentum)

    def rule(self, root: Callable = epsilon_inside) -> Any:
        centered, has_momentum = self.centered, self.momentum > 0

        def update(c: tuple, w: np.ndarray, g: np.ndarray, slots: tuple, scratch: tuple) -> None:
            _, rho, rest, epsilon, rate, momentum, *_ = c
            v, t, u = slots[1], scratch[1], scratch[2]
            np.multiply(v, rho, v)
            np.multiply(g, g, t)
            np.multiply(t, rest, t)
            np.add(v, t, v)
            if centered:
                average = slots[-1]
                np.multiply(average, rho, average)
                np.multiply(g, rest, t)
                np.add(average, t, average)
                np.multiply(average, average, t)
                np.subtract(v, t, t)
            root(t if centered else v, epsilon, t)
            np.multiply(g, rate, u)
            np.divide(u, t, t)
            if has_momentum:
                m = slots[2]
                np.multiply(m, momentum, m)
                np.add(m, t, m)
                t = m
            np.subtract(w, t, w)

        return update

    def long_rule(self, w: Any, g: Any, slots: tuple, scratch: tuple) -> Any:
        if self.centered or self.momentum > 0:
            return None
        v, t = slots[1], scratch[1]
        move, descend = blas.axpby(t, v), blas.axpy(t, w)

        def update(c: tuple) -> None:
            rho, rest, epsilon, rate, _ = c
            np.multiply(g, g, t)
            move(rest, rho)
            np.add(v, epsilon, t)
            np.sqrt(t, t)
            np.divide(g, t, t)
            descend(-rate)

        return update

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
