"""Two networks against each other: a forger of digits and a detective."""

import os
import sys

import numpy as np

from minikeras.datasets import digits

if "--keras" in sys.argv:
    import keras
    from keras import layers
else:
    import minikeras as keras
    from minikeras import layers

SMALL = bool(os.environ.get("TUTORIAL_SMALL"))
keras.utils.set_random_seed(1)

(real, labels), _ = digits.load_data()
real = real[labels == 0].reshape(-1, 64).astype("float32") / 16
rng = np.random.default_rng(0)

generator = keras.Sequential(
    [keras.Input((8,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")]
)
discriminator = keras.Sequential(
    [
        keras.Input((64,)),
        layers.Dense(64),
        layers.LeakyReLU(),
        layers.Dense(1, activation="sigmoid"),
    ]
)
discriminator.compile(keras.optimizers.Adam(0.001), "binary_crossentropy")
noise = keras.Input((8,))
forger = keras.Model(noise, discriminator(generator(noise)))
forger.compile(keras.optimizers.Adam(0.002), "binary_crossentropy")

batch = 32
for step in range(5 if SMALL else 1500):
    seeds = rng.normal(size=(batch, 8)).astype("float32")
    fake = np.asarray(generator(seeds))
    images = np.concatenate([real[rng.integers(0, len(real), batch)], fake])
    truth = np.concatenate([np.full((batch, 1), 0.9), np.zeros((batch, 1))]).astype("float32")

    discriminator.trainable = True
    caught = discriminator.train_on_batch(images, truth)
    discriminator.trainable = False
    forged = forger.train_on_batch(seeds, np.ones((batch, 1), "float32"))
    if step % 250 == 0:
        print(f"step {step}: discriminator {float(caught):.3f}, forger {float(forged):.3f}")

for line in generator.predict(rng.normal(size=(1, 8)).astype("float32"), verbose=0).reshape(8, 8):
    print("  " + "".join(" .:-=+*#%@"[int(9 * pixel)] * 2 for pixel in line))
