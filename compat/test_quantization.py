"""Quantization beside Keras's: integers and scales, outputs and gradients, policies, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.quantizers import awq as keras_awq
from keras.src.quantizers import gptq as keras_gptq
from keras.src.quantizers import quantizers as keras_functions
from layer_pairs import _plain, numbers, pair, run_ours, run_theirs, same_config

import minikeras
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.kernels import quantization as kernels
from minikeras.quantizers import calibration

RNG = np.random.default_rng(0)

LAYERS = {
    "dense": ("Dense", (5,), {"activation": "tanh"}, (3, 10)),
    "dense_3d": ("Dense", (7,), {"use_bias": False}, (2, 3, 10)),
    "einsum": ("EinsumDense", ("abc,cde->abde", (None, 4, 5)), {"bias_axes": "e"}, (2, 3, 10)),
    "einsum_out": ("EinsumDense", ("abde,dec->abc", (None, 6)), {}, (2, 3, 4, 5)),
    "einsum_order": ("EinsumDense", ("abc,dc->adb", (6, None)), {}, (2, 3, 8)),
    "einsum_stack": ("EinsumDense", ("abc,bcd->abd", (3, 6)), {}, (2, 3, 4)),
    "embedding": ("Embedding", (9, 7), {}, None),
    "reversible": ("ReversibleEmbedding", (9, 7), {}, None),
    "reversible_untied": ("ReversibleEmbedding", (9, 7), {"tie_weights": False}, None),
}
HOW = {
    "int8": lambda q: q.Int8QuantizationConfig(),
    "int8_weights": lambda q: q.Int8QuantizationConfig(activation_quantizer=None),
    "int8_narrow": lambda q: q.Int8QuantizationConfig(
        activation_quantizer=q.AbsMaxQuantizer(value_range=(-31, 31))
    ),
    "int4": lambda q: q.Int4QuantizationConfig(block_size=None),
    "int4_inputs": lambda q: q.Int4QuantizationConfig(
        activation_quantizer=q.AbsMaxQuantizer(), block_size=-1
    ),
    "int4_blocks": lambda q: q.Int4QuantizationConfig(block_size=4),
    "float8": lambda q: q.Float8QuantizationConfig(),
}


def floats(*shape):
    return RNG.normal(size=shape).astype("float32")


def mixed(*shape):
    """Weights of both signs among any two neighbours: Keras has no 0 in the range of others."""
    signs = 1 - 2 * (np.indices(shape).sum(axis=0) % 2)
    return (np.abs(RNG.normal(size=shape)) * signs).astype("float32")


def inputs_of(case):
    shape = LAYERS[case][3]
    return RNG.integers(0, 9, (2, 6)) if shape is None else floats(*shape)


def built(case, **kwargs):
    """Both layers, with the same weights."""
    name, arguments, options, shape = LAYERS[case]
    layers = pair(name, *arguments, **options, **kwargs)
    for layer in layers:
        layer.build((None, 6) if shape is None else (None, *shape[1:]))
    values = [mixed(*w.shape) for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(values)
    return layers


def quantized(case, how, lora=False):
    """Both layers, quantized."""
    layers = built(case)
    for layer, package in zip(layers, (keras, minikeras)):
        layer.quantize(config=HOW[how](package.quantizers))
        if lora:
            layer.enable_lora(2)
    if lora:
        for theirs, ours in zip(layers[0].trainable_weights, layers[1].trainable_weights):
            value = RNG.normal(size=ours.shape).astype("float32") * 0.3
            theirs.assign(value), ours.assign(value)
    return layers


def same_variables(theirs, ours):
    def described(layer):
        return [(w.path.split("/", 1)[1], tuple(w.shape), str(w.dtype)) for w in layer.weights]

    assert described(ours) == described(theirs)
    assert [w.trainable for w in ours.weights] == [w.trainable for w in theirs.weights]
    for a, b in zip(ours.weights, theirs.weights):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-6, err_msg=a.name)


# All layers in the two main modes, and all modes for one layer a family.
FAMILIES = ("dense", "einsum_order", "reversible_untied")
CASES = [
    (case, how)
    for case in LAYERS
    for how in HOW
    if (case in FAMILIES or how in ("int8", "int4_blocks"))
    # There are no float8 tables.
    and not (how == "float8" and LAYERS[case][3] is None)
]


@pytest.mark.parametrize(("case", "how"), CASES)
def test_quantized_layers_compute_the_same(case, how):
    theirs, ours = quantized(case, how)
    same_variables(theirs, ours)
    assert ours.dtype_policy.name == theirs.dtype_policy.name
    same_config(theirs, ours)
    x = inputs_of(case)
    calls = [(x, {})]
    if case.startswith("reversible"):
        calls.append((floats(2, 7), {"reverse": True}))
    for value, options in calls:
        training = None if LAYERS[case][3] is None else False
        (expected,), _ = run_theirs(theirs, [value], options, training=training)
        (found,), _ = run_ours(ours, [value], options)
        assert found.dtype == expected.dtype
        # What is rounded is the same; products of floats differ in their last bits.
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("how", ["int8", "int8_weights", "int4_inputs", "int4_blocks"])
@pytest.mark.parametrize("case", ["dense_3d", "einsum"])
def test_gradients_pass_rounded_inputs(case, how, lora):
    theirs, ours = quantized(case, how, lora)
    x = inputs_of(case)
    (y,), _ = run_theirs(theirs, [x], {})
    (expected,), wanted = run_theirs(theirs, [x], {}, [np.ones_like(y)], training=True)
    (found,), got = run_ours(ours, [x], {}, [np.ones_like(y)], training=True)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", ["int8", "int4"])
@pytest.mark.parametrize("case", ["dense", "einsum", "reversible"])
def test_files_with_a_low_rank_change_hold_it_merged(case, how):
    theirs, ours = quantized(case, how, lora=True)
    expected, found = {}, {}
    theirs.save_own_variables(expected), ours.save_own_variables(found)
    assert list(found) == list(expected)
    for key, value in expected.items():
        value, mine = np.asarray(value), np.asarray(found[key])
        assert mine.dtype == value.dtype
        if value.dtype.kind == "i":
            # The sum may round to a neighbour, in the last bit before.
            assert np.mean(mine != value) < 0.05
        else:
            np.testing.assert_allclose(mine, value, rtol=1e-5)


def network(package):
    layers = package.layers
    return package.Sequential(
        [
            layers.Input((6,), dtype="int32"),
            layers.Embedding(9, 8),
            layers.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de"),
            layers.Reshape((6, 8)),
            layers.Dense(5, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


@pytest.mark.filterwarnings("ignore:.*quantize")
@pytest.mark.parametrize("how", ["int8", "int4", "int4_blocks", "float8"])
def test_each_opens_the_files_of_the_other(how, tmp_path):
    x = RNG.integers(0, 9, (4, 6))
    for writer, reader in ((keras, minikeras), (minikeras, keras)):
        model = network(writer)
        model.set_weights([mixed(*w.shape) for w in model.weights])
        model.quantize(config=HOW[how](writer.quantizers))
        expected = np.asarray(model(x))
        model.save(tmp_path / "model.keras")
        model.save(tmp_path / "model.h5")
        model.save_weights(tmp_path / "model.weights.h5")
        # By order, Keras does not find the variables of float8 again in its own `.h5` files.
        for name in ("model.keras", "model.h5")[: 1 if how == "float8" else 2]:
            loaded = reader.saving.load_model(tmp_path / name)
            np.testing.assert_allclose(np.asarray(loaded(x)), expected, rtol=1e-4, atol=1e-4)
        fresh = network(reader)
        fresh.quantize(config=HOW[how](reader.quantizers))
        fresh.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_allclose(np.asarray(fresh(x)), expected, rtol=1e-4, atol=1e-4)


def test_training_in_float8():
    dtype = "float8_from_float32"
    x, y = floats(32, 6), floats(32, 3)
    losses, weights = [], []
    start = [floats(6, 5), floats(5), floats(5, 3), floats(3)]
    for package in (keras, minikeras):
        model = package.Sequential(
            [
                package.layers.Input((6,)),
                package.layers.Dense(5, activation="tanh", dtype=dtype),
                package.layers.EinsumDense("ab,bc->ac", 3, bias_axes="c", dtype=dtype),
            ]
        )
        for layer, values in zip(model.layers, (start[:2], start[2:])):
            layer._kernel.assign(values[0]), layer.bias.assign(values[1])
        model.compile("sgd", "mse", jit_compile=False)
        history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        weights.append({w.path.split("/")[-2][:5] + w.name: w.numpy() for w in model.weights})
    # A float that rounds to the other neighbour changes a term by a part of 2**-4.
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-2)
    for name, value in weights[0].items():
        np.testing.assert_allclose(weights[1][name], value, rtol=5e-3, atol=5e-3)


def calibrated_network(package):
    layers = package.layers
    inputs = layers.Input((5,), dtype="int32")
    embedding, block = (
        layers.Embedding(20, 16),
        package.Sequential(
            [
                layers.EinsumDense("abc,cde->abde", (None, 4, 3), bias_axes="de"),
                layers.EinsumDense("abde,dec->abc", (None, 16)),
                layers.Dense(16, activation="tanh"),
            ]
        ),
    )
    model = package.Model(inputs, layers.Dense(3)(block(embedding(inputs))))
    return model, {"pre_block_layers": [embedding], "sequential_blocks": [block]}


@pytest.mark.filterwarnings("ignore:.*quantize")
@pytest.mark.parametrize("mode", ["gptq", "awq"])
def test_calibrated_models_and_their_files(mode, tmp_path):
    values, outputs, x = None, [], RNG.integers(0, 20, (4, 5))
    # One window a sample, so that both see the same ones wherever they begin.
    tokens = [np.tile(np.arange(20), 2)]
    for package in (keras, minikeras):
        model, structure = calibrated_network(package)
        values = values or [mixed(*w.shape) * 0.3 for w in model.weights]
        model.set_weights(values)
        kind = package.quantizers.AWQConfig if mode == "awq" else package.quantizers.GPTQConfig
        config = kind(
            tokens, lambda text: text, num_samples=40, sequence_length=5, group_size=8,
            quantization_layer_structure=structure,
        )  # fmt: skip
        names = [layer.name for layer in structure["sequential_blocks"][0].layers]
        model.quantize(config=config, filters=lambda layer, names=names: layer.name in names)
        outputs.append((package, model, np.asarray(model(x))))
    np.testing.assert_allclose(outputs[1][2], outputs[0][2], atol=0.05)
    # Keras leaves the zero points out of its own files, and cannot open them.
    outputs[1][1].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(loaded(x)), outputs[1][2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("size", [-1, 8])
def test_gptq_of_a_matrix(size, order):
    weights, x = mixed(6, 16), floats(50, 16)
    inverse = np.linalg.inv(x.T @ x / 25 + 0.05 * np.eye(16)).astype("float32")
    settings = {"bits": 4, "per_channel": True}
    expected = keras_gptq.gptq_quantize_matrix(
        tf.constant(weights),
        tf.constant(inverse),
        group_size=size,
        activation_order=order,
        compute_scale_zero=lambda part: keras_functions.compute_quantization_parameters(
            part, **settings
        ),
    )
    found = calibration.gptq_quantize_matrix(
        weights,
        inverse,
        group_size=size,
        activation_order=order,
        compute_scale_zero=lambda part: calibration.quantization_parameters(part, **settings),
    )
    integers = np.asarray(expected[0])
    assert np.mean(found[0] != integers) < 0.03  # ties of sums in another order
    for a, b in zip(found[1:], expected[1:]):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [-1, 4])
def test_awq_of_a_matrix(size):
    weights, sizes = mixed(6, 16), np.abs(floats(16)) + 0.1
    expected = keras_awq.awq_quantize_matrix(tf.constant(weights), sizes, group_size=size)
    found = calibration.awq_quantize_matrix(weights, sizes, group_size=size)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("size", [-1, 5])
def test_parameters_of_matrices(size, symmetric):
    x = mixed(4, 12)
    how = {"bits": 4, "symmetric": symmetric, "per_channel": True, "group_size": size}
    expected = keras_functions.compute_quantization_parameters(x, **how)
    found = kernels.parameters(x, **how)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5)


def both(name, *args, **kwargs):
    """What a function gives in both packages."""
    found = [
        numbers(getattr(package.quantizers, name)(*args, **kwargs))
        for package in (keras, minikeras)
    ]
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found):
        assert a.dtype == b.dtype and a.shape == b.shape
    return found


@pytest.mark.parametrize("to_numpy", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_functions(dtype, to_numpy):
    x = mixed(8, 5).astype(dtype)
    for axis in (0, -1, (0, 1)):
        theirs, ours = both("abs_max_quantize", x, axis, to_numpy=to_numpy)
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-3 if dtype == "float16" else 1e-6)
    theirs, ours = both("abs_max_quantize_grouped_with_zero_point", x, 4, to_numpy=to_numpy)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-3 if dtype == "float16" else 1e-6)
    for axis, kind, low, high in ((0, "int8", -8, 8), (1, "uint8", 0, 16)):
        integers = RNG.integers(low, high, (5, 3, 2)).astype(kind)
        packed = [p.quantizers.pack_int4(integers, axis, kind) for p in (keras, minikeras)]
        np.testing.assert_array_equal(packed[1][0], packed[0][0])
        assert packed[1][1:] == packed[0][1:]
        theirs, ours = both("unpack_int4", packed[1][0].numpy(), integers.shape[axis], axis, kind)
        np.testing.assert_array_equal(ours[0], theirs[0])


def test_float8_functions():
    x = floats(400) * 10.0 ** RNG.integers(-4, 4, 400).astype("float32")
    for kind in ("float8_e4m3fn", "float8_e5m2"):
        theirs, ours = both("quantize_and_dequantize", x, 0.03, kind, "float32")
        np.testing.assert_array_equal(ours[0], theirs[0])
    for amax in (0.0, 3.0, np.float32(np.inf)):
        theirs, ours = both("compute_float8_scale", np.float32(amax), np.float32(0.5), 448.0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    theirs, ours = both("compute_float8_amax_history", x, floats(5))
    np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_fake_quantization(axis, narrow):
    x, upstream = floats(6, 4) * 4, floats(6, 4)
    low, high = np.float32(-2.3), np.float32(3.1)
    if axis is not None:
        low = np.array([-2.3, 0.5, -3, -1, 0, -5], "float32")[: x.shape[axis]]
        high = np.array([3.1, 4, -1, 2, 2, 5], "float32")[: x.shape[axis]]
    tensors = [tf.constant(one) for one in (x, low, high)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = keras.quantizers.fake_quant_with_min_max_vars(*tensors, 5, narrow, axis)
    wanted = tape.gradient(y, tensors, output_gradients=upstream)
    with Recording(Run(training=True, recording=True)) as recording:
        ours = [recording.track(one) for one in (x, low, high)]
        mine = minikeras.quantizers.fake_quant_with_min_max_vars(*ours, 5, narrow, axis)
    np.testing.assert_allclose(mine, y, rtol=1e-5, atol=1e-6)
    gradients = recording.reverse([(mine.slot, upstream)])
    for one, want in zip(ours, wanted):
        np.testing.assert_allclose(gradients[one.slot], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "int8_from_float32", "int8_from_mixed_bfloat16", "int4_from_float32",
        "int4/64_from_float32", "int4/-1_from_mixed_float16", "float8_from_bfloat16",
        "gptq/4/128_from_float32", "gptq/3/-1_from_float32", "awq/4/32_from_mixed_bfloat16",
    ],
)  # fmt: skip
def test_policies(name):
    theirs, ours = (package.dtype_policies.get(name) for package in (keras, minikeras))
    for attribute in ("name", "compute_dtype", "variable_dtype", "quantization_mode"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert repr(ours) == repr(theirs)
    config = minikeras.dtype_policies.serialize(ours)
    assert config == keras.dtype_policies.serialize(theirs)
    assert minikeras.dtype_policies.deserialize(config) == ours
    assert keras.dtype_policies.deserialize(config) == theirs


@pytest.mark.parametrize(
    "make",
    [
        *HOW.values(),
        lambda q: q.GPTQConfig(None, None, weight_bits=3, group_size=-1, symmetric=True),
        lambda q: q.AWQConfig(None, None, num_grid_points=7),
        lambda q: q.AbsMaxQuantizer(axis=(0, 1), value_range=(-7, 7)),
    ],
)
def test_configs(make):
    theirs, ours = (make(package.quantizers) for package in (keras, minikeras))
    written = minikeras.quantizers.serialize(ours)
    assert _plain(written) == _plain(keras.quantizers.serialize(theirs))
    again = keras.saving.deserialize_keras_object(written)
    assert _plain(again.get_config()) == _plain(theirs.get_config())
    mine = minikeras.quantizers.deserialize(keras.quantizers.serialize(theirs))
    assert _plain(mine.get_config()) == _plain(theirs.get_config())
