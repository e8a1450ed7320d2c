"""A model that trains by script, so that callbacks are tested by themselves."""

import json

import numpy as np
import pytest

from minikeras.callbacks import CallbackList


class Variable:
    def __init__(self, value, path="layer/kernel"):
        self.value, self.path = np.array(value, dtype="float32"), path

    def numpy(self):
        return self.value

    def assign(self, value):
        self.value = np.array(value, dtype="float32")


class Optimizer:
    name = "sgd"
    built = True
    use_ema = False

    def __init__(self, learning_rate=0.1):
        self.learning_rate = np.float32(learning_rate)
        self.iterations = np.array(0)


class Metric:
    def __init__(self, name, direction):
        self.name, self._direction = name, direction


class Layer:
    def __init__(self, weights):
        self.weights = weights


class ScriptedModel:
    """Its epochs have the losses and metrics that it is given."""

    built = True
    stop_training = False
    _initial_epoch = None

    def __init__(self, **script):
        self.script = script
        self.optimizer = Optimizer()
        self.metrics = [Metric("accuracy", "up"), Metric("mae", "down")]
        self.kernel = Variable([0.0])
        self.layers = [Layer([self.kernel])]
        self.saved = []

    def get_weights(self):
        return [self.kernel.value.copy()]

    def set_weights(self, weights):
        self.kernel.assign(weights[0])

    def save(self, path, overwrite=True):
        self.saved.append(path)
        with open(path, "w") as file:
            json.dump(self.kernel.value.tolist(), file)

    save_weights = save

    def load_weights(self, path):
        with open(path) as file:
            self.kernel.assign(json.load(file))

    def to_json(self):
        return "{}"

    def fit(self, callbacks, epochs=None, batches=2, initial_epoch=0):
        epochs = epochs or max(len(values) for values in self.script.values())
        callbacks = CallbackList(
            callbacks, add_history=True, model=self, verbose=0, epochs=epochs, steps=batches
        )
        self.stop_training = False
        callbacks.on_train_begin()
        for epoch in range(self._initial_epoch or initial_epoch, epochs):
            logs = {
                name: values[epoch] for name, values in self.script.items() if epoch < len(values)
            }
            callbacks.on_epoch_begin(epoch)
            begin, end = callbacks.batch_hooks("train")
            for batch in range(batches):
                if begin:
                    begin(batch)
                self.optimizer.iterations += 1
                if end:
                    end(batch, logs)
                if self.stop_training:
                    break
            self.kernel.assign([epoch + 1.0])
            callbacks.on_epoch_end(epoch, dict(logs))
            if self.stop_training:
                break
        callbacks.on_train_end(logs)
        return self.history


@pytest.fixture
def scripted():
    return ScriptedModel
