import numpy as np
import pytest

from minikeras import layers
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.kernels import normalization as kernels
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


RANDOM = {"beta_initializer": "random_normal", "gamma_initializer": "random_uniform"}

CASES = [
    (lambda **kw: layers.BatchNormalization(**RANDOM, **kw), (6, 4)),
    (lambda **kw: layers.BatchNormalization(axis=1, center=False, **kw), (3, 4, 5)),
    (lambda **kw: layers.BatchNormalization(scale=False, **kw), (3, 2, 2, 5)),
    (
        lambda **kw: layers.BatchNormalization(
            renorm=True, renorm_clipping={"rmax": 1.5, "rmin": 0.5, "dmax": 1.0}, **kw
        ),
        (6, 4),
    ),
    (lambda **kw: layers.LayerNormalization(**RANDOM, **kw), (3, 5)),
    (lambda **kw: layers.LayerNormalization(axis=[1, 2], **RANDOM, **kw), (3, 5, 2)),
    (lambda **kw: layers.LayerNormalization(axis=1, scale=False, **kw), (3, 5, 2)),
    (lambda **kw: layers.LayerNormalization(center=False, **kw), (3, 2, 5)),
    (lambda **kw: layers.GroupNormalization(2, **RANDOM, **kw), (2, 3, 3, 4)),
    (lambda **kw: layers.GroupNormalization(-1, axis=1, **kw), (2, 4, 5)),
    (lambda **kw: layers.GroupNormalization(1, center=False, scale=False, **kw), (2, 4)),
    (lambda **kw: layers.RMSNormalization(**kw), (3, 5)),
    (lambda **kw: layers.RMSNormalization(axis=[1, 2], **kw), (3, 5, 2)),
    (lambda **kw: layers.UnitNormalization(**kw), (3, 5)),
    (lambda **kw: layers.UnitNormalization(axis=[1, 2], **kw), (3, 5, 2)),
]


@pytest.mark.parametrize("make, shape", CASES)
def test_contract(make, shape):
    # Random initial weights differ between layers; equal weights give equal results.
    check_layer(make, data(*shape), tolerance=1e-6)


@pytest.mark.parametrize("make, shape", CASES[:3])
def test_gradients_in_training(make, shape):
    check_gradients(make(dtype="float64"), data(*shape), training=True)


def test_masked_gradients_in_training():
    mask = np.array([[True, False, True], [True, True, False]])
    layer = layers.BatchNormalization(dtype="float64")
    check_gradients(layer, data(2, 3, 4), training=True, mask=mask)


def test_rms_scaling():
    with pytest.warns(UserWarning, match="deprecated"):
        layer = layers.LayerNormalization(rms_scaling=True, dtype="float64")
    check_gradients(layer, data(3, 5) + 1)
    assert [w.name for w in layer.weights] == ["gamma"]


def test_moving_moments_and_inference():
    layer = layers.BatchNormalization(momentum=0.5)
    x = data(64, 3) * 2 + 1
    for _ in range(20):
        layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), x.mean(0), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), x.var(0), atol=1e-4)
    before = layer.get_weights()
    layer(x, training=False)
    layer(x)
    layer.trainable = False
    layer(x, training=True)
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_what_is_masked_does_not_count():
    x = data(4, 5, 3)
    mask = np.ones((4, 5), bool)
    mask[:, 3:] = False
    one, two = layers.BatchNormalization(), layers.BatchNormalization()
    changed = x.copy()
    changed[:, 3:] = 100
    one(x, training=True, mask=mask)
    two(changed, training=True, mask=mask)
    np.testing.assert_array_equal(one.moving_mean.numpy(), two.moving_mean.numpy())
    np.testing.assert_allclose(
        one.moving_mean.numpy(), x[:, :3].reshape(-1, 3).mean(0) * 0.01, rtol=1e-5
    )


def test_long_columns_are_summed_exactly_enough():
    # A plain float32 sum of so many values of one sign is off in the fourth digit.
    x = data(200_000, 3) + 100
    mean, variance = kernels.column_moments(x)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var(0), rtol=1e-4)


def test_blocks_agree_with_plain_formulas():
    x, dy = data(5000, 7), data(5000, 7, seed=1)
    a, b, c = data(3, 7, seed=2)
    np.testing.assert_allclose(kernels.affine_columns(x, a, b), x * a + b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        kernels.combine_columns(dy, x, a, b, c), dy * a + x * b + c, rtol=1e-4, atol=1e-5
    )
    for found, expected in zip(kernels.column_products(dy, x, a), (dy, dy * (x - a))):
        np.testing.assert_allclose(found, expected.sum(0, dtype="float64"), atol=1e-2)


@pytest.mark.parametrize("kind", [layers.Dense, layers.Conv1D, layers.Embedding])
def test_spectral_normalization(kind):
    inner = {
        layers.Dense: lambda: layers.Dense(3),
        layers.Conv1D: lambda: layers.Conv1D(3, 2),
        layers.Embedding: lambda: layers.Embedding(6, 3),
    }[kind]()
    x = np.array([[1, 2, 3]]) if kind is layers.Embedding else data(2, 5, 4)
    layer = layers.SpectralNormalization(inner, power_iterations=30)
    layer(x, training=True)
    kernel = layer.kernel.numpy()
    largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]))[1][0]
    assert largest == pytest.approx(1, abs=1e-3)
    before = layer.get_weights()
    layer(x)
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)
    twin = layers.SpectralNormalization.from_config(layer.get_config())
    assert twin.power_iterations == 30


@pytest.mark.parametrize(
    "make, shape, message",
    [
        (lambda: layers.GroupNormalization(3), (2, 4), "multiple"),
        (lambda: layers.GroupNormalization(8), (2, 4), "more than"),
        (lambda: layers.BatchNormalization(axis=3), (2, 4), "out of bounds"),
        (lambda: layers.LayerNormalization(axis=3), (2, 4), "out of bounds"),
    ],
)
def test_bad_shapes(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda: layers.GroupNormalization(0), ValueError),
        (lambda: layers.LayerNormalization(axis="last"), TypeError),
        (lambda: layers.UnitNormalization(axis="last"), TypeError),
        (lambda: layers.SpectralNormalization(layers.Dense(2), 0), ValueError),
        (lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"x": 1}), ValueError),
        (
            lambda: layers.BatchNormalization(
                renorm=True, renorm_clipping={"rmin": 2.0, "rmax": 1.0}
            ),
            ValueError,
        ),
    ],
)
def test_bad_arguments(make, error):
    with pytest.raises(error):
        make()


def test_frozen_layers_pass_gradients_on():
    layer = layers.BatchNormalization()
    x = data(5, 3)
    layer(x, training=True)
    layer.trainable = False
    with Recording(Run(training=True, recording=True)) as recording:
        tensor = recording.track(x)
        y = layer(tensor)
    dy = np.ones_like(x)
    (dx,) = [recording.reverse([(y.slot, dy)])[tensor.slot]]
    expected = 1 / np.sqrt(layer.moving_variance.numpy() + 0.001)
    np.testing.assert_allclose(dx, np.broadcast_to(expected, dx.shape), rtol=1e-6)
    assert recording.run.sink.get(layer.gamma) is None
