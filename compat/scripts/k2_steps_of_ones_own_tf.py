# Training steps, metrics and checkpoints of one's own, in the words of TensorFlow 2.4
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

tf.random.set_seed(3)


class Trainer(keras.Model):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self.model(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def call(self, x):
        return self.model(x)


class Watched(layers.Layer):
    def call(self, inputs):
        self.add_metric(keras.backend.std(inputs), name="spread", aggregation="mean")
        return inputs


class Standardized(layers.Conv1D):
    def convolution_op(self, inputs, kernel):
        mean, variance = tf.nn.moments(kernel, axes=[0, 1], keepdims=True)
        return tf.nn.conv1d(inputs, (kernel - mean) / tf.sqrt(variance + 1e-6), 1, "VALID")


def make():
    return keras.Sequential(
        [
            layers.InputLayer(input_shape=(10, 2)),
            Standardized(4, 3, activation="relu"),
            Watched(),
            layers.Flatten(),
            layers.Dense(1, kernel_regularizer="l2"),
        ]
    )


x = np.random.default_rng(0).normal(size=(64, 10, 2)).astype("float32")
y = x[:, 0, :1] + x[:, 3, 1:]
trainer = Trainer(make())
trainer.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
history = trainer.fit(x, y, epochs=5, batch_size=16, validation_data=(x, y), verbose=0).history
assert history["loss"][-1] < history["loss"][0] and "val_mae" in history
model = make()
model.compile("sgd", "mse")
assert "spread" in model.fit(x, y, verbose=0).history

trainer.save_weights("checkpoints/latest")
again = Trainer(make())
again.load_weights(tf.train.latest_checkpoint("checkpoints")).expect_partial()
np.testing.assert_allclose(again(x), trainer(x), rtol=1e-5)

v = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
v[0, 1].assign(42)
v[:, 2].assign([0.0, 1.0])
v.scatter_nd_update(indices=[[0, 0]], updates=[100.0])
v.scatter_update(tf.IndexedSlices(values=[[7.0, 8.0, 9.0]], indices=[1]))
print(v.numpy())
assert v.numpy().tolist() == [[100, 42, 0], [7, 8, 9]]


@tf.function(input_signature=[tf.TensorSpec(shape=None, dtype=tf.float32)])
def cube(z):
    return z**3


assert cube.python_function(2) == cube.get_concrete_function()(2) == 8
