"""A siamese network: are two images of the same digit?"""

import os
import sys

import numpy as np

from minikeras.datasets import digits

if "--keras" in sys.argv:
    import keras
    from keras import layers, ops
else:
    import minikeras as keras
    from minikeras import layers, ops

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
keras.utils.set_random_seed(1)

(x, y), (x_test, y_test) = digits.load_data()
x, x_test = (images.reshape(-1, 64).astype("float32") / 16 for images in (x, x_test))


def pairs(x, y, count, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, len(x), (2, count))
    same = rng.random(count) < 0.5
    for i in np.flatnonzero(same):
        second[i] = rng.choice(np.flatnonzero(y == y[first[i]]))
    return [x[first], x[second]], (y[first] == y[second]).astype("float32")


tower = keras.Sequential(
    [keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(16)], name="tower"
)
left, right = keras.Input((64,), name="left"), keras.Input((64,), name="right")
a, b = tower(left), tower(right)


class Distance(layers.Layer):
    def call(self, a, b):
        return ops.sqrt(ops.sum(ops.square(a - b), axis=-1, keepdims=True) + 1e-6)


def contrastive(y_true, distance):
    near = y_true * ops.square(distance)
    far = (1 - y_true) * ops.square(ops.maximum(1 - distance, 0))
    return ops.mean(near + far, axis=-1)


model = keras.Model([left, right], Distance()(a, b))
model.summary()
model.compile("adam", contrastive)
x_pairs, same = pairs(x, y, 128 if SMALL else 3000, 0)
model.fit(x_pairs, same, epochs=2 if SMALL else 15, verbose=2)
x_pairs, same = pairs(x_test, y_test, 300, 1)
distance = model.predict(x_pairs, verbose=0)[:, 0]
print(f"right about {np.mean((distance < 0.5) == same):.1%} of new pairs")
