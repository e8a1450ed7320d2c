"""An autoencoder of digits: 64 pixels through 8 numbers and back."""

import os
import sys

from minikeras.datasets import digits

if "--keras" in sys.argv:
    import keras
    from keras import layers
else:
    import minikeras as keras
    from minikeras import layers

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
keras.utils.set_random_seed(1)

(x_train, _), (x_test, _) = digits.load_data()
x_train, x_test = (x[..., None].astype("float32") / 16 for x in (x_train, x_test))
if SMALL:
    x_train = x_train[:128]

encoder = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(8, name="code"),
    ],
    name="encoder",
)
decoder = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(4 * 4 * 16, activation="relu"),
        layers.Reshape((4, 4, 16)),
        layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ],
    name="decoder",
)
image = keras.Input((8, 8, 1))
autoencoder = keras.Model(image, decoder(encoder(image)), name="autoencoder")
autoencoder.summary(expand_nested=True)
autoencoder.compile("adam", "binary_crossentropy", metrics=["mse"])
autoencoder.fit(
    x_train, x_train, epochs=2 if SMALL else 20, validation_data=(x_test, x_test), verbose=2
)
print("codes:", encoder.predict(x_test[:3], verbose=0).round(1))
