"""A small Transformer that learns to reverse a sequence."""

import os
import sys

import numpy as np

if "--keras" in sys.argv:
    import keras
    from keras import layers, ops
else:
    import minikeras as keras
    from minikeras import layers, ops

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
keras.utils.set_random_seed(1)

rng = np.random.default_rng(0)
length, vocabulary, width = 6, 12, 32
rows = 128 if SMALL else 4000
source = rng.integers(2, vocabulary, (rows, length))
target = source[:, ::-1]
shifted = np.concatenate([np.ones((rows, 1), int), target[:, :-1]], axis=1)


class Embed(layers.Layer):
    """Tokens and places as vectors."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(vocabulary, width)
        self.places = layers.Embedding(length, width)

    def call(self, x):
        return self.tokens(x) + self.places(ops.arange(length))


def feed_forward(x):
    y = layers.Dense(width)(layers.Dense(64, activation="relu")(x))
    return layers.LayerNormalization()(x + y)


def encoder_block(x):
    y = layers.MultiHeadAttention(4, width // 4)(x, x)
    return feed_forward(layers.LayerNormalization()(x + y))


def decoder_block(x, memory):
    y = layers.MultiHeadAttention(4, width // 4)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization()(x + y)
    y = layers.MultiHeadAttention(4, width // 4)(x, memory)
    return feed_forward(layers.LayerNormalization()(x + y))


encoder_input = keras.Input((length,), dtype="int32")
decoder_input = keras.Input((length,), dtype="int32")
memory = encoder_block(Embed()(encoder_input))
x = decoder_block(Embed()(decoder_input), memory)
model = keras.Model([encoder_input, decoder_input], layers.Dense(vocabulary)(x))
model.compile(
    keras.optimizers.Adam(0.003),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit([source, shifted], target, epochs=2 if SMALL else 10, batch_size=64, verbose=2)

# Word by word, each fed back in.
answer = np.ones((1, length), int)
for place in range(length):
    logits = model.predict([source[:1], answer], verbose=0)
    if place + 1 < length:
        answer[0, place + 1] = logits[0, place].argmax()
print("asked", source[0], "answered", answer[0, 1:], logits[0, -1].argmax())
