# Custom models and training with tf.keras: losses, metrics, layers, constraints, loops
import tensorflow as tf
from tensorflow import keras
import numpy as np
K = keras.backend
tf.random.set_seed(42)
# tensors and operations
t = tf.constant([[1., 2., 3.], [4., 5., 6.]])
assert t.shape == (2, 3) and t.dtype == tf.float32
assert np.allclose(t[:, 1:], [[2, 3], [5, 6]]) and np.allclose(t[..., 1, tf.newaxis], [[2], [5]])
assert np.allclose(tf.square(t) + 10, np.array(t) ** 2 + 10)
assert np.allclose(t @ tf.transpose(t), t.numpy() @ t.numpy().T)
v = tf.Variable([[1., 2., 3.], [4., 5., 6.]])
v.assign(2 * v)
v[0, 1].assign(42) if hasattr(v[0, 1], 'assign') else None
assert float(tf.reduce_sum(v[1])) == 30

data = np.loadtxt('houses.data')
X = (data[:, :13] - data[:, :13].mean(0)) / data[:, :13].std(0)
y = data[:, 13:] / 10
X_train, y_train, X_valid, y_valid = X[:90], y[:90], X[90:], y[90:]


def huber_fn(y_true, y_pred):
    error = y_true - y_pred
    is_small_error = tf.abs(error) < 1
    squared_loss = tf.square(error) / 2
    linear_loss = tf.abs(error) - 0.5
    return tf.where(is_small_error, squared_loss, linear_loss)


class HuberLoss(keras.losses.Loss):
    def __init__(self, threshold=1.0, **kwargs):
        self.threshold = threshold
        super().__init__(**kwargs)

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        is_small_error = tf.abs(error) < self.threshold
        squared_loss = tf.square(error) / 2
        linear_loss = self.threshold * tf.abs(error) - self.threshold**2 / 2
        return tf.where(is_small_error, squared_loss, linear_loss)

    def get_config(self):
        base_config = super().get_config()
        return {**base_config, "threshold": self.threshold}


class HuberMetric(keras.metrics.Metric):
    def __init__(self, threshold=1.0, **kwargs):
        super().__init__(**kwargs)
        self.threshold = threshold
        self.total = self.add_weight("total", initializer="zeros")
        self.count = self.add_weight("count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        metric = huber_fn(y_true, y_pred)
        self.total.assign_add(tf.reduce_sum(metric))
        self.count.assign_add(tf.cast(tf.size(y_true), tf.float32))

    def result(self):
        return self.total / self.count

    def get_config(self):
        base_config = super().get_config()
        return {**base_config, "threshold": self.threshold}


def my_softplus(z):
    return tf.math.log(tf.exp(z) + 1.0)


def my_glorot_initializer(shape, dtype=tf.float32):
    stddev = tf.sqrt(2. / (shape[0] + shape[1]))
    return tf.random.normal(shape, stddev=stddev, dtype=dtype)


def my_l1_regularizer(weights):
    return tf.reduce_sum(tf.abs(0.01 * weights))


def my_positive_weights(weights):
    return tf.where(weights < 0., tf.zeros_like(weights), weights)


class MyDense(keras.layers.Layer):
    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, batch_input_shape):
        self.kernel = self.add_weight(name="kernel", shape=[batch_input_shape[-1], self.units], initializer="glorot_normal")
        self.bias = self.add_weight(name="bias", shape=[self.units], initializer="zeros")
        super().build(batch_input_shape)

    def call(self, X):
        return self.activation(X @ self.kernel + self.bias)

    def compute_output_shape(self, batch_input_shape):
        return tf.TensorShape(batch_input_shape.as_list()[:-1] + [self.units])

    def get_config(self):
        base_config = super().get_config()
        return {**base_config, "units": self.units, "activation": keras.activations.serialize(self.activation)}

model = keras.models.Sequential([
    MyDense(30, activation="selu", input_shape=[13]),
    keras.layers.Dense(10, activation=my_softplus, kernel_initializer=my_glorot_initializer,
                       kernel_regularizer=my_l1_regularizer, kernel_constraint=my_positive_weights),
    keras.layers.Dense(1),
])
model.compile(loss=HuberLoss(2.0), optimizer="nadam", metrics=["mae", HuberMetric(2.0)])
h = model.fit(X_train.astype(np.float32), y_train.astype(np.float32), epochs=3, validation_data=(X_valid, y_valid))
assert (model.layers[1].get_weights()[0] >= 0).all()
model.save("my_model_with_a_custom_loss.h5")
again = keras.models.load_model("my_model_with_a_custom_loss.h5", custom_objects={
    "HuberLoss": HuberLoss, "HuberMetric": HuberMetric, "MyDense": MyDense, "my_l1_regularizer": my_l1_regularizer,
    "my_positive_weights": my_positive_weights, "my_glorot_initializer": my_glorot_initializer, "my_softplus": my_softplus})
assert np.allclose(again.predict(X_valid), model.predict(X_valid), atol=1e-5)


class ReconstructingRegressor(keras.models.Model):
    def __init__(self, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.hidden = [keras.layers.Dense(12, activation="selu", kernel_initializer="lecun_normal") for _ in range(3)]
        self.out = keras.layers.Dense(output_dim)

    def build(self, batch_input_shape):
        n_inputs = batch_input_shape[-1]
        self.reconstruct = keras.layers.Dense(n_inputs)
        super().build(batch_input_shape)

    def call(self, inputs):
        Z = inputs
        for layer in self.hidden:
            Z = layer(Z)
        reconstruction = self.reconstruct(Z)
        recon_loss = tf.reduce_mean(tf.square(reconstruction - inputs))
        self.add_loss(0.05 * recon_loss)
        return self.out(Z)

model = ReconstructingRegressor(1)
model.compile(loss="mse", optimizer="nadam")
history = model.fit(X_train, y_train, epochs=2)
assert len(model.losses) <= 1 and history.history["loss"][1] < history.history["loss"][0]

# gradients
w1, w2 = tf.Variable(5.), tf.Variable(3.)
with tf.GradientTape() as tape:
    z = 3 * w1 ** 2 + 2 * w1 * w2
assert [float(g) for g in tape.gradient(z, [w1, w2])] == [36., 10.]
with tf.GradientTape(persistent=True) as tape:
    z = 3 * w1 ** 2 + 2 * w1 * w2
dz_dw1, dz_dw2 = tape.gradient(z, w1), tape.gradient(z, w2)
del tape
c1 = tf.constant(5.)
with tf.GradientTape() as tape:
    tape.watch(c1)
    z = c1 ** 2
assert float(tape.gradient(z, c1)) == 10.

# a loop of one's own
l2_reg = keras.regularizers.l2(0.05)
model = keras.models.Sequential([
    keras.layers.Dense(30, activation="elu", kernel_initializer="he_normal", kernel_regularizer=l2_reg),
    keras.layers.Dense(1, kernel_regularizer=l2_reg)
])


def random_batch(X, y, batch_size=32):
    idx = np.random.randint(len(X), size=batch_size)
    return X[idx], y[idx]


def print_status_bar(iteration, total, loss, metrics=None):
    metrics = " - ".join(["{}: {:.4f}".format(m.name, m.result()) for m in [loss] + (metrics or [])])
    end = "" if iteration < total else "\n"
    print("\r{}/{} - ".format(iteration, total) + metrics, end=end)

n_epochs, batch_size = 3, 16
n_steps = len(X_train) // batch_size
optimizer = keras.optimizers.Nadam(lr=0.01)
loss_fn = keras.losses.mean_squared_error
mean_loss = keras.metrics.Mean()
metrics = [keras.metrics.MeanAbsoluteError()]
seen = []
for epoch in range(1, n_epochs + 1):
    print("Epoch {}/{}".format(epoch, n_epochs))
    for step in range(1, n_steps + 1):
        X_batch, y_batch = random_batch(X_train, y_train)
        with tf.GradientTape() as tape:
            y_pred = model(X_batch, training=True)
            main_loss = tf.reduce_mean(loss_fn(y_batch, y_pred))
            loss = tf.add_n([main_loss] + model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        for variable in model.variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        mean_loss(loss)
        for metric in metrics:
            metric(y_batch, y_pred)
        print_status_bar(step * batch_size, len(y_train), mean_loss, metrics)
    seen.append(float(mean_loss.result()))
    for metric in [mean_loss] + metrics:
        metric.reset_states()
assert seen[-1] < seen[0]
