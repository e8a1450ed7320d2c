"""Images turned, moved, bent, scaled and brightened, as `ImageDataGenerator` does it.

Interpolation of order 0 and 1 is NumPy; splines of higher orders need SciPy, brightness Pillow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.utils.image_utils import array_to_img, img_to_array

_FILL_MODES = ("constant", "nearest", "reflect", "wrap")


def _place(x: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Where a coordinate outside of an axis is read; NaN: nowhere."""
    if mode == "constant":
        return np.where((x < 0) | (x > size - 1), np.nan, x)
    if mode == "nearest" or size == 1:
        return np.clip(x, 0, size - 1)
    if mode == "wrap":  # SciPy's: the last pixel is the first one of the next period
        return np.where((x < 0) | (x > size - 1), x % (size - 1), x)
    x = x % (2 * size)
    return np.where(x >= size, 2 * size - 1 - x, x)


def _sample(
    planes: np.ndarray, matrix: np.ndarray, offset: np.ndarray, mode: str, cval: float, order: int
) -> np.ndarray:
    """Planes of shape (channels, rows, columns), read at `matrix @ (row, column) + offset`."""
    rows, columns = planes.shape[1:]
    grid = np.mgrid[:rows, :columns].reshape(2, -1).astype("float64")
    row, column = matrix @ grid + offset[:, None]
    row, column = _place(row, rows, mode), _place(column, columns, mode)
    outside = np.isnan(row) | np.isnan(column)
    row, column = np.where(outside, 0, row), np.where(outside, 0, column)

    def read(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        # A reflected coordinate may lie between -1 and 0, or past the end: beside the edge pixel.
        i = np.clip(row, 0, rows - 1).astype("int64")
        j = np.clip(column, 0, columns - 1).astype("int64")
        return planes[:, i, j]

    if order == 0:
        result = read(np.floor(row + 0.5), np.floor(column + 0.5)).astype("float64")
    else:
        top, left = np.floor(row), np.floor(column)
        down, right = row - top, column - left
        result = (1 - down) * ((1 - right) * read(top, left) + right * read(top, left + 1))
        result += down * ((1 - right) * read(top + 1, left) + right * read(top + 1, left + 1))
    result[:, outside] = cval
    return result.reshape(planes.shape).astype(planes.dtype)


def _spline(
    planes: np.ndarray, matrix: np.ndarray, offset: np.ndarray, mode: str, cval: float, order: int
) -> np.ndarray:
    try:
        from scipy import ndimage
    except ImportError:
        raise ImportError(
            f"Interpolation of order {order} needs SciPy. Install it (`pip install scipy`), or use"
            " an order of 0 (nearest) or 1 (linear)."
        ) from None
    return np.stack(
        [
            ndimage.affine_transform(plane, matrix, offset, order=order, mode=mode, cval=cval)
            for plane in planes
        ]
    )


def apply_affine_transform(
    x: Any,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """Turns, moves, bends and scales an image, around its centre.

    Args:
        x: Image of rank 3.
        theta: Angle of rotation in degrees. Defaults to 0.
        tx: Shift along the columns, in pixels. Defaults to 0.
        ty: Shift along the rows, in pixels. Defaults to 0.
        shear: Angle of shearing in degrees. Defaults to 0.
        zx: Zoom along the columns; below 1 the image grows. Defaults to 1.
        zy: Zoom along the rows. Defaults to 1.
        row_axis: Axis of rows. Defaults to 1.
        col_axis: Axis of columns. Defaults to 2.
        channel_axis: Axis of channels, 0 or 2. Defaults to 0.
        fill_mode: What is outside: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`. Defaults to
            `"nearest"`.
        cval: Value outside with `"constant"`. Defaults to 0.
        order: Order of interpolation: 0 nearest, 1 linear; from 2 to 5 splines, which need SciPy.
            Defaults to 1.

    Returns:
        An image of the same shape and dtype.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> import minikeras, numpy as np
    >>> image = np.arange(9.0).reshape(3, 3, 1)
    >>> turned = minikeras.preprocessing.image.apply_affine_transform(
    ...     image, theta=90, row_axis=0, col_axis=1, channel_axis=2)
    >>> turned[:, :, 0].round().tolist()
    [[2.0, 5.0, 8.0], [1.0, 4.0, 7.0], [0.0, 3.0, 6.0]]
    """
    x = np.asarray(x)
    if sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2]:
        raise ValueError(
            "'row_axis', 'col_axis', and 'channel_axis' must be 0, 1 and 2 in some order."
            f" Received: {row_axis}, {col_axis} and {channel_axis}"
        )
    if x.ndim != 3:
        raise ValueError(f"Input arrays must be multi-channel 2D images. Received: {x.shape}")
    if channel_axis == 1:
        raise ValueError("`channel_axis` must be the first or the last axis. Received: 1")
    if fill_mode not in _FILL_MODES:
        raise ValueError(f"`fill_mode` must be one of {_FILL_MODES}. Received: {fill_mode!r}")
    if order not in range(6):
        raise ValueError(f"The order of interpolation must be from 0 to 5. Received: {order}")
    turn, bend = np.deg2rad(theta), np.deg2rad(shear)
    matrix = np.eye(3)  # of (column, row, 1)
    if theta:
        cos, sin = np.cos(turn), np.sin(turn)
        matrix = matrix @ [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]
    if tx or ty:
        matrix = matrix @ [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    if shear:
        matrix = matrix @ [[1, -np.sin(bend), 0], [0, np.cos(bend), 0], [0, 0, 1]]
    if zx != 1 or zy != 1:
        matrix = matrix @ np.diag([zx, zy, 1.0])
    if np.array_equal(matrix, np.eye(3)):
        return x
    if col_axis > row_axis:  # images are indexed by row first
        matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]
    planes = np.moveaxis(x, channel_axis, 0)
    centre = (np.array(planes.shape[1:]) - 1) / 2
    linear = matrix[:2, :2]
    offset = matrix[:2, 2] + centre - linear @ centre
    move = _sample if order < 2 else _spline
    return np.moveaxis(move(planes, linear, offset, fill_mode, cval, order), 0, channel_axis)


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """Adds a number to every value, within the range that the image has.

    Args:
        x: Image of rank 3.
        intensity: The number.
        channel_axis: Not used: all channels are shifted alike.
    """
    x = np.asarray(x)
    return np.clip(x + intensity, x.min(), x.max()).astype(x.dtype, copy=False)


def apply_brightness_shift(x: Any, brightness: float, scale: bool = True) -> np.ndarray:
    """Brightens or darkens an image with Pillow.

    Args:
        x: Image of rank 3, channels last.
        brightness: Factor: 1 changes nothing, 0 is black.
        scale: Whether the values are stretched to the range from 0 to 255 first. Defaults to True.
            Without, values outside of that range are, and return to their own range.

    Raises:
        ImportError: Pillow is not installed.
    """
    x = np.asarray(x)
    low, high = x.min(), x.max()
    outside = bool(low < 0 or high > 255)
    image = array_to_img(x, scale=outside or scale)
    from PIL import ImageEnhance

    shifted = img_to_array(ImageEnhance.Brightness(image).enhance(brightness))
    if outside and not scale:
        shifted = shifted / 255 * (high - low) + low
    return shifted


def random_rotation(
    x: Any,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Turns an image by up to `rg` degrees either way. See `apply_affine_transform`."""
    return apply_affine_transform(
        x,
        theta=np.random.uniform(-rg, rg),
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


def random_shift(
    x: Any,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Moves an image by up to a share `wrg` of its width and `hrg` of its height."""
    x = np.asarray(x)
    return apply_affine_transform(
        x,
        ty=np.random.uniform(-hrg, hrg) * x.shape[row_axis],
        tx=np.random.uniform(-wrg, wrg) * x.shape[col_axis],
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


def random_shear(
    x: Any,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Bends an image by up to `intensity` degrees. See `apply_affine_transform`."""
    return apply_affine_transform(
        x,
        shear=np.random.uniform(-intensity, intensity),
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


def random_zoom(
    x: Any,
    zoom_range: Any,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Scales an image by factors from the range `zoom_range`. See `apply_affine_transform`."""
    if np.shape(zoom_range) != (2,):
        raise ValueError(f"`zoom_range` must be two numbers. Received: {zoom_range}")
    same = zoom_range[0] == zoom_range[1] == 1
    zx, zy = (1, 1) if same else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return apply_affine_transform(
        x,
        zx=zx,
        zy=zy,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0) -> np.ndarray:
    """Adds a number of up to `intensity_range` either way to every value."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range))


def random_brightness(x: Any, brightness_range: Any, scale: bool = True) -> np.ndarray:
    """Brightens or darkens an image by a factor from the range `brightness_range`."""
    if np.shape(brightness_range) != (2,):
        raise ValueError(f"`brightness_range` must be two numbers. Received: {brightness_range}")
    return apply_brightness_shift(x, np.random.uniform(*brightness_range), scale)
