"""A loss scale that adapts itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry, serialization
from minikeras.engine.arena import ArenaGradients, Chunk
from minikeras.engine.variable import plain
from minikeras.optimizers.base import Optimizer
from minikeras.optimizers.kernel import constant
from minikeras.optimizers.plan import cuts

_UNSUPPORTED = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


@registry.optimizers.register("LossScaleOptimizer")
class LossScaleOptimizer(Optimizer):
    """Wraps an optimizer for training in half precision.

    The loss is multiplied by a scale before the gradients are taken, which are divided by it
    again, so that small ones are not lost. A step whose gradients are not finite is skipped and
    the scale halved; after `dynamic_growth_steps` good steps it doubles.

    Args:
        inner_optimizer: The optimizer that updates.
        initial_scale: Float. Defaults to 2**15.
        dynamic_growth_steps: Integer. Defaults to 2000.
        name: String. Defaults to an automatic name.

    Raises:
        ValueError: for options that belong to the inner optimizer.

    Example:

    >>> import minikeras
    >>> optimizer = minikeras.optimizers.LossScaleOptimizer(minikeras.optimizers.SGD(0.1))
    >>> optimizer.scale_loss(2.0)
    65536.0
    """

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer no longer supports `dynamic=False`. Instead, simply set"
                " `loss_scale_factor` directly on the `inner_optimizer`."
            )
        for argument, default in _UNSUPPORTED.items():
            if kwargs.pop(argument, default) != default:
                raise ValueError(
                    f"LossScaleOptimizer does not support `{argument}`. Instead, set"
                    f" `{argument}` on the `inner_optimizer`."
                )
        if kwargs:
            unknown = ", ".join(f"`{argument}`" for argument in kwargs)
            raise ValueError(f"LossScaleOptimizer does not support arguments: {unknown}.")
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def build(self, var_list: list) -> None:
        """Make the optimizer's variables.

        Args:
            var_list: List of the variables that will be updated.
        """
        if self.built:
            return
        self.step_counter = self.add_variable((), dtype="int64", name="step_counter")
        self.dynamic_scale = self.add_variable(
            (), constant(self.initial_scale), dtype="float32", name="dynamic_scale"
        )
        self.inner_optimizer.build(var_list)
        super().build(var_list)

    @property
    def variables(self) -> list:
        """The own variables, then those of the inner optimizer."""
        return self._variables + self.inner_optimizer.variables

    @property
    def chunks(self) -> list[Chunk]:
        """Those of the inner optimizer."""
        return self.inner_optimizer.chunks

    @property
    def sink(self) -> ArenaGradients:
        """That of the inner optimizer."""
        return self.inner_optimizer.sink

    def _update(self) -> None:
        inner, sink = self.inner_optimizer, self.inner_optimizer.sink
        scale, steps = self.dynamic_scale.array, self.step_counter.array
        gradients = [sink.get(one) for one in self._trainable_variables]
        if all(one is None or _finite(one) for one in gradients):
            for variable, gradient in zip(self._trainable_variables, gradients):
                if gradient is not None and not getattr(variable, "overwrite_with_gradient", False):
                    gradient /= scale.astype(gradient.dtype)
            inner.apply_sink()
            grown = steps.item() == self.dynamic_growth_steps - 1
            steps[()] = 0 if grown else steps + 1
            scale *= 2.0 if grown else 1.0
        else:
            steps[()] = 0
            scale *= 0.5

    @property
    def learning_rate(self) -> Any:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    lr = learning_rate

    @property
    def iterations(self) -> Any:
        """Those of the inner optimizer."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, variable: Any) -> None:
        self.inner_optimizer.iterations = variable

    def scale_loss(self, loss: Any) -> Any:
        """The loss multiplied by the present scale."""
        return loss * (float(plain(self.dynamic_scale)) if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: list) -> None:
        """Let the inner optimizer set the variables to their moving average."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {
            "name": self.name,
            "inner_optimizer": serialization.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The optimizer that `get_config` described."""
        config = dict(config)
        inner = config.pop("inner_optimizer")
        if isinstance(inner, dict):
            inner = registry.optimizers.deserialize(inner, custom_objects)
        return cls(inner, **config)


def _finite(array: np.ndarray) -> bool:
    flat = array.reshape(-1)
    return all(bool(np.isfinite(flat[first:last]).all()) for first, last in cuts(0, flat.size))
