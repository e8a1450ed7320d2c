"""NumPy's BLAS through its C interface, and what stands in for it where it is not found."""

import os
import threading

import numpy as np
import pytest

from minikeras.kernels import blas, parallel


@pytest.fixture(params=["found", "not found"])
def library(request, monkeypatch):
    if request.param == "not found":
        monkeypatch.setattr(blas, "functions", dict)
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_sums(library, dtype, size):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=size + 2).astype(dtype)[1:-1] for _ in range(2))
    x_before, expected = x.copy(), y + dtype_of(dtype)(0.3) * x
    blas.axpy(x, y)(0.3)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    expected = -1.5 * x + 0.9 * y
    blas.axpby(x, y)(-1.5, 0.9)
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(x, x_before)


def dtype_of(name):
    return np.dtype(name).type


def test_arrays_are_kept_while_the_function_lives():
    y = np.zeros(1000)
    run = blas.axpy(np.ones(1000), y)
    rubbish = [np.full(1000, 7.0) for _ in range(10)]
    run(2.0)
    np.testing.assert_array_equal(y, 2.0)
    assert len(rubbish) == 10


def test_half_floats_are_left_to_numpy():
    x, y = np.ones(4, "float16"), np.ones(4, "float16")
    blas.axpby(x, y)(2.0, 3.0)
    assert y.tolist() == [5.0] * 4


def test_threads_are_counted():
    assert blas.threads() >= 1


def test_work_is_shared_side_by_side():
    seen = {}
    parallel.side_by_side(lambda part: seen.setdefault(part, threading.get_ident()), 3)
    assert sorted(seen) == [0, 1, 2]
    assert seen[0] == threading.get_ident() and seen[1] != seen[0]
    # Work that shares work itself does not wait for threads that wait for it.
    inner = []
    parallel.side_by_side(lambda part: parallel.side_by_side(inner.append, 2), 2)
    assert sorted(inner) == [0, 0, 1, 1]
    with pytest.raises(ZeroDivisionError):
        parallel.side_by_side(lambda part: 1 // (part - 1), 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="waits for a system that forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    parallel.side_by_side(lambda part: None, 2)
    child = os.fork()
    if child == 0:
        done = []
        parallel.side_by_side(done.append, 2)
        os._exit(0 if sorted(done) == [0, 1] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_small_work_is_not_shared(monkeypatch):
    monkeypatch.setattr(blas, "threads", lambda: 4)
    assert [parallel.useful(size, 100) for size in (50, 199, 200, 350, 9000)] == [1, 1, 2, 3, 4]
