"""Losses and metrics of Keras 1 and 2 that use tensors of the model besides their arguments."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import backend as K

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.random((60, 5)).astype("float32")


def network(seed=7):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5,))
    mean = L.Dense(2, name="mean")(inputs)
    spread = L.Dense(2, name="spread")(inputs)
    outputs = L.Dense(5, activation="sigmoid", name="decoded")(
        L.Add()([mean, L.Activation("tanh")(spread)])
    )
    return inputs, mean, spread, outputs


def penalty(mean, spread):
    return 0.5 * K.sum(K.square(mean) + K.exp(spread) - spread - 1, axis=-1)


def reference():
    """The same loss as outputs of a model with a second output, which is the penalty."""
    inputs, mean, spread, outputs = network()
    model = keras.Model(inputs, [outputs, L.Lambda(lambda both: penalty(*both))([mean, spread])])
    model.compile("sgd", loss=["binary_crossentropy", lambda y, p: p])
    return model


def trained(model, targets, **options):
    history = model.fit(
        X, targets, batch_size=16, epochs=3, shuffle=False, verbose=0, **options
    ).history
    return history, model.get_weights()


def assert_same(found, expected):
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(found[0][name], expected[0][name], rtol=1e-5, err_msg=name)
    for one, other in zip(found[1], expected[1]):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def expected():
    none = np.zeros(len(X), "float32")
    return trained(reference(), [X, none], validation_data=(X, [X, none]))


def closure(mean, spread):
    def bound(y_true, y_pred):
        return keras.losses.binary_crossentropy(y_true, y_pred) + penalty(mean, spread)

    return bound


def through_a_helper(mean, spread):
    def latent():
        return penalty(mean, spread)

    def loss(y_true, y_pred):
        return K.mean(K.binary_crossentropy(y_true, y_pred), axis=-1) + latent()

    return loss


class AsObject(keras.losses.Loss):
    def __init__(self, mean, spread):
        super().__init__()
        self.tensors = [mean, spread]

    def call(self, y_true, y_pred):
        return keras.losses.binary_crossentropy(y_true, y_pred) + penalty(*self.tensors)


@pytest.mark.parametrize("make", [closure, through_a_helper, AsObject])
def test_a_loss_that_uses_the_model(expected, make):
    inputs, mean, spread, outputs = network()
    model = keras.Model(inputs, outputs)
    model.compile("sgd", make(mean, spread))
    assert_same(trained(model, X, validation_data=(X, X)), expected)
    loss, total = model.train_on_batch(X, X), model.test_on_batch(X, X)
    assert np.isfinite([loss, total]).all()


def test_a_tensor_added_to_the_loss(expected):
    inputs, mean, spread, outputs = network()
    model = keras.Model(inputs, outputs)
    model.add_loss(
        K.mean(keras.losses.binary_crossentropy(inputs, outputs) + penalty(mean, spread))
    )
    model.compile("sgd")
    assert_same(trained(model, None, validation_data=(X, None)), expected)


def test_added_beside_a_compiled_loss(expected):
    inputs, mean, spread, outputs = network()
    model = keras.Model(inputs, outputs)
    model.add_loss(K.mean(penalty(mean, spread)))
    model.add_metric(penalty(mean, spread), name="latent", aggregation="mean")
    model.compile("sgd", "binary_crossentropy", metrics=[closure(mean, spread)])
    found = trained(model, X, validation_data=(X, X))
    assert_same(found, expected)
    history = found[0]
    np.testing.assert_allclose(history["val_loss"], history["val_bound"], rtol=1e-5)
    assert set(history) == {
        prefix + name for prefix in ("", "val_") for name in ("loss", "latent", "bound")
    }
    assert 0 < history["val_latent"][-1] < history["val_loss"][-1]


def test_sample_weights_weigh_it():
    inputs, mean, spread, outputs = network()
    model = keras.Model(inputs, outputs)
    model.compile("sgd", closure(mean, spread))
    before = model.get_weights()
    model.fit(X, X, sample_weight=np.zeros(len(X)), verbose=0)
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_only_symbolic_tensors_are_metrics_of_the_graph():
    inputs, _, _, outputs = network()
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="tensor of the model"):
        model.add_metric(3.0, name="three")
    with pytest.raises(ValueError, match="aggregation"):
        model.add_metric(outputs, name="sum", aggregation="sum")
