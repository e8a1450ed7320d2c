# ruff: noqa: E501 - tables
"""`python -m minikeras check`: old spellings and missing things, by line."""

import json
import textwrap
from pathlib import Path

import pytest

import minikeras
from minikeras.cli import main


def check(tmp_path, capsys, text, name="script.py"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text).lstrip("\n"))
    code = main(["check", str(path)])
    lines = capsys.readouterr().out.splitlines()
    start = f"{path}:"
    return code, [line.removeprefix(start) for line in lines[:-1]], lines[-1]


OLD = {
    "from keras.layers.core import Dense": "keras.layers.core.Dense -> keras.layers.Dense",
    "from keras.utils import np_utils": "keras.utils.np_utils -> keras.utils",
    "from keras.utils.np_utils import to_categorical": (
        "keras.utils.np_utils.to_categorical -> keras.utils.to_categorical"
    ),
    "from tensorflow.python.keras.layers import LSTM": (
        "tensorflow.python.keras.layers.LSTM -> tensorflow.keras.layers.LSTM"
    ),
    "from keras.layers import Dense\nDense(output_dim=3)": "Dense(output_dim=...) -> Dense(units=...)",
    "from keras import layers as L\nL.Dense(3, init='uniform')": (
        "Dense(init=...) -> Dense(kernel_initializer=...)"
    ),
    "from keras.layers import Convolution2D\nn = 3\nConvolution2D(32, n, 5)": (
        "Convolution2D(32, n, 5) -> Conv2D(32, (n, 5))"
    ),
    "import keras\nkeras.layers.MaxPooling2D(border_mode='same')": (
        "MaxPooling2D(border_mode=...) -> MaxPooling2D(padding=...)"
    ),
    "from keras.optimizers import SGD\nSGD(lr=0.1)": "SGD(lr=...) -> SGD(learning_rate=...)",
    "import keras\nkeras.optimizers.Adam(decay=0.1)": "InverseTimeDecay",
    "import keras.backend as K\nK.sum(x)": "keras.backend.sum -> keras.ops.sum",
    "import keras.backend as K\nK.set_image_dim_ordering('th')": "config.set_image_data_format",
    "import keras\nm = keras.Sequential()\nm.fit(x, y, nb_epoch=3)": (
        ".fit(nb_epoch=...) -> .fit(epochs=...)"
    ),
    "import keras\nm.fit_generator(g)": ".fit_generator(...) -> .fit",
    "import keras\nm.predict_classes(x)": ".predict_classes(...)",
    "import keras\nprint(history.history['val_acc'])": "history['val_acc'] -> history['val_accuracy']",
    "from keras.utils import to_categorical\nto_categorical(y, nb_classes=3)": (
        "to_categorical(nb_classes=...) -> to_categorical(num_classes=...)"
    ),
    "from keras.callbacks import ModelCheckpoint as C\nC('x', period=2)": "ModelCheckpoint(period=...)",
    "import tensorflow as tf\nlayers = tf.keras.layers\nlayers.Dense(3, W_regularizer='l2')": (
        "Dense(W_regularizer=...) -> Dense(kernel_regularizer=...)"
    ),
}


@pytest.mark.parametrize("text", OLD)
def test_old_spellings(tmp_path, capsys, text):
    code, lines, last = check(tmp_path, capsys, text)
    where = text.count("\n") + 1
    assert code == 0, lines
    assert [line for line in lines if line.startswith(f"{where}: old: ") and OLD[text] in line], (
        lines
    )
    assert "0 things missing" in last and "minikeras understands" in last


MISSING = {
    "from keras.layers import Foo": "keras.layers.Foo",
    "import keras\nkeras.layers.Dens(3)": "Near it: `keras.layers.Dense`",
    "import tensorflow as tf\ntf.lite.TFLiteConverter.from_keras_model(m)": "TensorFlow Lite",
    "import tensorflow as tf\ntf.reduce_men(x)": "Near it: `tensorflow.reduce_mean`",
    "import tensorflow as tf\ntf.reduce_mean(x, axes=1)": "`reduce_mean` has no argument `axes`",
    "from keras.layers import Dense\nDense(3, unit=2)": "`Dense` has no argument `unit`",
    "import tensorflow_datasets as tfds": "needs TensorFlow",
    "import keras\nkeras.Model.from_nothing()": "keras.Model.from_nothing",
    "import tensorflow as tf\nf = tf.feature_column.numeric_column": "preprocessing layers",
    "from keras.utils import OrderedEnqueuer": "loads in the background itself",
    "import keras\nm.to_yaml()": "to_json",
}


@pytest.mark.parametrize("text", MISSING)
def test_what_is_missing(tmp_path, capsys, text):
    code, lines, last = check(tmp_path, capsys, text)
    where = text.count("\n") + 1
    assert code == 1
    assert [
        line for line in lines if line.startswith(f"{where}: missing: ") and MISSING[text] in line
    ]
    assert "1 thing missing" in last


def test_scripts_of_today_have_nothing_to_say(tmp_path, capsys):
    text = """
    import numpy as np
    import keras
    import tensorflow as tf
    from keras import layers, ops

    def build(keras_layers):
        layers = keras_layers  # not the module
        return layers.anything(3)

    class Own(keras.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def call(self, x):
            return ops.relu(x) + tf.cast(self.units, tf.float32)

    model = keras.Sequential([keras.Input((3,)), layers.Dense(3, activation="relu", name="a"), Own(2)])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss="mse")
    model.fit(np.ones((2, 3)), np.ones((2, 3)), epochs=2, **{})
    ds = tf.data.Dataset.from_tensor_slices([1]).batch(2).prefetch(tf.data.AUTOTUNE)
    """
    code, lines, last = check(tmp_path, capsys, text)
    assert (code, lines) == (0, [])
    assert "0 old spellings" in last


def test_nothing_of_the_script_runs(tmp_path, capsys):
    flag = tmp_path / "ran"
    check(tmp_path, capsys, f"import keras\nopen({str(flag)!r}, 'w')\nraise SystemExit(5)")
    assert not flag.exists()


def test_it_leaves_no_trace(tmp_path, capsys):
    import sys

    check(tmp_path, capsys, "import keras")
    assert "keras" not in sys.modules and minikeras.layers


def test_notebooks(tmp_path, capsys):
    cells = ["import keras\n%matplotlib inline", "keras.layers.Dense(output_dim=3)"]
    path = tmp_path / "a.ipynb"
    path.write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]})
    )
    assert main(["check", str(path)]) == 0
    found = capsys.readouterr().out.splitlines()[0]
    assert found == f"{path}[2]:1: old: Dense(output_dim=...) -> Dense(units=...)"


def test_what_cannot_be_read(tmp_path, capsys):
    path = tmp_path / "two.py"
    path.write_text("print 'x'\n")
    assert main(["check", str(path)]) == 1
    assert f"{path}:1: not Python 3" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_scripts_that_run_miss_nothing(capsys):
    scripts = sorted((Path(__file__).parents[2] / "compat" / "scripts").glob("*.py"))
    main(["check", *map(str, scripts)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if ": missing: " in line] == []
    assert len([line for line in lines if line.endswith(" missing")]) == len(scripts)
