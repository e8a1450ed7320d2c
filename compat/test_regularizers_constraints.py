"""Regularizers and constraints beside Keras's: values, gradients, configs, names, errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minikeras import constraints, regularizers

SETTINGS = settings(max_examples=15, deadline=None)
FACTOR = st.floats(0, 2).map(lambda v: round(v, 4))
REGULARIZERS = {
    "L1": st.fixed_dictionaries({"l1": FACTOR}),
    "L2": st.fixed_dictionaries({"l2": FACTOR}),
    "L1L2": st.fixed_dictionaries({"l1": FACTOR, "l2": FACTOR}),
    "OrthogonalRegularizer": st.fixed_dictionaries(
        {"factor": FACTOR, "mode": st.sampled_from(["rows", "columns"])}
    ),
}
AXES = st.sampled_from([0, 1, -1, [0, 1]])
CONSTRAINTS = {
    "MaxNorm": st.fixed_dictionaries({"max_value": FACTOR, "axis": AXES}),
    "NonNeg": st.just({}),
    "UnitNorm": st.fixed_dictionaries({"axis": AXES}),
    "MinMaxNorm": st.fixed_dictionaries(
        {
            "min_value": FACTOR,
            "max_value": FACTOR,
            "rate": st.sampled_from([1.0, 0.5]),
            "axis": AXES,
        }
    ),
}
MATRICES = hnp.arrays(
    "float32",
    st.tuples(st.integers(2, 5), st.integers(2, 5)),
    elements=st.floats(-3, 3, width=32).filter(lambda v: v == 0 or abs(v) > 1e-2),
)


def close_config(found, expected):
    """Keras rounds some factors to float32 on their way through a tensor."""
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)


@pytest.mark.parametrize("name", REGULARIZERS)
@SETTINGS
@given(data=st.data())
def test_regularizers(name, data):
    options, x = data.draw(REGULARIZERS[name]), data.draw(MATRICES)
    if name == "OrthogonalRegularizer":
        # Rows of zeros have no direction; Keras's gradient there is NaN.
        x = x + np.random.default_rng(1).normal(size=x.shape).astype("float32")
    theirs, ours = (
        getattr(keras.regularizers, name)(**options),
        getattr(regularizers, name)(**options),
    )
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = theirs(tensor)
    gradient = tape.gradient(expected, tensor)
    gradient = np.zeros_like(x) if gradient is None else gradient.numpy()
    found = ours(x)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.value_and_gradient(x)[1], gradient, rtol=1e-4, atol=1e-5)
    close_config(ours.get_config(), theirs.get_config())
    record = keras.regularizers.serialize(theirs)
    close_config(regularizers.deserialize(record).get_config(), theirs.get_config())
    again = keras.regularizers.deserialize(regularizers.serialize(ours))
    close_config(again.get_config(), theirs.get_config())


@pytest.mark.parametrize("name", CONSTRAINTS)
@SETTINGS
@given(data=st.data())
def test_constraints(name, data):
    options, w = data.draw(CONSTRAINTS[name]), data.draw(MATRICES)
    if "min_value" in options:
        options["max_value"] += options["min_value"]
    theirs, ours = (
        getattr(keras.constraints, name)(**options),
        getattr(constraints, name)(**options),
    )
    expected, found = np.asarray(theirs(w)), ours(w).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert constraints.serialize(ours) == keras.constraints.serialize(theirs)
    read = constraints.deserialize(keras.constraints.serialize(theirs))
    assert read.get_config() == ours.get_config()


@pytest.mark.parametrize("name", ["l1", "l2", "L1", "L2", "L1L2", "l1l2", "orthogonal_regularizer"])
def test_regularizer_names(name):
    theirs, ours = keras.regularizers.get(name), regularizers.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    close_config(ours.get_config(), theirs.get_config())


@pytest.mark.parametrize(
    "name", ["max_norm", "non_neg", "unit_norm", "min_max_norm", "MaxNorm", "NonNeg"]
)
def test_constraint_names(name):
    theirs, ours = keras.constraints.get(name), constraints.get(name)
    assert constraints.serialize(ours) == keras.constraints.serialize(theirs)


@pytest.mark.parametrize("kind", ["regularizers", "constraints"])
@pytest.mark.parametrize("wrong", ["no_such", 3])
def test_both_refuse(kind, wrong):
    for package in (
        getattr(keras, kind),
        {"regularizers": regularizers, "constraints": constraints}[kind],
    ):
        with pytest.raises(ValueError):
            package.get(wrong)


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan"), "a"])
def test_both_refuse_factors(value):
    for package in (keras.regularizers, regularizers):
        for name in ("L1", "L2", "OrthogonalRegularizer"):
            with pytest.raises(ValueError):
                getattr(package, name)(value)
        with pytest.raises(ValueError):
            package.OrthogonalRegularizer(mode="diagonals")
        with pytest.raises(ValueError):
            package.OrthogonalRegularizer()(np.zeros(3, "float32"))
