"""What is left of the old file when a save fails."""

import builtins
import os

import numpy as np
import pytest

import minikeras as keras


def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    made.compile("adam", "mse")
    return made


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5"])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_whole(name, step, tmp_path, monkeypatch):
    path = tmp_path / name
    first = model()
    save = first.save_weights if "weights" in name else first.save
    save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space"):
        save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
        (b"\x80\x04\x95", "pickle"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"PK\x03\x04 and no more", "zip"),
        (b"\x89HDF\r\n\x1a\n and no more", "HDF5"),
        (bytes(100), "zeros"),
    ],
)
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_files_that_are_no_models_are_told_by_what_they_are(content, match, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match):
        keras.saving.load_model(path)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_truncated_files_are_refused(name, tmp_path):
    path = tmp_path / name
    model().save(path)
    whole = path.read_bytes()
    for size in range(1, len(whole) - 1, max(1, len(whole) // 40)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError):
            keras.saving.load_model(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(builtins.FileNotFoundError, match="absent"):
        keras.saving.load_model(tmp_path / "absent.keras")


@pytest.mark.parametrize("kinds", [("m.keras", ".h5"), ("m.h5", ".keras")])
def test_content_decides_the_format(kinds, tmp_path):
    name, other = kinds
    made = model()
    made.save(tmp_path / name)
    renamed = (tmp_path / name).rename(tmp_path / f"x{other}")
    x = np.ones((2, 3), "float32")
    loaded = keras.saving.load_model(renamed)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), made.predict(x, verbose=0))
    assert loaded.compiled


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_training_goes_on_as_if_never_interrupted(name, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)).astype("f4"), rng.normal(size=(8, 2)).astype("f4")
    made = model()
    made.train_on_batch(x, y)
    made.save(tmp_path / name)
    loaded = keras.saving.load_model(tmp_path / name)
    for one in (made, loaded):
        for _ in range(3):
            one.train_on_batch(x, y)
    for a, b in zip(made.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(a, b)
