"""Activations: values at known points, gradients, dtypes, extremes, names."""

import inspect
import math

import numpy as np
import pytest

import minikeras
from minikeras import activations, layers, ops
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.engine.registry import CustomObjectScope
from minikeras.kernels.activation import KERNELS
from minikeras.kernels.special import fast_erf as erf
from tests.gradcheck import check_gradients

RNG = np.random.default_rng(0)
NAMES = sorted(KERNELS)
REQUIRED = {"threshold": {"threshold": 0.3, "default_value": -1.0}}
SETTINGS = [
    *[(name, REQUIRED.get(name, {})) for name in NAMES if name != "linear"],
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 2.0}),
    ("relu", {"max_value": 6}),
    ("relu", {"threshold": 0.5}),
    ("relu", {"negative_slope": 0.2, "max_value": 3.0, "threshold": -0.5}),
    ("leaky_relu", {"negative_slope": 0.0}),
    ("leaky_relu", {"negative_slope": 2.0}),
    ("leaky_relu", {"negative_slope": -0.5}),
    ("elu", {"alpha": 0.5}),
    ("elu", {"alpha": -0.5}),
    ("celu", {"alpha": 0.3}),
    ("gelu", {"approximate": True}),
    ("squareplus", {"b": 0.5}),
    ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {"threshold": 1.0}),
    ("softmax", {"axis": 0}),
    ("softmax", {"axis": None}),
    ("softmax", {"axis": (0, 1)}),
    ("log_softmax", {"axis": 0}),
    ("log_softmax", {"axis": None}),
    ("sparsemax", {"axis": 0}),
    ("glu", {"axis": 0}),
]


def function_of(name, options):
    return lambda x: getattr(activations, name)(x, **options)


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_gradient(name, options):
    # Far enough from 0 that no kink lies within a step of the difference.
    x = RNG.normal(size=(4, 6)) * 2
    check_gradients(function_of(name, options), x)


@pytest.mark.parametrize(("name", "options"), SETTINGS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_stays_and_input_is_left_alone(name, options, dtype):
    x = (RNG.normal(size=(4, 6)) * 3).astype(dtype)
    before = x.copy()
    y = function_of(name, options)(x)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(x, before)
    wide = function_of(name, options)(x.astype("float64")).numpy()
    # A few roundings in the narrow type.
    np.testing.assert_allclose(
        y.numpy(), wide, rtol=20 * np.finfo(dtype).eps, atol=2e-3 if dtype == "float16" else 2e-6
    )


@pytest.mark.parametrize(("name", "options"), SETTINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_inputs(name, options, dtype):
    if name in ("exponential",):
        pytest.skip("overflows by definition; see below")
    huge = float(np.finfo(dtype).max) / 8
    x = np.array([[huge, -huge, 1e30, -1e30, 100.0, -100.0]], dtype).repeat(2, axis=0)
    if name == "sparsemax" and dtype == "float32":
        x = np.clip(x, -1e30, 1e30)
    y = function_of(name, options)(x).numpy()
    assert np.isfinite(y).all()
    if name == "celu":
        x = x * 0.1  # celu divides by alpha
    with Recording(Run(training=True, recording=True)) as recording:
        tracked = recording.track(x)
        y = function_of(name, options)(tracked)
    gradient = recording.reverse([(y.slot, np.ones_like(y.array))])[tracked.slot]
    assert np.isfinite(gradient).all()


def test_exponential_overflows_quietly():
    assert activations.exponential(np.array([1000.0], "float32")).numpy() == np.inf


@pytest.mark.parametrize("name", ["relu", "relu6", "hard_tanh"])
def test_integers_stay(name):
    x = np.array([-3, 0, 5])
    assert getattr(activations, name)(x).dtype == x.dtype


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu", "softmax", "elu"])
def test_integers_become_floats(name):
    assert getattr(activations, name)(np.array([-3, 0, 5])).dtype == np.float32


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n not in ("softmax", "log_softmax", "sparsemax", "glu")]
)
def test_scalars(name):
    x = np.float32(0.7)
    options = REQUIRED.get(name, {})
    y = getattr(activations, name)(x, **options)
    assert np.shape(y) == ()
    expected = np.asarray(getattr(activations, name)(np.array([x]), **options))
    assert float(y) == expected[0]


@pytest.mark.parametrize("name", NAMES)
def test_symbolic(name):
    x = minikeras.Input((6,))
    y = getattr(activations, name)(x, **REQUIRED.get(name, {}))
    assert y.shape == (None, 3 if name == "glu" else 6)
    assert y.dtype == "float32"


VALUES = {
    "relu6": ([-1, 3, 7], [0, 3, 6]),
    "hard_sigmoid": ([-4, -3, 0, 1.5, 3, 9], [0, 0, 0.5, 0.75, 1, 1]),
    "softplus": ([0, -1000, 1000], [math.log(2), 0, 1000]),
    "softsign": ([0, 1, -3], [0, 0.5, -0.75]),
    "elu": ([1, -1], [1, math.exp(-1) - 1]),
    "silu": ([0, 1], [0, 1 / (1 + math.exp(-1))]),
    "gelu": ([1, -1], [0.8413447460685429, -0.15865525393145707]),
    "mish": ([1], [math.tanh(math.log(1 + math.e))]),
    "sparse_plus": ([-2, 0, 2], [0, 0.25, 2]),
    "sparse_sigmoid": ([-2, 0, 0.5, 2], [0, 0.5, 0.75, 1]),
    "squareplus": ([0, 3], [1, (3 + math.sqrt(13)) / 2]),
    "log_sigmoid": ([0, -1000], [-math.log(2), -1000]),
    "sparsemax": ([0.0, 0.5, 1.0], [0, 0.25, 0.75]),
    "softmax": ([1.0, 1.0], [0.5, 0.5]),
    "glu": ([2.0, 3.0, 0.0, 0.0], [1.0, 1.5]),
}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values(name):
    x, y = VALUES[name]
    np.testing.assert_allclose(
        getattr(activations, name)(np.array(x, float)), y, rtol=1e-14, atol=1e-15
    )


def test_sigmoid_is_exact_in_its_left_tail():
    x = np.array([-80.0, -40.0, -20.0], "float32")
    np.testing.assert_allclose(activations.sigmoid(x), np.exp(x.astype(float)), rtol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 5e-7), ("float64", 2e-15)])
def test_erf(dtype, tolerance):
    x = np.concatenate([np.linspace(-7, 7, 4001), np.logspace(-30, 0, 50)]).astype(dtype)
    expected = np.array([math.erf(v) for v in x.astype(float)])
    found = erf(x)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_every_kernel_serves_layers():
    for name in NAMES:
        if name in ("glu", "threshold"):
            continue
        layer = layers.Dense(4, activation=name, dtype="float64")
        check_gradients(layer, RNG.normal(size=(3, 5)))


def test_names():
    for name in NAMES:
        function = getattr(activations, name)
        assert activations.get(name) is function
        assert activations.serialize(function) == name
        assert activations.deserialize(name) is function
        assert function.__doc__
        assert next(iter(inspect.signature(function).parameters)) == "x"
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.get(None) is activations.linear
    assert activations.get(ops.tanh) is ops.tanh


def test_unknown_names_list_near_ones():
    with pytest.raises(ValueError, match=r"Unknown activation: 'rellu'.*'relu'"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="Could not interpret activation"):
        activations.get(3)


def test_a_function_of_the_user():
    def cube(x):
        return x**3

    with CustomObjectScope({"cube": cube}):
        config = activations.serialize(cube)
        assert activations.deserialize(config) is cube
        assert activations.get("cube") is cube
    check_gradients(layers.Activation(cube, dtype="float64"), RNG.normal(size=(3, 4)))


def test_glu_refuses_odd_sizes():
    with pytest.raises(ValueError, match="even"):
        activations.glu(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="even"):
        activations.glu(minikeras.Input((3,)))
