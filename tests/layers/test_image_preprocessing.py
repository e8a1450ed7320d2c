"""Layers of images and sounds: ranges, shapes, dtypes, repeatability, and what they refuse."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.engine import registry
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.layers.preprocessing.image_layer import ImageLayer

RNG = np.random.default_rng(4)
IMAGES = (RNG.random((4, 9, 8, 3)) * 255).astype("float32")

# Enough for choices of one bit an image to differ.
MANY = np.tile(IMAGES, (8, 1, 1, 1))

# Random layers, all of which act on these images, with arguments.
RANDOM = {
    "AugMix": {},
    "CutMix": {},
    "MixUp": {"alpha": 1.0},
    "RandAugment": {"num_ops": 3},
    "RandomBrightness": {"factor": 0.4},
    "RandomColorDegeneration": {"factor": 0.6},
    "RandomColorJitter": {"brightness_factor": 0.3, "saturation_factor": 0.3, "hue_factor": 0.1},
    "RandomContrast": {"factor": 0.5},
    "RandomCrop": {"height": 4, "width": 5},
    "RandomElasticTransform": {"scale": (0.5, 1.0), "factor": (1, 1)},
    "RandomErasing": {"factor": (1, 1)},
    "RandomFlip": {},
    "RandomGaussianBlur": {"factor": (1, 1)},
    "RandomGrayscale": {"factor": 0.5},
    "RandomHue": {"factor": 0.6},
    "RandomInvert": {"factor": (0.4, 0.6)},
    "RandomPerspective": {"factor": (1, 1), "scale": 0.5},
    "RandomPosterization": {"factor": (1, 4)},
    "RandomRotation": {"factor": 0.3},
    "RandomSaturation": {"factor": (0.2, 0.4)},
    "RandomSharpness": {"factor": 0.4},
    "RandomShear": {"x_factor": 0.4, "y_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.4},
    "Solarization": {"addition_factor": 0.3, "threshold_factor": 0.5},
}
OTHERS = {
    "AutoContrast": {},
    "CenterCrop": {"height": 4, "width": 5},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (2, 3)},
    "Equalization": {},
    "MaxNumBoundingBoxes": {"max_number": 2},
    "Resizing": {"height": 4, "width": 5},
}
ALL = {**RANDOM, **OTHERS}
SIZED = ("RandomCrop", "CenterCrop", "Resizing")


def gap(difference):
    """The largest difference."""
    return np.abs(np.asarray(difference)).max()


def make(name, **extra):
    return getattr(layers, name)(**ALL[name], **extra)


def test_every_layer_of_images_is_here():
    found = {name for name, cls in registry.layers.objects().items() if issubclass(cls, ImageLayer)}
    assert found == set(ALL)


@pytest.mark.parametrize("name", RANDOM)
def test_random_layers_are_repeatable_and_act_in_training_only(name):
    first, second, other = (make(name, seed=seed)(MANY, training=True) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert gap(first - other) > 0
    layer = make(name, seed=7)
    assert gap(layer(MANY, training=True) - layer(MANY, training=True)) > 0
    if name not in SIZED:
        np.testing.assert_array_equal(layer(MANY, training=False), MANY)
        assert gap(first - MANY) > 0


@pytest.mark.parametrize("name", ALL)
def test_shapes_dtypes_and_formats(name):
    size = (4, 5) if name in SIZED else (9, 8)
    seed = {"seed": 7} if name in RANDOM else {}
    layer = make(name, **seed)
    batch = layer(IMAGES, training=True)
    assert batch.shape == (4, *size, 3)
    assert batch.dtype == np.float32
    assert np.isfinite(batch.numpy()).all()
    single = make(name, **seed)(IMAGES[0], training=True)
    assert single.shape == (*size, 3)
    first = make(name, data_format="channels_first", **seed)
    turned = first(IMAGES.transpose(0, 3, 1, 2), training=True)
    if name not in ("RandomErasing", "RandomElasticTransform"):
        # Convolutions of the other format may round otherwise.
        np.testing.assert_allclose(turned.numpy().transpose(0, 2, 3, 1), batch, atol=1e-3)
    assert turned.shape == (4, 3, *size)
    integers = layer(IMAGES.astype("uint8"), training=True)
    assert integers.dtype == ("uint8" if layer.keeps_dtype else "float32")
    assert make(name, dtype="float64")(IMAGES.astype("float64"), training=True).dtype == np.float64
    assert make(name, dtype="mixed_float16")(IMAGES, training=True).dtype == np.float16


@pytest.mark.parametrize("name", ALL)
def test_configs_models_and_dicts(name):
    layer = make(name)
    twin = layers.deserialize(layers.serialize(layer))
    assert twin.get_config() == layer.get_config()
    inputs = keras.Input((9, 8, 3))
    outputs = layer(inputs)
    model = keras.Model(inputs, outputs)
    assert model.predict(IMAGES, verbose=0).shape[1:] == outputs.shape[1:]
    data = {"images": IMAGES, "labels": np.eye(4), "segmentation_masks": IMAGES[..., :1] > 99}
    result = layer(data, training=True)
    assert set(result) == set(data)
    assert result["images"].shape[:-1] == result["segmentation_masks"].shape[:-1]
    np.testing.assert_allclose(np.sum(result["labels"], axis=1), 1, rtol=1e-6)
    boxes = {"boxes": np.ones((4, 3, 4)), "labels": np.ones((4, 3))}
    with pytest.raises(ValueError, match="bounding_box"):
        layer({"images": IMAGES, "bounding_boxes": boxes})
    if layer.moves and not layer._has_boxes():
        with pytest.raises(ValueError, match="bounding_box_format"):
            make(name, bounding_box_format="xyxy")
        return
    boxes = {"boxes": np.array([[[2.0, 1, 5, 4]]] * 4), "labels": np.ones((4, 1))}
    moved = make(name, bounding_box_format="xyxy")({"images": IMAGES, "bounding_boxes": boxes})
    assert moved["bounding_boxes"]["boxes"].shape[-1] == 4


MOVING = {
    "RandomFlip": {"mode": "horizontal"},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2, "fill_mode": "constant"},
    "RandomZoom": {"height_factor": 0.3, "fill_mode": "constant"},
    "RandomRotation": {"factor": 0.1, "fill_mode": "constant"},
    "RandomShear": {"x_factor": 0.2, "y_factor": 0.2, "fill_mode": "constant"},
    "RandomPerspective": {"scale": 0.3},
    "RandomCrop": {"height": 36, "width": 30},
    "CenterCrop": {"height": 30, "width": 36},
    "Resizing": {"height": 30, "width": 60},
}


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("box_format", ["xyxy", "rel_xywh"])
def test_boxes_move_as_the_images_do(name, box_format):
    convert = keras.utils.bounding_boxes.convert_format
    left, top, right, bottom = 12, 16, 28, 26
    images = np.zeros((3, 40, 44, 1), "float32")
    images[:, top:bottom, left:right] = 1
    corners = np.array([[[left, top, right, bottom]]] * 3, "float32")
    boxes = {"boxes": convert(corners, "xyxy", box_format, 40, 44), "labels": np.ones((3, 1))}
    layer = getattr(layers, name)(
        **MOVING[name],
        **({} if name in ("CenterCrop", "Resizing") else {"seed": 3}),
        bounding_box_format=box_format,
    )
    result = layer({"images": images, "bounding_boxes": boxes}, training=True)
    shape = result["images"].shape[1:3]
    moved = convert(result["bounding_boxes"]["boxes"], box_format, "xyxy", *shape).numpy()[:, 0]
    for image, box in zip(result["images"].numpy()[..., 0], moved):
        rows, columns = np.nonzero(image > 0.5)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        # Edges are blurred, and the indices of pixels stand for their middles.
        np.testing.assert_allclose(box, seen, atol=1.6)
    assert layers.deserialize(layers.serialize(layer)).bounding_box_format == box_format


def test_boxes_that_leave_and_boxes_that_are_mixed():
    layer = layers.RandomTranslation((0.5, 0.5), 0.0, bounding_box_format="xyxy")
    boxes = {"boxes": np.array([[1.0, 6, 3, 8], [1, 1, 3, 3]]), "labels": np.array([4, 5])}
    moved = layer({"images": np.ones((8, 8, 1), "float32"), "bounding_boxes": boxes}, training=True)
    np.testing.assert_allclose(moved["bounding_boxes"]["boxes"], [[1, 8, 3, 8], [1, 5, 3, 7]])
    assert moved["bounding_boxes"]["labels"].numpy().tolist() == [-1, 5]
    boxes = {"boxes": np.arange(16.0).reshape(2, 2, 4), "labels": np.array([[1, 2], [3, 4]])}
    mixed = layers.MixUp(bounding_box_format="xyxy").transform_bounding_boxes(
        boxes, {"mix_weight": [0.5, 0.5], "permutation_order": [1, 0]}
    )
    assert mixed["labels"].numpy().tolist() == [[1, 2, 3, 4], [3, 4, 1, 2]]
    assert mixed["boxes"].shape == (2, 4, 4)


def test_masks_move_as_the_images_do():
    masks = (IMAGES[..., :1] > 99).astype("float32")
    for name in ("RandomFlip", "RandomCrop"):
        result = make(name, seed=3)({"images": IMAGES, "segmentation_masks": masks}, training=True)
        expected = (result["images"].numpy()[..., :1] > 99).astype("float32")
        np.testing.assert_array_equal(result["segmentation_masks"], expected)
    bent = make("RandomRotation", seed=3)({"images": IMAGES, "segmentation_masks": masks})
    assert set(np.unique(bent["segmentation_masks"])) == {0.0, 1.0}


def test_ranges_of_random_choices():
    many = np.zeros((500, 4, 6, 3), "float32")
    draw = layers.RandomRotation((0.1, 0.2), seed=1).get_random_transformation(many)
    assert 36 <= draw["angle"].min() < 40 and 68 < draw["angle"].max() <= 72
    draw = layers.RandomTranslation(0.5, (0, 0.5), seed=1).get_random_transformation(many)
    across, down = draw["translations"].T
    assert 0 <= across.min() and 2.8 < across.max() <= 3
    assert -2 <= down.min() < -1.8 and 1.8 < down.max() <= 2
    draw = layers.RandomPosterization((2, 4), seed=1).get_random_transformation(many)
    assert set(draw["shift_factor"]) == {5, 6}
    draw = layers.RandomZoom(0.5, seed=1).get_random_transformation(many)
    assert draw["height_zoom"] is draw["width_zoom"]
    flips = layers.RandomFlip(seed=1).get_random_transformation(many)["flips"]
    # Six standard deviations of a mean of 500 fair coins.
    assert abs(flips.mean() - 0.5) < 6 * 0.5 / 500**0.5
    draw = layers.Solarization((0.5, 0.6), seed=1).get_random_transformation(many)
    assert 127 <= draw["additions"].min() and draw["additions"].max() <= 153.1


@pytest.mark.parametrize(
    "size, shape", [((8, 16), (20, 20)), ((12, 12), (10, 20)), ((4, 4), (4, 4))]
)
def test_random_crop_in_inference_takes_the_middle(size, shape):
    images = RNG.random((1, *shape, 1)).astype("float32")
    cropped = layers.RandomCrop(*size)(images, training=False)
    expected = layers.Resizing(*size, crop_to_aspect_ratio=True)(images)
    np.testing.assert_allclose(cropped, expected, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["RandomRotation", "RandomContrast", "RandomFlip", "RandomSharpness"]
)
def test_gradients_reach_the_images(name):
    layer = make(name, seed=3, dtype="float64")
    x, direction = IMAGES.astype("float64") / 4 + 90, RNG.normal(size=IMAGES.shape)
    choices = layer.get_random_transformation(x)
    with Recording(Run(training=True, recording=True)) as rec:
        tracked = rec.track(x)
        y = layer.transform_images(tracked, choices)
    dy = RNG.normal(size=y.shape)
    dx = rec.reverse([(y.slot, dy)])[tracked.slot]
    step = 1e-3
    ends = [
        layer.transform_images(x + sign * step * direction, choices).numpy() for sign in (1, -1)
    ]
    slope = ((ends[0] - ends[1]) / (2 * step) * dy).sum()
    # The layers are linear here; places of reading are float32.
    np.testing.assert_allclose((dx * direction).sum(), slope, rtol=1e-6)


def test_boxes_are_cut_off_and_filled_up():
    layer = layers.MaxNumBoundingBoxes(2, fill_value=-5, bounding_box_format="xyxy")
    for count, labels in ((1, [0, -5]), (3, [0, 1])):
        boxes = {"boxes": np.ones((count, 4)), "labels": np.arange(count)}
        found = layer({"images": IMAGES[0], "bounding_boxes": boxes})["bounding_boxes"]
        assert found["boxes"].shape == (2, 4)
        assert found["labels"].numpy().tolist() == labels


def test_a_pipeline_of_layers_passes_training_on():
    steps = [layers.RandomFlip(seed=1), layers.Rescaling(1 / 255), layers.Resizing(4, 4)]
    pipeline = layers.Pipeline(steps)
    still = pipeline(IMAGES, training=False)
    np.testing.assert_allclose(still, layers.Resizing(4, 4)(IMAGES / 255), rtol=1e-5)
    assert gap(pipeline(IMAGES, training=True) - still) > 0.01
    twin = layers.deserialize(layers.serialize(pipeline))
    assert [type(one) for one in twin.layers] == [type(one) for one in steps]
    inputs = keras.Input((9, 8, 3))
    assert keras.Model(inputs, pipeline(inputs)).predict(IMAGES, verbose=0).shape == (4, 4, 4, 3)


@pytest.mark.parametrize(
    "make_it, message",
    [
        (lambda: layers.RandomFlip("sideways"), "mode"),
        (lambda: layers.RandomRotation(2.0), "factor"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "factor"),
        (lambda: layers.RandomZoom(-1.0), "height_factor"),
        (lambda: layers.RandomZoom(0.1, "a"), "width_factor"),
        (lambda: layers.RandomShear(x_factor=-0.1), "x_factor"),
        (lambda: layers.RandomPerspective(scale=2.0), "scale"),
        (lambda: layers.RandomBrightness(0.1, value_range=3), "value_range"),
        (lambda: layers.RandomGrayscale(1.5), "factor"),
        (lambda: layers.RandomPosterization(9), "factor"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), "kernel_size"),
        (lambda: layers.RandomErasing(fill_value=(1, 2)), "fill_value"),
        (lambda: layers.MixUp(alpha=0), "alpha"),
        (lambda: layers.Resizing(0, 4), "height"),
        (lambda: layers.RandomFlip()(np.ones((2, 2)), training=True), "rank 3"),
        (lambda: layers.Resizing(2, 2, interpolation="x")(IMAGES), "interpolation"),
        (lambda: layers.Pipeline.from_config({"name": "a"}), "layers"),
        (lambda: layers.deserialize({"class_name": "Adam", "config": {}}), "layer|Adam"),
        (lambda: layers.MelSpectrogram(64, sequence_length=65), "fft_length"),
        (lambda: layers.STFTSpectrogram("loud"), "mode"),
        (lambda: layers.STFTSpectrogram(frame_length=8, frame_step=9), "frame_step"),
        (lambda: layers.STFTSpectrogram(frame_length=8, fft_length=4), "fft_length"),
        (lambda: layers.STFTSpectrogram(window="x"), "x"),
    ],
)
def test_messages(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()


@pytest.mark.parametrize("option", ["fill_mode", "interpolation"])
def test_unknown_modes_of_reading(option):
    with pytest.raises(NotImplementedError, match=option):
        layers.RandomRotation(0.1, **{option: "x"})


@pytest.mark.parametrize("samples", [1023, 1024, 1025])
def test_spectrograms_have_the_shape_that_is_promised(samples):
    sound = RNG.normal(size=(2, samples)).astype("float32")
    layer = layers.MelSpectrogram(64, 32, num_mel_bins=8, sampling_rate=400)
    assert layer.compute_output_shape(sound.shape) == layer(sound).shape
    for mode in ("log", "stft"):
        for padding in ("valid", "same"):
            for data_format in ("channels_last", "channels_first"):
                for expand_dims in (False, True):
                    layer = layers.STFTSpectrogram(
                        mode,
                        16,
                        padding=padding,
                        data_format=data_format,
                        expand_dims=expand_dims,
                    )
                    signals = np.stack([sound] * 3, axis=-1 if data_format[9] == "l" else 1)
                    assert layer.compute_output_shape(signals.shape) == layer(signals).shape


def test_an_fft_length_that_is_no_power_of_two_warns():
    with pytest.warns(UserWarning, match="power of two"):
        layers.STFTSpectrogram(frame_length=8, fft_length=12)


def test_the_kernels_of_an_stft_train():
    signals = RNG.normal(size=(8, 64, 1)).astype("float32")
    model = keras.Sequential(
        [keras.Input((64, 1)), layers.STFTSpectrogram("magnitude", 8), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()
    model.fit(signals, RNG.normal(size=(8, 15, 1)), epochs=1, verbose=0)
    for old, new in zip(before, model.layers[0].get_weights()):
        assert gap(old - new) > 0
