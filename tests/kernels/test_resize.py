"""Resampling kernels: their properties, and the gradient as the transposed map."""

import numpy as np
import pytest

from minikeras.kernels import windows as resize

SIZES = [((5, 6), (3, 4)), ((5, 6), (9, 11)), ((4, 4), (8, 8)), ((7, 3), (7, 3)), ((3, 3), (1, 1))]


@pytest.mark.parametrize("interpolation", resize.INTERPOLATIONS)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("before, after", SIZES)
def test_resizing_is_linear_keeps_constants_and_transposes(before, after, interpolation, antialias):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, *before, 3)), rng.standard_normal((2, *after, 3))
    y = resize.resize(x, after, interpolation, antialias)
    assert y.shape == dy.shape and y.dtype == "float64"
    ones = resize.resize(np.ones_like(x), after, interpolation, antialias)
    np.testing.assert_allclose(ones, 1, rtol=1e-6)
    dx = resize.resize_gradient(dy, before, interpolation, antialias)
    np.testing.assert_allclose((dx * x).sum(), (dy * y).sum(), rtol=1e-9)
    single = x.astype("float32")
    assert resize.resize(single, after, interpolation, antialias).dtype == "float32"


@pytest.mark.parametrize("interpolation", resize.INTERPOLATIONS)
def test_the_same_size_is_the_identity(interpolation):
    x = np.random.default_rng(0).standard_normal((1, 4, 5, 2))
    np.testing.assert_allclose(resize.resize(x, (4, 5), interpolation), x, atol=1e-7)


def test_known_values():
    x = np.array([0.0, 1, 2, 3]).reshape(1, 1, 4, 1)
    bilinear = resize.resize(x, (1, 8), "bilinear").ravel()
    np.testing.assert_allclose(bilinear, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    np.testing.assert_array_equal(
        resize.resize(x, (1, 8), "nearest").ravel(), [0, 0, 1, 1, 2, 2, 3, 3]
    )
    np.testing.assert_allclose(resize.resize(x, (1, 2), "area").ravel(), [0.5, 2.5])
    np.testing.assert_allclose(
        resize.resize(x, (1, 2), "bilinear", antialias=True).ravel(), [5 / 7, 16 / 7]
    )


@pytest.mark.parametrize("factors", [(3,), (2, 3), (1, 2, 2), (1, 1)])
def test_repeat_and_its_gradient(factors):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *range(3, 3 + len(factors)), 2))
    y = resize.repeat(x, factors)
    expected = x
    for axis, factor in enumerate(factors, 1):
        expected = expected.repeat(factor, axis)
    np.testing.assert_array_equal(y, expected)
    dy = rng.standard_normal(y.shape)
    np.testing.assert_allclose(
        (resize.repeat_gradient(dy, factors) * x).sum(), (dy * y).sum(), rtol=1e-12
    )
