"""Convolution layers: the contract, gradients, arguments and errors."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

SHAPES = {1: (2, 9, 4), 2: (2, 7, 6, 4), 3: (2, 5, 4, 5, 4)}
FORMATS = ["channels_last", "channels_first"]


def shape_of(rank, data_format):
    batch, *spatial, channels = SHAPES[rank]
    return SHAPES[rank] if data_format == "channels_last" else (batch, channels, *spatial)


def array_of(rank, data_format):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape_of(rank, data_format)).astype("float32")


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3, "activation": "tanh"},
        {"kernel_size": 2, "strides": 2, "padding": "same"},
        {"kernel_size": 2, "dilation_rate": 2, "groups": 2, "use_bias": False},
        {"kernel_size": 2, "groups": 4, "activation": "softmax"},
        {"kernel_size": 1, "activation": "elu"},
    ],
    ids=str,
)
def test_convolution(rank, data_format, arguments):
    kind = getattr(layers, f"Conv{rank}D")
    check_layer(
        lambda **k: kind(8, data_format=data_format, **arguments, **k),
        array_of(rank, data_format),
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3, "activation": "sigmoid"},
        {"kernel_size": 3, "strides": 2, "padding": "same"},
        {"kernel_size": 2, "strides": 3, "output_padding": 1, "activation": "softplus"},
        {"kernel_size": 2, "dilation_rate": 2, "use_bias": False},
    ],
    ids=str,
)
def test_transposed_convolution(rank, data_format, arguments):
    kind = getattr(layers, f"Conv{rank}DTranspose")
    check_layer(
        lambda **k: kind(3, data_format=data_format, **arguments, **k),
        array_of(rank, data_format),
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3, "activation": "tanh"},
        {"kernel_size": 2, "strides": 2, "padding": "same", "depth_multiplier": 2},
        {"kernel_size": 2, "dilation_rate": 2, "use_bias": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["Depthwise", "Separable"])
def test_depthwise_and_separable_convolution(rank, data_format, arguments, family):
    kind = getattr(layers, f"{family}Conv{rank}D")
    filters = (5,) if family == "Separable" else ()
    check_layer(
        lambda **k: kind(*filters, data_format=data_format, **arguments, **k),
        array_of(rank, data_format),
    )


def test_causal_convolution_reads_no_later_step():
    layer = layers.Conv1D(3, 3, padding="causal", dilation_rate=2)
    check_layer(
        lambda **k: layers.Conv1D(3, 3, padding="causal", dilation_rate=2, **k),
        array_of(1, "channels_last"),
    )
    x = np.random.default_rng(0).standard_normal((1, 9, 4)).astype("float32")
    before = layer(x).numpy()
    x[:, 5:] = 7
    np.testing.assert_array_equal(layer(x).numpy()[:, :5], before[:, :5])
    assert not np.array_equal(layer(x).numpy()[:, 5:], before[:, 5:])


def test_known_values():
    layer = layers.Conv2D(1, 2, kernel_initializer="ones", bias_initializer="ones")
    x = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(layer(x).numpy().ravel(), [9, 13, 21, 25])
    same = layers.Conv2D(1, 2, padding="same", kernel_initializer="ones")
    np.testing.assert_array_equal(same(x).numpy().ravel(), [8, 12, 7, 20, 24, 13, 13, 15, 8])
    up = layers.Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
    np.testing.assert_array_equal(up(x[:, 0]).numpy().ravel(), [0, 0, 1, 1, 2, 2])


def test_a_block_activation_is_the_activation():
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype("float32")
    plain = layers.Conv2D(4, 3)
    expected = np.maximum(plain(x).numpy(), 0)
    for activation in ("relu", lambda z: z * (z > 0)):
        layer = layers.Conv2D(4, 3, activation=activation)
        layer.build(x.shape)
        layer.set_weights(plain.get_weights())
        np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-7)


def test_frozen_layers_get_no_gradient():
    layer = layers.Conv2D(2, 2)
    layer.build((None, 4, 4, 1))
    layer.trainable = False
    with Recording(Run(training=True, recording=True)) as recording:
        x = recording.track(np.ones((1, 4, 4, 1), "float32"))
        y = layer(x)
    gradients = recording.reverse([(y.slot, np.ones(y.shape, "float32"))])
    assert gradients[x.slot].shape == (1, 4, 4, 1)
    assert recording.run.sink.get(layer.kernel) is None
    assert recording.run.sink.get(layer.bias) is None


@pytest.mark.parametrize("groups", [1, 2])
def test_lora_trains_a_low_rank_update(groups):
    layer = layers.Conv2D(4, 2, groups=groups, lora_rank=2, lora_alpha=3, dtype="float64")
    layer.build((None, 5, 5, 2))
    assert [v.name for v in layer.trainable_variables] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert [v.name for v in layer.non_trainable_variables] == ["kernel"]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 5, 5, 2))
    plain = layers.Conv2D(4, 2, groups=groups, dtype="float64")
    plain.build((None, 5, 5, 2))
    plain.set_weights([layer._kernel.numpy(), layer.bias.numpy()])
    np.testing.assert_allclose(layer(x).numpy(), plain(x).numpy())
    # The factors are float32; as float64 they can be checked like everything else.
    for factor in (layer.lora_kernel_a, layer.lora_kernel_b):
        factor.array = rng.standard_normal(factor.shape)
    check_gradients(layer, x, variables=layer.trainable_variables)

    store = {}
    layer.save_own_variables(store)
    plain.load_own_variables(store)
    np.testing.assert_allclose(plain(x).numpy(), layer(x).numpy(), atol=1e-12)
    layer.load_own_variables(store)
    np.testing.assert_allclose(plain(x).numpy(), layer(x).numpy(), atol=1e-12)
    assert not layer.lora_kernel_b.numpy().any()
    config = layer.get_config()
    assert (config["lora_rank"], config["lora_alpha"]) == (2, 3)
    with pytest.raises(ValueError, match="already enabled"):
        layer.enable_lora(2)
    with pytest.raises(ValueError, match="isn't yet built"):
        layers.Conv2D(2, 2).enable_lora(2)
    with pytest.raises(ValueError, match="kernel_constraint"):
        layers.Conv2D(2, 2, kernel_constraint="non_neg", lora_rank=2)(x.astype("float32"))


def test_float16_computes_and_stays_float16():
    layer = layers.Conv2D(2, 3, activation="relu", dtype="mixed_float16")
    y = layer(np.ones((1, 5, 5, 1), "float32"))
    assert y.dtype == np.float16 and layer.kernel.dtype == "float32"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.Conv2D(0, 3), "filters"),
        (lambda: layers.Conv2D(4, 0), "kernel_size"),
        (lambda: layers.Conv2D(4, (3, 3, 3)), "kernel_size"),
        (lambda: layers.Conv2D(4, 3, strides=0), "strides"),
        (lambda: layers.Conv2D(4, 3, groups=0), "groups"),
        (lambda: layers.Conv2D(5, 3, groups=2), "evenly divisible"),
        (lambda: layers.Conv2D(4, 3, strides=2, dilation_rate=2), "dilation_rate"),
        (lambda: layers.Conv2D(4, 3, padding="causal"), "Conv1D"),
        (lambda: layers.Conv2D(4, 3, data_format="last"), "data_format"),
        (lambda: layers.Conv2DTranspose(4, 3, strides=2, output_padding=2), "output_padding"),
        (lambda: layers.Conv2DTranspose(4, 3, padding="causal"), "padding"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier"),
        (lambda: layers.SeparableConv2D(0, 3), "filters"),
        (lambda: layers.Conv2D(4, 3, groups=2).build((None, 8, 8, 3)), "input channels"),
        (lambda: layers.Conv2D(4, 9).build((None, 8, 8, 3)), "zero or negative"),
        (lambda: layers.Conv2D(4, 3).build((None, 8, 8, None)), "must be known"),
        (lambda: layers.Conv2D(4, 3)(np.ones((1, 2, 8, 8, 3), "float32")), "axes"),
        (lambda: layers.Conv2D(4, 3)(np.ones((8, 8, 3), "float32")), "min_ndim=4"),
        (lambda: layers.Conv2D(4, 3).kernel, "kernel"),
    ],
    ids=range(19),
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises((ValueError, AttributeError), match=message):
        make()


def test_another_number_of_channels_is_refused():
    layer = layers.Conv2D(4, 3)
    layer(np.ones((1, 8, 8, 3), "float32"))
    with pytest.raises(ValueError, match="axis -1"):
        layer(np.ones((1, 8, 8, 2), "float32"))
    with pytest.raises(NotImplementedError, match="`quantize`"):
        layer.quantize("int8")


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_a_convolution_may_be_computed_otherwise(order):
    class Doubled(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel * 2)

    class Called(keras.layers.Conv2D):
        def call(self, inputs):
            return self.convolution_op(inputs, self.kernel * 2) + self.bias[..., None, None]

    x = np.random.default_rng(0).normal(size=(2, 6, 6, 6)).astype("float32")
    options = {"strides": 2, "data_format": order, "bias_initializer": "ones"}
    plain = keras.layers.Conv2D(3, 3, activation="relu", **options)
    plain.build(x.shape)
    doubled = Doubled(3, 3, activation="relu", **options)
    doubled.build(x.shape)
    kernel, bias = plain.get_weights()
    doubled.set_weights([kernel / 2, bias])
    np.testing.assert_allclose(doubled(x), plain(x), rtol=1e-5, atol=1e-6)
    model = keras.Sequential([keras.Input(x.shape[1:]), doubled])
    model.compile("sgd", "mse")
    model.train_on_batch(x, np.zeros(doubled(x).shape))
    assert not np.array_equal(doubled.get_weights()[0], kernel / 2)
    if order == "channels_first":
        called = Called(3, 3, **options)
        called.build(x.shape)
        called.set_weights([kernel / 2, bias])
        np.testing.assert_allclose(keras.ops.relu(called(x)), plain(x), rtol=1e-5, atol=1e-6)
