"""Losses: gradients, reductions, weights, masks, errors, names."""

import numpy as np
import pytest

import minikeras
from minikeras import losses, ops
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.engine.registry import CustomObjectScope
from minikeras.losses import function as fused
from minikeras.losses.loss import squeeze_or_expand_to_same_rank
from tests.gradcheck import check_gradients

RNG = np.random.default_rng(0)
N, C = 6, 4


def normal(*shape):
    return RNG.normal(size=shape or (N, C))


def uniform(*shape):
    return RNG.uniform(0.1, 0.9, size=shape or (N, C))


def binary(*shape):
    return (RNG.random(shape or (N, C)) > 0.5).astype(float)


def one_hot():
    return np.eye(C)[RNG.integers(0, C, N)]


def labels():
    return RNG.integers(0, C, N)


def probabilities():
    p = uniform()
    return p / p.sum(-1, keepdims=True)


def embeddings():
    e = normal(8, 3)
    return e / np.linalg.norm(e, axis=1, keepdims=True)


CASES = [
    ("MeanSquaredError", {}, normal, normal),
    ("MeanAbsoluteError", {}, normal, normal),
    ("MeanAbsolutePercentageError", {}, uniform, uniform),
    ("MeanSquaredLogarithmicError", {}, uniform, uniform),
    ("CosineSimilarity", {}, normal, normal),
    ("CosineSimilarity", {"axis": 0}, normal, normal),
    ("Huber", {}, normal, normal),
    ("Huber", {"delta": 0.3}, normal, normal),
    ("LogCosh", {}, normal, normal),
    ("Hinge", {}, normal, normal),
    ("SquaredHinge", {}, normal, normal),
    ("CategoricalHinge", {}, normal, normal),
    ("Poisson", {}, uniform, uniform),
    ("KLDivergence", {}, uniform, uniform),
    *[
        (name, {**options, **more}, uniform, normal if "from_logits" in options else uniform)
        for name, extras in (
            ("BinaryCrossentropy", [{}, {"axis": 0}]),
            (
                "BinaryFocalCrossentropy",
                [{}, {"apply_class_balancing": True, "alpha": 0.3}, {"gamma": 1.5}, {"gamma": 0}],
            ),
            ("CategoricalCrossentropy", [{}]),
            ("CategoricalFocalCrossentropy", [{}, {"gamma": 3.0, "alpha": [0.1, 0.2, 0.3, 0.4]}]),
        )
        for options in ({}, {"label_smoothing": 0.2}, {"from_logits": True})
        for more in extras
    ],
    ("CategoricalCrossentropy", {"axis": 0}, uniform, uniform),
    ("SparseCategoricalCrossentropy", {}, labels, uniform),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, labels, normal),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, labels, uniform),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1, "from_logits": True}, labels, normal),
    ("SparseCategoricalCrossentropy", {"axis": 0}, lambda: RNG.integers(0, N, C), uniform),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, labels, probabilities),
    ("Dice", {}, binary, uniform),
    ("Dice", {"axis": (1,)}, uniform, uniform),
    ("Tversky", {"alpha": 0.3, "beta": 0.6}, uniform, uniform),
    ("Tversky", {"axis": -1}, uniform, uniform),
    ("Circle", {"gamma": 3.0}, lambda: RNG.integers(0, 3, 8), embeddings),
    ("Circle", {"gamma": 3.0, "remove_diagonal": False}, lambda: RNG.integers(0, 3, 8), embeddings),
    ("CTC", {}, lambda: np.array([[1, 2, 0], [3, 3, 1]]), lambda: normal(2, 7, C)),
]
IDS = [f"{name}-{options}" for name, options, _, _ in CASES]
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None]


@pytest.mark.parametrize(("name", "options", "targets", "predictions"), CASES, ids=IDS)
def test_gradient(name, options, targets, predictions):
    for reduction in ("none", "sum_over_batch_size"):
        loss = getattr(losses, name)(reduction=reduction, dtype="float64", **options)
        # Both arguments: targets too have a gradient where they are floats.
        check_gradients(loss, targets(), predictions())


@pytest.mark.parametrize(("name", "options", "targets", "predictions"), CASES, ids=IDS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_fast_way_agrees(name, options, targets, predictions, reduction):
    loss = getattr(losses, name)(reduction=reduction, **options)
    for dtype in ("float32", "float64"):
        t, p = targets(), predictions().astype(dtype)
        values = loss.call(t.astype(dtype), p)
        for weight in (None, RNG.random(values.shape)):
            with Recording(Run(training=True, recording=True)) as recording:
                tracked = recording.track(p)
                expected = loss(t, tracked, weight)
            # The result is in the dtype of the loss, whatever the predictions; the gradient is not.
            assert expected.dtype == np.float32
            gradient = recording.reverse([(expected.slot, np.ones_like(expected.array))])[
                tracked.slot
            ]
            value, found = loss.value_and_gradient(t, p, weight)
            np.testing.assert_allclose(value, expected.array.mean(), rtol=1e-5)
            np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-7)
            assert found.dtype == dtype
            assert found.shape == p.shape


def test_values():
    assert float(losses.MeanSquaredError()([[1.0, 2.0]], [[3.0, 2.0]])) == 2.0
    assert float(losses.mean_absolute_error([[1.0, 2.0]], [[3.0, 2.0]])[0]) == 1.0
    y = [[0.0, 1.0], [1.0, 0.0]]
    p = [[0.25, 0.75], [0.5, 0.5]]
    np.testing.assert_allclose(
        losses.categorical_crossentropy(y, p).numpy(), [-np.log(0.75), -np.log(0.5)], rtol=1e-6
    )
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy([1, 0], p), [-np.log(0.75), -np.log(0.5)], rtol=1e-6
    )
    np.testing.assert_allclose(
        losses.binary_crossentropy([[0.0, 1.0]], [[0.25, 0.75]]), [-np.log(0.75)], rtol=1e-6
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reductions(reduction):
    loss = losses.MeanAbsoluteError(reduction=reduction)
    y, p = np.zeros((3, 2)), np.array([[1.0, 1.0], [2.0, 2.0], [6.0, 6.0]])
    weight = np.array([1.0, 0.5, 0.0])
    plain, weighted = loss(y, p).numpy(), loss(y, p, weight).numpy()
    if reduction in ("none", None):
        np.testing.assert_array_equal(plain, [1, 2, 6])
        np.testing.assert_array_equal(weighted, [1, 1, 0])
    else:
        assert plain == {"sum": 9}.get(reduction, 3)
        expected = {"sum": 2, "mean_with_sample_weight": 2 / 1.5}.get(reduction, 2 / 3)
        assert weighted == pytest.approx(expected)
    column = loss(y, p, weight[:, None]).numpy()
    np.testing.assert_allclose(np.squeeze(column), weighted)
    with pytest.raises(ValueError, match="reduction"):
        losses.MeanSquaredError(reduction="average")


def test_weights_of_samples_and_of_steps():
    y, p = np.zeros((2, 3, 1)), np.arange(6.0).reshape(2, 3, 1)
    loss = losses.MeanAbsoluteError(reduction="sum")
    assert float(loss(y, p, np.array([1.0, 0.0]))) == 3
    assert float(loss(y, p, np.array([[0, 0, 1.0], [0, 1, 0]]))) == 6
    with pytest.raises(ValueError, match="sample_weight"):
        loss(y, p, np.ones(5))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_masks(reduction):
    loss = losses.MeanAbsoluteError(reduction=reduction)
    y = np.zeros((2, 3, 1))
    p = np.arange(6.0).reshape(2, 3, 1)
    mask = np.array([[True, True, False], [True, False, False]])
    tensor = minikeras.ops.convert_to_tensor(p)
    tensor._keras_mask = minikeras.ops.convert_to_tensor(mask)
    expected = {"sum": 4.0}.get(reduction, 4 / 3)
    assert float(loss(y, tensor)) == pytest.approx(expected)
    value, gradient = loss.value_and_gradient(y, p, None, mask=mask)
    assert value == pytest.approx(expected)
    assert not gradient[~mask].any()
    assert gradient[mask].any()
    custom, slow = losses.LossFunctionWrapper(
        lambda y, p: ops.mean(abs(y - p), axis=-1), reduction=reduction
    ).value_and_gradient(y, p, None, mask=mask)
    assert custom == pytest.approx(expected)
    np.testing.assert_allclose(slow, gradient)


def test_an_ignored_class_does_not_count():
    p = uniform(4, 3)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=0)
    part = losses.SparseCategoricalCrossentropy()
    y = np.array([0, 1, 2, 0])
    assert float(loss(y, p)) == pytest.approx(float(part(y[1:3], p[1:3])))
    assert float(loss(np.zeros(4, int), p)) == 0


def test_shapes_that_differ_by_a_last_axis():
    p = normal(5, 1)
    y = normal(5)
    expected = float(losses.MeanSquaredError()(y[:, None], p))
    assert float(losses.MeanSquaredError()(y, p)) == pytest.approx(expected)
    value, gradient = losses.MeanSquaredError().value_and_gradient(y, p)
    assert value == pytest.approx(expected)
    assert gradient.shape == p.shape
    # The other way round.
    value, gradient = losses.MeanSquaredError().value_and_gradient(y[:, None], p[:, 0])
    assert gradient.shape == (5,)
    a, b = squeeze_or_expand_to_same_rank(np.zeros((2, 3, 1)), np.zeros((2, 3)))
    assert a.shape == b.shape == (2, 3)


def test_dtypes():
    p16 = uniform().astype("float16")
    value, gradient = losses.MeanSquaredError().value_and_gradient(uniform(), p16)
    assert value.dtype == np.float32
    assert gradient.dtype == np.float16
    assert losses.MeanSquaredError(dtype="float64")(uniform(), p16).dtype == np.float64
    assert losses.MeanSquaredError(dtype="float32")(uniform(), uniform()).dtype == np.float32
    integers = losses.MeanSquaredError()(np.array([[1, 2]]), np.array([[2, 4]]))
    assert float(integers) == 2.5


@pytest.mark.parametrize("wrong", [-1, C, 1000])
def test_a_label_out_of_range_is_named(wrong):
    y = labels()
    y[2] = wrong
    message = rf"label value of {wrong}.*{C} classes"
    for p, options in ((uniform(), {}), (normal(), {"from_logits": True})):
        loss = losses.SparseCategoricalCrossentropy(**options)
        with pytest.raises(ValueError, match=message):
            loss(y, p)
        with pytest.raises(ValueError, match=message):
            loss.value_and_gradient(y, p)
    with pytest.raises(ValueError, match=message):
        fused.softmax_crossentropy(normal(), y, sparse=True)
    with pytest.raises(ValueError, match=message):
        losses.CategoricalGeneralizedCrossEntropy()(y, uniform())


@pytest.mark.parametrize(
    ("name", "y", "p", "message"),
    [
        ("MeanSquaredError", (4, 3), (4, 2), r"\(4, 3\).*\(4, 2\)"),
        ("MeanSquaredError", (5,), (4, 2), r"\(5,\).*\(4, 2\)"),
        ("BinaryCrossentropy", (4, 2), (4, 3), "same shape"),
        ("BinaryCrossentropy", (4,), (4, 3), "same rank"),
        ("CategoricalCrossentropy", (4,), (4, 3), "sparse_categorical_crossentropy"),
        ("CategoricalCrossentropy", (4, 1), (4, 3), "sparse_categorical_crossentropy"),
        ("CategoricalCrossentropy", (4, 2), (4, 3), "same shape"),
        ("SparseCategoricalCrossentropy", (4, 3), (4, 3), "use categorical_crossentropy"),
        ("SparseCategoricalCrossentropy", (5,), (4, 3), r"\(4,\).*\(5,\)"),
        ("CTC", (4,), (4, 5, 3), "y_true"),
        ("CTC", (4, 2), (4, 3), "y_pred"),
    ],
)
def test_shapes_that_do_not_fit(name, y, p, message):
    loss = getattr(losses, name)()
    with pytest.raises(ValueError, match=message):
        loss(np.ones(y), np.ones(p))
    with pytest.raises(ValueError, match=message):
        loss.value_and_gradient(np.ones(y), np.ones(p))


def test_one_class_is_warned_about():
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def test_strings_are_no_targets():
    with pytest.raises(ValueError, match="numbers as targets"):
        losses.MeanSquaredError().value_and_gradient(np.array([["a"]]), np.ones((1, 1)))


def test_saturated_probabilities_stay_finite():
    y, p = np.array([[0.0, 1.0]], "float32"), np.array([[1.0, 0.0]], "float32")
    for name in ("BinaryCrossentropy", "CategoricalCrossentropy", "KLDivergence", "Poisson"):
        value, gradient = getattr(losses, name)().value_and_gradient(y, p)
        assert np.isfinite(value), name
        assert np.isfinite(gradient).all(), name
    logits = np.array([[1e4, -1e4]], "float32")
    for name in ("BinaryCrossentropy", "CategoricalCrossentropy"):
        value, gradient = getattr(losses, name)(from_logits=True).value_and_gradient(y, logits)
        assert value == pytest.approx(1e4 if name[0] == "B" else 2e4)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_fused_losses(smoothing):
    z = normal()
    loss = losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, reduction="none"
    )
    y = one_hot()
    values, gradient = fused.softmax_crossentropy(z, y, label_smoothing=smoothing)
    np.testing.assert_allclose(values, loss(y, z))
    np.testing.assert_allclose(gradient, loss.value_and_gradient(y, z)[1], atol=1e-15)
    moved = fused.softmax_crossentropy(z.T, y.T, label_smoothing=smoothing, axis=0)
    np.testing.assert_allclose(moved[0], values)
    np.testing.assert_allclose(moved[1], gradient.T)
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")
    y = binary()
    values, gradient = fused.sigmoid_crossentropy(z, y, label_smoothing=smoothing)
    np.testing.assert_allclose(values, loss(y, z))
    np.testing.assert_allclose(gradient, loss.value_and_gradient(y, z)[1], atol=1e-15)
    column, one = fused.sigmoid_crossentropy(z[:, :1], y[:, 0], label_smoothing=smoothing)
    assert column.shape == (N,)
    assert one.shape == (N, 1)


def test_fused_sparse_loss_of_several_axes():
    z, y = normal(2, 3, C), RNG.integers(0, C, (2, 3))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    for targets in (y, y[..., None], y.astype("float32")):
        values, gradient = fused.softmax_crossentropy(z, targets, sparse=True)
        np.testing.assert_allclose(values, loss(y, z))
        np.testing.assert_allclose(gradient, loss.value_and_gradient(y, z)[1], atol=1e-15)


def test_training_with_a_softmax_uses_logits():
    # Probabilities that round to 0 and 1 would be clipped at 1e-7: a loss of 16.1, no gradient.
    layer = minikeras.layers.Dense(2, activation="softmax", kernel_initializer="ones")
    model = minikeras.Sequential([minikeras.Input((1,)), layer])
    layer.bias.assign(np.array([100.0, 0.0]))
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.ones((4, 1), "float32"), np.ones(4, int)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(100, rel=1e-6)
    before = layer.bias.numpy().copy()
    model.fit(x, y, verbose=0)
    np.testing.assert_allclose(layer.bias.numpy() - before, [-0.01, 0.01], rtol=1e-3)


def test_a_loss_of_the_user():
    class FourthPower(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean((y_true - y_pred) ** 4, axis=-1)

    def fourth_power(y_true, y_pred):
        return ops.mean((y_true - y_pred) ** 4, axis=-1)

    y, p = normal(), normal()
    for loss in (FourthPower(), losses.LossFunctionWrapper(fourth_power)):
        value, gradient = loss.value_and_gradient(y, p)
        assert value == pytest.approx(((y - p) ** 4).mean())
        np.testing.assert_allclose(gradient, 4 * (p - y) ** 3 / p.size)
    assert FourthPower().name.startswith("fourth_power")
    with pytest.raises(ValueError, match="no gradient"):
        losses.LossFunctionWrapper(
            lambda y, p: ops.convert_to_tensor(np.zeros(len(y)))
        ).value_and_gradient(y, p)
    with pytest.raises(NotImplementedError, match="call"):
        losses.Loss()(y, p)
    with CustomObjectScope({"fourth_power": fourth_power}):
        config = losses.serialize(losses.LossFunctionWrapper(fourth_power))
        assert losses.deserialize(config).fn is fourth_power


def test_a_subclass_of_a_built_in_loss():
    class Doubled(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

    y, p = normal(), normal()
    value, gradient = Doubled().value_and_gradient(y, p)
    expected, single = losses.MeanSquaredError().value_and_gradient(y, p)
    assert value == pytest.approx(2 * expected)
    np.testing.assert_allclose(gradient, 2 * single)


@pytest.mark.parametrize(("name", "options", "targets", "predictions"), CASES, ids=IDS)
def test_configs(name, options, targets, predictions):
    loss = getattr(losses, name)(reduction="sum", name="mine", **options)
    twin = losses.deserialize(losses.serialize(loss))
    assert type(twin) is type(loss)
    assert twin.get_config() == loss.get_config()
    assert (twin.name, twin.reduction) == ("mine", "sum")
    t, p = targets(), predictions()
    assert float(twin(t, p)) == float(loss(t, p))
    for key, value in options.items():
        assert getattr(twin, key) == value


def test_every_loss_has_a_case():
    classes = {
        name
        for name, thing in minikeras.engine.registry.losses.objects().items()
        if isinstance(thing, type) and thing.__module__.startswith("minikeras.")
    }
    assert classes - {"Loss", "LossFunctionWrapper"} == {name for name, *_ in CASES}


def test_names():
    for name in losses.__all__:
        thing = getattr(losses, name)
        if name in ("get", "serialize", "deserialize"):
            continue
        if name == "CategoricalGeneralizedCrossEntropy" or not isinstance(thing, type):
            assert minikeras.engine.registry.losses.find(name) is thing
            continue
        if name not in ("Loss", "LossFunctionWrapper"):
            assert type(losses.get(name)) is thing
    for alias, function in {
        "mse": "mean_squared_error",
        "MAE": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "MSLE": "mean_squared_logarithmic_error",
        "bce": "binary_crossentropy",
        "kld": "kl_divergence",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
    }.items():
        assert losses.get(alias) is getattr(losses, function)
    with pytest.raises(ValueError, match=r"Unknown loss: 'meen_squared_error'.*mean_squared_error"):
        losses.get("meen_squared_error")
    assert losses.get(None) is None
    for options in ({"q": 0}, {"q": 1.5}):
        with pytest.raises(ValueError, match="`q`"):
            losses.CategoricalGeneralizedCrossEntropy(**options)


def test_symbolic_losses():
    y, p = minikeras.Input((3,)), minikeras.Input((3,))
    assert losses.mean_squared_error(y, p).shape == (None,)
    assert losses.MeanSquaredError()(y, p).shape == ()


def test_empty_batch():
    value, gradient = losses.MeanSquaredError().value_and_gradient(
        np.zeros((0, 2)), np.zeros((0, 2))
    )
    assert value == 0
    assert gradient.shape == (0, 2)
