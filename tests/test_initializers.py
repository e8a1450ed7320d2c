"""Initializers: distributions, seeds, configs, names."""

import math

import numpy as np
import pytest

import minikeras
from minikeras import initializers
from minikeras.initializers.random_initializers import compute_fans
from minikeras.kernels.special import NAMES, taper

RANDOM = [
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Orthogonal",
]
SHAPE = (300, 200)
VARIANCES = {
    "RandomNormal": 0.05**2,
    "RandomUniform": 0.05**2 / 3,
    # Cut at two standard deviations, a normal keeps this part of its variance.
    "TruncatedNormal": (0.05 * 0.8796256610342398) ** 2,
    "VarianceScaling": 1 / 300,
    "GlorotNormal": 2 / 500,
    "GlorotUniform": 2 / 500,
    "HeNormal": 2 / 300,
    "HeUniform": 2 / 300,
    "LecunNormal": 1 / 300,
    "LecunUniform": 1 / 300,
    "Orthogonal": 1 / 300,
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_distribution(name, dtype):
    x = getattr(initializers, name)(seed=1)(SHAPE, dtype=dtype).numpy()
    assert x.shape == SHAPE
    assert x.dtype == dtype
    x = x.astype("float64")
    variance = VARIANCES[name]
    # 60,000 values: the mean is good to 1/245 of the deviation, the variance to about 0.6 %.
    assert abs(x.mean()) < 5 * math.sqrt(variance / x.size)
    assert abs(x.var() / variance - 1) < 0.03
    if "Uniform" in name:
        assert np.abs(x).max() <= math.sqrt(3 * variance) * 1.001
    elif name == "TruncatedNormal" or name in (
        "VarianceScaling",
        "GlorotNormal",
        "HeNormal",
        "LecunNormal",
    ):
        assert np.abs(x).max() <= 2 * math.sqrt(variance) / 0.8796 * 1.001


@pytest.mark.parametrize("distribution", ["uniform", "truncated_normal", "untruncated_normal"])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_variance_scaling(distribution, mode):
    initializer = initializers.VarianceScaling(3.0, mode, distribution, seed=2)
    fan = {"fan_in": 9 * 40, "fan_out": 9 * 60, "fan_avg": 9 * 50}[mode]
    x = initializer((3, 3, 40, 60)).numpy()
    assert abs(x.var() * fan / 3 - 1) < 0.05
    assert (np.abs(x).max() > 2.3 * x.std()) == (distribution == "untruncated_normal")


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    kind = getattr(initializers, name)
    a = kind(seed=7)
    np.testing.assert_array_equal(a((4, 5)), a((4, 5)))
    np.testing.assert_array_equal(a((4, 5)), kind(seed=7)((4, 5)))
    assert not np.array_equal(a((4, 5)), kind(seed=8)((4, 5)))
    assert not np.array_equal(kind()((4, 5)), kind()((4, 5)))
    stream = kind(seed=minikeras.random.SeedGenerator(3))
    assert not np.array_equal(stream((4, 5)), stream((4, 5)))
    with pytest.raises(ValueError, match="seed"):
        kind(seed="abc")


def test_clone():
    a = initializers.HeNormal(seed=3)
    np.testing.assert_array_equal(a.clone()((2, 2)), a((2, 2)))
    b = initializers.HeNormal()
    assert b.clone().get_config() == b.get_config()
    assert not np.array_equal(b.clone()((4, 4)), b((4, 4)))


def test_global_seed():
    drawn = []
    for _ in range(2):
        minikeras.utils.set_random_seed(11)
        drawn.append(initializers.GlorotUniform()((3, 3)).numpy())
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4), (3, 3, 2, 5)])
def test_orthogonal(shape):
    q = initializers.Orthogonal(gain=2.0, seed=0)(shape, dtype="float64").numpy()
    matrix = q.reshape(-1, shape[-1]) / 2
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)
    with pytest.raises(ValueError, match="two axes"):
        initializers.Orthogonal()((5,))


def test_constants():
    np.testing.assert_array_equal(initializers.Constant(3)((2, 2)), np.full((2, 2), 3, "float32"))
    row = initializers.Constant([1.0, 2.0])
    np.testing.assert_array_equal(row((2, 2)), [[1, 2], [1, 2]])
    assert initializers.Zeros()((2,), dtype="int32").dtype == np.int32
    assert initializers.Ones()((2,), dtype="bool").dtype == np.bool_
    np.testing.assert_array_equal(initializers.Identity(2)((2, 3)), [[2, 0, 0], [0, 2, 0]])
    with pytest.raises(ValueError, match="two axes"):
        initializers.Identity()((2, 2, 2))
    table = np.arange(4.0).reshape(2, 2)
    twin = initializers.Constant.from_config(initializers.Constant(table).get_config())
    np.testing.assert_array_equal(twin((2, 2)), table)


def test_stft_is_a_fourier_transform():
    size = 16
    frame = np.random.default_rng(0).normal(size=size)
    expected = np.fft.rfft(frame)
    real, imaginary = (
        initializers.STFT(side, window=None)((size, 1, size // 2 + 1), "float64").numpy()[:, 0]
        for side in ("real", "imag")
    )
    np.testing.assert_allclose(frame @ real, expected.real, atol=1e-12)
    np.testing.assert_allclose(frame @ imaginary, expected.imag, atol=1e-12)
    for options in ({"side": "both"}, {"scaling": "x"}, {"window": "nowindow"}):
        with pytest.raises(ValueError):
            initializers.STFT(**options)
    with pytest.raises(ValueError, match="window"):
        initializers.STFT(window=np.ones(3))((size, 1, 9))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("size", [1, 2, 7, 16])
def test_tapers(name, periodic, size):
    signal = pytest.importorskip("scipy.signal")
    expected = signal.get_window(name, size, periodic)
    np.testing.assert_allclose(taper(name, size, periodic), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((5,), (5, 5)), ((3, 4), (3, 4)), ((2, 3, 4), (6, 8)), ((2, 2, 3, 4), (12, 16))],
)
def test_fans(shape, fans):
    assert compute_fans(shape) == fans


def test_fans_by_axes():
    assert compute_fans((2, 3, 4), (0,), (1, 2)) == (2, 12)


@pytest.mark.parametrize(
    "options", [{"scale": 0.0}, {"scale": -1}, {"mode": "fan"}, {"distribution": "cauchy"}]
)
def test_variance_scaling_refuses(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        initializers.VarianceScaling(**options)


@pytest.mark.parametrize("name", RANDOM)
def test_integers_are_no_random_dtype(name):
    if name == "RandomUniform":
        x = initializers.RandomUniform(0, 10, seed=0)((100,), dtype="int32").numpy()
        assert set(x.tolist()) == set(range(10))
        return
    with pytest.raises(ValueError, match="dtype"):
        getattr(initializers, name)()((2, 2), dtype="int32")


def test_names_and_configs():
    for name in [*RANDOM, "Zeros", "Ones", "Constant", "Identity", "STFT"]:
        kind = getattr(initializers, name)
        config = initializers.serialize(kind())
        assert config["class_name"] == name
        assert config["module"] == "keras.initializers"
        twin = initializers.deserialize(config)
        assert type(twin) is kind
        assert twin.get_config() == kind().get_config()
        assert type(initializers.get(config)) is kind
        assert type(initializers.get(kind)) is kind
        assert type(initializers.get(name)) is kind
    for alias, kind in {
        "zero": "Zeros",
        "one": "Ones",
        "normal": "RandomNormal",
        "uniform": "RandomUniform",
        "glorot_uniform": "GlorotUniform",
        "he_normal": "HeNormal",
        "truncated_normal": "TruncatedNormal",
        "identity": "Identity",
        "IdentityInitializer": "Identity",
        "OrthogonalInitializer": "Orthogonal",
        "STFTInitializer": "STFT",
    }.items():
        assert type(initializers.get(alias)).__name__ == kind
    assert initializers.get(None) is None


def test_an_array_as_initializer():
    table = np.arange(6.0).reshape(2, 3)
    layer = minikeras.layers.Dense(3, kernel_initializer=table)
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel.numpy(), table)
    with pytest.raises(ValueError, match="shape"):
        minikeras.layers.Dense(4, kernel_initializer=table).build((None, 2))
    with pytest.raises(ValueError, match=r"Unknown initializer: 'he_norml'.*he_normal"):
        initializers.get("he_norml")


def test_an_initializer_of_the_user():
    class Ramp(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    layer = minikeras.layers.Dense(
        2, kernel_initializer=Ramp(), bias_initializer=lambda s, dtype: np.ones(s)
    )
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel.numpy(), [[0, 1], [2, 3]])
    np.testing.assert_array_equal(layer.bias.numpy(), [1, 1])
