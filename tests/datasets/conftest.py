"""A cache with small files of the names and forms that Keras's loaders expect."""

import contextlib
import gzip
import json
import pickle

import numpy as np
import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Returns the folder for data sets; whatever lies in it passes for the right file."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("minikeras.utils.file_utils.validate_file", lambda *_: True)
    folder = tmp_path / "datasets"
    folder.mkdir()
    return folder


def lists(*items):
    array = np.empty(len(items), dtype=object)
    array[:] = [list(item) for item in items]
    return array


def write_texts(path, seed=0, **lengths):
    """Writes an `.npz` of word lists `x...` and labels `y...`, as IMDB and Reuters are kept."""
    rng = np.random.RandomState(seed)
    arrays = {}
    for suffix, count in lengths.items():
        suffix = suffix.removeprefix("all")
        texts = [rng.randint(1, 50, size=rng.randint(1, 30)).tolist() for _ in range(count)]
        arrays[f"x{suffix}"] = lists(*texts)
        arrays[f"y{suffix}"] = rng.randint(0, 2, size=count)
    np.savez(path, **arrays)


def write_batch(path, count, label_key="labels", seed=0):
    """Writes a batch of CIFAR as Python 2 pickled it: names as bytes, labels as a list."""
    rng = np.random.RandomState(seed)
    batch = {
        b"data": rng.randint(0, 256, size=(count, 3072)).astype("uint8"),
        label_key.encode(): rng.randint(0, 10, size=count).tolist(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(batch, protocol=4))
    return batch[b"data"], batch[label_key.encode()]


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    with contextlib.closing(gzip.open(path, "wb")) as file:
        file.write(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def write_json(path, content):
    path.write_text(json.dumps(content))
