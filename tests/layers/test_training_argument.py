"""How `training` reaches `call`: by keyword, by position, or from the layer around it."""

import numpy as np
import pytest

import minikeras as keras

L = keras.layers
X = np.ones((2, 4), "float32")


class Told(L.Layer):
    """Returns 1 in training, 2 in inference, 3 where nobody said."""

    def call(self, x, training, mask=None):
        return x[:, :1] * 0 + {True: 1, False: 2, None: 3}[training]


class Around(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.dropout = Told(), L.Dropout(0.5)

    def call(self, x, training=False, mask=None):
        return self.inner(self.dropout(x, training), training, mask)


class Implicit(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Told()

    def call(self, x):
        return self.inner(x)


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [((), {}, 3), ((True,), {}, 1), ((False,), {}, 2), ((None,), {}, 3), ((), {"training": 1}, 1)],
)
def test_an_argument_without_a_default(arguments, options, expected):
    assert Told()(X, *arguments, **options).numpy().tolist() == [[expected]] * 2


@pytest.mark.parametrize(("arguments", "expected"), [((), 2), ((True,), 1), ((False, None), 2)])
def test_passed_on_by_position(arguments, expected):
    assert Around()(X, *arguments).numpy().tolist() == [[expected]] * 2


def test_the_layer_around_says_it():
    assert Implicit()(X, training=True).numpy().tolist() == [[1]] * 2


@pytest.mark.parametrize("layer", [L.Dropout(0.5), L.GaussianNoise(1.0), L.BatchNormalization()])
def test_built_in_layers_take_it_by_position(layer):
    assert np.array_equal(layer(X, False), layer(X, training=False))
    assert not np.array_equal(layer(X, True), X)


def test_symbolic_calls():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [Around()(inputs, True), Around()(inputs)])
    one, two = model.predict(X, verbose=0)
    assert one.tolist() == [[1]] * 2 and two.tolist() == [[2]] * 2


def test_a_model_that_is_only_its_train_step():
    class Wrapping(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                loss = keras.ops.mean((self.inner(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
            return {"loss": loss}

    inner = keras.Sequential([keras.Input((4,)), L.Dense(1)])
    model = Wrapping(inner)
    model.compile("sgd")
    losses = model.fit(X, X[:, :1] * 3, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_the_input_of_an_input_layer_is_its_tensor():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, L.Dense(1)(inputs))
    assert model.layers[0].input is inputs
    first = keras.backend.function([model.layers[0].input], [model.layers[1].output])
    np.testing.assert_allclose(first([X])[0], model.predict(X, verbose=0))
