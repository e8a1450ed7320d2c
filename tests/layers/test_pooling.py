"""Pooling layers: the contract, gradients, masks and errors."""

import numpy as np
import pytest

from minikeras import layers
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

SHAPES = {1: (2, 9, 3), 2: (2, 7, 6, 3), 3: (2, 5, 4, 5, 3)}
FORMATS = ["channels_last", "channels_first"]


def shape_of(rank, data_format):
    batch, *spatial, channels = SHAPES[rank]
    return SHAPES[rank] if data_format == "channels_last" else (batch, channels, *spatial)


def array_of(rank, data_format):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape_of(rank, data_format)).astype("float32")


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["Max", "Average"])
@pytest.mark.parametrize(
    "arguments",
    [{"pool_size": 2}, {"pool_size": 3, "strides": 2, "padding": "same"}],
    ids=str,
)
def test_window_pooling(rank, data_format, family, arguments):
    kind = getattr(layers, f"{family}Pooling{rank}D")
    check_layer(
        lambda **k: kind(data_format=data_format, **arguments, **k), array_of(rank, data_format)
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["GlobalMax", "GlobalAverage"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling(rank, data_format, family, keepdims):
    kind = getattr(layers, f"{family}Pooling{rank}D")
    check_layer(
        lambda **k: kind(data_format=data_format, keepdims=keepdims, **k),
        array_of(rank, data_format),
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["AdaptiveMax", "AdaptiveAverage"])
def test_adaptive_pooling(rank, data_format, family):
    kind = getattr(layers, f"{family}Pooling{rank}D")
    check_layer(lambda **k: kind(3, data_format=data_format, **k), array_of(rank, data_format))


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_masked_steps_do_not_count(data_format, keepdims):
    shape = shape_of(1, data_format)
    x = np.random.default_rng(0).standard_normal(shape)
    mask = np.arange(9)[None, :] < np.array([[4], [9]])
    layer = layers.GlobalAveragePooling1D(data_format, keepdims, dtype="float64")
    steps = np.moveaxis(x, 1, 2) if data_format == "channels_first" else x
    expected = np.stack([steps[0, :4].mean(0), steps[1].mean(0)])
    y = layer(x, mask=mask)
    np.testing.assert_allclose(y.numpy().reshape(2, 3), expected)
    check_gradients(layer, x, mask=mask)
    x[0, ..., 8 if data_format == "channels_first" else slice(None)] = x[0, ..., 0:1].mean()
    hidden = np.where(np.expand_dims(mask, 1 if data_format == "channels_first" else 2), x, np.nan)
    assert np.isfinite(layer(hidden, mask=mask).numpy()).all()
    assert layer.compute_mask(x, mask) is None


def test_ties():
    """Windows give all to their first maximum, global pooling shares."""
    x = np.zeros((1, 2, 2, 1))
    for layer, expected in (
        (layers.MaxPooling2D(dtype="float64"), [4, 0, 0, 0]),
        (layers.GlobalMaxPooling2D(dtype="float64"), [1, 1, 1, 1]),
    ):
        from minikeras.engine.context import Run
        from minikeras.engine.recording import Recording

        with Recording(Run(training=True, recording=True)) as recording:
            tensor = recording.track(x)
            y = layer(tensor)
        gradients = recording.reverse([(y.slot, np.full(y.shape, 4.0))])
        np.testing.assert_array_equal(gradients[tensor.slot].ravel(), expected)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.MaxPooling2D(0), "pool_size"),
        (lambda: layers.MaxPooling2D((2, 2, 2)), "pool_size"),
        (lambda: layers.MaxPooling2D(2, strides=0), "strides"),
        (lambda: layers.MaxPooling2D(2, padding="causal"), "padding"),
        (lambda: layers.MaxPooling2D(3)(np.ones((1, 2, 2, 1), "float32")), "zero or negative"),
        (lambda: layers.MaxPooling2D(2)(np.ones((2, 2, 1), "float32")), "ndim=4"),
        (lambda: layers.AdaptiveMaxPooling2D(0), "output_size"),
        (lambda: layers.AdaptiveMaxPooling2D((2, 2, 2)), "output_size"),
        (lambda: layers.GlobalMaxPooling1D("middle"), "data_format"),
    ],
    ids=range(9),
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
