"""Autoencoder: 10000 x 784, Dense 128-32-128-784, batch 256, adam, mean squared error."""

import numpy as np
from floors import dense_epoch

ORDER = 70
KIND = "fit"
UNIT = "epoch"
BATCH = 256
EPOCHS = 3
ROWS = 10000


def data():
    x = np.random.default_rng(0).random((ROWS, 784), dtype=np.float32)
    return x, x


def build(keras):
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(784, activation="sigmoid"),
        ]
    )
    model.compile("adam", "mse")
    return model


def torch_parts(torch):
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 128),
        nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid(),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters())
    return model, nn.MSELoss(), optimizer, lambda x, y: (x, y)


def floor():
    return dense_epoch(ROWS, BATCH, [784, 128, 32, 128, 784])
