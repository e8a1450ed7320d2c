"""`cnn.py` as it was written for Keras 1."""

import os

import minikeras as keras
from minikeras import backend as K
from minikeras.datasets import digits
from minikeras.layers import (
    BatchNormalization,
    Convolution2D,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SeparableConvolution2D,
    ZeroPadding2D,
)
from minikeras.layers.core import Activation, Dense, Dropout, Flatten
from minikeras.models import Sequential
from minikeras.optimizers import Adam

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))

(X_train, y_train), (X_test, y_test) = digits.load_data()
assert K.image_dim_ordering() == "tf"
X_train, X_test = (X.reshape(len(X), 8, 8, 1).astype("float32") / 16 for X in (X_train, X_test))
if SMALL:
    X_train, y_train = X_train[:128], y_train[:128]

model = Sequential()
model.add(Convolution2D(32, 3, 3, border_mode="same", input_shape=(8, 8, 1)))
model.add(Activation("relu"))
model.add(BatchNormalization(mode=0, gamma_init="one"))
model.add(Convolution2D(32, 3, 3, activation="relu", init="glorot_uniform"))
model.add(MaxPooling2D(pool_size=(2, 2), border_mode="valid"))
model.add(Dropout(p=0.25))
model.add(Flatten())
model.add(Dense(64, "glorot_uniform", "relu"))
model.add(Dense(10))
model.add(Activation("softmax"))
model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
model.fit(X_train, y_train, nb_epoch=2 if SMALL else 15, validation_split=0.1, verbose=2)
print("Held-out digits: loss and accuracy", model.evaluate(X_test, y_test, verbose=0))

model = Sequential()
model.add(ZeroPadding2D((1, 1, 1, 1), "tf", input_shape=(8, 8, 1)))
model.add(Convolution2D(24, 3, 3, subsample=(2, 2), activation="relu"))
model.add(SeparableConvolution2D(32, 3, 3, border_mode="same", activation="relu"))
model.add(DepthwiseConv2D(2, activation="relu"))
model.add(GlobalAveragePooling2D(dim_ordering="tf"))
model.add(Dense(10, bias=True))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(Adam(lr=0.005), loss, ["accuracy"])
model.fit(X_train, y_train, nb_epoch=2 if SMALL else 15, verbose=0)
print("Separable: loss and accuracy", model.evaluate(X_test, y_test, verbose=0))
