"""A variational autoencoder: sampling in a layer, the divergence by add_loss."""

import os
import sys

import numpy as np

from minikeras.datasets import digits

if "--keras" in sys.argv:
    import keras
    from keras import layers, ops
else:
    import minikeras as keras
    from minikeras import layers, ops

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
keras.utils.set_random_seed(1)

(x_train, _), (x_test, _) = digits.load_data()
x_train, x_test = (x.reshape(-1, 64).astype("float32") / 16 for x in (x_train, x_test))
if SMALL:
    x_train = x_train[:128]


class Sampling(layers.Layer):
    """Draws a code from the normal distribution that the encoder describes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs, training=None):
        mean, log_variance = inputs
        divergence = 1 + log_variance - ops.square(mean) - ops.exp(log_variance)
        self.add_loss(-0.5 * ops.mean(ops.sum(divergence, axis=-1)))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


pixels = keras.Input((64,))
hidden = layers.Dense(48, activation="relu")(pixels)
mean, log_variance = layers.Dense(2, name="mean")(hidden), layers.Dense(2, name="log_var")(hidden)
code = Sampling()([mean, log_variance])
decoder = keras.Sequential(
    [keras.Input((2,)), layers.Dense(48, activation="relu"), layers.Dense(64, activation="sigmoid")]
)
vae = keras.Model(pixels, decoder(code))


def reconstruction(y_true, y_pred):
    y_pred = ops.clip(y_pred, 1e-6, 1 - 1e-6)
    return -ops.sum(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred), axis=-1)


vae.compile(keras.optimizers.Adam(0.005), reconstruction)
vae.fit(x_train, x_train, epochs=3 if SMALL else 30, batch_size=64, verbose=2)

corners = np.array([[-1.5, -1.5], [1.5, 1.5]], "float32")
for image in decoder.predict(corners, verbose=0):
    for line in image.reshape(8, 8):
        print("  " + "".join(" .:-=+*#%@"[int(9 * pixel)] * 2 for pixel in line))
    print()
