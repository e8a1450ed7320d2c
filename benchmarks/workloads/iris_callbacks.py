"""Iris-size with callbacks: 150 x 4, Dense 8-3, batch 16, adam, validation, six callbacks."""

import os
import tempfile

import numpy as np
from floors import dense_epoch

ORDER = 30
KIND = "fit"
UNIT = "epoch"
BATCH = 16
EPOCHS = 10
FIT = {"validation_split": 0.2}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4)).astype("float32")
    return x, np.eye(3, dtype="float32")[x[:, :3].argmax(1)]


def build(keras):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def callbacks(keras):
    folder = tempfile.mkdtemp()
    return [
        keras.callbacks.EarlyStopping(patience=1000, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(patience=1000),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate),
        keras.callbacks.CSVLogger(os.path.join(folder, "log.csv")),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.ModelCheckpoint(
            os.path.join(folder, "best.weights.h5"), save_best_only=True, save_weights_only=True
        ),
    ]


def floor():
    return dense_epoch(120, BATCH, [4, 8, 3])
