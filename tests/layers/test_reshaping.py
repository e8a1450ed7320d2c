"""Flatten, Reshape, Permute, RepeatVector."""

import numpy as np
import pytest

from minikeras import layers
from minikeras.engine.symbolic import KerasTensor
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_flatten(shape, data_format):
    x = floats(*shape)
    layer = check_layer(lambda **kw: layers.Flatten(data_format, **kw), x)
    expected = np.moveaxis(x, 1, -1) if data_format == "channels_first" and x.ndim > 2 else x
    np.testing.assert_array_equal(layer(x).numpy(), expected.reshape(shape[0], -1))


@pytest.mark.parametrize("target", [(12,), (3, 4), (-1,), (2, -1, 3), (2, 2, 3)])
def test_reshape(target):
    check_layer(lambda **kw: layers.Reshape(target, **kw), floats(2, 3, 4))


def test_reshape_of_unknown_sizes():
    x = KerasTensor((None, None, 4))
    assert layers.Reshape((-1, 2))(x).shape == (None, None, 2)
    assert layers.Reshape((3, 8))(KerasTensor((None, 6, 4))).shape == (None, 3, 8)


@pytest.mark.parametrize("target", [(5,), (5, -1), (-1, -1), (-2, 6)])
def test_reshape_refuses(target):
    with pytest.raises(ValueError, match="target_shape"):
        layers.Reshape(target)(floats(2, 3, 4))


@pytest.mark.parametrize("dims", [(1, 2), (2, 1)])
def test_permute(dims):
    check_layer(lambda **kw: layers.Permute(dims, **kw), floats(2, 3, 4))


def test_permute_of_three_axes():
    x = floats(2, 3, 4, 5)
    layer = check_layer(lambda **kw: layers.Permute((3, 1, 2), **kw), x)
    np.testing.assert_array_equal(layer(x).numpy(), x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("dims", [(0, 1), (1, 3), (1, 1)])
def test_permute_refuses(dims):
    with pytest.raises(ValueError, match="dims"):
        layers.Permute(dims)


def test_repeat_vector():
    check_layer(lambda **kw: layers.RepeatVector(3, **kw), floats(2, 5))
    with pytest.raises(TypeError, match="integer"):
        layers.RepeatVector(1.5)
    with pytest.raises(ValueError, match="positive"):
        layers.RepeatVector(0)
