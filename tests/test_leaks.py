"""Predicting and training in a loop leave no memory behind."""

import gc

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers


def resident() -> int:
    """Resident memory in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.fixture(autouse=True)
def linux_only():
    try:
        resident()
    except OSError:
        pytest.skip("resident memory is read from /proc")


def grown(work, times, warm_up=10):
    """Bytes by which `times` calls of `work` let the process grow, once it is warm."""
    for _ in range(warm_up):
        work()
    gc.collect()
    before = resident()
    for _ in range(times):
        work()
    gc.collect()
    return resident() - before


def stack():
    return keras.Sequential(
        [keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(4)]
    )


def branches():
    a, b = keras.Input((16,), name="a"), keras.Input((16,), name="b")
    shared = layers.Dense(8)
    return keras.Model([a, b], layers.Dense(4)(layers.add([shared(a), shared(b)])))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(8, activation="tanh"), layers.Dense(4)

    def call(self, x):
        h = self.hidden(x)
        self.add_loss(0.01 * keras.ops.mean(h * h))
        return self.out(h)


X = np.random.default_rng(0).normal(size=(64, 16)).astype("float32")
Y = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
CASES = {"stack": (stack, X), "branches": (branches, [X, X]), "subclassed": (Subclassed, X)}
# A leak of one batch of inputs a call would be 8 MB in 2,000 calls; the allocator may take a few
# hundred KB more at any time.
LIMIT = 5e6


@pytest.mark.parametrize("name", CASES)
def test_predict(name):
    make, x = CASES[name]
    model = make()
    rows = [part[:20] for part in x] if isinstance(x, list) else x[:20]

    def work():
        model.predict(rows, verbose=0)
        model.predict(x, batch_size=40, verbose=0)

    assert grown(work, 1000) < LIMIT


@pytest.mark.parametrize("name", CASES)
def test_fit(name):
    make, x = CASES[name]
    model = make()
    model.compile("adam", "mse", metrics=["mae"])
    options = {"validation_data": (x, Y), "verbose": 0}
    assert grown(lambda: model.fit(x, Y, **options), 200) < LIMIT


def test_train_on_batch_evaluate_and_call():
    model = stack()
    model.compile("adam", "mse")

    def work():
        model.train_on_batch(X, Y)
        model.evaluate(X, Y, verbose=0)
        model(X)

    assert grown(work, 500) < LIMIT


def test_tapes():
    model = stack()
    optimizer = keras.optimizers.SGD()

    def work():
        with keras.GradientTape() as tape:
            loss = keras.ops.mean(model(X, training=True) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    assert grown(work, 500) < LIMIT


def test_models_that_are_dropped_are_freed():
    def work():
        model = keras.Sequential([keras.Input((100,)), layers.Dense(1000), layers.Dense(4)])
        model.compile("adam", "mse")
        model.fit(np.ones((4, 100), "float32"), np.ones((4, 4), "float32"), verbose=0)
        keras.utils.clear_session()
        gc.collect()

    # 40 models with the slots of Adam hold 50 MB.
    assert grown(work, 40, warm_up=4) < LIMIT
