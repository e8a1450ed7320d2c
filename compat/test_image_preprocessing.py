"""Layers of images and sounds against Keras on TensorFlow.

Random layers of both packages are given the random choices that Keras made.
"""

import keras
import numpy as np
import pytest
from layer_pairs import pair, same_config

import minikeras

RNG = np.random.default_rng(5)
IMAGES = (RNG.random((3, 12, 10, 3)) * 255).astype("float32")
UNIT = IMAGES / 255
BYTES = IMAGES.astype("uint8")
SOUND = RNG.normal(size=(2, 3000)).astype("float32")


def numbers(structure):
    return keras.tree.map_structure(
        lambda leaf: leaf if isinstance(leaf, (str, type(None))) else np.asarray(leaf), structure
    )


def close(theirs, ours, atol=1e-4, share=0.0):
    theirs, ours = np.asarray(theirs), np.asarray(ours)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    far = ~np.isclose(ours, theirs, rtol=1e-5, atol=atol)
    assert far.mean() <= share, np.abs(ours.astype(float) - theirs).max()


INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5")


@pytest.mark.parametrize("aspect", [None, "crop_to_aspect_ratio", "pad_to_aspect_ratio"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_resizing(interpolation, aspect):
    for size in ((6, 7), (15, 21), (5, 20)):
        options = {"interpolation": interpolation, **({aspect: True} if aspect else {})}
        if aspect == "pad_to_aspect_ratio":
            # TensorFlow multiplies integers by it, so that it may not be a float.
            options["fill_value"] = 3
        theirs, ours = pair("Resizing", *size, **options)
        same_config(theirs, ours)
        for data in (IMAGES, IMAGES[0]):
            close(theirs(data), ours(data), atol=1e-3)
        # Halves may be rounded either way.
        close(theirs(BYTES), ours(BYTES), atol=1)


def test_antialias():
    theirs, ours = pair("Resizing", 5, 4, antialias=True)
    close(theirs(IMAGES), ours(IMAGES), atol=1e-3)


@pytest.mark.parametrize("size", [(4, 5), (12, 10), (7, 7), (20, 6), (15, 15)])
def test_center_crop(size):
    theirs, ours = pair("CenterCrop", *size)
    same_config(theirs, ours)
    for data in (IMAGES, IMAGES[0], BYTES):
        close(theirs(data), ours(data), atol=1e-3)


# Name, arguments, options of the comparison.
RANDOM = [
    ("RandomFlip", {"mode": "horizontal"}, IMAGES),
    ("RandomFlip", {}, IMAGES),
    ("RandomRotation", {"factor": 0.3}, IMAGES),
    ("RandomRotation", {"factor": (0.1, 0.2), "interpolation": "nearest"}, IMAGES),
    ("RandomRotation", {"factor": 0.3, "fill_mode": "constant", "fill_value": 9.0}, IMAGES),
    ("RandomZoom", {"height_factor": 0.4}, IMAGES),
    ("RandomZoom", {"height_factor": (0.1, 0.4), "width_factor": -0.3}, IMAGES),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": (-0.2, 0.4)}, IMAGES),
    ("RandomTranslation", {"height_factor": 0, "width_factor": 0.4, "fill_mode": "wrap"}, IMAGES),
    ("RandomShear", {"x_factor": 0.3, "y_factor": (0.1, 0.2)}, IMAGES),
    ("RandomShear", {"x_factor": 0.3, "fill_mode": "nearest"}, IMAGES),
    ("RandomPerspective", {"scale": 0.4}, IMAGES),
    ("RandomPerspective", {"factor": (0.2, 0.7), "interpolation": "nearest"}, IMAGES),
    ("RandomBrightness", {"factor": 0.4}, IMAGES),
    ("RandomBrightness", {"factor": (0.1, 0.4), "value_range": (0, 1)}, UNIT),
    ("RandomContrast", {"factor": 0.6}, IMAGES),
    ("RandomContrast", {"factor": (0.3, 0.6), "value_range": [0, 1]}, UNIT),
    ("RandomHue", {"factor": 0.8}, IMAGES),
    ("RandomHue", {"factor": (0.2, 0.6), "value_range": (0, 1)}, UNIT),
    ("RandomSaturation", {"factor": 0.6}, IMAGES),
    ("RandomSaturation", {"factor": (0.4, 0.8), "value_range": (0, 1)}, UNIT),
    ("RandomGrayscale", {"factor": 0.6}, IMAGES),
    ("RandomInvert", {"factor": 0.6}, IMAGES),
    ("RandomColorDegeneration", {"factor": 0.6}, IMAGES),
    ("RandomSharpness", {"factor": 0.9}, IMAGES),
    ("RandomPosterization", {"factor": (2, 7)}, IMAGES),
    ("RandomPosterization", {"factor": 5, "value_range": (0, 1)}, UNIT),
    ("Solarization", {"addition_factor": 0.3, "threshold_factor": 0.6}, IMAGES),
    ("Solarization", {"threshold_factor": 0.6, "value_range": (0, 1)}, UNIT),
    ("RandomGaussianBlur", {"kernel_size": 5, "sigma": 0.9}, IMAGES),
    ("RandomErasing", {"fill_value": 7.0}, IMAGES),
    ("RandomErasing", {"factor": 0.6, "scale": 0.7}, IMAGES),
    ("MixUp", {"alpha": 0.4}, IMAGES),
    ("CutMix", {"factor": (0.3, 0.9)}, IMAGES),
    ("RandAugment", {"num_ops": 3}, IMAGES),
    ("RandAugment", {"factor": (0.1, 0.3), "value_range": (0, 1)}, UNIT),
    ("AugMix", {"num_chains": 2}, IMAGES),
    ("AugMix", {"all_ops": False, "factor": 0.7}, IMAGES),
]


@pytest.mark.parametrize("name, options, data", RANDOM, ids=lambda x: x if type(x) is str else "")
def test_the_same_random_choices_give_the_same_images(name, options, data):
    theirs, ours = pair(name, **options, seed=3)
    if name == "RandomShear":
        # Keras writes numbers as pairs that it does not read.
        again = type(theirs).from_config(ours.get_config())
        assert (again.x_factor, again.y_factor) == (ours.x_factor, ours.y_factor)
    else:
        same_config(theirs, ours)
    for _ in range(3):
        choices = theirs.get_random_transformation(keras.ops.convert_to_tensor(data))
        expected = theirs.transform_images(keras.ops.convert_to_tensor(data), choices)
        found = ours.transform_images(data, numbers(choices), training=True)
        # A place that is read may fall on the other side of a border between pixels.
        close(expected, found, atol=2e-3 * data.max() / 255, share=0.01)
    unchanged = ours(data, training=False)
    np.testing.assert_array_equal(unchanged, data)


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_mixed_labels(name):
    theirs, ours = pair(name, seed=3)
    labels = np.eye(3, dtype="float32")
    choices = theirs.get_random_transformation(keras.ops.convert_to_tensor(IMAGES))
    weight = np.reshape(choices["mix_weight"], (-1, 1))
    expected = weight * labels + (1 - weight) * labels[np.asarray(choices["permutation_order"])]
    np.testing.assert_allclose(
        ours.transform_labels(labels, numbers(choices)), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "name, options, data",
    [
        ("AutoContrast", {}, IMAGES),
        ("AutoContrast", {"value_range": (0, 1)}, UNIT),
        ("AutoContrast", {}, np.full((1, 3, 3, 3), 8, "float32")),
        ("Equalization", {}, IMAGES),
        ("Equalization", {"bins": 32}, IMAGES),
        ("Equalization", {"value_range": (0, 1)}, UNIT),
        ("Equalization", {}, np.full((1, 3, 3, 3), 8, "float32")),
        ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (3, 4)}, IMAGES),
        ("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": -1.0}, IMAGES),
        ("ContrastLimitedAdaptiveHistogramEqualization", {"value_range": (0, 1)}, UNIT),
        ("ContrastLimitedAdaptiveHistogramEqualization", {}, BYTES),
    ],
)
def test_layers_of_histograms(name, options, data):
    theirs, ours = pair(name, **options)
    same_config(theirs, ours)
    close(theirs(data), ours(data), atol=1 if data.dtype == np.uint8 else 1e-3, share=0.002)
    close(theirs(data[0]), ours(data[0]), atol=1 if data.dtype == np.uint8 else 1e-3, share=0.002)


@pytest.mark.parametrize(
    "name, options",
    [
        ("RandomCrop", {"height": 3, "width": 4, "seed": 2}),
        ("RandomElasticTransform", {"factor": 0.4, "scale": (0.1, 0.4), "seed": 2}),
        ("RandomColorJitter", {"brightness_factor": 0.3, "hue_factor": (0.1, 0.2)}),
        ("MaxNumBoundingBoxes", {"max_number": 3}),
        ("RandomHue", {"factor": 0.3, "bounding_box_format": "xyxy"}),
    ],
)
def test_configs(name, options):
    same_config(*pair(name, **options))


def test_pipeline():
    layers = [("Resizing", (4, 4)), ("Rescaling", (0.5,))]
    theirs, ours = (
        package.layers.Pipeline([getattr(package.layers, name)(*args) for name, args in layers])
        for package in (keras, minikeras)
    )
    close(theirs(IMAGES), ours(IMAGES))
    twin = minikeras.layers.deserialize(keras.layers.serialize(theirs))
    close(theirs(IMAGES), twin(IMAGES))
    close(keras.layers.deserialize(minikeras.layers.serialize(ours))(IMAGES), ours(IMAGES))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fft_length": 256, "sequence_stride": 100, "sequence_length": 200, "num_mel_bins": 30},
        {"power_to_db": False, "mag_exp": 1.0, "min_freq": 100.0, "max_freq": 4000.0},
        {"window": "hamming", "top_db": 30.0, "ref_power": 2.0, "fft_length": 512},
    ],
)
def test_mel_spectrogram(options):
    theirs, ours = pair("MelSpectrogram", **options)
    same_config(theirs, ours)
    for data in (SOUND, SOUND[0]):
        # Decibels of float32 sums.
        close(theirs(data), ours(data), atol=2e-3)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("expand_dims", [False, True])
@pytest.mark.parametrize("mode", ["log", "magnitude", "psd", "real", "imag", "angle", "stft"])
def test_stft_spectrogram(mode, expand_dims, padding):
    options = {"frame_length": 20, "frame_step": 7, "periodic": True, "scaling": "spectrum"}
    theirs, ours = pair(
        "STFTSpectrogram", mode, expand_dims=expand_dims, padding=padding, **options
    )
    same_config(theirs, ours)
    data = SOUND[:, :300].reshape(2, 150, 2)
    expected, found = theirs(data), ours(data)
    assert ours.compute_output_shape(data.shape) == found.shape
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    if mode == "angle":
        # -pi and pi are the same, and the angle of nearly nothing is any.
        close(np.cos(expected), np.cos(found), share=0.02)
    else:
        close(expected, found)
