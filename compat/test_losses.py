"""Losses beside Keras's: values, gradients, reductions, weights, masks, configs, errors."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.losses.losses import LossFunctionWrapper

from minikeras import losses
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording

SETTINGS = settings(max_examples=12, deadline=None)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(2, 4)),
)
SMALL = st.floats(0, 0.5).map(lambda v: round(v, 3))
POSITIVE = st.floats(0.2, 3).map(lambda v: round(v, 3))
LOGITS = {"from_logits": st.booleans(), "label_smoothing": SMALL}


def normal(rng, shape):
    return rng.normal(size=shape)


def uniform(rng, shape):
    return rng.uniform(0.05, 0.95, size=shape)


def binary(rng, shape):
    return (rng.random(shape) > 0.5).astype(float)


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def labels(rng, shape):
    return rng.integers(0, shape[-1], shape[:-1])


def scores(rng, shape, options):
    return normal(rng, shape) if options.get("from_logits") else uniform(rng, shape)


def of(draw):
    return lambda rng, shape, options: draw(rng, shape)


# Loss -> options, targets, predictions.
CASES = {
    "MeanSquaredError": ({}, normal, of(normal)),
    "MeanAbsoluteError": ({}, normal, of(normal)),
    "MeanAbsolutePercentageError": ({}, uniform, of(uniform)),
    "MeanSquaredLogarithmicError": ({}, uniform, of(normal)),
    "CosineSimilarity": ({"axis": st.sampled_from([-1, 0])}, normal, of(normal)),
    "Huber": ({"delta": POSITIVE}, normal, of(normal)),
    "LogCosh": ({}, normal, of(normal)),
    "Hinge": ({}, binary, of(normal)),
    "SquaredHinge": ({}, binary, of(normal)),
    "CategoricalHinge": ({}, one_hot, of(normal)),
    "Poisson": ({}, uniform, of(uniform)),
    "KLDivergence": ({}, uniform, of(uniform)),
    "BinaryCrossentropy": ({**LOGITS, "axis": st.sampled_from([-1, 0])}, binary, scores),
    "BinaryFocalCrossentropy": (
        {**LOGITS, "gamma": POSITIVE, "alpha": SMALL, "apply_class_balancing": st.booleans()},
        binary,
        scores,
    ),
    "CategoricalCrossentropy": (LOGITS, one_hot, scores),
    "CategoricalFocalCrossentropy": (
        {**LOGITS, "gamma": POSITIVE, "alpha": SMALL},
        one_hot,
        scores,
    ),
    "SparseCategoricalCrossentropy": (
        {"from_logits": st.booleans(), "ignore_class": st.sampled_from([None, 0, -1])},
        labels,
        scores,
    ),
    "CategoricalGeneralizedCrossEntropy": (
        {"q": st.floats(0.1, 0.9).map(lambda v: round(v, 3))},
        labels,
        of(uniform),
    ),
    "Dice": ({"axis": st.sampled_from([None, -1, (0, 1)])}, binary, of(uniform)),
    "Tversky": (
        {"axis": st.sampled_from([None, -1]), "alpha": SMALL, "beta": SMALL},
        binary,
        of(uniform),
    ),
}
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None]


def run_theirs(loss, y_true, y_pred, weight=None, mask=None):
    """The loss of Keras and its gradients."""
    true, pred = tf.constant(y_true), tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch([pred, true] if y_true.dtype.kind == "f" else [pred])
        tensor = tf.identity(pred)
        if mask is not None:
            tensor._keras_mask = tf.constant(mask)
        value = loss(true, tensor, weight)
    dp, dt = tape.gradient(value, [pred, true])
    return value.numpy(), dp, dt


def run_ours(loss, y_true, y_pred, weight=None, mask=None):
    """The loss of minikeras and its gradients."""
    with Recording(Run(training=True, recording=True)) as recording:
        pred = recording.track(y_pred)
        true = recording.track(y_true) if y_true.dtype.kind == "f" else y_true
        if mask is not None:
            pred._keras_mask = mask
        value = loss(true, pred, weight)
    gradients = recording.reverse([(value.slot, np.ones_like(value.array))])
    dt = gradients[true.slot] if y_true.dtype.kind == "f" else None
    return value.array, gradients[pred.slot], dt


def compare(name, options, y_true, y_pred, weight=None, mask=None, reduction="sum"):
    """Both losses on the same arrays."""
    options = {**options, "reduction": reduction}
    theirs, ours = getattr(keras.losses, name)(**options), getattr(losses, name)(**options)
    expected, expected_dp, expected_dt = run_theirs(theirs, y_true, y_pred, weight, mask)
    found, dp, dt = run_ours(ours, y_true, y_pred, weight, mask)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    # Sums of some dozens of terms of order one to ten, in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    value, fast = ours.value_and_gradient(y_true, y_pred, weight, mask=mask)
    np.testing.assert_allclose(value, expected.mean(), rtol=1e-5, atol=1e-5)
    for gradient, wanted in ((dp, expected_dp), (fast, expected_dp), (dt, expected_dt)):
        if wanted is not None and gradient is not None:
            scale = max(1.0, float(np.abs(wanted).max()))
            np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("name", CASES)
@SETTINGS
@given(data=st.data())
def test_losses(name, data):
    options_of, targets, predictions = CASES[name]
    options = data.draw(st.fixed_dictionaries(options_of))
    shape = data.draw(SHAPES)
    if "Categorical" in name and shape[-1] == 1:
        shape = (*shape[:-1], 3)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    y_true, y_pred = targets(rng, shape), predictions(rng, shape, options).astype("float32")
    if y_true.dtype.kind == "f":
        y_true = y_true.astype("float32")
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    weight = None
    if data.draw(st.booleans()) and options.get("axis", -1) == -1:
        weight = rng.random(shape[:-1]).astype("float32")
    if name == "CosineSimilarity" and shape[options["axis"]] == 1:
        return  # the gradient is exactly 0; what comes out is rounding
    if name == "CategoricalGeneralizedCrossEntropy" and len(shape) > 2 and shape[-2] == 1:
        return
    compare(name, options, y_true, y_pred, weight, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryCrossentropy", "CosineSimilarity"])
@pytest.mark.parametrize("weighted", [False, True])
def test_masks(name, reduction, weighted):
    rng = np.random.default_rng(0)
    y_true, y_pred = (uniform(rng, (3, 4, 2)).astype("float32") for _ in range(2))
    mask = rng.random((3, 4)) > 0.4
    weight = rng.random((3, 4)).astype("float32") if weighted else None
    compare(name, {}, y_true, y_pred, weight, mask, reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", [{}, {"gamma": 5.0, "margin": 0.2}, {"remove_diagonal": False}])
def test_circle(options, reduction):
    rng = np.random.default_rng(0)
    e = rng.normal(size=(8, 4)).astype("float32")
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    compare("Circle", options, rng.integers(0, 3, 8), e, reduction=reduction)


def test_circle_of_references():
    rng = np.random.default_rng(0)
    p, r = rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(7, 3)).astype("float32")
    y, z = rng.integers(0, 3, 5), rng.integers(0, 3, 7)
    options = {"ref_labels": z, "ref_embeddings": r, "remove_diagonal": False, "gamma": 2.0}
    np.testing.assert_allclose(
        losses.circle(y, p, **options), keras.losses.circle(y, p, **options), rtol=1e-5
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ctc(reduction):
    rng = np.random.default_rng(0)
    y = np.array([[1, 2, 0, 0], [3, 3, 1, 2], [4, 0, 0, 0]])
    compare("CTC", {}, y, rng.normal(size=(3, 9, 5)).astype("float32"), reduction=reduction)


@pytest.mark.parametrize(
    ("true", "pred"), [((5,), (5, 1)), ((5, 1), (5,)), ((5, 1), (5, 1)), ((4, 3, 1), (4, 3))]
)
@pytest.mark.parametrize("name", ["MeanSquaredError", "Hinge", "BinaryCrossentropy", "Huber"])
def test_ranks(name, true, pred):
    rng = np.random.default_rng(0)
    compare(name, {}, binary(rng, true).astype("float32"), uniform(rng, pred).astype("float32"))


@pytest.mark.parametrize("targets", [(6,), (6, 1)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
def test_dtypes_of_class_numbers(targets, dtype):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, targets).astype(dtype)
    p = uniform(rng, (6, 4)).astype("float32")
    theirs = keras.losses.SparseCategoricalCrossentropy()(y, p)
    np.testing.assert_allclose(losses.SparseCategoricalCrossentropy()(y, p), theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "name", [name for name in losses.__all__ if name.islower() and hasattr(keras.losses, name)]
)
def test_functions(name):
    if name in ("get", "serialize", "deserialize", "circle", "ctc"):
        return
    rng = np.random.default_rng(0)
    p = uniform(rng, (6, 4)).astype("float32")
    y = labels(rng, (6, 4)) if "sparse" in name or "generalized" in name else one_hot(rng, (6, 4))
    options = {"q": 0.5} if "generalized" in name else {}
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)
    found, expected = ours(y, p, **options), np.asarray(theirs(y, p, **options))
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert losses.serialize(ours) == keras.losses.serialize(theirs)
    assert losses.deserialize(keras.losses.serialize(theirs)) is ours


@pytest.mark.parametrize("name", [*CASES, "Circle", "CTC"])
def test_configs(name):
    theirs, ours = getattr(keras.losses, name)(), getattr(losses, name)()
    expected, found = keras.losses.serialize(theirs), losses.serialize(ours)
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(expected))
    if name != "CategoricalGeneralizedCrossEntropy":  # Keras does not find it by name
        assert keras.losses.deserialize(found).get_config() == theirs.get_config()
    assert losses.deserialize(expected).get_config() == ours.get_config()


@pytest.mark.parametrize(
    "name",
    [
        "mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "bce", "BCE", "kld", "KLD",
        "mean_squared_error", "sparse_categorical_crossentropy", "MeanSquaredError", "Huber",
    ],
)  # fmt: skip
def test_names(name):
    theirs, ours = keras.losses.get(name), losses.get(name)
    assert losses.serialize(ours) == keras.losses.serialize(theirs)


WRONG = [
    ("BinaryCrossentropy", (4,), (4, 3)),
    ("BinaryCrossentropy", (4, 2), (4, 3)),
    ("CategoricalCrossentropy", (4,), (4, 3)),
    ("CategoricalCrossentropy", (4, 2), (4, 3)),
    ("SparseCategoricalCrossentropy", (4, 3), (4, 3)),
    ("SparseCategoricalCrossentropy", (5,), (4, 3)),
    ("MeanSquaredError", (4, 3), (4, 2)),
    ("CTC", (4,), (4, 5, 3)),
    ("CTC", (4, 2), (4, 3)),
]


@pytest.mark.parametrize(("name", "true", "pred"), WRONG)
def test_both_refuse_shapes(name, true, pred):
    y, p = np.ones(true, "float32"), np.ones(pred, "float32")
    for package, kind in ((keras.losses, Exception), (losses, ValueError)):
        with pytest.raises(kind):
            getattr(package, name)()(y, p)


@pytest.mark.parametrize("wrong", [-1, 4])
@pytest.mark.parametrize("from_logits", [False, True])
def test_both_refuse_labels(wrong, from_logits):
    y, p = np.array([0, wrong]), np.full((2, 4), 0.25, "float32")
    for package, kind in ((keras.losses, Exception), (losses, ValueError)):
        with pytest.raises(kind):
            package.SparseCategoricalCrossentropy(from_logits=from_logits)(y, p)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MeanSquaredError", {"reduction": "average"}),
        ("CategoricalGeneralizedCrossEntropy", {"q": 0}),
        ("CategoricalGeneralizedCrossEntropy", {"q": 1.5}),
    ],
)
def test_both_refuse_options(name, options):
    for package in (keras.losses, losses):
        with pytest.raises(ValueError):
            getattr(package, name)(**options)
    for package in (keras.losses, losses):
        with pytest.raises(ValueError):
            package.get("no_such_loss")


def test_user_functions():
    rng = np.random.default_rng(0)
    y, p = (normal(rng, (4, 3)).astype("float32") for _ in range(2))
    theirs = LossFunctionWrapper(lambda y, p: abs(y - p) ** 3, reduction="sum")
    ours = losses.LossFunctionWrapper(lambda y, p: abs(y - p) ** 3, reduction="sum")
    expected, dp, _ = run_theirs(theirs, y, p)
    found, gradient, _ = run_ours(ours, y, p)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, dp, rtol=1e-4)
