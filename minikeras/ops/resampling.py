"""`ops.image.resize`, and colors of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels import windows as kernels
from minikeras.ops import reductions
from minikeras.ops.base import Kernel, composite, static, tensor
from minikeras.ops.core import cast
from minikeras.ops.elementwise import abs, clip
from minikeras.ops.indexing import get_item, where
from minikeras.ops.joining import concatenate


class Resize(Kernel):
    """See `resize`."""

    size: Any
    interpolation: Any = "bilinear"
    antialias: Any = False
    crop_to_aspect_ratio: Any = False
    pad_to_aspect_ratio: Any = False
    fill_mode: Any = "constant"
    fill_value: Any = 0.0
    data_format: Any = None

    def _size(self, shape: tuple) -> tuple[int, int]:
        size = static(self.size)
        if len(shape) not in (3, 4):
            raise ValueError(
                "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images)."
                f" Received input with shape: images.shape={tuple(shape)}"
            )
        if not isinstance(size, (list, tuple)) or len(size) != 2 or min(size) <= 0:
            raise ValueError(
                "Argument `size` must be a tuple of two integers: `size` must have positive height"
                " and width."
                f" Received: size={size!r}"
            )
        if self.interpolation not in kernels.INTERPOLATIONS:
            raise ValueError(
                "Invalid value for argument `interpolation`. Expected one of"
                f" {kernels.INTERPOLATIONS}. Received: interpolation={self.interpolation!r}"
            )
        if self.fill_mode != "constant":
            raise ValueError(
                "Argument `fill_mode` must be 'constant', the only one there is. Received:"
                f" fill_mode={self.fill_mode!r}"
            )
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError(
                "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`."
            )
        return int(size[0]), int(size[1])

    def _to_batch(self, x: np.ndarray) -> np.ndarray:
        x = x if x.ndim == 4 else x[None]
        return x if self.data_format == "channels_last" else np.moveaxis(x, 1, -1)

    def _from_batch(self, x: np.ndarray, ndim: int) -> np.ndarray:
        x = x if self.data_format == "channels_last" else np.moveaxis(x, -1, 1)
        return x if ndim == 4 else x[0]

    def _ratio(self, shape: tuple, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width with the aspect ratio of `size` that one side of `shape` allows."""
        height, width = shape[1:3]
        return (
            int(np.float32(width * size[0]) / np.float32(size[1])),
            int(np.float32(height * size[1]) / np.float32(size[0])),
        )

    def _window(self, shape: tuple, size: tuple[int, int]) -> tuple[slice, ...]:
        """The part of the image that `crop_to_aspect_ratio` keeps."""
        tall, wide = self._ratio(shape, size)
        parts = []
        for whole, kept in zip(shape[1:3], (tall, wide)):
            kept = max(min(whole, kept), 1)
            start = int(np.float32(whole - kept) / 2)
            parts.append(slice(start, start + kept))
        return (slice(None), *parts)

    def _borders(self, shape: tuple, size: tuple[int, int]) -> list[int]:
        """How much `pad_to_aspect_ratio` adds on either side of height and width."""
        return [
            int(np.float32(max(whole, wanted) - whole) / 2)
            for whole, wanted in zip(shape[1:3], self._ratio(shape, size))
        ]

    def forward(self, ctx: Any, images: Any) -> Any:
        size = self._size(images.shape)
        x = self._to_batch(images)
        ctx.shape, ctx.ndim, ctx.dtype = x.shape, images.ndim, images.dtype
        if self.crop_to_aspect_ratio:
            x = x[self._window(x.shape, size)]
        elif self.pad_to_aspect_ratio:
            rows, columns = self._borders(x.shape, size)
            if rows or columns:
                border = ((0, 0), (rows, rows), (columns, columns), (0, 0))
                x = np.pad(x, border, constant_values=self.fill_value)
        ctx.inner = x.shape[1:3]
        half = x.dtype == np.float16
        y = kernels.resize(
            x.astype(np.float32) if half else x, size, self.interpolation, self.antialias
        )
        return self._from_batch(_saturated(y, images.dtype), images.ndim)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind != "f":
            return None
        dy = self._to_batch(dy)
        dy = dy.astype(np.float32) if dy.dtype == np.float16 else dy
        inner = kernels.resize_gradient(dy, ctx.inner, self.interpolation, self.antialias)
        size = self._size(ctx.shape)
        if self.crop_to_aspect_ratio:
            dx = np.zeros(ctx.shape, dy.dtype)
            dx[self._window(ctx.shape, size)] = inner
        elif self.pad_to_aspect_ratio:
            rows, columns = self._borders(ctx.shape, size)
            dx = inner[:, rows : rows + ctx.shape[1], columns : columns + ctx.shape[2]]
        else:
            dx = inner
        return self._from_batch(dx.astype(ctx.dtype, copy=False), ctx.ndim)

    def compute_output_spec(self, images: Any) -> Any:
        height, width = self._size(images.shape)
        shape = list(images.shape)
        axis = -3 if self.data_format == "channels_last" else -2
        shape[axis], shape[axis + 1] = height, width
        return KerasTensor(tuple(shape), dtype=images.dtype)


def _saturated(y: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind not in "iu" or y.dtype == dtype:
        return y.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(y), limits.min, limits.max).astype(dtype)


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Resample images to another height and width.

    Args:
        images: Tensor of one image (3 axes) or a batch (4 axes).
        size: Tuple `(height, width)`.
        interpolation: `"bilinear"` (default), `"nearest"`, `"bicubic"`, `"lanczos3"`,
            `"lanczos5"` or `"area"`.
        antialias: Boolean, default False. Whether to smooth before making images smaller.
        crop_to_aspect_ratio: Boolean, default False. Whether to cut off the longer side first, so
            that nothing is distorted.
        pad_to_aspect_ratio: Boolean, default False. Whether to pad the shorter side first.
        fill_mode: `"constant"`, the only mode of padding.
        fill_value: Number, default 0. The padding.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Returns:
        Tensor of the same dtype; integers are rounded.

    Raises:
        ValueError: for another number of axes, an unknown method, or both aspect-ratio options.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.ops.image.resize(np.ones((2, 4, 4, 3), "float32"), (2, 8)).shape
    (2, 2, 8, 3)
    """
    operation = Resize(
        size,
        interpolation,
        antialias,
        crop_to_aspect_ratio,
        pad_to_aspect_ratio,
        fill_mode,
        fill_value,
        standardize_data_format(data_format),
    )
    return operation(images)


__all__ = ["resize"]


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
    value = reductions.max(images, axis=axis, keepdims=True)
    spread = value - reductions.min(images, axis=axis, keepdims=True)
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
