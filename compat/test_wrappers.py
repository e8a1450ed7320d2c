"""The scikit-learn estimators, from equal weights, beside those of Keras."""

import inspect

import keras
import numpy as np
import pytest
from sklearn.base import clone

import minikeras

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
LABELS = np.array(["a", "b", "c"])[RNG.integers(0, 3, 40)]
FIT = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0}


def builder(package, loss, activation):
    def build(X, y):
        width = y.shape[1]
        model = package.Sequential(
            [package.Input((X.shape[1],)), package.layers.Dense(width, activation)]
        )
        kernel = np.linspace(-1, 1, X.shape[1] * width).reshape(X.shape[1], width)
        model.set_weights([kernel, np.zeros(width)])
        model.compile(package.optimizers.SGD(0.1), loss)
        return model

    return build


def both(name, loss, activation=None, **options):
    return [
        getattr(package.wrappers, name)(
            builder(package, loss, activation), fit_kwargs=dict(FIT), **options
        )
        for package in (minikeras, keras)
    ]


def test_public_names_and_signatures():
    names = [name for name in dir(keras.wrappers) if name.startswith("SKLearn")]
    assert set(names) == set(minikeras.wrappers.__all__)
    for name in names:
        mine, theirs = (getattr(package.wrappers, name) for package in (minikeras, keras))
        wanted = inspect.signature(theirs).parameters
        found = inspect.signature(mine).parameters
        assert [(p.name, p.default) for p in found.values()] == [
            (p.name, p.default) for p in wanted.values()
        ]
        public = {each for each in dir(theirs) if not each.startswith("_")}
        assert public <= set(dir(mine))


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_classifiers(shape):
    y = LABELS.reshape(shape)
    ours, theirs = both("SKLearnClassifier", "categorical_crossentropy", "softmax")
    for one in (ours, theirs):
        one.fit(X, y)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_allclose(
        ours.decision_function(X), theirs.decision_function(X), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y) == theirs.score(X, y)


def test_regressors():
    ours, theirs = both("SKLearnRegressor", "mse")
    y = X @ [1.0, 2.0, 3.0]
    for one in (ours, theirs):
        one.fit(X, y, epochs=5)
    found = theirs.predict(X)
    assert ours.predict(X).shape == found.shape
    np.testing.assert_allclose(ours.predict(X), found, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.score(X, y), theirs.score(X, y), rtol=1e-4)
    np.testing.assert_allclose(
        ours.history_.history["loss"], theirs.history_.history["loss"], rtol=1e-5
    )


def test_transformers():
    ours, theirs = both("SKLearnTransformer", "mse")
    found = [one.fit_transform(X, X[:, 0]) for one in (ours, theirs)]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)


def test_settings():
    for one in both("SKLearnRegressor", "mse", warm_start=True, model_kwargs={"a": 1}):
        assert clone(one).get_params(deep=False).keys() == one.get_params(deep=False).keys()
        assert clone(one).warm_start and clone(one).model_kwargs == {"a": 1}
    tags = [one.__sklearn_tags__() for one in both("SKLearnClassifier", "mse")]
    assert str(tags[0]) == str(tags[1])


@pytest.mark.parametrize("y", [np.ones(40, int), X[:, 0]], ids=["one class", "numbers"])
def test_errors(y):
    errors = []
    for one in both("SKLearnClassifier", "categorical_crossentropy"):
        with pytest.raises(ValueError) as error:
            one.fit(X, y)
        errors.append(str(error.value).strip())
    assert errors[0] == errors[1]
