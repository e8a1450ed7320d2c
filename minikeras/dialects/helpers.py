"""Functions of `keras.utils`, `keras.initializations` of Keras 1, random layers of Keras 2."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from minikeras import initializers, layers, ops, random
from minikeras.dialects.layers import _Old
from minikeras.engine import registry
from minikeras.engine.rng import SeedGenerator
from minikeras.engine.variable import Variable


def HDF5Matrix(
    datapath: Any, dataset: str, start: int = 0, end: int | None = None, normalizer: Any = None
) -> Any:
    """Rows of a dataset of an HDF5 file, in memory; `normalizer` is a function of them."""
    with h5py.File(datapath, "r") as file:
        rows = file[dataset][start:end]
    return rows if normalizer is None else normalizer(rows)


def multi_gpu_model(model: Any, gpus: Any = None, *_: Any, **__: Any) -> Any:
    """The model itself: batches were parts on several devices, with the same results."""
    return model


def probas_to_classes(y_pred: Any) -> Any:
    """Classes from probabilities; those of one column are compared with 1/2."""
    y = np.asarray(y_pred)
    if y.ndim > 1 and y.shape[1] > 1:
        return categorical_probas_to_classes(y)
    return np.array([1 if p > 0.5 else 0 for p in y.reshape(-1)])


def categorical_probas_to_classes(p: Any) -> Any:
    """The likeliest class of each row."""
    return np.argmax(p, axis=1)


def convert_kernel(kernel: Any) -> Any:
    """A kernel of a convolution turned by 180 degrees, as Theano and TensorFlow differ in it."""
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError(f"Invalid kernel shape: {kernel.shape}")
    return np.copy(kernel[(slice(None, None, -1),) * (kernel.ndim - 2)])


def convert_all_kernels_in_model(model: Any) -> None:
    """Turn the kernels of all convolutions of a model by 180 degrees."""
    for layer in model.layers:
        if "Conv" in type(layer).__name__ and layer.built:
            layer.kernel.assign(convert_kernel(layer.kernel))


def conv_output_length(
    input_length: Any, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> Any:
    """The length of what a convolution makes."""
    if padding not in ("same", "valid", "full", "causal"):
        raise ValueError(
            f"Argument `padding` must be 'same', 'valid', 'full' or 'causal'. Received: {padding!r}"
        )
    if input_length is None:
        return None
    wide = filter_size + (filter_size - 1) * (dilation - 1)
    more = {"same": 0, "causal": 0, "valid": 1 - wide, "full": wide - 1}[padding]
    return (input_length + more + stride - 1) // stride


def get_from_module(
    identifier: Any,
    module_params: dict,
    module_name: str,
    instantiate: bool = False,
    kwargs: dict | None = None,
) -> Any:
    """What `identifier` names in a dict of a module's names, or itself if it is no string."""
    if not isinstance(identifier, str):
        return identifier
    found = module_params.get(identifier)
    if found is None:
        raise ValueError(f"Invalid {module_name}: {identifier}")
    return found(**(kwargs or {})) if instantiate else found


def print_summary(
    model: Any, line_length: int | None = None, positions: Any = None, print_fn: Any = None
) -> None:
    """`model.summary()`."""
    model.summary(line_length=line_length, positions=positions, print_fn=print_fn)


def get_source_inputs(tensor: Any, layer: Any = None, node_index: Any = None) -> list:
    """The inputs that a tensor of a model is computed from."""
    from minikeras.dialects.backend_graph import _inputs_of

    return _inputs_of([tensor])


_OPTIONS: dict[str, str] = {
    "normal": "stddev",
    "uniform": "maxval",
    "identity": "gain",
    "orthogonal": "gain",
}
_TODAY: dict[str, str] = {
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "zero": "Zeros",
    "one": "Ones",
    "identity": "Identity",
    "orthogonal": "Orthogonal",
    "glorot_normal": "GlorotNormal",
    "glorot_uniform": "GlorotUniform",
    "he_normal": "HeNormal",
    "he_uniform": "HeUniform",
    "lecun_uniform": "LecunUniform",
}
_SCALES = {"normal": 0.05, "uniform": 0.05, "identity": 1.0, "orthogonal": 1.1}


def _of(name: str) -> Any:
    def initialize(
        shape: Any, scale: float | None = None, name: str | None = None, dim_ordering: Any = None
    ) -> Any:
        options: dict = {}
        if key in _OPTIONS:
            scale = _SCALES[key] if scale is None else scale
            options[_OPTIONS[key]] = scale
            if key == "uniform":
                options["minval"] = -scale
        made = getattr(initializers, _TODAY[key])(**options)
        return Variable(made(tuple(shape)), name=name)

    key = name
    initialize.__name__ = name
    initialize.__doc__ = (
        f"A variable with the values of `initializers.{_TODAY[name]}`, as in Keras 1."
    )
    return initialize


for _name in _TODAY:
    globals()[_name] = _of(_name)


def get(identifier: Any, **_: Any) -> Any:
    """The function of a shape that a name, or a function, stands for."""
    if identifier in _TODAY if isinstance(identifier, str) else False:
        return globals()[identifier]
    found = initializers.get(identifier)
    return lambda shape, name=None, **_: Variable(found(tuple(shape)), name=name)


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
