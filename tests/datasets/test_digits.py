import importlib.resources

import numpy as np
import pytest

from minikeras.datasets import digits


def test_the_file_is_small():
    file = importlib.resources.files("minikeras.datasets") / "digits.npz"
    assert len(file.read_bytes()) < 100_000


def test_shapes_values_and_classes():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1437, 8, 8) and x_test.shape == (360, 8, 8)
    assert y_train.shape == (1437,) and y_test.shape == (360,)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    assert x_train.min() == 0 and x_train.max() == 16
    counts = np.bincount(np.concatenate([y_train, y_test]))
    # The numbers that the description of the data set gives for each class.
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_split_depends_on_the_seed_alone():
    one, again, other = digits.load_data(), digits.load_data(), digits.load_data(seed=1)
    for part in (0, 1):
        np.testing.assert_array_equal(one[part][0], again[part][0])
        np.testing.assert_array_equal(one[part][1], again[part][1])
    assert not np.array_equal(one[0][1], other[0][1])


@pytest.mark.parametrize(("test_split", "size"), [(0.0, 0), (0.5, 899)])
def test_split_sizes(test_split, size):
    (_, y_train), (_, y_test) = digits.load_data(test_split=test_split)
    assert (len(y_train), len(y_test)) == (1797 - size, size)


@pytest.mark.parametrize("test_split", [-0.1, 1, 1.5])
def test_a_split_out_of_range(test_split):
    with pytest.raises(ValueError, match="test_split"):
        digits.load_data(test_split=test_split)


def test_equals_the_copy_of_scikit_learn():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    (x, y), _ = digits.load_data(test_split=0.0, seed=0)
    order = np.arange(len(x))
    np.random.RandomState(0).shuffle(order)
    np.testing.assert_array_equal(x, reference.images[order])
    np.testing.assert_array_equal(y, reference.target[order])
