"""What compat cannot show: users' own metrics, plain arrays, state, messages."""

import copy
import pickle

import numpy as np
import pytest

from minikeras import metrics
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable


class Counter(metrics.Metric):
    """A user's metric, in NumPy."""

    def __init__(self, name="counter", **kwargs):
        super().__init__(name=name, **kwargs)
        self.seen = self.add_weight(name="seen", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        assert isinstance(y_pred, (Tensor, np.ndarray))
        weight = 1 if sample_weight is None else np.mean(sample_weight)
        self.seen.assign(self.seen.numpy() + np.sum(np.abs(y_true - y_pred) > 0) * weight)

    def result(self):
        return self.seen.value


class Doubled(metrics.Mean):
    """A user's metric on top of a built-in one."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(2 * np.abs(np.asarray(y_true) - np.asarray(y_pred)), sample_weight)


class Renamed(metrics.BinaryAccuracy):
    """Calls the built-in update with other arguments."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(1 - np.asarray(y_true), y_pred, sample_weight)


ONES, ZEROS = np.ones(4, "float32"), np.zeros(4, "float32")


@pytest.mark.parametrize(
    "metric, expected",
    [(Counter(), 4), (Doubled(), 2), (Renamed(), 1), (metrics.BinaryAccuracy(), 0)],
)
@pytest.mark.parametrize("entry", ["update_state", "update_arrays"])
def test_both_entries_reach_the_update_that_the_class_defines(metric, expected, entry):
    metric.reset_state()
    getattr(metric, entry)(ONES, ZEROS)
    assert float(metric.result()) == expected


def test_weights_reach_a_users_metric():
    metric = Counter()
    metric.update_arrays(ONES, ZEROS, 2 * ONES)
    assert float(metric.result()) == 8


def test_plain_arrays_equal_public_updates():
    rng = np.random.default_rng(0)
    for name, make in registry.metrics.objects().items():
        if not isinstance(make, type):
            continue  # functions of older versions of Keras, once those are loaded
        arguments = {
            "IoU": {"num_classes": 2, "target_class_ids": [0, 1]},
            "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 1]},
            "MeanIoU": {"num_classes": 2},
            "OneHotMeanIoU": {"num_classes": 3},
            "SensitivityAtSpecificity": {"specificity": 0.5},
            "SpecificityAtSensitivity": {"sensitivity": 0.5},
            "PrecisionAtRecall": {"recall": 0.5},
            "RecallAtPrecision": {"precision": 0.5},
            "MeanRelativeError": {"normalizer": [1.0, 2.0, 3.0]},
        }.get(name, {})
        if name in ("Metric", "MeanMetricWrapper"):
            continue
        public, plain = make(**arguments), make(**arguments)
        y_true = np.eye(3, dtype="float32")[rng.integers(0, 3, 6)]
        y_pred = rng.random((6, 3)).astype("float32")
        if "parse" in name:
            y_true = y_true.argmax(-1)
        if name in ("Mean", "Sum"):
            public.update_state(y_pred, y_true)
            plain.update_arrays(y_pred, y_true)
        else:
            public.update_state(y_true.tolist(), Tensor(y_pred))
            plain.update_arrays(y_true, y_pred)
        np.testing.assert_array_equal(public.result().numpy(), plain.result().numpy(), name)


def test_float32_stays_float32_and_float64_counts_in_float64():
    for dtype in ("float32", "float64"):
        metric = metrics.Mean(dtype=dtype)
        metric.update_state(np.array([1.0, 2.0]))
        assert metric.result().dtype == dtype == metric.total.array.dtype


def test_large_batches_of_booleans_and_of_nothing():
    metric = metrics.Mean()
    metric.update_arrays(np.zeros((0, 3), "float32"))
    assert float(metric.result()) == 0
    metric.update_arrays(np.array([[True, False], [True, True]]))
    assert float(metric.result()) == 0.75


def test_state_is_found_in_attributes_lists_and_nested_metrics():
    class Nested(metrics.Metric):
        def __init__(self):
            super().__init__()
            self.inner = metrics.Mean()
            self.several = [metrics.Sum(), {"x": metrics.Sum()}]
            self.own = Variable(np.float32(3), name="own")
            self.again = self.inner

    nested = Nested()
    assert [v.name for v in nested.variables] == ["own", "total", "count", "total", "total"]
    nested.inner.update_state([1.0])
    nested.reset_state()
    assert all(float(v) == 0 for v in nested.variables)


def test_names_and_paths():
    metric = metrics.Mean(name="a/b")
    assert metric.name == "a/b" and metric.total.path == "a>b/total"
    assert not metric.total.trainable
    assert repr(metric) == "<Mean name=a/b>"


def test_a_subclass_must_call_super():
    class Hasty(metrics.Metric):
        def __init__(self):
            self.add_variable(())

    with pytest.raises(RuntimeError, match="super"):
        Hasty()
    with pytest.raises(NotImplementedError, match="update_state"):
        metrics.Metric().update_state([1])
    with pytest.raises(NotImplementedError, match="result"):
        metrics.Metric().result()


def test_copies_have_their_own_state():
    metric = metrics.Precision()
    metric.update_state([1, 1], [0.9, 0.2])
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        twin.update_state([0], [0.9])
        assert float(twin.result()) == 0.5
    assert float(metric.result()) == 1


def test_unknown_names_list_near_ones():
    with pytest.raises(ValueError, match="BinaryAccuracy|binary_accuracy"):
        metrics.get("binary_acuracy")


@pytest.mark.parametrize(
    "metric",
    [
        metrics.BinaryAccuracy(),
        metrics.RootMeanSquaredError(),
        metrics.Precision(),
        metrics.AUC(),
        metrics.R2Score(),
        metrics.F1Score(),
        metrics.MeanIoU(2),
    ],
    ids=lambda metric: metric.name,
)
def test_unequal_numbers_of_samples(metric):
    with pytest.raises(ValueError, match="same number"):
        metric.update_state(np.zeros((4, 2)), np.zeros((3, 2)))


def test_weights_that_do_not_fit():
    for metric in (metrics.BinaryAccuracy(), metrics.Precision()):
        with pytest.raises(ValueError, match=r"shape.*3"):
            metric.update_state(np.zeros(4), np.zeros(4), np.ones(3))
    with pytest.raises(ValueError, match="ragged"):
        metrics.Mean().update_state([[1, 2], "x"])
    with pytest.raises(ValueError, match="one value for each"):
        metrics.Mean().stateless_result([1.0])


def test_labels_of_the_wrong_rank():
    for metric in (metrics.R2Score(), metrics.F1Score(), metrics.AUC(multi_label=True)):
        with pytest.raises(ValueError, match="shape"):
            metric.update_state(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))


def test_predictions_that_are_not_numbers_count_as_negative():
    metric = metrics.AUC()
    metric.update_state([1, 0, 1], np.array([np.nan, 0.2, 0.9], "float32"))
    assert np.isfinite(float(metric.result()))


def test_adjusted_score_of_few_samples_warns():
    metric = metrics.R2Score(num_regressors=5)
    metric.update_state([[1.0], [2.0]], [[1.0], [2.5]])
    with pytest.warns(UserWarning, match="regressors"):
        metric.result()


def test_float_weights_of_an_integer_count_warn():
    with pytest.warns(UserWarning, match="whole numbers"):
        metrics.MeanIoU(2).update_state([0, 1], [0, 1], np.array([0.5, 0.5]))


def test_cosine_similarity_keeps_its_axis():
    metric = metrics.CosineSimilarity(axis=1)
    assert metrics.deserialize(metrics.serialize(metric)).axis == 1


def test_channels_first_iou():
    labels = np.eye(3)[[0, 1, 2]].T[None]
    metric = metrics.OneHotIoU(3, [0, 1], axis=1)
    metric.update_state(labels, labels)
    assert round(float(metric.result()), 6) == 1


def test_a_variable_of_a_metric_begins_with_an_array():
    metric = metrics.Mean()
    start = np.arange(4).reshape(2, 2)
    variable = metric.add_variable(shape=(2, 2), initializer=start, dtype="int32", name="counts")
    np.testing.assert_array_equal(variable.numpy(), start)
