"""Options of layers that Keras 1 had: `BatchNormalization(mode=)`, `Embedding(dropout=)`."""

import numpy as np
import pytest

import minikeras
from minikeras import dialects, layers

X = np.random.default_rng(0).normal(2, 3, size=(6, 4)).astype("float32")


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_modes_of_batch_normalization(mode, training):
    """By the definitions of Keras 1: statistics of each sample, or always of the batch."""
    layer = layers.BatchNormalization(epsilon=0.01, mode=mode)
    layer.build(X.shape)
    gamma, beta = np.arange(1.0, 5.0), np.arange(4.0)
    layer.set_weights([gamma, beta, np.full(4, 9.0), np.full(4, 9.0)])
    axis = -1 if mode == 1 else 0
    mean, deviation = X.mean(axis, keepdims=True), np.sqrt(X.var(axis, keepdims=True) + 0.01)
    if mode == 1:
        deviation = deviation + 0.01
    expected = (X - mean) / deviation * gamma + beta
    np.testing.assert_allclose(layer(X, training=training), expected, rtol=1e-5, atol=1e-5)
    assert float(layer.moving_mean[0]) == 9.0


def test_another_mode_is_an_error():
    with pytest.raises(ValueError, match="`mode` of BatchNormalization"):
        layers.BatchNormalization(mode=3)


def test_words_are_dropped_whole_and_only_in_training():
    minikeras.utils.set_random_seed(0)
    layer = layers.Embedding(50, 3, dropout=0.4)
    words = np.tile(np.arange(50), (2, 1))
    plain = np.asarray(layer(words))
    assert np.array_equal(plain, np.asarray(layer(words, training=False)))
    y = np.asarray(layer(words, training=True))
    assert np.array_equal(y[0], y[1])  # a word is dropped wherever it stands
    dropped = (y[0] == 0).all(-1)
    np.testing.assert_allclose(y[0][~dropped], plain[0][~dropped] / 0.6, rtol=1e-6)
    assert 0 < dropped.sum() < 50
    assert layers.Embedding(5, 2, dropout=0.0).__class__ is layers.Embedding
    with pytest.raises(ValueError, match="dropout"):
        layers.Embedding(5, 2, dropout=1.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.BatchNormalization(mode=2, input_shape=(4,)),
        lambda: layers.Embedding(9, 3, dropout=0.4, input_length=4),
    ],
)
@pytest.mark.filterwarnings("ignore:Argument `input_length`")
def test_they_train_and_are_saved(make, tmp_path):
    model = minikeras.Sequential([make(), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.abs(X).astype("int32") % 9
    before = model.get_weights()
    model.fit(x, X[:, :1], epochs=2, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])
    model.save(tmp_path / "m.keras")
    loaded = minikeras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert type(loaded.layers[0]) is type(model.layers[0])


@pytest.mark.parametrize("name, axis", [("RandomHeight", 1), ("RandomWidth", 2)])
def test_random_sizes_of_keras_2(name, axis, tmp_path):
    layer = getattr(layers, name)((0.5, 0.5), seed=1)
    images = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype("float32")
    taller = layer(images, training=True)
    assert taller.shape[axis] == 12 and taller.shape[3 - axis] == 8
    np.testing.assert_array_equal(layer(images, training=False), images)
    inputs = minikeras.Input((8, 8, 3))
    made = layer(inputs)
    assert made.shape[axis] is None
    model = minikeras.Model(inputs, layers.GlobalAveragePooling2D()(made))
    model.save(tmp_path / "model.keras")
    again = minikeras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(images), model.predict(images))
    assert again.layers[1].get_config() == {**layer.get_config(), "factor": [0.5, 0.5]}


@pytest.mark.parametrize("kind", ["gaussian", "laplacian"])
def test_fourier_features_approximate_a_kernel(kind):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    layer = layers.RandomFourierFeatures(20000, kernel_initializer=kind, scale=2.0)
    features = np.asarray(layer(x)) * np.sqrt(2 / 20000)
    apart = x[:, None] - x[None]
    wanted = (
        np.exp(-(apart**2).sum(-1) / 8)
        if kind == "gaussian"
        else np.exp(-np.abs(apart).sum(-1) / 2)
    )
    np.testing.assert_allclose(features @ features.T, wanted, atol=0.05)
    assert layer.trainable_weights == [] and len(layer.weights) == 3
    twin = layers.RandomFourierFeatures.from_config(layer.get_config())
    assert twin(x).shape == (4, 20000)
