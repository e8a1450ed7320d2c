"""What guides to Keras do, on both packages from equal weights: names, orders and numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import minikeras

# A few updates in float32 carry the rounding of sums along.
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
RNG = np.random.default_rng(1)
X = RNG.normal(size=(32, 6)).astype("float32")
Y = RNG.normal(size=(32, 1)).astype("float32")
QUIET = {"verbose": 0, "shuffle": False}


def spread(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(scale=0.4, size=tuple(weight.shape)).astype("float32"))
    return model


def tape(package):
    return tf.GradientTape() if package is keras else minikeras.GradientTape()


def outputs_in_a_dict(package, path):
    layers = package.layers
    inputs = package.Input((6,))
    outputs = {"z": layers.Dense(1, name="first")(inputs), "a": layers.Dense(1)(inputs)}
    for loss in ("mse", ["mse", "mae"], {"z": "mse", "a": "mae"}, {"a": "mse", "z": "mae"}):
        model = spread(package.Model(inputs, outputs))
        model.compile("sgd", loss, metrics={"z": ["mae"], "a": ["mse", "mae"]})
        targets = {"z": Y, "a": -Y}
        yield model.fit(X, targets, **QUIET).history
        yield model.evaluate(X, targets, verbose=0)


def outputs_without_names(package, path):
    class Two(package.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = package.layers.Dense(2), package.layers.Dense(1)

        def call(self, x):
            return self.one(x), self.other(x)

    model = Two()
    model(X)
    spread(model)
    targets = [np.ones((32, 2)), Y]
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse"]])
    yield model.fit(X, targets, epochs=2, **QUIET).history
    yield model.evaluate(X, targets, verbose=0)


def losses_of_layers(package, path):
    layers = package.layers

    class Endpoint(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.loss = package.losses.BinaryCrossentropy(from_logits=True)
            self.accuracy = package.metrics.BinaryAccuracy(name="hits")

        def call(self, logits, targets):
            self.add_loss(self.loss(targets, logits))
            self.accuracy.update_state(targets, logits)
            return package.ops.sigmoid(logits)

    inputs, targets = package.Input((6,), name="inputs"), package.Input((1,), name="targets")
    logits = layers.Dense(1, activity_regularizer="l2", kernel_regularizer="l1")(inputs)
    model = spread(package.Model([inputs, targets], Endpoint()(logits, targets)))
    model.compile("adam")
    data = {"inputs": X, "targets": (Y > 0).astype("float32")}
    yield model.fit(data, epochs=3, batch_size=10, **QUIET).history
    yield model.evaluate(data, verbose=0)


def a_step_of_ones_own(package, path):
    class Custom(package.Model):
        def train_step(self, data):
            x, y, sample_weight = data
            with tape(package) as recorded:
                loss = self.compute_loss(
                    y=y, y_pred=self(x, training=True), sample_weight=sample_weight
                )
            gradients = recorded.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss, "scaled": loss * 2}

    inputs = package.Input((6,))
    model = spread(Custom(inputs, package.layers.Dense(1)(inputs)))
    model.compile(package.optimizers.Adam(0.01), "mse")
    yield model.fit(X, Y, sample_weight=np.linspace(0, 1, 32), epochs=3, **QUIET).history
    yield model.get_weights()


def a_cell_of_ones_own(package, path):
    layers, ops = package.layers, package.ops

    class Cell(layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")

        def call(self, inputs, states):
            output = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent)
            return output, [output]

    rows = np.arange(60).reshape(10, 6) % 7
    inputs = package.Input((None,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True, embeddings_initializer="ones")(inputs)
    x = layers.RNN([Cell(4), layers.GRUCell(3)], return_sequences=True)(x)
    model = spread(package.Model(inputs, layers.TimeDistributed(layers.Dense(2))(x)))
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    weights = np.linspace(0, 1, 60).reshape(10, 6)
    yield model.fit(rows, np.ones((10, 6, 2)), sample_weight=weights, epochs=2, **QUIET).history
    yield model.predict(rows, verbose=0)
    yield [weight.path for weight in model.weights]


def training_that_goes_on_after_saving(package, path):
    inputs = package.Input((6,))
    model = spread(package.Model(inputs, package.layers.Dense(1)(inputs)))
    optimizer = package.optimizers.Adam(0.01, gradient_accumulation_steps=2, use_ema=True)
    model.compile(optimizer, "mse")
    yield model.fit(X, Y, batch_size=8, epochs=2, **QUIET).history
    model.save(path)
    again = package.models.load_model(path)
    yield [variable.numpy() for variable in again.optimizer.variables]
    yield again.fit(X, Y, batch_size=8, epochs=2, **QUIET).history


GUIDES = [
    outputs_in_a_dict,
    outputs_without_names,
    losses_of_layers,
    a_step_of_ones_own,
    a_cell_of_ones_own,
    training_that_goes_on_after_saving,
]


def agree(ours, theirs):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for name in theirs:
            agree(ours[name], theirs[name])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            agree(one, other)
    elif isinstance(theirs, str):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.__name__)
def test_a_guide_gives_the_same(guide, tmp_path):
    results = []
    for package in (minikeras, keras):
        package.utils.clear_session()
        results.append(list(guide(package, tmp_path / f"{package.__name__}.keras")))
    agree(*results)
