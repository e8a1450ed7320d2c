"""Activations beside Keras's: values, gradients, dtypes, names, errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minikeras import activations
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording

SETTINGS = settings(max_examples=12, deadline=None)
SLOPES = st.floats(0, 2).map(lambda v: round(v, 3))
POSITIVE = st.floats(0.1, 3).map(lambda v: round(v, 3))
OPTIONS = {
    "relu": st.fixed_dictionaries(
        {},
        optional={
            "negative_slope": SLOPES,
            "max_value": POSITIVE,
            "threshold": st.floats(-1, 1).map(lambda v: round(v, 3)),
        },
    ),
    "leaky_relu": st.fixed_dictionaries({"negative_slope": SLOPES}),
    "elu": st.fixed_dictionaries({"alpha": POSITIVE}),
    "celu": st.fixed_dictionaries({"alpha": POSITIVE}),
    "gelu": st.fixed_dictionaries({"approximate": st.booleans()}),
    "squareplus": st.fixed_dictionaries({"b": POSITIVE}),
    "soft_shrink": st.fixed_dictionaries({"threshold": POSITIVE}),
    "hard_shrink": st.fixed_dictionaries({"threshold": POSITIVE}),
    "threshold": st.fixed_dictionaries({"threshold": POSITIVE, "default_value": POSITIVE}),
    "softmax": st.fixed_dictionaries({"axis": st.sampled_from([-1, 0, 1])}),
    "log_softmax": st.fixed_dictionaries({"axis": st.sampled_from([-1, 0, 1])}),
    "sparsemax": st.fixed_dictionaries({"axis": st.sampled_from([-1, 0])}),
    "glu": st.fixed_dictionaries({"axis": st.sampled_from([-1, 1])}),
}
NAMES = [
    name
    for name in activations.__all__
    if name not in ("get", "serialize", "deserialize", "swish", "hard_swish", "linear")
]
# At these points a derivative jumps, and which side is taken is a matter of taste.
KINKS = (0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 0.5, -0.5)


def arrays(dtype):
    return hnp.arrays(
        dtype,
        st.tuples(st.integers(1, 4), st.sampled_from([2, 4, 6])),
        elements=st.floats(-12, 12, width=32),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
@SETTINGS
@given(data=st.data())
def test_values_and_gradients(name, dtype, data):
    options = data.draw(OPTIONS.get(name, st.just({})))
    x = data.draw(arrays(dtype))
    points = [*KINKS, *(v for v in options.values() if isinstance(v, float))]
    near = np.min([np.abs(np.abs(x) - abs(point)) for point in points], axis=0) < 1e-3
    x = np.where(near, x + 0.01, x).astype(dtype)
    if name == "sparsemax":  # no ties on the border of the support, where the gradient jumps
        x += np.linspace(0, 0.37, x.size, dtype=dtype).reshape(x.shape)
    dy = np.random.default_rng(0)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = getattr(keras.activations, name)(tensor, **options)
        dy = dy.normal(size=expected.shape).astype(dtype)
        loss = tf.reduce_sum(expected * dy)
    expected_gradient = tape.gradient(loss, tensor).numpy()
    with Recording(Run(training=True, recording=True)) as recording:
        tracked = recording.track(x)
        found = getattr(activations, name)(tracked, **options)
    gradient = recording.reverse([(found.slot, dy)])[tracked.slot]
    assert found.dtype == expected.dtype.as_numpy_dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    if name == "squareplus" and dtype == "float32":
        tolerance = 1e-4  # Keras subtracts nearly equal numbers for negative inputs
    elif name in ("relu", "leaky_relu", "gelu") and dtype == "float64":
        tolerance = 1e-7  # TensorFlow keeps their arguments and constants in float32
    if name == "sparsemax":
        # With more than one class in the support, Keras's result does not sum to 1.
        right = np.isclose(expected.numpy().sum(options["axis"]), 1, atol=1e-5).all()
        assert np.allclose(found.numpy().sum(options["axis"]), 1, atol=1e-5)
        if not right:
            return
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        gradient, expected_gradient, rtol=10 * tolerance, atol=10 * tolerance
    )


@pytest.mark.parametrize("name", [*NAMES, "swish", "hard_swish", "linear"])
def test_names(name):
    theirs, ours = keras.activations.get(name), activations.get(name)
    assert activations.serialize(ours) == keras.activations.serialize(theirs)
    assert activations.deserialize(keras.activations.serialize(theirs)) is ours
    assert keras.activations.deserialize(activations.serialize(ours)) is theirs


def test_none_is_linear():
    assert activations.serialize(activations.get(None)) == keras.activations.serialize(
        keras.activations.get(None)
    )


@pytest.mark.parametrize("wrong", ["no_such", 3, 2.5])
def test_both_refuse(wrong):
    for package in (keras.activations, activations):
        with pytest.raises(ValueError):
            package.get(wrong)


def test_glu_of_an_odd_size():
    for package in (keras.activations, activations):
        with pytest.raises(ValueError, match="divisible by 2|even"):
            package.glu(np.zeros((2, 3), "float32"))


@pytest.mark.parametrize("name", NAMES)
def test_extremes(name):
    options = {"threshold": {"threshold": 0.5, "default_value": 1.0}}.get(name, {})
    x = np.array([[80.0, -80.0, 1e4, -1e4, 1e30, -1e30]], "float32")
    expected = np.asarray(getattr(keras.activations, name)(x, **options))
    found = np.asarray(getattr(activations, name)(x, **options))
    # squareplus of large negative numbers is 0 in Keras and b / (4 |x|) in exact arithmetic;
    # sigmoid(-80) is 1.8e-35.
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-5, atol=1e-5)
