"""Cropping, zero padding, enlargement and spatial dropout."""

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
@pytest.mark.parametrize(
    "name, rank, arguments",
    [
        ("Cropping2D", 2, {"cropping": ((1, 2), (0, 3))}),
        ("Cropping2D", 2, {"cropping": (1, 2)}),
        ("Cropping3D", 3, {}),
        ("Cropping3D", 3, {"cropping": ((1, 0), (0, 2), (0, 0))}),
        ("ZeroPadding1D", 1, {"padding": (0, 2)}),
        ("ZeroPadding2D", 2, {"padding": ((1, 2), (0, 3))}),
        ("ZeroPadding2D", 2, {"padding": 2}),
        ("ZeroPadding3D", 3, {}),
        ("UpSampling2D", 2, {"size": (2, 3)}),
        ("UpSampling2D", 2, {"interpolation": "bilinear"}),
        ("UpSampling2D", 2, {"size": 3, "interpolation": "bicubic"}),
        ("UpSampling3D", 3, {"size": (1, 2, 3)}),
    ],
    ids=str,
)
def test_sizes(name, rank, arguments, data_format):
    kind = getattr(layers, name)
    check_layer(
        lambda **k: kind(data_format=data_format, **arguments, **k), array_of(rank, data_format)
    )


@pytest.mark.parametrize(
    "make, steps",
    [
        (lambda **k: layers.Cropping1D((1, 2), **k), 6),
        (lambda **k: layers.Cropping1D(0, **k), 9),
        (lambda **k: layers.UpSampling1D(3, **k), 27),
    ],
    ids=range(3),
)
def test_sequences(make, steps):
    layer = check_layer(make, array_of(1, "channels_last"))
    assert layer.compute_output_shape((2, 9, 3)) == (2, steps, 3)
    assert layer.compute_output_shape((None, None, 3)) == (None, None, 3)


def test_known_values():
    x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    padded = layers.ZeroPadding2D(((1, 0), (0, 1)))(x).numpy()[0, :, :, 0]
    np.testing.assert_array_equal(padded, [[0, 0, 0], [0, 1, 0], [2, 3, 0]])
    np.testing.assert_array_equal(layers.Cropping2D(((1, 0), (0, 1)))(x).numpy().ravel(), [2])
    np.testing.assert_array_equal(
        layers.UpSampling2D((1, 2))(x).numpy()[0, :, :, 0], [[0, 0, 1, 1], [2, 2, 3, 3]]
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spatial_dropout_drops_whole_channels(rank, data_format):
    if rank == 1 and data_format == "channels_first":
        pytest.skip("SpatialDropout1D is channels-last")
    more = {} if rank == 1 else {"data_format": data_format}
    kind = getattr(layers, f"SpatialDropout{rank}D")
    shape = shape_of(rank, data_format)
    shape = tuple(60 if size == 3 else size for size in shape)
    check_layer(
        lambda **k: kind(0.0, **more, **k), array_of(rank, data_format), training_gradients=True
    )
    layer = kind(0.25, seed=3, **more)
    x = np.ones(shape, "float32")
    assert layer(x).numpy().tolist() == x.tolist()
    y = layer(x, training=True).numpy()
    spatial = (
        tuple(range(1, rank + 1)) if data_format == "channels_last" else tuple(range(2, rank + 2))
    )
    means, spread = y.mean(spatial), y.std(spatial)
    # Summing a constant in float32 leaves a spread of rounding size.
    assert spread.max() < 1e-5
    assert set(np.round(np.unique(means), 4)) == {0.0, np.float32(1.3333)}
    # 120 draws: the share of kept channels is within five standard deviations of 0.75.
    assert abs((means > 0).mean() - 0.75) < 0.2
    again = kind(0.25, seed=3, **more)
    np.testing.assert_array_equal(again(x, training=True).numpy(), y)
    assert (layer(x, training=True).numpy() != y).any()
    everything = kind(1.0, **more)
    assert not everything(x, training=True).numpy().any()
    config = layer.get_config()
    assert config["rate"] == 0.25 and config["seed"] == 3 and config["dtype"] == "float32"


def test_spatial_dropout_masks_the_gradient():
    layer = layers.SpatialDropout1D(0.5, seed=1, dtype="float64")
    state = layer.seed_generator.state.array.copy()

    def call(x):
        layer.seed_generator.state.array[...] = state
        return layer(x)

    check_gradients(call, np.random.default_rng(0).standard_normal((2, 3, 8)), training=True)


@pytest.mark.parametrize(
    "make, kind, message",
    [
        (lambda: layers.Cropping1D((1, 2, 3)), ValueError, "cropping"),
        (lambda: layers.Cropping2D(-1), ValueError, "cropping"),
        (lambda: layers.Cropping2D((1, 2, 3)), ValueError, "cropping"),
        (lambda: layers.Cropping2D(3)(np.ones((1, 4, 9, 1), "float32")), ValueError, "smaller"),
        (lambda: layers.ZeroPadding2D(-1), ValueError, "padding"),
        (lambda: layers.ZeroPadding3D((1, 2)), ValueError, "padding"),
        (lambda: layers.UpSampling1D(2.0), TypeError, "size"),
        (lambda: layers.UpSampling1D(0), ValueError, "size"),
        (lambda: layers.UpSampling2D(interpolation="cubic"), ValueError, "interpolation"),
        (lambda: layers.SpatialDropout1D(1.5), ValueError, "rate"),
    ],
    ids=range(10),
)
def test_bad_arguments_are_named(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
