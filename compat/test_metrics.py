"""Metrics against Keras: every metric x arguments x weights, over several updates."""

import inspect
import json
import warnings

import keras
import numpy as np
import pytest

import minikeras

# float32 sums of some dozens of values in another order.
CLOSE = {"rtol": 2e-5, "atol": 2e-6}
STEPS, ROWS, CLASSES = 3, 12, 5


def one_hot(labels, classes=CLASSES):
    return np.eye(classes, dtype="float32")[labels]


class Data:
    """Labels and predictions of one kind, batch by batch."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def numbers(self):
        shape = (ROWS, 3)
        return self.rng.normal(size=shape), self.rng.normal(size=shape)

    def column(self):
        return self.rng.normal(size=(ROWS,)), self.rng.normal(size=(ROWS, 1)).astype("float32")

    def positive(self):
        shape = (ROWS, 3)
        return self.rng.random(shape) + 0.1, (self.rng.random(shape) + 0.1).astype("float32")

    def signs(self):
        return self.rng.choice([-1.0, 1.0], (ROWS, 3)), self.rng.normal(size=(ROWS, 3))

    def binary(self):
        return self.rng.integers(0, 2, (ROWS, 1)), self.rng.random((ROWS, 1)).astype("float32")

    def binary_flat(self):
        return self.rng.integers(0, 2, ROWS), self.rng.random((ROWS, 1)).astype("float32")

    def binary_grid(self):
        # Predictions that fall exactly on thresholds.
        return self.rng.integers(0, 2, ROWS), self.rng.integers(0, 11, ROWS).astype("float32") / 10

    def multi_hot(self):
        shape = (ROWS, CLASSES)
        return self.rng.integers(0, 2, shape), self.rng.random(shape).astype("float32")

    def probabilities(self):
        scores = self.rng.random((ROWS, CLASSES)).astype("float32")
        return one_hot(self.rng.integers(0, CLASSES, ROWS)), scores / scores.sum(-1, keepdims=True)

    def sparse(self):
        y_true, y_pred = self.probabilities()
        return y_true.argmax(-1), y_pred

    def sparse_column(self):
        y_true, y_pred = self.sparse()
        return y_true[:, None], y_pred

    def steps(self):
        scores = self.rng.random((ROWS, 4, CLASSES)).astype("float32")
        labels = self.rng.integers(0, CLASSES, (ROWS, 4))
        return labels, scores / scores.sum(-1, keepdims=True)

    def one_hot_steps(self):
        labels, scores = self.steps()
        return one_hot(labels), scores

    def logits(self):
        labels, scores = self.sparse()
        return labels, scores * 8 - 1

    def one_hot_logits(self):
        labels, scores = self.probabilities()
        return labels, scores * 8 - 1

    def binary_logits(self):
        labels, scores = self.binary()
        return labels, scores * 6 - 3

    def labels(self):
        return self.rng.integers(0, CLASSES, ROWS), self.rng.integers(0, CLASSES, ROWS)

    def label_images(self):
        shape = (ROWS, 3, 2)
        return self.rng.integers(0, CLASSES, shape), self.rng.integers(-1, CLASSES + 1, shape)

    def ranked(self):
        order = np.argsort(self.rng.random((ROWS, CLASSES)), axis=-1)
        return self.rng.integers(0, CLASSES, ROWS), order.astype("float32")


def weights_of(kind, data, y_true):
    if kind is None:
        return None
    if kind == "scalar":
        return np.float32(0.5)
    if kind == "sample":
        # Eighths: their sums are exact, so that rounding decides no comparison of rates.
        return data.rng.integers(0, 9, len(y_true)).astype("float32") / 8
    if kind == "integers":
        return data.rng.integers(0, 3, len(y_true))
    if kind == "column":
        return data.rng.random((len(y_true), 1)).astype("float32")
    if kind == "step":
        return data.rng.random(y_true.shape[:2]).astype("float32")
    raise AssertionError(kind)


USUAL = (None, "sample", "integers")
THRESHOLDS = ({}, {"thresholds": 0.3}, {"thresholds": [0.2, 0.7]}, {"thresholds": [0.7, 0.2, 0.4]})
EVEN = {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}

# (metric, kinds of data, arguments, kinds of weights)
TABLE = [
    ("Accuracy", ("labels", "label_images"), ({},), USUAL),
    ("BinaryAccuracy", ("binary", "binary_flat", "multi_hot"), ({}, {"threshold": 0.3}), USUAL),
    ("CategoricalAccuracy", ("probabilities", "one_hot_steps"), ({},), USUAL),
    (
        "SparseCategoricalAccuracy",
        ("sparse", "sparse_column", "steps"),
        ({}, {"dtype": "float64"}),
        (*USUAL, "scalar"),
    ),
    ("SparseCategoricalAccuracy", ("steps",), ({},), ("step",)),
    ("TopKCategoricalAccuracy", ("probabilities", "one_hot_steps"), ({"k": 2}, {}), USUAL),
    ("SparseTopKCategoricalAccuracy", ("sparse", "steps"), ({"k": 1}, {"k": 3}), USUAL),
    ("SparseTopKCategoricalAccuracy", ("ranked",), ({"k": 2, "from_sorted_ids": True},), USUAL),
    ("MeanSquaredError", ("numbers", "column"), ({}, {"dtype": "float64"}), (*USUAL, "column")),
    ("MeanAbsoluteError", ("numbers", "column"), ({},), USUAL),
    ("MeanAbsolutePercentageError", ("positive",), ({},), USUAL),
    ("MeanSquaredLogarithmicError", ("positive",), ({},), USUAL),
    ("RootMeanSquaredError", ("numbers", "column"), ({}, {"dtype": "float64"}), USUAL),
    ("LogCoshError", ("numbers",), ({},), USUAL),
    ("CosineSimilarity", ("numbers",), ({}, {"axis": 1}), USUAL),
    ("Hinge", ("signs", "binary"), ({},), USUAL),
    ("SquaredHinge", ("signs", "binary"), ({},), USUAL),
    ("CategoricalHinge", ("probabilities",), ({},), USUAL),
    ("KLDivergence", ("positive", "probabilities"), ({},), USUAL),
    ("Poisson", ("positive",), ({},), USUAL),
    ("BinaryCrossentropy", ("binary", "multi_hot"), ({}, {"label_smoothing": 0.2}), USUAL),
    ("BinaryCrossentropy", ("binary_logits",), ({"from_logits": True},), USUAL),
    (
        "CategoricalCrossentropy",
        ("probabilities", "one_hot_steps"),
        ({}, {"label_smoothing": 0.1}),
        USUAL,
    ),
    ("CategoricalCrossentropy", ("one_hot_logits",), ({"from_logits": True},), USUAL),
    ("SparseCategoricalCrossentropy", ("sparse", "sparse_column", "steps"), ({},), USUAL),
    ("SparseCategoricalCrossentropy", ("sparse",), ({"ignore_class": 1},), USUAL),
    ("SparseCategoricalCrossentropy", ("logits",), ({"from_logits": True},), USUAL),
    ("PearsonCorrelation", ("numbers",), ({},), USUAL),
    ("ConcordanceCorrelation", ("numbers",), ({},), USUAL),
    ("PearsonCorrelation", ("numbers",), ({"axis": 0},), (None,)),
    ("ConcordanceCorrelation", ("numbers",), ({"axis": 0},), (None,)),
    *(
        (name, ("binary", "binary_flat", "binary_grid", "multi_hot"), (*THRESHOLDS, EVEN), USUAL)
        for name in ("FalsePositives", "FalseNegatives", "TrueNegatives", "TruePositives")
    ),
    *(
        (name, kinds, arguments, USUAL)
        for name in ("Precision", "Recall")
        for kinds, arguments in (
            (("binary", "binary_flat", "binary_grid", "multi_hot"), (*THRESHOLDS, EVEN)),
            (
                ("multi_hot", "probabilities"),
                (
                    {"top_k": 2},
                    {"class_id": 1},
                    {"top_k": 3, "class_id": 2},
                    {"top_k": 2, "thresholds": [0.1, 0.6]},
                    {"top_k": 2, **EVEN},
                ),
            ),
        )
    ),
    *(
        (
            name,
            ("binary", "binary_flat", "binary_grid", "multi_hot"),
            (
                {argument: 0.4},
                {argument: 0.8, "num_thresholds": 1},
                {argument: 0.0},
                {argument: 0.6, "num_thresholds": 2},
                {argument: 0.5, "num_thresholds": 11},
            ),
            USUAL,
        )
        for name, argument in (
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        )
    ),
    ("PrecisionAtRecall", ("multi_hot",), ({"recall": 0.5, "class_id": 2},), USUAL),
    (
        "AUC",
        ("binary", "binary_flat", "binary_grid", "multi_hot"),
        tuple(
            {"curve": curve, "summation_method": method, **more}
            for curve in ("ROC", "PR", "PRGAIN")
            for method in ("interpolation", "majoring", "minoring")
            for more in ({}, {"num_thresholds": 6}, {"thresholds": [0.8, 0.15, 0.3]})
        ),
        USUAL,
    ),
    (
        "AUC",
        ("multi_hot",),
        (
            {"multi_label": True},
            {"multi_label": True, "num_labels": CLASSES, "curve": "PR"},
            {"multi_label": True, "label_weights": [0.125, 0.25, 0.5, 1.0, 2.0]},
            {"multi_label": True, "thresholds": [0.1, 0.6], "curve": "PR"},
            {"label_weights": [0.125, 0.25, 0.5, 1.0, 2.0]},
            {"label_weights": [0.125, 0.25, 0.5, 1.0, 2.0], "thresholds": [0.3, 0.4]},
        ),
        USUAL,
    ),
    ("AUC", ("binary_logits",), ({"from_logits": True}, {"num_thresholds": 2}), USUAL),
    (
        "F1Score",
        ("probabilities", "multi_hot"),
        (
            {},
            {"average": "micro"},
            {"average": "macro"},
            {"average": "weighted"},
            {"threshold": 0.4},
            {"threshold": 0.4, "average": "weighted"},
        ),
        USUAL,
    ),
    ("FBetaScore", ("multi_hot",), ({"beta": 0.5}, {"beta": 2.0, "threshold": 0.5}), USUAL),
    (
        "R2Score",
        ("numbers", "column"),
        (
            {},
            {"class_aggregation": None},
            {"class_aggregation": "variance_weighted_average"},
            {"num_regressors": 2},
        ),
        USUAL,
    ),
    (
        "IoU",
        ("labels",),
        (
            {"num_classes": CLASSES, "target_class_ids": [0, 2]},
            {"num_classes": CLASSES, "target_class_ids": [1], "ignore_class": 0},
        ),
        (None, "integers"),
    ),
    ("IoU", ("label_images",), ({"num_classes": CLASSES, "target_class_ids": (0, 2)},), (None,)),
    ("MeanIoU", ("labels",), ({"num_classes": CLASSES},), (None, "integers")),
    ("MeanIoU", ("labels",), ({"num_classes": CLASSES, "dtype": "float32"},), USUAL),
    ("MeanIoU", ("labels",), ({"num_classes": 3, "ignore_class": 2},), (None,)),
    ("MeanIoU", ("sparse",), ({"num_classes": CLASSES, "sparse_y_pred": False},), (None,)),
    ("BinaryIoU", ("binary_flat",), ({}, {"target_class_ids": [1], "threshold": 0.3}), (None,)),
    (
        "OneHotIoU",
        ("probabilities",),
        ({"num_classes": CLASSES, "target_class_ids": [0, 3]},),
        (None, "integers"),
    ),
    ("OneHotMeanIoU", ("probabilities",), ({"num_classes": CLASSES},), (None, "integers")),
]

CASES = [
    pytest.param(name, kind, arguments, weight, id=f"{name}-{kind}-{arguments}-{weight}")
    for name, kinds, argument_sets, weight_kinds in TABLE
    for kind in kinds
    for arguments in argument_sets
    for weight in weight_kinds
]


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@pytest.mark.parametrize("name, kind, arguments, weight", CASES)
def test_updates_results_state_and_config(name, kind, arguments, weight):
    theirs = getattr(keras.metrics, name)(**arguments)
    ours = getattr(minikeras.metrics, name)(**arguments)
    data = Data(seed=len(kind) + 10 * len(str(arguments)))
    for _ in range(STEPS):
        y_true, y_pred = getattr(data, kind)()
        sample_weight = weights_of(weight, data, y_true)
        quietly(theirs.update_state, y_true, y_pred, sample_weight)
        quietly(ours.update_state, y_true, y_pred, sample_weight)
        expected = quietly(lambda: np.asarray(theirs.result()))
        got = quietly(ours.result)
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got.numpy(), expected, **CLOSE)
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for own, other in zip(ours.variables, theirs.variables):
        assert (own.dtype, own.shape) == (other.dtype, tuple(other.shape))
        np.testing.assert_allclose(own.numpy(), other.numpy(), **CLOSE)
    same_config(ours, theirs)
    ours.reset_state()
    assert all(not v.numpy().any() for v in ours.variables)


def same_config(ours, theirs):
    expected, got = theirs.get_config(), ours.get_config()
    names = expected.pop("name"), got.pop("name")
    assert minikeras.metrics.Metric is not None and all(isinstance(name, str) for name in names)
    weights = expected.pop("label_weights", None), got.pop("label_weights", None)
    if weights[0] is not None:
        np.testing.assert_array_equal(np.asarray(weights[0]), weights[1].numpy())
    if type(ours).__name__ == "CosineSimilarity":
        got.pop("axis", None)  # Keras loses it: DIFFERENCES.md
    assert json.dumps(got, sort_keys=True) == json.dumps(expected, sort_keys=True)
    twin = type(ours).from_config(ours.get_config())
    assert twin.get_config().keys() == ours.get_config().keys()
    type(theirs).from_config({**got, "name": "x"})


def test_every_public_name_is_there_with_the_same_signature():
    for name in dir(keras.metrics):
        if name.startswith("_"):
            continue
        assert name in minikeras.metrics.__all__, name
        theirs, ours = getattr(keras.metrics, name), getattr(minikeras.metrics, name)
        expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
        got = [(p.name, p.default) for p in inspect.signature(ours).parameters.values()]
        assert got == expected, name


def test_every_metric_is_compared():
    covered = {row[0] for row in TABLE}
    classes = {
        name
        for name in dir(keras.metrics)
        if inspect.isclass(getattr(keras.metrics, name)) and not name.startswith("_")
    }
    assert classes - covered == {"Mean", "Sum", "Metric", "MeanMetricWrapper"}


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("shape", [(), (4,), (4, 3), (4, 3, 2)])
@pytest.mark.parametrize("weight", [None, (), (4,), (4, 1), (4, 3)])
def test_reductions(name, shape, weight):
    rng = np.random.default_rng(3)
    theirs, ours = getattr(keras.metrics, name)(), getattr(minikeras.metrics, name)()
    for _ in range(STEPS):
        values = rng.normal(size=shape)
        sample_weight = None if weight is None else rng.random(weight)
        try:
            theirs.update_state(values, sample_weight)
        except Exception:
            with pytest.raises(ValueError):
                ours.update_state(values, sample_weight)
            return
        ours.update_state(values, sample_weight)
        np.testing.assert_allclose(ours.result().numpy(), np.asarray(theirs.result()), **CLOSE)
    for own, other in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(own.numpy(), other.numpy(), **CLOSE)


FUNCTIONS = [
    ("binary_accuracy", "binary_flat", {}),
    ("binary_accuracy", "multi_hot", {"threshold": 0.2}),
    ("categorical_accuracy", "probabilities", {}),
    ("categorical_accuracy", "one_hot_steps", {}),
    ("sparse_categorical_accuracy", "sparse_column", {}),
    ("sparse_categorical_accuracy", "steps", {}),
    ("top_k_categorical_accuracy", "one_hot_steps", {"k": 2}),
    ("sparse_top_k_categorical_accuracy", "steps", {"k": 3}),
    ("sparse_top_k_categorical_accuracy", "ranked", {"k": 3, "from_sorted_ids": True}),
    ("pearson_correlation", "numbers", {"axis": 0}),
    ("concordance_correlation", "numbers", {}),
    ("mean_squared_error", "numbers", {}),
    ("huber", "numbers", {"delta": 0.5}),
    ("binary_focal_crossentropy", "binary", {}),
    ("categorical_focal_crossentropy", "probabilities", {}),
    ("sparse_categorical_crossentropy", "sparse", {}),
]


@pytest.mark.parametrize("name, kind, arguments", FUNCTIONS)
def test_functions(name, kind, arguments):
    y_true, y_pred = getattr(Data(4), kind)()
    y_pred = y_pred.astype("float32")
    expected = np.asarray(getattr(keras.metrics, name)(y_true, y_pred, **arguments))
    got = getattr(minikeras.metrics, name)(y_true, y_pred, **arguments).numpy()
    assert got.dtype == expected.dtype and got.shape == expected.shape
    np.testing.assert_allclose(got, expected, **CLOSE)
    # The same function as a metric, and through its config in Keras.
    ours = minikeras.metrics.MeanMetricWrapper(
        getattr(minikeras.metrics, name), name="mine", **arguments
    )
    theirs = keras.metrics.MeanMetricWrapper(getattr(keras.metrics, name), name="mine", **arguments)
    np.testing.assert_allclose(float(ours(y_true, y_pred)), float(theirs(y_true, y_pred)), **CLOSE)
    assert ours.get_config() == theirs.get_config()
    again = minikeras.metrics.deserialize(minikeras.metrics.serialize(ours))
    np.testing.assert_allclose(float(again(y_true, y_pred)), float(ours.result()), **CLOSE)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_top_k_with_ties_and_unknown_classes(k):
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 3, (200, 5)).astype("float32")
    labels = rng.integers(-1, 6, 200)
    expected = keras.metrics.sparse_top_k_categorical_accuracy(labels, scores, k)
    got = minikeras.metrics.sparse_top_k_categorical_accuracy(labels, scores, k)
    np.testing.assert_array_equal(got.numpy(), np.asarray(expected))


NAMES = sorted(keras.src.metrics.ALL_OBJECTS_DICT)


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    try:
        theirs = keras.metrics.get(name)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            minikeras.metrics.get(name)
        return
    ours = minikeras.metrics.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert getattr(ours, "_direction", None) == getattr(theirs, "_direction", None)
    if type(theirs) is keras.Metric:
        return  # Nothing saves the base class itself.
    config = keras.metrics.serialize(theirs)
    assert minikeras.metrics.serialize(minikeras.metrics.deserialize(config)) == config


BAD = [
    ("R2Score", {"class_aggregation": "nope"}),
    ("R2Score", {"num_regressors": -1}),
    ("F1Score", {"average": "nope"}),
    ("F1Score", {"threshold": 1}),
    ("F1Score", {"threshold": -0.5}),
    ("FBetaScore", {"beta": 1}),
    ("FBetaScore", {"beta": -0.5}),
    ("AUC", {"curve": "nope"}),
    ("AUC", {"summation_method": "nope"}),
    ("AUC", {"num_thresholds": 1}),
    ("AUC", {"num_labels": 3}),
    ("Precision", {"thresholds": [0.5, 2.0]}),
    ("Recall", {"thresholds": -0.1}),
    ("TruePositives", {"thresholds": [None]}),
    ("SensitivityAtSpecificity", {"specificity": 2}),
    ("PrecisionAtRecall", {"recall": 0.5, "num_thresholds": 0}),
    ("IoU", {"num_classes": 2, "target_class_ids": [2]}),
]


@pytest.mark.parametrize("name, arguments", BAD)
def test_bad_arguments(name, arguments):
    with pytest.raises(ValueError):
        getattr(keras.metrics, name)(**arguments)
    with pytest.raises(ValueError, match="Received"):
        getattr(minikeras.metrics, name)(**arguments)


def test_unknown_names():
    for identifier in ("nope", {"class_name": "Nope", "config": {}}, 3):
        with pytest.raises(ValueError):
            keras.metrics.get(identifier)
        with pytest.raises(ValueError):
            minikeras.metrics.get(identifier)


def test_stateless_methods():
    theirs, ours = keras.metrics.Mean(), minikeras.metrics.Mean()
    start = [np.float32(1), np.float32(2)]
    expected = theirs.stateless_update_state(start, [3.0, 4.0], [1.0, 0.5])
    got = ours.stateless_update_state(start, [3.0, 4.0], [1.0, 0.5])
    np.testing.assert_allclose([float(x) for x in got], [float(x) for x in expected])
    assert float(ours.stateless_result(got)) == float(theirs.stateless_result(expected))
    assert [float(x) for x in ours.stateless_reset_state()] == [0, 0]
    assert float(ours.total) == 0


def test_masks():
    y_true = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    y_pred = y_true + 1 + np.arange(3, dtype="float32")
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], bool)

    def distance(a, b):
        return (a - b) ** 2

    expected = keras.metrics.MeanMetricWrapper(distance)
    tensor = keras.ops.convert_to_tensor(y_pred)
    keras.src.backend.set_keras_mask(tensor, mask)
    expected.update_state(y_true, tensor)
    ours = minikeras.metrics.MeanMetricWrapper(distance)
    ours.update_arrays(y_true, y_pred, None, mask)
    np.testing.assert_allclose(float(ours.result()), float(expected.result()), **CLOSE)
