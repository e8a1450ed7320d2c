"""A residual network in the functional API."""

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


def block(x, filters, strides=1):
    shortcut = x
    y = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if strides > 1 or x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides=strides)(x)
    return layers.Activation("relu")(layers.add([y, shortcut]))


image = keras.Input((8, 8, 1))
x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
x = block(x, 16)
x = block(x, 32, strides=2)
x = layers.GlobalAveragePooling2D()(x)
model = keras.Model(image, layers.Dense(10, activation="softmax")(x))
model.summary()
model.compile(
    keras.optimizers.SGD(0.05, momentum=0.9),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=2 if SMALL else 8, batch_size=32, verbose=2)
print("Held-out digits: loss and accuracy", model.evaluate(x_test, y_test, verbose=0))
