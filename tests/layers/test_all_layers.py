"""Every registered layer, once: its gradient in float64, and a round trip through both files.

The table is compared with the registry, so a layer without a case fails.
"""

import warnings

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.engine import registry
from tests.gradcheck import check_gradients

RNG = np.random.default_rng(11)


def rows(*shape):
    return RNG.normal(size=(2, *shape))


SEQUENCE, IMAGE, VOLUME = rows(6, 3), rows(6, 5, 3), rows(4, 5, 4, 2)
INDICES = RNG.integers(0, 7, size=(2, 5))
PAIR = [rows(4), rows(4)]
TEXTS = np.array([["a"], ["b"]], dtype=object)

# Layer -> arguments of the constructor, inputs. Inputs in a list are a list argument.
CASES = {
    "Activation": (("tanh",), rows(4)),
    "ActivityRegularization": ((0.01, 0.02), rows(4)),
    "AdaptiveAveragePooling1D": ((3,), SEQUENCE),
    "AdaptiveAveragePooling2D": ((3,), IMAGE),
    "AdaptiveAveragePooling3D": ((2,), VOLUME),
    "AdaptiveMaxPooling1D": ((3,), SEQUENCE),
    "AdaptiveMaxPooling2D": ((3,), IMAGE),
    "AdaptiveMaxPooling3D": ((2,), VOLUME),
    "AdditiveAttention": ((), [rows(3, 4), rows(5, 4)]),
    "AlphaDropout": ((0.3,), rows(4)),
    "Attention": (({"use_scale": True},), [rows(3, 4), rows(5, 4)]),
    "AveragePooling1D": ((2,), SEQUENCE),
    "AveragePooling2D": ((2,), IMAGE),
    "AveragePooling3D": ((2,), VOLUME),
    "BatchNormalization": ((), IMAGE),
    "Bidirectional": (({"layer": lambda **kw: layers.GRU(3, **kw)},), SEQUENCE),
    "Conv1D": ((4, 3), SEQUENCE),
    "Conv1DTranspose": ((4, 3), SEQUENCE),
    "Conv2D": ((4, 3, {"activation": "tanh"}), IMAGE),
    "Conv2DTranspose": ((4, 3), IMAGE),
    "Conv3D": ((4, 2), VOLUME),
    "Conv3DTranspose": ((4, 2), VOLUME),
    "ConvLSTM1D": ((3, 2), rows(3, 5, 2)),
    "ConvLSTM2D": ((3, 2), rows(3, 4, 4, 2)),
    "ConvLSTM3D": ((2, 2), rows(2, 3, 3, 3, 2)),
    "Cropping1D": ((1,), SEQUENCE),
    "Cropping2D": ((1,), IMAGE),
    "Cropping3D": ((1,), VOLUME),
    "Dense": ((3, {"activation": "sigmoid"}), SEQUENCE),
    "DepthwiseConv1D": ((3,), SEQUENCE),
    "DepthwiseConv2D": ((3,), IMAGE),
    "Dot": ((1,), PAIR),
    "Dropout": ((0.5,), rows(4)),
    "ELU": ((), rows(4)),
    "EinsumDense": (("abc,cd->abd", {"output_shape": (None, 4), "bias_axes": "d"}), SEQUENCE),
    "Embedding": ((7, 3), INDICES),
    "Flatten": ((), IMAGE),
    "GRU": ((4,), SEQUENCE),
    "GaussianDropout": ((0.3,), rows(4)),
    "GaussianNoise": ((0.3,), rows(4)),
    "GroupNormalization": (({"groups": 3},), IMAGE),
    "GroupQueryAttention": ((4, 4, 2), None),
    "Identity": ((), rows(4)),
    "LSTM": ((4,), SEQUENCE),
    "LayerNormalization": ((), SEQUENCE),
    "LeakyReLU": ((), rows(4)),
    "MultiHeadAttention": ((2, 3), None),
    "Masking": ((), SEQUENCE),
    "MaxPooling1D": ((2,), SEQUENCE),
    "MaxPooling2D": ((2,), IMAGE),
    "MaxPooling3D": ((2,), VOLUME),
    "Normalization": (({"mean": 1.0, "variance": 4.0},), rows(4)),
    "PReLU": (({"alpha_initializer": "normal"},), rows(4)),
    "Permute": (((2, 1),), SEQUENCE),
    "RMSNormalization": ((), SEQUENCE),
    "RNN": (({"cell": lambda **kw: layers.LSTMCell(3, **kw)},), SEQUENCE),
    "ReLU": (({"negative_slope": 0.1},), rows(4)),
    "RepeatVector": ((3,), rows(4)),
    "Rescaling": ((2.0, {"offset": 1.0}), rows(4)),
    "Reshape": (((3, 6),), SEQUENCE),
    "ReversibleEmbedding": ((7, 3), INDICES),
    "SeparableConv1D": ((4, 3), SEQUENCE),
    "SeparableConv2D": ((4, 3), IMAGE),
    "SimpleRNN": ((4,), SEQUENCE),
    "Softmax": ((), rows(4)),
    "SpatialDropout1D": ((0.5,), SEQUENCE),
    "SpatialDropout2D": ((0.5,), IMAGE),
    "SpatialDropout3D": ((0.5,), VOLUME),
    "SpectralNormalization": (({"layer": lambda **kw: layers.Dense(3, **kw)},), rows(4)),
    "StackedRNNCells": None,
    "TimeDistributed": (({"layer": lambda **kw: layers.Dense(3, **kw)},), SEQUENCE),
    "UnitNormalization": ((), rows(4)),
    "UpSampling1D": ((2,), SEQUENCE),
    "UpSampling2D": ((2, {"interpolation": "bilinear"}), IMAGE),
    "UpSampling3D": ((2,), VOLUME),
    "ZeroPadding1D": ((1,), SEQUENCE),
    "ZeroPadding2D": ((1,), IMAGE),
    "ZeroPadding3D": ((1,), VOLUME),
    "Lambda": (({"function": keras.ops.square},), rows(4)),
}
for _name in "Add Average Concatenate Maximum Minimum Multiply Subtract".split():
    CASES[_name] = ((), PAIR)
for _name in ("GlobalAveragePooling", "GlobalMaxPooling"):
    for _rank, _data in enumerate((SEQUENCE, IMAGE, VOLUME), 1):
        CASES[f"{_name}{_rank}D"] = ((), _data)

# Layers of which this table says nothing, and where they are tested.
ELSEWHERE = {
    "InputLayer": "no call; tests/models",
    "Wrapper": "abstract; tests/layers/test_wrappers.py",
    "GRUCell": "cells: through RNN, tests/layers/test_recurrent.py",
    "LSTMCell": "cells: through RNN, tests/layers/test_recurrent.py",
    "SimpleRNNCell": "cells: through RNN, tests/layers/test_recurrent.py",
    "StackedRNNCells": "cells: through RNN, tests/layers/test_recurrent.py",
}
del CASES["StackedRNNCells"]


def preprocessing(name):
    """Layers without gradient that turn data into numbers."""
    module = registry.layers.find(name).__module__
    return ".preprocessing" in module and name not in ("Normalization", "Rescaling")


def older(name):
    """Layers that only old files and scripts name."""
    return ".dialects" in registry.layers.find(name).__module__


def make(name, **extra):
    arguments, _ = CASES[name]
    positional, options = [], dict(extra)
    for one in arguments:
        if isinstance(one, dict):
            options.update(one)
        else:
            positional.append(one)
    inner = {key: value for key, value in extra.items() if key == "dtype"}
    for key in ("layer", "cell"):
        if key in options:
            options[key] = options[key](**inner)
    return registry.layers.find(name)(*positional, **options)


def call_arguments(name):
    _, data = CASES[name]
    if data is None:  # attention of several heads
        return (rows(3, 4), rows(5, 4))
    return (data,)


def test_no_layer_is_missing():
    known = {*CASES, *ELSEWHERE}
    found = {name for name in registry.layers.objects() if not preprocessing(name)}
    assert {name for name in found - known if not older(name)} == set()
    assert set(CASES) <= found


@pytest.mark.parametrize("name", sorted(CASES))
def test_gradient(name):
    layer = make(name, dtype="float64")
    check_gradients(layer, *call_arguments(name))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_files(name, suffix, tmp_path):
    arrays = [
        part.astype("float32" if part.dtype.kind == "f" else part.dtype)
        for argument in call_arguments(name)
        for part in (argument if isinstance(argument, list) else [argument])
    ]
    inputs = [keras.Input(part.shape[1:], dtype=part.dtype.name) for part in arrays]
    layer = make(name)
    as_list = isinstance(CASES[name][1], list)
    outputs = layer(inputs) if as_list else layer(*inputs)
    model = keras.Model(inputs, outputs)
    expected = model.predict(arrays)
    model.save(tmp_path / f"model{suffix}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No training configuration")
        again = keras.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_array_equal(again.predict(arrays), expected)
    assert [w.name for w in again.weights] == [w.name for w in model.weights]


TAKES_FLOATS = sorted(
    name
    for name in CASES
    if isinstance(CASES[name][1], np.ndarray) and CASES[name][1].dtype.kind == "f"
)
# What computes with floats: pools and dropout keep integers, as Keras does.
FLOAT_RESULTS = (
    "Bidirectional Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D"
    " ConvLSTM2D ConvLSTM3D Dense DepthwiseConv1D DepthwiseConv2D ELU EinsumDense GRU LSTM"
    " LeakyReLU PReLU RNN SeparableConv1D SeparableConv2D SimpleRNN Softmax SpectralNormalization"
    " TimeDistributed"
).split()


def whole_numbers(name, dtype):
    data = CASES[name][1]
    return np.rint(3 * (np.abs(data) if dtype == "uint8" else data)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
@pytest.mark.parametrize("name", TAKES_FLOATS)
def test_whole_numbers_are_floats_to_a_sequential_model(name, dtype):
    model = keras.Sequential([make(name)])
    data = whole_numbers(name, dtype)
    result = model.predict(data)
    assert (model.inputs[0].dtype, result.dtype) == ("float32", np.float32)
    np.testing.assert_array_equal(result, model.predict(data.astype("float32")))


@pytest.mark.parametrize("name", FLOAT_RESULTS)
def test_layers_for_floats_cast_whole_numbers(name):
    layer, data = make(name), whole_numbers(name, "int32")
    expected = layer(data.astype("float32"))
    assert layer(data).dtype == expected.dtype == np.float32
    np.testing.assert_allclose(layer(data), expected, rtol=1e-4, atol=1e-6)
    inputs = keras.Input(data.shape[1:], dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    assert model.outputs[0].dtype == "float32"
    np.testing.assert_allclose(model.predict(data), expected, rtol=1e-4, atol=1e-6)
    if name not in ("ELU", "LeakyReLU", "Softmax"):
        model.compile("sgd", "mse")
        before = [weight.numpy() for weight in model.trainable_weights]
        model.fit(data, np.zeros(expected.shape), verbose=0)
        after = model.trainable_weights
        assert any((one != two.numpy()).any() for one, two in zip(before, after))
