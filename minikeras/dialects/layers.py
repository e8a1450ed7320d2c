"""Layers and functions that Keras dropped or changed, for the files that name them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import initializers, layers, ops, random, regularizers
from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.kernels.activation import Kernel


@registry.activations.register("keras2_hard_sigmoid")
def keras2_hard_sigmoid(x: Any) -> Any:
    """The piecewise linear sigmoid of Keras 1 and 2: `clip(0.2 x + 0.5, 0, 1)`.

    Today's `hard_sigmoid` is `clip(x / 6 + 0.5, 0, 1)`. Models from older files keep theirs.

    Args:
        x: Input, of any shape.
    """
    return ops.clip(x * 0.2 + 0.5, 0.0, 1.0)  # type: ignore[attr-defined]


def _forward(z: np.ndarray) -> np.ndarray:
    z *= 0.2
    z += 0.5
    return np.clip(z, 0, 1, out=z)


keras2_hard_sigmoid.kernel = Kernel(  # type: ignore[attr-defined]
    _forward, lambda y, dy: (dy * 0.2) * ((y > 0) & (y < 1))
)


class _Old(Layer):
    """What the layers here share: settings by a table, names of attributes in configs.

    `settings` maps the name of a setting to its default; endings tell the registry.
    """

    settings: dict[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = {**dict(zip(self.settings, args)), **kwargs}
        given = {name: kwargs.pop(name, default) for name, default in self.settings.items()}
        super().__init__(**kwargs)
        for name, value in given.items():
            home = _home(name)
            setattr(self, name, value if home is None else home.get(value))

    def get_config(self) -> dict:
        """The configuration."""
        config = super().get_config()
        for name in self.settings:
            home, value = _home(name), getattr(self, name)
            config[name] = value if home is None else home.serialize(value)
        return config

    def _make(self, name: str, shape: Any) -> Any:
        """A weight with the initializer, regularizer and constraint that its name says."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{name}_initializer", None),
            regularizer=getattr(self, f"{name}_regularizer", None),
            constraint=getattr(self, f"{name}_constraint", None),
        )


def _home(name: str) -> Any:
    for ending, home in (
        ("activation", registry.activations),
        ("initializer", registry.initializers),
        ("constraint", registry.constraints),
        ("regularizer", registry.regularizers),
    ):
        if name.endswith(ending):
            return home
    return None


_DENSE = {
    "activation": None,
    "use_bias": True,
    "kernel_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}


@registry.layers.register("MaxoutDense")
class MaxoutDense(_Old):
    """The largest of `nb_feature` linear maps (Keras 1)."""

    settings = {"units": 1, "nb_feature": 4, **_DENSE}

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        self.kernel = self._make("kernel", (self.nb_feature, input_shape[-1], self.units))
        if self.use_bias:
            self.bias = self._make("bias", (self.nb_feature, self.units))

    def call(self, x: Any) -> Any:
        """Compute the output."""
        y = ops.einsum("ni,fio->nfo", x, self.kernel)
        if self.use_bias:
            y = y + self.bias
        return ops.max(y, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        return (input_shape[0], self.units)


@registry.layers.register("Highway")
class Highway(_Old):
    """A gate between the input and a transformation of it (Keras 1)."""

    settings = {"transform_bias": -2, **_DENSE}

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        shape = (input_shape[-1], input_shape[-1])
        self.kernel = self._make("kernel", shape)
        if self.use_bias:
            self.bias = self._make("bias", shape[:1])
        self.kernel_carry = self.add_weight(
            name="kernel_carry", shape=shape, initializer=self.kernel_initializer
        )
        if self.use_bias:
            self.bias_carry = self.add_weight(
                name="bias_carry",
                shape=shape[:1],
                initializer=registry.initializers.get(
                    {"class_name": "Constant", "config": {"value": float(self.transform_bias)}}
                ),
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        gate, y = ops.matmul(x, self.kernel_carry), ops.matmul(x, self.kernel)
        if self.use_bias:
            gate, y = gate + self.bias_carry, y + self.bias
        gate = ops.sigmoid(gate)
        if self.activation is not None:
            y = self.activation(y)
        return gate * y + (1 - gate) * x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        return input_shape


class _LocallyConnected(_Old):
    """A convolution whose kernel differs from place to place."""

    settings = {
        "filters": 1,
        "kernel_size": 1,
        "strides": 1,
        "padding": "valid",
        "data_format": None,
        "implementation": 1,
        **_DENSE,
    }
    rank = 1
    implementation: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("kernel_size", "strides"):
            value = getattr(self, name)
            value = (value,) * self.rank if isinstance(value, int) else tuple(value)
            setattr(self, name, value)
        self.implementation = self.implementation or 1
        paddings = ("valid",) if self.implementation == 1 else ("valid", "same")
        if self.padding not in paddings or self.implementation not in (1, 2, 3):
            raise ValueError(
                f"{type(self).__name__} supports `padding='valid'`, and `padding='same'` with"
                " `implementation` 2 or 3. Received:"
                f" padding={self.padding!r}, implementation={self.implementation!r}"
            )

    def _space(self, input_shape: Any) -> tuple:
        first = self.data_format == "channels_first"
        space = input_shape[2:] if first else input_shape[1:-1]
        if any(size is None for size in space):
            raise ValueError(
                f"The spatial dimensions of the inputs to {type(self).__name__} should be fully"
                f" defined. Received: input_shape={input_shape}"
            )
        if self.padding == "same":
            return tuple(-(-n // s) for n, s in zip(space, self.strides))
        return tuple((n - k) // s + 1 for n, k, s in zip(space, self.kernel_size, self.strides))

    def _connections(self, input_shape: Any) -> np.ndarray:
        """Which inputs an output sees: Boolean, of the shapes of input and output in space."""
        first = self.data_format == "channels_first"
        space = tuple(input_shape[2:] if first else input_shape[1:-1])
        outputs = self._space(input_shape)
        seen = np.zeros(space + outputs, bool)
        for place in np.ndindex(*outputs):
            window = []
            for p, s, k, n in zip(place, self.strides, self.kernel_size, space):
                start = p * s - (k // 2 if self.padding == "same" else 0)
                window.append(slice(max(start, 0), min(start + k, n)))
            index = (*window, *place)
            seen[index] = True
        return seen

    def _build_matrix(self, input_shape: Any, channels: int) -> None:
        """Kernels as a matrix from inputs to outputs, whole or as the list of what is not 0."""
        first, rank = self.data_format == "channels_first", self.rank
        seen = self._connections(input_shape)
        full = np.broadcast_to(
            seen.reshape(*seen.shape, 1, 1), (*seen.shape, channels, self.filters)
        )
        inside, outside = list(range(rank)), list(range(rank, 2 * rank))
        order = [2 * rank, *inside] if first else [*inside, 2 * rank]
        order += [2 * rank + 1, *outside] if first else [*outside, 2 * rank + 1]
        self._mask = np.ascontiguousarray(full.transpose(order))
        half = rank + 1
        self._sizes = tuple(
            int(np.prod(part)) for part in (self._mask.shape[:half], self._mask.shape[half:])
        )
        self._output_sizes = self._mask.shape[half:]
        if self.implementation == 2:
            self.kernel = self._make("kernel", self._mask.shape)
            return
        # Sorted by output, then by input.
        self._places = np.argwhere(self._mask.reshape(self._sizes).T)
        self.kernel = self._make("kernel", (len(self._places),))

    def _by_matrix(self, x: Any) -> Any:
        """Outputs, channels last."""
        flat = ops.reshape(x, (-1, self._sizes[0]))
        if self.implementation == 2:
            masked = self.kernel * self._mask.astype(str(self.kernel.dtype))
            y = ops.matmul(flat, ops.reshape(masked, self._sizes))
        else:
            matrix = ops.scatter(self._places, self.kernel, self._sizes[::-1])
            y = ops.matmul(flat, ops.transpose(matrix))
        y = ops.reshape(y, (-1, *self._output_sizes))
        return ops.moveaxis(y, 1, -1) if self.data_format == "channels_first" else y

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        space = self._space(input_shape)
        channels = input_shape[1] if self.data_format == "channels_first" else input_shape[-1]
        width = int(np.prod(self.kernel_size)) * channels
        if self.implementation == 1:
            self.kernel = self._make("kernel", (int(np.prod(space)), width, self.filters))
        else:
            self._build_matrix(input_shape, channels)
        if self.use_bias:
            self.bias = self._make("bias", (*space, self.filters))

    def call(self, x: Any) -> Any:
        """Compute the output."""
        if self.implementation != 1:
            return self._end(self._by_matrix(x))
        if self.data_format == "channels_first":
            x = ops.moveaxis(x, 1, -1)
        space = self._space(
            tuple(x.shape)
            if self.data_format != "channels_first"
            else (x.shape[0], x.shape[-1], *x.shape[1:-1])
        )
        batch = x.shape[0] if x.shape[0] is not None else -1
        patches = []
        for place in np.ndindex(*space):
            window = tuple(
                slice(p * s, p * s + k) for p, s, k in zip(place, self.strides, self.kernel_size)
            )
            patches.append(ops.reshape(x[(slice(None),) + window], (batch, self.kernel.shape[1])))
        y = ops.einsum("npi,pio->npo", ops.stack(patches, axis=1), self.kernel)
        return self._end(ops.reshape(y, (batch, *space, self.filters)))

    def _end(self, y: Any) -> Any:
        if self.use_bias:
            y = y + self.bias
        if self.data_format == "channels_first":
            y = ops.moveaxis(y, -1, 1)
        return y if self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        space = self._space(input_shape)
        if self.data_format == "channels_first":
            return (input_shape[0], self.filters, *space)
        return (input_shape[0], *space, self.filters)


@registry.layers.register("LocallyConnected1D")
class LocallyConnected1D(_LocallyConnected):
    """A 1D convolution whose kernel differs from place to place (Keras 1 and 2)."""

    _input_axes = (None,)


@registry.layers.register("LocallyConnected2D")
class LocallyConnected2D(_LocallyConnected):
    """A 2D convolution whose kernel differs from place to place (Keras 1 and 2)."""

    rank = 2


class _Elementwise(_Old):
    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        return input_shape


@registry.layers.register("ThresholdedReLU")
class ThresholdedReLU(_Elementwise):
    """`x` where it is greater than `theta`, else 0 (Keras 1 and 2)."""

    settings = {"theta": 1.0}

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return x * ops.cast(x > float(self.theta), x.dtype)


@registry.layers.register("ParametricSoftplus")
class ParametricSoftplus(_Elementwise):
    """`alpha * log(1 + exp(beta * x))` with both learned (Keras 1)."""

    settings = {"alpha_init": 0.2, "beta_init": 5.0}

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        for name in ("alpha", "beta"):
            value = float(getattr(self, f"{name}_init"))
            start = {"class_name": "Constant", "config": {"value": value}}
            made = self.add_weight(
                name=name, shape=input_shape[1:], initializer=registry.initializers.get(start)
            )
            setattr(self, name, made)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return ops.softplus(self.beta * x) * self.alpha


@registry.layers.register("SReLU")
class SReLU(_Elementwise):
    """A line with two learned bends (Keras 1)."""

    settings = {
        "t_left_init": "zero",
        "a_left_init": "glorot_uniform",
        "t_right_init": "glorot_uniform",
        "a_right_init": "one",
    }

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        for name in ("t_left", "a_left", "t_right", "a_right"):
            start = getattr(self, f"{name}_init")
            start = {"zero": "zeros", "one": "ones"}.get(start, start)
            setattr(
                self, name, self.add_weight(name=name, shape=input_shape[1:], initializer=start)
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        right = self.t_left + ops.abs(self.t_right)  # type: ignore[attr-defined]
        low = ops.cast(x < self.t_left, x.dtype)
        high = ops.cast(x > right, x.dtype)
        middle = (1 - low) * (1 - high)
        left = self.a_left * (x - self.t_left)
        if getattr(self, "_caps_left", False):
            left = ops.minimum(left, right - self.t_left)
        return low * (self.t_left + left) + middle * x + high * (right + self.a_right * (x - right))


@registry.layers.register("Keras1Cosine")
class Keras1Cosine(_Old):
    """`Merge(mode="cos")` of Keras 1: the cosine between two inputs."""

    settings = {"axes": -1}

    def call(self, inputs: Any) -> Any:
        """Compute the output."""
        from minikeras.layers import Dot

        a, b = inputs
        axes = self.axes if isinstance(self.axes, int) else tuple(self.axes)
        product = Dot(axes=axes, dtype=self.dtype_policy)
        top = product([a, b])
        squares = product([a, a]) * product([b, b])
        below = ops.sqrt(ops.maximum(squares, 1e-14))  # type: ignore[attr-defined]
        return ops.expand_dims(top / below, 1)


@registry.layers.register("Keras1BatchNormalization")
class Keras1BatchNormalization(layers.BatchNormalization):
    """`BatchNormalization(mode=1)` and `(mode=2)` of Keras 1.

    Args:
        mode: 1: each sample is normalized by its own statistics along `axis`. 2: each batch by its
            own, in inference too.

    Raises:
        ValueError: for another mode.
    """

    def __init__(self, *args: Any, mode: int = 2, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mode not in (1, 2):
            raise ValueError(
                f"Argument `mode` of BatchNormalization must be 0, 1 or 2. Received: {mode!r}"
            )
        self.mode = int(mode)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Compute the output."""
        rank = len(inputs.shape)
        axis = self.axis % rank
        alone = self.mode == 1
        axes = (axis,) if alone else tuple(one for one in range(rank) if one != axis)
        mean, variance = ops.moments(inputs, axes, keepdims=True)
        # Keras 1 added `epsilon` twice to the deviations of single samples.
        deviation = ops.sqrt(variance + self.epsilon) + (self.epsilon if alone else 0.0)
        y = (inputs - mean) / deviation
        shape = [-1 if one == axis else 1 for one in range(rank)]
        if self.scale:
            y = y * ops.reshape(self.gamma, shape)
        return y + ops.reshape(self.beta, shape) if self.center else y

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "mode": self.mode}


@registry.layers.register("Keras1Embedding")
class Keras1Embedding(layers.Embedding):
    """`Embedding(dropout=rate)` of Keras 1: in training, whole words are dropped from the table.

    Args:
        dropout: Float from 0 to 1, default 0.0. Share of the words; the others are scaled up.
    """

    def __init__(self, *args: Any, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(
                f"Argument `dropout` must be at least 0 and below 1. Received: {dropout!r}"
            )
        self.dropout = float(dropout)
        self.seed_generator = SeedGenerator()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Look the words up."""
        y = super().call(inputs)
        if not training or not self.dropout:
            return y
        kept = random.uniform((self.input_dim,), seed=self.seed_generator) >= self.dropout
        kept = ops.cast(kept, y.dtype) / (1.0 - self.dropout)
        return y * ops.expand_dims(ops.take(kept, ops.cast(inputs, "int32")), -1)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "dropout": self.dropout}


@registry.regularizers.register("EigenvalueRegularizer")
class EigenvalueRegularizer(regularizers.Regularizer):
    """A factor times the largest singular value of a matrix, as nine steps of a power method.

    Args:
        k: Float. The factor.
    """

    def __init__(self, k: float) -> None:
        self.k = float(k)

    def __call__(self, x: Any) -> Any:
        squares = ops.matmul(ops.transpose(x), x)
        vector = ops.ones((squares.shape[0], 1), squares.dtype)
        for _ in range(9):
            vector = ops.matmul(squares, vector)
            vector = vector / ops.norm(vector)
        return self.k * ops.sqrt(ops.sum(ops.matmul(squares, vector) * vector))

    def get_config(self) -> dict:
        """The configuration."""
        return {"k": self.k}


@registry.layers.register("RandomHeight")
class RandomHeight(_Old):
    """Images whose height is drawn anew for each batch, while training.

    Args:
        factor: Float, or two: how much taller, from and to, as a fraction. One means from its
            negative to itself.
        interpolation: How `ops.image.resize` finds the pixels, default `"bilinear"`.
        seed: Integer, or None.
    """

    settings = {"factor": 0.2, "interpolation": "bilinear", "seed": None}
    _axis = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._generator = SeedGenerator(self.seed)
        self.built = True

    def call(self, inputs: Any, training: bool = True) -> Any:
        x = ops.convert_to_tensor(inputs)
        if not training:
            return x
        low, high = self.factor if np.ndim(self.factor) else (-self.factor, self.factor)
        size = list(x.shape[-3:-1])
        scale = float(random.uniform((), 1 + low, 1 + high, seed=self._generator))
        size[self._axis] = max(1, int(size[self._axis] * scale))
        return ops.image.resize(x, size, interpolation=self.interpolation)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input; what is drawn is unknown."""
        shape = list(input_shape)
        shape[self._axis - 3] = None
        return tuple(shape)


@registry.layers.register("RandomWidth")
class RandomWidth(RandomHeight):
    """As `RandomHeight`, of the width."""

    _axis = 1


def _cauchy(shape: Any, dtype: Any = None) -> Any:
    return ops.tan(math.pi * random.uniform(shape, -0.5, 0.5, dtype=dtype))


@registry.layers.register("RandomFourierFeatures")
class RandomFourierFeatures(layers.Layer):
    """Features whose products approximate a kernel: `cos(x @ kernel / scale + bias)`.

    Args:
        output_dim: Integer: how many features.
        kernel_initializer: The kernel, `"gaussian"` or `"laplacian"`, or an initializer.
        scale: Float, or None: of a Gaussian kernel the root of half the size of the input, else 1.
        trainable: Boolean, default False: whether the scale is learned.
    """

    def __init__(
        self,
        output_dim: int,
        kernel_initializer: Any = "gaussian",
        scale: float | None = None,
        trainable: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self.output_dim, self.kernel_initializer, self.scale = output_dim, kernel_initializer, scale

    def build(self, input_shape: Any) -> None:
        """Draw the kernel."""
        size, kind = input_shape[-1], self.kernel_initializer
        drawn = {"gaussian": initializers.RandomNormal(stddev=1.0), "laplacian": _cauchy}
        named = kind.lower() if isinstance(kind, str) else ""
        self.unscaled_kernel = self.add_weight(
            name="unscaled_kernel",
            shape=(size, self.output_dim),
            initializer=drawn.get(named, kind),
            trainable=False,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.output_dim,),
            initializer=initializers.RandomUniform(0.0, 2 * math.pi),
            trainable=False,
        )
        scale = self.scale or (math.sqrt(size / 2) if named == "gaussian" else 1.0)
        self.kernel_scale = self.add_weight(
            name="kernel_scale",
            shape=(1,),
            initializer=initializers.Constant(scale),
            constraint="non_neg",
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        kernel = ops.divide(self.unscaled_kernel, self.kernel_scale)
        return ops.cos(ops.matmul(inputs, kernel) + self.bias)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`output_dim` features."""
        return (*input_shape[:-1], self.output_dim)

    def get_config(self) -> dict:
        """The configuration."""
        kind = self.kernel_initializer
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "scale": self.scale,
            "kernel_initializer": kind if isinstance(kind, str) else initializers.serialize(kind),
        }
