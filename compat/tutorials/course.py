"""A beginner's course, end to end, on small synthetic tables."""

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


def table(name):
    rows = np.genfromtxt(os.path.join(HERE, "data", name), delimiter=",", skip_header=1)
    if SMALL:
        rows = rows[:150]
    return rows[:, 1:].astype("float32"), rows[:, 0].astype("float32")


# 1. Regression: predict an hourly wage.
predictors, target = table("wages.csv")
n_cols = predictors.shape[1]

model = keras.models.Sequential()
model.add(layers.Dense(50, activation="relu", input_shape=(n_cols,)))
model.add(layers.Dense(32, activation="relu"))
model.add(layers.Dense(1))
model.compile(optimizer="adam", loss="mean_squared_error")
print("Loss function:", model.loss)
model.fit(predictors, target, epochs=3 if SMALL else 30, verbose=0)
print("Mean squared error of wages:", model.evaluate(predictors, target, verbose=0))
print("of always guessing the mean:", np.var(target))

# 2. Classification: who survives? With validation and early stopping.
predictors, survived = table("passengers.csv")
predictors = (predictors - predictors.mean(0)) / predictors.std(0)
target = keras.utils.to_categorical(survived)
n_cols = predictors.shape[1]


def classifier(optimizer="adam", widths=(32,)):
    model = keras.models.Sequential()
    model.add(layers.Input(shape=(n_cols,)))
    for width in widths:
        model.add(layers.Dense(width, activation="relu"))
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


early_stopping = keras.callbacks.EarlyStopping(patience=2)
model = classifier(widths=(100, 100))
history = model.fit(
    predictors,
    target,
    validation_split=0.3,
    epochs=4 if SMALL else 30,
    callbacks=[early_stopping],
    verbose=0,
).history
print(f"Stopped after {len(history['loss'])} epochs, best {max(history['val_accuracy']):.1%}")

# 3. The learning rate.
for rate in [0.000001, 0.01, 1.0]:
    model = classifier(keras.optimizers.SGD(learning_rate=rate), widths=(100, 100))
    losses = model.fit(predictors, target, epochs=2 if SMALL else 10, verbose=0).history["loss"]
    print(f"learning rate {rate}: loss {losses[0]:.3f} -> {losses[-1]:.3f}")

# 4. Capacity: narrow against wide and deep.
for widths in [(10,), (100,), (50, 50, 50)]:
    model = classifier(widths=widths)
    history = model.fit(
        predictors,
        target,
        validation_split=0.2,
        epochs=2 if SMALL else 15,
        callbacks=[keras.callbacks.EarlyStopping(patience=5)],
        verbose=0,
    ).history
    print(f"{widths}: {model.count_params()} parameters, loss {min(history['val_loss']):.3f}")

# 5. Save, reload, use.
model.save("course.h5")
my_model = keras.models.load_model("course.h5")
my_model.summary()
predictions = my_model.predict(predictors, verbose=0)
assert np.allclose(predictions, model.predict(predictors, verbose=0), atol=1e-6)
print("Chances of the first three:", predictions[:3, 1].round(2))
os.remove("course.h5")
