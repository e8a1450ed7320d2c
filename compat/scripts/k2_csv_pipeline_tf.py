"""Rows of a CSV file through tf.data into a model, through a loop of its own."""

import tensorflow as tf
from tensorflow.keras import layers

COLUMNS = 8
rows = tf.data.experimental.CsvDataset("clinic.csv", [float()] * (COLUMNS + 1))


def pack(*row):
    features = tf.stack(row[:-1], 1)
    features.set_shape([None, COLUMNS])
    return features, row[-1]


packed = rows.batch(32).map(pack).unbatch()
held_out = packed.take(40).cache().batch(20)
train = packed.skip(40).cache().shuffle(100, seed=1).batch(20).prefetch(tf.data.AUTOTUNE)


class Scale(layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight("factor", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor


norm = layers.Normalization()
norm.adapt(train.map(lambda x, y: x))
model = tf.keras.Sequential([norm, Scale(), layers.Dense(8, activation="elu"), layers.Dense(1)])
loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)
rate = tf.keras.optimizers.schedules.InverseTimeDecay(0.02, decay_steps=50, decay_rate=1)
optimizer = tf.keras.optimizers.Adam(rate)
mean, first = tf.keras.metrics.Mean(), None
for epoch in range(8):
    mean.reset_state()
    for x, y in train:
        with tf.GradientTape() as tape:
            value = loss(y[:, tf.newaxis], model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        mean.update_state(value)
    first = first or float(mean.result())
    print(f"epoch {epoch}: {mean.result():.4f}, last batch {value}")
assert float(mean.result()) < first
model.compile(optimizer, loss, metrics=["accuracy"])
print(model.evaluate(held_out, verbose=0))
model.save_weights("kept/at-0008.ckpt")
model.load_weights(tf.train.latest_checkpoint("kept"))
