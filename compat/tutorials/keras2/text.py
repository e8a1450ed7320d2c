"""`text.py` as it was written for Keras 2."""

import os
import re
import sys
from collections import Counter

import numpy as np

if "--keras" in sys.argv:
    import tf_keras as keras
else:
    import minikeras as keras

layers = keras.layers
pad_sequences = keras.preprocessing.sequence.pad_sequences
SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def excerpts(name, words=12, step=2):
    with open(os.path.join(HERE, "data", name), encoding="utf-8") as file:
        text = file.read().split()
    return [" ".join(text[i : i + words]) for i in range(0, len(text) - words, step)]


def split(text):
    return re.sub(r"[!\"#$%&()*+,\-./:;<=>?@\[\]\\^_`{|}~']", "", text.lower()).split()


texts = np.array(excerpts("carroll.txt") + excerpts("darwin.txt"), dtype=object)
labels = np.array([0] * len(excerpts("carroll.txt")) + [1] * len(excerpts("darwin.txt")))
order = np.random.default_rng(0).permutation(len(texts))[: 96 if SMALL else None]
texts, labels = texts[order], labels[order]

# Words by frequency; 0 is padding, 1 any other word.
counts = Counter(word for text in texts for word in split(text))
ranked = sorted(counts.items(), key=lambda one: (one[1], one[0]), reverse=True)[:298]
index = {word: 2 + rank for rank, (word, _) in enumerate(ranked)}


def vectorize(texts):
    rows = [[index.get(word, 1) for word in split(text)] for text in texts]
    return pad_sequences(rows, maxlen=14, padding="post", truncating="post")


tokens = vectorize(texts)

for name, recurrent in {
    "LSTM": lambda: layers.LSTM(16, implementation=2),
    "GRU": lambda: layers.GRU(16, reset_after=True, time_major=False),
    "two ways": lambda: layers.Bidirectional(layers.LSTM(8)),
}.items():
    model = keras.models.Sequential()
    model.add(layers.Embedding(300, 16, mask_zero=True))
    model.add(recurrent())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(
        optimizer=keras.optimizers.Adam(lr=0.01), loss="binary_crossentropy", metrics=["acc"]
    )
    history = model.fit(
        tokens, labels, epochs=2 if SMALL else 8, validation_split=0.25, verbose=0
    ).history
    print("{}: {:.1%} of the excerpts that were kept aside".format(name, history["val_acc"][-1]))

sentences = ["the rabbit looked at her watch and ran", "the origin of these species"]
print(model.predict(vectorize(sentences), verbose=0).round(2))
