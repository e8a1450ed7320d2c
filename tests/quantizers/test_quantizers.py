"""Quantizers, their configurations, and the calibration of GPTQ and AWQ."""

import numpy as np
import pytest

from minikeras import layers, ops, quantizers
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels import quantization as kernels
from minikeras.quantizers import calibration
from tests.gradcheck import check_gradients

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.standard_normal(shape).astype("float32")


def test_abs_max_is_within_half_a_step():
    x = floats(6, 8)
    for axis in (0, 1, (0, 1)):
        values, scale = quantizers.abs_max_quantize(x, axis)
        assert values.dtype == "int8" and abs(values.numpy()).max() == 127
        assert np.all(np.abs(values.numpy() / scale.numpy() - x) <= 0.5001 / scale.numpy())


def test_abs_max_of_recorded_and_symbolic_tensors():
    symbolic = quantizers.AbsMaxQuantizer()(KerasTensor((None, 3)))
    assert symbolic[0].dtype == "int8" and symbolic[1].shape == (None, 1)

    def scale_of(x):
        return quantizers.abs_max_quantize(x, -1)[1]

    check_gradients(scale_of, RNG.standard_normal((3, 4)))


@pytest.mark.parametrize("shift", [0, 5, -5])
def test_blocks_keep_weights_far_from_zero(shift):
    x = floats(10, 3) + shift
    values, scale, zero = quantizers.abs_max_quantize_grouped_with_zero_point(x, 4)
    assert scale.shape == zero.shape == (3, 3) and zero.dtype == "int8"
    back = kernels.groups_from_levels(values, scale, zero, np.arange(10) // 4, axis=0)
    assert np.all(np.abs(back - x) <= np.repeat(scale.numpy(), 4, axis=0)[:10])


def test_blocks_of_one_value_are_exact():
    values, scale, zero = quantizers.abs_max_quantize_grouped_with_zero_point(
        np.full((4, 2), 0.5, "float32"), 2
    )
    np.testing.assert_allclose((values.numpy() - zero.numpy()[0]) * scale.numpy()[0], 0.5, 1e-5)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize(("dtype", "low"), [("int8", -8), ("uint8", 0)])
def test_two_numbers_in_a_byte(axis, dtype, low):
    x = RNG.integers(low, low + 16, (5, 3, 7)).astype(dtype)
    packed, shape, length = quantizers.pack_int4(x, axis, dtype)
    assert packed.shape == shape and packed.numpy().size < 0.7 * x.size
    np.testing.assert_array_equal(quantizers.unpack_int4(packed, length, axis, dtype), x)


@pytest.mark.parametrize("axis", [None, 1])
def test_fake_quantization_passes_gradients_inside(axis):
    # Inside, the gradient is as if nothing were rounded: values on the steps have that one.
    low, high = np.array([-1.0] * 3), np.array([2.0] * 3)
    if axis is None:
        low, high = np.array(-1.0), np.array(2.0)
    x = np.array([[-3.0, 0.5, 4.0], [-1.5, 1.5, -0.5]])
    tensor = quantizers.fake_quant_with_min_max_vars(x, low, high, num_bits=2, axis=axis)
    np.testing.assert_allclose(tensor, np.clip(np.rint(x), -1, 2), atol=1.01)

    # Outside, values are the ends, and these have gradients.
    outside = np.array([[-3.0, -5.0, 4.0], [-1.5, 3.5, -2.5]])
    check_gradients(
        lambda x: quantizers.fake_quant_with_min_max_vars(x, low, high, axis=axis), outside
    )


def test_float8_rounds_as_the_type_does():
    x = np.array([0.001, 0.3, 17.0, 1e4, -1e6], "float32")
    found = quantizers.quantize_and_dequantize(x, 1.0, "float8_e4m3fn", "float32").tolist()
    assert found == [0.001953125 * round(0.001 / 0.001953125), 0.3125, 16.0, 448.0, -448.0]


def test_names():
    assert quantizers.get(None) is None
    assert quantizers.get("abs_max_quantizer", axis=1).axis == (1,)
    config = quantizers.Int4QuantizationConfig(block_size=32)
    again = quantizers.deserialize(quantizers.serialize(config))
    assert again.block_size == 32
    with pytest.raises(ValueError, match="AbsMaxQuantizer"):
        quantizers.get("abs_max_quantiser")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: quantizers.AbsMaxQuantizer(value_range=(-200, 200)), "value_range"),
        (lambda: quantizers.Int4QuantizationConfig(block_size=0), "block_size"),
        (
            lambda: quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(0, (-8, 7))),
            "block_size=None",
        ),
        (
            lambda: quantizers.Int4QuantizationConfig(
                quantizers.AbsMaxQuantizer(0), block_size=None
            ),
            "value_range",
        ),
        (lambda: quantizers.GPTQConfig(None, None, weight_bits=5), "weight_bits"),
        (lambda: quantizers.GPTQConfig(None, None, hessian_damping=2), "hessian_damping"),
        (lambda: quantizers.AWQConfig(None, None, weight_bits=8), "4-bit"),
        (lambda: quantizers.AWQConfig(None, None, num_grid_points=0), "num_grid_points"),
        (lambda: quantizers.AWQConfig(None, None, group_size=0), "group_size"),
        (lambda: quantizers.resolve_config(None, None), "either `mode` or `config`"),
        (lambda: quantizers.resolve_config("int7", None), "int7"),
        (lambda: quantizers.resolve_config("gptq", None), "GPTQConfig"),
        (
            lambda: quantizers.resolve_config("int4", quantizers.Int8QuantizationConfig()),
            "Contradictory",
        ),
        (lambda: quantizers.pack_int4(np.zeros(3, "int8"), dtype="int4"), "int4"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Words:
    def tokenize(self, text):
        return np.array([ord(letter) for letter in text])


def windows(*args):
    return calibration.calibration_samples(Words(), *args)


def test_samples_are_windows_of_the_tokens():
    found = windows(4, ["abcdef", "ghij"], 7)
    assert found.shape == (7, 1, 4) and found.dtype == np.int32
    assert len({bytes(window.tolist()) for window in found[:, 0]}) > 3
    for window in found[:, 0]:
        assert bytes(window.tolist()) in b"abcdefghij" * 3
    np.testing.assert_array_equal(found, windows(4, ["abcdef", "ghij"], 7))
    assert windows(9, [np.arange(4)], 5).shape == (5, 1, 9)
    with pytest.raises(TypeError, match="Got type: str"):
        windows(3, "wikitext")
    with pytest.raises(ValueError, match="empty"):
        windows(3, [])


def prepared(layer, config, x):
    layer.build(x.shape)
    layer.quantize(config=config)
    return layer


@pytest.mark.parametrize("options", [{}, {"activation_order": True}, {"group_size": 5}])
def test_gptq_beats_rounding(options):
    # Inputs that go together: their errors can make up for each other.
    x = floats(400, 3) @ floats(3, 20) + 0.05 * floats(400, 20)
    config = quantizers.GPTQConfig(None, None, **{"group_size": -1, **options})
    layer = prepared(layers.Dense(8), config, x)
    kernel, before = layer._kernel.numpy(), layer(x).numpy()
    levels = kernels.parameters(kernel.T, 4, per_channel=True, group_size=config.group_size)
    groups = np.arange(20) // (20 if config.group_size == -1 else config.group_size)
    plain = kernels.groups_from_levels(
        kernels.groups_to_levels(kernel.T, *levels[:2], groups, levels[2]), *levels[:2], groups
    )
    job = calibration.GPTQ(layer, config)
    job.observe(x[:150]), job.observe(x[150:])
    np.testing.assert_allclose(job.hessian, 2 * x.T @ x / 400, rtol=1e-3, atol=1e-4)
    job.quantize()
    error = np.square(layer(x).numpy() - before).mean()
    assert error < np.square(x @ plain.T - x @ kernel).mean()


def test_groups_need_not_fit_into_blocks():
    found = calibration.gptq_quantize_matrix(
        floats(3, 200),
        np.eye(200, dtype="float32"),
        group_size=48,
        compute_scale_zero=lambda part: kernels.parameters(part, 4, per_channel=True),
    )
    assert found[1].shape == found[2].shape == (3, 5)
    assert calibration.gptq_quantize_matrix(
        floats(3, 200),
        np.eye(200, dtype="float32"),
        compute_scale_zero=lambda part: kernels.parameters(part, 4, per_channel=True),
    )[1].shape == (3, 1)


@pytest.mark.parametrize("size", [-1, 6])
def test_awq_beats_rounding(size):
    x = floats(300, 12) * np.array([20.0] * 2 + [0.5] * 10, "float32")
    config = quantizers.AWQConfig(None, None, group_size=size)
    layer = prepared(layers.EinsumDense("ab,bc->ac", 7), config, x)
    kernel, before = layer._kernel.numpy(), layer(x).numpy()
    values, scale, zero, groups = calibration._in_four_bits(kernel.T, size)
    plain = kernels.groups_from_levels(values, scale, zero, groups)
    job = calibration.AWQ(layer, config)
    job.observe(x)
    job.quantize()
    assert np.square(layer(x).numpy() - before).mean() < np.square(x @ (plain.T - kernel)).mean()


def test_calibration_says_what_is_missing():
    layer = layers.Dense(3)
    layer.build((None, 4))
    job = calibration.GPTQ(layer)
    for inputs, message in ((None, "None"), (np.zeros((0, 4)), "empty"), (np.ones((2, 5)), "4 fe")):
        with pytest.raises(ValueError, match=message):
            job.observe(inputs)
    with pytest.raises(TypeError, match="Unsupported"):
        calibration.AWQ(layers.Flatten())
    config = quantizers.GPTQConfig(None, None)
    with pytest.raises(ValueError, match="dataset"):
        calibration.calibrate(config, {"sequential_blocks": [layer]})
    config = quantizers.GPTQConfig(["abc"], Words())
    with pytest.raises(ValueError, match="quantization structure"):
        calibration.calibrate(config, None)
    with pytest.raises(ValueError, match="sequential blocks"):
        calibration.calibrate(config, {})
    with pytest.raises(ValueError, match="rank"):
        calibration.quantization_parameters(ops.ones(3), bits=4)
