"""Models that share layers and an optimizer, and are frozen in turn: GANs of Keras 1 and 2."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers

REAL = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
NOISE = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")
ONES = np.ones((8, 1), "float32")


def adversaries(first, second):
    image = keras.Input((4,))
    judge = keras.Model(image, layers.Dense(1, activation="sigmoid", name="judge")(image))
    judge.compile(first, "binary_crossentropy", metrics=["accuracy"])
    forge = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    judge.trainable = False
    noise = keras.Input((2,))
    both = keras.Model(noise, judge(forge(noise)))
    both.compile(second, "binary_crossentropy")
    return judge, forge, both


def changed(model, act):
    before = model.get_weights()
    act()
    return any((one != other).any() for one, other in zip(before, model.get_weights()))


@pytest.mark.parametrize("shared", [True, False])
def test_what_compile_saw_is_trained(shared):
    optimizer = keras.optimizers.Adam(0.01)
    judge, forge, both = adversaries(optimizer, optimizer if shared else "adam")
    for _ in range(3):
        assert changed(judge, lambda: judge.train_on_batch(REAL, ONES))
        assert not judge.trainable_weights
        before = judge.get_weights()
        assert changed(forge, lambda: both.train_on_batch(NOISE, ONES))
        for one, other in zip(before, judge.get_weights()):
            np.testing.assert_array_equal(one, other)
    assert changed(judge, lambda: judge.fit(REAL, ONES, verbose=0))
    assert int(optimizer.iterations) == (7 if shared else 4)


def test_a_shared_optimizer_has_one_rate_and_one_count():
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9)
    judge, forge, both = adversaries(optimizer, optimizer)
    judge.train_on_batch(REAL, ONES)
    both.train_on_batch(NOISE, ONES)
    assert both.optimizer is not optimizer and int(both.optimizer.iterations) == 2
    optimizer.learning_rate = 0.0
    assert float(both.optimizer.learning_rate) == 0.0
    both.fit(NOISE, ONES, verbose=0)
    assert int(optimizer.iterations) == 3
    # Slots are those of its own variables.
    shapes = {tuple(one.shape) for one in both.optimizer.variables if one.shape}
    assert shapes == {(2, 4), (4,)}


def test_a_model_on_the_same_layers_keeps_the_optimizer():
    x = keras.Input((4,))
    layer = layers.Dense(1)
    optimizer = keras.optimizers.Adam()
    first, second = keras.Model(x, layer(x)), keras.Model(x, layer(x))
    for model in (first, second):
        model.compile(optimizer, "mse")
        model.train_on_batch(REAL, ONES)
    assert second.optimizer is optimizer and int(optimizer.iterations) == 2


def test_frozen_before_compile_stays():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.trainable = False
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        assert not changed(model, lambda: model.train_on_batch(REAL, ONES))


def test_unfrozen_after_the_first_step_is_an_error():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    model.train_on_batch(REAL, ONES)
    model.layers[0].trainable = True
    with pytest.raises(ValueError, match="Call `compile\\(\\)` again"):
        model.train_on_batch(REAL, ONES)
