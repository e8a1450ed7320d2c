"""MLP on rows like MNIST's: Dense layers on 784 numbers, 10 classes, in several sizes."""

import numpy as np
from floors import dense_epoch

ORDER = 20
VARIANTS = {
    "mlp-adam-128": {"width": 512, "batch": 128, "optimizer": "adam"},
    "mlp-adam-32": {"width": 512, "batch": 32, "optimizer": "adam"},
    "mlp-sgd-128": {"width": 512, "batch": 128, "optimizer": "sgd"},
    "mlp-wide": {"width": 2048, "batch": 128, "optimizer": "adam", "rows": 5000},
}


def variant(width: int, batch: int, optimizer: str, rows: int = 20000) -> dict:
    def data():
        rng = np.random.default_rng(0)
        x = rng.random((rows, 784), dtype=np.float32)
        # Labels that can be learned, so that training goes on as it does on real data.
        return x, ((x - 0.5) @ rng.normal(size=(784, 10))).argmax(1)

    def build(keras):
        model = keras.Sequential(
            [
                keras.Input((784,)),
                keras.layers.Dense(width, activation="relu"),
                keras.layers.Dense(width, activation="relu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def torch_parts(torch):
        nn = torch.nn
        model = nn.Sequential(
            nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 10),
        )  # fmt: skip
        if optimizer == "adam":
            chosen = torch.optim.Adam(model.parameters())
        else:
            chosen = torch.optim.SGD(model.parameters(), 0.01)
        return model, nn.CrossEntropyLoss(), chosen, lambda x, y: (x, y)

    def sklearn_model():
        from sklearn.neural_network import MLPClassifier

        momentum = {} if optimizer == "adam" else {"momentum": 0, "learning_rate_init": 0.01}
        model = MLPClassifier((width, width), batch_size=batch, solver=optimizer, **momentum)
        return model, {"classes": list(range(10))}

    return {
        "TITLE": f"{rows} x 784, Dense {width}-{width}-10, batch {batch}, {optimizer}",
        "KIND": "fit",
        "UNIT": "epoch",
        "BATCH": batch,
        "EPOCHS": 2,
        "data": data,
        "build": build,
        "torch_parts": torch_parts,
        "sklearn_model": sklearn_model,
        "floor": lambda: dense_epoch(rows, batch, [784, width, width, 10]),
    }
