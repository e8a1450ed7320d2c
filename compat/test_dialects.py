"""The spellings of Keras 2, against the Keras that spoke it (tf-keras)."""

import numpy as np
import pytest
import tf_keras

import minikeras
from minikeras import dialects

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


LAYERS = {
    "LSTM": lambda k: k.layers.LSTM(4, batch_input_shape=(4, 3, 5), implementation=1),
    "GRU": lambda k: k.layers.GRU(4, input_shape=(3, 5), time_major=False),
    "BatchNormalization": lambda k: k.layers.BatchNormalization(fused=False, input_shape=(3, 5)),
    "Dense": lambda k: k.layers.Dense(2, weights=[np.ones((5, 2)), np.ones(2)]),
    "LeakyReLU": lambda k: k.layers.LeakyReLU(alpha=0.2),
    "ThresholdedReLU": lambda k: k.layers.ThresholdedReLU(theta=0.5),
    "LocallyConnected1D": lambda k: k.layers.LocallyConnected1D(4, 2, input_shape=(3, 5)),
    "Convolution1D": lambda k: k.layers.Convolution1D(4, 2, input_shape=(3, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    ours = minikeras.Sequential([LAYERS[name](minikeras)])
    theirs = tf_keras.Sequential([LAYERS[name](tf_keras)])
    expected = theirs(X).numpy()
    found = np.asarray(ours(X))
    if name != "Dense":
        ours.set_weights(theirs.get_weights())
        found = np.asarray(ours(X))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_to_categorical_by_np_utils():
    from minikeras.utils import np_utils

    theirs = tf_keras.utils.to_categorical([0, 3], num_classes=5)
    assert np.array_equal(np_utils.to_categorical([0, 3], 5), theirs)


def test_checkpoints_every_few_epochs(tmp_path):
    saved = []
    for number, keras in enumerate((minikeras, tf_keras)):
        folder = tmp_path / str(number)
        folder.mkdir()
        model = keras.Sequential([keras.layers.Dense(1, input_shape=(5,))])
        model.compile("sgd", "mse")
        callback = keras.callbacks.ModelCheckpoint(
            str(folder / "{epoch}.h5"), period=2, save_weights_only=True
        )
        model.fit(X[:, 0], X[:, 1, :1], epochs=5, verbose=0, callbacks=[callback])
        saved.append(sorted(file.name for file in folder.iterdir()))
    assert saved[0] == saved[1]


@pytest.mark.parametrize("kind", ["gaussian", "laplacian"])
@pytest.mark.parametrize("scale", [None, 2.0])
def test_fourier_features(kind, scale):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    arguments = {"output_dim": 5, "kernel_initializer": kind, "scale": scale, "trainable": True}
    theirs = tf_keras.layers.experimental.RandomFourierFeatures(**arguments)
    ours = minikeras.layers.RandomFourierFeatures(**arguments)
    expected = theirs(x)
    ours(x)
    shapes = [one.shape for one in theirs.get_weights()]
    assert [one.shape for one in ours.get_weights()] == shapes
    # Laplacian: the scale that follows from the number of inputs, of each package's own.
    own, wanted = ({one.name.split("/")[-1].split(":")[0]: one for one in layer.weights}
                   for layer in (ours, theirs))  # fmt: skip
    assert own.keys() == wanted.keys()
    np.testing.assert_allclose(
        np.array(own["kernel_scale"]), wanted["kernel_scale"].numpy(), rtol=1e-6
    )
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(np.asarray(ours(x)), expected.numpy(), rtol=1e-5, atol=1e-6)
    assert [one.name.split("/")[-1].split(":")[0] for one in theirs.trainable_weights] == [
        one.name for one in ours.trainable_weights
    ]


@pytest.mark.parametrize("name", ["RandomHeight", "RandomWidth"])
@pytest.mark.parametrize("factor", [0.5, -0.25])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_random_sizes(name, factor, interpolation):
    images = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype("float32")
    drawn = [
        getattr(keras.layers, name)((factor, factor), interpolation=interpolation)
        for keras in (minikeras, tf_keras)
    ]
    for training in (False, True):
        ours, theirs = (np.asarray(layer(images, training=training)) for layer in drawn)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
