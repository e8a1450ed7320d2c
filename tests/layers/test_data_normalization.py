import numpy as np
import pytest

import minikeras
from minikeras import layers
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer


def data(*shape):
    return (np.random.default_rng(0).normal(size=shape) * 3 + 1).astype("float32")


@pytest.mark.parametrize("invert", [False, True])
def test_given_moments(invert):
    check_layer(
        lambda **kw: layers.Normalization(
            mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0], invert=invert, **kw
        ),
        data(5, 3),
    )


@pytest.mark.parametrize("axis", [-1, None, (1, 2)])
def test_adapted(axis):
    x = data(50, 4, 3)
    layer = layers.Normalization(axis=axis, dtype="float64")
    layer.adapt(x)
    y = layer(x).numpy()
    kept = () if axis is None else tuple(np.atleast_1d(axis) % 3)
    over = tuple(i for i in range(3) if i not in kept)
    np.testing.assert_allclose(y.mean(over), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(over), 1, atol=1e-5)
    back = layers.Normalization(axis=axis, invert=True)
    back.adapt(x)
    np.testing.assert_allclose(back(y), x, rtol=1e-4, atol=1e-4)
    check_gradients(layer, x[:3])


def test_kinds_of_data():
    x = data(30, 2)
    expected = [x.mean(0), x.var(0)]

    class Batches(minikeras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return x[10 * index : 10 * index + 10], np.zeros(10)

    for source in (
        x,
        minikeras.ops.convert_to_tensor(x),
        [x[:7], x[7:]],
        (part for part in (x[:1], x[1:])),
        [(x[:7], np.zeros(7)), (x[7:], np.zeros(23))],
        Batches(),
    ):
        layer = layers.Normalization()
        layer.adapt(np.ones((3, 2)))
        layer.adapt(source)
        for variable, value in zip(layer.weights, expected):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5)


def test_set_weights_are_used():
    layer = layers.Normalization()
    layer.adapt(data(20, 2))
    layer.set_weights([np.array([1.0, 2.0]), np.array([4.0, 9.0]), np.array(0)])
    np.testing.assert_allclose(layer(np.array([[3.0, 5.0]])), [[1.0, 1.0]])


def test_lists_and_integers():
    layer = layers.Normalization(mean=1.0, variance=4.0)
    np.testing.assert_array_equal(layer([[1, 3], [5, -1]]), [[0, 1], [2, -1]])
    np.testing.assert_array_equal(layers.Rescaling(2.0, 1)([[1, 3]]), [[3.0, 7.0]])


@pytest.mark.parametrize(
    "action, error, message",
    [
        (lambda: layers.Normalization(mean=1.0), ValueError, "both"),
        (lambda: layers.Normalization(mean=1.0, variance=[1.0, 2.0]), ValueError, "same shape"),
        (lambda: layers.Normalization().adapt([]), ValueError, "empty iterable"),
        (lambda: layers.Normalization().adapt(3), TypeError, "Unsupported"),
        (lambda: layers.Normalization().adapt([1.0, 2.0]), TypeError, "shape"),
        (lambda: layers.Normalization(axis=4)(data(2, 3)), ValueError, "range"),
        (lambda: layers.Normalization().build((None, None)), ValueError, "known shape"),
        (
            lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(data(2, 3)),
            ValueError,
            "no use",
        ),
    ],
)
def test_errors(action, error, message):
    with pytest.raises(error, match=message):
        action()


def test_another_shape_than_built():
    layer = layers.Normalization()
    layer.adapt(data(4, 3))
    with pytest.raises(ValueError, match="incompatible shape"):
        layer.adapt(data(4, 2))


@pytest.mark.parametrize("scale, offset", [(0.5, 0.0), ([1.0, 2.0, 3.0], [0.0, 1.0, 2.0])])
def test_rescaling(scale, offset):
    check_layer(lambda **kw: layers.Rescaling(scale, offset, **kw), data(2, 4, 4, 3))


def test_rescaling_by_channel_first():
    minikeras.config.set_image_data_format("channels_first")
    try:
        y = layers.Rescaling([1.0, 2.0], [0.0, 1.0])(np.ones((1, 2, 3, 3), "float32")).numpy()
    finally:
        minikeras.config.set_image_data_format("channels_last")
    assert (y[0, 0] == 1).all() and (y[0, 1] == 3).all()
