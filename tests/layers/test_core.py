"""Input, Dense, EinsumDense, Activation, Identity, Lambda, Masking."""

import numpy as np
import pytest

import minikeras
from minikeras import layers, ops
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "tanh", "use_bias": False},
        {"activation": "softmax", "kernel_regularizer": "l2", "bias_constraint": "non_neg"},
        {"activation": "silu", "kernel_initializer": "he_normal", "activity_regularizer": "l1"},
    ],
)
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_dense(options, shape):
    check_layer(lambda **kw: layers.Dense(5, **options, **kw), floats(*shape))


def test_dense_takes_a_function_as_activation():
    layer = layers.Dense(3, activation=lambda x: ops.tanh(x) * x, dtype="float64")
    check_gradients(layer, floats(4, 2))


@pytest.mark.parametrize("units", [0, -1, 2.5, "3", None, True])
def test_dense_refuses_units(units):
    with pytest.raises(ValueError, match="units"):
        layers.Dense(units)


def test_dense_refuses_other_features():
    layer = layers.Dense(2)
    layer(floats(3, 4))
    with pytest.raises(ValueError, match="expected axis -1"):
        layer(floats(3, 5))


LORA = [
    (lambda **kw: layers.Dense(5, activation="tanh", **kw), (3, 4)),
    (
        lambda **kw: layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", **kw),
        (2, 3, 4),
    ),
]


@pytest.mark.parametrize(("make", "shape"), LORA)
def test_low_rank_change(make, shape):
    layer = make(dtype="float64")
    x = floats(*shape).astype("float64")
    before = layer(x).numpy()
    layer.enable_lora(2, lora_alpha=3.0)
    np.testing.assert_allclose(layer(x).numpy(), before, rtol=1e-6)
    assert [v.name for v in layer.trainable_variables] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    # Low-rank weights are float32: a step of 1e-6 is lost in their rounding, so float64 ones here.
    for variable in (layer.lora_kernel_a, layer.lora_kernel_b):
        variable.array = RNG.normal(size=variable.shape)
    check_gradients(layer, x)
    store = {}
    after = layer(x).numpy()
    layer.save_own_variables(store)
    assert list(store) == ["0", "1"]
    twin = make(dtype="float64")
    twin(x)
    twin.load_own_variables(store)
    np.testing.assert_allclose(twin(x).numpy(), after, rtol=1e-6)
    layer.load_own_variables(store)
    np.testing.assert_allclose(layer(x).numpy(), after, rtol=1e-6)
    with pytest.raises(ValueError, match="already enabled"):
        layer.enable_lora(2)


def test_low_rank_change_is_refused():
    with pytest.raises(ValueError, match="isn't yet built"):
        layers.Dense(3).enable_lora(2)
    layer = layers.Dense(3, kernel_constraint="non_neg")
    layer(floats(2, 2))
    with pytest.raises(ValueError, match="kernel_constraint"):
        layer.enable_lora(2)


def test_low_rank_from_the_constructor():
    layer = layers.Dense(3, lora_rank=2)
    layer(floats(2, 4))
    assert layer.lora_enabled
    assert layer.get_config()["lora_alpha"] == 2
    assert not layer._kernel.trainable


EQUATIONS = [
    ("ab,bc->ac", 6, "c", (3, 4)),
    ("abc,cd->abd", (None, 6), "d", (2, 3, 4)),
    ("abc,cd->abd", (3, 6), "bd", (2, 3, 4)),
    ("...x,xy->...y", 6, "y", (2, 3, 4)),
    ("...x,xy->...y", 6, None, (2, 3, 5, 4)),
    ("ab...,bc->ac...", 6, "c", (2, 4, 3)),
    ("abc,cde->abde", (None, 2, 5), "de", (2, 3, 4)),
    ("abde,dec->abc", (None, 6), "c", (2, 3, 4, 5)),
    ("abc,bcd->abd", (3, 6), "bd", (2, 3, 4)),
]


@pytest.mark.parametrize(("equation", "shape", "bias", "input_shape"), EQUATIONS)
def test_einsum_dense(equation, shape, bias, input_shape):
    layer = check_layer(
        lambda **kw: layers.EinsumDense(equation, shape, "tanh", bias_axes=bias, **kw),
        floats(*input_shape),
    )
    x = floats(*input_shape)
    expected = np.einsum(equation, x, layer.kernel.array)
    if bias:
        expected = expected + layer.bias.array
    np.testing.assert_allclose(layer(x).numpy(), np.tanh(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("equation", "shape", "message"),
    [
        ("abc", 3, "Invalid einsum equation"),
        ("ab,bc,cd->ad", 3, "Invalid einsum equation"),
        ("abc,cd->abd", (None, 6), "takes inputs of rank 3"),
        ("ab,bc->ad", 3, "no corresponding dim"),
        ("ab,cd->ad", 3, "did not have a match"),
        ("ab,bc->ab", 3, "do not match at shared dimension"),
    ],
)
def test_einsum_dense_refuses(equation, shape, message):
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(equation, shape)(floats(2, 4))


@pytest.mark.parametrize("activation", ["relu", "softmax", "gelu", "linear", None])
def test_activation(activation):
    x = floats(3, 4)
    kept = x.copy()
    layer = check_layer(lambda **kw: layers.Activation(activation, **kw), x)
    np.testing.assert_array_equal(x, kept)
    assert layer.get_config()["activation"] == activation or activation is None


def test_activation_of_integers():
    x = np.array([[0, 1]])
    assert layers.Activation("relu")(x).dtype == x.dtype
    assert layers.Activation("sigmoid")(x).dtype == np.float32


def test_identity():
    check_layer(lambda **kw: layers.Identity(**kw), floats(3, 4))
    structure = layers.Identity()({"a": floats(2, 2), "b": [floats(1)]})
    assert set(structure) == {"a", "b"}


def test_masking():
    x = floats(2, 3, 4)
    x[1, 2] = 0.5
    check_gradients(layers.Masking(0.0, dtype="float64"), x)
    # At the masked value itself the output jumps: there is no gradient to compare with.
    layer = check_layer(lambda **kw: layers.Masking(0.5, **kw), x, gradients=False)
    y = layer(x)
    np.testing.assert_array_equal(y._keras_mask.numpy(), [[True] * 3, [True, True, False]])
    assert not y.numpy()[1, 2].any()


def double(x):
    return x * 2


def test_lambda():
    x = floats(2, 3)
    assert layers.Lambda(lambda x, k: x * k, arguments={"k": 3.0})(x).shape == (2, 3)
    check_gradients(layers.Lambda(lambda x: ops.sum(x**2, axis=-1), dtype="float64"), x)
    symbolic = minikeras.Input((3,))
    assert layers.Lambda(lambda x: ops.sum(x, axis=-1))(symbolic).shape == (None,)
    assert layers.Lambda(double, output_shape=(7,))(symbolic).shape == (None, 7)
    assert layers.Lambda(double, output_shape=lambda s: (s[0], 9))(symbolic).shape == (None, 9)
    seen = []
    layers.Lambda(lambda x, training=None: seen.append(training) or x)(x, training=True)
    assert seen == [True]


def test_lambda_config():
    named = layers.Lambda(double, output_shape=(3,), arguments={})
    config = named.get_config()
    with pytest.raises(ValueError, match="double"):
        layers.Lambda.from_config(config)
    twin = layers.Lambda.from_config(config, custom_objects={"double": double})
    assert twin.function is double
    assert twin._output_shape == (3,)
    anonymous = layers.Lambda(lambda x: x + 1).get_config()
    with pytest.raises(ValueError, match="safe_mode=False"):
        layers.Lambda.from_config(anonymous)
    x = floats(2, 3)
    np.testing.assert_allclose(
        layers.Lambda.from_config(anonymous, safe_mode=False)(x).numpy(), x + 1
    )
    for key in ("output_shape", "mask"):
        hidden = {**config, "function": "relu", key: anonymous["function"]}
        with pytest.raises(ValueError, match="safe_mode=False"):
            layers.Lambda.from_config(hidden)


def test_input():
    x = minikeras.Input((3, None), batch_size=5, dtype="int32", name="tokens")
    assert (x.shape, x.dtype) == ((5, 3, None), "int32")
    assert minikeras.Input(batch_shape=(None, 3)).shape == (None, 3)
    again = minikeras.Input(tensor=x)
    assert again is x
    for options, message in (
        ({}, "must pass a `shape`"),
        ({"shape": (3,), "batch_shape": (1, 3)}, "both `shape` and `batch_shape`"),
        ({"batch_size": 2, "batch_shape": (1, 3)}, "both `batch_size` and `batch_shape`"),
        ({"shape": (3,), "sparse": True}, "[Ss]parse"),
        ({"tensor": "tokens"}, "KerasTensor"),
        ({"tensor": np.zeros((1, 3)), "shape": (3,)}, "KerasTensor.*without a shape"),
        ({"tensor": x, "shape": (4,)}, "incompatible `shape`"),
        ({"tensor": x, "dtype": "float32"}, "incompatible `dtype`"),
        ({"shape": (-2,)}, "[Nn]egative"),
    ):
        with pytest.raises(ValueError, match=message):
            minikeras.Input(**options)


def test_gradients_flow_through_a_kernel_that_another_layer_computed():
    """A hypernetwork, as the introduction for researchers on keras.io has it."""
    inner = minikeras.layers.Dense(2)
    inner.build((None, 3))
    outer = minikeras.layers.Dense(6)
    outer.build((None, 4))
    x, z = np.ones((1, 3), "float32"), np.ones((1, 4), "float32")
    with minikeras.GradientTape() as tape:
        inner.kernel = minikeras.ops.reshape(outer(z), (3, 2))
        loss = minikeras.ops.sum(inner(x))
    np.testing.assert_allclose(tape.gradient(loss, outer.kernel), np.ones((4, 6)))
