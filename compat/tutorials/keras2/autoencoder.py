"""`autoencoder.py` as it was written for Keras 2."""

import os
import sys

from minikeras.datasets import digits

if "--keras" in sys.argv:
    import tf_keras as keras
else:
    import minikeras as keras

layers = keras.layers
SMALL = bool(os.environ.get("TUTORIAL_SMALL"))

(x_train, _), (x_test, _) = digits.load_data()
x_train, x_test = (x[..., None].astype("float32") / 16 for x in (x_train, x_test))
if SMALL:
    x_train = x_train[:128]

encoder = keras.models.Sequential(name="encoder")
encoder.add(
    layers.Conv2D(16, (3, 3), strides=2, padding="same", activation="relu", input_shape=(8, 8, 1))
)
encoder.add(layers.Flatten())
encoder.add(layers.Dense(8, name="code"))

decoder = keras.models.Sequential(name="decoder")
decoder.add(layers.Dense(4 * 4 * 16, activation="relu", input_dim=8))
decoder.add(layers.Reshape((4, 4, 16)))
decoder.add(
    layers.Convolution2DTranspose(8, (3, 3), strides=(2, 2), padding="same", activation="relu")
)
decoder.add(layers.Conv2D(1, (3, 3), padding="same", activation="sigmoid"))

image = layers.Input((8, 8, 1))
autoencoder = keras.models.Model(image, decoder(encoder(image)), name="autoencoder")
autoencoder.compile(optimizer="adam", loss="binary_crossentropy", metrics=["mse"])
autoencoder.fit(
    x_train, x_train, epochs=2 if SMALL else 20, validation_data=(x_test, x_test), verbose=2
)
print("codes:", encoder.predict(x_test[:3], verbose=0).round(1))
