import numpy as np
import pytest

from minikeras import layers
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from tests.layer_contract import check_layer

NOISE = [
    lambda **kw: layers.Dropout(0.3, **kw),
    lambda **kw: layers.Dropout(0.3, noise_shape=(None, 1, None), seed=3, **kw),
    lambda **kw: layers.AlphaDropout(0.3, **kw),
    lambda **kw: layers.GaussianDropout(0.3, **kw),
    lambda **kw: layers.GaussianNoise(0.3, **kw),
    lambda **kw: layers.Dropout(0, **kw),
]


@pytest.mark.parametrize("make", NOISE)
def test_contract(make):
    check_layer(make, np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32"))


@pytest.mark.parametrize("make", NOISE)
def test_inference_changes_nothing(make):
    x = np.ones((4, 3, 5), "float32")
    for options in ({}, {"training": False}):
        np.testing.assert_array_equal(make()(x, **options), x)


@pytest.mark.parametrize("make", [NOISE[0], NOISE[1], NOISE[3], NOISE[4]])
def test_training_keeps_mean_and_dtype(make):
    layer = make()
    for dtype in ("float32", "float16"):
        x = np.full((500, 20, 10), 0.5, dtype)
        y = make(dtype=dtype)(x, training=True).numpy()
        assert y.dtype == x.dtype and not np.array_equal(x, y)
    y = layer(np.full((500, 20, 10), 0.5, "float32"), training=True).numpy()
    # 100,000 draws of deviation up to 0.7, 5,000 of them independent along a shared axis.
    assert y.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_rate(rate):
    y = layers.Dropout(rate, seed=1)(np.ones((1000, 200), "float32"), training=True).numpy()
    # Five standard deviations of a share among 200,000.
    assert (y == 0).mean() == pytest.approx(rate, abs=5 * (rate * (1 - rate) / 200_000) ** 0.5)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_of_everything():
    x = np.ones((4, 3), "float32")
    np.testing.assert_array_equal(layers.Dropout(1.0)(x, training=True), np.zeros((4, 3)))
    for make in (layers.AlphaDropout, layers.GaussianDropout):
        with pytest.raises(ValueError, match="below 1"):
            make(1.0)(x, training=True)


def test_noise_shape():
    layer = layers.Dropout(0.5, noise_shape=(None, 1, None), seed=1)
    y = layer(np.ones((50, 4, 6), "float32"), training=True).numpy()
    assert np.array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert 0 < (y == 0).mean() < 1
    with pytest.raises(ValueError, match="as many entries"):
        layers.Dropout(0.5, noise_shape=(None, 1))(np.ones((2, 3, 4), "float32"), training=True)


def test_alpha_dropout_keeps_the_variance():
    x = np.random.default_rng(0).normal(size=(1000, 200)).astype("float32")
    y = layers.AlphaDropout(0.3, seed=1)(x, training=True).numpy()
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("make", NOISE[:5])
def test_seeds(make):
    x = np.ones((4, 3, 5), "float32")
    kind, config = type(make()), {**make().get_config(), "seed": 7}
    one, two = kind.from_config(config), kind.from_config(config)
    a, b = one(x, training=True).numpy(), one(x, training=True).numpy()
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(two(x, training=True), a)
    np.testing.assert_array_equal(two(x, training=True), b)


@pytest.mark.parametrize("make", NOISE[:5])
def test_gradient_is_that_of_the_draw(make):
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    layer = make(dtype="float64")
    dy = np.random.default_rng(1).normal(size=x.shape)
    state = layer.seed_generator.state.array.copy()

    def run(values):
        layer.seed_generator.state.array[...] = state
        with Recording(Run(training=True, recording=True)) as recording:
            tensor = recording.track(values)
            y = layer(tensor)
        return y.array, recording.reverse([(y.slot, dy)])[tensor.slot]

    y, dx = run(x)
    direction = np.random.default_rng(2).normal(size=x.shape)
    moved, _ = run(x + 1e-3 * direction)
    # All of them are linear in their inputs.
    np.testing.assert_allclose(((moved - y) * dy).sum() / 1e-3, (dx * direction).sum(), rtol=1e-8)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
@pytest.mark.parametrize(
    "make", [layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise]
)
def test_amount_out_of_range(make, rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        make(rate)


@pytest.mark.parametrize("noise_shape", ["abc", 3, (1, 0), (1, 2.5), (-1,)])
def test_bad_noise_shape(noise_shape):
    with pytest.raises(ValueError, match="noise_shape"):
        layers.Dropout(0.5, noise_shape=noise_shape)
