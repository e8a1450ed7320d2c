"""Batches: against the data adapters of Keras."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.epoch_iterator import EpochIterator

import minikeras
from minikeras.training.data import (
    class_weight_to_sample_weights,
    make_batches,
    train_validation_split,
)

DTYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"]


def arrays(count, dtype, features):
    rng = np.random.RandomState(count)
    return (rng.uniform(0, 5, (count, *features))).astype(dtype)


def same(ours, theirs):
    """Equal structures of arrays, as far as Keras gives them (it leaves absent parts out)."""
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            same(one, other)
    elif isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif theirs is None:
        assert ours is None
    else:
        theirs = np.asarray(theirs)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs)


def keras_batches(*args, **kwargs):
    adapter = ArrayDataAdapter(*args, **kwargs)
    return [
        data_adapter_utils.unpack_x_y_sample_weight(batch) for batch in adapter.get_numpy_iterator()
    ]


@given(
    count=st.integers(1, 20),
    batch_size=st.one_of(st.none(), st.integers(1, 25)),
    steps=st.one_of(st.none(), st.integers(1, 6)),
    dtypes=st.tuples(*[st.sampled_from(DTYPES)] * 3),
    structure=st.sampled_from(["one", "two", "three", "nested"]),
)
def test_arrays(count, batch_size, steps, dtypes, structure):
    x = arrays(count, dtypes[0], (3,))
    y = arrays(count, dtypes[1], ())
    w = arrays(count, dtypes[2], (1,))
    data = {
        "one": (x,),
        "two": (x, y),
        "three": (x, y, w),
        "nested": ({"b": x, "a": [y, x]}, [y, x], w),
    }[structure]
    theirs = keras_batches(*data, batch_size=batch_size, steps=steps)
    source = make_batches(*data, batch_size=batch_size)
    if batch_size is None and steps:
        source = make_batches(*data, steps_per_epoch=steps)
        assert source.batch_size == ArrayDataAdapter(*data, steps=steps).batch_size
        source = make_batches(*data, batch_size=source.batch_size)
    ours = list(source.epoch())
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        same(one, other)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}),
        pd.DataFrame({"a": [1, 2, 3], "b": [4.5, 5, 6]}),
        pd.DataFrame({"a": [1, 2, 3]}, dtype="float32"),
        pd.Series([1.5, 2, 3], name="a"),
        pd.Series([1, 2, 3], index=[5, 6, 7]),
    ],
    ids=["integers", "mixed", "float32", "series", "integers of a series"],
)
def test_tables(frame):
    theirs = keras_batches(frame, frame, batch_size=2)
    for one, other in zip(make_batches(frame, frame, batch_size=2).epoch(), theirs):
        same(one, other)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=10),
    weights=st.dictionaries(st.integers(0, 4), st.floats(0, 10, width=32), min_size=1),
    form=st.sampled_from(["labels", "column", "one-hot"]),
    dtype=st.sampled_from(["int32", "float32"]),
)
def test_class_weight(labels, weights, form, dtype):
    y = np.array(labels, dtype)
    if form == "column":
        y = y[:, None]
    elif form == "one-hot":
        y = np.eye(5, dtype=dtype)[np.array(labels)]
    same(
        class_weight_to_sample_weights(y, weights),
        data_adapter_utils.class_weight_to_sample_weights(y, weights),
    )


@given(count=st.integers(1, 30), split=st.floats(0.01, 0.99))
def test_validation_split(count, split):
    x, y = arrays(count, "float32", (2,)), arrays(count, "int64", ())
    try:
        theirs = array_slicing.train_validation_split((x, [y], None), split)
    except ValueError:
        with pytest.raises(ValueError, match="not sufficient"):
            train_validation_split((x, [y], None), split)
        return
    ours = train_validation_split((x, [y], None), split)
    for one, other in zip(ours, theirs):
        same(one[0], other[0])
        same(one[1][0], other[1][0])
        assert one[2] is None


def lengths_of_epochs(source, epochs, with_keras):
    found, told = [], 0
    for _ in range(epochs):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if with_keras:
                found.append(sum(len(buffer) for _, _, buffer in source))
            else:
                found.append(sum(1 for _ in source.epoch()))
        told += sum("ran out of data" in str(warning.message) for warning in caught)
    return found, told


@given(
    count=st.integers(1, 12),
    batch_size=st.integers(1, 4),
    steps=st.one_of(st.none(), st.integers(1, 8)),
    epochs=st.integers(1, 5),
)
def test_steps_of_arrays(count, batch_size, steps, epochs):
    x = arrays(count, "float32", (1,))
    options = {"batch_size": batch_size, "steps_per_epoch": steps}
    ours = lengths_of_epochs(make_batches(x, **options), epochs, False)
    theirs = lengths_of_epochs(EpochIterator(x, **options), epochs, True)
    assert ours == theirs


@given(
    count=st.integers(1, 6), steps=st.one_of(st.none(), st.integers(1, 8)), epochs=st.integers(1, 4)
)
def test_steps_of_a_data_set(count, steps, epochs):
    def data_set(package):
        class Batches(package.utils.PyDataset):
            def __len__(self):
                return count

            def __getitem__(self, index):
                return np.full((1, 1), index, "float32"), np.zeros(1)

        return Batches()

    ours = lengths_of_epochs(
        make_batches(data_set(minikeras), steps_per_epoch=steps), epochs, False
    )
    theirs = lengths_of_epochs(EpochIterator(data_set(keras), steps_per_epoch=steps), epochs, True)
    assert ours == theirs


@pytest.mark.parametrize(
    "data, options",
    [
        ((np.ones((3, 1)), np.ones(2)), {}),
        ((np.ones((3, 1)), np.ones(3), np.ones(2)), {}),
        ((np.ones((3, 1)), [np.ones(3), np.ones(3)], [np.ones(3)]), {}),
        ((np.ones((3, 1)), [np.ones(3), np.ones(3)], np.ones((3, 2))), {}),
        ((np.ones((3, 1)), np.ones(3), np.ones(3)), {"class_weight": {0: 1.0}}),
        ((np.ones((3, 1)), [np.ones(3)]), {"class_weight": {0: 1.0}}),
        ((((1, 2) for _ in range(9)), np.ones(3)), {}),
        ((((1, 2) for _ in range(9)), None, np.ones(3)), {}),
        ((object(),), {}),
    ],
)
def test_errors(data, options):
    for batches in (EpochIterator, make_batches):
        with pytest.raises(ValueError):
            batches(*data, **options)


@pytest.mark.parametrize("parts", [(1,), (1, 2), (1, 2, 3), ([1],), ([1], 2), ({"a": 1},), []])
def test_pack_and_unpack(parts):
    for data in (parts, list(parts), parts[0] if parts else None):
        try:
            theirs = keras.utils.unpack_x_y_sample_weight(data)
        except ValueError:
            with pytest.raises(ValueError):
                minikeras.utils.unpack_x_y_sample_weight(data)
            continue
        assert minikeras.utils.unpack_x_y_sample_weight(data) == theirs
        assert minikeras.utils.pack_x_y_sample_weight(
            *theirs
        ) == keras.utils.pack_x_y_sample_weight(*theirs)
