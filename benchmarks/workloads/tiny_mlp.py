"""Tiny MLP, the first tutorial of many: 768 x 8, Dense 12-8-1, batch 10, adam."""

import numpy as np
from floors import dense_epoch

ORDER = 10
KIND = "fit"
UNIT = "epoch"
BATCH = 10
EPOCHS = 20


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(768, 8)).astype("float32")
    return x, (x[:, :1] + x[:, 1:2] > 0).astype("float32")


def build(keras):
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def torch_parts(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters())
    return model, nn.BCEWithLogitsLoss(), optimizer, lambda x, y: (x, y)


def sklearn_model():
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((12, 8), batch_size=BATCH), {"classes": [0, 1]}


def floor():
    return dense_epoch(768, BATCH, [8, 12, 8, 1])
