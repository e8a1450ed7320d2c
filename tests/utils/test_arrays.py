"""One-hot labels, unit vectors, padding, windows, splits, settings, seeds."""

import random

import numpy as np
import pytest

import minikeras as keras
from minikeras import utils
from minikeras.utils.folders import Dataset


def test_to_categorical():
    np.testing.assert_array_equal(utils.to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    assert utils.to_categorical(np.zeros((4, 1)), 3).shape == (4, 3)
    assert utils.to_categorical(np.zeros((4, 2), int), 3).shape == (4, 2, 3)
    assert utils.to_categorical(["1", "0"]).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("labels", "num_classes"), [([0, 3], 3), ([-1], 3), ([0.5], 3), ([], None), ([np.nan], 3)]
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy casting NaN
def test_to_categorical_refuses(labels, num_classes):
    with pytest.raises(ValueError, match="`x`"):
        utils.to_categorical(labels, num_classes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalize(dtype):
    x = np.array([[3, 4], [0, 0]], dtype)
    assert utils.normalize(x).dtype == dtype
    np.testing.assert_allclose(utils.normalize(x), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(utils.normalize(x, order=1), [[3 / 7, 4 / 7], [0, 0]], rtol=1e-6)
    wide = np.array([[3.0, 5.0, 0.0], [4.0, 12.0, 0.0]])
    np.testing.assert_allclose(
        utils.normalize(wide, axis=0)[:, :2], [[0.6, 5 / 13], [0.8, 12 / 13]]
    )


def test_pad_sequences():
    sequences = [[1, 2, 3], [4], []]
    assert utils.pad_sequences(sequences).tolist() == [[1, 2, 3], [0, 0, 4], [0, 0, 0]]
    post = utils.pad_sequences(sequences, 2, padding="post", truncating="post", value=9)
    assert post.tolist() == [[1, 2], [4, 9], [9, 9]]
    assert utils.pad_sequences([]).shape == (0, 0)
    assert utils.pad_sequences([[1]], maxlen=0).shape == (1, 0)
    texts = utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="-")
    assert texts.tolist() == [["-", "a"], ["b", "c"]]
    assert utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3))]).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("sequences", "options", "message"),
    [
        ([[1], 2], {}, "holds 2"),
        (3, {}, "sequences"),
        ([[1]], {"padding": "middle"}, "padding"),
        ([[1]], {"truncating": "middle"}, "truncating"),
        ([[1]], {"value": "-"}, "dtype=object"),
        ([[[1, 2]], [[1]]], {}, "shape"),
    ],
)
def test_pad_sequences_refuses(sequences, options, message):
    with pytest.raises(ValueError, match=message):
        utils.pad_sequences(sequences, **options)


def test_timeseries_windows():
    data = np.arange(10)
    windows = utils.timeseries_dataset_from_array(
        data, data[6:], 3, sequence_stride=2, sampling_rate=3, batch_size=2, start_index=0
    )
    found = [(x.tolist(), y.tolist()) for x, y in windows]
    assert found == [([[0, 3, 6], [2, 5, 8]], [6, 8])]
    assert len(windows) == 1 and next(iter(windows))[0].dtype == data.dtype


def test_shuffled_windows_come_in_an_order_of_their_own_each_time():
    def firsts(dataset):
        return [int(x[0]) for x in dataset]

    options = {"sequence_length": 2, "batch_size": None, "shuffle": True}
    one, other = (
        utils.timeseries_dataset_from_array(np.arange(50), None, seed=4, **options)
        for _ in range(2)
    )
    first, second = firsts(one), firsts(one)
    assert first != second and sorted(first) == sorted(second) == list(range(49))
    assert [firsts(other), firsts(other)] == [first, second]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_index", -1),
        ("start_index", 10),
        ("end_index", 10),
        ("end_index", 0),
        ("sampling_rate", 0),
        ("sequence_stride", 10),
        ("sequence_length", 0),
        ("format", "csv"),
    ],
)
def test_windows_refuse(name, value):
    with pytest.raises(ValueError, match=name):
        utils.timeseries_dataset_from_array(
            np.arange(10), None, **{"sequence_length": 2, name: value}
        )


def test_split_dataset():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    left, right = utils.split_dataset((x, y), left_size=0.7, shuffle=True, seed=1)
    assert (len(left), len(right)) == (7, 3)
    pairs = [*left, *right]
    assert sorted(int(label) for _, label in pairs) == y.tolist()
    assert all(row[0] == 2 * label for row, label in pairs)
    batches = Dataset(lambda: iter(range(10)), 10).batch(4)
    left, right = utils.split_dataset(batches, right_size=4)
    assert [b.tolist() for b in left] == [[0, 1, 2, 3], [4, 5]]
    assert [b.tolist() for b in right] == [[6, 7, 8, 9]]


@pytest.mark.parametrize(
    ("dataset", "options"),
    [
        (np.zeros(4), {}),
        (np.zeros(4), {"left_size": 4}),
        (np.zeros(4), {"left_size": 1.5}),
        (np.zeros(4), {"left_size": "half"}),
        (np.zeros(4), {"left_size": 0.7, "right_size": 0.7}),
        (np.zeros(4), {"left_size": 3, "right_size": 3}),
        (np.zeros(4), {"left_size": 0.01}),
        (np.zeros(0), {"left_size": 1}),
        ([np.zeros(4), np.zeros(3)], {"left_size": 1}),
        ([1, 2], {"left_size": 1}),
        ("text", {"left_size": 1}),
        (np.zeros(4), {"left_size": 1, "preferred_backend": "torch"}),
    ],
)
def test_split_dataset_refuses(dataset, options):
    with pytest.raises((TypeError, ValueError)):
        utils.split_dataset(dataset, **options)


def test_dataset_methods():
    numbers = Dataset(lambda: iter(range(10)), 10)
    assert list(numbers.take(3)) == [0, 1, 2] and len(numbers.take(3)) == 3
    assert list(numbers.skip(8)) == [8, 9] and len(numbers.skip(20)) == 0
    assert list(numbers.take(-1)) == list(numbers.prefetch(1)) == list(range(10))
    assert [len(b) for b in numbers.batch(4, drop_remainder=True)] == [4, 4]
    assert list(numbers.batch(4).unbatch()) == list(range(10))
    shuffled = numbers.shuffle(4, seed=0)
    first = list(shuffled)
    assert sorted(first) == list(range(10)) and first != list(shuffled)
    fixed = numbers.shuffle(100, seed=0, reshuffle_each_iteration=False)
    assert list(fixed) == list(fixed) != list(range(10))
    assert numbers.cardinality() == 10
    pairs = Dataset(lambda: iter([(np.zeros(2), {"a": 1}), (np.ones(2), {"a": 2})]))
    (batch,) = pairs.batch(2)
    assert batch[0].shape == (2, 2) and batch[1]["a"].tolist() == [1, 2]
    mapped = Dataset(lambda: iter([batch])).map(lambda x, y: (x + 1, y)).unbatch()
    assert [(x.tolist(), y) for x, y in mapped] == [([1, 1], {"a": 1}), ([2, 2], {"a": 2})]
    with pytest.raises(TypeError, match="length"):
        len(pairs)
    with pytest.raises(ValueError, match="batch_size"):
        numbers.batch(0)


def test_cache_reads_once():
    read = []

    def walk():
        for number in range(3):
            read.append(number)
            yield number

    cached = Dataset(walk).cache()
    assert next(iter(cached)) == 0  # a walk that is given up keeps nothing
    assert [list(cached) for _ in range(3)] == [[0, 1, 2]] * 3
    assert read == [0, 0, 1, 2]


def test_config():
    config = utils.Config(rate=0.1)
    config.seed = 1
    config["name"] = "x"
    assert (config.rate, config["seed"], config.get("none", 2)) == (0.1, 1, 2)
    assert list(config) == ["name", "rate", "seed"] and len(config) == 3 and "seed" in config
    assert config.as_dict() == {"rate": 0.1, "seed": 1, "name": "x"}
    with pytest.raises(AttributeError, match="Did you mean 'rate'"):
        _ = config.rat
    with pytest.raises(AttributeError, match="part of Config"):
        config.keys = 1
    config.freeze()
    for change in (
        lambda: config.update(seed=2),
        lambda: config.pop("seed"),
        lambda: setattr(config, "seed", 2),
        lambda: config.__delitem__("seed"),
    ):
        with pytest.raises(ValueError, match="frozen"):
            change()
    config.unfreeze()
    del config["seed"]
    assert config.pop("name") == "x" and config.to_json() == '{"rate": 0.1}'


def test_set_random_seed():
    draws = []
    for _ in range(2):
        utils.set_random_seed(7)
        draws.append((random.random(), np.random.rand()))
    assert draws[0] == draws[1]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None, True])
def test_set_random_seed_refuses(seed):
    with pytest.raises(ValueError, match="seed"):
        utils.set_random_seed(seed)


def test_gradients_flow_through_normalize():
    x = keras.Variable(np.array([[3.0, 4.0]], "float32"))
    with keras.GradientTape() as tape:
        length = keras.ops.sum(keras.utils.normalize(x + 0.0) * np.array([1.0, 0.0]))
    np.testing.assert_allclose(tape.gradient(length, x), [[16 / 125, -12 / 125]], rtol=1e-5)
    assert keras.utils.normalize(keras.Input((4,))).shape == (None, 4)
