"""Import paths, names and backend functions of Keras 1 and 2."""

import importlib

import numpy as np
import pytest

import minikeras
from minikeras import backend as K
from minikeras import dialects, layers, ops
from minikeras.dialects import backend as old_backend
from minikeras.dialects import names

X = np.arange(1.0, 13.0, dtype="float32").reshape(2, 2, 3)


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


@pytest.mark.parametrize("path", names.PATHS)
def test_old_modules_import(path):
    module = importlib.import_module(f"minikeras.{path}")
    assert module.__all__ and not hasattr(module, "nonsense")
    scope = {}
    exec(f"from minikeras.{path} import {module.__all__[0]}", scope)


@pytest.mark.parametrize(
    "statement",
    [
        "from minikeras.layers.core import Dense, Dropout, Activation, Flatten, Lambda, Reshape",
        "from minikeras.layers.convolutional import Convolution2D, MaxPooling2D, ZeroPadding2D",
        "from minikeras.layers.recurrent import LSTM, GRU, SimpleRNN",
        "from minikeras.layers.normalization import BatchNormalization",
        "from minikeras.layers.embeddings import Embedding",
        "from minikeras.layers.advanced_activations import LeakyReLU, PReLU, ThresholdedReLU",
        "from minikeras.layers.wrappers import TimeDistributed, Bidirectional",
        "from minikeras.layers.merge import concatenate, Concatenate, add",
        "from minikeras.layers.local import LocallyConnected2D",
        "from minikeras.layers import merge, Merge, CuDNNLSTM, MaxoutDense, Highway",
        "from minikeras.engine import Layer, InputSpec",
        "from minikeras.engine.topology import Layer, Input, merge",
        "from minikeras.engine.training import Model",
        "from minikeras.utils import np_utils; np_utils.to_categorical",
        "from minikeras.utils.np_utils import to_categorical, normalize",
        "from minikeras.layers.experimental.preprocessing import Rescaling, RandomFlip",
        "from minikeras.regularizers import l2, activity_l2, WeightRegularizer",
        "from minikeras.constraints import maxnorm, nonneg, max_norm",
        "from minikeras import objectives; objectives.mean_squared_error",
        "from minikeras.callbacks.callbacks import EarlyStopping",
        "from minikeras.optimizers.legacy import Adam",
        "from minikeras.preprocessing.text import Tokenizer",
    ],
)
def test_imports_of_tutorials(statement):
    exec(statement, {})


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in names.NAMES for name in names.NAMES[module]]
)
def test_old_names_are_there(module, name):
    assert callable(getattr(importlib.import_module(f"minikeras.{module}"), name))


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in names.GONE for name in names.GONE[module]]
)
def test_what_is_gone_says_what_to_use(module, name):
    found = getattr(importlib.import_module(f"minikeras.{module}"), name)
    with pytest.raises(NotImplementedError, match="is not here. Use "):
        found()


def test_unknown_names_are_errors():
    for module in (layers, layers.core, K, minikeras.regularizers, minikeras.engine):
        assert not hasattr(module, "nonsense")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("minikeras.layers.nonsense")


def test_convolution_of_keras_1():
    old = layers.Convolution2D(4, 2, 3, activation="relu", name="a", input_shape=(5, 5, 1))
    new = layers.Conv2D(4, (2, 3), activation="relu", name="a")
    assert type(old) is layers.Conv2D and isinstance(old, layers.Convolution2D)
    assert old.get_config() == new.get_config()
    assert layers.Convolution2D(4, (2, 3), name="b").kernel_size == (2, 3)
    assert layers.Convolution2D(4, 3).kernel_size == (3, 3)
    assert layers.Convolution3D(4, 1, 2, 3).kernel_size == (1, 2, 3)


@pytest.mark.parametrize(
    ("mode", "today"),
    [("sum", "add"), ("mul", "multiply"), ("ave", "average"), ("max", "maximum")],
)
def test_merge(mode, today):
    inputs = [X, X + 1]
    assert np.array_equal(layers.merge(inputs, mode=mode), getattr(layers, today)(inputs))
    assert np.array_equal(layers.Merge(mode=mode)(inputs), getattr(layers, today)(inputs))


def test_merge_by_concatenation():
    assert layers.merge([X, X], mode="concat", concat_axis=1).shape == (2, 4, 3)
    with pytest.raises(ValueError, match="nonsense"):
        layers.merge([X, X], mode="nonsense")


def test_locally_connected_by_position():
    assert layers.LocallyConnected1D(4, 2)(X).shape == (2, 1, 4)


@pytest.mark.parametrize("name", old_backend.names())
def test_backend_functions_are_there(name):
    assert callable(getattr(K, name))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda x: K.sum(x, axis=-1), X.sum(-1)),
        (lambda x: K.mean(x, axis=1, keepdims=True), X.mean(1, keepdims=True)),
        (lambda x: K.concatenate([x, x]), np.concatenate([X, X], -1)),
        (lambda x: K.permute_dimensions(x, (0, 2, 1)), X.transpose(0, 2, 1)),
        (lambda x: K.batch_flatten(x), X.reshape(2, 6)),
        (lambda x: K.pow(x, 2), X**2),
        (lambda x: K.repeat_elements(x, 2, 1), np.repeat(X, 2, 1)),
        (lambda x: K.relu(x - 5.0, alpha=0.5), np.where(X > 5, X - 5, (X - 5) / 2)),
        (lambda x: K.l2_normalize(x, axis=-1), X / np.sqrt((X**2).sum(-1, keepdims=True))),
        (lambda x: K.expand_dims(x), X[..., None]),
    ],
)
def test_backend_on_arrays_and_symbols(call, expected):
    np.testing.assert_allclose(call(ops.convert_to_tensor(X)), expected, rtol=1e-6)
    symbol = minikeras.Input((2, 3))
    model = minikeras.Model(symbol, call(symbol))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)


def test_backend_variables():
    variable = K.variable(np.ones((2, 3)))
    K.set_value(variable, np.zeros((2, 3)))
    assert K.get_value(variable).sum() == 0 and K.int_shape(variable) == (2, 3)
    assert K.ndim(variable) == 2 and K.dtype(variable) == "float32"


def test_backend_function_between_tensors():
    model = minikeras.Sequential([minikeras.Input((3,)), layers.Dense(2), layers.ReLU()])
    (found,) = K.function([model.input], [model.layers[0].output])([X[0]])
    np.testing.assert_allclose(found, model.layers[0](X[0]), rtol=1e-6)


def test_backend_dim_ordering():
    try:
        K.set_image_dim_ordering("th")
        assert K.image_dim_ordering() == "th" and K.image_data_format() == "channels_first"
    finally:
        K.set_image_dim_ordering("tf")
    assert K.image_data_format() == "channels_last"
