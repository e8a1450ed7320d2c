"""`ImageDataGenerator` and the functions beside it, against tf.keras."""

import os

import numpy as np
import pandas as pd
import pytest
import tf_keras
from PIL import Image

from minikeras.preprocessing import image as OURS

THEIRS = tf_keras.preprocessing.image
RNG = np.random.default_rng(3)
IMAGES = (RNG.random((7, 12, 12, 3)) * 255).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2, 1])
LAST = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
SETTINGS = {
    "nothing": {},
    "rotation": {"rotation_range": 40},
    "shear and zoom": {"shear_range": 20, "zoom_range": 0.3, "horizontal_flip": True},
    "zoom range": {"zoom_range": (0.5, 0.9), "vertical_flip": True},
    "channels": {"channel_shift_range": 30.0, "rescale": 1 / 255},
    "brightness": {"brightness_range": (0.2, 1.5)},
    "constant": {"rotation_range": 90, "fill_mode": "constant", "cval": 7.0},
    "reflect": {"rotation_range": 90, "zoom_range": (2, 3), "fill_mode": "reflect"},
    "wrap": {"rotation_range": 30, "zoom_range": (1, 2), "fill_mode": "wrap"},
    "cubic": {"rotation_range": 30, "interpolation_order": 3},
    "samples": {"samplewise_center": True, "samplewise_std_normalization": True},
    "features": {"featurewise_center": True, "featurewise_std_normalization": True},
    "whitening": {"zca_whitening": True, "featurewise_center": True, "zca_epsilon": 0.1},
    "function": {"preprocessing_function": lambda x: x[::-1] / 2, "rotation_range": 10},
    "channels first": {"data_format": "channels_first", "rotation_range": 10, "rescale": 0.5},
    "float64": {"dtype": "float64", "rotation_range": 10},
}


def both(**settings):
    return [module.ImageDataGenerator(**settings) for module in (OURS, THEIRS)]


def close(mine, theirs):
    assert type(mine) is type(theirs)
    if isinstance(mine, (tuple, list)):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs):
            close(one, other)
    else:
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-3)


def batches(flow, count=5):
    np.random.seed(11)
    return [next(flow) for _ in range(count)]


@pytest.mark.parametrize("name", SETTINGS)
def test_flow(name):
    settings = SETTINGS[name]
    images = IMAGES
    if settings.get("data_format") == "channels_first":
        images = IMAGES.transpose(0, 3, 1, 2)
    found = []
    for generator in both(**settings):
        generator.fit(images)
        found.append(batches(generator.flow(images, LABELS, batch_size=3)))
    close(*found)


@pytest.mark.parametrize("mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_affine_transforms(mode, order):
    draw = np.random.default_rng(0).uniform
    for _ in range(20):
        options = {
            "theta": draw(-180, 180),
            "tx": draw(-9, 9),
            "ty": draw(-30, 30),
            "shear": draw(-60, 60),
            "zx": draw(0.3, 3),
            "zy": draw(0.3, 3),
            "fill_mode": mode,
            "cval": 5.0,
            "order": order,
        }
        close(
            OURS.apply_affine_transform(IMAGES[0], **options, **LAST),
            THEIRS.apply_affine_transform(IMAGES[0], **options, **LAST),
        )
        first = IMAGES[0].transpose(2, 0, 1)
        close(
            OURS.apply_affine_transform(first, **options),
            THEIRS.apply_affine_transform(first, **options),
        )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("random_rotation", (30,)),
        ("random_shear", (20,)),
        ("random_zoom", ((0.5, 1.5),)),
        ("random_channel_shift", (20,)),
        ("random_brightness", ((0.5, 1.5),)),
        ("apply_channel_shift", (20,)),
        ("apply_brightness_shift", (0.7, False)),
    ],
)
@pytest.mark.parametrize("scale", [1, 3])
def test_random_functions(name, arguments, scale):
    axes = {"apply_channel_shift": 1, "random_channel_shift": 1}.get(name, 3)
    options = dict(list(LAST.items())[-1:] if axes == 1 else LAST)
    if "brightness" in name:
        options = {}
    found = []
    for module in (OURS, THEIRS):
        np.random.seed(5)
        found.append(getattr(module, name)(IMAGES[0] * scale, *arguments, **options))
    close(*found)


@pytest.mark.parametrize(
    "settings",
    [
        {"width_shift_range": 0.2, "height_shift_range": 0.3},
        {"width_shift_range": 3, "height_shift_range": [1, 4, 5]},
        {"width_shift_range": 2.5, "height_shift_range": [0.1, 0.3]},
        {"rotation_range": 3, "zoom_range": 0.1, "shear_range": 4, "channel_shift_range": 2.0},
        {"brightness_range": (1, 2), "horizontal_flip": True, "vertical_flip": True},
    ],
)
def test_draws(settings):
    """Theirs shift rows by the share of the width; the shifts themselves are the same."""
    for seed in range(10):
        mine, theirs = (one.get_random_transform((20, 10, 3), seed) for one in both(**settings))
        mine["tx"], mine["ty"] = mine["ty"], mine["tx"]
        assert mine == theirs


def test_fit_with_augmentation():
    mine, theirs = both(featurewise_center=True, featurewise_std_normalization=True, shear_range=9)
    for one in (mine, theirs):
        one.fit(IMAGES, augment=True, rounds=2, seed=4)
    close(mine.mean, theirs.mean)
    close(mine.std, theirs.std)


def test_order_of_batches():
    for options in ({"shuffle": True, "seed": 3}, {"shuffle": False}, {"shuffle": True}):
        found = []
        for generator in both():
            flow = generator.flow(IMAGES, LABELS, batch_size=2, **options)
            assert len(flow) == 4 and flow.n == 7 and flow.batch_size == 2
            found.append([y.tolist() for _, y in batches(flow, 9)])
            flow.reset()
            np.random.seed(2)
            found[-1] += [flow[index][1].tolist() for index in (0, 3, 1)]
            flow.on_epoch_end()
            found[-1] += [flow[index][1].tolist() for index in (0, 3, 1)]
        assert found[0] == found[1]


def test_what_comes_along():
    weights = np.arange(7.0)
    for x in (IMAGES, (IMAGES, [weights, LABELS]), [IMAGES, weights]):
        for y, w in ((LABELS, None), (LABELS, weights), (None, None)):
            found = [
                batches(one.flow(x, y, batch_size=4, sample_weight=w, seed=1)) for one in both()
            ]
            close(*found)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_subsets(subset):
    found = [
        batches(one.flow(IMAGES, LABELS, subset=subset, shuffle=False))
        for one in both(validation_split=3 / 7)
    ]
    close(*found)


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(0)
    for name, count in (("cats", 5), ("dogs", 4)):
        (tmp_path / name / "more").mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 255, (9 + number, 14, 3)).astype("uint8")
            below = "more" if number == 3 else ""
            Image.fromarray(pixels).save(tmp_path / name / below / f"{number}.png")
        (tmp_path / name / "notes.txt").write_text("no image")
    return tmp_path


@pytest.mark.parametrize("class_mode", ["categorical", "binary", "sparse", "input", None])
@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
def test_flow_from_directory(folder, class_mode, color_mode, capsys):
    found = []
    for generator in both(rescale=1 / 255, horizontal_flip=True):
        flow = generator.flow_from_directory(
            folder, (8, 6), color_mode, class_mode=class_mode, batch_size=4
        )
        found.append(batches(flow))
        found[-1].append([flow.samples, flow.n, flow.num_classes, *flow.image_shape])
        found[-1][-1] = np.array(found[-1][-1])
        found[-1].append(flow.classes)
        attributes = (flow.class_indices, flow.filenames, flow.filepaths, flow.class_mode)
        found.append(attributes)
    close(found[0], found[2])
    assert found[1] == found[3]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == printed[1] == "Found 9 images belonging to 2 classes."


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_parts_of_a_directory(folder, subset):
    flows = [
        one.flow_from_directory(
            folder, (8, 8), classes=["dogs", "cats"], subset=subset, interpolation="bilinear",
            keep_aspect_ratio=True, seed=8,
        )
        for one in both(validation_split=0.4)
    ]  # fmt: skip
    assert flows[0].filenames == flows[1].filenames
    assert flows[0].class_indices == flows[1].class_indices
    close(*(batches(flow) for flow in flows))


@pytest.mark.parametrize(
    "options",
    [
        {"class_mode": "categorical"},
        {"class_mode": "binary"},
        {"class_mode": "sparse", "classes": ["dog", "cat"]},
        {"class_mode": "categorical", "y_col": "several"},
        {"class_mode": "categorical", "y_col": "several", "classes": ["b", "a"]},
        {"class_mode": "raw", "y_col": "age"},
        {"class_mode": "raw", "y_col": ["age", "weight"]},
        {"class_mode": "multi_output", "y_col": ["age", "weight"]},
        {"class_mode": "input"},
        {"class_mode": None},
        {"class_mode": "sparse", "weight_col": "weight"},
        {"class_mode": "binary", "subset": "validation"},
        {"class_mode": "binary", "subset": "training", "validate_filenames": True},
    ],
    ids=str,
)
def test_flow_from_dataframe(folder, options):
    names = sorted(
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, files in os.walk(folder)
        for name in files
        if name.endswith("png")
    )
    table = pd.DataFrame(
        {
            "filename": [*names, "missing.png"],
            "class": ["cat"] * 5 + ["dog"] * 5,
            "several": [["a"], ["a", "b"], ["b"], ["c", "a"], ["a"]] * 2,
            "age": np.arange(10),
            "weight": np.linspace(0, 1, 10),
        }
    )
    flows = []
    for generator in both(validation_split=0.3):
        with pytest.warns(UserWarning, match="Found 1 invalid image filename"):
            flows.append(
                generator.flow_from_dataframe(
                    table, folder, target_size=(7, 7), batch_size=4, **options
                )
            )
    assert flows[0].filenames == flows[1].filenames
    assert getattr(flows[0], "class_indices", 0) == getattr(flows[1], "class_indices", 0)
    close(*(batches(flow) for flow in flows))


def test_images_are_saved(folder, tmp_path):
    counts = []
    for number, generator in enumerate(both(rotation_range=20)):
        place = tmp_path / f"out{number}"
        place.mkdir()
        flow = generator.flow(
            IMAGES, batch_size=3, save_to_dir=str(place), save_prefix="aug", save_format="jpeg"
        )
        batches(flow, 2)
        counts.append(sorted(os.listdir(place)))
    assert counts[0] == counts[1]


BAD = {
    "split": {"validation_split": 1.5},
    "zoom": {"zoom_range": (1, 2, 3)},
    "brightness": {"brightness_range": 2},
    "format": {"data_format": "nonsense"},
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    for module in (OURS, THEIRS):
        with pytest.raises(ValueError):
            module.ImageDataGenerator(**BAD[name])


def test_public_names():
    names = {name for name in dir(THEIRS) if not name.startswith("_")}
    assert names <= set(OURS.__all__)
