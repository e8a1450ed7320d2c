"""Quickstart: handwritten digits. Train, look at the curves, save, reload, predict.

python quickstart.py            on minikeras
python quickstart.py --keras    the same on Keras
"""

import os
import sys

import numpy as np

import minikeras

if "--keras" in sys.argv:
    import keras
    from keras import layers
else:
    import minikeras as keras
    from minikeras import layers

keras.utils.set_random_seed(1)
epochs = 3 if os.environ.get("TUTORIAL_SMALL") else 40

# 1,797 real digits of 8 by 8 pixels, each from 0 to 16. A fifth is kept aside.
(x_train, y_train), (x_test, y_test) = minikeras.datasets.digits.load_data()
x_train = x_train.reshape(-1, 64).astype("float32") / 16
x_test = x_test.reshape(-1, 64).astype("float32") / 16
print(f"{len(x_train)} digits to learn from, {len(x_test)} held out")

model = keras.Sequential(
    [
        keras.Input(shape=(64,)),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

history = model.fit(
    x_train, y_train, batch_size=32, epochs=epochs, validation_split=0.1, verbose=2
).history


def bar(value, best):
    return "#" * round(30 * value / best)


print("\nepoch  loss    validation loss")
step = max(1, epochs // 10)
for epoch in range(0, epochs, step):
    loss, val_loss = history["loss"][epoch], history["val_loss"][epoch]
    print(f"{epoch + 1:5}  {loss:.4f}  {val_loss:.4f}  {bar(val_loss, max(history['val_loss']))}")

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ImportError:
    print("(matplotlib is not installed: no plot)")
else:
    plt.plot(history["loss"], label="training")
    plt.plot(history["val_loss"], label="validation")
    plt.xlabel("epoch")
    plt.ylabel("loss")
    plt.legend()
    plt.savefig("quickstart.png")
    plt.close()
    print("The curves are in quickstart.png")

test_loss, test_accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"\nHeld-out digits: loss {test_loss:.4f}, accuracy {test_accuracy:.2%}")

model.save("quickstart.h5")
reloaded = keras.models.load_model("quickstart.h5")
probabilities = model.predict(x_test, verbose=0)
assert np.allclose(reloaded.predict(x_test, verbose=0), probabilities, atol=1e-6)
print("Saved to quickstart.h5 and read back: the same predictions")

for image, label, row in zip(x_test[:2], y_test, probabilities):
    for line in image.reshape(8, 8):
        print("  " + "".join(" .:-=+*#%@"[int(9 * pixel)] * 2 for pixel in line))
    print(f"  is a {label}; predicted {row.argmax()} ({row.max():.1%})\n")
