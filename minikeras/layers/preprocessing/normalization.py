"""Layers of numbers: `Rescaling`, `Normalization`, and the base of layers that work on data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import dtypes, registry, serialization
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable, plain


class DataLayer(Layer):
    """A layer that also takes plain lists and numbers, and casts them to its compute dtype."""

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(inputs, (Tensor, KerasTensor, Variable, np.ndarray)):
            inputs = np.asarray(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def backend(self) -> Any:
        """The functions that layers of one's own may use: `self.backend.numpy.flip` and so on."""
        return _functions()

    def _array(self, x: Any) -> np.ndarray:
        """`x` as an array in the compute dtype."""
        return np.asarray(x).astype(dtypes.numpy_dtype(self.compute_dtype), copy=False)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape


@cache
def _functions() -> SimpleNamespace:
    from minikeras import ops, random

    groups = dict.fromkeys(("core", "math", "nn", "numpy"), ops)
    return SimpleNamespace(
        **{
            name: getattr(ops, name) for name in ("cast", "convert_to_tensor", "is_tensor", "shape")
        },
        **groups,
        image=ops.image,
        linalg=ops.linalg,
        random=random,
    )


@registry.layers.register("Normalization")
class Normalization(DataLayer):
    """`(x - mean) / sqrt(variance)`, with moments that are given or taken from data by `adapt`.

    Args:
        axis: Integer, tuple of integers, or None. Defaults to -1. Axes with moments of their own:
            the features. None: one mean and variance for all.
        mean, variance: Floats or arrays, or None (default) to use `adapt`.
        invert: Boolean, default False. Whether to undo the normalization instead.
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input.

    Raises:
        ValueError: if only one of `mean` and `variance` is given, or they do not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]], "float32"))
    >>> layer(np.array([[1.0, 30.0]], "float32")).numpy().tolist()
    [[-1.0, 1.0]]
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if axis is None:
            axis = ()
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. Received:"
                f" mean={mean} and variance={variance}"
            )
        if mean is not None:
            mean, variance = plain(mean), plain(variance)
            if np.shape(mean) != np.shape(variance):
                raise ValueError(
                    "When setting values directly, `mean` and `variance` must have the same shape."
                    f" Received: mean shape {np.shape(mean)} and variance shape"
                    f" {np.shape(variance)}"
                )
            if np.ndim(mean) > len(self.axis) and np.size(mean) != 1:
                raise ValueError(
                    "The rank of `mean` must be less than or equal to the number of axes"
                    f" ({len(self.axis)}). Received: mean shape {np.shape(mean)} for axis"
                    f" {self.axis}"
                )

        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self._build_input_shape: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the variables, unless moments were given."""
        if input_shape is None:
            return
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ValueError(
                "All `axis` values must be in the range [-ndim, ndim). Received inputs with"
                f" ndim={ndim}, while axis={self.axis}"
            )
        self._keep_axis = tuple(sorted(axis % ndim for axis in self.axis))
        for axis in self._keep_axis:
            if input_shape[axis] is None:
                raise ValueError(
                    "All `axis` values to be kept must have a known shape. Received"
                    f" axis={self.axis}, inputs.shape={input_shape}, with unknown axis at index"
                    f" {axis}"
                )
        self._build_input_shape = tuple(input_shape)
        kept = set(self._keep_axis)
        self._reduce_axis = tuple(axis for axis in range(ndim) if axis not in kept)
        self._broadcast_shape = [
            size if axis in kept else 1 for axis, size in enumerate(input_shape)
        ]
        shape = tuple(input_shape[axis] for axis in self._keep_axis)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(
                name="mean", shape=shape, initializer="zeros", trainable=False
            )
            self.adapt_variance = self.add_weight(
                name="variance", shape=shape, initializer="ones", trainable=False
            )
            self.count = self.add_weight(
                name="count", shape=(), dtype="int64", initializer="zeros", trainable=False
            )
        else:
            self._moment(self.input_mean)
        self.built = True

    def _moment(self, value: Any) -> np.ndarray:
        """A given or adapted moment, in a shape that broadcasts to the inputs."""
        value = self._array(plain(value))
        if value.size == 1:
            return np.broadcast_to(value.reshape(()), self._broadcast_shape)
        shape = [1] * len(self._broadcast_shape)
        for axis, size in zip(self._keep_axis[-value.ndim :], value.shape):
            shape[axis] = size
        return np.broadcast_to(value.reshape(shape), self._broadcast_shape)

    def _moments(self) -> tuple:
        if self.input_mean is not None:
            return self._moment(self.input_mean), self._moment(self.input_variance)
        return tuple(
            self._array(one.array).reshape(self._broadcast_shape)
            for one in (self.adapt_mean, self.adapt_variance)
        )

    @property
    def mean(self) -> Any:
        """The mean, in a shape that broadcasts to the inputs; None before it is known."""
        return None if self._build_input_shape is None else Tensor(self._moments()[0])

    @property
    def variance(self) -> Any:
        """The variance, in a shape that broadcasts to the inputs; None before it is known."""
        return None if self._build_input_shape is None else Tensor(self._moments()[1])

    def adapt(self, data: Any) -> None:
        """Take the moments from data; those of an earlier call are forgotten.

        Args:
            data: Array, tensor, data frame, `PyDataset`, or iterable of batches. Of batches that
                are tuples, the first entry counts.

        Raises:
            ValueError: if there is no data, or its shape is not the one the layer was built with.
            TypeError: for anything else.
        """
        if self.input_mean is not None:
            raise ValueError(
                "`adapt()` has no use on a Normalization layer that was given `mean` and"
                " `variance`. Leave these arguments out."
            )
        total: Any = 0.0
        spread: Any = 0.0
        count = 0
        for batch in _batches(data):
            if not self.built:
                with_batch = (None, *batch.shape[1:]) if batch.ndim > 1 else batch.shape
                self.build_with({"input_shape": with_batch}, single=True)
            self._check_shape(batch.shape)
            if batch.dtype.kind not in "fc":
                batch = batch.astype(np.float64)
            size = math.prod(batch.shape[axis] for axis in self._reduce_axis)
            if not size:
                continue
            mean = batch.mean(self._reduce_axis, dtype=np.float64)
            variance = np.square(batch - np.expand_dims(mean, self._reduce_axis)).mean(
                self._reduce_axis
            )
            count += size
            # Chan et al. (1979): the moments of two sets together.
            weight = size / count
            shift = mean - total
            spread = spread * (1 - weight) + variance * weight + shift**2 * weight * (1 - weight)
            total = total + shift * weight
        if not count:
            raise ValueError(
                "adapt() received an empty iterable. Pass an array or an iterable of batches that"
                " is not empty."
            )
        self.adapt_mean.assign(total)
        self.adapt_variance.assign(spread)

    def _check_shape(self, shape: tuple) -> None:
        built = self._build_input_shape
        if len(shape) != len(built) or any(shape[axis] != built[axis] for axis in self._keep_axis):
            raise ValueError(
                f"The layer was built with input_shape={built}, but adapt() is being called with"
                f" data with an incompatible shape, data.shape={shape}"
            )

    def finalize_state(self) -> None:
        """Nothing to do: the moments are read where they are used."""

    def forward(self, ctx: Any, x: Any) -> Any:
        if self._build_input_shape is None:
            raise ValueError("You must call `.build(input_shape)` on the layer before using it.")
        ctx.source = np.asarray(x).dtype
        x = self._array(x)
        mean, variance = self._moments()
        deviation = np.maximum(np.sqrt(variance), x.dtype.type(settings.epsilon()))
        ctx.factor = deviation if self.invert else 1 / deviation
        if self.invert:
            return mean + x * deviation
        return (x - mean) / deviation

    def backward(self, ctx: Any, dy: Any) -> Any:
        return (dy * ctx.factor).astype(ctx.source, copy=False) if ctx.source.kind == "f" else None

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": np.array(self.input_mean).tolist(),
            "variance": np.array(self.input_variance).tolist(),
        }

    def get_build_config(self) -> dict | None:
        """The shape the layer was built with."""
        shape = self._build_input_shape
        return None if shape is None else {"input_shape": shape}


def _batches(data: Any) -> Iterator[np.ndarray]:
    if isinstance(data, (np.ndarray, Tensor, Variable)):
        yield np.asarray(plain(data))
        return
    if hasattr(data, "to_numpy"):
        yield data.to_numpy()
        return
    if not hasattr(data, "__iter__") and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        data = (data[index] for index in range(len(data)))
    if not hasattr(data, "__iter__") or isinstance(data, (str, bytes, dict)):
        raise TypeError(
            f"Unsupported data type: {type(data)}. `adapt` supports arrays, tensors, data frames,"
            " `minikeras.utils.PyDataset`, and iterables of batches (e.g. list, generator)."
        )
    for batch in data:
        if isinstance(batch, (tuple, list)) and batch and hasattr(batch[0], "shape"):
            batch = batch[0]
        if not hasattr(batch, "shape"):
            raise TypeError(
                "adapt() expects an iterable that yields arrays or tensors with a `.shape`"
                f" attribute. Got an element of type {type(batch).__name__}. Pass"
                " `np.array(data)` if this is one array."
            )
        batch = np.asarray(plain(batch))
        yield batch if batch.ndim else batch.reshape(1)


@registry.layers.register("Rescaling")
class Rescaling(DataLayer):
    """`x * scale + offset`.

    Args:
        scale: Float, or list or array with one number a channel. `1 / 255` brings the pixels of an
            image into [0, 1].
        offset: Float, or list or array. Defaults to 0.0.
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Rescaling(1 / 255)
    >>> layer(np.array([[0, 255]], "uint8")).numpy().tolist()
    [[0.0, 1.0]]
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def _per_channel(self, value: Any) -> np.ndarray:
        value = self._array(plain(value))
        if value.ndim and settings.image_data_format() == "channels_first":
            value = value.reshape(value.shape + (1,) * (3 - value.ndim))
        return value

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = np.asarray(x).dtype
        ctx.scale = self._per_channel(self.scale)
        return self._array(x) * ctx.scale + self._per_channel(self.offset)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return (dy * ctx.scale).astype(ctx.source, copy=False) if ctx.source.kind == "f" else None

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "scale": serialization.serialize(self.scale),
            "offset": serialization.serialize(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        for key in ("scale", "offset"):
            config[key] = serialization.deserialize(config.get(key, 0.0), None, custom_objects)
        return super().from_config(config)
