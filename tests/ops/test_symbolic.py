"""What operations foretell of symbolic tensors, and that it is what comes of tensors."""

import itertools

import numpy as np
import pytest

from minikeras import KerasTensor, ops
from minikeras.backend import standardize_dtype
from minikeras.models.functional import Function

DTYPES = "bool uint8 uint16 uint32 int8 int16 int32 int64 bfloat16 float16 float32 float64".split()
BINARY = (
    "add subtract multiply divide power floor_divide mod fmod maximum fmin hypot arctan2 logaddexp"
    " heaviside nextafter equal less logical_and matmul dot inner outer vdot kron where"
).split()


@pytest.mark.parametrize("name", BINARY)
def test_dtypes_of_symbolic_results(name):
    function = getattr(ops, name)
    if name == "where":
        function = lambda a, b: ops.where(True, a, b)  # noqa: E731
    scalars = () if name in ("matmul", "dot", "inner", "outer", "vdot", "kron") else (1, 1.5, True)
    for one, other in itertools.product(DTYPES, (*DTYPES, *scalars)):
        pairs = [(ops.ones((2, 2), one), KerasTensor((2, 2), one)), (other, other)]
        if isinstance(other, str):
            pairs[1] = (ops.ones((2, 2), other), KerasTensor((2, 2), other))
        for order in (pairs, pairs[::-1]):
            found = standardize_dtype(function(*(pair[0] for pair in order)).dtype)
            assert function(*(pair[1] for pair in order)).dtype == found, (one, other)


@pytest.mark.parametrize("name", "left_shift right_shift".split())
def test_shifts_of_bools_are_of_numbers(name):
    x = ops.ones(2, "bool")
    assert getattr(ops, name)(x, x).dtype == "int32"
    assert getattr(ops, name)(KerasTensor((2,), "bool"), True).dtype == "int32"


@pytest.mark.parametrize(
    "call, shape",
    [
        (lambda x: ops.dot(x, KerasTensor((None, None, 2))), (None, None, 2)),
        (lambda x: ops.dot(x, KerasTensor((3, 2))), (None, 2)),
        (lambda x: ops.dot(x, 2), (None, 3)),
        (lambda x: ops.inner(x, KerasTensor((4, 3))), (None, 4)),
        (lambda x: ops.inner(KerasTensor(()), x), (None, 3)),
        (lambda x: ops.tensordot(x, KerasTensor((3, 5)), 1), (None, 5)),
        (lambda x: ops.hsplit(x, [1, 2])[1], (None, 1)),
        (lambda x: ops.vsplit(x, [1, 3])[1], (2, 3)),
        (lambda x: ops.geomspace(x, 2, 10, axis=1), (None, 10, 3)),
        (lambda x: ops.scatter_update(x, KerasTensor((5, 2)), KerasTensor((5,))), (None, 3)),
        (lambda x: ops.scan(lambda c, y: (c, c), x[0], KerasTensor((6, None)))[1], (6, 3)),
        (lambda x: ops.argsort(x[0, 0]), (1,)),
    ],
)
def test_shapes_where_sizes_are_unknown(call, shape):
    assert call(KerasTensor((None, 3))).shape == shape


def test_loops_and_branches_are_not_run():
    def step(x):
        raise AssertionError("was run")

    x = KerasTensor((None, 3))
    (y,) = ops.while_loop(lambda x: True, step, (x,))
    assert y.shape == (None, 3)
    pred = KerasTensor((), "bool")
    assert ops.cond(pred, lambda: ops.ones(3), lambda: ops.zeros(3)).shape == (3,)
    with pytest.raises(ValueError, match="same structure, shapes"):
        ops.cond(pred, lambda: ops.ones(3), lambda: ops.zeros(4))


def test_jvp():
    x = KerasTensor((None, 7))
    y, dy, aux = ops.jvp(lambda x: (ops.exp(x), ops.sum(x, -1)), (x,), (x,), has_aux=True)
    assert (y.shape, dy.shape, aux.shape) == ((None, 7), (None, 7), (None,))


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: ops.inner(KerasTensor((5, 3)), KerasTensor((4,))), "last dimension"),
        (lambda: ops.dot(np.ones((5, 3)), np.ones((4, 2))), "last dimension but one"),
        (lambda: ops.get_item(KerasTensor((None, 5)), (slice(None), 7)), "out of bounds"),
        (lambda: ops.argpartition(KerasTensor((3,)), (1, 2)), "kth"),
        (lambda: ops.slice(KerasTensor((3, 3)), (1, 1), (2, 2, 2)), "dimensions in `shape`"),
        (lambda: ops.sparsemax(KerasTensor((2, 3)), axis=3), "axis"),
        (lambda: ops.fft2((np.ones(3), np.ones(3))), "rank >= 2"),
        (lambda: ops.rfft(np.array(5.0)), "rank >= 1"),
    ],
)
def test_errors_say_what_does_not_fit(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_functions_begin_at_any_symbolic_tensor():
    a, b = KerasTensor((2, 3)), KerasTensor((2, 3))
    function = Function([a, b], [(a + b) * 3, a**2], name="twice")
    y = function([np.ones((2, 3)), np.ones((2, 3))])
    assert y[0].tolist() == [[6.0] * 3] * 2
    assert function.compute_output_shape([(2, 3), (2, 3)]) == [(2, 3), (2, 3)]
    with pytest.raises(ValueError, match="invalid input structure"):
        function(np.ones((2, 3)))
    with pytest.raises(ValueError, match="incompatible inputs"):
        function([np.ones((4, 3)), np.ones((2, 3))])


def test_geomspace_along_an_axis_keeps_signs():
    start, stop = np.array([-1.0, 2.0]), np.array([[-4.0, 8.0], [-9.0, 3.0]])
    expected = np.geomspace(np.broadcast_to(start, (2, 2)), stop, 3, axis=1)
    np.testing.assert_allclose(ops.geomspace(start, stop, 3, axis=1), expected, rtol=1e-6)


def test_values_of_rare_arguments():
    assert ops.argsort(5).tolist() == [0]
    assert ops.unique([np.nan, 1.0, np.nan]).shape == (3,)
    assert ops.bincount(np.array([1, 1], "int8"), np.array([1, 1], "int8")).dtype == "int8"
    with pytest.raises(ValueError, match="view"):
        ops.view(np.array(1, "int16"), "int8")
    with pytest.warns(UserWarning, match="rms_scaling"):
        y = ops.layer_normalization([[3.0, 5.0]], gamma=[1.0, 2.0], rms_scaling=True, epsilon=1e-9)
    np.testing.assert_allclose(y, [[3.0, 10.0]])
    with pytest.warns(UserWarning, match="has size 1"):
        ops.softmax([[1.0]])


@pytest.mark.parametrize("make", [np.ones, KerasTensor])
@pytest.mark.parametrize("name", ["mean", "variance", "offset", "scale"])
def test_vectors_of_a_normalization_are_as_long_as_its_axis(name, make):
    vectors = {one: np.ones(3) for one in ("mean", "variance", "offset", "scale")}
    vectors[name] = make((2,))
    with pytest.raises(ValueError, match=f"`{name}` must be a vector of length 3, the size of ax"):
        ops.batch_normalization(make((4, 3)), **vectors, axis=-1)
