"""Initializers beside Keras's: statistics, bounds, fans, configs, names, errors."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.initializers.random_initializers import compute_fans as their_fans

from minikeras import initializers
from minikeras.initializers.random_initializers import compute_fans

RANDOM = [
    ("RandomNormal", {}),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.5}),
    ("RandomUniform", {}),
    ("RandomUniform", {"minval": 1.0, "maxval": 3.0}),
    ("TruncatedNormal", {"stddev": 2.0}),
    *[
        ("VarianceScaling", {"scale": 2.0, "mode": mode, "distribution": distribution})
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("normal", "truncated_normal", "untruncated_normal", "uniform")
    ],
    ("GlorotNormal", {}),
    ("GlorotUniform", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("HeNormal", {"input_axes": [0], "output_axes": [1]}),
    ("Orthogonal", {"gain": 1.5}),
]
CONSTANT = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", {"value": 2.5}),
    ("Identity", {}),
]


@pytest.mark.parametrize(("name", "options"), RANDOM)
@pytest.mark.parametrize("shape", [(400, 100), (3, 3, 40, 60)])
def test_statistics(name, options, shape):
    theirs = np.asarray(getattr(keras.initializers, name)(seed=1, **options)(shape))
    ours = getattr(initializers, name)(seed=1, **options)(shape).numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    deviation = theirs.std()
    # Two samples of n values: means differ by about sqrt(2 / n) deviations, deviations by
    # sqrt(1 / n) of theirs. Five times that happens once in millions.
    n = theirs.size
    assert abs(ours.mean() - theirs.mean()) < 5 * deviation * np.sqrt(2 / n)
    assert abs(ours.std() / deviation - 1) < 5 * np.sqrt(1 / n) + 1e-3
    for quantile in (0.01, 0.25, 0.5, 0.75, 0.99):
        difference = np.quantile(ours, quantile) - np.quantile(theirs, quantile)
        assert abs(difference) < 0.1 * deviation
    if "untruncated_normal" not in options.values() and name not in ("RandomNormal", "Orthogonal"):
        # Bounded: the extremes of so many values come close to the bounds.
        np.testing.assert_allclose(ours.max(), theirs.max(), atol=0.02 * deviation)
        np.testing.assert_allclose(ours.min(), theirs.min(), atol=0.02 * deviation)


@given(
    shape=st.lists(st.integers(1, 7), max_size=5).map(tuple),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    name=st.sampled_from(["GlorotUniform", "TruncatedNormal", "Ones", "Zeros", "Constant"]),
)
@settings(max_examples=40, deadline=None)
def test_shapes_and_dtypes(shape, dtype, name):
    theirs = np.asarray(getattr(keras.initializers, name)()(shape, dtype=dtype))
    ours = getattr(initializers, name)()(shape, dtype=dtype).numpy()
    assert (np.shape(ours), ours.dtype) == (theirs.shape, theirs.dtype)
    assert compute_fans(shape) == their_fans(shape)


@pytest.mark.parametrize(("name", "options"), CONSTANT)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_constants(name, options, dtype):
    if name == "Identity":
        options = {"gain": 2}
    elif dtype == "int32":
        options = dict.fromkeys(options, 2)
    theirs = np.asarray(getattr(keras.initializers, name)(**options)((3, 4), dtype=dtype))
    ours = getattr(initializers, name)(**options)((3, 4), dtype=dtype).numpy()
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", None])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
@pytest.mark.parametrize("periodic", [True, False])
def test_stft(side, window, scaling, periodic):
    options = {"side": side, "window": window, "scaling": scaling, "periodic": periodic}
    theirs = np.asarray(keras.initializers.STFT(**options)((16, 1, 9)))
    ours = initializers.STFT(**options)((16, 1, 9)).numpy()
    assert ours.dtype == theirs.dtype
    # Keras multiplies angles of many turns in float32.
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("name", "options"), [*RANDOM, *CONSTANT, ("STFT", {})])
def test_configs(name, options):
    theirs = getattr(keras.initializers, name)(**options)
    ours = getattr(initializers, name)(**options)
    assert initializers.serialize(ours) == keras.initializers.serialize(theirs)
    read = initializers.deserialize(keras.initializers.serialize(theirs))
    assert type(read) is type(ours)
    assert read.get_config() == ours.get_config()
    again = keras.initializers.deserialize(initializers.serialize(ours))
    assert again.get_config() == theirs.get_config()


@pytest.mark.parametrize(
    "name",
    [
        "zeros", "ones", "identity", "stft", "random_normal", "random_uniform",
        "truncated_normal", "variance_scaling", "glorot_normal", "glorot_uniform", "he_normal",
        "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "normal", "uniform", "zero",
        "one", "IdentityInitializer", "OrthogonalInitializer", "STFTInitializer", "GlorotUniform",
    ],
)  # fmt: skip
def test_names(name):
    theirs, ours = keras.initializers.get(name), initializers.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert initializers.serialize(ours) == keras.initializers.serialize(theirs)


WRONG = [
    ("VarianceScaling", {"scale": 0.0}),
    ("VarianceScaling", {"scale": -1.0}),
    ("VarianceScaling", {"mode": "fan"}),
    ("VarianceScaling", {"distribution": "cauchy"}),
    ("RandomNormal", {"seed": "abc"}),
    ("STFT", {"side": "both"}),
    ("STFT", {"scaling": "none"}),
    ("STFT", {"window": "no_window"}),
]


@pytest.mark.parametrize(("name", "options"), WRONG)
def test_both_refuse(name, options):
    for package in (keras.initializers, initializers):
        with pytest.raises(ValueError):
            getattr(package, name)(**options)


@pytest.mark.parametrize(("name", "shape"), [("Orthogonal", (3,)), ("Identity", (2, 2, 2))])
def test_both_refuse_shapes(name, shape):
    for package in (keras.initializers, initializers):
        with pytest.raises(ValueError):
            getattr(package, name)()(shape)


@pytest.mark.parametrize("wrong", ["no_such", 3])
def test_both_refuse_names(wrong):
    for package in (keras.initializers, initializers):
        with pytest.raises(ValueError):
            package.get(wrong)
