"""Tutorials in the spelling of Keras 1 and 2 give the losses of their twins of today.

All three run on minikeras from equal weights; those of Keras 2 run on tf-keras as well.
"""

import sys
from types import SimpleNamespace

import pytest
import tensorflow as tf
import tf_keras
from test_tutorials import TUTORIALS, make_equal, same
from test_tutorials import runpy as runner

import minikeras
from minikeras import dialects

NAMES = sorted(path.stem for path in (TUTORIALS / "keras1").glob("*.py"))


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def run(path, monkeypatch, folder, package=minikeras, equal=make_equal):
    record = []
    with monkeypatch.context() as patch:
        equal(package, patch, record)
        patch.setenv("TUTORIAL_SMALL", "1")
        patch.setattr(sys, "argv", [path.name, *(["--keras"] if package is tf_keras else [])])
        patch.chdir(folder)
        package.backend.clear_session()
        names = runner.run_path(str(path))
    assert names.get("keras", minikeras) is package
    return record


def make_tf_keras_equal(package, monkeypatch, record):
    """As `make_equal`; tf-keras has no `ops` and no `random`."""
    parts = SimpleNamespace(
        initializers=package.initializers,
        layers=package.layers,
        Model=package.Model,
        ops=SimpleNamespace(convert_to_tensor=tf.convert_to_tensor),
        random=SimpleNamespace(normal=None),
    )
    make_equal(parts, monkeypatch, record)
    # Those of tf-keras since 2.11 ignore `lr`; the older ones are still there.
    for name in ("Adam", "SGD"):
        monkeypatch.setattr(package.optimizers, name, getattr(package.optimizers.legacy, name))
    # Rows of an embedding get one gradient each time they occur, which Adam squares apart; a
    # product has the gradient of their sum.
    monkeypatch.setattr(
        package.layers.Embedding,
        "call",
        lambda self, x: tf.matmul(tf.one_hot(tf.cast(x, "int32"), self.input_dim), self.embeddings),
    )


def values(result):
    """Numbers of a result, whatever its metrics and outputs are called."""
    if isinstance(result, dict):
        return [one for key in sorted(result, key=today) for one in values(result[key])]
    if isinstance(result, (list, tuple)):
        return [one for part in result for one in values(part)]
    return [result]


def today(name):
    name = name.replace("mean_absolute_error", "mae")
    return name if name.endswith("accuracy") else name.replace("acc", "accuracy")


def compare(mine, its):
    assert [name for name, _ in mine] == [name for name, _ in its]
    for index, ((name, one), (_, other)) in enumerate(zip(mine, its)):
        if isinstance(other, dict):
            assert sorted(map(today, one)) == sorted(map(today, other))
        same(f"call {index}, {name}", values(one), values(other))


@pytest.mark.parametrize("generation", ["keras1", "keras2"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Argument `input_length`")
@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_the_same_numbers(name, generation, monkeypatch, tmp_path):
    old = run(TUTORIALS / generation / f"{name}.py", monkeypatch, tmp_path)
    new = run(TUTORIALS / f"{name}.py", monkeypatch, tmp_path)
    assert any(call == "fit" for call, _ in old)
    compare(old, new)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Argument `input_length`")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_keras_2_agrees(name, monkeypatch, tmp_path):
    path = TUTORIALS / "keras2" / f"{name}.py"
    ours = run(path, monkeypatch, tmp_path)
    theirs = run(path, monkeypatch, tmp_path, tf_keras, make_tf_keras_equal)
    compare(ours, theirs)


def test_each_has_both_twins():
    assert len(NAMES) >= 5
    for generation in ("keras1", "keras2"):
        twins = {path.stem for path in (TUTORIALS / generation).glob("*.py")}
        assert twins == set(NAMES) <= {path.stem for path in TUTORIALS.glob("*.py")}
