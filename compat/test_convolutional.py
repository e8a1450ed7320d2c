"""Convolution, pooling and spatial layers and operations against Keras 3.15.1."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import minikeras
from compat.layer_pairs import compare, pair, same_config
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.ops.resampling import resize

FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
ACTIVATIONS = st.sampled_from([None, "relu", "tanh", "sigmoid", "softmax", "elu", "gelu", "selu"])
SIZES = {1: st.integers(4, 12), 2: st.integers(3, 9), 3: st.integers(3, 5)}


@st.composite
def images(draw, rank, channels=None):
    """A channels-last array with small integers among its values, so that there are ties."""
    shape = (
        draw(st.integers(1, 3)),
        *(draw(SIZES[rank]) for _ in range(rank)),
        channels or draw(st.integers(1, 4)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.normal(size=shape).astype("float32")
    return np.round(x) if draw(st.booleans()) else x


def per_dimension(draw, rank, low, high):
    """An integer for all dimensions, or one for each."""
    if draw(st.booleans()):
        return draw(st.integers(low, high))
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


def sizes(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


@st.composite
def convolutions(draw, rank, transposed=False, alike_strides=False):
    """Arguments of a convolution, and an input that its window fits."""
    groups = 1 if transposed else draw(st.sampled_from([1, 1, 2]))
    x = draw(images(rank, channels=groups * draw(st.integers(1, 2))))
    arguments = {
        "kernel_size": per_dimension(draw, rank, 1, 3),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "use_bias": draw(st.booleans()),
        "activation": draw(ACTIVATIONS),
    }
    if draw(st.booleans()):
        arguments["strides"] = (
            draw(st.integers(1, 3)) if alike_strides else per_dimension(draw, rank, 1, 3)
        )
    elif not transposed and not (rank == 3 and groups > 1):
        arguments["dilation_rate"] = draw(st.integers(1, 2))
    spans = [
        (k - 1) * arguments.get("dilation_rate", 1) + 1
        for k in sizes(arguments["kernel_size"], rank)
    ]
    if not transposed:
        assume(arguments["padding"] == "same" or all(np.array(x.shape[1:-1]) >= spans))
    return groups, arguments, x


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution(rank):
    @FEW
    @given(convolutions(rank), st.integers(1, 3))
    def check(case, filters):
        groups, arguments, x = case
        if rank == 1 and groups == 1 and arguments["padding"] == "same":
            arguments["padding"] = "causal"
        layers = pair(f"Conv{rank}D", filters * groups, groups=groups, **arguments)
        # Keras on TensorFlow has no gradient of grouped convolutions on the CPU.
        compare(*layers, [x], gradients=groups == 1)
        same_config(*layers)

    check()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_of_groups_are_those_of_the_parts(rank):
    @FEW
    @given(convolutions(rank), st.integers(1, 2))
    def check(case, filters):
        _, arguments, x = case
        x = np.concatenate([x, x[..., ::-1] * 0.5], -1)
        arguments["activation"] = None
        whole = getattr(minikeras.layers, f"Conv{rank}D")(2 * filters, groups=2, **arguments)
        whole.build(x.shape)
        parts = [getattr(keras.layers, f"Conv{rank}D")(filters, **arguments) for _ in range(2)]
        half = x.shape[-1] // 2
        kernel = whole.kernel.numpy()
        expected = []
        dy = np.random.default_rng(1).normal(size=whole(x).shape).astype("float32")
        for index, part in enumerate(parts):
            ins, outs = (slice(index * n, (index + 1) * n) for n in (half, filters))
            tensor = tf.constant(x[..., ins])
            part.build(tensor.shape)
            part.set_weights([kernel[..., outs], *[w[outs] for w in whole.get_weights()[1:]]])
            with tf.GradientTape() as tape:
                tape.watch(tensor)
                loss = tf.reduce_sum(part(tensor) * dy[..., outs])
            expected.append(
                [np.asarray(g) for g in tape.gradient(loss, [tensor, part.kernel.value])]
            )
        with Recording(Run(training=True, recording=True)) as recording:
            tensor = recording.track(x)
            y = whole(tensor)
        dx = recording.reverse([(y.slot, dy)])[tensor.slot]
        dkernel = recording.run.sink.get(whole.kernel)
        for found, pieces in zip((dx, dkernel), zip(*expected)):
            np.testing.assert_allclose(found, np.concatenate(pieces, -1), rtol=1e-4, atol=1e-4)

    check()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution(rank):
    @FEW
    @given(convolutions(rank, transposed=True), st.integers(1, 3), st.data())
    def check(case, filters, data):
        _, arguments, x = case
        strides = sizes(arguments.get("strides", 1), rank)
        if data.draw(st.booleans()):
            arguments["output_padding"] = tuple(data.draw(st.integers(0, s - 1)) for s in strides)
            # TensorFlow stops with an error where no convolution has such an output.
            kernel = sizes(arguments["kernel_size"], rank)
            assume(
                arguments["padding"] == "valid"
                or all(k % 2 + p > 0 for k, p in zip(kernel, arguments["output_padding"]))
            )
        layers = pair(f"Conv{rank}DTranspose", filters, **arguments)
        compare(*layers, [x])
        same_config(*layers)

    check()


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("family", ["Depthwise", "Separable"])
def test_depthwise_and_separable_convolution(rank, family):
    @FEW
    @given(convolutions(rank, alike_strides=True), st.integers(1, 3), st.integers(1, 3))
    def check(case, multiplier, filters):
        _, arguments, x = case
        more = (filters,) if family == "Separable" else ()
        layers = pair(f"{family}Conv{rank}D", *more, depth_multiplier=multiplier, **arguments)
        compare(*layers, [x])
        same_config(*layers)

    check()


@pytest.mark.parametrize(
    "name", ["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"]
)
def test_channels_first_is_a_transposition(name):
    """Keras on TensorFlow cannot run these on the CPU, so they are compared transposed."""
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 3)).astype("float32")
    more = () if name == "DepthwiseConv2D" else (4,)
    arguments = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
    theirs = getattr(keras.layers, name)(*more, **arguments)
    ours = getattr(minikeras.layers, name)(*more, data_format="channels_first", **arguments)
    expected = np.asarray(theirs(x))
    moved = np.moveaxis(x, -1, 1)
    ours.build(moved.shape)
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
    found = np.moveaxis(np.asarray(ours(moved)), 1, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def distinct(shape):
    """Values that do not nearly tie, as TensorFlow's gradient of 3D maxima treats those as ties."""
    rng = np.random.default_rng(0)
    return rng.permutation(int(np.prod(shape))).reshape(shape).astype("float32")


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["Max", "Average"])
def test_pooling(rank, family):
    @FEW
    @given(images(rank), st.data())
    def check(x, data):
        pool_size = per_dimension(data.draw, rank, 1, 3)
        strides = data.draw(st.one_of(st.none(), st.integers(1, 3)))
        padding = data.draw(st.sampled_from(["valid", "same"]))
        first = data.draw(st.booleans())
        layers = pair(
            f"{family}Pooling{rank}D",
            pool_size,
            strides,
            padding,
            data_format="channels_first" if first else "channels_last",
        )
        if rank == 3 and family == "Max":
            x = distinct(x.shape)
        compare(*layers, [np.moveaxis(x, -1, 1).copy() if first else x])
        same_config(*layers)

    check()


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["GlobalMax", "GlobalAverage"])
def test_global_pooling(rank, family):
    @FEW
    @given(images(rank), st.booleans(), st.sampled_from(["channels_last", "channels_first"]))
    def check(x, keepdims, data_format):
        layers = pair(f"{family}Pooling{rank}D", data_format=data_format, keepdims=keepdims)
        compare(*layers, [x])
        same_config(*layers)

    check()


@FEW
@given(images(1), st.booleans(), st.data())
def test_masked_average(x, keepdims, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    mask = rng.random(x.shape[:2]) > 0.4
    mask[:, 0] = True
    layers = pair("GlobalAveragePooling1D", keepdims=keepdims)
    compare(*layers, [x], {"mask": mask})


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("family", ["AdaptiveMax", "AdaptiveAverage"])
def test_adaptive_pooling(rank, family):
    @FEW
    @given(st.data())
    def check(data):
        # Keras fails, or ends the process, where a window and one more exceed the input.
        spatial = [data.draw(st.integers(4, 9)) for _ in range(rank)]
        output_size = tuple(data.draw(st.integers(2, n - 2)) for n in spatial)
        layers = pair(f"{family}Pooling{rank}D", output_size)
        compare(*layers, [distinct((2, *spatial, 2)) / 100])
        same_config(*layers)

    check()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_cropping_and_padding(rank):
    @FEW
    @given(images(rank), st.data())
    def check(x, data):
        first = rank > 1 and data.draw(st.booleans())
        layout = "channels_first" if first else "channels_last"
        moved = np.moveaxis(x, -1, 1).copy() if first else x
        pairs = tuple(
            (data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))) for _ in range(rank)
        )
        if rank == 1:
            cropping, padding = data.draw(st.sampled_from([1, (1, 0), pairs[0]])), pairs[0]
        else:
            cropping = padding = data.draw(st.sampled_from([1, 0, pairs]))
        more = {} if rank == 1 else {"data_format": layout}
        for name, value, own in (
            ("Cropping", cropping, more),
            ("ZeroPadding", padding, {"data_format": layout}),
        ):
            layers = pair(f"{name}{rank}D", value, **own)
            compare(*layers, [moved])
            same_config(*layers)

    check()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_enlargement(rank):
    @FEW
    @given(images(rank), st.data())
    def check(x, data):
        first = rank > 1 and data.draw(st.booleans())
        size = data.draw(st.integers(1, 3)) if rank == 1 else per_dimension(data.draw, rank, 1, 3)
        more = {}
        if rank > 1:
            more["data_format"] = "channels_first" if first else "channels_last"
        if rank == 2:
            more["interpolation"] = data.draw(
                st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
            )
        layers = pair(f"UpSampling{rank}D", size, **more)
        compare(*layers, [np.moveaxis(x, -1, 1).copy() if first else x])
        same_config(*layers)

    check()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spatial_dropout(rank):
    layers = pair(f"SpatialDropout{rank}D", 0.5, seed=3)
    x = np.ones((2, *(4,) * rank, 3), "float32")
    for layer in layers:
        assert np.array_equal(np.asarray(layer(x)), x)
    same_config(*layers)


INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"]


@FEW
@given(images(2), st.data())
def test_resize(x, data):
    options = {
        "interpolation": data.draw(st.sampled_from(INTERPOLATIONS)),
        "antialias": data.draw(st.booleans()),
        "data_format": data.draw(st.sampled_from(["channels_last", "channels_first"])),
    }
    kind = data.draw(st.sampled_from(["plain", "crop", "pad"]))
    if kind != "plain":
        options[f"{kind}_to_aspect_ratio"] = True
        options["fill_value"] = 0.5 if kind == "pad" else 0.0
    size = (data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12)))
    # Keras pads with floats, which integers refuse.
    integers = [] if kind == "pad" else ["uint8", "int32"]
    dtype = data.draw(st.sampled_from(["float32", "float64", "float16", *integers]))
    x = (x * 20 + 100).clip(0, 255).astype(dtype)
    if data.draw(st.booleans()):
        x = x[0]
    expected = keras.ops.image.resize(x, size, **options)
    found = resize(x, size, **options)
    assert found.dtype == np.asarray(expected).dtype
    # float32 weights of TensorFlow, on values up to 255; integers may round either way at .5.
    atol = 1 if dtype in ("uint8", "int32") else 0.3 if dtype == "float16" else 1e-3
    np.testing.assert_allclose(
        np.asarray(found, "float64"), np.asarray(expected, "float64"), atol=atol
    )


def both_fail(ours, theirs=None):
    with pytest.raises((ValueError, TypeError)):
        ours(minikeras)
    with pytest.raises(Exception):  # noqa: B017  (TensorFlow's own kinds of error)
        (theirs or ours)(keras)


@pytest.mark.parametrize(
    "make",
    [
        lambda k: k.layers.Conv2D(0, 3),
        lambda k: k.layers.Conv2D(4, 0),
        lambda k: k.layers.Conv2D(4, 3, strides=0),
        lambda k: k.layers.Conv2D(4, 3, groups=0),
        lambda k: k.layers.Conv2D(5, 3, groups=2),
        lambda k: k.layers.Conv2D(4, 3, strides=2, dilation_rate=2),
        lambda k: k.layers.Conv2D(4, 3, padding="causal"),
        lambda k: k.layers.Conv2D(4, (3, 3, 3)),
        lambda k: k.layers.Conv2D(4, 3, unknown=1),
        lambda k: k.layers.Conv2D(4, 3)(np.ones((2, 8, 8), "float32")),
        lambda k: k.layers.Conv2D(4, 3)(np.ones((1, 2, 2, 1), "float32")),
        lambda k: k.layers.Conv2D(4, 3, groups=2)(np.ones((1, 8, 8, 3), "float32")),
        lambda k: k.layers.Conv2DTranspose(4, 3, strides=2, output_padding=2),
        lambda k: k.layers.DepthwiseConv2D(3, depth_multiplier=0),
        lambda k: k.layers.UpSampling1D(2.5),
        lambda k: k.layers.UpSampling1D(0),
        lambda k: k.layers.Cropping1D(-1),
        lambda k: k.layers.Cropping2D(3)(np.ones((1, 5, 9, 1), "float32")),
        lambda k: k.layers.ZeroPadding2D((1, 2, 3)),
        lambda k: k.layers.MaxPooling2D(3)(k.Input((2, 2, 1))),
        lambda k: k.layers.SpatialDropout2D(2.0),
        lambda k: k.ops.conv(np.ones((1, 5, 5, 3), "float32"), np.ones((3, 3, 2, 2), "float32")),
        lambda k: k.ops.depthwise_conv(
            np.ones((1, 5, 5, 3), "float32"), np.ones((3, 3, 2, 2), "float32")
        ),
        lambda k: k.ops.image.resize(np.ones((4, 4), "float32"), (2, 2)),
        lambda k: k.ops.image.resize(np.ones((4, 4, 1), "float32"), (2, 2), "cubic"),
    ],
)
def test_both_refuse(make):
    both_fail(make)


def test_a_convolutional_network_trains_alike():
    def build(k):
        return k.Sequential(
            [
                k.Input((12, 12, 1)),
                k.layers.Conv2D(6, 3, activation="relu"),
                k.layers.MaxPooling2D(),
                k.layers.Conv2D(8, 3, padding="same", activation="relu"),
                k.layers.DepthwiseConv2D(3, padding="same"),
                k.layers.AveragePooling2D(2),
                k.layers.Conv2DTranspose(4, 3, strides=2, activation="tanh"),
                k.layers.GlobalAveragePooling2D(),
                k.layers.Dense(3, activation="softmax"),
            ]
        )

    theirs, ours = build(keras), build(minikeras)
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 12, 12, 1)).astype("float32")
    y = rng.integers(0, 3, 32)
    histories = []
    for k, model in ((keras, theirs), (minikeras, ours)):
        model.compile(
            k.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        histories.append(model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0).history)
    for key, expected in histories[0].items():
        # Twelve steps of adam amplify differences of 1e-7 in the gradients.
        np.testing.assert_allclose(histories[1][key], expected, rtol=2e-3, err_msg=key)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-2, atol=1e-3)
