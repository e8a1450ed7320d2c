"""Normalization layers beside Keras: outputs, gradients, moving moments, configs."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minikeras
from compat.layer_pairs import compare, pair, run_ours, run_theirs, same_config, same_weights

EXAMPLES = settings(max_examples=15, deadline=None)


def draw_input(draw, dims, dtype="float32"):
    shape = (draw(st.integers(2, 5)), *(draw(st.integers(1, 5)) for _ in range(dims)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return (rng.normal(size=shape) * 2 + 1).astype(dtype)


AFFINE = st.fixed_dictionaries(
    {},
    optional={
        "center": st.booleans(),
        "scale": st.booleans(),
        "epsilon": st.sampled_from([1e-5, 1e-3, 0.1]),
        "beta_initializer": st.sampled_from(["ones", "zeros"]),
        "gamma_initializer": st.just("zeros"),
        "gamma_regularizer": st.just("l2"),
        "beta_constraint": st.just("non_neg"),
    },
)


def compare_training(theirs, ours, x, steps=3, tolerance=1e-5, **options):
    """Training calls: outputs, gradients, and what they leave in the weights."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        dout = rng.normal(size=x.shape).astype(x.dtype)
        expected, expected_gradients = run_theirs(theirs, [x], options, [dout], training=True)
        found, found_gradients = run_ours(ours, [x], options, [dout], training=True)
        # Gradients of normalized columns cancel; they are off by an amount of order one's error
        # over the least deviation, 1 / sqrt(epsilon) at most.
        for a, b in zip([*found, *found_gradients], [*expected, *expected_gradients]):
            scale = max(1.0, float(np.abs(b).max()))
            np.testing.assert_allclose(a, b, rtol=tolerance * 10, atol=tolerance * 10 * scale)
        x = x * 1.1 + 0.1
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@EXAMPLES
@given(data=st.data())
def test_batch_normalization(data):
    x = draw_input(data.draw, data.draw(st.integers(1, 3)))
    options = data.draw(AFFINE)
    options["axis"] = data.draw(st.sampled_from([-1, 1, x.ndim - 1]))
    options["momentum"] = data.draw(st.sampled_from([0.5, 0.99]))
    theirs, ours = pair("BatchNormalization", **options)
    same_config(theirs, ours)
    for layer in (theirs, ours):
        layer(x)
    # Variances are positive.
    values = [np.abs(w) + 0.5 for w in theirs.get_weights()]
    theirs.set_weights(values)
    ours.set_weights(values)
    compare_training(theirs, ours, x)
    expected, _ = run_theirs(theirs, [x], {})
    found, _ = run_ours(ours, [x], {})
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_batch_normalization_dtypes(dtype, frozen):
    x = (np.random.default_rng(0).normal(size=(6, 3)) + 1).astype(dtype)
    theirs, ours = pair("BatchNormalization", dtype=dtype)
    for layer in (theirs, ours):
        layer(x)
        layer.trainable = not frozen
    compare_training(
        theirs, ours, x, tolerance={"float64": 1e-12, "float32": 1e-5, "float16": 2e-3}[dtype]
    )


def test_batch_normalization_masks():
    x = (np.random.default_rng(0).normal(size=(4, 5, 3)) + 1).astype("float32")
    mask = np.random.default_rng(1).random((4, 5)) > 0.4
    theirs, ours = pair("BatchNormalization")
    for layer in (theirs, ours):
        layer(x)
    compare_training(theirs, ours, x, mask=mask)


@pytest.mark.parametrize("clipping", [None, {"rmax": 1.2, "rmin": 0.9, "dmax": 0.3}])
def test_batch_renormalization(clipping):
    x = (np.random.default_rng(0).normal(size=(40, 3)) * 2 + 1).astype("float32")
    theirs, ours = pair(
        "BatchNormalization", renorm=True, renorm_clipping=clipping, renorm_momentum=0.8
    )
    same_config(theirs, ours)
    for layer in (theirs, ours):
        layer(x)
    same_names = [w.path.split("/", 1)[1] for w in ours.weights]
    assert same_names == [w.path.split("/", 1)[1] for w in theirs.weights]
    compare_training(theirs, ours, x, steps=5)


def test_large_batches():
    x = (np.random.default_rng(0).normal(size=(64, 20, 20, 5)) * 3 + 2).astype("float32")
    theirs, ours = pair("BatchNormalization")
    for layer in (theirs, ours):
        layer(x)
    compare_training(theirs, ours, x, steps=1)


@EXAMPLES
@given(data=st.data())
def test_layer_normalization(data):
    x = draw_input(data.draw, data.draw(st.integers(1, 3)))
    options = data.draw(AFFINE)
    axes = st.lists(st.integers(1, x.ndim - 1), min_size=1, unique=True)
    options["axis"] = data.draw(st.one_of(st.just(-1), st.just(1), axes))
    theirs, ours = pair("LayerNormalization", **options)
    same_config(theirs, ours)
    compare(theirs, ours, [x], tolerance=2e-5)
    same_config(theirs, ours)


def test_rms_scaling():
    x = (np.random.default_rng(0).normal(size=(4, 5)) + 1).astype("float32")
    with pytest.warns(UserWarning, match="rms_scaling"):
        theirs, ours = pair("LayerNormalization", rms_scaling=True)
        same_config(theirs, ours)
    compare(theirs, ours, [x])


@EXAMPLES
@given(data=st.data())
def test_group_normalization(data):
    groups, each = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    dims = data.draw(st.integers(1, 3))
    axis = data.draw(st.sampled_from([-1, 1]))
    shape = [data.draw(st.integers(2, 4)) for _ in range(dims + 1)]
    shape[axis] = groups * each
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    x = rng.normal(size=shape).astype("float32")
    options = {
        **data.draw(AFFINE),
        "axis": axis,
        "groups": data.draw(st.sampled_from([groups, -1])),
    }
    theirs, ours = pair("GroupNormalization", **options)
    same_config(theirs, ours)
    compare(theirs, ours, [x], tolerance=2e-5)
    same_config(theirs, ours)


@pytest.mark.parametrize(
    "name, axis",
    [
        ("RMSNormalization", -1),
        ("RMSNormalization", [1, 2]),
        ("UnitNormalization", -1),
        ("UnitNormalization", 1),
        ("UnitNormalization", [1, 2]),
    ],
)
def test_root_mean_square_and_unit(name, axis):
    x = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
    theirs, ours = pair(name, axis=axis)
    same_config(theirs, ours)
    compare(theirs, ours, [x])


@pytest.mark.parametrize("inner", ["Dense", "Conv1D"])
def test_spectral_normalization(inner):
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    arguments = (5,) if inner == "Dense" else (5, 2)
    theirs, ours = pair(
        "SpectralNormalization",
        lambda p: getattr(p.layers, inner)(*arguments, name="inner"),
        power_iterations=3,
    )
    same_config(theirs, ours)
    for layer in (theirs, ours):
        layer(x)
    same_weights(theirs, ours)
    for _ in range(3):
        expected, _ = run_theirs(theirs, [x], {}, training=True)
        found = np.asarray(ours(x, training=True))
        np.testing.assert_allclose(found, expected[0], rtol=1e-5, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    stores = {}, {}
    theirs.save_own_variables(stores[0])
    ours.save_own_variables(stores[1])
    assert [np.shape(v) for v in stores[0].values()] == [np.shape(v) for v in stores[1].values()]


@pytest.mark.parametrize(
    "name, options, shape",
    [
        ("GroupNormalization", {"groups": 3}, (2, 4)),
        ("GroupNormalization", {"groups": 0}, (2, 4)),
        ("LayerNormalization", {"axis": "last"}, (2, 4)),
        ("UnitNormalization", {"axis": "last"}, (2, 4)),
        ("BatchNormalization", {"renorm": True, "renorm_clipping": {"x": 1}}, (2, 4)),
    ],
)
def test_errors(name, options, shape):
    for package in (keras, minikeras):
        with pytest.raises((ValueError, TypeError)):
            getattr(package.layers, name)(**options)(np.zeros(shape, "float32"))


# Normalization and Rescaling


@pytest.mark.parametrize(
    "axis, shape", [(-1, (20, 3)), (None, (20, 3)), (1, (10, 3, 2)), ((1, 2), (10, 3, 2))]
)
@pytest.mark.parametrize("invert", [False, True])
def test_normalization(axis, shape, invert):
    x = (np.random.default_rng(0).normal(size=shape) * 3 + 1).astype("float32")
    theirs, ours = pair("Normalization", axis=axis, invert=invert)
    same_config(theirs, ours)
    for layer in (theirs, ours):
        layer.adapt(x)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.mean, np.asarray(theirs.mean), rtol=1e-5, atol=1e-6)
    for layer in (theirs, ours):
        layer.adapt([x[:5], x[5:6], x[6:]])
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_normalization_with_given_moments():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    for mean, variance in ((1.0, 4.0), ([1.0, 2.0, 3.0], [1.0, 4.0, 9.0])):
        theirs, ours = pair("Normalization", mean=mean, variance=variance)
        same_config(theirs, ours)
        np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-6)
    for package in (keras, minikeras):
        with pytest.raises(ValueError, match="both"):
            package.layers.Normalization(mean=1.0)
        with pytest.raises(ValueError):
            package.layers.Normalization(axis=4).build((None, 3))


@pytest.mark.parametrize("scale, offset", [(1 / 255, 0.0), (2, -1), ([1.0, 2.0, 3.0], [0.5, 1, 2])])
def test_rescaling(scale, offset):
    x = np.random.default_rng(0).integers(0, 255, (2, 4, 4, 3)).astype("uint8")
    theirs, ours = pair("Rescaling", scale, offset)
    same_config(theirs, ours)
    for value in (x, x.astype("float32")):
        found = np.asarray(ours(value))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, np.asarray(theirs(value)), rtol=1e-6)
