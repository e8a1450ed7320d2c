"""Weights in few bits: rounding to integers, two of four bits in a byte, and back to floats."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def pack(x: Array, axis: int) -> Array:
    """Pairs of neighbours along `axis` in one byte each, the first in its low four bits."""
    x = np.moveaxis(x, axis, 0)
    if len(x) % 2:
        x = np.concatenate([x, np.zeros_like(x[:1])])
    return np.ascontiguousarray(np.moveaxis((x[::2] & 15) | (x[1::2] << 4), 0, axis))


def unpack(packed: Array, size: int, axis: int, dtype: Any = "int8") -> Array:
    """The integers that `pack` packed; `size` of them along `axis`, from -8 to 7 if signed."""
    packed = np.moveaxis(packed, axis, 0)
    pairs = np.stack([packed & 15, (packed >> 4) & 15], axis=1)
    values = pairs.reshape(-1, *packed.shape[1:])[:size].astype(dtype)
    if values.dtype.kind == "i":
        values = (values ^ 8) - 8
    return np.moveaxis(values, 0, axis)


def abs_max(x: Array, axis: Any, value_range: tuple, epsilon: float) -> tuple[Array, Array]:
    """Integers, as floats, and the scale that `x` was multiplied with for them."""
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    low, high = value_range
    scale = high / (np.abs(x).max(axis=axis, keepdims=True) + x.dtype.type(epsilon))
    return np.clip(np.rint(x * scale), low, high), scale


def grouped(x: Array, size: int, value_range: tuple, epsilon: float) -> tuple[Array, Array, Array]:
    """Each `size` rows of a matrix as integers, with a scale and a zero point a column.

    The range of a group includes 0, so that zero points are integers of the range.
    """
    low, high = value_range
    rows, columns = x.shape
    count = -(-rows // size)
    padded = np.zeros((count * size, columns), x.dtype)
    padded[:rows] = x
    groups = padded.reshape(count, size, columns)
    least = np.minimum(groups.min(axis=1, keepdims=True), 0)
    most = np.maximum(groups.max(axis=1, keepdims=True), 0)
    scale = (most - least + x.dtype.type(epsilon)) / (high - low)
    zero = np.clip(np.rint(-least / scale) + low, low, high)
    values = np.clip(np.rint(groups / scale) + zero, low, high).reshape(-1, columns)[:rows]
    return values, scale[:, 0], zero[:, 0]


def parameters(
    x: Array,
    bits: int,
    symmetric: bool = False,
    per_channel: bool = False,
    group_size: int = -1,
) -> tuple[Array, Array, float]:
    """Scales and zero points for the rows of a matrix, or for groups of their columns.

    Returns:
        The scales and the zero points, of shape `(rows, groups)`, and the largest integer.
    """
    rows, size = x.shape[0], x.shape[1]
    count = -(-size // group_size) if per_channel and group_size > 0 else 1
    if count > 1:
        x = np.pad(x, [(0, 0), (0, count * group_size - size)]).reshape(rows, count, group_size)
    else:
        x = x.reshape(rows if per_channel else 1, 1, -1)
    least, most = np.minimum(x.min(axis=2), 0), np.maximum(x.max(axis=2), 0)
    if symmetric:
        most = np.maximum(-least, most)
        least = -most
    empty = least == most
    least, most = least - empty, most + empty
    largest = 2**bits - 1
    scale = ((most - least) / largest).astype(x.dtype, copy=False)
    zero = np.full_like(scale, (largest + 1) / 2) if symmetric else np.rint(-least / scale)
    if not per_channel:
        scale, zero = np.tile(scale, (rows, 1)), np.tile(zero, (rows, 1))
    return scale, zero.astype("uint8"), float(largest)


def to_levels(x: Any, scale: Any, zero: Any, largest: Any) -> Array:
    """`x` in integers from 0 to `largest`, kept as floats."""
    scale = np.asarray(scale)
    scale = np.where(scale == 0, scale.dtype.type(1e-8), scale)
    return np.clip(np.rint(np.asarray(x) / scale + np.asarray(zero, scale.dtype)), 0, largest)


def from_levels(x: Any, scale: Any, zero: Any) -> Array:
    """The floats that `to_levels`, or `grouped`, rounded."""
    scale = np.asarray(scale)
    return (np.asarray(x) - np.asarray(zero, scale.dtype)) * scale


def groups_to_levels(
    x: Any, scale: Any, zero: Any, groups: Any, largest: Any, axis: int = -1
) -> Array:
    """`to_levels` with scales and zero points by group; `groups` has one for each position."""
    return to_levels(x, *_spread(scale, zero, groups, axis), largest)


def groups_from_levels(x: Any, scale: Any, zero: Any, groups: Any, axis: int = -1) -> Array:
    """`from_levels` with scales and zero points by group; `groups` has one for each position."""
    return from_levels(x, *_spread(scale, zero, groups, axis))


def _spread(scale: Any, zero: Any, groups: Any, axis: int) -> tuple[Array, Array]:
    index = np.asarray(groups).astype("int32")
    return np.take(np.asarray(scale), index, axis), np.take(np.asarray(zero), index, axis)
