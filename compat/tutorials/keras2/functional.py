"""`functional.py` as it was written for Keras 2."""

import os
import sys

import numpy as np

if "--keras" in sys.argv:
    import tf_keras as keras
else:
    import minikeras as keras

layers = keras.layers
SMALL = bool(os.environ.get("TUTORIAL_SMALL"))

rng = np.random.default_rng(0)
rows = 128 if SMALL else 640
words = rng.integers(1, 200, (rows, 12))
numbers = rng.normal(size=(rows, 4)).astype("float32")
topic = (words < 60).sum(1) % 3
urgency = (numbers[:, :1] + 0.1 * (words > 150).sum(1, keepdims=True)).astype("float32")

message = layers.Input(shape=(12,), dtype="int32", name="message")
facts = layers.Input(shape=(4,), name="facts")
embedded = layers.GlobalAveragePooling1D()(layers.Embedding(200, 16, input_length=12)(message))
both = layers.Concatenate(axis=-1)([embedded, layers.Dense(8, activation="tanh")(facts)])
hidden = layers.Dense(32, activation="relu")(both)
model = keras.models.Model(
    inputs=[message, facts],
    outputs=[
        layers.Dense(3, activation="softmax", name="topic")(hidden),
        layers.Dense(1, name="urgency")(hidden),
    ],
)
model.compile(
    optimizer="adam",
    loss={"topic": "sparse_categorical_crossentropy", "urgency": "mse"},
    loss_weights={"topic": 1.0, "urgency": 0.5},
    metrics={"topic": ["acc"], "urgency": ["mae"]},
)
model.fit(
    {"message": words, "facts": numbers},
    {"topic": topic, "urgency": urgency},
    validation_split=0.25,
    epochs=2 if SMALL else 15,
    verbose=0,
)

inner = keras.models.Model(inputs=[message, facts], outputs=hidden)
print("Features:", inner.predict([words[:2], numbers[:2]], verbose=0).shape)
