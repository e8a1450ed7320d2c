"""The variables of a layer: making, listing, reading and writing them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import arena, dtypes, registry, spelling
from minikeras.engine.registry import current_path, name_scope
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.variable import Variable, standardize_shape


def unique(items: list) -> list:
    """`items` without repetitions, by identity."""
    seen: set[int] = set()
    return [item for item in items if not (id(item) in seen or seen.add(id(item)))]  # type: ignore[func-returns-value]


class _Appended(list):
    """The trainable variables of a layer; what is appended becomes one of them."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer._trainable_variables)
        self._layer = layer

    def append(self, variable: Any) -> None:
        self._layer._track_variable(variable)


class LayerWeights:
    """What a `Layer` does with its variables."""

    _trainable_variables: list
    _non_trainable_variables: list
    _layers: Any
    _metrics: Any
    name: str

    @spelling.name_first
    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to the layer, as `add_weight` does."""
        return self.add_weight(
            shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name
        )

    @spelling.name_first
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to the layer.

        Args:
            shape: Tuple. Defaults to `()`.
            initializer: Initializer. Defaults to `"glorot_uniform"` for floats, `"zeros"` else.
            dtype: Dtype. Defaults to the layer's variable dtype.
            trainable: Boolean, default True.
            autocast: Boolean, default True. Whether it is cast to the compute dtype when used.
            regularizer: Penalty added to the loss, or None.
            constraint: Projection applied after each update, or None.
            aggregation: Kept for Keras's signature.
            overwrite_with_gradient: Boolean, default False. Whether the gradient replaces the
                value instead of updating it.
            name: String.
        """
        shape = standardize_shape(() if shape is None else shape)
        dtype = self.variable_dtype if dtype is None else dtype  # type: ignore[attr-defined]
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        arena.charge(shape, dtypes.numpy_dtype(dtypes.standardize_dtype(dtype)).itemsize, self.name)
        # Made after the layer was built: under the path it was built at.
        with name_scope(self.name if current_path() else self.path, caller=self):  # type: ignore[attr-defined]
            variable = Variable(
                registry.initializers.get(initializer),
                shape=shape,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = registry.regularizers.get(regularizer)
        variable.constraint = registry.constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._track_variable(variable)  # type: ignore[attr-defined]
        return variable

    # Lists

    def _own(self, with_seeds: bool) -> list:
        own = [*self._trainable_variables, *self._non_trainable_variables]
        if with_seeds:
            own += [generator.state for generator in self._own_seed_generators()]
        return own

    def _own_seed_generators(self) -> list:
        return list(
            self._tracked_values(lambda value: isinstance(value, SeedGenerator))  # type: ignore[attr-defined]
        )

    @property
    def variables(self) -> list:
        """The weights and seed states of the layer and its sublayers; metrics have their own."""
        found: list = self._own(with_seeds=True)
        for layer in self._layers:
            found += layer.variables
        return unique(found)

    @property
    def weights(self) -> list:
        """The variables without seed and metric states, in the order of `get_weights`."""
        found: list = self._own(with_seeds=False)
        for layer in self._layers:
            found += layer.weights
        return unique(found)

    @property
    def trainable_variables(self) -> list:
        """The variables that training changes."""
        if not self.trainable:  # type: ignore[attr-defined]
            return []
        return [variable for variable in self.variables if variable.trainable]

    @property
    def non_trainable_variables(self) -> list:
        """The variables that training does not change."""
        if not self.trainable:  # type: ignore[attr-defined]
            return self.variables
        return [variable for variable in self.variables if not variable.trainable]

    @property
    def trainable_weights(self) -> list:
        """The weights that training changes."""
        if not self.trainable:  # type: ignore[attr-defined]
            return []
        return [weight for weight in self.weights if weight.trainable]

    @trainable_weights.setter
    def trainable_weights(self, variables: list) -> None:
        # Layers of users of Keras 1 say so in `build` which of their variables training changes.
        chosen = {id(one) for one in variables}
        own = unique([*self._trainable_variables, *variables])
        inner = {id(one) for layer in self._layers for one in layer.variables}
        for variable in own:
            if id(variable) not in chosen:
                variable.trainable = False
                self._non_trainable_variables.append(variable)
        self._trainable_variables[:] = [one for one in variables if id(one) not in inner]

    @property
    def _trainable_weights(self) -> list:
        # Layers of users of Keras 2 append to it.
        return _Appended(self)

    @property
    def non_trainable_weights(self) -> list:
        """The weights that training does not change."""
        if not self.trainable:  # type: ignore[attr-defined]
            return self.weights
        return [weight for weight in self.weights if not weight.trainable]

    @property
    def metrics_variables(self) -> list:
        """The state of the layer's metrics."""
        found: list = []
        for metric in self.metrics:
            found += metric.variables
        return unique(found)

    @property
    def metrics(self) -> list:
        """The metrics of the layer and its sublayers."""
        found = list(self._metrics)
        for layer in self._layers:
            found += layer.metrics
        return unique(found)

    # Values

    def get_weights(self) -> list[np.ndarray]:
        """The values of `weights`, as a list of NumPy arrays (copies)."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Set `weights` from a list of arrays, as `get_weights` returns them.

        Raises:
            ValueError: if their number or shapes differ; nothing is changed then.
        """
        own = self.weights
        weights = list(weights)
        if len(own) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on layer {self.name!r} with a weight list of"
                f" length {len(weights)}, but the layer was expecting {len(own)} weights."
            )
        for variable, value in zip(own, weights):
            if variable.shape != np.shape(value):
                raise ValueError(
                    f"Layer {self.name!r}: weight {variable.path!r} has shape {variable.shape}."
                    f" Received an array of shape {np.shape(value)}"
                )
        for variable, value in zip(own, weights):
            variable.assign(value)

    def count_params(self) -> int:
        """The number of values in the weights.

        Raises:
            ValueError: if the layer is not built.
        """
        if not self.built:  # type: ignore[attr-defined]
            raise ValueError(
                f"You tried to call `count_params` on layer {self.name!r}, but the layer isn't"
                " built. Build it by calling it on data or with `build(input_shape)`."
            )
        return sum(int(np.prod(weight.shape)) for weight in self.weights)

    # Files

    def save_own_variables(self, store: Any) -> None:
        """Put the layer's own variables (not its sublayers') into the dict `store`."""
        for index, variable in enumerate(self._own(with_seeds=False)):
            store[str(index)] = variable.array

    def load_own_variables(self, store: Any) -> None:
        """Take the layer's own variables from `store`.

        Raises:
            ValueError: if their number or shapes differ.
        """
        own = self._own(with_seeds=False)
        if len(store.keys()) != len(own):
            if len(own) == 0 and not self.built:  # type: ignore[attr-defined]
                raise ValueError(
                    f"Layer {self.name!r} was never built, so it has no variables. The file holds"
                    f" {len(store.keys())} for it. Build the layer first."
                )
            raise ValueError(
                f"Layer {self.name!r} expected {len(own)} variables, but received"
                f" {len(store.keys())} variables during loading. Expected:"
                f" {[variable.name for variable in own]}"
            )
        for index, variable in enumerate(own):
            variable.take(np.asarray(store[str(index)]))
