"""The base of the built-in optimizers: an update rule on flat blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import dtypes
from minikeras.engine.variable import plain
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
