"""A layer, a loss, a metric, a callback and a training step of one's own."""

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

if "--keras" in sys.argv:
    from tensorflow import GradientTape
else:
    from minikeras import GradientTape

rng = np.random.default_rng(0)
x = rng.normal(size=(64 if SMALL else 512, 5)).astype("float32")
y = (np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]).astype("float32")


@keras.saving.register_keras_serializable("tutorial")
class Gated(layers.Layer):
    """A linear layer whose outputs a second one lets through or not."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="glorot_uniform")
        self.gate = self.add_weight(name="gate", shape=shape, initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, inputs):
        gate = ops.sigmoid(ops.matmul(inputs, self.gate))
        self.add_loss(0.001 * ops.mean(gate))
        return (ops.matmul(inputs, self.kernel) + self.bias) * gate

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tutorial")
def log_cosh(y_true, y_pred):
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - np.log(2.0).astype("float32"), axis=-1)


@keras.saving.register_keras_serializable("tutorial")
class WithinHalf(keras.metrics.Metric):
    """The share of predictions that are off by less than 0.5."""

    def __init__(self, name="within_half", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.seen = self.add_weight(name="seen", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        hit = ops.cast(ops.abs(y_true - y_pred) < 0.5, "float32")
        self.hits.assign_add(ops.sum(hit))
        self.seen.assign_add(ops.sum(ops.ones_like(hit)))

    def result(self):
        return self.hits / (self.seen + 1e-7)


class Slower(keras.callbacks.Callback):
    """Takes a tenth off the learning rate after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        rate = float(self.model.optimizer.learning_rate) * 0.9
        self.model.optimizer.learning_rate = rate
        logs["rate"] = rate


model = keras.Sequential([keras.Input((5,)), Gated(24), Gated(12), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.01), loss=log_cosh, metrics=[WithinHalf()])
epochs = 3 if SMALL else 25
history = model.fit(x, y, epochs=epochs, verbose=0, callbacks=[Slower()]).history
print({name: (values[0], values[-1]) for name, values in history.items()})

path = "custom.keras"
model.save(path)
again = keras.models.load_model(path)
assert np.allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
os.remove(path)


class Sharpened(keras.Model):
    """Trains against targets that are moved a little towards zero."""

    def train_step(self, data):
        x, y = data
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=0.9 * y, y_pred=y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}


inputs = keras.Input((5,))
model = Sharpened(inputs, layers.Dense(1)(layers.Dense(16, activation="relu")(inputs)))
model.compile(optimizer="rmsprop", loss="mse")
print(model.fit(x, y, epochs=epochs, batch_size=len(x), verbose=0).history)

# The same without `fit`.
model = keras.Sequential([keras.Input((5,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
optimizer, loss_function = keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError()
for _ in range(5 if SMALL else 100):
    with GradientTape() as tape:
        loss = loss_function(y, model(x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
print("own loop:", float(loss))
model.predict(x, verbose=0)
