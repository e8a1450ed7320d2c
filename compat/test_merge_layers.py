"""Merge, activation and noise layers beside Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minikeras
from compat.layer_pairs import compare, pair, same_config

EXAMPLES = settings(max_examples=15, deadline=None)
NAMES = ["Add", "Average", "Multiply", "Maximum", "Minimum", "Subtract"]


@EXAMPLES
@given(data=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_elementwise(name, data):
    full = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 3)))]
    # Larger than any other size: `ops.add` of Keras takes a column as long as a row for a bias.
    batch = 5
    count = 2 if name == "Subtract" else data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    inputs = []
    for _ in range(count):
        shape = [n if data.draw(st.booleans()) else 1 for n in full]
        shape = shape[data.draw(st.integers(0, len(shape) - 1)) :]
        inputs.append(rng.normal(size=(batch, *shape)).astype("float32"))
    theirs, ours = pair(name)
    same_config(theirs, ours)
    compare(theirs, ours, [inputs])
    shapes = [x.shape for x in inputs]
    assert ours.compute_output_shape(shapes) == tuple(theirs.compute_output_shape(shapes))


@EXAMPLES
@given(data=st.data())
def test_concatenate(data):
    shape = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(2, 4)))]
    axis = data.draw(st.integers(1, len(shape) - 1))
    inputs = []
    for _ in range(data.draw(st.integers(1, 4))):
        shape[axis] = data.draw(st.integers(1, 4))
        inputs.append(np.random.default_rng(0).normal(size=shape).astype("float32"))
    theirs, ours = pair("Concatenate", data.draw(st.sampled_from([axis, axis - len(shape)])))
    same_config(theirs, ours)
    compare(theirs, ours, [inputs])


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    "axes, one, two",
    [
        (1, (3, 4), (3, 4)),
        (-1, (3, 4), (3, 4)),
        ((1, 2), (3, 4, 2), (3, 5, 4)),
        ((2, 1), (3, 4, 2), (3, 2, 5)),
        ((2, 2), (3, 4, 2), (3, 5, 2)),
        ((1, 1), (3, 4, 2), (3, 4)),
        ((1, 1), (3, 4), (3, 4, 2)),
        ((3, 1), (2, 3, 4, 5), (2, 5, 3)),
    ],
)
def test_dot(axes, one, two, normalize):
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape).astype("float32") for shape in (one, two)]
    theirs, ours = pair("Dot", axes, normalize=normalize)
    same_config(theirs, ours)
    compare(theirs, ours, [inputs])


@pytest.mark.parametrize("name", [*NAMES, "Concatenate"])
@pytest.mark.parametrize("masked", [(True, True), (True, False), (False, True)])
def test_masks(name, masked):
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 3, (4, 5)) for _ in range(2)]
    table = rng.normal(size=(3, 2)).astype("float32")
    results = []
    for package in (keras, minikeras):
        inputs = []
        for ids, mask_zero in zip(tokens, masked):
            layer = package.layers.Embedding(3, 2, mask_zero=mask_zero)
            layer.build((None, 5))
            layer.set_weights([table])
            inputs.append(layer(ids))
        layer = getattr(package.layers, name)(**({"axis": 1} if name == "Concatenate" else {}))
        y = layer(inputs)
        results.append((np.asarray(y), getattr(y, "_keras_mask", None)))
    (expected, their_mask), (found, our_mask) = results
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (our_mask is None) == (their_mask is None)
    if our_mask is not None:
        np.testing.assert_array_equal(np.asarray(our_mask), np.asarray(their_mask))


@pytest.mark.parametrize(
    "make, shapes",
    [
        (lambda p: p.layers.Add(), [(2, 3), (2, 4)]),
        (lambda p: p.layers.Add(), [(2, 3), (4, 3)]),
        (lambda p: p.layers.Subtract(), [(2, 3)] * 3),
        (lambda p: p.layers.Concatenate(), [(2, 3, 4), (2, 2, 4)]),
        (lambda p: p.layers.Dot(1), [(2, 3), (2, 4)]),
        (lambda p: p.layers.Dot(1), [(2, 3)]),
        (lambda p: p.layers.Dot("1"), [(2, 3)] * 2),
    ],
)
def test_errors(make, shapes):
    for package in (keras, minikeras):
        with pytest.raises((ValueError, TypeError)):
            make(package)([np.zeros(shape, "float32") for shape in shapes])


ACTIVATIONS = [
    ("ReLU", {}),
    ("ReLU", {"max_value": 1.5, "negative_slope": 0.1, "threshold": 0.5}),
    ("ReLU", {"max_value": 1.5}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 1.5}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.3}),
    ("PReLU", {}),
    ("PReLU", {"shared_axes": [1], "alpha_regularizer": "l2"}),
    ("PReLU", {"shared_axes": [1, 2]}),
    ("Softmax", {}),
    ("Softmax", {"axis": 1}),
    ("Softmax", {"axis": [1, 2]}),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}),
    ("Dropout", {"rate": 0.5, "seed": 3, "noise_shape": (None, 1, None)}),
    ("AlphaDropout", {"rate": 0.5, "noise_shape": (None, 1, None)}),
    ("GaussianDropout", {"rate": 0.5}),
    ("GaussianNoise", {"stddev": 0.5}),
]


@pytest.mark.parametrize("name, options", ACTIVATIONS, ids=str)
def test_inference(name, options):
    x = (np.random.default_rng(0).normal(size=(3, 4, 5)) * 2).astype("float32")
    theirs, ours = pair(name, **options)
    same_config(theirs, ours)
    compare(theirs, ours, [x])


@pytest.mark.parametrize("axis", [-1, 1, (1, 2)])
def test_masked_softmax(axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
    mask = np.random.default_rng(1).random((3, 4, 5)) > 0.5
    theirs, ours = pair("Softmax", axis)
    compare(theirs, ours, [x], {"mask": mask})


@pytest.mark.parametrize(
    "name, options",
    [
        ("Dropout", {"rate": 0.3}),
        ("Dropout", {"rate": 0.3, "noise_shape": (None, 1)}),
        ("AlphaDropout", {"rate": 0.3}),
        ("GaussianDropout", {"rate": 0.3}),
        ("GaussianNoise", {"stddev": 0.3}),
    ],
    ids=str,
)
def test_distribution_of_noise(name, options):
    """Moments and quantiles of 400,000 draws; both have five deviations of such an estimate."""
    x = np.linspace(0.5, 1.5, 400, dtype="float32").reshape(1, 400) * np.ones((1000, 1), "float32")
    theirs, ours = pair(name, **options)
    a = np.asarray(theirs(x, training=True))
    b = np.asarray(ours(x, training=True))
    # With one draw a row there are only 1,000.
    tolerance = 0.1 if "noise_shape" in options else 0.01
    assert b.mean() == pytest.approx(a.mean(), abs=tolerance)
    assert b.std() == pytest.approx(a.std(), abs=tolerance)
    quantiles = [0.05, 0.2, 0.5, 0.8, 0.95]
    np.testing.assert_allclose(
        np.quantile(b, quantiles), np.quantile(a, quantiles), atol=2 * tolerance
    )


@pytest.mark.parametrize(
    "name, options",
    [
        ("ReLU", {"max_value": -1}),
        ("ReLU", {"negative_slope": None}),
        ("LeakyReLU", {"negative_slope": -1}),
        ("Dropout", {"rate": 1.5}),
        ("Dropout", {"rate": 0.5, "noise_shape": "a"}),
        ("Dropout", {"rate": 0.5, "noise_shape": (0,)}),
        ("GaussianNoise", {"stddev": -1}),
    ],
    ids=str,
)
def test_bad_arguments(name, options):
    for package in (keras, minikeras):
        with pytest.raises(ValueError):
            getattr(package.layers, name)(**options)
