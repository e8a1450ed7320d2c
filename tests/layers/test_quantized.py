"""Layers and models with quantized weights."""

import copy
import pickle

import numpy as np
import pytest

import minikeras
from minikeras import dtype_policies, layers, quantizers
from tests.gradcheck import check_gradients

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings(
    "ignore:Invalid quantization mode", "ignore:No training config"
)
CONFIGS = {
    "int8": quantizers.Int8QuantizationConfig(activation_quantizer=None),
    "int4": quantizers.Int4QuantizationConfig(block_size=None),
    "int4_blocks": quantizers.Int4QuantizationConfig(block_size=3),
}


def floats(*shape):
    return RNG.standard_normal(shape).astype("float32")


def made(kind, **options):
    """A layer and its input."""
    if kind == "dense":
        layer, x = layers.Dense(5, activation="tanh", **options), floats(3, 7)
    elif kind == "einsum":
        layer = layers.EinsumDense("abc,dec->abde", (None, 2, 5), bias_axes="de", **options)
        x = floats(2, 3, 7)
    else:
        layer, x = layers.ReversibleEmbedding(9, 7, **options), np.array([[3, 0, 8], [3, 3, 1]])
    layer.build(x.shape)
    return layer, x


KINDS = ("dense", "einsum", "embedding")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [*CONFIGS, "int8_inputs"])
def test_weights_are_integers_and_outputs_near(kind, how):
    layer, x = made(kind)
    before = layer(x).numpy()
    bytes_before = sum(weight.numpy().nbytes for weight in layer.weights)
    layer.quantize(config=CONFIGS.get(how) or quantizers.Int8QuantizationConfig())
    stored = getattr(layer, f"_{layer._adapted}")
    assert stored.dtype == "int8" and not stored.trainable
    assert how == "int4_blocks" or sum(w.numpy().nbytes for w in layer.weights) < bytes_before
    assert np.abs(layer(x).numpy() - before).max() < (0.05 if "int8" in how else 0.6)
    assert layer.quantization_mode == how[:4]
    np.testing.assert_array_equal(layer.quantized_call(x), layer(x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", CONFIGS)
@pytest.mark.parametrize("lora", [False, True])
def test_gradients(kind, how, lora):
    # With inputs as they are, a quantized layer is a differentiable function of them.
    layer, x = made(kind, dtype="float64")
    layer.quantize(config=CONFIGS[how])
    if lora:
        layer.enable_lora(2, b_initializer="he_normal")
        for part in layer._pair()[:2]:
            part._dtype, part.array = "float64", part.array.astype("float64")
    check_gradients(layer, x.astype("float64") if x.dtype.kind == "f" else x)
    if kind == "embedding":
        check_gradients(layer, RNG.standard_normal((2, 7)), reverse=True)


@pytest.mark.parametrize("equation", ["...x,xy->...y", "ax...,xy->ay..."])
def test_axes_that_are_left_open(equation):
    shape = (2, 3, 8) if equation[0] == "." else (2, 8, 3)
    for mode in ("int8", "int4"):
        layer, x = layers.EinsumDense(equation, 5), floats(*shape)
        before = layer(x).numpy()
        layer.quantize(mode)
        assert 0 < np.abs(layer(x).numpy() - before).max() < (0.05 if mode == "int8" else 0.6)


def test_gradients_pass_rounded_inputs():
    layer, x = made("dense", use_bias=False)
    layer.activation = None
    layer.quantize("int8")
    from tests.gradcheck import gradients

    (_,), (dy,), (dx,), _ = gradients(layer, [x], {})
    np.testing.assert_allclose(dx, dy @ layer._float_weight().T, rtol=1e-5)


@pytest.mark.parametrize("how", [*CONFIGS, "int8_inputs", "float8"])
def test_files_and_copies(how, tmp_path):
    def network():
        return minikeras.Sequential(
            [
                layers.Input((4,), dtype="int32"),
                layers.Embedding(9, 6),
                layers.EinsumDense("abc,cde->abde", (4, 2, 3), bias_axes="e"),
                layers.Flatten(),
                layers.Dense(3),
            ]
        )

    def prepare(model):
        other = {"int8_inputs": quantizers.Int8QuantizationConfig()}
        model.quantize(config=CONFIGS.get(how) or other.get(how) or FLOAT8)

    model, x = network(), RNG.integers(0, 9, (5, 4))
    prepare(model)
    expected = model.predict(x, verbose=0)
    # In `.h5` files variables go by their order: in Keras too, float8 has another when quantized.
    for name in ("model.keras", "model.h5")[: 1 if how == "float8" else 2]:
        model.save(tmp_path / name)
        loaded = minikeras.saving.load_model(tmp_path / name)
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
        assert loaded.layers[-1].dtype_policy == model.layers[-1].dtype_policy
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = network()
    prepare(fresh)
    fresh.load_weights(tmp_path / "model.weights.h5")
    for one in (fresh, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(one.predict(x, verbose=0), expected)
    clone = minikeras.models.clone_model(model)
    assert sorted(w.shape for w in clone.weights) == sorted(w.shape for w in model.weights)


FLOAT8 = quantizers.Float8QuantizationConfig()


def test_training_with_a_low_rank_change(tmp_path):
    x, y = floats(64, 6), floats(64, 3)
    model = minikeras.Sequential([layers.Input((6,)), layers.Dense(3)])
    model.quantize("int8")
    layer = model.layers[0]
    layer.enable_lora(2)
    model.compile("adam", "mse")
    before = layer._kernel.numpy(), layer.lora_kernel_b.numpy()
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(layer._kernel, before[0])
    assert not np.array_equal(layer.lora_kernel_b, before[1])
    # Files hold it merged, in integers again.
    model.save(tmp_path / "model.keras")
    loaded = minikeras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].lora_enabled and not loaded.layers[0].lora_kernel_b.numpy().any()
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=0.1)


def test_training_in_float8():
    x, y = floats(64, 6), floats(64, 3)
    model = minikeras.Sequential([layers.Input((6,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    model = minikeras.Sequential([layers.Input((6,)), layers.Dense(3)])
    model.quantize("float8")
    layer = model.layers[0]
    assert len(layer.trainable_weights) == 8
    model.compile("sgd", "mse")
    losses = model.fit(x, y, epochs=4, batch_size=16, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    # Scales follow the largest values of the steps before.
    largest = np.abs(x.reshape(4, -1)).max(axis=1)
    np.testing.assert_allclose(layer.inputs_amax_history.numpy()[0], largest[-1])
    np.testing.assert_allclose(layer.inputs_scale, largest.max() / 448, rtol=1e-6)
    assert layer.outputs_grad_scale.numpy() < 1
    state = [weight.numpy() for weight in layer.weights]
    model.predict(x, verbose=0)
    for weight, value in zip(layer.weights, state):
        np.testing.assert_array_equal(weight, value)


def test_a_layer_that_is_called_twice_has_scales_for_both_calls():
    layer = layers.Dense(4)
    inputs = layers.Input((4,))
    model = minikeras.Model(inputs, layer(layer(inputs) * 100.0))
    model.quantize("float8")
    model.compile("sgd", "mse")
    x = floats(8, 4)
    hidden = layer(x).numpy() * 100
    model.train_on_batch(x, floats(8, 4))
    np.testing.assert_allclose(
        layer.inputs_amax_history.numpy()[0], max(abs(x).max(), abs(hidden).max()), rtol=1e-5
    )


def test_quantizing_a_trained_model_changes_its_predictions():
    x = floats(8, 6)
    model = minikeras.Sequential([layers.Input((6,)), layers.Dense(5), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, floats(8, 2), verbose=0)
    before = model.predict(x, verbose=0)
    model.quantize("int4")
    after = model.predict(x, verbose=0)
    assert 0 < np.abs(after - before).max() < 0.5
    np.testing.assert_allclose(model(x), after, rtol=1e-5, atol=1e-6)


def test_filters_choose_layers():
    def network():
        return minikeras.Sequential(
            [layers.Input((3,)), layers.Dense(4, name="first"), layers.Dense(2, name="last")]
        )

    for filters in ("first", ["^fi", "none"], lambda layer: layer.name == "first"):
        model = network()
        model.quantize("int8", filters=filters)
        assert [layer.quantization_mode for layer in model.layers] == ["int8", None]
    with pytest.raises(ValueError, match="filters"):
        network().quantize("int8", filters=3)
    with pytest.raises(ValueError, match="Unrecognized"):
        network().quantize("int8", often=True)
    with pytest.raises(ValueError, match="isn't yet built"):
        minikeras.Sequential([layers.Dense(2)]).quantize("int8")


def test_layers_that_cannot_are_named():
    model = minikeras.Sequential([layers.Input((3,)), layers.LayerNormalization()])
    with pytest.warns(UserWarning, match="LayerNormalization does not have a `quantize`"):
        model.quantize("int8")


@pytest.mark.parametrize("mode", ["gptq", "awq"])
def test_calibrated_models(mode, tmp_path, capsys):
    model = minikeras.Sequential(
        [layers.Input((6,), dtype="int32"), layers.Embedding(20, 8), layers.Dense(8, "relu")]
    )
    block = minikeras.Sequential([layers.Dense(8, "tanh"), layers.Dense(8)])
    model.add(block)
    kind = quantizers.GPTQConfig if mode == "gptq" else quantizers.AWQConfig
    config = kind(
        [np.arange(20)],
        object(),
        num_samples=8,
        sequence_length=6,
        group_size=4,
        quantization_layer_structure={
            "pre_block_layers": [model.layers[0]],
            "sequential_blocks": [model.layers[1], block],
        },
    )
    x = RNG.integers(0, 20, (5, 6))
    before = model.predict(x, verbose=0)
    model.quantize(config=config)
    assert block.layers[0].kernel.dtype == "uint8" and not hasattr(block.layers[0], "_kernel")
    after = model.predict(x, verbose=0)
    assert 0 < np.abs(after - before).max() < 0.2
    with pytest.raises(NotImplementedError, match="lora"):
        block.layers[0].enable_lora(2)
    model.save(tmp_path / "model.keras")
    loaded = minikeras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), after)


def test_what_is_not_calibrated_is_not_written(tmp_path):
    model = minikeras.Sequential([layers.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="quantization structure"):
        model.quantize(config=quantizers.GPTQConfig(["a"], object()))
    with pytest.raises(ValueError, match="not calibrated"):
        model.save(tmp_path / "model.keras")
    layer = layers.Dense(2, dtype="awq/4/8_from_float32")
    with pytest.raises(ValueError, match="no weight yet"):
        layer(floats(2, 4))


def test_policies_quantize_what_is_built():
    layer, x = made("dense")
    layer.dtype_policy = "int4/3_from_float32"
    assert layer.kernel_zero.shape == (3, 5)
    with pytest.raises(ValueError, match="already quantized"):
        layer.quantize("int8")
    layer, _ = made("dense")
    with pytest.raises(ValueError, match="GPTQConfig"):
        layer.dtype_policy = "gptq/4/8_from_float32"
    assert layer.quantization_mode is None
    layer, _ = made("dense", dtype="float16")
    with pytest.raises(ValueError, match="float16"):
        layer.quantize("int8")
    layer = layers.Embedding(3, 2, dtype="float8_from_float32")
    with pytest.raises(NotImplementedError, match="float8"):
        layer.build()


def test_policies_by_path():
    policies = dtype_policies.DTypePolicyMap()
    policies["att/query"] = "int8_from_float32"
    layer = layers.MultiHeadAttention(2, 3, dtype=policies, name="att")
    layer.build((None, 4, 8), (None, 4, 8))
    assert layer._query_dense._kernel.dtype == "int8"
    assert layer._key_dense._kernel.dtype == "float32"
    again = dtype_policies.deserialize(dtype_policies.serialize(policies))
    assert again["att/query"].name == "int8_from_float32" and len(again) == 1
    assert again["att/key"] == dtype_policies.DTypePolicy("float32")


def test_subclasses_refuse_unless_told():
    class Mine(layers.Dense):
        pass

    layer = Mine(3)
    layer.build((None, 2))
    with pytest.raises(NotImplementedError, match="type_check"):
        layer.quantize("int8")
    layer.quantize("int8", type_check=False)
    assert layer._kernel.dtype == "int8"


def test_layers_of_users_compute_otherwise():
    class Mine(layers.Layer):
        def call(self, x):
            return x

        def quantize(self, mode, type_check=True, config=None):
            self.dtype_policy = f"{mode}_from_{self.dtype_policy.name}"

        def _int8_call(self, x):
            return 2 * x

    layer, x = Mine(), floats(2, 3)
    assert np.array_equal(layer(x), x)
    layer.quantize("int8")
    assert np.array_equal(layer(x), 2 * x)
    model = minikeras.Sequential([layers.Input((3,)), layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), 2 * x)


def test_a_quantizer_along_another_axis_is_refused():
    layer, _ = made("dense")
    config = quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(axis=1))
    with pytest.raises(ValueError, match="axis"):
        layer.quantize(config=config)
    assert layer.quantization_mode is None and layer._kernel.dtype == "float32"
