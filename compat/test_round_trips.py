"""Random models go from minikeras to real Keras and back, in every kind of file.

`python compat/test_round_trips.py 500` draws that many models a test, others in each run, and lists
all that fails. As a test a few are drawn, always the same.
"""

import json
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow
import tf_keras
from hypothesis import HealthCheck, Phase, given, note, settings
from round_trips import build, data, names, recipes

import minikeras

pytestmark = pytest.mark.filterwarnings("ignore")
# float32 sums in another order, relative to the largest number; steps of an optimizer on top.
PREDICT, TRAINED = 2e-5, 5e-4


def examples(few):
    """How many models are drawn. To look for smaller ones that fail would take minutes."""
    return settings(
        max_examples=few,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


@pytest.fixture(autouse=True, scope="module")
def eager():
    # Compiling a graph for every example would take most of the time.
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def close(ours, theirs, tolerance, what):
    """Compare lists of arrays."""
    assert len(ours) == len(theirs), what
    for place, (a, b) in enumerate(zip(ours, theirs)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, f"{what} {place}: {a.shape} and {b.shape}"
        size = max(1.0, np.max(np.abs(b), initial=0.0))
        np.testing.assert_allclose(a / size, b / size, 0, tolerance, err_msg=f"{what} {place}")


def predicted(model, x):
    found = model.predict(x if len(x) > 1 else x[0], verbose=0)
    return found if isinstance(found, list) else [found]


def train(model, x, y, steps):
    x, y = (one if len(one) > 1 else one[0] for one in (x, y))
    for _ in range(steps):
        model.train_on_batch(x, y)


def same_evaluation(model, theirs, x, y):
    """Losses and metrics agree, by name."""
    x, y = (one if len(one) > 1 else one[0] for one in (x, y))
    found, want = (one.evaluate(x, y, verbose=0, return_dict=True) for one in (model, theirs))
    assert found.keys() == want.keys()
    close([found[key] for key in want], list(want.values()), TRAINED, f"metrics {list(want)}:")


def texts(path):
    """The texts in a file that must not change: all but the date."""
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return {key: file.attrs[key] for key in ("model_config", "training_config")}
    with zipfile.ZipFile(path) as archive:
        return archive.read("config.json")


def trained(recipe):
    """The model of a recipe after two steps, which gives all of its state a value."""
    minikeras.utils.clear_session()
    model = build(minikeras, recipe)
    x, y = data(recipe)
    train(model, x, y, 2)
    note(model.to_json())
    return model, x, y


@examples(10)
@given(recipe=recipes())
def test_archives_go_to_keras_and_back(folder, recipe):
    model, x, y = trained(recipe)
    there, back = folder / "there.keras", folder / "back.keras"
    model.save(there)
    theirs = keras.saving.load_model(there)
    close(predicted(model, x), predicted(theirs, x), PREDICT, "output")
    same_evaluation(model, theirs, x, y)
    for one in (model, theirs):
        train(one, x, y, 3)
    close(model.get_weights(), theirs.get_weights(), TRAINED, "weight")
    theirs.save(back)
    again = minikeras.saving.load_model(back)
    close(predicted(again, x), predicted(theirs, x), PREDICT, "output")
    for one in (again, theirs):
        train(one, x, y, 2)
    close(again.get_weights(), theirs.get_weights(), TRAINED, "weight")


@examples(7)
@given(recipe=recipes())
def test_hdf5_goes_to_keras_and_back(folder, recipe):
    model, x, y = trained(recipe)
    there, back = folder / "there.h5", folder / "back.h5"
    model.save(there)
    # Losses and metrics given as text are what Keras does not find again in such a file.
    theirs = keras.saving.load_model(there, compile=False)
    close(predicted(model, x), predicted(theirs, x), PREDICT, "output")
    theirs = build(keras, recipe)
    theirs.load_weights(there)
    close(predicted(model, x), predicted(theirs, x), PREDICT, "output")
    train(theirs, x, y, 3)
    theirs.save(back)
    again = minikeras.saving.load_model(back)
    close(predicted(again, x), predicted(theirs, x), PREDICT, "output")
    for one in (again, theirs):
        train(one, x, y, 3)
    close(again.get_weights(), theirs.get_weights(), TRAINED, "weight")


@examples(7)
@given(recipe=recipes())
def test_weights_go_to_keras_and_back(folder, recipe):
    model, x, y = trained(recipe)
    there, back = folder / "there.weights.h5", folder / "back.weights.h5"
    model.save_weights(there)
    theirs = keras.models.model_from_json(model.to_json())
    theirs.load_weights(there)
    close(predicted(model, x), predicted(theirs, x), PREDICT, "output")
    theirs.set_weights([one + 0.01 for one in theirs.get_weights()])
    theirs.save_weights(back)
    model.load_weights(back)
    close(predicted(model, x), predicted(theirs, x), PREDICT, "output")


# What Keras 2 has not, or has with other arguments.
NEWER = {"RMSNormalization", "GroupQueryAttention", "LeakyReLU", "ReLU"}


def _in_keras_2(name):
    return name not in NEWER and hasattr(tf_keras.layers, name)


@examples(6)
@given(recipe=recipes(allowed=_in_keras_2, operators=False))
def test_hdf5_goes_to_tf_keras_and_back(folder, recipe):
    x, y = data(recipe)
    try:
        theirs = build(tf_keras, recipe)
        train(theirs, x, y, 2)
    except (TypeError, ValueError) as error:  # arguments that Keras 2 has not
        note(str(error))
        return
    there, back = folder / "there.h5", folder / "back.h5"
    theirs.save(there)
    model = minikeras.saving.load_model(there)
    close(predicted(model, x), predicted(theirs, x), PREDICT, "output")
    same_evaluation(model, theirs, x, y)
    for one in (model, theirs):
        train(one, x, y, 3)
    close(predicted(model, x), predicted(theirs, x), TRAINED, "output")
    model.save_weights(back)
    again = build(tf_keras, recipe)
    again.load_weights(back)
    close(predicted(model, x), predicted(again, x), PREDICT, "output")


@examples(18)
@given(recipe=recipes())
def test_configs_stay_byte_for_byte(folder, recipe):
    minikeras.utils.clear_session()
    model = build(minikeras, recipe)
    for name in ("m.keras", "m.h5"):
        path = folder / name
        model.save(path)
        first, text = texts(path), model.to_json()
        opened = minikeras.saving.load_model(path)
        opened.save(path)
        assert texts(path) == first
        # An `.h5` has the long names of losses and metrics.
        assert opened.to_json() == text or name == "m.h5"
        assert json.loads(text) == json.loads(minikeras.models.model_from_json(text).to_json())


def test_all_sorts_of_layers_are_drawn():
    seen = set()

    @examples(60)
    @given(recipe=recipes())
    def draw(recipe):
        seen.update(names(recipe))

    draw()
    assert len(seen) > 40, sorted(seen)


def long_run(count, wanted=""):
    """Draw `count` models for each test; print what failed, and how often."""
    tensorflow.config.run_functions_eagerly(True)
    failures = 0
    for name, test in list(globals().items()):
        if name.startswith("test_") and hasattr(test, "hypothesis") and wanted in name:
            failures += survey(name, test.hypothesis, count)
    return failures


def survey(name, test, count):
    """The number of models that fail a test; some are printed."""
    found, seen = Counter(), []

    @settings(examples(count), derandomize=False, database=None)
    @given(**test._given_kwargs)
    def attempt(recipe):
        seen.append(1)
        try:
            test.inner_test(folder=Path(place), recipe=recipe)
        except Exception as error:
            lines = [one for one in str(error).splitlines() if one.strip()]
            text = " ".join(lines[:4])[:400]
            found[text[:60]] += 1
            if found[text[:60]] < 4:
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"
                print(f"\n{name}: {where} {text}\n{recipe}", flush=True)

    with tempfile.TemporaryDirectory() as place:
        attempt()
    print(f"\n{name}: {sum(found.values())} of {len(seen)} fail", flush=True)
    return sum(found.values())


if __name__ == "__main__":
    sys.exit(bool(long_run(int(sys.argv[1]), *sys.argv[2:3])))
