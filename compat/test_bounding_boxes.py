"""`utils.bounding_boxes` against Keras."""

import keras
import numpy as np
import pytest

import minikeras

FORMATS = (
    "xyxy yxyx xywh center_xywh center_yxhw rel_xyxy rel_yxyx rel_xywh rel_center_xywh".split()
)
SIZE = {"height": 20, "width": 30}


def both(name, *args, **kwargs):
    ours = getattr(minikeras.utils.bounding_boxes, name)(*args, **kwargs)
    theirs = getattr(keras.utils.bounding_boxes, name)(*args, **kwargs)
    return ours, theirs


def same(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def boxes(*shape):
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 12, (*shape, 2))
    return np.concatenate([first, first + rng.uniform(1, 8, (*shape, 2))], -1).astype("float32")


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_convert_format(source, target):
    same(*both("convert_format", boxes(2, 5) / 20, source, target, **SIZE))
    same(*both("convert_format", boxes(5), source.upper(), target, **SIZE, dtype="float64"))


def test_convert_format_of_a_dict():
    ours, theirs = (
        one.utils.bounding_boxes.convert_format({"boxes": boxes(3), "labels": 1}, "xyxy", "xywh")
        for one in (minikeras, keras)
    )
    assert ours["labels"] == theirs["labels"] == 1
    same(ours["boxes"], theirs["boxes"])


@pytest.mark.parametrize("kind", ["xyxy", "rel_xyxy"])
def test_clip_to_image_size(kind):
    found = {"boxes": boxes(2, 6) * 3 - 10, "labels": np.arange(12).reshape(2, 6)}
    ours, theirs = both("clip_to_image_size", found, **SIZE, bounding_box_format=kind)
    same(ours["boxes"], theirs["boxes"])
    np.testing.assert_array_equal(ours["labels"], theirs["labels"])


def test_crop_and_pad():
    same(*both("crop", boxes(2, 5), 2, 3, 8, 9))
    same(*both("pad", boxes(2, 5), 2, 3))


@pytest.mark.parametrize("center", [None, 0.3])
def test_affine_transform(center):
    rng = np.random.default_rng(1)
    numbers = [rng.uniform(-0.4, 0.4, 3).astype("float32") for _ in range(3)]
    shear = [rng.uniform(-20, 20, 3).astype("float32") for _ in range(2)]
    angle, x, y = numbers[0] * 100, numbers[1], numbers[2]
    scale = rng.uniform(0.5, 2, 3).astype("float32")
    args = (boxes(3, 4), *map(keras.ops.convert_to_tensor, (angle, x, y, scale, *shear)), 20, 30)
    theirs = keras.utils.bounding_boxes.affine_transform(*args, center_x=center, center_y=center)
    ours = minikeras.utils.bounding_boxes.affine_transform(
        boxes(3, 4), angle, x, y, scale, *shear, 20, 30, center_x=center, center_y=center
    )
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_deltas(encoding, variance):
    kinds = ("xyxy", "xywh", encoding, variance)
    ours, theirs = both("encode_box_to_deltas", boxes(6), boxes(2, 6)[..., ::-1], *kinds)
    same(ours, theirs)
    same(*both("decode_deltas_to_boxes", boxes(6), np.asarray(theirs), *kinds))
    ours, theirs = both("decode_deltas_to_boxes", {1: boxes(6)}, {1: np.asarray(theirs)}, *kinds)
    same(ours[1], theirs[1])


@pytest.mark.parametrize("shapes", [((4,), (5,)), ((2, 4), (2, 5)), ((2, 4), (5,))])
@pytest.mark.parametrize("kind", ["xyxy", "rel_yxyx", "center_xywh"])
def test_iou(shapes, kind):
    first, second = boxes(*shapes[0]), boxes(*shapes[1]) + 1
    same(*both("compute_iou", first, second, kind, image_shape=(20, 30, 3)))


def test_iou_masks():
    first, second = boxes(4), boxes(5)
    first[1], second[2] = -1, -1
    same(*both("compute_iou", first, second, "xyxy", use_masking=True, mask_val=-2))


@pytest.mark.parametrize("kind", ["xyxy", "xywh", "center_yxhw"])
def test_ciou(kind):
    same(*both("compute_ciou", boxes(2, 4), boxes(2, 4) + 1.5, kind))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("convert_format", (np.zeros((2, 3)), "xyxy", "xywh")),
        ("convert_format", (np.zeros((2, 4)), "xyxy", "corners")),
        ("convert_format", (np.zeros((2, 4)), "xyxy", "rel_xyxy")),
        ("clip_to_image_size", ({"boxes": np.zeros((2, 4))},)),
        ("compute_iou", (np.zeros(4), np.zeros((2, 4)), "xyxy")),
        ("compute_iou", (np.zeros((2, 4)), np.zeros((2, 4)), "rel_xyxy")),
        ("encode_box_to_deltas", (boxes(2), boxes(2), "xyxy", "xyxy", "xyxy")),
        ("encode_box_to_deltas", (boxes(2), boxes(2), "xyxy", "xyxy", "center_xywh", [1.0])),
    ],
)
def test_refusals(name, args):
    for one in (minikeras, keras):
        with pytest.raises(ValueError):
            getattr(one.utils.bounding_boxes, name)(*args)
