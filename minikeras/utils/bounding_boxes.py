"""Boxes around objects in images: formats, deltas to anchors, overlap, and moving them with images.

A format says what the four numbers of a box are. `xyxy`: left, top, right, bottom; `yxyx`: top,
left, bottom, right; `xywh`: left, top, width, height; `center_xywh` and `center_yxhw`: the center
and the sizes. With `rel_` before it, they are shares of the image's width and height.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import ops
from minikeras.config import epsilon

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)
# A layout says where x and y (first points or centers), then the second pair, stand.
_ORDER = {"xyxy": (0, 1, 2, 3), "xywh": (0, 1, 2, 3), "yxyx": (1, 0, 3, 2), "yxhw": (1, 0, 3, 2)}
_ENCODINGS = ("center_xywh", "center_yxhw")


def _columns(boxes: Any) -> list:
    return ops.split(boxes, 4, axis=-1)


def _to_corners(boxes: Any, layout: str) -> list:
    """Left, top, right, bottom."""
    kind = layout.removeprefix("center_")
    columns = _columns(boxes)
    x, y, a, b = (columns[position] for position in _ORDER[kind])
    if kind in ("xyxy", "yxyx"):
        return [x, y, a, b]
    if layout.startswith("center_"):
        return [x - a / 2.0, y - b / 2.0, x + a / 2.0, y + b / 2.0]
    return [x, y, x + a, y + b]


def _from_corners(corners: list, layout: str) -> list:
    left, top, right, bottom = corners
    kind = layout.removeprefix("center_")
    rows = corners
    if kind not in ("xyxy", "yxyx"):
        width, height = right - left, bottom - top
        rows = [left, top, width, height]
        if layout.startswith("center_"):
            rows = [left + width / 2.0, top + height / 2.0, width, height]
    return [rows[position] for position in _ORDER[kind]]


def convert_format(
    boxes: Any,
    source: str,
    target: str,
    height: Any = None,
    width: Any = None,
    dtype: str = "float32",
) -> Any:
    """Boxes of one format in another.

    Args:
        boxes: Array of shape (..., 4), or a dict with such an array under `"boxes"`.
        source: The format they have.
        target: The format they shall have.
        height: Height of the image. Needed for relative formats.
        width: Width of the image. Needed for relative formats.
        dtype: Dtype of the result, default `"float32"`.

    Raises:
        ValueError: for unknown formats, boxes without four numbers, or missing sizes.

    Example:

    >>> import minikeras
    >>> boxes = [[10, 20, 30, 50]]
    >>> minikeras.utils.bounding_boxes.convert_format(boxes, "xyxy", "xywh").numpy().tolist()
    [[10.0, 20.0, 20.0, 30.0]]
    """
    if isinstance(boxes, dict):
        converted = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": converted}
    boxes = ops.convert_to_tensor(boxes)
    if not boxes.shape or boxes.shape[-1] != 4:
        raise ValueError(
            "`boxes` must be a tensor with the last dimension of 4. Received:"
            f" boxes.shape={tuple(boxes.shape)}"
        )
    source, target = source.lower(), target.lower()
    if source not in FORMATS or target not in FORMATS:
        raise ValueError(
            f"Invalid source or target format. Supported formats: {FORMATS}. Received:"
            f" source={source!r}, target={target!r}"
        )
    relative = [one.startswith("rel_") for one in (source, target)]
    if any(relative) and (width is None or height is None):
        raise ValueError(
            "convert_format() must receive `height` and `width` for relative formats. Received:"
            f" source={source!r}, target={target!r}, height={height}, width={width}"
        )
    boxes = ops.cast(boxes, dtype)
    if source == target:
        return boxes
    corners = _to_corners(boxes, source.removeprefix("rel_"))
    if relative[0] != relative[1]:
        sizes = [ops.cast(size, dtype) for size in (width, height, width, height)]
        change = ops.multiply if relative[0] else ops.divide
        corners = [change(corner, size) for corner, size in zip(corners, sizes)]
    return ops.concatenate(_from_corners(corners, target.removeprefix("rel_")), axis=-1)


def clip_to_image_size(
    bounding_boxes: dict, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> dict:
    """Boxes cut at the edges of the image. What is left without an area gets the label -1.

    Args:
        bounding_boxes: Dict of `"boxes"`, (N, 4) or (batch, N, 4), and perhaps `"labels"`.
        height: Height of the image. Needed for `"xyxy"`.
        width: Width of the image. Needed for `"xyxy"`.
        bounding_box_format: `"xyxy"` (default) or `"rel_xyxy"`.

    Example:

    >>> import minikeras
    >>> found = {"boxes": [[-5.0, 2.0, 8.0, 9.0]], "labels": [1]}
    >>> clip = minikeras.utils.bounding_boxes.clip_to_image_size
    >>> clip(found, height=6, width=6)["boxes"].numpy().tolist()
    [[0.0, 2.0, 6.0, 6.0]]
    """
    _only(bounding_box_format, ("xyxy", "rel_xyxy"))
    if bounding_box_format == "xyxy":
        if height is None or width is None:
            raise ValueError(
                "`height` and `width` must be set if `bounding_box_format='xyxy'`. Received:"
                f" height={height}, width={width}"
            )
    else:
        height = width = 1.0
    boxes = ops.convert_to_tensor(bounding_boxes["boxes"])
    height, width = (ops.cast(size, boxes.dtype) for size in (height, width))
    left, top, right, bottom = _cut(_columns(boxes), height, width)
    result = {**bounding_boxes, "boxes": ops.concatenate([left, top, right, bottom], axis=-1)}
    labels = bounding_boxes.get("labels")
    if labels is not None:
        area = ops.squeeze((right - left) * (bottom - top), axis=-1)
        result["labels"] = ops.where(area > 0, labels, -1)
    return result


def _cut(corners: list, height: Any, width: Any) -> list:
    return [ops.clip(one, 0, limit) for one, limit in zip(corners, (width, height, width, height))]


def _only(bounding_box_format: str, allowed: tuple = ("xyxy",)) -> None:
    if bounding_box_format not in allowed:
        raise NotImplementedError(
            f"`bounding_box_format` must be one of {allowed}; use `convert_format` first. Received:"
            f" bounding_box_format={bounding_box_format!r}"
        )


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Any:
    """Boxes in a part of the image, cut at its edges.

    Args:
        boxes: Array of shape (N, 4) or (batch, N, 4).
        top: Where the part begins, vertically.
        left: Where it begins, horizontally.
        height: Its height.
        width: Its width.
        bounding_box_format: `"xyxy"`.
    """
    _only(bounding_box_format)
    corners = [one - offset for one, offset in zip(_columns(boxes), (left, top, left, top))]
    return ops.concatenate(_cut(corners, height, width), axis=-1)


def pad(
    boxes: Any,
    top: Any,
    left: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """Boxes in an image that got rows above and columns on its left.

    Args:
        boxes: Array of shape (N, 4) or (batch, N, 4).
        top: Number of rows.
        left: Number of columns.
        height: Not used.
        width: Not used.
        bounding_box_format: `"xyxy"`.
    """
    _only(bounding_box_format)
    moved = [one + offset for one, offset in zip(_columns(boxes), (left, top, left, top))]
    return ops.concatenate(moved, axis=-1)


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """The boxes around rotated, moved, scaled and sheared boxes.

    Args:
        boxes: Array of shape (batch, N, 4).
        angle: Degrees of the rotation, of shape (batch,).
        translate_x: Share of the width to move by, of shape (batch,).
        translate_y: Share of the height to move by, of shape (batch,).
        scale: Factor of the size, of shape (batch,).
        shear_x: Degrees of the shear along x, of shape (batch,).
        shear_y: Degrees of the shear along y, of shape (batch,).
        height: Height of the image.
        width: Width of the image.
        center_x: Center as a share of the width, default 0.5.
        center_y: Center as a share of the height, default 0.5.
        bounding_box_format: `"xyxy"`.
    """
    _only(bounding_box_format)
    angle = ops.convert_to_tensor(angle)
    dtype = angle.dtype
    radians = math.pi / 180.0
    center = [
        ops.multiply(0.5 if share is None else share, size - 1)
        for share, size in ((center_x, width), (center_y, height))
    ]
    moved = [
        middle - ops.multiply(share, size - 1)
        for middle, share, size in zip(center, (translate_x, translate_y), (width, height))
    ]
    rotation, shear_x, shear_y = (-one * radians for one in (angle, shear_x, shear_y))
    # Rotation, shear along y, shear along x; its inverse, as the determinant is 1.
    a = ops.cos(rotation - shear_y) / ops.cos(shear_y)
    b = a * ops.tan(shear_x) + ops.sin(rotation)
    c = -ops.sin(rotation - shear_y) / ops.cos(shear_y)
    d = ops.cos(rotation) - c * ops.tan(shear_x)
    rows = []
    for first, second, middle in ((d, -b, center[0]), (-c, a, center[1])):
        first, second = first * scale, second * scale
        rows.append([first, second, middle - first * moved[0] - second * moved[1]])
    matrix = ops.stack([ops.stack(row, axis=-1) for row in rows], axis=1)
    left, top, right, bottom = _columns(ops.cast(boxes, dtype))
    x = ops.concatenate([left, right, right, left], axis=-1)
    y = ops.concatenate([top, top, bottom, bottom], axis=-1)
    points = ops.stack([x, y, ops.ones_like(x)], axis=-1)
    points = ops.einsum("bnpk,bjk->bnpj", points, matrix)
    return ops.concatenate([ops.amin(points, axis=2), ops.amax(points, axis=2)], axis=-1)


def _sizes(image_shape: Any) -> tuple:
    return (None, None) if image_shape is None else tuple(image_shape)[:2]


def _variance(variance: Any) -> Any:
    if variance is None:
        return 1.0
    variance = ops.convert_to_tensor(variance, "float32")
    if variance.shape[-1] != 4:
        raise ValueError(f"`variance` must be length 4, got {variance}")
    return variance


def _encoding(name: str, value: str) -> None:
    if value not in _ENCODINGS:
        raise ValueError(f"`{name}` should be one of 'center_xywh' or 'center_yxhw', got {value!r}")


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """What a detector learns: offsets of boxes to anchors, and logarithms of ratios of sizes.

    Args:
        anchors: Array of shape (N, 4).
        boxes: Array of shape (N, 4) or (batch, N, 4).
        anchor_format: Format of `anchors`.
        box_format: Format of `boxes`.
        encoding_format: `"center_yxhw"` (default) or `"center_xywh"`.
        variance: Four numbers to divide the deltas by, or None.
        image_shape: (height, width, channels), for relative formats.
    """
    divisor = _variance(variance)
    _encoding("encoding_format", encoding_format)
    height, width = _sizes(image_shape)
    anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    boxes = convert_format(boxes, box_format, encoding_format, height, width)
    anchor_sizes = ops.maximum(anchors[..., 2:], epsilon())
    box_sizes = ops.maximum(boxes[..., 2:], epsilon())
    deltas = [
        (boxes[..., :2] - anchors[..., :2]) / anchor_sizes,
        ops.log(box_sizes / anchor_sizes),
    ]
    return ops.concatenate(deltas, axis=-1) / divisor


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """The boxes that `encode_box_to_deltas` made deltas of.

    Args:
        anchors: Array of shape (N, 4), or a dict of such.
        boxes_delta: Array of shape (N, 4) or (batch, N, 4), or a dict with the keys of `anchors`.
        anchor_format: Format of `anchors`.
        box_format: Format of the result.
        encoded_format: `"center_yxhw"` (default) or `"center_xywh"`.
        variance: Four numbers that the deltas were divided by, or None.
        image_shape: (height, width, channels), for relative formats.
    """
    factor = _variance(variance)
    _encoding("encoded_format", encoded_format)
    height, width = _sizes(image_shape)

    def decode(anchor: Any, delta: Any) -> Any:
        anchor = convert_format(anchor, anchor_format, encoded_format, height, width)
        delta = ops.multiply(delta, factor)
        box = [
            delta[..., :2] * anchor[..., 2:] + anchor[..., :2],
            ops.exp(delta[..., 2:]) * anchor[..., 2:],
        ]
        joined = ops.concatenate(box, axis=-1)
        return convert_format(joined, encoded_format, box_format, height, width)

    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        return {level: decode(anchor, boxes_delta[level]) for level, anchor in anchors.items()}
    return decode(anchors, boxes_delta)


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: Any = -1,
    image_shape: Any = None,
) -> Any:
    """Area of the intersection by area of the union, of every pair of boxes.

    Args:
        boxes1: Array of shape (M, 4) or (batch, M, 4).
        boxes2: Array of shape (N, 4) or (batch, N, 4).
        bounding_box_format: Format of both.
        use_masking: Boolean, default False. Whether pairs with a box that is negative throughout
            get `mask_val`.
        mask_val: Default -1.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        Array of shape (M, N) or (batch, M, N).
    """
    ranks = [len(np.shape(boxes)) for boxes in (boxes1, boxes2)]
    for name, rank in zip(("boxes1", "boxes2"), ranks):
        if rank not in (2, 3):
            raise ValueError(
                f"`compute_iou` expects `{name}` of 2 axes, or 3 with a batch. Received: ranks"
                f" {ranks[0]} and {ranks[1]}"
            )
    if "rel" in bounding_box_format and image_shape is None:
        raise ValueError(
            "When using relative bounding box formats the `image_shape` argument must be provided."
            f" Received `image_shape`: {image_shape}"
        )
    height, width = _sizes(image_shape)
    first, second = (
        convert_format(boxes, bounding_box_format, "xyxy", height, width)
        for boxes in (boxes1, boxes2)
    )
    left, top, right, bottom = _columns(first)
    others = [ops.swapaxes(one, -1, -2) for one in _columns(second)]
    zero = ops.cast(0, first.dtype)
    across = ops.maximum(zero, ops.minimum(right, others[2]) - ops.maximum(left, others[0]))
    down = ops.maximum(zero, ops.minimum(bottom, others[3]) - ops.maximum(top, others[1]))
    common = across * down
    area = (right - left) * (bottom - top)
    other_area = (others[2] - others[0]) * (others[3] - others[1])
    result = common / (area + other_area - common + epsilon())
    if not use_masking:
        return result
    outside = ops.logical_or(
        ops.amax(first, axis=-1, keepdims=True) < 0.0,
        ops.swapaxes(ops.amax(second, axis=-1, keepdims=True) < 0.0, -1, -2),
    )
    return ops.where(outside, ops.cast(mask_val, result.dtype), result)


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None
) -> Any:
    """Complete intersection over union, which also weighs distance and aspect (Zheng et al. 2020).

    Args:
        boxes1: Array of shape (..., 4).
        boxes2: Array of shape (..., 4).
        bounding_box_format: Format of both.
        image_shape: (height, width, channels), for relative formats.

    Raises:
        ValueError: for a relative format without `image_shape`.
    """
    if "rel" in bounding_box_format and image_shape is None:
        raise ValueError(
            "When using relative bounding box formats the `image_shape` argument must be provided."
            f" Received `image_shape`: {image_shape}"
        )
    height, width = _sizes(image_shape)
    small = epsilon()
    first, second = (
        ops.unstack(convert_format(boxes, bounding_box_format, "xyxy", height, width), 4, axis=-1)
        for boxes in (boxes1, boxes2)
    )
    sizes = [(box[2] - box[0], box[3] - box[1] + small) for box in (first, second)]
    lows = [(ops.maximum(a, b), ops.minimum(a, b)) for a, b in zip(first[:2], second[:2])]
    highs = [(ops.minimum(a, b), ops.maximum(a, b)) for a, b in zip(first[2:], second[2:])]
    inner = [ops.maximum(high[0] - low[0], 0) for low, high in zip(lows, highs)]
    hull = [high[1] - low[1] for low, high in zip(lows, highs)]
    common = inner[0] * inner[1]
    union = sizes[0][0] * sizes[0][1] + sizes[1][0] * sizes[1][1] - common + small
    iou = common / (union + small)
    diagonal = hull[0] ** 2 + hull[1] ** 2 + small
    distance = sum(
        ((first[axis] + first[axis + 2]) / 2 - (second[axis] + second[axis + 2]) / 2) ** 2
        for axis in (0, 1)
    )
    angles = [ops.arctan(across / down) for across, down in sizes]
    aspect = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
    weight = aspect / (aspect - iou + (1 + small))
    return iou - (distance / diagonal + aspect * weight)


__all__ = [
    "affine_transform",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "pad",
]
