"""A convolution and the maximum pooling behind it run as one operation, with the same results."""

import numpy as np
import pytest

import minikeras
from minikeras import layers
from minikeras.layers.convolution_base import ConvolutionAndPooling
from tests.gradcheck import check_gradients

SHAPES = {1: (3, 11, 2), 2: (3, 9, 8, 2), 3: (2, 5, 6, 5, 2)}


def chain(rank, pool=None, data_format="channels_last", **arguments):
    dtype = arguments.pop("dtype", "float32")
    conv = getattr(layers, f"Conv{rank}D")(4, 2, data_format=data_format, dtype=dtype, **arguments)
    pool = {"pool_size": 2} if pool is None else pool
    pool = getattr(layers, f"MaxPooling{rank}D")(data_format=data_format, dtype=dtype, **pool)
    return conv, pool


def models(conv, pool, shape):
    """A model that joins the two, and one that cannot, with the same layers."""
    x = minikeras.Input(shape[1:], dtype=conv.dtype)
    between = conv(x)
    y = pool(between)
    return minikeras.Model(x, y), minikeras.Model(x, [between, y])


@pytest.mark.parametrize("activation", [None, "relu", "relu6"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_same_as_one_after_the_other(rank, data_format, use_bias, activation):
    conv, pool = chain(
        rank,
        data_format=data_format,
        activation=activation,
        use_bias=use_bias,
        padding="same",
        dtype="float64",
    )
    x = np.random.default_rng(0).standard_normal(SHAPES[rank])
    x = np.moveaxis(x, -1, 1) if data_format == "channels_first" else x
    joined, apart = models(conv, pool, x.shape)
    assert len(joined.graph.joined) == 1 and len(apart.graph.joined) == 2
    expected = apart.predict(x, verbose=0)[1]
    np.testing.assert_allclose(joined.predict(x, verbose=0), expected, atol=1e-12)
    operation = joined.graph.joined[0].operation
    assert isinstance(operation, ConvolutionAndPooling)
    check_gradients(operation, x, variables=conv.trainable_variables)


def test_training_is_the_same():
    x = np.random.default_rng(0).standard_normal((8, 9, 8, 1)).astype("float32")
    weights, losses = [], []
    for apart in (False, True):
        conv, pool = chain(2, activation="relu", kernel_initializer="ones")
        pair = models(conv, pool, x.shape)
        model = pair[apart]
        model.compile(
            "sgd", ["mse", "mse"] if apart else "mse", loss_weights=[0, 1] if apart else None
        )
        y = np.zeros((8, 4, 3, 4), "float32")
        targets = [np.zeros((8, 8, 7, 4), "float32"), y] if apart else y
        history = model.fit(x, targets, epochs=3, batch_size=4, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        weights.append(conv.get_weights())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "convolution, pooling",
    [
        ({"activation": "tanh"}, {"pool_size": 2}),
        ({"groups": 2}, {"pool_size": 2}),
        ({}, {"pool_size": 2, "strides": 1}),
        ({}, {"pool_size": 2, "padding": "same"}),
        ({"activation": lambda z: z * 2}, {"pool_size": 2}),
        ({"activity_regularizer": "l2"}, {"pool_size": 2}),
    ],
    ids=range(6),
)
def test_what_is_not_joined(convolution, pooling):
    conv, pool = chain(2, pooling, **convolution)
    joined, apart = models(conv, pool, SHAPES[2])
    assert len(joined.graph.joined) == 2
    x = np.random.default_rng(0).standard_normal(SHAPES[2]).astype("float32")
    np.testing.assert_array_equal(joined.predict(x, verbose=0), apart.predict(x, verbose=0)[1])


def test_a_users_subclass_is_called():
    class Doubled(layers.MaxPooling2D):
        def call(self, inputs):
            return super().call(inputs) * 2

    conv = layers.Conv2D(3, 2)
    x = np.random.default_rng(0).standard_normal((1, 5, 5, 1)).astype("float32")
    model = minikeras.Sequential([minikeras.Input((5, 5, 1)), conv, Doubled()])
    expected = 2 * layers.MaxPooling2D()(conv(x)).numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)


def test_an_activation_changed_later_counts():
    conv, pool = chain(2, activation="relu")
    joined, _ = models(conv, pool, SHAPES[2])
    conv.activation = minikeras.activations.tanh
    x = np.random.default_rng(0).standard_normal(SHAPES[2]).astype("float32")
    expected = pool(conv(x)).numpy()
    np.testing.assert_allclose(joined.predict(x, verbose=0), expected, rtol=1e-6)
    joined.compile("sgd", "mse")
    joined.fit(x, np.zeros_like(expected), verbose=0)
    assert not np.allclose(joined.predict(x, verbose=0), expected)


def test_frozen_and_low_rank_kernels():
    conv, pool = chain(2, activation="relu", lora_rank=2)
    x = np.random.default_rng(0).standard_normal(SHAPES[2]).astype("float32")
    joined, apart = models(conv, pool, x.shape)
    conv.lora_kernel_b.assign(np.ones(conv.lora_kernel_b.shape))
    np.testing.assert_allclose(
        joined.predict(x, verbose=0), apart.predict(x, verbose=0)[1], rtol=1e-5, atol=1e-6
    )
    before = [w.numpy() for w in conv.weights]
    joined.compile("sgd", "mse")
    joined.fit(x, np.zeros(joined.predict(x, verbose=0).shape), verbose=0)
    after = {w.name: not np.array_equal(w.numpy(), b) for w, b in zip(conv.weights, before)}
    assert after == {"kernel": False, "bias": True, "lora_kernel_a": True, "lora_kernel_b": True}
