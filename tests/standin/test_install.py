"""`install_as_keras`: what imports find, what is refused, and that it can be undone."""

import copy
import importlib
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

import minikeras
from minikeras import dialects
from minikeras.standin.finder import KERAS, ROOTS, homes_of

HOME = Path(__file__).parent.parent.parent


@pytest.fixture
def installed():
    dialects.silence()
    with minikeras.install_as_keras():
        yield
    dialects.silence(False)


def ours():
    return [name for name in sys.modules if name.partition(".")[0] in ROOTS]


def test_it_can_be_undone():
    finders, before = list(sys.meta_path), ours()
    assert not before
    minikeras.install_as_keras()
    import tensorflow.keras.layers

    assert tensorflow.keras.layers.Dense is minikeras.layers.Dense
    minikeras.uninstall_as_keras()
    assert sys.meta_path == finders and not ours()
    minikeras.uninstall_as_keras()
    assert sys.meta_path == finders
    shape = minikeras.ops.zeros((2, 3)).shape
    assert type(shape) is tuple


def test_twice_is_once():
    with minikeras.install_as_keras() as handle:
        minikeras.install_as_keras()
        assert sum("standing in" in repr(one) for one in sys.meta_path) == 1
        handle.undo()
        assert not any("standing in" in repr(one) for one in sys.meta_path)


def test_an_imported_keras_is_not_replaced(monkeypatch):
    for root in ROOTS:
        module = ModuleType(root)
        module.__file__ = f"/somewhere/{root}/__init__.py"
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, root, module)
            with pytest.raises(RuntimeError, match=rf"`{root}` is imported already \(from /some"):
                minikeras.install_as_keras()
            assert sys.modules[root] is module


def test_an_installed_keras_comes_back(tmp_path):
    (tmp_path / "keras").mkdir()
    real = tmp_path / "keras" / "__init__.py"
    real.write_text("name = 'the real one'\n")
    code = """
        import minikeras
        with minikeras.install_as_keras():
            import keras
            assert keras.layers.Dense is minikeras.layers.Dense
        import keras
        assert keras.name == "the real one" and not hasattr(keras, "layers")
    """
    run_python(code, PYTHONPATH=f"{HOME}:{tmp_path}")
    assert real.read_text() == "name = 'the real one'\n"


def run_python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


SAME = {
    "keras.layers.Dense": "layers.Dense",
    "keras.layers.core.Dense": "layers.Dense",
    "keras.layers.convolutional.Conv2D": "layers.Conv2D",
    "keras.engine.topology.Layer": "layers.Layer",
    "keras.engine.training.Model": "models.Model",
    "keras.utils.np_utils.to_categorical": "utils.to_categorical",
    "keras.preprocessing.sequence.pad_sequences": "preprocessing.sequence.pad_sequences",
    "keras.api._v2.keras.layers.Dense": "layers.Dense",
    "keras.src.layers.Dense": "layers.Dense",
    "tensorflow.keras.layers.Dense": "layers.Dense",
    "tensorflow.keras.Sequential": "models.Sequential",
    "tensorflow.keras.optimizers.schedules.ExponentialDecay": (
        "optimizers.schedules.ExponentialDecay"
    ),
    "tensorflow.python.keras.layers.core.Dense": "layers.Dense",
    "tensorflow.contrib.keras.layers.LSTM": "layers.LSTM",
    "tensorflow.compat.v1.keras.layers.GRU": "layers.GRU",
    "tensorflow.keras.layers.experimental.preprocessing.Normalization": "layers.Normalization",
    "tf_keras.layers.Dense": "layers.Dense",
    "tf_keras.src.engine.sequential.Sequential": "models.Sequential",
    "keras_preprocessing.text.Tokenizer": "preprocessing.text.Tokenizer",
    "tensorflow.losses.MeanSquaredError": "losses.MeanSquaredError",
    "tensorflow.optimizers.Adam": "optimizers.Adam",
    "tensorflow.initializers.GlorotUniform": "initializers.GlorotUniform",
    "tensorflow.metrics.BinaryAccuracy": "metrics.BinaryAccuracy",
}


def at(root, path):
    for part in path.split("."):
        root = getattr(root, part)
    return root


@pytest.mark.parametrize("path", SAME)
def test_the_same_objects_by_every_path(installed, path):
    module, _, name = path.rpartition(".")
    expected = at(minikeras, SAME[path])
    assert getattr(importlib.import_module(module), name) is expected
    space = {}
    exec(f"from {module} import {name} as found\nimport {module} as whole", space)
    assert space["found"] is expected and getattr(space["whole"], name) is expected
    # By attributes, as in `import tensorflow as tf; tf.keras.layers.Dense`.
    root, _, rest = path.partition(".")
    assert at(importlib.import_module(root), rest) is expected


@pytest.mark.parametrize("root", KERAS)
def test_every_way_to_keras(installed, root):
    keras = importlib.import_module(root)
    assert keras.layers.Dense is minikeras.layers.Dense
    assert importlib.import_module(f"{root}.models").Model is minikeras.Model
    assert homes_of(root) == ("minikeras",)


def test_ways_to_import(installed):
    import keras.backend as K
    import tensorflow as tf
    from keras import backend as K2
    from tensorflow import keras as tk
    from tensorflow.keras import backend as K3

    assert K is K2 and K.floatx is K3.floatx and tk is tf.keras
    assert importlib.import_module("keras.backend") is K
    space = {}
    exec("from keras.layers import *", space)
    assert space["LSTM"] is minikeras.layers.LSTM and "Convolution2D" in space


def test_importing_all_names_warns_of_nothing():
    # An old name among them is not used yet.
    dialects.silence(False)
    with minikeras.install_as_keras():
        exec("from keras.layers import *\nfrom keras.constraints import *", {})


def test_modules_can_be_pickled_and_copied(installed):
    import keras

    assert pickle.loads(pickle.dumps(keras.layers)) is keras.layers
    assert copy.deepcopy(keras.layers) is keras.layers
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    twin = pickle.loads(pickle.dumps(model))
    assert type(twin) is minikeras.Sequential
    assert pickle.loads(pickle.dumps(keras.layers.Dense)) is minikeras.layers.Dense


def test_versions(installed):
    import keras
    import tensorflow as tf
    import tf_keras

    def number(version):
        return tuple(int(part) for part in version.partition("+")[0].split("."))

    assert (3,) < number(keras.__version__) < (4,) and keras.version() == keras.__version__
    assert (2, 16) < number(tf.__version__) < (3,) and tf.version.VERSION == tf.__version__
    assert number(tf_keras.__version__) < (3,)
    for version in (keras.__version__, tf.__version__, tf.keras.__version__, tf_keras.__version__):
        assert version.endswith("+minikeras")
    assert int(tf.__version__.split(".")[0]) >= 2 and tf.__version__.startswith("2.")


MISSING = {
    "from keras.layers import Dens": r"`keras.layers.Dens` is not available.*`keras.layers.Dense`",
    "import keras.lyers": r"`keras.lyers` is not available.*`keras.layers`",
    "from keras.activations import rleu": r"`keras.activations.rleu`.*`keras.activations.relu`",
    "from tensorflow import lite": r"`tensorflow.lite` is not available.*needs TensorFlow",
    "import tensorflow.contrib.layers": r"`contrib` left TensorFlow",
    "from tensorflow.examples.tutorials.mnist import input_data": r"keras.datasets.mnist",
    "from tensorflow.keras.kernels import gather": r"`tensorflow.keras.kernels` is not available",
    "import keras.cli": r"`keras.cli` is not available",
}


@pytest.mark.parametrize("statement", MISSING)
def test_what_is_missing_says_so_when_imported(installed, statement):
    with pytest.raises(ImportError, match=MISSING[statement]):
        exec(statement, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("keras.layers.Dens", "Near it: `keras.layers.Dense`"),
        ("tensorflow.lite", "needs TensorFlow Lite|Lite needs TensorFlow"),
        ("tensorflow.saved_model", r"model.save\('name.keras'\)"),
        ("tensorflow.feature_column", "preprocessing layers"),
        ("tensorflow.placeholder", "no sessions"),
        ("tensorflow.data.TFRecordDataset", "TFRecords"),
        ("tensorflow.ragged", "pad_sequences"),
        ("tensorflow.raw_ops", "Use the public name"),
        ("tensorflow.reduce_men", "Near it: `tensorflow.reduce_mean`"),
        ("tensorflow.nn.np", "is not available"),
    ],
)
def test_what_is_missing_says_so_when_asked_for(installed, name, text):
    root, _, path = name.partition(".")
    with pytest.raises(AttributeError, match=text) as error:
        at(importlib.import_module(root), path)
    assert f"`{name}" in str(error.value)


def test_hasattr_and_try_import_work(installed):
    import tensorflow as tf

    assert not hasattr(tf, "contrib_of_nobody") and hasattr(tf, "function")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tensorflow.estimator")
    with pytest.raises(AttributeError):
        tf.__wrapped__  # noqa: B018


def test_names_are_listed(installed):
    import tensorflow as tf

    assert {"Dense", "LSTM"} <= set(dir(tf.keras.layers))
    assert {"reduce_mean", "constant", "GradientTape"} <= set(dir(tf))
    assert "np" not in dir(tf.nn) and "Any" not in dir(tf)


def test_importing_from_many_threads():
    paths = [f"{root}.{name}" for root in ("keras", "tensorflow.keras", "tf_keras") for name in (
        "layers", "models", "losses", "metrics", "optimizers", "callbacks", "utils", "datasets",
    )]  # fmt: skip
    with minikeras.install_as_keras(), ThreadPoolExecutor(8) as pool:
        modules = list(pool.map(importlib.import_module, paths * 4))
        for path, module in zip(paths * 4, modules):
            assert module is sys.modules[path]


def test_importing_minikeras_does_not_load_the_standin():
    found = run_python(
        "import minikeras, sys\nprint([m for m in sys.modules if m.startswith('minikeras.')])",
        PYTHONPATH=str(HOME),
    )
    assert found.stdout.strip() == "[]"


def test_tensorboard_does_not_take_the_standin_for_tensorflow(installed, tmp_path):
    pytest.importorskip("tensorboard")
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = keras.callbacks.TensorBoard(str(tmp_path))
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[callback])
    assert list(tmp_path.rglob("events.out.*"))
