"""Sequence to sequence with attention: numbers in, their running sums out."""

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
length, rows = 5, 128 if SMALL else 4000
source = rng.integers(1, 6, (rows, length))
target = source.cumsum(1) % 10 + 1
shifted = np.concatenate([np.full((rows, 1), 11), target[:, :-1]], axis=1)

encoder_input = keras.Input((length,), dtype="int32", name="source")
x = layers.Embedding(12, 16)(encoder_input)
memory, h, c = layers.LSTM(24, return_sequences=True, return_state=True)(x)

decoder_input = keras.Input((length,), dtype="int32", name="shifted")
x = layers.Embedding(12, 16)(decoder_input)
x = layers.LSTM(24, return_sequences=True)(x, initial_state=[h, c])
context = layers.Attention()([x, memory])
additive = layers.AdditiveAttention()([x, memory])
x = layers.Concatenate()([x, context, additive])
output = layers.TimeDistributed(layers.Dense(12, activation="softmax"))(x)

model = keras.Model([encoder_input, decoder_input], output)
model.summary()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit({"source": source, "shifted": shifted}, target, epochs=2 if SMALL else 10, verbose=2)
found = model.predict([source[:3], shifted[:3]], verbose=0).argmax(-1)
print("expected", target[:3].tolist(), "found", found.tolist())
