import numpy as np
import pytest

from minikeras import layers
from tests.layer_contract import check_layer

X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32") * 3


@pytest.mark.parametrize(
    "make",
    [
        lambda **kw: layers.ReLU(**kw),
        lambda **kw: layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3, **kw),
        lambda **kw: layers.LeakyReLU(**kw),
        lambda **kw: layers.LeakyReLU(2.0, **kw),
        lambda **kw: layers.ELU(**kw),
        lambda **kw: layers.ELU(0.4, **kw),
        lambda **kw: layers.PReLU("random_uniform", **kw),
        lambda **kw: layers.PReLU("random_uniform", shared_axes=1, **kw),
        lambda **kw: layers.PReLU("random_uniform", shared_axes=[1, 2], **kw),
        lambda **kw: layers.Softmax(**kw),
        lambda **kw: layers.Softmax(axis=1, **kw),
        lambda **kw: layers.Softmax(axis=(1, 2), **kw),
        lambda **kw: layers.ActivityRegularization(0.1, 0.2, **kw),
    ],
)
def test_contract(make):
    check_layer(make, X, tolerance=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2)])
def test_masked_softmax(axis):
    mask = np.random.default_rng(1).random((3, 4, 5)) > 0.5
    mask[0] = False
    check_layer(lambda **kw: layers.Softmax(axis, **kw), X, mask=mask)
    y = layers.Softmax(axis)(X, mask=mask).numpy()
    assert (y[~mask] == 0).all()
    totals = y.sum(axis)
    assert np.allclose(totals[totals > 0], 1, atol=1e-6)


def test_mask_that_does_not_fit():
    with pytest.raises(ValueError, match="broadcastable"):
        layers.Softmax()(X, mask=np.ones((3, 4), bool))


def test_inputs_are_not_changed():
    for layer in (layers.ReLU(), layers.ELU(), layers.LeakyReLU(), layers.Softmax()):
        x = X.copy()
        layer(x)
        np.testing.assert_array_equal(x, X)


def test_activity_regularization():
    layer = layers.ActivityRegularization(l1=0.5, l2=0.25)
    x = np.array([[1.0, -2.0], [0.0, 4.0]], "float32")
    np.testing.assert_array_equal(layer(x), x)
    assert float(layer.losses[0]) == pytest.approx((0.5 * 7 + 0.25 * 21) / 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.ReLU(max_value=-1),
        lambda: layers.ReLU(negative_slope=-1),
        lambda: layers.ReLU(threshold=None),
        lambda: layers.LeakyReLU(-0.1),
        lambda: layers.LeakyReLU(None),
    ],
)
def test_bad_arguments(make):
    with pytest.raises(ValueError, match="negative"):
        make()


def test_old_alpha():
    with pytest.warns(DeprecationWarning, match="negative_slope"):
        assert layers.LeakyReLU(alpha=0.1).negative_slope == 0.1


def test_prelu_needs_known_axes():
    with pytest.raises(ValueError, match="shared_axes"):
        layers.PReLU().build((None, None, 3))
