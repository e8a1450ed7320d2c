"""`KerasClassifier` and `KerasRegressor` as tutorials use them, in today's scikit-learn."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import dialects, layers
from minikeras.wrappers.scikit_learn import KerasClassifier, KerasRegressor


@pytest.fixture(autouse=True)
def silent():
    dialects.silence()
    yield
    dialects.silence(False)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


def binary(width=8, optimizer="adam"):
    model = keras.Sequential()
    model.add(layers.Dense(width, activation="relu", input_dim=4))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def several(metrics=("accuracy",), loss="categorical_crossentropy", classes=3):
    model = keras.Sequential([layers.Dense(classes, activation="softmax", input_dim=4)])
    model.compile("adam", loss, metrics=list(metrics))
    return model


def linear():
    model = keras.Sequential([layers.Dense(1, input_dim=4)])
    model.compile("sgd", "mse")
    return model


def test_a_binary_classifier(data):
    x, y = data
    classifier = KerasClassifier(build_fn=binary, width=6, epochs=40, batch_size=5, verbose=0)
    history = classifier.fit(x, y)
    assert len(history.history["loss"]) == 40
    assert classifier.model.layers[0].units == 6
    assert classifier.predict(x).shape == (60, 1)
    proba = classifier.predict_proba(x)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(classifier.predict(x)[:, 0], proba.argmax(1))
    accuracy = np.mean(proba.argmax(1) == y)
    assert accuracy > 0.8 and classifier.score(x, y) == pytest.approx(accuracy)


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", keras.losses.categorical_crossentropy]
)
def test_labels_become_one_hot(data, loss):
    x, y = data
    labels = np.array(["a", "b", "c"])[y + (x[:, 2] > 1)]
    classifier = KerasClassifier(several, loss=loss, epochs=2, verbose=0)
    classifier.fit(x, labels)
    assert list(classifier.classes_) == ["a", "b", "c"] and classifier.n_classes_ == 3
    assert set(classifier.predict(x)) <= {"a", "b", "c"}
    expected = np.mean(classifier.predict(x) == labels)
    assert classifier.score(x, labels) == pytest.approx(expected)
    assert classifier.score(x[:5], labels[:5]) >= 0  # not every class is there


def test_one_hot_labels(data):
    x, y = data
    classifier = KerasClassifier(several, classes=2, epochs=1, verbose=0)
    classifier.fit(x, np.eye(2)[y])
    assert list(classifier.classes_) == [0, 1]
    assert 0 <= classifier.score(x, np.eye(2)[y]) <= 1
    with pytest.raises(ValueError, match="shape"):
        classifier.fit(x, np.zeros((60, 2, 2)))


def test_accuracy_must_be_compiled(data):
    x, y = data
    classifier = KerasClassifier(several, metrics=(), verbose=0)
    classifier.fit(x, y + (x[:, 2] > 1))
    with pytest.raises(ValueError, match="accuracy"):
        classifier.score(x, y)


def test_a_regressor(data):
    x, _ = data
    regressor = KerasRegressor(build_fn=linear, epochs=30, batch_size=5, verbose=0)
    regressor.fit(x, x.sum(1))
    assert regressor.predict(x).shape == (60,)
    loss = regressor.model.evaluate(x, x.sum(1), batch_size=5, verbose=0)
    assert regressor.score(x, x.sum(1)) == pytest.approx(-loss)


def test_settings():
    wrapper = KerasClassifier(binary, width=3, epochs=2)
    assert wrapper.get_params() == {"build_fn": binary, "width": 3, "epochs": 2}
    assert wrapper.set_params(batch_size=7) is wrapper
    assert wrapper.filter_sk_params(binary) == {"width": 3}
    fit = wrapper.filter_sk_params(keras.Model.fit, {"epochs": 9})
    assert fit == {"epochs": 9, "batch_size": 7}
    with pytest.raises(ValueError, match="'nonsense' is not a legal parameter"):
        KerasClassifier(binary, nonsense=1)
    with pytest.raises(ValueError, match="legal"):
        wrapper.set_params(nonsense=1)
    with pytest.raises(ValueError, match="build_fn"):
        KerasClassifier()


def test_the_words_of_keras_1(data):
    x, y = data
    wrapper = KerasClassifier(build_fn=binary, nb_epoch=3, batch_size=20, verbose=0)
    assert len(wrapper.fit(x, y).epoch) == 3


def test_builders_of_other_kinds(data):
    x, y = data

    class Builder:
        def __call__(self, width=2):
            return binary(width)

        def method(self, width=2):
            return binary(width)

    class Own(KerasClassifier):
        def __call__(self, width=2):
            return binary(width)

    for wrapper in (
        KerasClassifier(Builder(), width=5, verbose=0),
        KerasClassifier(Builder().method, width=5, verbose=0),
        Own(width=5, verbose=0),
    ):
        wrapper.fit(x, y)
        assert wrapper.model.layers[0].units == 5


def test_callbacks_are_copied(data):
    x, y = data
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=10)
    wrapper = KerasClassifier(binary, epochs=5, callbacks=[stop], verbose=0)
    assert len(wrapper.fit(x, y).epoch) == len(wrapper.fit(x, y).epoch) == 2
    assert stop.stopped_epoch == 0


class TestInScikitLearn:
    @pytest.fixture(autouse=True)
    def need(self):
        pytest.importorskip("sklearn")

    def test_clone(self):
        from sklearn.base import clone, is_classifier, is_regressor

        stop = keras.callbacks.EarlyStopping(monitor="loss")
        wrapper = KerasClassifier(binary, epochs=5, callbacks=[stop])
        assert clone(wrapper).get_params()["epochs"] == 5
        assert is_classifier(wrapper) and not is_regressor(wrapper)
        assert is_regressor(KerasRegressor(linear))

    def test_searches(self, data):
        from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

        x, y = data
        grid = {"width": [2, 3], "epochs": [1, 2], "optimizer": ["adam", "sgd"]}
        search = GridSearchCV(KerasClassifier(build_fn=binary, verbose=0), grid, cv=2)
        found = search.fit(x, y)
        assert len(found.cv_results_["mean_test_score"]) == 8
        assert np.isfinite(found.cv_results_["mean_test_score"]).all()
        assert found.best_estimator_.model.layers[0].units == found.best_params_["width"]
        assert found.score(x, y) == found.best_estimator_.score(x, y)
        chosen = RandomizedSearchCV(
            KerasRegressor(linear, verbose=0), {"batch_size": [5, 10], "epochs": [1, 2]}, n_iter=2
        ).fit(x, y)
        assert chosen.best_score_ < 0

    def test_cross_validation_and_pipelines(self, data):
        from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        x, y = data
        wrapper = KerasClassifier(build_fn=binary, epochs=5, batch_size=5, verbose=0)
        pipeline = Pipeline([("scale", StandardScaler()), ("mlp", wrapper)])
        folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=7)
        scores = cross_val_score(pipeline, x, y, cv=folds)
        assert scores.shape == (3,) and (scores > 0).all()
        accuracies = cross_val_score(wrapper, x, y, cv=folds, scoring="accuracy")
        assert ((0 <= accuracies) & (accuracies <= 1)).all()
        pipeline.fit(x, y, mlp__epochs=2)
        assert len(wrapper.model.history.epoch) == 2
        assert pipeline.predict(x).shape == (60, 1) and pipeline.predict_proba(x).shape == (60, 2)
        regressor = KerasRegressor(build_fn=linear, epochs=5, verbose=0)
        errors = cross_val_score(regressor, x, x.sum(1), cv=KFold(3))
        assert (errors < 0).all()
        squares = cross_val_score(regressor, x, x.sum(1), scoring="neg_mean_squared_error", cv=3)
        assert (squares < 0).all()

    def test_meta_estimators(self, data):
        from sklearn.ensemble import BaggingClassifier
        from sklearn.metrics import classification_report, confusion_matrix
        from sklearn.model_selection import cross_val_predict

        x, y = data
        wrapper = KerasClassifier(several, classes=2, epochs=1, verbose=0)
        predicted = cross_val_predict(wrapper, x, y, cv=3)
        assert confusion_matrix(y, predicted).sum() == 60
        assert "precision" in classification_report(y, predicted, zero_division=0)
        assert BaggingClassifier(wrapper, n_estimators=2).fit(x, y).predict(x).shape == (60,)
