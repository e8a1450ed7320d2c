"""Keras's own loaders, on small files placed in a cache."""

import numpy as np
import pytest

from minikeras import config
from minikeras.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)
from tests.datasets.conftest import lists, write_batch, write_idx, write_json, write_texts


def test_mnist(cache):
    rng = np.random.RandomState(0)
    arrays = {
        "x_train": rng.randint(0, 256, (6, 28, 28)).astype("uint8"),
        "y_train": np.arange(6, dtype="uint8"),
        "x_test": rng.randint(0, 256, (2, 28, 28)).astype("uint8"),
        "y_test": np.arange(2, dtype="uint8"),
    }
    np.savez(cache / "mnist.npz", **arrays)
    for path in ("mnist.npz", str(cache / "mnist.npz")):
        (x_train, y_train), (x_test, y_test) = mnist.load_data(path)
        np.testing.assert_array_equal(x_train, arrays["x_train"])
        np.testing.assert_array_equal(y_train, arrays["y_train"])
        np.testing.assert_array_equal(x_test, arrays["x_test"])
        np.testing.assert_array_equal(y_test, arrays["y_test"])
        assert x_train.flags.writeable and x_train.dtype == np.uint8


def test_the_hash_of_a_cached_file_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("minikeras.datasets.npz.STORE", "http://127.0.0.1:1/")
    (tmp_path / "datasets").mkdir()
    np.savez(tmp_path / "datasets/mnist.npz", x_train=np.zeros(1))
    with pytest.raises(OSError, match="URL fetch failure"):
        mnist.load_data()


def test_fashion_mnist(cache):
    rng = np.random.RandomState(0)
    folder = cache / "fashion-mnist"
    images = rng.randint(0, 256, (5, 28, 28)).astype("uint8")
    labels = np.arange(5, dtype="uint8")
    for part, count in (("train", 5), ("t10k", 3)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images[:count])
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels[:count])
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    np.testing.assert_array_equal(x_train, images)
    np.testing.assert_array_equal(y_train, labels)
    assert x_test.shape == (3, 28, 28) and y_test.shape == (3,)
    whole = (folder / "t10k-labels-idx1-ubyte.gz").read_bytes()
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="t10k-labels"):
        fashion_mnist.load_data()


@pytest.mark.parametrize("folder", ["cifar-10-batches-py-target/cifar-10-batches-py", None])
def test_cifar10(cache, folder):
    path = cache / (folder or "cifar-10-batches-py")
    batches = [write_batch(path / f"data_batch_{i}", 4, seed=i) for i in range(1, 6)]
    test, labels = write_batch(path / "test_batch", 3)
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert x_train.shape == (20, 32, 32, 3) and y_train.shape == (20, 1)
    expected = batches[1][0][2].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(x_train[6], expected)
    np.testing.assert_array_equal(y_train[4:8, 0], batches[1][1])
    np.testing.assert_array_equal(y_test[:, 0], labels)
    config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(cifar10.load_data()[1][0], test.reshape(3, 3, 32, 32))
    finally:
        config.set_image_data_format("channels_last")


@pytest.mark.parametrize("label_mode", ["fine", "coarse"])
def test_cifar100(cache, label_mode):
    path = cache / "cifar-100-python-target" / "cifar-100-python"
    _, labels = write_batch(path / "train", 4, f"{label_mode}_labels")
    write_batch(path / "test", 2, f"{label_mode}_labels")
    (x_train, y_train), (x_test, _) = cifar100.load_data(label_mode)
    assert x_train.shape == (4, 32, 32, 3) and x_test.shape == (2, 32, 32, 3)
    assert y_train[:, 0].tolist() == labels and y_train.dtype == np.uint8


def test_cifar100_label_mode():
    with pytest.raises(ValueError, match="label_mode"):
        cifar100.load_data("both")


def test_housing(cache):
    x, y = np.arange(130.0).reshape(10, 13), np.arange(10.0)
    np.savez(cache / "boston_housing.npz", x=x, y=y)
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data(test_split=0.3)
    assert x_train.shape == (7, 13) and x_test.shape == (3, 13)
    np.testing.assert_array_equal(x_train[:, 0], y_train * 13)
    assert sorted([*y_train, *y_test]) == y.tolist()
    with pytest.raises(ValueError, match="test_split"):
        boston_housing.load_data(test_split=1)

    np.savez(cache / "california_housing.npz", x=np.zeros((700, 8)), y=np.arange(700.0))
    assert len(california_housing.load_data()[0][0]) == 560
    assert len(california_housing.load_data("small")[0][0]) == 480
    with pytest.raises(ValueError, match="version"):
        california_housing.load_data("medium")


def test_imdb_marks_and_vocabulary(cache):
    np.savez(
        cache / "imdb.npz",
        x_train=lists([1, 2, 9], [3]),
        y_train=np.array([0, 1]),
        x_test=lists([4, 5]),
        y_test=np.array([1]),
    )
    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=8)
    found = dict(zip(y_train.tolist(), x_train.tolist()))
    assert found == {0: [1, 4, 5, 2], 1: [1, 6]}
    assert x_test.tolist() == [[1, 7, 2]] and y_test.tolist() == [1]
    (_, _), (x_test, _) = imdb.load_data(num_words=8, oov_char=None, start_char=None, index_from=0)
    assert x_test.tolist() == [[4, 5]] and x_test.shape == (1,)


def test_imdb_arguments(cache):
    write_texts(cache / "imdb.npz", _train=20, _test=10)
    (x_train, y_train), _ = imdb.load_data(maxlen=15)
    assert 0 < len(x_train) == len(y_train) < 20
    assert max(map(len, x_train)) < 15
    with pytest.raises(ValueError, match="maxlen"):
        imdb.load_data(maxlen=1)
    with pytest.warns(DeprecationWarning, match="num_words"):
        (x_train, _), _ = imdb.load_data(nb_words=10)
    assert max(map(max, x_train)) < 10
    with pytest.raises(TypeError, match="nonsense"):
        imdb.load_data(nonsense=1)


def test_reuters(cache):
    write_texts(cache / "reuters.npz", all=20)
    (x_train, y_train), (x_test, y_test) = reuters.load_data(num_words=30, test_split=0.25)
    assert (len(x_train), len(y_train), len(x_test), len(y_test)) == (15, 15, 5, 5)
    assert max(map(max, x_train)) < 30 and {text[0] for text in x_train} == {1}
    assert len(set(reuters.get_label_names())) == 46


@pytest.mark.parametrize("module", [imdb, reuters])
def test_word_index(cache, module):
    name = module.__name__.rpartition(".")[2]
    write_json(cache / f"{name}_word_index.json", {"the": 1, "café": 2})
    assert module.get_word_index() == {"the": 1, "café": 2}
