"""Losses of several outputs together, and of parts of nested outputs."""

from collections import namedtuple

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
A, B, C = (RNG.normal(size=(8, 1)).astype("float32") for _ in range(3))
Pair = namedtuple("Pair", ["first", "second"])


def heads(pack, names="ab"):
    x = keras.Input((3,))
    made = [layers.Dense(1, name=name, kernel_initializer="ones")(x) for name in names]
    return keras.Model(x, pack(made))


def distance(y_true, y_pred):
    """How far the two predictions lie apart, against the targets."""
    first, second = y_pred
    return ops.mean(ops.square(first - second - (y_true[0] - y_true[1])), axis=-1)


def evaluate(model, y, **options):
    model.compile("sgd", **options)
    return model.evaluate(X, y, return_dict=True, verbose=0)


def test_a_loss_of_two_outputs_beside_one_each():
    logs = evaluate(
        heads(tuple), (A, B), loss=[distance, ("mse", "mae")], loss_weights=[3.0, (1.0, 0.5)]
    )
    ones = X.sum(1, keepdims=True)
    expected = {
        "a_b_loss": np.mean((A - B) ** 2),
        "a_loss": np.mean((ones - A) ** 2),
        "b_loss": np.mean(np.abs(ones - B)),
    }
    expected["loss"] = 3 * expected["a_b_loss"] + expected["a_loss"] + 0.5 * expected["b_loss"]
    assert set(logs) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5, err_msg=name)


def test_structures_reach_the_function_as_they_are():
    seen = []

    def loss(y_true, y_pred):
        seen.append((type(y_true), type(y_pred)))
        return ops.mean(y_pred.first - y_true.second, axis=-1)

    logs = evaluate(heads(lambda made: Pair(*made)), Pair(A, B), loss=[loss, Pair("mse", None)])
    assert set(logs) == {"loss", "a_b_loss", "a_loss"}
    assert set(seen) == {(Pair, Pair)}


def test_the_gradient_of_a_joint_loss_is_that_of_its_sum():
    together, apart = heads(tuple), heads(tuple)

    def both(y_true, y_pred):
        return sum(ops.mean(ops.square(p - t), axis=-1) for t, p in zip(y_true, y_pred))

    together.compile(keras.optimizers.SGD(0.1), loss=[both])
    apart.compile(keras.optimizers.SGD(0.1), loss=("mse", "mse"))
    for model in (together, apart):
        model.fit(X, (A, B), sample_weight=np.arange(8.0), batch_size=4, shuffle=False, verbose=0)
    for one, other in zip(together.get_weights(), apart.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_paths_of_nested_dicts():
    model = heads(lambda made: {"pair": (made[0], made[1]), "one": made[2]}, "abc")
    y = {"pair": (A, B), "one": C}
    logs = evaluate(model, y, loss={"pair": [distance, (None, "mse")], "one": "mae"})
    assert set(logs) == {"loss", "pair_loss", "pair/b_loss", "one_loss"}


def test_what_does_not_fit_is_named():
    model = heads(lambda made: {"pair": (made[0], made[1]), "one": made[2]}, "abc")
    y = {"pair": (A, B), "one": C}
    with pytest.raises(KeyError, match="'pair', 'left'"):
        evaluate(model, y, loss={"pair": {"left": "mse"}, "one": "mse"})
    with pytest.raises(ValueError, match="`loss_weights` must match the number of losses, got 2"):
        evaluate(heads(tuple), (A, B), loss=[distance, distance], loss_weights=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="takes one `sample_weight`"):
        model = heads(tuple)
        model.compile("sgd", loss=[distance])
        model.fit(X, (A, B), sample_weight=(np.ones(8), np.zeros(8)), verbose=0)
    with pytest.raises(ValueError, match="1 entries for a model with 2 outputs"):
        evaluate(heads(tuple), (A, B), loss=["mse"])


def test_predictions_by_the_names_of_outputs():
    inputs = keras.Input((2,))
    outputs = [keras.layers.Dense(1, name=name)(inputs) for name in ("b", "a")]
    model = keras.Model(inputs, outputs)
    model.compile(loss=["mse", "mae"], metrics=[["mse"], ["mae"]])
    model.evaluate(np.ones((3, 2)), [np.ones((3, 1))] * 2, verbose=0)
    model.reset_metrics()
    targets = {name: np.zeros((3, 1)) for name in "ab"}
    predictions = {"a": np.full((3, 1), 3.0), "b": np.full((3, 1), 2.0)}
    loss = model.compute_loss(y=targets, y_pred=predictions)
    np.testing.assert_allclose(loss, 2.0**2 + 3.0)
    results = model.compute_metrics(None, targets, predictions)
    assert (results["b_mse"], results["a_mae"]) == (4.0, 3.0)
