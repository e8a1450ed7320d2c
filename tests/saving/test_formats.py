"""Sharded weights, NumPy archives, folders, and the editor of weights files."""

import json
import zipfile

import numpy as np
import pytest

import minikeras


def make(width=20):
    model = minikeras.Sequential(
        [
            minikeras.Input((30,)),
            minikeras.layers.Dense(width, activation="relu"),
            minikeras.layers.BatchNormalization(),
            minikeras.layers.Dense(3),
        ]
    )
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.random((4, 30)), rng.random((4, 3)))
    return model


def assert_same(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_shards_are_small_and_read_back(tmp_path):
    model, path = make(), tmp_path / "m.weights.json"
    model.save_weights(path, max_shard_size=3000 / 2**30)
    shards = sorted(tmp_path.glob("m_*.weights.h5"))
    assert [one.name for one in shards][:2] == ["m_00000.weights.h5", "m_00001.weights.h5"]
    index = json.loads(path.read_text())
    assert index["metadata"]["total_size"] == 4 * (20 * 30 + 20 * 5 + 20 * 3 + 3) + 4 + 8 + (
        8 * (20 * 30 + 20 * 3 + 20 * 3 + 3)
    )
    other = make()
    other.load_weights(path)
    assert_same(model, other)
    assert int(other.optimizer.iterations) == 1


@pytest.mark.parametrize("size", [1e-9, "1", True])
def test_shard_size_is_checked(tmp_path, size):
    with pytest.raises(ValueError, match="max_shard_size"):
        make().save_weights(tmp_path / "m.weights.json", max_shard_size=size)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../m_00000.weights.h5", "/etc/passwd", 5, "gone.weights.h5"])
def test_index_names_files_beside_it_only(tmp_path, name):
    model, path = make(), tmp_path / "sub" / "m.weights.json"
    model.save_weights(path, max_shard_size=1)
    (tmp_path / "m_00000.weights.h5").write_bytes(
        (tmp_path / "sub" / "m_00000.weights.h5").read_bytes()
    )
    index = json.loads(path.read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], name)
    path.write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"index of weights"):
        make().load_weights(path)


def test_json_without_a_map_is_no_index(tmp_path):
    path = tmp_path / "m.weights.json"
    path.write_text(make().to_json())
    with pytest.raises(ValueError, match="model_from_json"):
        make().load_weights(path)


def test_npz(tmp_path):
    model, other = make(), make()
    model.save_weights(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        assert "layers/dense/vars/0" in arrays.files
    other.load_weights(tmp_path / "m.npz")
    assert_same(model, other)
    np.savez(tmp_path / "list.npz", *[one + 1 for one in model.get_weights()])
    other.load_weights(tmp_path / "list.npz")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0] + 1)
    with pytest.raises(ValueError, match="shape"):
        make(19).load_weights(tmp_path / "m.npz")


def test_npz_with_pickles_is_refused(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, layer=np.array({"0": np.ones(3)}, dtype=object))
    with pytest.raises(ValueError, match="not opened"):
        make().load_weights(path)


def test_npz_that_claims_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "m.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ValueError, match="claims"):
        make().load_weights(path)


def test_folders(tmp_path):
    model = make()
    for _ in range(2):
        model.save(tmp_path / "m", zipped=False)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m"]
    other = minikeras.saving.load_model(tmp_path / "m")
    assert_same(model, other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    with pytest.raises(ValueError, match="something else"):
        model.save(tmp_path / "full", zipped=False)
    weights = tmp_path / "m" / "model.weights.h5"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="link"):
        minikeras.saving.load_model(tmp_path / "m")


def test_editor(tmp_path, capsys):
    model, path = make(), tmp_path / "m.weights.h5"
    model.save_weights(path)
    editor = minikeras.saving.KerasFileEditor(path)
    editor.summary()
    assert "dense_1 ('dense" in capsys.readouterr().out
    assert editor.compare(model) == {"status": "success", "error_count": 0, "match_count": 22}
    editor.rename_object("dense_1", "last")
    editor.add_object("layers/new", {"0": np.ones((2, 2))})
    editor.add_weights("new", {"1": np.zeros(2)})
    editor.delete_weight("layers/new", "0")
    editor.delete_object("optimizer")
    # `dense_1`, `last`, `new` and the optimizer, each once.
    assert editor.compare(model)["error_count"] == 4
    with pytest.raises(ValueError, match="more than once"):
        editor.delete_object("0")
    with pytest.raises(ValueError, match="does not appear"):
        editor.delete_object("nothing")
    with pytest.raises(ValueError, match="leaf name"):
        editor.rename_object("last", "a/b")
    with pytest.raises(ValueError, match="weights.h5"):
        editor.save(tmp_path / "m.keras")
    editor.rename_object("layers/last", "dense_1")
    editor.delete_object("layers/new")
    editor.save(tmp_path / "n.weights.h5")
    other = make()
    other.load_weights(tmp_path / "n.weights.h5")
    assert_same(model, other)


def test_editor_of_an_archive(tmp_path):
    model = make()
    model.save(tmp_path / "m.keras")
    editor = minikeras.saving.KerasFileEditor(tmp_path / "m.keras")
    assert editor.metadata["keras_version"] == "3.15.1+minikeras"
    assert editor.config["class_name"] == "Sequential"
    assert editor.compare(model)["status"] == "success"
    with pytest.raises(ValueError, match="extension"):
        minikeras.saving.KerasFileEditor(tmp_path / "m.h5")
