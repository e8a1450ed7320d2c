"""Dtypes of results, conversions, operators."""

import numpy as np
import pytest

from minikeras import KerasTensor, Variable, ops
from minikeras.ops.base import unbroadcast

UNARY_FLOAT = "exp log1p sin sqrt tanh sigmoid softplus erf mean std var relu gelu softmax".split()


@pytest.mark.parametrize("name", UNARY_FLOAT)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_keep_their_dtype(name, dtype):
    x = np.linspace(0.1, 0.9, 6).reshape(2, 3).astype(dtype)
    function = getattr(ops, name)
    assert function(x).dtype == dtype
    assert function(KerasTensor((2, 3), dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("name", "add subtract multiply true_divide power maximum".split())
def test_python_numbers_do_not_widen(name):
    function = getattr(ops, name)
    for x in (np.ones(2, "float32"), np.ones(2, "float16")):
        assert function(x, 2.5).dtype == x.dtype
        assert function(2.5, x).dtype == x.dtype
        assert function(KerasTensor((2,), dtype=x.dtype), 2.5).dtype == x.dtype
    assert ops.add(np.ones(2, "int32"), 2.5).dtype == "float32"
    assert ops.add(np.ones(2, "int32"), 2).dtype == "int32"


def test_lists_and_numbers_are_narrow():
    assert ops.convert_to_tensor([1.0, 2.0]).dtype == "float32"
    assert ops.convert_to_tensor([1, 2]).dtype == "int32"
    assert ops.convert_to_tensor(2**40).dtype == "int64"
    assert ops.convert_to_tensor(np.ones(2)).dtype == "float64"
    assert ops.convert_to_tensor([np.float64(1.0)]).dtype == "float64"


def test_operators():
    x = ops.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal((1 - x / 2).numpy(), 1 - x.numpy() / 2)
    np.testing.assert_array_equal((x @ x).numpy(), x.numpy() @ x.numpy())
    np.testing.assert_array_equal((x[:, 0] ** 2 % 2).numpy(), [1, 1])
    np.testing.assert_array_equal((x > 2).numpy(), x.numpy() > 2)
    np.testing.assert_array_equal((~(x > 2)).numpy(), x.numpy() <= 2)
    np.testing.assert_array_equal(np.exp(x).numpy(), np.exp(x.numpy()))
    variable = Variable(np.ones((2, 2), "float32"))
    np.testing.assert_array_equal((variable + x).numpy(), 1 + x.numpy())


def test_operators_of_symbols_make_nodes():
    x = KerasTensor((None, 3))
    y = (x * 2 + 1)[:, :2] @ np.ones((2, 4), "float32")
    assert y.shape == (None, 4)
    assert y._keras_history.operation.__class__.__name__ == "Matmul"


def test_nothing_warns_and_infinities_are_values():
    assert ops.log([0.0]).tolist() == [float("-inf")]
    assert ops.divide([1.0], [0.0]).tolist() == [float("inf")]


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (2, 1, 4), (2, 3, 4)])
def test_unbroadcast(shape):
    gradient = np.random.default_rng(0).standard_normal((2, 3, 4))
    result = unbroadcast(gradient, shape)
    assert result.shape == shape
    np.testing.assert_allclose(result.sum(), gradient.sum())


def test_symbolic_and_eager_agree_on_shapes_and_dtypes():
    x = np.ones((2, 3, 4), "float32")
    calls = [
        lambda t: ops.reshape(t, (-1, 6)),
        lambda t: ops.transpose(t, (2, 0, 1)),
        lambda t: ops.concatenate([t, t], axis=1),
        lambda t: ops.einsum("abc,adc->abd", t, t),
        lambda t: ops.median(t, axis=1),
        lambda t: ops.top_k(t, 2)[1],
        lambda t: ops.norm(t, axis=-1),
        lambda t: ops.argmax(t, axis=-1, keepdims=True),
        lambda t: ops.image.rgb_to_grayscale(t[..., :3]),
        lambda t: ops.scan(lambda c, r: (c + r, c), t[0], t)[1],
        lambda t: ops.batch_normalization(t, np.zeros(4), np.ones(4), -1, offset=t[0, 0]),
    ]
    for call in calls:
        eager, symbolic = call(ops.array(x)), call(KerasTensor((None, 3, 4)))
        known = [a for a, b in zip(eager.shape, symbolic.shape) if b is not None]
        assert known == [b for b in symbolic.shape if b is not None]
        assert str(eager.dtype) == symbolic.dtype
