"""Pooling kernels against loops that follow the definition."""

import itertools

import numpy as np
import pytest

from minikeras.kernels import pooling, windows

CASES = [
    # spatial, pool_size, strides
    ((7,), (2,), (2,)),
    ((7,), (3,), (1,)),
    ((8,), (2,), (3,)),
    ((6, 6), (2, 2), (2, 2)),
    ((7, 5), (2, 2), (2, 2)),
    ((7, 6), (3, 2), (2, 1)),
    ((5, 5), (1, 1), (2, 2)),
    ((5, 5), (1, 3), (1, 1)),
    ((5, 5), (5, 5), (5, 5)),
    ((4, 5, 6), (2, 2, 2), (2, 2, 2)),
    ((4, 5, 6), (2, 3, 1), (1, 2, 1)),
]


def each_window(spatial, pool_size, strides, before, outputs):
    for o in itertools.product(*map(range, outputs)):
        yield (
            o,
            [
                i
                for i in itertools.product(
                    *(
                        range(a * s - p, a * s - p + k)
                        for a, s, p, k in zip(o, strides, before, pool_size)
                    )
                )
                if all(0 <= a < n for a, n in zip(i, spatial))
            ],
        )


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("tile", [1, 1 << 19])
def test_pooling_follows_its_definition(case, padding, tile, monkeypatch):
    spatial, pool_size, strides = case
    monkeypatch.setattr(pooling, "POOL_TILE", tile)
    rng = np.random.default_rng(0)
    # Few distinct values, so that windows have ties.
    x = rng.integers(-3, 3, (3, *spatial, 2)).astype("float64")
    outputs, before = windows.geometry(spatial, pool_size, strides, padding)
    dy = rng.standard_normal((3, *outputs, 2))
    largest, mean = np.empty_like(dy), np.empty_like(dy)
    d_largest, d_mean = np.zeros_like(x), np.zeros_like(x)
    for o, inputs in each_window(spatial, pool_size, strides, before, outputs):
        for n, c in itertools.product(range(3), range(2)):
            values = [x[(n, *i, c)] for i in inputs]
            largest[(n, *o, c)], mean[(n, *o, c)] = max(values), sum(values) / len(values)
            d_largest[(n, *inputs[int(np.argmax(values))], c)] += dy[(n, *o, c)]
            for i in inputs:
                d_mean[(n, *i, c)] += dy[(n, *o, c)] / len(values)

    where = (pool_size, strides, before)
    y = pooling.max_pool(x, *where, outputs)
    np.testing.assert_array_equal(y, largest)
    np.testing.assert_allclose(pooling.max_pool_gradient(dy, x, y, *where), d_largest, atol=1e-12)
    np.testing.assert_allclose(pooling.average_pool(x, *where, outputs), mean, atol=1e-12)
    np.testing.assert_allclose(
        pooling.average_pool_gradient(dy, spatial, *where), d_mean, atol=1e-12
    )


@pytest.mark.parametrize(
    "spatial, size",
    [((7,), (3,)), ((4,), (6,)), ((6, 7), (3, 2)), ((5, 5), (5, 1)), ((4, 5, 3), (2, 2, 2))],
)
def test_adaptive_pooling_follows_its_definition(spatial, size):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, *spatial, 2)), rng.standard_normal((2, *size, 2))
    largest, mean = np.empty_like(dy), np.empty_like(dy)
    d_largest, d_mean = np.zeros_like(x), np.zeros_like(x)
    for o in itertools.product(*map(range, size)):
        part = tuple(slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(o, spatial, size))
        for n, c in itertools.product(range(2), range(2)):
            window = x[(n, *part, c)]
            largest[(n, *o, c)], mean[(n, *o, c)] = window.max(), window.mean()
            d_largest[(n, *part, c)] += (window == window.max()) * dy[(n, *o, c)]
            d_mean[(n, *part, c)] += dy[(n, *o, c)] / window.size
    y, winners = pooling.adaptive_max_pool(x, size)
    np.testing.assert_array_equal(y, largest)
    np.testing.assert_allclose(
        pooling.adaptive_max_pool_gradient(dy, spatial, winners), d_largest, atol=1e-12
    )
    np.testing.assert_allclose(pooling.adaptive_average_pool(x, size), mean, atol=1e-12)
    np.testing.assert_allclose(
        pooling.adaptive_average_pool_gradient(dy, spatial), d_mean, atol=1e-12
    )


def test_dtypes_and_padding_that_never_wins():
    x = np.full((1, 3, 3, 1), -5, "float32")
    args = ((2, 2), (2, 2), (0, 0), (2, 2))
    np.testing.assert_array_equal(pooling.max_pool(x, *args), np.full((1, 2, 2, 1), -5))
    assert pooling.max_pool(x, *args).dtype == "float32"
    assert pooling.average_pool(x, *args).dtype == "float32"
    assert pooling.average_pool_gradient(x[:, :2, :2], (3, 3), *args[:3]).dtype == "float32"
    np.testing.assert_array_equal(
        pooling.max_pool(x.astype("int8"), *args), np.full((1, 2, 2, 1), -5)
    )
