"""`cnn.py` as it was written for Keras 2."""

import os
import sys

from minikeras.datasets import digits

if "--keras" in sys.argv:
    import tf_keras as keras
else:
    import minikeras as keras

layers, K = keras.layers, keras.backend
SMALL = bool(os.environ.get("TUTORIAL_SMALL"))

(x_train, y_train), (x_test, y_test) = digits.load_data()
assert K.image_data_format() == "channels_last"
x_train, x_test = (x.reshape(len(x), 8, 8, 1).astype("float32") / 16 for x in (x_train, x_test))
if SMALL:
    x_train, y_train = x_train[:128], y_train[:128]

model = keras.models.Sequential()
model.add(layers.Conv2D(32, (3, 3), padding="same", activation=K.relu, input_shape=(8, 8, 1)))
model.add(layers.BatchNormalization(fused=False))
model.add(layers.Convolution2D(32, (3, 3), activation="relu"))
model.add(layers.MaxPooling2D(pool_size=(2, 2)))
model.add(layers.Dropout(0.25))
model.add(layers.Flatten())
model.add(layers.Dense(64, activation="relu"))
model.add(layers.Dense(10))
model.add(layers.Activation("softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["acc"])
model.fit(x_train, y_train, epochs=2 if SMALL else 15, validation_split=0.1, verbose=2)
print("Held-out digits: loss and accuracy", model.evaluate(x_test, y_test, verbose=0))

model = keras.models.Sequential()
model.add(layers.ZeroPadding2D((1, 1), input_shape=(8, 8, 1)))
model.add(layers.Conv2D(24, (3, 3), strides=(2, 2), activation="relu"))
model.add(layers.SeparableConv2D(32, (3, 3), padding="same", activation="relu"))
model.add(layers.DepthwiseConv2D((2, 2), activation="relu"))
model.add(layers.GlobalAveragePooling2D())
model.add(layers.Dense(10))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(lr=0.005), loss=loss, metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2 if SMALL else 15, verbose=0)
print("Separable: loss and accuracy", model.evaluate(x_test, y_test, verbose=0))
