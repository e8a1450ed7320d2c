"""Products in blocks against NumPy's own."""

import numpy as np
import pytest

from minikeras.kernels import rows as gemm

# Rows, depth, columns: whole; tall, with rows left over; deep, with rows left over.
SHAPES = {
    "small": (40, 9, 16),
    "large": (300, 300, 300),
    "tall": (5001, 27, 32),
    "tall, odd columns": (1031, 100, 10),
    "deep": (27, 5001, 32),
    "deep, one row": (1, 40000, 30),
}


@pytest.fixture(autouse=True)
def blocks(monkeypatch):
    monkeypatch.setattr(gemm, "in_blocks", lambda: True)


def layouts(x):
    """The same numbers in several memory layouts."""
    wide = np.zeros((x.shape[0], 2 * x.shape[1] + 1), x.dtype)
    wide[:, 1::2] = x
    shifted = np.empty(x.size + 1, x.dtype)[1:].reshape(x.shape)
    shifted[...] = x
    return {
        "C": x,
        "Fortran": np.asfortranarray(x),
        "strided": wide[:, 1::2],
        "off a line": shifted,
        "back to front": np.ascontiguousarray(x[::-1])[::-1],
    }


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_equal_numpys(shape, dtype):
    m, k, n = shape
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    expected = x.astype("float64") @ w.astype("float64")
    close = {"rtol": 0, "atol": 100 * np.finfo(dtype).eps * np.sqrt(k)}
    for a in layouts(x).values():
        for b in layouts(w).values():
            result = gemm.matmul(a, b)
            assert result.dtype == dtype
            np.testing.assert_allclose(result, expected, **close)
    for out in layouts(np.empty((m, n), dtype)).values():
        assert gemm.matmul(x, w, out=out) is out
        np.testing.assert_allclose(out, expected, **close)


def test_blocks_are_taken(monkeypatch):
    seen = []
    for name in ("_tall", "_deep"):
        function = getattr(gemm, name)
        monkeypatch.setattr(
            gemm, name, lambda *args, f=function, n=name: seen.append(n) or f(*args)
        )
    for m, k, n in SHAPES.values():
        gemm.matmul(np.ones((m, k), "float32"), np.ones((k, n), "float32"))
    assert seen == ["_tall", "_tall", "_deep", "_deep"]


def test_other_dtypes_are_left_to_numpy():
    x, w = np.ones((2000, 30), "int64"), np.ones((30, 40), "float32")
    assert (gemm.matmul(x, w) == 30).all()
    assert gemm.matmul(x, w).dtype == np.float64


@pytest.mark.parametrize("shape", [(3, 5), (4, 16), (2, 3, 20), (0, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operands_begin_at_cache_lines(shape, dtype):
    w = np.arange(np.prod(shape) + 1).astype(dtype)[1:].reshape(shape)
    for given in (w, w.swapaxes(-1, -2)):
        aligned = gemm.operand(given)
        np.testing.assert_array_equal(aligned, given)
        if aligned.size:
            addresses = (aligned.ctypes.data, *aligned.strides[:-1])
            assert all(address % 64 == 0 for address in addresses)
            assert gemm.operand(aligned) is aligned
    made = gemm.empty(shape, np.dtype(dtype))
    assert made.shape == shape and made.flags.c_contiguous
    assert not made.size or made.ctypes.data % 64 == 0


@pytest.mark.parametrize(
    ("functions", "threads", "expected"), [({1: 2}, 1, True), ({1: 2}, 2, False), ({}, 1, False)]
)
def test_blocks_are_for_one_thread_of_openblas(functions, threads, expected, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(gemm.blas, "functions", lambda: functions)
    monkeypatch.setattr(gemm.blas, "threads", lambda: threads)
    assert gemm.in_blocks() is expected


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shape", [(5, 3, 4), (2050, 64, 128), (64, 300, 600), (0, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_finished_by_their_threads(threads, rectify, biased, shape, dtype, monkeypatch):
    monkeypatch.setattr(gemm.parallel, "threads", lambda: threads)
    m, k, n = shape
    rng = np.random.default_rng(0)
    x, w, bias, dy = (rng.normal(size=s).astype(dtype) for s in ((m, k), (k, n), (n,), (m, n)))
    exact = x.astype("float64") @ w + (bias if biased else 0)
    y = gemm.affine(x, w, bias if biased else None, rectify)
    assert y.dtype == dtype
    # Sums of up to 2,050 terms of order one, in another order.
    near = {"rtol": 0, "atol": 3000 * np.finfo(dtype).eps}
    np.testing.assert_allclose(y, np.maximum(exact, 0) if rectify else exact, **near)
    found = gemm.affine_backward(x, w, y if rectify else None, dy, (True, True, biased))
    shared = threads > 1 and m > 4 * max(k, n) and m * k * n > 5_000_000
    assert (found is not None) == shared
    if found is not None:
        dz = dy * (y > 0) if rectify else dy
        np.testing.assert_allclose(found[0], dz.astype("float64") @ w.T, **near)
        np.testing.assert_allclose(found[1], x.T.astype("float64") @ dz, **near)
        if biased:
            np.testing.assert_allclose(found[2], dz.sum(0, dtype="float64"), **near)
