"""Data sets from folders: the same files, labels and values as Keras's."""

import wave

import keras
import numpy as np
import pytest

import minikeras


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.RandomState(0)
    for name, count in (("cats", 4), ("dogs", 3), (".hidden", 1), ("newts", 2)):
        for number in range(count):
            path = folder / name / "deep" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            height, width = rng.randint(10, 40, 2)
            minikeras.utils.save_img(path, rng.uniform(0, 255, (height, width, 3)), scale=False)
    (folder / "cats" / "readme.md").write_text("no image")
    return folder


def walked(dataset):
    return [
        tuple(np.asarray(part) for part in (item if isinstance(item, tuple) else (item,)))
        for item in dataset
    ]


def both(name, *args, **options):
    for module in (minikeras, keras):
        made = getattr(module.utils, name)(*args, **options)
        yield list(made) if isinstance(made, (list, tuple)) else [made]


def compare(ours, theirs, **tolerance):
    for one, other in zip(ours, theirs):
        assert one.class_names == other.class_names
        if hasattr(other, "file_paths"):
            assert one.file_paths == other.file_paths
        assert len(one) == len(other)
        for a, b in zip(walked(one), walked(other)):
            assert len(a) == len(b)
            for c, d in zip(a, b):
                assert c.shape == d.shape and c.dtype == d.dtype
                np.testing.assert_allclose(c, d, **tolerance)


@pytest.mark.parametrize("label_mode", ["int", "categorical", None])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_images(images, label_mode, batch_size):
    options = {"label_mode": label_mode, "batch_size": batch_size, "image_size": (16, 18)}
    compare(*both("image_dataset_from_directory", images, shuffle=False, **options), atol=1e-3)


@pytest.mark.parametrize(
    "interpolation",
    ["bilinear", "nearest", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic", "bicubic"],
)
@pytest.mark.parametrize("shape", ["", "crop", "pad"])
def test_image_resizing(images, interpolation, shape):
    if (interpolation, shape) == ("nearest", "pad"):
        pytest.skip("resize_with_pad of TensorFlow takes 'nearest' from a float image")
    if shape == "crop" and interpolation in ("gaussian", "mitchellcubic"):
        pytest.skip("Keras has no such interpolation where it crops")
    options = {"image_size": (16, 18), "interpolation": interpolation}
    if shape:
        options[f"{shape}_to_aspect_ratio"] = True
    # Float32 sums of values up to 255 in another order.
    tolerance = 5e-3
    compare(*both("image_dataset_from_directory", images, shuffle=False, **options), atol=tolerance)


def test_binary_labels_and_chosen_classes(images):
    options = {"class_names": ["newts", "cats"], "label_mode": "binary", "image_size": 8}
    compare(*both("image_dataset_from_directory", images, shuffle=False, **options), atol=1e-3)


def test_given_labels(images):
    options = {"labels": [3, 1, 2, 0, 1, 1, 2, 3, 0, 2], "image_size": (8, 8)}
    compare(*both("image_dataset_from_directory", images, shuffle=False, **options), atol=1e-3)


@pytest.mark.parametrize("subset", ["training", "validation", "both"])
def test_the_split_takes_the_files_that_keras_takes(images, subset):
    ours, theirs = both(
        "image_dataset_from_directory", images, validation_split=0.4, subset=subset, seed=7
    )
    for one, other in zip(ours, theirs):
        assert one.file_paths == other.file_paths
        labels = [
            sorted(label for _, batch in walked(dataset) for label in batch.tolist())
            for dataset in (one, other)
        ]
        assert labels[0] == labels[1]


@pytest.mark.parametrize(
    "options",
    [
        {"labels": "guessed"},
        {"labels": [1, 2]},
        {"labels": None, "class_names": ["cats"]},
        {"class_names": ["unicorns"]},
        {"label_mode": "binary"},
        {"label_mode": "nonsense"},
        {"color_mode": "cmyk"},
        {"image_size": (1, 2, 3)},
        {"interpolation": "magic"},
        {"validation_split": 2.0, "subset": "training", "seed": 1},
        {"validation_split": 0.2},
        {"subset": "training"},
        {"validation_split": 0.2, "subset": "nonsense", "seed": 1},
        {"validation_split": 0.2, "subset": "training"},
        {"format": "csv"},
    ],
)
def test_errors(images, options):
    for module in (keras, minikeras):
        with pytest.raises(ValueError):
            module.utils.image_dataset_from_directory(images, **options)


def test_texts(tmp_path):
    for name, text in (("a/1.txt", "first"), ("a/2.txt", "zwölf\r\nEnten"), ("b/3.txt", "")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    ours, theirs = both("text_dataset_from_directory", tmp_path, shuffle=False, batch_size=2)
    for (a, labels), (b, other) in zip(walked(ours[0]), walked(theirs[0])):
        assert [text.encode() for text in a] == b.tolist()
        np.testing.assert_array_equal(labels, other)
    (ours, theirs) = both("text_dataset_from_directory", tmp_path, labels=None, max_length=3)
    assert sorted(t for (b,) in walked(ours[0]) for t in b) == ["", "fir", "zwö"]


@pytest.mark.parametrize("length", [None, 5, 50])
@pytest.mark.parametrize("channels", [1, 2])
def test_recordings(tmp_path, length, channels):
    rng = np.random.RandomState(0)
    for number in range(5):
        path = tmp_path / "ab"[number % 2] / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, 2, 8000, 0, "NONE", ""))
            samples = rng.randint(-(2**15), 2**15, (20 + number) * channels)
            file.writeframes(samples.astype("<i2").tobytes())
    options = {"output_sequence_length": length, "batch_size": 3, "shuffle": False}
    compare(*both("audio_dataset_from_directory", tmp_path, **options), rtol=1e-6)
