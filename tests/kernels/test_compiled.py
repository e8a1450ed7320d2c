"""Loops compiled by Numba give what NumPy gives, but for rounding; NumPy does the rest."""

import subprocess
import sys

import numpy as np
import pytest

import minikeras
from minikeras import layers
from minikeras.kernels import blas, recurrent
from minikeras.kernels.sequence import Kept

pytest.importorskip("numba", reason="compiled loops need Numba", exc_type=ImportError)


@pytest.fixture(autouse=True)
def numpy_alone_afterwards():
    yield
    blas.enable(False)


def both(function):
    """What `function` returns without and with compiled loops."""
    results = []
    for on in (False, True):
        blas.enable(on)
        results.append(function())
    return results


def assert_close(pair, tolerance=3e-6):
    """Largest difference over the largest number: sums of some hundred float32 products."""
    for plain, fast in zip(*pair):
        assert fast.dtype == plain.dtype and fast.shape == plain.shape
        np.testing.assert_allclose(fast, plain, atol=tolerance * np.abs(plain).max(), rtol=0)


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


def run_recurrent(name, batch=7, steps=9, features=5, units=6, given="outputs", **options):
    gates = {"lstm": 4, "gru": 3}[name]
    bias = draw(2, 3 * units) if name == "gru" else draw(4 * units)
    # Of a size that keeps a recurrence from being chaotic.
    kernels = [draw(n, gates * units) * np.float32(n**-0.5) for n in (features, units)]
    arguments = (draw(batch, steps, features), *kernels, bias)
    initial = [draw(batch, units, seed=k) for k in range(gates - 2)]
    run = getattr(recurrent, name)(*arguments, initial, **options)
    back = getattr(recurrent, f"{name}_backward")
    d_outputs = draw(batch, steps, units) if given == "outputs" else None
    d_last = draw(batch, units) if given == "last" else None
    d_states = [draw(batch, units, seed=5) for _ in initial] if given == "states" else None
    found = back(run.saved, d_outputs, d_last, d_states)
    return run, [run.outputs, run.last, *run.states, *found[:4], *found.states]


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("given", ["outputs", "last", "states"])
@pytest.mark.parametrize("backwards", [False, True])
def test_recurrence(name, given, backwards):
    def run():
        made, arrays = run_recurrent(name, given=given, go_backwards=backwards)
        assert isinstance(made.saved, Kept) == (blas.loops() is not None)
        return arrays

    assert_close(both(run), 1e-5)  # of up to 9 steps, one after the other


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (32, 20, 130, 150), (3, 4, 600, 500)])
def test_recurrence_of_other_sizes(name, sizes):
    # Products that are made whole, in blocks of rows, and in one block.
    assert_close(both(lambda: run_recurrent(name, *sizes)[1]), 2e-5)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_recurrence_that_keeps_nothing(name):
    units, gates = 6, {"lstm": 4, "gru": 3}[name]

    def run():
        made = getattr(recurrent, name)(
            draw(7, 9, 5), draw(5, gates * units), draw(units, gates * units),
            keep=False, sequences=False, initial_state=[None] * (gates - 2),
        )  # fmt: skip
        assert made.saved is None and made.outputs is None
        return [made.last, *made.states]

    assert_close(both(run))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_way_back_begun_with_compiled_loops_ends_with_them(name):
    function, back = getattr(recurrent, name), getattr(recurrent, f"{name}_backward")
    gates = {"lstm": 4, "gru": 3}[name]
    arguments = draw(2, 3, 4), draw(4, gates * 5), draw(5, gates * 5), None
    blas.enable()
    saved = function(*arguments, [None] * (gates - 2)).saved
    blas.enable(False)
    found = back(saved, None, draw(2, 5))
    saved = function(*arguments, [None] * (gates - 2)).saved
    assert_close((back(saved, None, draw(2, 5))[:3], found[:3]))


@pytest.mark.parametrize(
    "options",
    [
        {"mask": np.array([[True, True, False], [True, False, False]])},
        {"activation": recurrent.RELU},
        {"recurrent_dropout": np.full((4, 2, 5), 0.5, "float32")},
    ],
)
def test_numpy_does_the_rest(options):
    def run():
        made = recurrent.lstm(draw(2, 3, 4), draw(4, 20), draw(5, 20), **options)
        assert not isinstance(made.saved, Kept)
        return [made.outputs]

    plain, fast = both(run)
    np.testing.assert_array_equal(*plain, *fast)


def test_float64_is_numpys():
    blas.enable()
    arrays = (draw(2, 3, 4), draw(4, 20), draw(5, 20))
    made = recurrent.lstm(*(one.astype("float64") for one in arrays))
    assert made.outputs.dtype == "float64" and not isinstance(made.saved, Kept)


def train(kind):
    minikeras.utils.set_random_seed(0)
    inputs = minikeras.Input((12,), dtype="int32")
    x = layers.Embedding(30, 16)(inputs)
    x = getattr(layers, kind)(8, return_sequences=True)(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = minikeras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    data = np.random.default_rng(0).integers(0, 30, (64, 12))
    history = model.fit(data, data[:, :1] % 2, batch_size=16, epochs=3, verbose=0)
    return [np.array(history.history["loss"]), model.predict(data, verbose=0)]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_training(kind):
    # Adam divides by the root of small squares: rounding grows over 12 steps.
    assert_close(both(lambda: train(kind)), 1e-4)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_equal_bits_under_a_seed(kind):
    blas.enable()
    for first, second in zip(train(kind), train(kind)):
        np.testing.assert_array_equal(first, second)


def test_switches():
    assert blas.loops() is None
    minikeras.config.enable_numba()
    assert blas.loops() is not None
    minikeras.config.disable_numba()
    assert blas.loops() is None


def test_what_is_missing_is_named(monkeypatch):
    blas.compiled_loops.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "numba", None)
            patch.delitem(sys.modules, "minikeras.kernels.loops", raising=False)
            with pytest.raises(ImportError, match=r"pip install minikeras\[numba\]"):
                minikeras.config.enable_numba()
        with monkeypatch.context() as patch:
            patch.setattr(blas, "functions", dict)
            with pytest.raises(RuntimeError, match="OpenBLAS"):
                minikeras.config.enable_numba()
        assert blas.loops() is None
    finally:
        blas.compiled_loops.cache_clear()


def test_numba_is_not_imported_unless_asked_for():
    code = (
        "import sys, numpy as np, minikeras as k;"
        "m = k.Sequential([k.layers.LSTM(2)]); m.compile('adam', 'mse');"
        "m.fit(np.zeros((2, 3, 4)), np.zeros((2, 2)), verbose=0);"
        "print('numba' in sys.modules)"
    )
    for value, expected in (("0", "False"), ("1", "True")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"MINIKERAS_NUMBA": value, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == expected
