"""Shapes, indices, products and linear algebra against Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minikeras
from compat.ops_compare import ALL, NUMBERS, SETTINGS, Draw, compare, same


@SETTINGS
@given(st.data())
def test_axes(data):
    d = Draw(data)
    shape = d.shape(2, 4)
    x = d.array(shape, d.choice(*ALL))
    order = tuple(d.data.draw(st.permutations(range(len(shape)))))
    compare("transpose", x)
    compare("transpose", x, order)
    compare("swapaxes", x, d.axis(shape), d.axis(shape))
    compare("moveaxis", x, d.axis(shape), d.axis(shape))
    compare("flip", x, d.axes(shape))
    compare("fliplr", x)
    compare("flipud", x)
    # Keras on TensorFlow does not turn by two quarters at all.
    compare("rot90", x, d.choice(-1, 0, 1, 3), axes=order[:2])
    compare("expand_dims", x, d.choice(0, -1, 1, (0, -1)))
    compare("squeeze", x)
    compare("ravel", x)
    compare("roll", x, d.integer(-5, 5), d.choice(None, d.axis(shape)))
    compare("reshape", x, (-1, shape[-1]))
    compare("size", x)
    compare("shape", x)
    compare("ndim", x)


@SETTINGS
@given(st.data())
def test_joins(data):
    d = Draw(data)
    shape = d.shape(2, 3)
    xs = [d.array(shape, d.choice(*ALL)) for _ in range(d.integer(1, 3))]
    axis = d.axis(shape)
    compare("concatenate", xs, axis=axis)
    compare("stack", xs, axis=d.choice(0, -1, 1))
    for name in ("hstack", "vstack", "dstack"):
        compare(name, xs)
    compare("append", xs[0], xs[-1], axis=d.choice(None, axis))
    compare("split", xs[0], shape[axis], axis=axis)
    compare("split", xs[0], [1, 1], axis=axis)
    compare("array_split", xs[0], d.integer(1, 4), axis=axis)
    compare("unstack", xs[0], axis=axis)
    compare("split", xs[0], 7, axis=axis)


@SETTINGS
@given(st.data())
def test_copies(data):
    d = Draw(data)
    shape = d.shape(1, 3)
    x = d.array(shape, d.choice(*NUMBERS))
    widths = tuple((d.integer(0, 2), d.integer(0, 2)) for _ in shape)
    compare("pad", x, widths)
    compare("pad", x, widths, constant_values=2)
    small = tuple((min(a, n - 1), min(b, n - 1)) for (a, b), n in zip(widths, shape))
    compare("pad", x, small, mode=d.choice("reflect", "symmetric"))
    compare("tile", x, tuple(d.integer(1, 3) for _ in shape))
    compare("repeat", x, d.integer(1, 3), axis=d.choice(None, d.axis(shape)))
    compare("broadcast_to", x, (2, *shape))
    compare("tril", np.ones((2, 3, 4), x.dtype), d.integer(-2, 2))
    compare("triu", np.ones((2, 3, 4), x.dtype), d.integer(-2, 2))
    square = d.array(d.shape(2, 2), x.dtype.name)
    compare("diag", square, d.choice(0, 1) if min(square.shape) > 1 else 0)
    compare("diag", square[0], d.integer(-1, 1))
    compare("diagflat", square)
    compare("diagonal", square)
    compare("trace", square)
    compare("meshgrid", square[0], square[:, 0], indexing=d.choice("xy", "ij"))
    compare(
        "vander",
        square[0],
        d.choice(None, 3),
        d.flag(),
        rtol=1e-2 if x.dtype == "float16" else None,
    )


@SETTINGS
@given(st.data())
def test_creation(data):
    d = Draw(data)
    dtype = d.choice(None, *NUMBERS)
    for name in ("zeros", "ones", "empty"):
        if name != "empty":
            compare(name, (2, 3), dtype=dtype)
        if name != "empty":
            compare(f"{name}_like", d.array((2,), d.choice(*ALL)), dtype=dtype, gradient=False)
    compare("full", (2, 2), 3, dtype=dtype)
    compare("full_like", d.array((2,), d.choice(*ALL)), 1, dtype=dtype, gradient=False)
    compare("arange", 5, dtype=dtype)
    compare("arange", 1, 7, 2, dtype=dtype)
    compare("arange", 0.0, 1.0, 0.25, dtype=dtype)
    compare("eye", 3, d.choice(None, 2), d.integer(-1, 1), dtype=dtype)
    compare("identity", 3, dtype=dtype)
    compare("tri", 3, d.choice(None, 2), d.integer(-1, 1), dtype=dtype)
    floats = d.choice(None, "float32", "float64")
    options = {"num": d.integer(1, 5), "endpoint": d.flag(), "dtype": floats}
    compare("linspace", 0.5, 4.0, **options)
    compare(
        "linspace",
        np.zeros(2, "float32"),
        np.ones(2, "float32"),
        retstep=options["num"] > 1,
        **options,
    )
    compare("linspace", 0, 10, num=4, dtype="int32")
    compare("logspace", 0.0, 2.0, **options, rtol=1e-4)
    compare("geomspace", 1.0, 100.0, **options, rtol=1e-4)
    for name in ("bartlett", "hamming", "hanning", "blackman"):
        compare(name, d.integer(1, 7), atol=1e-5)
    compare("kaiser", d.integer(2, 7), 3.0, atol=1e-5)


@SETTINGS
@given(st.data())
def test_indexing(data):
    d = Draw(data)
    x = d.array((3, 4, 2), d.choice(*ALL))
    key = d.choice(
        0,
        -1,
        slice(1, 3),
        slice(None, None, -1),
        (Ellipsis, 1),
        (None, 1, slice(0, 2)),
        (slice(None), 2),
    )
    expected = keras.ops.convert_to_tensor(x)[key]
    same(minikeras.ops.convert_to_tensor(x)[key], expected)
    index = d.array(d.shape(0, 2), "int32", 0, 2)
    axis = d.choice(0, 1, -2)
    compare("take", x, index, axis=axis)
    compare("take", x, index)
    along = d.array((3, 2, 2), "int32", 0, 3)
    compare("take_along_axis", x, along, axis=1)
    condition = d.array((3, 1, 1), "bool")
    compare("where", condition, x, d.array((4, 2), d.choice(*ALL)))
    compare("where", condition, x, 1.5)
    compare("where", condition)
    places = np.array([[0, 1], [2, 3], [1, 0]], "int32")
    updates = d.array((3, 2), x.dtype.name)
    if x.dtype != bool:
        compare("scatter", places, updates, (3, 4, 2))
        compare("scatter_update", x, places, updates)
        compare("scatter_update", x, places, updates, d.choice("add", "max", "min"))
    compare("slice", x, (1, 0, 0), (2, 3, 1))
    compare("slice_update", x, np.array([1, 0, 0]), x[:2, :3, :1])
    compare("select", [condition, ~condition], [x, x], 0) if x.dtype == "float32" else None


@SETTINGS
@given(st.data())
def test_products(data):
    d = Draw(data)
    a, b = d.choice(*NUMBERS), d.choice(*NUMBERS)
    loose = {"rtol": 2e-2, "atol": 2e-2} if "float16" in (a, b) else {"atol": 1e-4}
    batch = d.shape(0, 2)
    x, y = d.array((*batch, 2, 3), a), d.array((*d.broadcasting(batch), 3, 4), b)
    compare("matmul", x, y, **loose)
    compare("matmul", x, y[..., 0], **loose) if y.ndim == 2 else None
    compare("dot", x, y, **loose)
    compare("inner", x, d.array((5, 3), b), **loose)
    compare("outer", x, y, **loose)
    compare("vdot", x, x[...], **loose)
    compare("kron", x[..., 0], d.array(x[..., 0].shape, b), **loose)
    compare("tensordot", x, y[..., 0] if y.ndim > 2 else y, axes=1, **loose)
    compare("cross", d.array((4, 3), a), d.array((4, 3), b), **loose)
    matrix, other = d.array((3, 4), a), d.array((4, 2), b)
    for spec in ("ij,jk->ik", "ij,jk", "ij,jk->", "ij,jk->kji"):
        compare("einsum", spec, matrix, other, **loose)
    compare("einsum", "...ij->...ji", x)
    compare("einsum", "ii->i", d.array((3, 3), a))


@SETTINGS
@given(st.data())
def test_linalg(data):
    d = Draw(data)
    dtype = d.choice("float32", "float64")
    n = d.integer(1, 4)
    loose = {
        "rtol": 1e-3 if dtype == "float32" else 1e-8,
        "atol": 1e-3 if dtype == "float32" else 1e-8,
    }
    a = d.array((*d.shape(0, 1), n, n), dtype) + 8 * np.eye(n, dtype=dtype)
    definite = a @ a.swapaxes(-1, -2)
    b = d.array((n, 2), dtype)
    compare("det", a, **loose)
    compare("inv", a, **loose)
    compare("slogdet", a, **loose)
    compare("logdet", definite, **loose)
    compare("cholesky", definite, d.flag(), **loose)
    compare("cholesky_inverse", np.linalg.cholesky(definite), **loose)
    compare("lu_factor", a, gradient=False, **loose)
    if a.ndim == 2:
        compare("solve", a, b, **loose)
        compare("solve_triangular", a, b, lower=d.flag(), **loose)
        compare(
            "lstsq", d.array((n + 1, n), dtype), d.array((n + 1,), dtype), gradient=False, **loose
        )
        compare("pinv", d.array((n + 1, n), dtype), gradient=False, **loose)
    compare("eigh", definite, gradient=False, **loose) if n == 1 else None
    compare("svd", a, compute_uv=False, gradient=False, **loose)
    compare("matrix_rank", a)
    for order in (None, 1, 2, 3, np.inf, -np.inf, 0):
        compare("norm", a, order, axis=-1, keepdims=d.flag(), gradient=False, **loose)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        # From the front: TensorFlow puts kept axes in the wrong place otherwise.
        axes = (a.ndim - 2, a.ndim - 1)
        compare("norm", a, order, axis=axes, keepdims=d.flag(), gradient=False, **loose)
    for name in ("qr", "eigh", "svd"):
        found = [one.numpy() for one in getattr(minikeras.ops, name)(definite)]
        theirs = [np.asarray(one) for one in getattr(keras.ops, name)(definite)]
        assert [(one.shape, one.dtype) for one in found] == [
            (one.shape, one.dtype) for one in theirs
        ]
        # Signs of the vectors are free; what they make up is not.
        np.testing.assert_allclose(
            np.abs(found[0]), np.abs(theirs[0]), rtol=0.1, atol=0.1
        ) if name == "qr" else None


def test_linalg_reconstructs():
    x = np.random.default_rng(0).standard_normal((2, 4, 3))
    q, r = (one.numpy() for one in minikeras.ops.qr(x))
    np.testing.assert_allclose(q @ r, x, atol=1e-12)
    u, s, vh = (one.numpy() for one in minikeras.ops.svd(x, full_matrices=False))
    np.testing.assert_allclose((u * s[:, None]) @ vh, x, atol=1e-12)
    square = x[:, :3] + 3 * np.eye(3)
    w, v = (one.numpy() for one in minikeras.ops.eig(square))
    np.testing.assert_allclose(square @ v, v * w[:, None], atol=1e-10)


@pytest.mark.parametrize(
    "name, args",
    [
        ("reshape", (np.ones((2, 3)), (4,))),
        ("concatenate", ([np.ones((2, 3)), np.ones((3, 2))],)),
        ("stack", ([np.ones((2, 3)), np.ones((3, 2))],)),
        ("split", (np.ones(5), 2)),
        ("squeeze", (np.ones((2, 3)), 0)),
        ("transpose", (np.ones((2, 3)), (0, 0))),
        ("matmul", (np.ones((2, 3)), np.ones((2, 3)))),
        ("einsum", ("ij,jk->ik", np.ones((2, 3)), np.ones((2, 3)))),
        ("take", (np.ones(3), np.array([5]))),
        ("cholesky", (-np.eye(2),)),
        ("inv", (np.zeros((2, 2)),)),
        ("det", (np.ones((2, 3)),)),
    ],
)
def test_errors(name, args):
    with pytest.raises(ValueError, match="Received|failed|solution"):
        getattr(minikeras.ops, name)(*args)
    with pytest.raises(Exception):  # noqa: B017
        getattr(keras.ops, name)(*args)
