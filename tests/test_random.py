import numpy as np
import pytest

from minikeras import random

N = 20_000
# The mean of n draws is within 5 standard errors, except once in two million.
SIGMAS = 5 / np.sqrt(N)

DRAWS = {
    "normal": (lambda **k: random.normal((N,), 1.0, 2.0, **k), 1.0, 2.0),
    "truncated_normal": (lambda **k: random.truncated_normal((N,), **k), 0.0, 0.8796),
    "uniform": (lambda **k: random.uniform((N,), -1.0, 3.0, **k), 1.0, 4 / np.sqrt(12)),
    "randint": (lambda **k: random.randint((N,), 0, 10, **k), 4.5, np.sqrt(99 / 12)),
    "gamma": (lambda **k: random.gamma((N,), 2.0, **k), 2.0, np.sqrt(2)),
    "beta": (lambda **k: random.beta((N,), 2.0, 2.0, **k), 0.5, np.sqrt(0.05)),
    "binomial": (lambda **k: random.binomial((N,), 10, 0.3, **k), 3.0, np.sqrt(2.1)),
    "categorical": (
        lambda **k: random.categorical(np.log([[0.25, 0.75]]), N, **k),
        0.75,
        np.sqrt(0.1875),
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_moments_and_determinism(name):
    draw, mean, deviation = DRAWS[name]
    values = draw(seed=7).numpy()
    np.testing.assert_array_equal(values, draw(seed=7).numpy())
    assert not np.array_equal(values, draw(seed=8).numpy())
    assert abs(values.mean() - mean) < SIGMAS * deviation
    assert abs(values.std() / deviation - 1) < 0.05
    generator = random.SeedGenerator(3)
    assert not np.array_equal(draw(seed=generator).numpy(), draw(seed=generator).numpy())


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated_normal"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes(name, dtype):
    assert getattr(random, name)((3,), dtype=dtype, seed=1).dtype == dtype


def test_ranges():
    assert np.abs(random.truncated_normal((N,), seed=1).numpy()).max() <= 2
    values = random.uniform((N,), 0.0, 1.0, dtype="float16", seed=1).numpy()
    assert values.min() >= 0 and values.max() < 1
    assert set(random.randint((N,), 2, 5, seed=1).tolist()) == {2, 3, 4}


def test_dropout():
    x = np.ones((200, 100), "float32")
    y = random.dropout(x, 0.25, seed=1).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    rows = random.dropout(x, 0.5, noise_shape=(None, 1), seed=1).numpy()
    assert (rows == rows[:, :1]).all()
    assert random.dropout(x, 1.0).numpy().sum() == 0


def test_shuffle():
    x = np.arange(20).reshape(10, 2)
    y = random.shuffle(x, seed=1).numpy()
    assert not np.array_equal(x, y)
    np.testing.assert_array_equal(y[np.argsort(y[:, 0])], x)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: random.normal((2, None)), "shape"),
        (lambda: random.randint((2,), 0, 3, dtype="float32"), "integer"),
        (lambda: random.randint((2,), 3, 3), "minval"),
        (lambda: random.categorical([0.0, 1.0], 2), "2-D"),
        (lambda: random.dropout([1.0], 1.5), "rate"),
        (lambda: random.normal((2,), seed="x"), "seed"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
