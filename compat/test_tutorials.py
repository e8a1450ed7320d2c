"""Each tutorial on both packages, from equal weights: every loss, metric and prediction agrees."""

import inspect
import math
import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import minikeras

TUTORIALS = Path(__file__).parent / "tutorials"
SCRIPTS = sorted(path.stem for path in TUTORIALS.glob("*.py"))
# A few dozen updates in float32 carry rounding along: sums are done in another order, and Adam
# divides by the root of tiny second moments.
TOLERANCE = {"rtol": 2e-3, "atol": 2e-4}


def drawn(shape, count):
    """The same values for the n-th weight of a shape, on either side."""
    seed = [*shape, count, 7]
    fan = max(1, math.prod(shape[:-1]) if len(shape) > 1 else 1)
    limit = math.sqrt(3 / fan)
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype("float32")


def make_equal(package, monkeypatch, record):
    """Take chance out of `package` and write down what its models return."""
    seen = {}  # Keras may call one initializer twice for a weight, the first time in a trial run

    def initialize(self, shape, dtype=None, **_):
        users = seen.setdefault(tuple(shape), [])
        if not any(user is self for user in users):
            users.append(self)
        count = next(index for index, user in enumerate(users) if user is self)
        return package.ops.convert_to_tensor(drawn(tuple(shape), count), dtype)

    for name in dir(package.initializers):
        kind = getattr(package.initializers, name)
        if isinstance(kind, type) and "seed" in inspect.signature(kind).parameters:
            monkeypatch.setattr(kind, "__call__", initialize)

    dropout = package.layers.Dropout.__init__
    monkeypatch.setattr(
        package.layers.Dropout,
        "__init__",
        lambda self, rate, **options: dropout(self, 0.0, **options),
    )
    monkeypatch.setattr(
        package.random, "normal", lambda shape, **_: 0.5 * package.ops.ones(shape, "float32")
    )

    if package is keras:
        # TensorFlow gives the rows of an embedding one gradient each time they occur, and Adam and
        # its like square those before they are added up. A product has the gradient of their sum.
        monkeypatch.setattr(
            keras.layers.Embedding,
            "call",
            lambda self, x: keras.ops.matmul(keras.ops.one_hot(x, self.input_dim), self.embeddings),
        )

    depth = 0

    def recorded(name):
        method = getattr(package.Model, name)

        def wrapper(self, *args, **options):
            nonlocal depth
            if name == "fit":
                options.update(shuffle=False, verbose=0)
            depth += 1
            try:
                result = method(self, *args, **options)
            finally:
                depth -= 1
            if not depth:  # `fit` of Keras calls `evaluate`
                record.append((name, result.history if name == "fit" else result))
            return result

        monkeypatch.setattr(package.Model, name, wrapper)

    for name in ("fit", "evaluate", "predict", "train_on_batch"):
        recorded(name)


def run(package, script, monkeypatch, folder):
    record = []
    with monkeypatch.context() as patch:
        make_equal(package, patch, record)
        patch.setenv("TUTORIAL_SMALL", "1")
        patch.setattr(sys, "argv", [script, *(["--keras"] if package is keras else [])])
        patch.chdir(folder)
        package.utils.clear_session()
        names = runpy.run_path(str(TUTORIALS / f"{script}.py"))
    assert names["keras"] is package
    return record


def same(name, ours, theirs):
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), name
        for key in theirs:
            same(f"{name} {key}", ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), name
        for index, (one, other) in enumerate(zip(ours, theirs)):
            same(f"{name}[{index}]", one, other)
    else:
        np.testing.assert_allclose(ours, theirs, err_msg=name, **TOLERANCE)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_the_same_numbers(script, monkeypatch, tmp_path):
    ours = run(minikeras, script, monkeypatch, tmp_path)
    theirs = run(keras, script, monkeypatch, tmp_path)
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert any(name in ("fit", "train_on_batch") for name, _ in ours)
    for index, ((name, mine), (_, its)) in enumerate(zip(ours, theirs)):
        same(f"call {index}, {name}", mine, its)


def test_keras_opens_what_the_quickstart_saved(tmp_path):
    """Run as a user does, in full; then open the file elsewhere."""
    root = str(TUTORIALS.parent.parent)
    done = subprocess.run(
        [sys.executable, str(TUTORIALS / "quickstart.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    accuracy = float(done.stdout.split("accuracy ")[-1].split("%")[0])
    assert accuracy >= 97
    _, (x, y) = minikeras.datasets.digits.load_data()
    x = x.reshape(-1, 64).astype("float32") / 16
    theirs = keras.models.load_model(tmp_path / "quickstart.h5")
    ours = minikeras.models.load_model(tmp_path / "quickstart.h5")
    found = theirs.predict(x, verbose=0)
    np.testing.assert_allclose(ours.predict(x, verbose=0), found, rtol=1e-5, atol=1e-6)
    assert abs(np.mean(found.argmax(1) == y) * 100 - accuracy) < 0.01
    theirs.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert theirs.evaluate(x, y, verbose=0)[1] * 100 == pytest.approx(accuracy, abs=0.01)
