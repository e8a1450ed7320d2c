"""Elementwise operations against Keras: values, dtypes, errors, gradients."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minikeras
from compat.ops_compare import ALL, FLOATS, INTS, NUMBERS, SETTINGS, Draw, compare

# Name -> lowest and highest argument.
UNARY = {
    **dict.fromkeys(
        "abs absolute fabs negative sign square exp exp2 expm1 sin cos tan sinh cosh tanh arcsinh"
        " arctan deg2rad rad2deg floor ceil trunc round isnan isinf isfinite isneginf isposinf"
        " isreal signbit logical_not real imag conj conjugate angle nan_to_num erf erfc i0 sinc"
        " copy cbrt".split(),
        (-3.0, 3.0),
    ),
    **dict.fromkeys(
        "relu relu6 sigmoid sparse_sigmoid softplus softsign sparse_plus silu swish log_sigmoid"
        " hard_sigmoid hard_silu hard_swish hard_tanh tanh_shrink selu leaky_relu elu celu gelu"
        " soft_shrink hard_shrink squareplus".split(),
        (-5.0, 5.0),
    ),
    **dict.fromkeys("log log2 log10 log1p sqrt rsqrt reciprocal".split(), (0.2, 5.0)),
    **dict.fromkeys("arcsin arccos arctanh erfinv".split(), (-0.9, 0.9)),
    "arccosh": (1.1, 4.0),
    "bitwise_not": (-5, 5),
    "bitwise_invert": (-5, 5),
}
FLOATS_ONLY = {
    **dict.fromkeys(("soft_shrink", "hard_shrink", "cbrt"), None),
    "leaky_relu": 4e-3,
    "gelu": 4e-3,
}
# TensorFlow counts the derivative at kinks differently, or in lower precision.
NO_GRADIENT = {"sinc", "fabs", "cbrt"}


@pytest.mark.parametrize("name", UNARY)
@SETTINGS
@given(st.data())
def test_unary(name, data):
    d = Draw(data)
    low, high = UNARY[name]
    x = d.array(d.shape(), d.choice(*ALL), low, high)
    if name in FLOATS_ONLY and x.dtype.kind != "f":
        return
    # TensorFlow keeps the slope of leaky_relu, and the constants of others, in float32.
    compare(name, x, rtol=FLOATS_ONLY.get(name), gradient=name not in NO_GRADIENT)


BINARY = {
    **dict.fromkeys(
        "add subtract multiply divide true_divide divide_no_nan maximum minimum fmax fmin hypot"
        " arctan2 logaddexp logaddexp2 equal not_equal less less_equal greater greater_equal"
        " logical_and logical_or logical_xor heaviside nextafter".split(),
        (-3.0, 3.0),
    ),
    **dict.fromkeys("floor_divide mod fmod power".split(), (1.0, 4.0)),
    **dict.fromkeys("gcd lcm bitwise_and bitwise_or bitwise_xor".split(), (0, 9)),
    **dict.fromkeys(
        "bitwise_left_shift left_shift bitwise_right_shift right_shift".split(), (0, 3)
    ),
}
# TensorFlow rounds the logarithm of 2 to float32.
LOOSE = {"logaddexp2": 1e-5}
INTEGERS = ("gcd", "lcm", "bitwise", "left", "right")


@pytest.mark.parametrize("name", BINARY)
@SETTINGS
@given(st.data())
def test_binary(name, data):
    d = Draw(data)
    low, high = BINARY[name]
    allowed = INTS if name.startswith(INTEGERS) else ALL
    one, other = d.choice(*allowed), d.choice(*allowed)
    shape = d.shape()
    a, b = d.array(shape, one, low, high), d.array(d.broadcasting(shape), other, low, high)
    if name in ("add", "multiply", "power") and one == other == "bool":
        return
    if name in ("divide", "true_divide", "floor_divide", "mod", "fmod"):
        b = np.where(b == 0, 1, b).astype(b.dtype)
    if d.flag() and b.ndim == 0 and b.size:
        b = b.item()
        if name == "power" and isinstance(b, bool):
            return
    compare(
        name,
        a,
        b,
        rtol=2e-3 if "float16" in (one, other) else LOOSE.get(name),
        gradient=name != "nextafter",
    )


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match="broadcast"):
        minikeras.ops.add(np.ones((2, 3)), np.ones((2, 4)))


@SETTINGS
@given(st.data())
def test_clip(data):
    d = Draw(data)
    x = d.array(d.shape(), d.choice(*NUMBERS))
    compare("clip", x, d.choice(0, 1), d.choice(2, 3))


@SETTINGS
@given(st.data())
def test_round(data):
    d = Draw(data)
    x = d.array(d.shape(), d.choice("float32", "float64"), -30, 30)
    compare("round", x, d.choice(0, 1, 2), gradient=False)


@pytest.mark.parametrize("name", ["isclose", "allclose"])
@SETTINGS
@given(st.data())
def test_close(name, data):
    d = Draw(data)
    x = d.array(d.shape(), d.choice(*ALL))
    y = x + d.choice(0, 1e-6, 1e-3) if x.dtype != bool else x

    options = {"rtol": d.choice(1e-5, 1e-2), "equal_nan": d.flag()}
    expected = getattr(keras.ops, name)(x, y, **options)
    found = getattr(minikeras.ops, name)(x, y, **options)
    np.testing.assert_array_equal(found.numpy(), np.asarray(expected))


@SETTINGS
@given(st.data())
def test_cast(data):
    d = Draw(data)
    x = d.array(d.shape(), d.choice(*ALL), 0, 100)
    compare("cast", x, d.choice(*ALL))
    compare("saturate_cast", x, d.choice(*NUMBERS), gradient=False)


@SETTINGS
@given(st.data())
def test_convert(data):
    d = Draw(data)
    value = d.choice(1, 2.5, True, [1, 2], [1.0, 2.0], [[True]], np.float64(3), np.ones(2, "int8"))
    compare("convert_to_tensor", value)
    compare("convert_to_tensor", value, d.choice(*NUMBERS))


@SETTINGS
@given(st.data())
def test_activations_with_arguments(data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice(*FLOATS))
    compare("softmax", x, axis=d.axis(x.shape))
    compare("log_softmax", x, axis=d.axis(x.shape))
    compare("gelu", x, approximate=d.flag(), rtol=4e-3)
    compare("threshold", x, 0.1, 7.0)
    compare("glu", x, axis=d.axis(x.shape))


@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_python_scalars_are_weak(dtype):
    x = np.ones(3, dtype)
    for name in ("add", "multiply", "power", "divide", "maximum", "less"):
        for scalar in (2, 2.5):
            compare(name, x, scalar)
            compare(name, scalar, x)
