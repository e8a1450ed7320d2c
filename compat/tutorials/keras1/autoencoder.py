"""`autoencoder.py` as it was written for Keras 1."""

import os

from minikeras.datasets import digits
from minikeras.layers import Convolution2D, Deconvolution2D, Dense, Flatten, Input, Reshape
from minikeras.models import Model, Sequential

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))

(X_train, _), (X_test, _) = digits.load_data()
X_train, X_test = (X[..., None].astype("float32") / 16 for X in (X_train, X_test))
if SMALL:
    X_train = X_train[:128]

encoder = Sequential(name="encoder")
encoder.add(
    Convolution2D(
        16, 3, 3, "glorot_uniform", "relu", None, "same", (2, 2), "tf", input_shape=(8, 8, 1)
    )
)
encoder.add(Flatten())
encoder.add(Dense(8, name="code"))

decoder = Sequential(name="decoder")
decoder.add(Dense(4 * 4 * 16, activation="relu", input_dim=8))
decoder.add(Reshape(dims=(4, 4, 16)))
decoder.add(
    Deconvolution2D(
        8, 3, 3, output_shape=(None, 8, 8, 8), subsample=(2, 2), border_mode="same",
        activation="relu",
    )
)  # fmt: skip
decoder.add(Convolution2D(1, 3, 3, border_mode="same", activation="sigmoid"))

image = Input((8, 8, 1))
autoencoder = Model(input=image, output=decoder(encoder(image)), name="autoencoder")
autoencoder.compile("adam", "binary_crossentropy", ["mse"])
autoencoder.fit(
    X_train, X_train, nb_epoch=2 if SMALL else 20, validation_data=(X_test, X_test), verbose=2
)
print("codes:", encoder.predict(X_test[:3], verbose=0).round(1))
