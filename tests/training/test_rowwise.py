"""Which models may have several batches predicted as one, and that nobody can tell."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops
from minikeras.training import programs

X = np.random.default_rng(0).normal(size=(100, 6)).astype("float32")


def dense(**options):
    return keras.Sequential([keras.Input((6,)), layers.Dense(4, **options)])


def functional(call):
    inputs = keras.Input((6,))
    return keras.Model(inputs, call(inputs))


class Centred(layers.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=0)


class Copy(layers.Dense):
    pass


def stateful():
    return keras.Sequential(
        [keras.Input((3, 2), batch_size=2), layers.LSTM(2, stateful=True), layers.Dense(1)]
    )


def recurrent():
    return keras.Sequential([keras.Input((3, 2)), layers.Bidirectional(layers.GRU(2))])


ALONE = {
    "dense": dense,
    "relu": lambda: dense(activation="relu"),
    "recurrent": recurrent,
    "nested": lambda: keras.Sequential([keras.Input((6,)), dense(), layers.Dropout(0.5)]),
    "residual": lambda: functional(lambda x: layers.Add()([x, layers.Dense(6)(x)])),
}
TOGETHER = {
    "own activation": lambda: dense(activation=lambda x: x - ops.mean(x, axis=0)),
    "lambda": lambda: keras.Sequential([keras.Input((6,)), layers.Lambda(lambda x: x)]),
    "own layer": lambda: keras.Sequential([keras.Input((6,)), Centred()]),
    "subclass": lambda: keras.Sequential([keras.Input((6,)), Copy(3)]),
    "stateful": stateful,
    "dropout at inference": lambda: functional(lambda x: layers.Dropout(0.5)(x, training=True)),
    "operation": lambda: functional(lambda x: x - ops.mean(x, axis=0, keepdims=True)),
    "axis of the batch": lambda: keras.Sequential(
        [keras.Input((6,)), layers.UnitNormalization(axis=0)]
    ),
    "softmax over the batch": lambda: functional(lambda x: layers.Softmax(axis=0)(x)),
}


@pytest.mark.parametrize("name", ALONE)
def test_rows_alone(name):
    assert programs.rows_alone(ALONE[name]())


@pytest.mark.parametrize("name", TOGETHER)
def test_rows_together(name):
    assert not programs.rows_alone(TOGETHER[name]())


def test_same_predictions(monkeypatch):
    model = dense(activation="softmax")
    seen = []
    program = model._get_program()
    forward = type(program).forward
    monkeypatch.setattr(
        type(program), "forward", lambda self, run, x: seen.append(len(x)) or forward(self, run, x)
    )
    together = model.predict(X, verbose=0)
    assert seen == [96, 4]
    # A size that is asked for is kept to.
    apart = model.predict(X, batch_size=32, verbose=0)
    assert seen[2:] == [32, 32, 32, 4]
    np.testing.assert_allclose(together, apart, rtol=1e-6)  # sums in another order


def test_batches_are_seen_by_callbacks_and_by_layers_that_look_at_them():
    class Sizes(keras.callbacks.Callback):
        sizes: list

        def on_predict_begin(self, logs=None):
            self.sizes = []

        def on_predict_batch_end(self, batch, logs=None):
            self.sizes.append((batch, len(logs["outputs"])))

    callback = Sizes()
    dense().predict(X, batch_size=40, verbose=0, callbacks=[callback])
    assert callback.sizes == [(0, 40), (1, 40), (2, 20)]
    centred = keras.Sequential([keras.Input((6,)), Centred()])
    found = centred.predict(X, batch_size=50, verbose=0)
    np.testing.assert_allclose(found[:50].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found[50:].mean(0), 0, atol=1e-6)


def test_progress_bar_counts_keras_batches(capsys):
    dense().predict(X, verbose=2)
    assert "4/4" in capsys.readouterr().out
