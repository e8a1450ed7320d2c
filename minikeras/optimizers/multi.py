"""Optimizers around others: several, each for its own variables; a loss scale."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np

from minikeras.engine import registry, serialization
from minikeras.engine.arena import ArenaGradients, Chunk
from minikeras.engine.variable import plain
from minikeras.optimizers.base import Optimizer
from minikeras.optimizers.kernel import constant
from minikeras.optimizers.plan import cuts


@registry.optimizers.register("OptimizerMap")
class OptimizerMap(MutableMapping):
    """Says by its path which optimizer a variable belongs to.

    Args:
        default_optimizer: Optimizer of the variables that nothing else matches.
        optimizer_map: dict of paths, or regular expressions that match whole paths, to
            optimizers.

    Raises:
        TypeError: if `default_optimizer` is no optimizer or `optimizer_map` no dict.

    Example:

    >>> from minikeras import optimizers
    >>> where = optimizers.OptimizerMap(optimizers.Adam(), {".*/bias": optimizers.SGD()})
    >>> type(where["dense/bias"]).__name__
    'SGD'
    """

    def __init__(self, default_optimizer: Any, optimizer_map: dict | None = None) -> None:
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                f"default_optimizer must be a Keras Optimizer instance. Received:"
                f" {default_optimizer}"
            )
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"optimizer_map must be a dictionary. Received: {optimizer_map}")
        self._default_optimizer = default_optimizer
        self._optimizer_map = optimizer_map or {}

    @property
    def default_optimizer(self) -> Any:
        """The optimizer of the variables that nothing else matches."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Any:
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(f"Multiple optimizers assigned to variable {key}: {matching}")
        return self._optimizer_map[matching[0]] if matching else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Any) -> None:
        if key in self._optimizer_map:
            raise ValueError(
                f"{key!r} already exists in the OptimizerMap with value"
                f" {self._optimizer_map[key]}. Please make sure to not use duplicated keys."
            )
        if not isinstance(key, str):
            raise ValueError(f"key must be a string. Received: {key}")
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"optimizer must be a Keras Optimizer instance. Received: {optimizer}")
        if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
            raise ValueError(f"optimizer cannot be {type(optimizer).__name__}.")
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Any) -> Any:
        """The optimizer of a variable."""
        return self[variable.path]

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {
            "default_optimizer": serialization.serialize(self._default_optimizer),
            "optimizer_map": serialization.serialize(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The map that `get_config` described."""
        load = registry.optimizers.deserialize
        return cls(
            load(config["default_optimizer"], custom_objects),
            {key: load(one, custom_objects) for key, one in config["optimizer_map"].items()},
        )


@registry.optimizers.register("MultiOptimizer")
class MultiOptimizer(Optimizer):
    """Updates each variable with the optimizer that a map assigns to it.

    Args:
        optimizer_map: `OptimizerMap`, or a callable that returns a variable's optimizer.
        loss_scale_factor: Float or None (default). Set on all the optimizers.
        name: String. Defaults to an automatic name.
    """

    _groups: dict

    def __init__(
        self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None
    ) -> None:
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._inner_optimizers: list = []
        for optimizer in getattr(optimizer_map, "values", list)():
            self._add(optimizer)
        default = getattr(optimizer_map, "default_optimizer", None)
        if default is not None:
            self._add(default)

    def _add(self, optimizer: Any) -> int:
        for index, one in enumerate(self._inner_optimizers):
            if one is optimizer:
                return index
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._inner_optimizers.append(optimizer)
        return len(self._inner_optimizers) - 1

    def build(self, var_list: list) -> None:
        """Make the optimizers' variables.

        Args:
            var_list: List of the variables that will be updated.

        Raises:
            ValueError: if the map gives a variable no optimizer or one that cannot be nested.
        """
        if self.built:
            return
        groups: dict[int, list] = {}
        for variable in var_list:
            optimizer = self._optimizer_map(variable)
            if not isinstance(optimizer, Optimizer):
                raise ValueError(f"Optimizer for variable {variable} is not an Optimizer instance.")
            if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
                raise ValueError(
                    f"{type(optimizer).__name__} cannot be used inside an MultiOptimizer."
                )
            groups.setdefault(self._add(optimizer), []).append(variable)
        self.__dict__["_groups"] = groups
        for index, variables in sorted(groups.items()):
            self._inner_optimizers[index].build(variables)
        super().build(var_list)

    @property
    def _var_to_optimizer_idx(self) -> dict:
        """The place among `optimizers` of each variable's optimizer."""
        return {
            self._var_key(variable): index
            for index, variables in self._groups.items()
            for variable in variables
        }

    @property
    def optimizers(self) -> list:
        """The optimizers."""
        return self._inner_optimizers

    @property
    def variables(self) -> list:
        """The own variables, then those of the optimizers."""
        found = self._variables[:]
        for optimizer in self._inner_optimizers:
            found += optimizer.variables
        return found

    def _link(self) -> None:
        chunks = [
            chunk
            for index in sorted(self._groups)
            for chunk in self._inner_optimizers[index].chunks
        ]
        self.__dict__.update(_chunks=chunks, _sink=ArenaGradients(chunks), _plans={}, _step=None)

    def _update(self) -> None:
        touched = self.sink.touched
        for index in sorted(self._groups):
            optimizer = self._inner_optimizers[index]
            sink = optimizer.sink
            sink.begin()
            sink.touched.update(touched.intersection(sink.views))
            optimizer.apply_sink()
        self._iterations.array[()] += 1

    @property
    def learning_rate(self) -> Any:
        """Not available: each optimizer has its own."""
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer. Access the learning rate on the"
            " individual sub-optimizers instead."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(
            "Learning rate cannot be set on a MultiOptimizer. Set the learning rate on the"
            " individual sub-optimizers instead."
        )

    lr = learning_rate

    @property
    def loss_scale_factor(self) -> float | None:
        """The loss scale, the same for all the optimizers."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for optimizer in self.__dict__.get("_inner_optimizers", ()):
            optimizer.loss_scale_factor = value

    def finalize_variable_values(self, var_list: list) -> None:
        """Let each optimizer set its variables to their moving average."""
        for index, variables in self._groups.items():
            own = {id(variable) for variable in variables}
            self._inner_optimizers[index].finalize_variable_values(
                [variable for variable in var_list if id(variable) in own]
            )

    def set_weights(self, weights: list) -> None:
        """Set `variables` from a list of arrays."""
        if not self.built:
            super().set_weights(weights)
        for variable, weight in zip(self.variables, weights):
            variable.assign(np.asarray(plain(weight)))

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {
            "optimizer_map": serialization.serialize(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The optimizer that `get_config` described."""
        config = dict(config)
        if isinstance(config["optimizer_map"], dict):
            config["optimizer_map"] = registry.optimizers.deserialize(
                config["optimizer_map"], custom_objects
            )
        return cls(**config)


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
