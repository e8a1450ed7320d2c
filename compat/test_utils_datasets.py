"""Keras's own loaders and ours, on the same small files in one cache."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras.src.backend import config as keras_config
from keras.src.utils import file_utils as keras_file_utils

from minikeras import datasets
from tests.datasets.conftest import write_batch, write_idx, write_texts


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras_config, "_KERAS_DIR", str(tmp_path))
    monkeypatch.setattr("minikeras.utils.file_utils.validate_file", lambda *_: True)
    monkeypatch.setattr(keras_file_utils, "validate_file", lambda *_, **__: True)
    folder = tmp_path / "datasets"
    folder.mkdir()
    return folder


def compare(name, **options):
    ours = getattr(datasets, name).load_data(**options)
    theirs = getattr(keras.datasets, name).load_data(**options)
    for one, other in zip(ours, theirs):
        for a, b in zip(one, other):
            assert a.dtype == b.dtype and len(a) == len(b)
            if a.dtype == object:
                assert a.tolist() == [list(text) for text in b]
            else:
                np.testing.assert_array_equal(a, b)


def test_images(cache):
    images = np.random.RandomState(0).randint(0, 256, (5, 28, 28)).astype("uint8")
    labels = np.arange(5, dtype="uint8")
    np.savez(cache / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    compare("mnist")
    for part in ("train", "t10k"):
        write_idx(cache / f"fashion-mnist/{part}-images-idx3-ubyte.gz", images)
        write_idx(cache / f"fashion-mnist/{part}-labels-idx1-ubyte.gz", labels)
    compare("fashion_mnist")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_cifar100(cache, data_format, monkeypatch):
    # Keras extracts the archive; ours finds what was extracted.
    import tarfile

    source = cache / "source"
    write_batch(source / "cifar-100-python/train", 4, "fine_labels")
    write_batch(source / "cifar-100-python/test", 2, "fine_labels")
    with tarfile.open(cache / "cifar-100-python-target_archive", "w:gz") as archive:
        archive.add(source / "cifar-100-python", "cifar-100-python")
    monkeypatch.setattr(keras_config, "_IMAGE_DATA_FORMAT", data_format)
    monkeypatch.setattr("minikeras.config._image_data_format", data_format)
    ours = datasets.cifar100.load_data()
    theirs = keras.datasets.cifar100.load_data()
    for one, other in zip(ours, theirs):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("test_split", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("seed", [113, 0])
def test_housing(cache, test_split, seed):
    rng = np.random.RandomState(0)
    np.savez(cache / "boston_housing.npz", x=rng.normal(size=(50, 13)), y=rng.normal(size=50))
    compare("boston_housing", test_split=test_split, seed=seed)
    np.savez(cache / "california_housing.npz", x=rng.normal(size=(700, 8)), y=rng.normal(size=700))
    for version in ("small", "large"):
        compare("california_housing", version=version, test_split=test_split, seed=seed)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    num_words=st.sampled_from([None, 10, 30]),
    skip_top=st.sampled_from([0, 3]),
    maxlen=st.sampled_from([None, 20]),
    seed=st.integers(0, 3),
    start_char=st.sampled_from([None, 1]),
    oov_char=st.sampled_from([None, 2]),
    index_from=st.sampled_from([0, 3]),
    test_split=st.sampled_from([0.2, 0.5]),
)
def test_texts(cache, test_split, **options):
    if not (cache / "imdb.npz").exists():
        write_texts(cache / "imdb.npz", _train=20, _test=15)
        write_texts(cache / "reuters.npz", all=30)
    compare("imdb", **options)
    compare("reuters", test_split=test_split, **options)


def test_topics():
    ours = datasets.reuters.get_label_names()
    assert ours == keras.datasets.reuters.get_label_names()
