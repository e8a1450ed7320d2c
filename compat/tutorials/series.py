"""A time series: the next value of a noisy double wave, by Conv1D and GRU."""

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
time = np.arange(400 if SMALL else 2000)
series = np.sin(time / 5) + 0.5 * np.sin(time / 17) + 0.1 * rng.normal(size=len(time))
series = series.astype("float32")[:, None]
window = 24
cut = int(0.8 * len(series))
train = keras.utils.timeseries_dataset_from_array(
    series[:cut], series[window:cut], window, batch_size=64
)
test = keras.utils.timeseries_dataset_from_array(
    series[cut:], series[cut + window :], window, batch_size=64
)

model = keras.Sequential(
    [
        keras.Input((window, 1)),
        layers.Conv1D(16, 5, padding="causal", activation="relu"),
        layers.MaxPooling1D(2),
        layers.GRU(16, return_sequences=True),
        layers.GRU(8),
        layers.Dense(1),
    ]
)
model.summary()
model.compile("adam", "mse", metrics=["mae"])
model.fit(train, epochs=2 if SMALL else 15, validation_data=test, verbose=2)
error = model.evaluate(test, verbose=0)[0]
naive = float(np.mean((series[cut + window :] - series[cut + window - 1 : -1]) ** 2))
print(f"mean squared error {error:.4f}; of repeating the last value {naive:.4f}")
