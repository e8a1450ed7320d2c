"""A script of Keras 1 trains to the losses of its translation."""

import numpy as np
import pytest

import minikeras
from minikeras import dialects


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def test_convolutional_network_of_keras_1():
    from minikeras.layers.convolutional import Convolution2D, MaxPooling2D
    from minikeras.layers.core import Activation, Dense, Dropout, Flatten
    from minikeras.utils import np_utils

    x = np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")
    y = np_utils.to_categorical(np.arange(16) % 3, nb_classes=3)
    minikeras.utils.set_random_seed(3)
    model = minikeras.models.Sequential()
    model.add(Convolution2D(4, 3, 3, border_mode="same", input_shape=(8, 8, 1), init="he_normal"))
    model.add(Activation("relu"))
    model.add(MaxPooling2D(pool_size=(2, 2), border_mode="valid"))
    model.add(Flatten())
    model.add(Dropout(p=0.0))
    model.add(Dense(output_dim=3, init="uniform", W_regularizer="l2", activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    old = model.fit(x, y, nb_epoch=2, batch_size=4, verbose=0, shuffle=False)

    minikeras.utils.set_random_seed(3)
    layers = minikeras.layers
    today = minikeras.Sequential(
        [
            minikeras.Input((8, 8, 1)),
            layers.Conv2D(4, (3, 3), padding="same", kernel_initializer="he_normal"),
            layers.ReLU(),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dropout(0.0),
            layers.Dense(
                3, "softmax", kernel_initializer="random_uniform", kernel_regularizer="l2"
            ),
        ]
    )
    today.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    new = today.fit(x, y, epochs=2, batch_size=4, verbose=0, shuffle=False)
    # The same seeds, weights and batches.
    np.testing.assert_allclose(old.history["loss"], new.history["loss"], rtol=1e-5)
    assert old.history["acc"] == new.history["accuracy"]


def test_own_layer_of_keras_1():
    from minikeras.engine.topology import Layer

    from minikeras import backend as K

    class Scale(Layer):
        def __init__(self, output_dim, **kwargs):
            self.output_dim = output_dim
            super().__init__(**kwargs)

        def build(self, input_shape):
            self.W = self.add_weight(
                shape=(input_shape[1], self.output_dim), initializer="uniform", trainable=True
            )
            super().build(input_shape)

        def call(self, x, mask=None):
            return K.dot(x, self.W)

        def get_output_shape_for(self, input_shape):
            return (input_shape[0], self.output_dim)

    model = minikeras.Sequential([Scale(2, input_dim=3)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), nb_epoch=1, verbose=0)
    assert model.output_shape == (None, 2)
