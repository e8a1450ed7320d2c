"""One-hot labels, padding, windows, splits, images: against Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minikeras


def same(ours, theirs, **tolerance):
    theirs = np.asarray(theirs)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    if tolerance:
        np.testing.assert_allclose(ours, theirs, **tolerance)
    else:
        np.testing.assert_array_equal(ours, theirs)


@given(
    labels=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    shape=st.sampled_from([(-1,), (-1, 1), (1, -1), (1, -1, 1)]),
    num_classes=st.sampled_from([None, 10, 12]),
    dtype=st.sampled_from(["int32", "uint8", "float32"]),
)
def test_to_categorical(labels, shape, num_classes, dtype):
    x = np.array(labels, dtype).reshape(shape)
    same(minikeras.utils.to_categorical(x, num_classes), keras.utils.to_categorical(x, num_classes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", [1, 2, np.inf])
@pytest.mark.parametrize("axis", [-1, 1])
def test_normalize(dtype, order, axis):
    x = np.random.RandomState(0).normal(size=(4, 5)).astype(dtype)
    x[1] = 0
    same(
        minikeras.utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order), rtol=1e-6
    )


@given(
    sequences=st.lists(st.lists(st.integers(-9, 9), max_size=6), min_size=1, max_size=5),
    maxlen=st.one_of(st.none(), st.integers(1, 8)),
    dtype=st.sampled_from(["int32", "float32", "int64"]),
    padding=st.sampled_from(["pre", "post"]),
    truncating=st.sampled_from(["pre", "post"]),
    value=st.integers(-1, 1),
)
def test_pad_sequences(sequences, **options):
    same(
        minikeras.utils.pad_sequences(sequences, **options),
        keras.utils.pad_sequences(sequences, **options),
    )


@settings(deadline=None, max_examples=40)  # tf.data takes a moment to start
@given(
    size=st.integers(8, 30),
    features=st.sampled_from([(), (3,)]),
    sequence_length=st.integers(1, 5),
    sequence_stride=st.integers(1, 4),
    sampling_rate=st.integers(1, 3),
    batch_size=st.sampled_from([None, 1, 4, 128]),
    start_index=st.sampled_from([None, 0, 2]),
    end_index=st.sampled_from([None, 5, 7]),
    targets=st.sampled_from([None, "same", "later"]),
)
def test_timeseries_dataset(size, features, sequence_length, targets, **options):
    data = np.arange(size * int(np.prod(features)), dtype="float32").reshape(size, *features)
    if targets is not None:
        targets = np.arange(size) if targets == "same" else np.arange(size)[sequence_length:]
        if targets.size < size and options["start_index"]:
            return  # Keras reads beyond the end of such targets
    ours, theirs = (
        list(make(data, targets, sequence_length, **options))
        for make in (
            minikeras.utils.timeseries_dataset_from_array,
            keras.utils.timeseries_dataset_from_array,
        )
    )
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        for array, tensor in zip(*((part,) if targets is None else part for part in (one, other))):
            np.testing.assert_array_equal(array, tensor)


def test_timeseries_dataset_shuffled_holds_the_same_windows():
    data = np.arange(40)
    options = {"sequence_length": 3, "shuffle": True, "seed": 1, "batch_size": None}
    found = [
        sorted((x.tolist(), int(y)) for x, y in make(data, data, **options))
        for make in (
            lambda *a, **k: minikeras.utils.timeseries_dataset_from_array(*a, **k),
            lambda *a, **k: keras.utils.timeseries_dataset_from_array(*a, **k).as_numpy_iterator(),
        )
    ]
    assert found[0] == found[1]


SIZES = [(0.8, None), (None, 0.3), (3, None), (None, 4), (0.5, 0.2), (2, 3)]


@pytest.mark.parametrize(("left_size", "right_size"), SIZES)
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("form", ["array", "list", "tuple"])
def test_split_dataset(left_size, right_size, shuffle, form):
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    dataset = {"array": x, "list": [x, y], "tuple": (x, y)}[form]
    options = {"left_size": left_size, "right_size": right_size, "shuffle": shuffle, "seed": 3}
    ours = minikeras.utils.split_dataset(dataset, **options)
    theirs = keras.utils.split_dataset(dataset, **options)
    for one, other in zip(ours, theirs):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            for c, d in zip(*((part,) if form == "array" else part for part in (a, b))):
                np.testing.assert_array_equal(c, d)


@pytest.mark.parametrize(
    ("left_size", "right_size"),
    [
        (None, None),
        (0, None),
        (10, None),
        (1.0, None),
        (0.6, 0.6),
        (6, 6),
        ("a", None),
        (0.01, 0.5),
    ],
)
def test_split_dataset_refuses_what_keras_refuses(left_size, right_size):
    for module in (keras, minikeras):
        with pytest.raises((TypeError, ValueError)):
            module.utils.split_dataset(np.zeros(10), left_size, right_size)


IMAGES = [(7, 9, 1), (7, 9, 3), (7, 9, 4)]


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.filterwarnings("ignore:.*mode.*:DeprecationWarning")  # Keras passes one to Pillow
def test_array_to_img_and_back(shape, scale, data_format):
    x = np.random.RandomState(0).uniform(0, 255, shape)
    if data_format == "channels_first":
        x = x.transpose(2, 0, 1)
    ours = minikeras.utils.array_to_img(x, data_format, scale)
    theirs = keras.utils.array_to_img(x, data_format, scale)
    assert ours.mode == theirs.mode
    same(np.asarray(ours), np.asarray(theirs))
    same(
        minikeras.utils.img_to_array(ours, data_format),
        keras.utils.img_to_array(theirs, data_format),
    )


@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos", "box"])
@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_load_img(tmp_path, color_mode, interpolation, keep_aspect_ratio):
    path = tmp_path / "image.png"
    minikeras.utils.save_img(path, np.random.RandomState(0).uniform(0, 255, (20, 30, 3)))
    options = [color_mode, (12, 13), interpolation, keep_aspect_ratio]
    ours, theirs = (module.utils.load_img(path, *options) for module in (minikeras, keras))
    assert ours.mode == theirs.mode
    same(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "area", "lanczos3"])
@pytest.mark.parametrize("size", [(5, 5), (30, 11), (16, 24)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_smart_resize(interpolation, size, data_format):
    x = np.random.RandomState(0).uniform(0, 255, (2, 16, 24, 3)).astype("float32")
    if data_format == "channels_first":
        x = x.transpose(0, 3, 1, 2)
    ours, theirs = (
        module.preprocessing.image.smart_resize(x, size, interpolation, data_format)
        for module in (minikeras, keras)
    )
    same(ours, theirs, atol=1e-3)  # float32 sums of values up to 255 in another order
