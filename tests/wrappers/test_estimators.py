"""`SKLearnClassifier`, `SKLearnRegressor`, `SKLearnTransformer` in scikit-learn."""

import pickle
import sys

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone, is_classifier, is_regressor  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import minikeras as keras  # noqa: E402
from minikeras import layers, wrappers  # noqa: E402


def built(X, y, loss="mse", out=None, width=10):
    keras.utils.set_random_seed(1)  # two fits on the same data shall agree
    inputs = keras.Input((X.shape[1],))
    hidden = layers.Dense(width, "relu")(inputs)
    outputs = layers.Dense(1 if y.ndim == 1 else y.shape[1], out)(hidden)
    model = keras.Model(inputs, outputs)
    model.compile("rmsprop", loss)
    return model


class Build:
    """`built`, with a text that is the same in each process: names of tests are made of it."""

    def __call__(self, X, y, loss="mse", out=None, width=10):
        return built(X, y, loss, out, width)

    def __repr__(self):
        return "build"


build = Build()


def classifier(**options):
    return wrappers.SKLearnClassifier(
        build,
        model_kwargs={"loss": "categorical_crossentropy", "out": "softmax"},
        fit_kwargs={"epochs": 5, "verbose": 0, **options},
    )


def regressor(**options):
    return wrappers.SKLearnRegressor(build, fit_kwargs={"verbose": 0, **options})


def transformer(**options):
    return wrappers.SKLearnTransformer(build, fit_kwargs={"verbose": 0, **options})


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


EXPECTED = {
    "SKLearnClassifier": {
        "check_classifiers_one_label_sample_weights": "rows of weight 0 are rows of a batch",
        "check_classifiers_classes": "a few epochs do not find every class",
        "check_classifiers_train": "`decision_function` has a column per class, also of two",
    },
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@parametrize_with_checks(
    [classifier(), regressor(), transformer()],
    expected_failed_checks=lambda estimator: EXPECTED.get(type(estimator).__name__, {}),
    xfail_strict=False,
)
def test_estimator_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_labels_come_back(data):
    x, y = data
    labels = np.array(["no", "yes"])[y]
    model = classifier(epochs=60, batch_size=10).fit(x, labels)
    assert list(model.classes_) == ["no", "yes"]
    assert model.score(x, labels) > 0.8
    outputs = model.decision_function(x)
    np.testing.assert_array_equal(model.classes_[outputs.argmax(1)], model.predict(x))
    assert is_classifier(model) and is_regressor(regressor())


def test_targets_of_several_columns():
    x = np.random.default_rng(0).normal(size=(30, 4))
    model = regressor().fit(x, x[:, :2])
    assert model.predict(x).shape == (30, 2)
    assert regressor().fit(x, x[:, 0]).predict(x).shape == (30,)


def test_a_model_is_cloned_and_stays_as_it_is(data):
    x, y = data
    model = build(x, y[:, None])
    before = model.get_weights()
    estimator = wrappers.SKLearnRegressor(model, fit_kwargs={"verbose": 0}).fit(x, y)
    assert estimator.model_ is not model
    for weight, old in zip(model.get_weights(), before):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("made", [True, False])
def test_warm_start_goes_on_with_the_same_weights(data, made):
    x, y = data
    model = build(x, y[:, None]) if made else build
    estimator = wrappers.SKLearnRegressor(model, warm_start=True, fit_kwargs={"verbose": 0})
    first = estimator.fit(x, y).model_
    weights = first.get_weights()
    assert estimator.fit(x, y, epochs=0).model_ is first
    for weight, old in zip(first.get_weights(), weights):
        np.testing.assert_array_equal(weight, old)
    if made:
        assert first is model


def test_clones_keep_every_setting():
    estimator = classifier(batch_size=3)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    fit_kwargs = estimator.fit_kwargs.copy()
    x = np.eye(4)
    estimator.fit(x, [0, 1, 0, 1], epochs=1)
    assert estimator.fit_kwargs == fit_kwargs and estimator.epoch_ == 1 and copy.epoch_ == 0


def test_a_model_must_be_compiled(data):
    x, y = data
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    with pytest.raises(RuntimeError, match="compile"):
        wrappers.SKLearnRegressor(model).fit(x, y)
    with pytest.raises(NotFittedError):
        regressor().predict(x)


def test_one_class_or_none_at_all(data):
    x, _ = data
    with pytest.raises(ValueError, match="one class"):
        classifier().fit(x, np.ones(60, int))
    with pytest.raises(ValueError, match="binary and multiclass"):
        classifier().fit(x, x[:, 0])


def test_pipelines_and_searches(data):
    x, y = data
    pipeline = make_pipeline(StandardScaler(), classifier())
    assert cross_val_score(pipeline, x, y, cv=3).shape == (3,)
    assert cross_val_predict(classifier(), x, y, cv=3).shape == (60,)
    search = GridSearchCV(classifier(), {"fit_kwargs": [{"epochs": 1, "verbose": 0}]}, cv=2)
    assert search.fit(x, y).best_estimator_.epoch_ == 1
    features = make_pipeline(transformer(), LogisticRegression()).fit(x, y)
    assert features.predict(x).shape == (60,)


def test_fitted_estimators_can_be_pickled(data):
    x, y = data
    model = classifier().fit(x, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.decision_function(x), model.decision_function(x))


def test_metadata_requests():
    with pytest.raises(RuntimeError, match="enable_metadata_routing"):
        regressor().set_fit_request(sample_weight=True)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = regressor().set_fit_request(sample_weight="weights")
        assert estimator.get_metadata_routing().fit.requests == {"sample_weight": "weights"}


def test_without_scikit_learn_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in wrappers.__all__:
        monkeypatch.delitem(vars(wrappers), name, raising=False)
        with pytest.raises(ImportError, match=r"minikeras\[sklearn\]"):
            getattr(wrappers, name)
    with pytest.raises(AttributeError):
        _ = wrappers.nonsense
