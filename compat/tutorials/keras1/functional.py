"""`functional.py` as it was written for Keras 1."""

import os

import numpy as np
from minikeras.engine.topology import merge
from minikeras.engine.training import Model

from minikeras.layers import Dense, Embedding, Input
from minikeras.layers.pooling import GlobalAveragePooling1D

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))

rng = np.random.default_rng(0)
rows = 128 if SMALL else 640
words = rng.integers(1, 200, (rows, 12))
numbers = rng.normal(size=(rows, 4)).astype("float32")
topic = (words < 60).sum(1) % 3
urgency = (numbers[:, :1] + 0.1 * (words > 150).sum(1, keepdims=True)).astype("float32")

message = Input(shape=(12,), dtype="int32", name="message")
facts = Input(shape=(4,), name="facts")
embedded = GlobalAveragePooling1D()(Embedding(200, 16, "uniform", 12)(message))
both = merge([embedded, Dense(8, activation="tanh")(facts)], mode="concat")
hidden = Dense(output_dim=32, activation="relu")(both)
model = Model(
    input=[message, facts],
    output=[
        Dense(3, activation="softmax", name="topic")(hidden),
        Dense(1, name="urgency")(hidden),
    ],
)
model.compile(
    optimizer="adam",
    loss={"topic": "sparse_categorical_crossentropy", "urgency": "mse"},
    loss_weights={"topic": 1.0, "urgency": 0.5},
    metrics={"topic": ["accuracy"], "urgency": ["mae"]},
)
history = model.fit(
    {"message": words, "facts": numbers},
    {"topic": topic, "urgency": urgency},
    validation_split=0.25,
    nb_epoch=2 if SMALL else 15,
    verbose=0,
).history
print(history["topic_acc"], history["urgency_mean_absolute_error"])

inner = Model(input=[message, facts], output=hidden)
print("Features:", inner.predict([words[:2], numbers[:2]], verbose=0).shape)
