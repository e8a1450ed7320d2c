"""Colors of images."""

from __future__ import annotations

from typing import Any

from minikeras.config import standardize_data_format
from minikeras.engine import dtypes
from minikeras.ops.base import composite, tensor
from minikeras.ops.core import cast
from minikeras.ops.elementwise import abs, clip
from minikeras.ops.indexing import get_item, where
from minikeras.ops.joining import concatenate
from minikeras.ops.reductions import max, min


def check_rank(images: Any, name: str = "images") -> None:
    """Images have 3 axes, batches of them 4.

    Raises:
        ValueError: if not.
    """
    if len(images.shape) not in (3, 4):
        raise ValueError(
            f"Invalid {name} rank: expected rank 3 (single image) or rank 4 (batch of images)."
            f" Received input with shape: {name}.shape={tuple(images.shape)}"
        )


def _channel(images: Any, axis: int, index: int) -> Any:
    key = (Ellipsis, slice(index, index + 1)) + (slice(None),) * (-1 - axis)
    return get_item(images, key)


def _prepare(images: Any, data_format: Any) -> tuple[Any, int]:
    images = tensor(images)
    axis = -1 if standardize_data_format(data_format) == "channels_last" else -3
    check_rank(images)
    return images, axis


def _floats(images: Any) -> None:
    if dtypes.to_numpy_dtype(images.dtype).kind != "f":
        raise ValueError(
            "Invalid images dtype: expected float dtype. Received: images.dtype="
            f"{dtypes.standardize_dtype(images.dtype)}"
        )


def _three_channels(images: Any, axis: int) -> None:
    channels = images.shape[axis]
    if channels not in (3, None):
        raise ValueError(
            f"Input images must have 3 channels, but received images with {channels} channels."
        )


@composite(name="RGBToGrayscale")
def rgb_to_grayscale(images: Any, data_format: Any = None) -> Any:
    """Brightness: 0.2989 red + 0.587 green + 0.114 blue.

    Args:
        images: Tensor of shape (height, width, 3) or (batch, height, width, 3), or with the
            channels before height. Of one channel, they are returned as they are.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Returns:
        Tensor with one channel.

    Raises:
        ValueError: for another rank or number of channels.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.rgb_to_grayscale(minikeras.ops.ones((2, 2, 3))).shape
    (2, 2, 1)
    """
    images, axis = _prepare(images, data_format)
    if images.shape[axis] not in (1, 3):
        raise ValueError(
            "Invalid channel size: expected 3 (RGB) or 1 (Grayscale). Received input with shape:"
            f" images.shape={tuple(images.shape)}"
        )
    if images.shape[axis] == 1:
        return images
    dtype = images.dtype
    images = cast(images, dtypes.result_type(dtype, float))
    red, green, blue = (_channel(images, axis, i) for i in range(3))
    return cast(0.2989 * red + 0.5870 * green + 0.1140 * blue, dtype)


@composite(name="RGBToHSV")
def rgb_to_hsv(images: Any, data_format: Any = None) -> Any:
    """Red, green and blue as hue, saturation and value; all from 0 to 1.

    Args:
        images: Tensor of floats of 3 or 4 axes.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: for another rank, or if `images` is not of floats.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.rgb_to_hsv([[[1.0, 0.0, 0.0]]]).tolist()
    [[[0.0, 1.0, 1.0]]]
    """
    images, axis = _prepare(images, data_format)
    _floats(images)
    _three_channels(images, axis)
    red, green, blue = (_channel(images, axis, i) for i in range(3))
    value = max(images, axis=axis, keepdims=True)
    spread = value - min(images, axis=axis, keepdims=True)
    saturation = where(value > 0, spread / where(value > 0, value, 1.0), 0.0)
    safe = where(spread > 0, spread, 1.0)
    hue = where(
        value == red,
        (green - blue) / safe,
        where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    hue = where(spread > 0, hue / 6.0, 0.0)
    hue = where(hue < 0, hue + 1.0, hue)
    return concatenate([hue, saturation, value], axis=axis)


@composite(name="HSVToRGB")
def hsv_to_rgb(images: Any, data_format: Any = None) -> Any:
    """Hue, saturation and value as red, green and blue; all from 0 to 1.

    Args:
        images: Tensor of floats of 3 or 4 axes.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: for another rank, or if `images` is not of floats.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.hsv_to_rgb([[[0.0, 1.0, 1.0]]]).tolist()
    [[[1.0, 0.0, 0.0]]]
    """
    images, axis = _prepare(images, data_format)
    _floats(images)
    _three_channels(images, axis)
    hue, saturation, value = (_channel(images, axis, i) for i in range(3))
    turn = hue * 6.0
    colors = [abs(turn - 3.0) - 1.0, 2.0 - abs(turn - 2.0), 2.0 - abs(turn - 4.0)]
    parts = [(1.0 - saturation + saturation * clip(one, 0.0, 1.0)) * value for one in colors]
    return concatenate(parts, axis=axis)
