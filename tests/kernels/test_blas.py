"""NumPy's BLAS through its C interface, and what stands in for it where it is not found."""

import os
import threading
import warnings

import numpy as np
import pytest

from minikeras.kernels import blas, parallel, rows


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
    monkeypatch.setattr(parallel, "_chosen", 4)
    assert [parallel.parts_for(size, 100) for size in (50, 199, 200, 350, 9000)] == [1, 1, 2, 3, 4]


@pytest.fixture
def blas_threads(monkeypatch):
    """BLAS as if it had four threads, and what it was told."""
    told, now = [], [4]

    def tell(count):
        told.append(count)
        now[0] = count
        return True

    monkeypatch.setattr(blas, "threads", lambda: now[0])
    monkeypatch.setattr(blas, "set_threads", tell)
    monkeypatch.setattr(parallel, "_chosen", None)
    return told


def test_kernels_have_the_threads_of_blas_while_a_model_works(blas_threads):
    @parallel.sharing
    def work(depth):
        assert parallel.threads() == 4 and blas_threads == [1]
        return work(depth - 1) if depth else "done"

    assert parallel.threads() == 1
    assert work(2) == "done"
    assert parallel.threads() == 1 and blas_threads == [1, 4]


def test_blas_gets_its_threads_back_after_an_error(blas_threads):
    @parallel.sharing
    def work():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert parallel.threads() == 1 and blas_threads == [1, 4]


def test_a_chosen_number_of_threads_leaves_blas_alone(blas_threads, monkeypatch):
    monkeypatch.setattr(parallel, "_chosen", 1)
    parallel.sharing(lambda: None)()
    assert blas_threads == []


def test_errors_of_numpy_stay_off_in_threads():
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel.side_by_side(lambda part: np.ones(3) / np.zeros(3), 2)


@pytest.mark.parametrize("shapes", [(300, 200, 500), (200, 300, 700), (100, 9000, 100)])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_shared(shapes, transposed, monkeypatch):
    m, k, n = shapes
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    if transposed:
        x, w = np.ascontiguousarray(x.T).T, np.ascontiguousarray(w.T).T
    monkeypatch.setattr(parallel, "_chosen", 3)
    wide = np.zeros((m, n + 5))
    for out in (None, np.empty((m, n)), wide[:, 2:-3]):
        np.testing.assert_allclose(rows.matmul(x, w, out), x @ w, rtol=1e-10, atol=1e-10)
    assert not wide[:, :2].any() and not wide[:, -3:].any()
    again = rows.matmul(x, w)
    assert np.array_equal(again, rows.matmul(x, w))


def test_parts_are_summed(monkeypatch):
    x = np.arange(12.0).reshape(6, 2)
    monkeypatch.setattr(parallel, "_chosen", 3)
    total = parallel.summed(lambda part: x[part].sum(0), 6, 12, 1)
    both = parallel.summed(lambda part: (x[part].sum(0), len(x[part])), 6, 12, 1)
    y = np.empty_like(x)
    parallel.each(lambda a, b: np.multiply(a, 2, out=b), x, y, smallest=1)
    assert total.tolist() == both[0].tolist() == [30.0, 36.0] and both[1] == 6
    assert np.array_equal(y, 2 * x)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pipeline_keeps_its_order(threads, monkeypatch):
    monkeypatch.setattr(parallel, "_chosen", threads)
    done = []
    parallel.pipeline(
        lambda k: done.append(("first", k)), lambda k: done.append(("second", k)), 5, 2
    )
    assert [k for what, k in done if what == "first"] == [0, 1, 2, 3, 4]
    assert sorted(k for what, k in done if what == "second") == [0, 1, 2, 3, 4]
    assert all(done.index(("first", k)) < done.index(("second", k)) for k in range(5))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("wrong", ["first", "second"])
def test_a_pipeline_ends_with_an_error(threads, wrong, monkeypatch):
    monkeypatch.setattr(parallel, "_chosen", threads)

    def stage(name):
        return lambda k: 1 // (k - 1) if name == wrong else None

    with pytest.raises(ZeroDivisionError):
        parallel.pipeline(stage("first"), stage("second"), 4)
    parallel.pipeline(stage("none"), stage("none"), 4)


def test_threads_rest_where_others_have_the_processors(monkeypatch):
    # A patience that no machine tries, however busy it is.
    fresh = {"_chosen": 2, "_late": 0, "_rest": 0, "_rests": 8, "_SHORTEST": 8, "_PATIENCE": 60}
    for name, value in fresh.items():
        monkeypatch.setattr(parallel, name, value)
    seen = set()

    def calls(count):
        seen.clear()
        for _ in range(count):
            parallel.side_by_side(lambda part: seen.add(threading.get_ident()), 2)
        return len(seen)

    assert calls(5) == 2
    for _ in range(4):
        parallel._judge(0.001, 100)
    assert calls(8) == 1  # the same parts, one after the other
    assert calls(1) == 2
    parallel._judge(0.001, 100)
    parallel._judge(0.001, 100)
    assert parallel._rest == 16  # still so: twice as long
    for _ in range(16 + 100):
        calls(1)
    parallel._judge(0.1, 0.001)
    assert parallel._rests == parallel._SHORTEST


def test_rest_changes_no_bit(monkeypatch):
    """What a part shares in turn is shared neither in a helper nor while threads rest."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 40, 900)), rng.normal(size=(900, 70))
    monkeypatch.setattr(parallel, "_chosen", 2)
    monkeypatch.setattr(rows, "_SHARE", 1000)
    shared = []

    def products():
        out = np.empty((4, 70, 900))

        def part(batch):
            for one in range(batch.start, batch.stop):
                shared.append(parallel.parts_for(1 << 20, 1))
                out[one] = rows.matmul(w.T, rows.matmul(x[one].T, x[one]))

        parallel.over_batch(part, 4, 1 << 20)
        parallel.pipeline(part_of(out, 1), part_of(out, 2), 4)
        return out

    def part_of(out, factor):
        def stage(k):
            shared.append(parallel.parts_for(1 << 20, 1))
            out[k] *= factor + rows.matmul(w.T, w)[:, :1]

        return stage

    monkeypatch.setattr(parallel, "_rest", 0)
    expected = products()
    monkeypatch.setattr(parallel, "_rest", 1000)
    assert np.array_equal(products(), expected)
    assert set(shared) == {1}
