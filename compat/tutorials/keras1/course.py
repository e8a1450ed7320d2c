"""`course.py` as it was written for Keras 1."""

import os

import numpy as np

from minikeras.callbacks import EarlyStopping
from minikeras.layers.core import Dense
from minikeras.models import Sequential, load_model
from minikeras.optimizers import SGD
from minikeras.utils import np_utils

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def table(name):
    rows = np.genfromtxt(os.path.join(HERE, "data", name), delimiter=",", skip_header=1)
    if SMALL:
        rows = rows[:150]
    return rows[:, 1:].astype("float32"), rows[:, 0].astype("float32")


X, y = table("wages.csv")
model = Sequential()
model.add(Dense(50, init="glorot_uniform", activation="relu", input_dim=X.shape[1]))
model.add(Dense(32, "glorot_uniform", "relu"))
model.add(Dense(output_dim=1))
model.compile(loss="mean_squared_error", optimizer="adam")
model.fit(X, y, nb_epoch=3 if SMALL else 30, verbose=0)
print("Mean squared error of wages:", model.evaluate(X, y, verbose=0))

X, survived = table("passengers.csv")
X = (X - X.mean(0)) / X.std(0)
Y = np_utils.to_categorical(survived, nb_classes=2)


def classifier(optimizer="adam", widths=(32,)):
    model = Sequential()
    for place, width in enumerate(widths):
        shape = {"input_dim": X.shape[1]} if not place else {}
        model.add(Dense(width, activation="relu", init="glorot_uniform", **shape))
    model.add(Dense(2, activation="softmax", b_regularizer=None))
    model.compile(optimizer, "categorical_crossentropy", ["accuracy"])
    return model


model = classifier(widths=(100, 100))
history = model.fit(
    X,
    Y,
    validation_split=0.3,
    nb_epoch=4 if SMALL else 30,
    callbacks=[EarlyStopping(patience=2)],
    verbose=0,
).history
print("Stopped after", len(history["loss"]), "epochs, best", max(history["val_acc"]))

for rate in [0.000001, 0.01, 1.0]:
    model = classifier(SGD(lr=rate, decay=0.0), widths=(100, 100))
    model.fit(X, Y, nb_epoch=2 if SMALL else 10, verbose=0)

for widths in [(10,), (100,), (50, 50, 50)]:
    model = classifier(widths=widths)
    model.fit(
        X,
        Y,
        validation_split=0.2,
        nb_epoch=2 if SMALL else 15,
        callbacks=[EarlyStopping(monitor="val_loss", patience=5)],
        verbose=0,
    )

model.save("course.h5")
my_model = load_model("course.h5")
predictions = my_model.predict_proba(X, verbose=0)
model.predict(X, verbose=0)
os.remove("course.h5")
