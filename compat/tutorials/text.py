"""Whose sentence is it, Lewis Carroll's or Charles Darwin's?"""

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

HERE = os.path.dirname(os.path.abspath(__file__))


def excerpts(name, words=12, step=2):
    with open(os.path.join(HERE, "data", name), encoding="utf-8") as file:
        text = file.read().split()
    return [" ".join(text[i : i + words]) for i in range(0, len(text) - words, step)]


texts = np.array(excerpts("carroll.txt") + excerpts("darwin.txt"), dtype=object)
labels = np.array([0] * len(excerpts("carroll.txt")) + [1] * len(excerpts("darwin.txt")))
order = np.random.default_rng(0).permutation(len(texts))[: 96 if SMALL else None]
texts, labels = texts[order], labels[order]

vectorize = layers.TextVectorization(max_tokens=300, output_sequence_length=14)
vectorize.adapt(texts)
print(
    len(vectorize.get_vocabulary()), "words, the most frequent:", vectorize.get_vocabulary()[2:10]
)
tokens = np.asarray(vectorize(texts))

for name, recurrent in {
    "LSTM": lambda: layers.LSTM(16),
    "GRU": lambda: layers.GRU(16),
    "two ways": lambda: layers.Bidirectional(layers.LSTM(8)),
}.items():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(300, 16, mask_zero=True),
            recurrent(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(
        tokens, labels, epochs=2 if SMALL else 8, validation_split=0.25, verbose=0
    ).history
    # Excerpts overlap: this is easier than the sentences of another book.
    print(f"{name}: {history['val_accuracy'][-1]:.1%} of the excerpts that were kept aside")

sentences = np.array(["the rabbit looked at her watch and ran", "the origin of these species"])
print(model.predict(np.asarray(vectorize(sentences)), verbose=0).round(2))
