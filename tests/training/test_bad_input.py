"""Mistakes that users make: each is told what is wrong, what came, and what to do."""

import errno
import os
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

import minikeras as keras
from minikeras import layers

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def model_of(units=1, activation=None, loss="mse", **options):
    model = keras.Sequential(
        [keras.Input((3,), name="rows"), layers.Dense(units, activation=activation, name="out")]
    )
    model.compile("sgd", loss, **options)
    return model


def classifier(loss="sparse_categorical_crossentropy"):
    return model_of(4, "softmax", loss)


def two_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], layers.Dense(1)(layers.concatenate([a, b])))
    model.compile("sgd", "mse")
    return model


def unbuilt():
    return keras.Sequential([layers.Dense(1)])


def fit(model, x=X, y=Y, **options):
    return model.fit(x, y, verbose=0, **options)


MISTAKES = {
    # Names
    "loss": (
        lambda: model_of(loss="mean_square_error"),
        ["argument `loss`", "'mean_square_error'", "Did you mean 'mean_squared_error'"],
    ),
    "optimizer": (
        lambda: keras.Sequential([layers.Dense(1)]).compile("adamm", "mse"),
        ["optimizer", "'adamm'", "Did you mean 'Adam'"],
    ),
    "activation": (
        lambda: layers.Dense(1, activation="rellu"),
        ["activation", "'rellu'", "Did you mean 'relu'"],
    ),
    "metric": (
        lambda: model_of(metrics=["acuracy"]),
        ["argument `metrics`", "'acuracy'", "Did you mean 'accuracy'"],
    ),
    "initializer": (
        lambda: layers.Dense(1, kernel_initializer="glorot"),
        ["initializer", "'glorot'", "'glorot_normal'"],
    ),
    "loss that is none": (lambda: fit(model_of(loss=5)), ["loss", "5", "Pass a name"]),
    "metrics without a list": (
        lambda: model_of(metrics="accuracy"),
        ["`metrics`", "list", "accuracy"],
    ),
    "argument of compile": (
        lambda: model_of(optimiser="adam"),
        ["compile()", "optimiser", "optimizer"],
    ),
    # Lengths and shapes
    "lengths of x and y": (
        lambda: fit(model_of(), X, Y[:5]),
        ["same number of samples", "'x' sizes: 20", "'y' sizes: 5"],
    ),
    "length of sample_weight": (
        lambda: fit(model_of(), sample_weight=np.ones(5)),
        ["same number of samples", "'sample_weight' sizes: 5"],
    ),
    "columns in fit": (
        lambda: fit(model_of(), X[:, :2]),
        ["Input 'rows'", "expected shape=(None, 3)", "found shape=(20, 2)"],
    ),
    "columns in predict": (
        lambda: model_of().predict(X[:, :2]),
        ["Input 'rows'", "expected shape=(None, 3)", "found shape=(20, 2)"],
    ),
    "columns in a call": (
        lambda: model_of()(X[:, :2]),
        ["Input 'rows'", "expected shape=(None, 3)", "found shape=(20, 2)"],
    ),
    "columns in validation_data": (
        lambda: fit(model_of(), validation_data=(X[:, :2], Y)),
        ["Input 'rows'", "expected shape=(None, 3)", "found shape=(20, 2)"],
    ),
    "one row without its batch": (
        lambda: model_of().predict(X[0]),
        ["Input 'rows'", "expected shape=(None, 3)", "found shape=(3,)"],
    ),
    "too few inputs": (
        lambda: fit(two_inputs()),
        ["expects 2 input(s), ['a', 'b']", "Received 1 input(s)", "one array per input"],
    ),
    "too many inputs": (
        lambda: fit(two_inputs(), [X, X, X]),
        ["expects 2 input(s), ['a', 'b']", "Received 3 input(s)"],
    ),
    "two inputs for one": (
        lambda: fit(model_of(), [X, X]),
        ["expects 1 input(s), ['rows']", "Received 2 input(s)"],
    ),
    # Labels
    "label past the classes": (
        lambda: fit(classifier(), y=np.full(20, 4)),
        ["label value of 4", "[0, 4)", "the last layer needs more units"],
    ),
    "negative label": (
        lambda: fit(classifier(), y=np.full(20, -1)),
        ["label value of -1", "numbered from 0 to 3"],
    ),
    "label past the classes in evaluate": (
        lambda: classifier().evaluate(X, np.full(20, 9), verbose=0),
        ["label value of 9", "[0, 4)"],
    ),
    "label that is not whole": (
        lambda: fit(classifier(), y=np.full(20, 1.5)),
        ["label value of 1.5", "whole numbers", "'mse'"],
    ),
    "label that is missing": (
        lambda: fit(classifier(), y=np.full(20, np.nan)),
        ["label value of nan", "remove rows"],
    ),
    "one-hot labels for a sparse loss": (
        lambda: fit(classifier(), y=np.eye(4)[np.zeros(20, int)]),
        ["y_true of shape (20, 4)", "use categorical_crossentropy"],
    ),
    "class numbers for a loss of one-hot labels": (
        lambda: fit(classifier("categorical_crossentropy"), y=np.zeros(20, int)),
        ["y_true of shape (20,)", "sparse_categorical_crossentropy", "to_categorical"],
    ),
    "columns of binary targets": (
        lambda: fit(model_of(1, "sigmoid", "binary_crossentropy"), y=np.zeros((20, 2))),
        ["binary_crossentropy", "y_true of shape (20, 2)", "y_pred of shape (20, 1)"],
    ),
    "columns of targets": (
        lambda: fit(model_of(3), y=np.zeros((20, 2))),
        ["mean_squared_error", "y_true of shape (20, 2)", "y_pred of shape (20, 3)"],
    ),
    "rank of targets": (
        lambda: fit(model_of(1), y=np.zeros((20, 1, 7))),
        ["mean_squared_error", "y_true of shape (20, 1, 7)", "y_pred of shape (20, 1)"],
    ),
    "no targets": (
        lambda: fit(model_of(), y=None),
        ["'out' has the loss 'mse' but no targets", "Pass `y`"],
    ),
    "no loss": (
        lambda: fit(model_of(loss=None)),
        ["No loss to compute", "`loss` argument in `compile()`"],
    ),
    "no loss in evaluate": (
        lambda: model_of(loss=None).evaluate(X, Y, verbose=0),
        ["No loss to compute", "`loss` argument in `compile()`"],
    ),
    "loss for an output that is none": (
        lambda: fit(model_of(loss={"price": "mse"})),
        ["argument `loss`", "['price']", "['out']"],
    ),
    # Data
    "no rows": (lambda: fit(model_of(), X[:0], Y[:0]), ["empty", "'x' sizes: 0"]),
    "no rows to predict": (lambda: model_of().predict(X[:0]), ["empty", "'x' sizes: 0"]),
    "empty lists": (lambda: fit(model_of(), [], []), ["empty"]),
    "no data": (lambda: fit(model_of(), None, None), ["no data", "x=None"]),
    "text": (
        lambda: fit(model_of(), np.array([["a", "b", "c"]] * 20, dtype=object)),
        ["`x` holds text", "'a'", "encode it"],
    ),
    "text labels": (
        lambda: fit(classifier(), y=np.array(["cat"] * 20)),
        ["`y` holds text", "'cat'", "encode it"],
    ),
    # Arguments
    "negative units": (lambda: layers.Dense(-1), ["`units`", "positive integer", "units=-1"]),
    "units that are text": (lambda: layers.Dense("relu"), ["`units`", "units='relu'"]),
    "rate": (lambda: layers.Dropout(1.5), ["`rate`", "between 0 and 1", "rate=1.5"]),
    "validation_split": (
        lambda: fit(model_of(), validation_split=1.5),
        ["`validation_split`", "from 0 to 1", "validation_split=1.5"],
    ),
    "batch_size": (
        lambda: fit(model_of(), batch_size=0),
        ["`batch_size`", "positive integer", "batch_size=0"],
    ),
    "epochs": (lambda: fit(model_of(), epochs=-1), ["`epochs`", "epochs=-1"]),
    "verbose": (
        lambda: model_of().fit(X, Y, verbose="yes"),
        ["`verbose`", "1 (progress bar)", "verbose='yes'"],
    ),
    "learning rate": (
        lambda: keras.optimizers.SGD(learning_rate="fast"),
        ["`learning_rate`", "learning_rate='fast'"],
    ),
    "class instead of a layer": (
        lambda: keras.Sequential([layers.Dense]),
        ["class Dense", "write Dense(...)"],
    ),
    "an input that is not given": (
        lambda: keras.Model(keras.Input((3,)), layers.Dense(1)(keras.Input((3,), name="other"))),
        ["'other'", "not among the inputs", "Add it to `inputs`"],
    ),
    # Order
    "fit before compile": (
        lambda: unbuilt().fit(X, Y),
        ["call `compile()` before calling `fit()`", "model.compile(optimizer="],
    ),
    "evaluate before compile": (
        lambda: unbuilt().evaluate(X, Y),
        ["call `compile()` before calling `evaluate()`"],
    ),
    "predict before there are layers": (
        lambda: keras.Sequential([]).predict(X),
        ["no layers", "model.add(layer)"],
    ),
    "count_params before build": (lambda: unbuilt().count_params(), ["isn't built", "build("]),
    "save_weights before build": (
        lambda: unbuilt().save_weights("never.weights.h5"),
        ["not yet been built", "build("],
    ),
    "fewer weights": (
        lambda: model_of().set_weights([np.ones((3, 1))]),
        ["set_weights", "list of length 1", "expecting 2 weights"],
    ),
    "weights of another shape": (
        lambda: model_of().set_weights([np.ones((2, 1)), np.ones(1)]),
        ["kernel", "(3, 1)", "(2, 1)"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_explained(mistake):
    make, parts = MISTAKES[mistake]
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    for part in parts:
        assert part in str(caught.value)


def test_text_in_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": 1.0, "town": ["Ulm"] * 20, "height": 2.0})
    with pytest.raises(ValueError, match=r"Column 'town' of `x` holds text, for example 'Ulm'"):
        fit(model_of(), frame)


def test_numbers_in_an_array_of_objects_are_numbers():
    model = model_of()
    weights = model.get_weights()
    found = fit(model, X.astype(object), shuffle=False).history
    model.set_weights(weights)
    assert found == fit(model, X, shuffle=False).history


def test_a_model_survives_a_mistake():
    model = classifier()
    labels = np.zeros(20, int)
    fit(model, y=labels)
    weights = model.get_weights()
    with pytest.raises(ValueError, match="label value of 7"):
        fit(model, y=labels + 7)
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)
    assert np.isfinite(fit(model, y=labels).history["loss"][0])


def test_nan_ends_training_on_request(capsys):
    rows = X.copy()
    rows[9, 1] = np.nan
    stop = keras.callbacks.TerminateOnNaN()
    history = fit(model_of(), rows, epochs=3, batch_size=5, shuffle=False, callbacks=[stop]).history
    assert np.isnan(history["loss"]).tolist() == [True]
    assert "Batch 1: Invalid loss, terminating training" in capsys.readouterr().out


def test_nan_without_request_goes_on_quietly():
    history = fit(model_of(), np.full_like(X, np.nan), epochs=2).history
    assert np.isnan(history["loss"]).tolist() == [True, True]


# Files


def damaged(good):
    half = good[: len(good) // 2]
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    return {
        "truncated": (half, ["truncated HDF5"]),
        "zip": (b"PK\x03\x04" + bytes(40), ["zip archive"]),
        "html": (b"<!DOCTYPE html><html>404</html>", ["no Keras model", "HTML page"]),
        "pointer": (pointer, ["no Keras model", "git-lfs pointer", "git lfs pull"]),
        "empty": (b"", ["is empty"]),
        "text": (b"hello world", ["no Keras model", "hello world"]),
    }


@pytest.mark.parametrize("kind", damaged(b""))
@pytest.mark.parametrize("load", ["load_model", "load_weights"])
def test_a_file_that_is_no_model(kind, load, tmp_path):
    path = tmp_path / "good.h5"
    model_of().save(path)
    content, parts = damaged(path.read_bytes())[kind]
    bad = tmp_path / "bad.h5"
    bad.write_bytes(content)
    call = keras.models.load_model if load == "load_model" else model_of().load_weights
    with pytest.raises(ValueError) as caught:
        call(bad)
    for part in ["bad.h5", *parts]:
        assert part in str(caught.value)


def test_a_missing_file(tmp_path):
    for call in (keras.models.load_model, model_of().load_weights):
        with pytest.raises(FileNotFoundError, match=r"none\.h5'.*Check the path"):
            call(tmp_path / "none.h5")


def test_a_file_of_weights_is_no_model(tmp_path):
    path = tmp_path / "only.weights.h5"
    model_of().save_weights(path)
    with pytest.raises(ValueError, match=r"weights only.*load_weights"):
        keras.models.load_model(path)


def test_hdf5_of_something_else(tmp_path):
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"holds no Keras model"):
        keras.models.load_model(path)


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_full_disk_leaves_the_old_file(name, tmp_path, monkeypatch):
    path = tmp_path / name
    model_of().save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model_of(7).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Unix does")
@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.weights.h5"])
def test_a_real_limit_leaves_the_old_file(name, tmp_path):
    code = f"""
        import os, resource
        import minikeras as keras
        model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(1000)])
        save = model.save_weights if "weights" in {name!r} else model.save
        save({name!r})
        with open({name!r}, "rb") as file:
            before = file.read()
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            save({name!r})
        except OSError:
            with open({name!r}, "rb") as file:
                assert file.read() == before
            assert os.listdir() == [{name!r}], os.listdir()
            print("kept")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
    )
    assert (done.returncode, done.stdout) == (0, "kept\n"), done.stderr
