"""What tutorials of Keras 2 train, in their spelling, on tf-keras and on minikeras.

From equal weights and on equal batches: losses and weights are equal after some steps.
"""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import minikeras
from minikeras import dialects

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(24, 6)).astype("float32")
CLASSES = np.eye(3, dtype="float32")[RNG.integers(0, 3, 24)]
YES = (ROWS.sum(1, keepdims=True) > 0).astype("float32")
IMAGES = RNG.uniform(size=(24, 8, 8, 2)).astype("float32")
SERIES = RNG.normal(size=(24, 5, 3)).astype("float32")
WORDS = RNG.integers(1, 9, (24, 7))


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def sgd(keras, **options):
    kind = keras.optimizers.SGD if keras is minikeras else keras.optimizers.legacy.SGD
    return kind(**options)


def adam(keras, **options):
    kind = keras.optimizers.Adam if keras is minikeras else keras.optimizers.legacy.Adam
    return kind(**options)


def clinic(keras):
    """A first network, with a rate that decays and a bound on weights."""
    L, model = keras.layers, keras.models.Sequential()
    bound = keras.constraints.max_norm(1.0)
    model.add(L.Dense(8, input_dim=6, activation="relu", kernel_constraint=bound))
    model.add(L.Dense(1, activation="sigmoid"))
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    model.compile(
        sgd(keras, lr=0.1, momentum=0.8, decay=0.05, nesterov=True), "binary_crossentropy"
    )
    return model, ROWS, YES


def colours(keras):
    """A convolutional network with batch normalization."""
    L = keras.layers
    model = keras.models.Sequential(
        [
            # No bias: its gradient is nothing but rounding, which Adam would make large.
            L.Conv2D(4, (3, 3), padding="same", use_bias=False, input_shape=(8, 8, 2)),
            L.BatchNormalization(momentum=0.8),
            L.Activation("relu"),
            L.MaxPooling2D(pool_size=(2, 2)),
            L.Conv2D(3, 3, strides=2, activation="elu"),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile(adam(keras, lr=0.01), "categorical_crossentropy", metrics=["acc"])
    return model, IMAGES, CLASSES


def sentiment(keras):
    """Masked words in both directions."""
    L = keras.layers
    model = keras.models.Sequential()
    model.add(L.Embedding(9, 4, mask_zero=True, input_length=7))
    model.add(L.Bidirectional(L.LSTM(3, return_sequences=True)))
    model.add(L.Bidirectional(L.GRU(2), merge_mode="sum"))
    model.add(L.Dense(1, activation="sigmoid"))
    model.compile(sgd(keras, lr=0.5), "binary_crossentropy")
    words = np.where(np.arange(7) < RNG.integers(2, 8, (24, 1)), WORDS, 0)
    return model, words, YES


def two_outputs(keras):
    """A regression and a classification, weighed."""
    L = keras.layers
    x = L.Input(shape=(6,), name="rows")
    hidden = L.Dense(5, activation="tanh")(x)
    outputs = [
        L.Dense(1, name="much")(hidden),
        L.Dense(3, activation="softmax", name="kind")(hidden),
    ]
    model = keras.models.Model(inputs=x, outputs=outputs)
    model.compile(
        adam(keras, lr=0.02),
        loss={"much": "mae", "kind": "categorical_crossentropy"},
        loss_weights={"much": 0.3, "kind": 1.0},
    )
    return model, ROWS, {"much": ROWS[:, :1], "kind": CLASSES}


def siamese(keras):
    """One network for two inputs, and their distance."""
    L, K = keras.layers, keras.backend
    tower = keras.models.Sequential([L.Dense(4, activation="relu", input_shape=(6,))])
    a, b = L.Input((6,)), L.Input((6,))

    def distance(pair):
        return K.sqrt(K.maximum(K.sum(K.square(pair[0] - pair[1]), axis=1, keepdims=True), 1e-3))

    d = L.Lambda(distance, output_shape=lambda shapes: (shapes[0][0], 1))([tower(a), tower(b)])
    model = keras.models.Model([a, b], d)

    def contrastive(y, p):
        return K.mean(y * K.square(p) + (1 - y) * K.square(K.maximum(1 - p, 0)))

    model.compile(sgd(keras, lr=0.1), contrastive)
    return model, [ROWS, ROWS[::-1].copy()], YES


def factors(keras):
    """Users and things, as a product of what is known of them."""
    L = keras.layers
    user, thing = L.Input((1,)), L.Input((1,))
    u = L.Embedding(9, 4, embeddings_regularizer=keras.regularizers.l2(0.01))(user)
    t = L.Embedding(9, 4)(thing)
    bias = L.Flatten()(L.Embedding(9, 1)(thing))
    x = L.add([L.Flatten()(L.dot([u, t], axes=2)), bias])
    model = keras.models.Model([user, thing], x)
    model.compile(sgd(keras, lr=0.2), "mse")
    return model, [WORDS[:, :1], WORDS[:, 1:2]], YES


def segments(keras):
    """A small U-Net with the Dice coefficient."""
    L, K = keras.layers, keras.backend

    def dice(y, p):
        y, p = K.flatten(y), K.flatten(p)
        return -(2.0 * K.sum(y * p) + 1.0) / (K.sum(y) + K.sum(p) + 1.0)

    x = L.Input((8, 8, 2))
    first = L.Conv2D(3, 3, activation="relu", padding="same")(x)
    low = L.Conv2D(4, 3, activation="relu", padding="same")(L.MaxPooling2D((2, 2))(first))
    up = L.Conv2DTranspose(3, (2, 2), strides=(2, 2), padding="same")(low)
    both = L.concatenate([up, first, L.UpSampling2D(2)(low)], axis=3)
    model = keras.models.Model(x, L.Conv2D(1, 1, activation="sigmoid")(both))
    model.compile(adam(keras, lr=0.01), dice)
    return model, IMAGES, (IMAGES[..., :1] > 0.5).astype("float32")


def residual(keras):
    """Shortcuts, penalties, and averages over the image."""
    L = keras.layers
    penalty = keras.regularizers.l2(1e-2)
    x = L.Input((8, 8, 2))
    y = L.Conv2D(4, 3, padding="same", kernel_regularizer=penalty)(x)
    z = L.Activation("relu")(L.BatchNormalization()(y))
    z = L.Conv2D(4, 3, padding="same", kernel_regularizer=penalty)(z)
    z = L.Activation("relu")(L.add([y, z]))
    model = keras.models.Model(x, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(z)))
    model.compile(sgd(keras, lr=0.05, momentum=0.9), "categorical_crossentropy")
    return model, IMAGES, CLASSES


def translation(keras):
    """An encoder's states begin a decoder."""
    L = keras.layers
    source, target = L.Input((None, 3)), L.Input((None, 3))
    _, h, c = L.LSTM(4, return_state=True)(source)
    decoded, _, _ = L.LSTM(4, return_sequences=True, return_state=True)(
        target, initial_state=[h, c]
    )
    model = keras.models.Model([source, target], L.Dense(3, activation="softmax")(decoded))
    model.compile(sgd(keras, lr=0.3), "categorical_crossentropy")
    return model, [SERIES, SERIES[:, ::-1].copy()], np.eye(3, dtype="float32")[SERIES.argmax(-1)]


def attention(keras):
    """A layer of one's own, with names first and arithmetic of the backend."""
    K = keras.backend

    class Attention(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(name="w", shape=(shape[-1], 1), initializer="glorot_uniform")
            self.b = self.add_weight(name="b", shape=(shape[1], 1), initializer="zeros")
            super().build(shape)

        def call(self, x):
            e = K.exp(K.tanh(K.dot(x, self.w) + self.b))
            return K.sum(x * e / (K.sum(e, axis=1, keepdims=True) + K.epsilon()), axis=1)

        def compute_output_shape(self, shape):
            return (shape[0], shape[-1])

    L = keras.layers
    x = L.Input((5, 3))
    states = L.GRU(4, return_sequences=True, reset_after=False)(x)
    model = keras.models.Model(x, L.Dense(1)(Attention()(states)))
    model.compile(adam(keras, lr=0.02), "logcosh")
    return model, SERIES, YES


def frames(keras):
    """A convolution at each step, then a recurrence."""
    L = keras.layers
    model = keras.models.Sequential()
    model.add(L.TimeDistributed(L.Conv1D(2, 2, activation="relu"), input_shape=(4, 8, 2)))
    model.add(L.TimeDistributed(L.Flatten()))
    model.add(L.SimpleRNN(4, activation="tanh"))
    model.add(L.Dense(3, activation="softmax"))
    model.compile(sgd(keras, lr=0.2), "categorical_crossentropy")
    return model, IMAGES.reshape(24, 8, 8, 2)[:, ::2], CLASSES


def selu(keras):
    """Networks that normalize themselves, and a loss with a threshold."""
    L = keras.layers
    model = keras.models.Sequential()
    model.add(L.Dense(8, input_shape=(6,), kernel_initializer="lecun_normal", activation="selu"))
    model.add(L.Dense(4, activation="selu", bias_regularizer="l1"))
    model.add(L.PReLU())
    model.add(L.Dense(1))
    model.compile(sgd(keras, lr=0.01, clipnorm=0.5), keras.losses.Huber(0.5))
    return model, ROWS, ROWS[:, :1] * 2


def autoencoder(keras):
    """Convolutions down and up again; a penalty on what is in between."""
    L = keras.layers
    x = L.Input((8, 8, 2))
    y = L.Conv2D(3, 3, activation="relu", padding="same", strides=2)(x)
    y = L.Dense(2, activity_regularizer=keras.regularizers.l1(1e-3))(y)
    y = L.Conv2DTranspose(2, 3, strides=2, padding="same", activation="sigmoid")(y)
    model = keras.models.Model(x, y)
    model.compile(adam(keras, lr=0.01), "binary_crossentropy")
    return model, IMAGES, IMAGES


def separable(keras):
    """Convolutions that are apart in space and channels."""
    L = keras.layers
    model = keras.models.Sequential()
    model.add(L.SeparableConv2D(4, 3, padding="same", depth_multiplier=2, input_shape=(8, 8, 2)))
    model.add(L.LeakyReLU(alpha=0.1))
    model.add(L.DepthwiseConv2D(3, strides=(2, 2)))
    model.add(L.GlobalMaxPooling2D())
    model.add(L.Dense(1, activation="sigmoid"))
    model.compile(sgd(keras, lr=0.1), "binary_crossentropy")
    return model, IMAGES, YES


def focal(keras):
    """A loss in TensorFlow's words, weights of classes at hand."""
    K = keras.backend

    def loss(y, p):
        p = K.clip(p, K.epsilon(), 1 - K.epsilon())
        right = K.switch(K.equal(y, 1), p, 1 - p)
        return K.mean(-K.pow(1 - right, 2.0) * K.log(right), axis=-1)

    model = keras.models.Sequential([keras.layers.Dense(1, activation="sigmoid", input_dim=6)])
    model.compile(sgd(keras, lr=0.5), loss)
    return model, ROWS, YES


RECIPES = [
    clinic, colours, sentiment, two_outputs, siamese, factors, segments, residual, translation,
    attention, frames, selu, autoencoder, separable, focal,
]  # fmt: skip


def equal_weights(theirs, ours):
    values = [w * 1.0 for w in theirs.get_weights()]
    rng = np.random.default_rng(7)
    # Biases too, so that none is zero by chance.
    values = [
        v + rng.normal(size=v.shape).astype("float32") * 0.05 * (v == 0).all() for v in values
    ]
    for model in (theirs, ours):
        model.set_weights(values)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.__name__)
def test_recipe(recipe):
    (theirs, x, y), (ours, *_) = (recipe(package) for package in (tf_keras, minikeras))
    theirs.run_eagerly = True
    equal_weights(theirs, ours)
    losses = []
    for model in (theirs, ours):
        fit = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        losses.append(fit.history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-4)
    for one, other in zip(theirs.get_weights(), ours.get_weights()):
        np.testing.assert_allclose(other, one, rtol=5e-3, atol=5e-4)
    assert losses[0][-1] != losses[0][0]


def test_adversaries_of_one_optimizer():
    """A judge that is compiled, then frozen for the model with the forger; both share Adam."""

    def make(keras):
        optimizer = adam(keras, lr=0.02, beta_1=0.5)
        L = keras.layers
        image, z = L.Input((6,)), L.Input((3,))
        judge = keras.models.Model(image, L.Dense(1, activation="sigmoid")(image))
        judge.compile(optimizer, "binary_crossentropy")
        forge = keras.models.Sequential([L.Dense(6, activation="tanh", input_dim=3)])
        judge.trainable = False
        both = keras.models.Model(z, judge(forge(z)))
        both.compile(optimizer, "binary_crossentropy")
        judge.run_eagerly = both.run_eagerly = True
        return judge, forge, both

    theirs, ours = make(tf_keras), make(minikeras)
    for one, other in zip(theirs[:2], ours[:2]):
        equal_weights(one, other)
    ones = np.ones((24, 1), "float32")
    for _ in range(5):
        found = []
        for judge, forge, both in (theirs, ours):
            real = judge.train_on_batch(ROWS, ones)
            fake = judge.train_on_batch(np.asarray(forge(SERIES[:, 0])), 0 * ones)
            found.append([real, fake, both.train_on_batch(SERIES[:, 0], ones)])
        np.testing.assert_allclose(found[1], found[0], rtol=2e-4)
    assert int(ours[0].optimizer.iterations) == 15


def test_steps_of_ones_own():
    """`compiled_loss` and `compiled_metrics` in a `train_step`."""

    def make(keras):
        class Model(keras.Model):
            def train_step(self, data):
                x, y = data
                with tape() as recorded:
                    y_pred = self(x, training=True)
                    loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
                variables = self.trainable_variables
                gradients = recorded.gradient(loss, variables)
                self.optimizer.apply_gradients(zip(gradients, variables))
                self.compiled_metrics.update_state(y, y_pred)
                return {one.name: one.result() for one in self.metrics}

        tape = minikeras.GradientTape if keras is minikeras else tf.GradientTape
        x = keras.layers.Input((6,))
        hidden = keras.layers.Dense(4, activation="relu", kernel_regularizer="l2")(x)
        model = Model(x, keras.layers.Dense(1)(hidden))
        model.compile(sgd(keras, lr=0.1), "mse", metrics=["mae"])
        return model

    theirs, ours = make(tf_keras), make(minikeras)
    theirs.run_eagerly = True
    equal_weights(theirs, ours)
    histories = [
        model.fit(ROWS, YES, batch_size=8, epochs=3, shuffle=False, verbose=0).history
        for model in (theirs, ours)
    ]
    for name in ("loss", "mae"):
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=2e-4)
