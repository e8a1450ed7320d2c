"""A convolutional network on handwritten digits."""

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

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = (x[..., None].astype("float32") / 16 for x in (x_train, x_test))
if SMALL:
    x_train, y_train = x_train[:128], y_train[:128]

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2 if SMALL else 15, validation_split=0.1, verbose=2)
print("Held-out digits: loss and accuracy", model.evaluate(x_test, y_test, verbose=0))

# The same from separable and strided convolutions, with pooling over all places.
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.ZeroPadding2D(1),
        layers.Conv2D(24, 3, strides=2, activation="relu"),
        layers.SeparableConv2D(32, 3, padding="same", activation="relu"),
        layers.DepthwiseConv2D(2, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    ]
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2 if SMALL else 15, verbose=0)
print("Separable: loss and accuracy", model.evaluate(x_test, y_test, verbose=0))
