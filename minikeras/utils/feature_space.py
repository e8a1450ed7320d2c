"""`FeatureSpace`: one layer that prepares every column of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras import layers, ops
from minikeras.engine import registry, serialization, tree
from minikeras.engine.layer import Layer
from minikeras.engine.registry import auto_name
from minikeras.engine.symbolic import Tensor
from minikeras.layers.preprocessing.category_encoding import as_values
from minikeras.layers.preprocessing.normalization import DataLayer

_MODULE = "keras.src.layers.preprocessing.feature_space"
_BATCH = 32


def _mode(value: str, allowed: tuple) -> str:
    if value not in allowed:
        raise ValueError(
            f"Invalid value for argument `output_mode`. Expected one of {allowed}. Received:"
            f" output_mode={value}"
        )
    return value


@registry.utilities.register("Cross")
class Cross:
    """Features whose values are hashed together.

    Args:
        feature_names: The names of the features.
        crossing_dim: Integer. The number of bins.
        output_mode: `"one_hot"` (default) or `"int"`.
    """

    _keras_module = _MODULE

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = _mode(output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        """The names of the features, with `_X_` between them."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict) -> Cross:
        """The cross that `config` describes."""
        return cls(**config)


@registry.utilities.register("Feature")
class Feature:
    """A column, the layer that prepares it, and what comes of it.

    Args:
        dtype: Name of the dtype of the column.
        preprocessor: Layer.
        output_mode: `"int"`, `"one_hot"` or `"float"`.
    """

    _keras_module = _MODULE

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.output_mode = _mode(output_mode, ("int", "one_hot", "float"))
        self.dtype = dtype
        if isinstance(preprocessor, dict):
            preprocessor = serialization.deserialize(preprocessor, registry.layers)
        self.preprocessor = preprocessor

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "dtype": self.dtype,
            "preprocessor": serialization.serialize(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict) -> Feature:
        """The feature that `config` describes."""
        return cls(**config)


@registry.utilities.register("TFDIdentity")
class TFDIdentity(DataLayer):
    """Hands its input on."""

    _keras_module = _MODULE

    def call(self, x: Any) -> Any:
        """The input."""
        return x


@registry.utilities.register("TFDConcat")
class TFDConcat(DataLayer):
    """Joins features along `axis`."""

    _keras_module = _MODULE

    def __init__(self, axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return Layer.__call__(self, inputs, *args, **kwargs)

    def call(self, xs: Any) -> Any:
        """The features side by side."""
        return ops.concatenate(xs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The sizes along the axis add up."""
        shapes = [list(shape) for shape in input_shape]
        sizes = [shape[self.axis] for shape in shapes]
        shapes[0][self.axis] = None if None in sizes else sum(sizes)
        return tuple(shapes[0])

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


@registry.utilities.register("FeatureSpace")
class FeatureSpace(Layer):
    """Prepares the columns of a table: scales numbers, encodes categories, crosses features.

    Args:
        features: Dict of names to types: the name of a type (`"float"`, `"float_normalized"`,
            `"float_rescaled"`, `"float_discretized"`, `"integer_categorical"`,
            `"string_categorical"`, `"integer_hashed"`, `"string_hashed"`), or what a method of
            that name or `FeatureSpace.feature` returns.
        output_mode: `"concat"` (default): one vector; `"dict"`: features by name.
        crosses: List of tuples of names to be hashed together, or of `FeatureSpace.cross(...)`.
        crossing_dim: Integer, default 32. Bins of crosses that do not say.
        hashing_dim: Integer, default 32. Bins of hashed features that do not say.
        num_discretization_bins: Integer, default 32. Bins of `"float_discretized"`.
        name: String. Defaults to an automatic name.

    Raises:
        ValueError: for unknown types, modes or features in crosses, or before `adapt`.

    Example:

    >>> import minikeras
    >>> table = {"age": [20.0, 40.0, 60.0], "town": ["Ulm", "Bonn", "Ulm"]}
    >>> space = minikeras.utils.FeatureSpace(
    ...     {"age": "float_normalized", "town": "string_categorical"}
    ... )
    >>> space.adapt(table)
    >>> space(table).shape
    (3, 4)
    """

    _keras_module = "keras.utils"
    saved_alone = True

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Features that are hashed together into `crossing_dim` bins."""
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column of `dtype` that a layer of your own prepares."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        name = name or auto_name("float")
        return Feature(
            "float32", TFDIdentity(dtype="float32", name=f"{name}_preprocessor"), "float"
        )

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers times `scale` plus `offset`."""
        name = name or auto_name("float_rescaled")
        made = layers.Rescaling(scale=scale, offset=offset, name=f"{name}_preprocessor")
        return Feature("float32", made, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers less their mean, by their standard deviation."""
        name = name or auto_name("float_normalized")
        made = layers.Normalization(axis=-1, name=f"{name}_preprocessor")
        return Feature("float32", made, "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Any = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Numbers put into bins that are equally full, or given."""
        name = name or auto_name("float_discretized")
        made = layers.Discretization(
            num_bins=num_bins, bin_boundaries=bin_boundaries, name=f"{name}_preprocessor"
        )
        return Feature("float32", made, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Integers, each value a category."""
        name = name or auto_name("integer_categorical")
        made = layers.IntegerLookup(
            name=f"{name}_preprocessor", max_tokens=max_tokens, num_oov_indices=num_oov_indices
        )
        return Feature("int32", made, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Strings, each value a category."""
        name = name or auto_name("string_categorical")
        made = layers.StringLookup(
            name=f"{name}_preprocessor", max_tokens=max_tokens, num_oov_indices=num_oov_indices
        )
        return Feature("string", made, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Strings put into bins by their hash."""
        name = name or auto_name("string_hashed")
        made = layers.Hashing(name=f"{name}_preprocessor", num_bins=num_bins)
        return Feature("string", made, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Integers put into bins by their hash."""
        name = name or auto_name("integer_hashed")
        made = layers.Hashing(name=f"{name}_preprocessor", num_bins=num_bins)
        return Feature("int32", made, output_mode)

    def __init__(
        self,
        features: Any,
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError("The `features` argument cannot be None or empty.")
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {key: self._feature(key, value) for key, value in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.crosses_by_name = {cross.name: cross for cross in self.crosses}
        self.output_mode = _mode(output_mode, ("dict", "concat"))
        self.inputs = {
            key: layers.Input(shape=(1,), dtype=feature.dtype, name=key)
            for key, feature in self.features.items()
        }
        self.preprocessors = {key: feature.preprocessor for key, feature in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, Any] = {}
        self.encoded_features: Any = None
        self.concat: Any = None
        self._is_adapted = False
        self._sublayers_built = False

    def _feature(self, name: str, value: Any) -> Feature:
        if isinstance(value, Feature):
            return value
        if isinstance(value, dict):
            return serialization.deserialize(value, registry.utilities)
        extra = {
            "float_discretized": {"num_bins": self.num_discretization_bins},
            "integer_hashed": {"num_bins": self.hashing_dim},
            "string_hashed": {"num_bins": self.hashing_dim},
        }
        plain = ("float", "float_normalized", "float_rescaled", "integer_categorical")
        if value in extra or value in (*plain, "string_categorical"):
            return getattr(self, value)(name=name, **extra.get(value, {}))
        raise ValueError(f"Invalid feature type: {value}")

    def _cross(self, cross: Any) -> Cross:
        if isinstance(cross, dict):
            cross = serialization.deserialize(cross, registry.utilities)
        if isinstance(cross, Cross):
            return cross
        if not self.crossing_dim:
            raise ValueError(
                "When specifying `crosses`, the argument `crossing_dim` (dimensionality of the"
                " crossing space) should be specified as well."
            )
        if any(key not in self.features for key in cross):
            raise ValueError(
                "All features referenced in the `crosses` argument should be present in the"
                f" `features` dict. Received unknown features: {cross}"
            )
        return Cross(cross, crossing_dim=self.crossing_dim)

    # Learning

    def _adaptable(self) -> list[str]:
        """The features whose layers learn something from the data."""
        found = []
        for name, layer in self.preprocessors.items():
            if isinstance(layer, layers.Normalization) and layer.input_mean is not None:
                continue
            lookup = getattr(layer, "_lookup_layer", layer)
            if getattr(lookup, "_has_input_vocabulary", False):
                continue
            if isinstance(layer, layers.Discretization) and layer.num_bins is None:
                continue
            if hasattr(layer, "adapt"):
                found.append(name)
        return found

    def adapt(self, dataset: Any) -> None:
        """Learn what the layers of the features need: moments, boundaries, vocabularies.

        Args:
            dataset: Dict of arrays or lists, one value a row; or an iterable (which can be walked
                several times) of dicts of batches.
        """
        if not isinstance(dataset, dict) and (
            not hasattr(dataset, "__iter__") or hasattr(dataset, "__next__")
        ):
            raise ValueError(
                "`adapt()` can only be called on a dict of arrays/lists, or an iterable of dicts"
                " that can be walked several times. Received instead:"
                f" {dataset} (of type {type(dataset)})"
            )
        for name in self._adaptable():
            self.preprocessors[name].adapt(_batches(dataset, name))
        self._is_adapted = True
        self.get_encoded_features()
        self.built = True
        self._sublayers_built = True

    def _check_if_adapted(self) -> None:
        if not self._is_adapted:
            if self._adaptable():
                raise ValueError(
                    "You need to call `.adapt(dataset)` on the FeatureSpace before you can start"
                    " using it."
                )
            self._is_adapted = True

    def _check_if_built(self) -> None:
        if not self._sublayers_built:
            self._check_if_adapted()
            self.get_encoded_features()
            self._sublayers_built = True

    # Using

    def get_inputs(self) -> dict:
        """The inputs of a functional model that prepares its own data, by name."""
        self._check_if_built()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The prepared features of `get_inputs()`, to build a functional model on."""
        self._check_if_adapted()
        if self.encoded_features is None:
            self.encoded_features = self._encode(self.inputs)
        return self.encoded_features

    def _encode(self, data: dict) -> Any:
        found = {name: self.preprocessors[name](data[name]) for name in data}
        crossed = {
            cross.name: self.crossers[cross.name]([found[name] for name in cross.feature_names])
            for cross in self.crosses
        }
        specs: dict[str, Any] = {**self.features, **self.crosses_by_name}
        encoded = {}
        for name in [*sorted(found), *sorted(crossed)]:
            feature = found[name] if name in found else crossed[name]
            if specs[name].output_mode == "one_hot":
                feature = self._one_hot(name, feature)
            elif self.output_mode == "concat" and not self._sublayers_built:
                dtype = tree.flatten(feature)[0].dtype
                if str(dtype).startswith("int") or dtype == "string":
                    raise ValueError(
                        f"Cannot concatenate features because feature {name!r} has not been encoded"
                        f" (it has dtype {dtype}). Consider using `output_mode='dict'`."
                    )
            encoded[name] = feature
        if self.output_mode == "dict":
            return encoded
        if self.concat is None:
            self.concat = TFDConcat(axis=-1)
        return self.concat(list(encoded.values()))

    def _one_hot(self, name: str, feature: Any) -> Any:
        encoder = self.one_hot_encoders.get(name)
        if encoder is None:
            layer = self.preprocessors.get(name) or self.crossers.get(name)
            if not str(feature.dtype).startswith("int"):
                raise ValueError(
                    f"Feature {name!r} has `output_mode='one_hot'`. Thus its preprocessor should"
                    f" return an integer dtype. Instead it returns a {feature.dtype} dtype."
                )
            if isinstance(layer, (layers.IntegerLookup, layers.StringLookup)):
                size: Any = layer.vocabulary_size()
            elif isinstance(layer, layers.CategoryEncoding):
                size = layer.num_tokens
            elif isinstance(layer, (layers.Discretization, layers.HashedCrossing, layers.Hashing)):
                size = layer.num_bins
                if size is None:
                    size = len(layer.bin_boundaries) + 1
            else:
                raise ValueError(
                    f"Feature {name!r} has `output_mode='one_hot'`. However it isn't a standard"
                    " feature and the dimensionality of its output space is not known, thus it"
                    " cannot be one-hot encoded. Try using `output_mode='int'`."
                )
            encoder = layers.CategoryEncoding(num_tokens=size, output_mode="multi_hot")
            self.one_hot_encoders = {**self.one_hot_encoders, name: encoder}
        return encoder(feature)

    def __call__(self, data: Any) -> Any:  # type: ignore[override]
        """The prepared features of a dict of columns, or of one row."""
        self._check_if_built()
        if not isinstance(data, dict):
            raise ValueError(
                "A FeatureSpace can only be called with a dict. Received:"
                f" data={data} (of type {type(data)})"
            )
        columns, single = {}, False
        for name, value in data.items():
            array = _column(value)
            single = single or array.ndim == 0
            columns[name] = Tensor(array.reshape(-1, 1) if array.ndim < 2 else array)
        merged = self._encode(columns)
        if not single:
            return merged
        if self.output_mode == "dict":
            return {
                name: ops.squeeze(x, axis=0) if len(x.shape) == 2 and x.shape[0] == 1 else x
                for name, x in merged.items()
            }
        if merged.shape[0] != 1:
            raise ValueError(
                "Some columns have one value, others several. Received a batch of"
                f" {merged.shape[0]} rows"
            )
        return ops.squeeze(merged, axis=0)

    # Files

    def get_config(self) -> dict:
        return {
            "features": serialization.serialize(self.features),
            "output_mode": self.output_mode,
            "crosses": serialization.serialize(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict) -> FeatureSpace:
        """The space that `config` describes."""
        return cls(**config)

    def get_build_config(self) -> dict:
        """What each feature's layer was built with."""
        return {
            name: feature.preprocessor.get_build_config() for name, feature in self.features.items()
        }

    def build_from_config(self, config: dict) -> None:
        """Build the layers of the features as they were."""
        for name, built in config.items():
            layer = self.features[name].preprocessor
            if built and not layer.built:
                layer.build_from_config(built)
        self._is_adapted = True

    def save(self, filepath: Any) -> None:
        """Write the space to a `.keras` file, which `load_model` opens."""
        from minikeras.saving import save_model

        save_model(self, filepath)

    def save_own_variables(self, store: Any) -> None:
        """Nothing: its layers have the variables."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing: its layers have the variables."""


def _column(value: Any) -> np.ndarray:
    array = as_values(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return array


def _batches(dataset: Any, name: str) -> Iterator[np.ndarray]:
    """The values of one feature in batches of two axes."""
    scalars: list = []
    rows = _column(dataset[name]) if isinstance(dataset, dict) else (x[name] for x in dataset)
    for row in rows:
        value = _column(row)
        if value.ndim:
            yield value[:, None] if value.ndim == 1 else value
            continue
        scalars.append(value.item() if value.dtype == object else value)
        if len(scalars) == _BATCH:
            yield _column(scalars)[:, None]
            scalars = []
    if scalars:
        yield _column(scalars)[:, None]
