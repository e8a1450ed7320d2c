"""Which Keras a script was written for, and the defaults that it had."""

import ast
import inspect
import sys

import numpy as np
import pytest

import minikeras
from minikeras import dialects, layers, optimizers
from minikeras.dialects import generations


@pytest.fixture(autouse=True)
def today():
    dialects.silence()
    yield
    generations.use(3)
    dialects.silence(False)


@pytest.mark.parametrize(
    "source, generation",
    [
        ("from keras.layers import Dense\nmodel.fit(x, y, nb_epoch=2)", 1),
        ("import keras.objectives", 1),
        ("from keras.objectives import mse", 1),
        ("import keras\nConvolution2D(8, 3, 3, border_mode='same')", 1),
        ("from keras.optimizers import SGD\nSGD(lr=0.1)", 2),
        ("from keras.layers.core import Dense", 2),
        ("from keras.utils import np_utils", 2),
        ("import keras\nmodel.fit_generator(g)", 2),
        ("from keras import backend as K\nK.sum(x)", 2),
        ("import keras.backend as KB\nKB.batch_dot(x, y)", 2),
        ("import tensorflow.python.client\nimport keras\nkeras.optimizers.SGD(lr=0.1)", 2),
        # Spelled as today, too.
        ("from keras import backend as K\nK.clear_session()", 3),
        ("import keras\nfrom jax import numpy as K\nK.sum(x)", 3),
        ("import keras\nkeras.optimizers.Adadelta()", 3),
        ("import keras\nbuild(lr=0.1)\nclassifier.predict_proba(x)", 3),
        ("import keras\nEmbedding(input_dim=3, output_dim=2)", 3),
        # TensorFlow's.
        ("from tensorflow.keras.optimizers import Adam\nAdam(lr=0.1)", 3),
        ("from tensorflow.python.keras import optimizers\noptimizers.Adam(lr=0.1)", 3),
        ("import tensorflow as tf\nimport keras\ntf.keras.optimizers.Adam(lr=0.1)", 3),
        ("import numpy\nsomething(nb_epoch=2)", 3),
    ],
)
def test_recognised(source, generation):
    assert generations.written_for(ast.parse(source)) == generation


def test_defaults():
    def seen():
        return (
            layers.LSTM(2).get_config()["recurrent_activation"],
            layers.GRU(2).get_config()["reset_after"],
            layers.GRUCell(2).get_config()["recurrent_activation"],
            layers.ConvLSTM2D(2, 3).get_config()["recurrent_activation"],
            round(optimizers.Adadelta().get_config()["learning_rate"], 6),
            round(optimizers.get("adamax").get_config()["learning_rate"], 6),
        )

    now = seen()
    signature = inspect.signature(layers.GRU)
    generations.use(1)
    old = "keras2_hard_sigmoid"
    assert seen() == (old, False, old, old, 1.0, 0.002)
    assert layers.GRU(2, reset_after=True).get_config()["reset_after"]
    generations.use(2)
    assert seen() == ("sigmoid", False, "sigmoid", old, 1.0, 0.002)
    generations.use(3)
    assert seen() == now == ("sigmoid", True, "sigmoid", "sigmoid", 0.001, 0.001)
    assert inspect.signature(layers.GRU) == signature


def test_sizes_of_windows_one_by_one():
    assert layers.Conv2D(4, 3, 2).get_config()["strides"] == (2, 2)
    generations.use(1)
    config = layers.Conv2D(4, 3, 2).get_config()
    assert config["kernel_size"] == (3, 2) and config["strides"] == (1, 1)
    assert layers.Conv2D(4, 3, strides=2).get_config()["strides"] == (2, 2)
    generations.use(3)
    assert layers.Conv2D(4, 3, 2).get_config()["strides"] == (2, 2)


def _steps(optimizer, gradients):
    weight = minikeras.Variable(np.array([1.0, -2.0], "float32"))
    for gradient in gradients:
        optimizer.apply([np.asarray(gradient, "float32")], [weight])
    return np.asarray(weight)


def test_rules():
    """As the formulas of 2.3.1, in float64."""
    generations.use(2)
    gradients = [[1e-4, 0.5], [2e-4, -0.25], [1e-4, 1.0]]
    w, a, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    first, second = w.copy(), w.copy()
    for g in np.array(gradients):
        a = a + g**2
        first = first - 0.01 * g / (np.sqrt(a) + 1e-7)
        v = 0.9 * v + 0.1 * g**2
        second = second - 0.001 * g / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(_steps(optimizers.Adagrad(), gradients), first, rtol=1e-5)
    np.testing.assert_allclose(_steps(optimizers.get("rmsprop"), gradients), second, rtol=1e-5)

    w, m, v, product = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2), 1.0
    for t, g in enumerate(np.array(gradients), 1):
        now, following = (0.9 * (1 - 0.5 * 0.96 ** (one * 0.004)) for one in (t, t + 1))
        product *= now
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ahead = (1 - now) * g / (1 - product) + following * m / (1 - product * following)
        w = w - 0.002 * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
    np.testing.assert_allclose(_steps(optimizers.Nadam(), gradients), w, rtol=1e-5)


def test_own_classes_stay_what_they_are():
    generations.use(2)

    class Mine(optimizers.RMSprop):
        pass

    assert type(Mine()) is Mine


def test_average_pooling_had_a_size():
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    pooled = layers.AveragePooling2D()(x)
    np.testing.assert_array_equal(pooled, layers.AveragePooling2D(2)(x))
    assert layers.AveragePooling1D(padding="same").get_config()["pool_size"] == (2,)

    class Mine(layers.AveragePooling2D):
        def __init__(self):
            super().__init__(3)

    assert Mine().get_config()["pool_size"] == (3, 3)


def test_names_of_weights_came_first():
    class Mine(layers.Layer):
        def build(self, shape):
            self.a = self.add_weight("a", shape=(shape[-1], 2), initializer="ones")
            self.b = self.add_weight("b", (2,), None, "zeros", None, False)

        def call(self, x):
            return minikeras.ops.matmul(x, self.a) + self.b

    layer = Mine()
    assert np.asarray(layer(np.ones((1, 3), "float32"))).tolist() == [[3, 3]]
    assert [one.name for one in layer.trainable_weights] == ["a"] and layer.b.name == "b"
    assert minikeras.metrics.Mean().add_weight("total", initializer="ones").name == "total"


def test_short_names_of_metrics():
    x, y = np.ones((2, 2)), np.zeros((2, 2))
    assert np.asarray(minikeras.metrics.mae(x, y)).tolist() == [1, 1]
    assert minikeras.metrics.mse is minikeras.losses.mean_squared_error


def test_losses_that_are_no_scalars_are_summed():
    class Mine(layers.Layer):
        def call(self, x):
            self.add_loss(x * 2.0)
            return x

    kernel = np.ones((2, 1), "float32")
    model = minikeras.Sequential([minikeras.Input((2,)), layers.Dense(1, use_bias=False), Mine()])
    model.set_weights([kernel])
    model.compile(optimizers.SGD(1.0))
    x = np.ones((3, 2), "float32")
    assert model.fit(x, verbose=0).history["loss"] == [12]
    np.testing.assert_allclose(model.get_weights()[0], kernel - 6)


@pytest.mark.parametrize("name, kernel", [("Conv2D", (3, 2)), ("Conv3D", (2, 3, 2))])
def test_kernels_of_channels_first_began_with_the_filters(name, kernel):
    rank = len(kernel)
    today = getattr(layers, name)(4, kernel, data_format="channels_first")
    today.build((None, 5, *[8] * rank))
    stored = today.get_weights()[0]
    generations.use(1)
    first, bias = today.get_weights()
    assert first.shape == (4, 5, *kernel) and bias.shape == (4,)
    np.testing.assert_array_equal(np.moveaxis(first, (0, 1), (-1, -2)), stored)
    twin = getattr(layers, name)(4, kernel, data_format="channels_first", weights=[first, bias])
    twin(minikeras.Input((5, *[8] * rank)))
    generations.use(3)
    np.testing.assert_array_equal(twin.get_weights()[0], stored)
    assert getattr(layers, name)(4, kernel).get_weights() == []


def test_batches_were_multiplied_as_matrices():
    """Until 2.2.4 the axes before the last two were those of the batch: heads of attention."""
    K = minikeras.backend
    rng = np.random.default_rng(0)
    queries, keys = (rng.normal(size=(2, 3, length, 5)) for length in (4, 6))
    assert K.batch_dot(queries, keys, axes=[3, 3]).shape == (2, 3, 4, 3, 6)
    for generation in (1, 2):
        generations.use(generation)
        scores = K.batch_dot(queries, keys, axes=[3, 3])
        np.testing.assert_allclose(scores, np.einsum("bhid,bhjd->bhij", queries, keys), rtol=1e-5)
        mixed = K.batch_dot(scores, keys, axes=[3, 2])
        assert mixed.shape == (2, 3, 4, 5)
        # Capsules: one vector each, of weights for the inputs.
        weights = rng.normal(size=(2, 3, 6))
        summed = K.batch_dot(weights, keys, [2, 2])
        np.testing.assert_allclose(summed, np.einsum("bni,bnid->bnd", weights, keys), rtol=1e-5)
        # Three axes at most: as today.
        assert K.batch_dot(weights, weights, axes=2).shape == (2, 3, 3)
    generations.use(3)
    assert K.batch_dot(queries, keys, axes=[3, 3]).shape == (2, 3, 4, 3, 6)


def test_fit_had_ten_epochs():
    model = minikeras.Sequential([minikeras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones(4)
    generations.use(1)
    assert len(model.fit(x, y, verbose=0).history["loss"]) == 10
    assert len(model.fit(x, y, 2, 3, verbose=0).history["loss"]) == 3
    generations.use(2)
    assert len(model.fit(x, y, verbose=0).history["loss"]) == 1


@pytest.mark.parametrize("generation", [1, 2])
def test_layers_of_sequences_had_no_order_of_dimensions(generation):
    minikeras.backend.set_image_data_format("channels_first")
    try:
        generations.use(generation)
        x = minikeras.Input((20, 4))
        assert layers.Conv1D(8, 3)(x).shape == (None, 18, 8)
        assert layers.MaxPooling1D(2)(x).shape == (None, 10, 4)
        assert layers.GlobalMaxPooling1D()(x).shape == (None, 4)
        assert layers.Conv2D(8, 3).data_format == "channels_first"
        if generation == 1:
            images = np.arange(8.0).reshape(1, 2, 2, 2)
            assert layers.Flatten()(images).numpy().tolist() == [list(range(8))]
    finally:
        minikeras.backend.set_image_data_format("channels_last")


@pytest.mark.parametrize("generation", [1, 2])
def test_old_names_of_convolutions_are_today_s_classes(generation):
    generations.use(generation)
    for name, today, sizes in (
        ("Convolution2D", "Conv2D", (3, 2)),
        ("SeparableConvolution2D", "SeparableConv2D", (3, 2)),
        ("Deconvolution2D", "Conv2DTranspose", (3, 2)),
        ("Convolution3D", "Conv3D", (3, 2, 1)),
    ):
        old = getattr(layers, name)
        assert old is getattr(layers, today)
        assert type(old(4, *sizes)) is old and old(4, *sizes).kernel_size == sizes
        assert old(4, sizes).kernel_size == sizes
    generations.use(3)
    assert layers.Convolution2D is not layers.Conv2D
    assert layers.Conv2D(4, 3, 2).strides == (2, 2)


def test_an_embedding_may_fix_its_batch():
    with pytest.warns(UserWarning, match="`input_length` is deprecated"):
        layer = layers.Embedding(20, 5, input_length=8, batch_input_shape=(10, 8))
    assert minikeras.Sequential([layer]).input_shape == (10, 8)


def test_callbacks_found_more_in_their_params(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("keras", "tensorflow")]:
        monkeypatch.delitem(sys.modules, name)  # another test may have imported the real one
    seen = []

    class Watch(minikeras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(self.params)

    model = minikeras.Sequential([minikeras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((4, 2)), np.ones(4)
    options = {"batch_size": 2, "verbose": 0, "callbacks": [Watch()]}
    model.fit(x, y, **options)
    with minikeras.install_as_keras():
        model.fit(x, y, epochs=3, validation_data=(x, y), **options)
    today = {"verbose": 0, "epochs": 1, "steps": 2}
    assert seen[0] == today
    assert seen[1] == {
        **today,
        "epochs": 3,
        "nb_epoch": 3,
        "samples": 4,
        "nb_sample": 4,
        "batch_size": 2,
        "do_validation": True,
        "metrics": ["loss", "mae", "val_loss", "val_mae"],
    }
