"""Several inputs and outputs: the topic and the urgency of a made-up message."""

import os
import sys

import numpy as np

if "--keras" in sys.argv:
    import keras
    from keras import layers
else:
    import minikeras as keras
    from minikeras import layers

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
keras.utils.set_random_seed(1)

rng = np.random.default_rng(0)
rows = 128 if SMALL else 640
words = rng.integers(1, 200, (rows, 12))
numbers = rng.normal(size=(rows, 4)).astype("float32")
topic = (words < 60).sum(1) % 3
urgency = (numbers[:, :1] + 0.1 * (words > 150).sum(1, keepdims=True)).astype("float32")

message = keras.Input(shape=(12,), dtype="int32", name="message")
facts = keras.Input(shape=(4,), name="facts")
embedded = layers.GlobalAveragePooling1D()(layers.Embedding(200, 16)(message))
both = layers.concatenate([embedded, layers.Dense(8, activation="tanh")(facts)])
hidden = layers.Dense(32, activation="relu")(both)
model = keras.Model(
    inputs=[message, facts],
    outputs={
        "topic": layers.Dense(3, activation="softmax", name="topic")(hidden),
        "urgency": layers.Dense(1, name="urgency")(hidden),
    },
)
model.summary()
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
    epochs=2 if SMALL else 15,
    verbose=0,
).history
for name in sorted(history):
    print(f"{name:18} {history[name][0]:.3f} -> {history[name][-1]:.3f}")

# A part of the model is a model too.
inner = keras.Model([message, facts], hidden)
print("Features:", inner.predict([words[:2], numbers[:2]], verbose=0).shape)
