"""The spellings of Keras 2, against the Keras that spoke it (tf-keras)."""

import numpy as np
import pytest
import tf_keras

import minikeras
from minikeras import dialects

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
POSITIVE = np.abs(X) + 0.1
PROBABILITIES = POSITIVE / POSITIVE.sum(-1, keepdims=True)
LABELS = np.eye(5, dtype="float32")[np.array([[0, 1, 2]] * 4)]


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


BACKEND = {
    "sum": lambda K, x, p, q, t: K.sum(x, axis=-1, keepdims=True),
    "mean": lambda K, x, p, q, t: K.mean(x, axis=[1, 2]),
    "std": lambda K, x, p, q, t: K.std(x, axis=1),
    "var": lambda K, x, p, q, t: K.var(x, axis=1),
    "prod": lambda K, x, p, q, t: K.prod(x, axis=1),
    "square": lambda K, x, p, q, t: K.square(x),
    "pow": lambda K, x, p, q, t: K.pow(p, 1.5),
    "exp": lambda K, x, p, q, t: K.exp(x),
    "sqrt": lambda K, x, p, q, t: K.sqrt(p),
    "argmax": lambda K, x, p, q, t: K.argmax(x),
    "clip": lambda K, x, p, q, t: K.clip(x, -0.5, 0.5),
    "maximum": lambda K, x, p, q, t: K.maximum(x, p),
    "cast": lambda K, x, p, q, t: K.cast(x, "float64"),
    "concatenate": lambda K, x, p, q, t: K.concatenate([x, x]),
    "stack": lambda K, x, p, q, t: K.stack([x, x], axis=1),
    "permute_dimensions": lambda K, x, p, q, t: K.permute_dimensions(x, (2, 0, 1)),
    "reshape": lambda K, x, p, q, t: K.reshape(x, (-1, 5)),
    "flatten": lambda K, x, p, q, t: K.flatten(x),
    "batch_flatten": lambda K, x, p, q, t: K.batch_flatten(x),
    "expand_dims": lambda K, x, p, q, t: K.expand_dims(x),
    "squeeze": lambda K, x, p, q, t: K.squeeze(x[:, :1], 1),
    "repeat": lambda K, x, p, q, t: K.repeat(x[:, 0], 3),
    "repeat_elements": lambda K, x, p, q, t: K.repeat_elements(x, 2, axis=1),
    "reverse": lambda K, x, p, q, t: K.reverse(x, 1),
    "gather": lambda K, x, p, q, t: K.gather(x, np.array([2, 0])),
    "dot": lambda K, x, p, q, t: K.dot(x[:, 0], K.transpose(x[:, 0])),
    "batch_dot": lambda K, x, p, q, t: K.batch_dot(x, K.permute_dimensions(x, (0, 2, 1))),
    "batch_dot axes": lambda K, x, p, q, t: K.batch_dot(x[:, 0], x[:, 1], axes=1),
    "relu": lambda K, x, p, q, t: K.relu(x, alpha=0.2, max_value=1.0),
    "elu": lambda K, x, p, q, t: K.elu(x),
    "softmax": lambda K, x, p, q, t: K.softmax(x),
    "sigmoid": lambda K, x, p, q, t: K.sigmoid(x),
    "hard_sigmoid": lambda K, x, p, q, t: K.hard_sigmoid(x),
    "softplus": lambda K, x, p, q, t: K.softplus(x),
    "l2_normalize": lambda K, x, p, q, t: K.l2_normalize(x, axis=-1),
    "one_hot": lambda K, x, p, q, t: K.one_hot(np.array([0, 2]), 4),
    "switch": lambda K, x, p, q, t: K.switch(x > 0, x, -x),
    "binary_crossentropy": lambda K, x, p, q, t: K.binary_crossentropy(t, q),
    "categorical_crossentropy": lambda K, x, p, q, t: K.categorical_crossentropy(t, q),
    "constant": lambda K, x, p, q, t: K.constant(2, shape=(2, 3)),
    "eye": lambda K, x, p, q, t: K.eye(3),
    "zeros": lambda K, x, p, q, t: K.get_value(K.zeros((2, 3))),
    "variable": lambda K, x, p, q, t: K.get_value(K.variable(X)),
    "cumsum": lambda K, x, p, q, t: K.cumsum(x, axis=1),
    "not_equal": lambda K, x, p, q, t: K.not_equal(x, x[0]),
}


@pytest.mark.parametrize("name", BACKEND)
def test_backend_functions(name):
    call = BACKEND[name]
    ours, theirs = (
        np.asarray(call(K, *map(K.constant, (X, POSITIVE, PROBABILITIES, LABELS))))
        for K in (minikeras.backend, tf_keras.backend)
    )
    assert ours.shape == theirs.shape and ours.dtype.kind == theirs.dtype.kind
    # Sums in another order, exponentials of another library: a few units in the last place.
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)


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
