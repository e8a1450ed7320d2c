"""`python -m minikeras info | convert | predict | diff`."""

import json

import h5py
import numpy as np
import pytest

import minikeras
from minikeras.cli import main


def make(seed=0, units=3):
    minikeras.utils.set_random_seed(seed)
    model = minikeras.Sequential(
        [
            minikeras.Input((4,)),
            minikeras.layers.Dense(units, activation="relu", name="hidden"),
            minikeras.layers.Dense(2, name="out"),
        ]
    )
    model.compile(minikeras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *argv):
    """(exit code, output, errors) of a command."""
    code = main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# info


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_info_of_a_whole_model(folder, capsys, name):
    make().save(name)
    code, out, err = run(capsys, "info", name)
    assert (code, err) == (0, "")
    assert "Keras 3.15.1" in out and "Sequential" in out and "would load" in out
    assert "hidden" in out and "Dense(units=3, activation=relu)" in out
    assert "parameters   23 in 4 arrays" in out
    assert "optimizer SGD(learning_rate=0.1" in out and "metrics mae" in out.replace(
        "mean_absolute_error", "mae"
    )


def test_info_as_json(folder, capsys):
    make().save("m.keras")
    code, out, _ = run(capsys, "info", "--json", "m.keras")
    told = json.loads(out)
    assert code == 0 and told["parameters"] == 23 and told["problems"] == []
    assert [one["class_name"] for one in told["layers"]] == ["InputLayer", "Dense", "Dense"]


def test_info_of_weights_and_architectures(folder, capsys):
    model = make()
    model.save_weights("m.weights.h5")
    model.save_weights("m.h5")
    model.save_weights("m.npz")
    model.save_weights("m.weights.json", max_shard_size=1)
    (folder / "m.json").write_text(model.to_json())
    for name, told in (
        ("m.weights.h5", "layers/dense/vars/0  (4, 3)"),
        ("m.h5", "older layout"),
        ("m.npz", "NumPy archive"),
        ("m.weights.json", "sharded"),
        ("m.json", "no weights in the file"),
    ):
        code, out, _ = run(capsys, "info", name)
        assert code == 0 and told in out, name


def keras_1_file(path):
    dense = {
        "name": "dense_1", "trainable": True, "batch_input_shape": [None, 2], "output_dim": 1,
        "input_dtype": "float32", "init": "glorot_uniform", "activation": "linear", "bias": True,
        "W_regularizer": None, "b_regularizer": None, "activity_regularizer": None,
        "W_constraint": None, "b_constraint": None, "input_dim": 2,
    }  # fmt: skip
    config = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": dense}]}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(config).encode()
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense_1"]
        group = weights.create_group("dense_1")
        group.attrs["weight_names"] = [b"dense_1_W:0", b"dense_1_b:0"]
        group["dense_1_W:0"] = np.array([[1.0], [2.0]], "float32")
        group["dense_1_b:0"] = np.array([0.5], "float32")


def test_info_and_convert_of_keras_1(folder, capsys):
    keras_1_file("old.h5")
    code, out, _ = run(capsys, "info", "old.h5")
    assert code == 0 and "Keras 1.2.2" in out and "Dense(output_dim=1," in out
    for new in ("new.keras", "new.h5", "new.weights.h5", "new.npz", "new.json"):
        code, out, err = run(capsys, "convert", "old.h5", new)
        assert (code, err) == (0, "") and "3 parameters" in out
    model = minikeras.saving.load_model("new.keras")
    np.testing.assert_allclose(model.predict(np.array([[1.0, 1.0]]), verbose=0), [[3.5]])
    assert run(capsys, "diff", "old.h5", "new.keras")[:2] == (0, "the same\n")


def test_info_tells_what_would_not_load(folder, capsys):
    class Mine(minikeras.layers.Layer):
        def call(self, x):
            return x

    minikeras.Sequential([minikeras.Input((2,)), Mine(name="own")]).save("own.keras")
    code, out, _ = run(capsys, "info", "own.keras")
    assert code == 1 and "layer 'own' is a 'Mine'" in out and "custom_objects" in out
    minikeras.Sequential(
        [minikeras.Input((2,)), minikeras.layers.Lambda(lambda x: x + 1, name="code")]
    ).save("lambda.keras")
    code, out, _ = run(capsys, "info", "lambda.keras")
    assert code == 1 and "layer 'code' is a Lambda" in out and "safe_mode=False" in out
    assert run(capsys, "convert", "lambda.keras", "x.h5")[0] == 2
    assert run(capsys, "convert", "--trust", "lambda.keras", "x.h5")[0] == 0


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"{}", b"PK\x03\x04"])
def test_errors_are_one_line(folder, capsys, content):
    (folder / "bad.h5").write_bytes(content)
    for command in (["info"], ["convert"], ["predict"], ["diff"]):
        rest = {"convert": ["x.h5"], "predict": ["x.npy", "-o", "-"], "diff": ["bad.h5"]}
        code, out, err = run(capsys, *command, "bad.h5", *rest.get(command[0], []))
        assert (code, out) == (2, "")
        assert err.startswith(f"minikeras {command[0]}: error: ") and err.count("\n") == 1


# convert


def test_convert_of_a_pair(folder, capsys):
    model = make()
    (folder / "m.json").write_text(model.to_json())
    model.save_weights("w.h5")
    code, _, err = run(capsys, "convert", "m.json", "m.keras")
    assert code == 2 and "--weights" in err
    assert run(capsys, "convert", "m.json", "m.keras", "--weights", "w.h5")[0] == 0
    loaded = minikeras.saving.load_model("m.keras")
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_convert_keeps_files_and_compile_state(folder, capsys):
    make().save("a.h5")
    (folder / "b.keras").write_text("mine")
    code, _, err = run(capsys, "convert", "a.h5", "b.keras")
    assert code == 2 and "--overwrite" in err and (folder / "b.keras").read_text() == "mine"
    assert run(capsys, "convert", "a.h5", "b.keras", "--overwrite")[0] == 0
    assert minikeras.saving.load_model("b.keras").optimizer.learning_rate.numpy() == np.float32(0.1)
    assert run(capsys, "convert", "a.h5", "c.keras", "--no-compile")[0] == 0
    assert not minikeras.saving.load_model("c.keras").compiled
    assert run(capsys, "convert", "a.h5", "c.txt")[0] == 2
    assert run(capsys, "convert", "gone.h5", "d.keras")[0] == 2


def test_convert_notes_what_keras_3_lacks(folder, capsys):
    from minikeras.dialects.layers import ThresholdedReLU

    minikeras.Sequential([minikeras.Input((2,)), ThresholdedReLU(name="old")]).save("a.keras")
    code, _, err = run(capsys, "convert", "a.keras", "b.h5")
    assert code == 0 and "note" in err and "old" in err


# predict


def test_predict_from_and_to_every_format(folder, capsys):
    model = make()
    model.save("m.keras")
    x = np.random.default_rng(0).random((5, 4)).astype("float32")
    y = model.predict(x, verbose=0)
    np.save("x.npy", x)
    np.savez("x.npz", x=x)
    np.savetxt("x.csv", x, delimiter=",", header="a,b,c,d", comments="", fmt="%.9g")
    for name in ("x.npy", "x.npz", "x.csv"):
        for out in ("y.npy", "y.npz", "y.csv"):
            code, told, err = run(capsys, "predict", "m.keras", name, "-o", out)
            assert (code, err) == (0, "") and "5 rows" in told
            if out == "y.csv":
                got = np.loadtxt(out, delimiter=",")
            else:
                got = np.load(out)
                got = got if out == "y.npy" else got["predictions"]
            # Batches of the same size on the same machine; text keeps nine digits.
            np.testing.assert_allclose(got, y, rtol=1e-6, atol=1e-7)
    code, told, _ = run(capsys, "predict", "m.keras", "x.csv", "-o", "-")
    assert code == 0 and len(told.splitlines()) == 5


def test_predict_of_several_inputs_and_outputs(folder, capsys):
    a, b = minikeras.Input((2,), name="a"), minikeras.Input((3,), name="b")
    outputs = [minikeras.layers.Dense(1, name="p")(a), minikeras.layers.Dense(2, name="q")(b)]
    model = minikeras.Model([a, b], outputs)
    model.save("m.keras")
    x = [np.ones((4, 2), "float32"), np.ones((4, 3), "float32")]
    np.savez("x.npz", b=x[1], a=x[0])
    assert run(capsys, "predict", "m.keras", "x.npz", "-o", "y.npz")[0] == 0
    with np.load("y.npz") as got:
        np.testing.assert_allclose(got["q"], model.predict(x, verbose=0)[1], rtol=1e-6)
    code, _, err = run(capsys, "predict", "m.keras", "x.npz", "-o", "y.csv")
    assert code == 2 and ".npz" in err
    np.save("x.npy", x[0])
    code, _, err = run(capsys, "predict", "m.keras", "x.npy", "-o", "y.npz")
    assert code == 2 and "2 inputs" in err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rows"),
        ("1,2,3,4\n1,2,3\n", "row 2"),
        ("1,2,3,4\n1,2,x,4\n", "'x'"),
        ("1,2\n", "shape"),
    ],
)
def test_predict_says_what_is_wrong_with_a_csv(folder, capsys, text, word):
    make().save("m.keras")
    (folder / "x.csv").write_text(text)
    code, _, err = run(capsys, "predict", "m.keras", "x.csv", "-o", "y.csv")
    assert code == 2 and word in err and err.count("\n") == 1
    assert not (folder / "y.csv").exists()


# diff


def test_diff(folder, capsys):
    model = make()
    model.save("a.keras")
    model.save("a.h5")
    assert run(capsys, "diff", "a.keras", "a.h5")[:2] == (0, "the same\n")
    model.layers[0].kernel.assign(model.layers[0].kernel + 1e-3)
    model.save("b.keras")
    code, out, _ = run(capsys, "diff", "a.keras", "b.keras")
    assert code == 1 and "hidden" in out and "12 of 12 values differ, by up to 0.001" in out
    assert run(capsys, "diff", "a.keras", "b.keras", "--tolerance", "0.01")[0] == 0
    make(units=5).save("c.keras")
    code, out, _ = run(capsys, "diff", "a.keras", "c.keras")
    assert code == 1 and "units 3 / 5" in out and "shape (4, 3) / (4, 5)" in out
    minikeras.Sequential([minikeras.Input((4,)), minikeras.layers.Flatten()]).save("d.keras")
    code, out, _ = run(capsys, "diff", "a.keras", "d.keras")
    assert code == 1 and "layers: - Dense" in out and "layers: + Flatten" in out


def test_diff_of_weights_and_architectures(folder, capsys):
    model = make()
    model.save_weights("a.weights.h5")
    model.save_weights("a.npz")
    assert run(capsys, "diff", "a.weights.h5", "a.npz")[0] == 0
    make(seed=1).save_weights("b.weights.h5")
    code, out, _ = run(capsys, "diff", "a.weights.h5", "b.weights.h5")
    assert code == 1 and "layers/dense/vars/0" in out
    model.save("m.keras")
    assert run(capsys, "diff", "a.weights.h5", "m.keras")[0] == 2
    (folder / "m.json").write_text(model.to_json())
    (folder / "n.json").write_text(make(units=4).to_json())
    assert run(capsys, "diff", "m.json", "m.keras")[0] == 0
    assert run(capsys, "diff", "m.json", "n.json")[0] == 1
