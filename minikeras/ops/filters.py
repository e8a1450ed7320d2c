"""Images blurred, cut, padded, compared, and taken apart into patches."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine import dtypes
from minikeras.ops.base import Kernel, composite, static, tensor
from minikeras.ops.convolutional import depthwise_conv
from minikeras.ops.core import cast
from minikeras.ops.indexing import get_item
from minikeras.ops.joining import stack
from minikeras.ops.layout import pad
from minikeras.ops.reductions import mean
from minikeras.ops.resampling import check_rank
from minikeras.ops.shaping import expand_dims, moveaxis, reshape, squeeze


def _bell(size: int, sigma: float) -> np.ndarray:
    x = np.arange(size) - (size - 1) / 2
    values = np.exp(-0.5 * (x / sigma) ** 2)
    return values / values.sum()


@composite
def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: Any = None
) -> Any:
    """Images smoothed by a bell curve; zeros are outside.

    Args:
        images: Tensor of floats of 3 or 4 axes.
        kernel_size: Pair of integers, default (3, 3): rows and columns of the kernel.
        sigma: Pair of numbers, default (1, 1): the widths of the curve, horizontal and vertical.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: for another rank.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.gaussian_blur(minikeras.ops.ones((4, 4, 1))).shape
    (4, 4, 1)
    """
    images = tensor(images)
    check_rank(images)
    data_format = standardize_data_format(data_format)
    rows, columns = static(kernel_size)
    kernel = np.outer(_bell(int(rows), static(sigma)[1]), _bell(int(columns), static(sigma)[0]))
    channels = images.shape[-1 if data_format == "channels_last" else -3]
    kernel = np.repeat(kernel[..., None, None], channels, axis=2)
    single = len(images.shape) == 3
    batch = expand_dims(images, 0) if single else images
    blurred = depthwise_conv(
        batch,
        kernel.astype(dtypes.to_numpy_dtype(images.dtype)),
        padding="same",
        data_format=data_format,
    )
    return squeeze(blurred, 0) if single else blurred


@composite
def sobel_edges(images: Any, data_format: Any = None) -> Any:
    """Vertical and horizontal slopes, by Sobel's masks; images are reflected at the border.

    Args:
        images: Tensor of floats of 4 axes.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Returns:
        Tensor with a new last axis of 2: (dy, dx).

    Raises:
        ValueError: for another rank.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.sobel_edges(minikeras.ops.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3, 2)
    """
    images = tensor(images)
    if len(images.shape) != 4:
        raise ValueError(
            "Invalid images rank: expected rank 4 (batch of images). Received input with shape:"
            f" images.shape={tuple(images.shape)}"
        )
    row = 2 if standardize_data_format(data_format) == "channels_first" else 1
    widths = [(1, 1) if axis in (row, row + 1) else (0, 0) for axis in range(4)]
    x = pad(images, widths, mode="reflect")

    def part(axis: int, start: int, stop: Any) -> tuple:
        return (slice(None),) * axis + (slice(start, stop),)

    def slope(y: Any, axis: int) -> Any:
        return get_item(y, part(axis, 2, None)) - get_item(y, part(axis, 0, -2))

    def smooth(y: Any, axis: int) -> Any:
        middle = get_item(y, part(axis, 1, -1))
        return get_item(y, part(axis, 0, -2)) + 2 * middle + get_item(y, part(axis, 2, None))

    return stack([smooth(slope(x, row), row + 1), smooth(slope(x, row + 1), row)], axis=-1)


@composite(tensors=2, name="SSIM")
def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: Any = None,
) -> Any:
    """Structural similarity of images (Wang et al. 2004).

    Args:
        image1: Tensor of 3 or 4 axes.
        image2: Tensor of the same shape.
        max_val: Number, default 1: the largest value that can occur.
        filter_size: Integer, default 11: of the bell-shaped window.
        filter_sigma: Number, default 1.5: its width.
        k1: Number, default 0.01.
        k2: Number, default 0.03.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Returns:
        Tensor of shape (batch,), or a scalar; 1 for equal images.

    Raises:
        ValueError: for another rank.

    Example:

    >>> import minikeras
    >>> x = minikeras.ops.ones((1, 16, 16, 1))
    >>> minikeras.ops.image.ssim(x, x).tolist()
    [1.0]
    """
    image1, image2 = tensor(image1), tensor(image2)
    check_rank(image1, "image1")
    check_rank(image2, "image2")
    dtype = image1.dtype
    exact = dtypes.result_type(dtype, float)
    first = standardize_data_format(data_format) == "channels_first"
    single = len(image1.shape) == 3

    def prepare(x: Any) -> Any:
        x = cast(x, exact)
        x = expand_dims(x, 0) if single else x
        x = x if first else moveaxis(x, -1, 1)
        return reshape(x, (-1, *x.shape[2:], 1))

    channels = image1.shape[-3 if first else -1]
    a, b = prepare(image1), prepare(image2)
    bell = _bell(filter_size, filter_sigma)
    kernel = np.outer(bell, bell)[..., None, None].astype(dtypes.to_numpy_dtype(exact))

    def window(x: Any) -> Any:
        return depthwise_conv(x, kernel, padding="valid", data_format="channels_last")

    mean_a, mean_b = window(a), window(b)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    variances = window(a * a) - mean_a * mean_a + window(b * b) - mean_b * mean_b
    covariance = window(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a * mean_a + mean_b * mean_b + c1) * (variances + c2)
    scores = mean(above / below, axis=(1, 2, 3))
    result = mean(reshape(scores, (-1, channels)), axis=-1)
    return cast(squeeze(result, 0) if single else result, dtype)


# Borders


def _sides(size: Any, before: Any, after: Any, target: Any, sign: int, names: tuple) -> tuple:
    """What to pad (sign 1) or crop (sign -1) on two sides, of which one may follow."""
    given = [one is not None for one in (before, after, target)]
    if sum(given) != 2:
        raise ValueError(
            f"Must specify exactly two of {', '.join(names)}. Received:"
            f" {dict(zip(names, (before, after, target)))}"
        )
    if before is None or after is None:
        if size is None:
            side = names[2].removeprefix("target_")
            raise ValueError(
                f"When the {side} of the images is unknown, specify {names[0]} and {names[1]}"
                f" instead of {names[2]}. Received: {dict(zip(names, (before, after, target)))}"
            )
        rest = sign * (target - size)
        before, after = (rest - after, after) if before is None else (before, rest - before)
    for argument, value in zip(names, (before, after)):
        if value < 0:
            raise ValueError(f"{argument} must be >= 0. Received: {argument}={value}")
    return before, after


def _border(images: Any, sides: tuple, targets: tuple, data_format: Any, sign: int) -> tuple:
    """The first spatial axis, and pairs for height and width."""
    check_rank(images)
    axis = len(images.shape) - (3 if standardize_data_format(data_format) == "channels_last" else 2)
    what = "padding" if sign > 0 else "cropping"
    top, left, bottom, right = (None if side is None else int(static(side)) for side in sides)
    height, width = (None if target is None else int(static(target)) for target in targets)
    rows = _sides(
        images.shape[axis], top, bottom, height, sign,
        (f"top_{what}", f"bottom_{what}", "target_height"),
    )  # fmt: skip
    columns = _sides(
        images.shape[axis + 1], left, right, width, sign,
        (f"left_{what}", f"right_{what}", "target_width"),
    )  # fmt: skip
    return axis, rows, columns


_BORDER_DOC = """{summary}

    Of `top_{what}`, `bottom_{what}` and `target_height`, give two; likewise for the width.

    Args:
        images: Tensor of 3 or 4 axes.
        top_{what}: Integer.
        left_{what}: Integer.
        bottom_{what}: Integer.
        right_{what}: Integer.
        target_height: Integer.
        target_width: Integer.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: if not two of three are given, or one would be negative.

    Example:

    >>> import minikeras
    >>> images = minikeras.ops.ones((4, 4, 3))
    >>> minikeras.ops.image.{name}(images, 1, 1, 1, 1).shape
    {shape}
    """


@composite
def pad_images(
    images: Any,
    top_padding: Any = None,
    left_padding: Any = None,
    bottom_padding: Any = None,
    right_padding: Any = None,
    target_height: Any = None,
    target_width: Any = None,
    data_format: Any = None,
) -> Any:
    images = tensor(images)
    axis, rows, columns = _border(
        images,
        (top_padding, left_padding, bottom_padding, right_padding),
        (target_height, target_width),
        data_format,
        1,
    )
    widths: list = [(0, 0)] * len(images.shape)
    widths[axis : axis + 2] = [rows, columns]
    return pad(images, widths)


@composite
def crop_images(
    images: Any,
    top_cropping: Any = None,
    left_cropping: Any = None,
    bottom_cropping: Any = None,
    right_cropping: Any = None,
    target_height: Any = None,
    target_width: Any = None,
    data_format: Any = None,
) -> Any:
    images = tensor(images)
    axis, (top, bottom), (left, right) = _border(
        images,
        (top_cropping, left_cropping, bottom_cropping, right_cropping),
        (target_height, target_width),
        data_format,
        -1,
    )
    height, width = images.shape[axis : axis + 2]
    if top + bottom > height or left + right > width:
        raise ValueError(
            f"Cropping ({top}, {bottom}) rows and ({left}, {right}) columns leaves nothing of"
            f" {height} x {width}."
        )
    key = (slice(None),) * axis + (slice(top, height - bottom), slice(left, width - right))
    return get_item(images, key)


pad_images.__doc__ = _BORDER_DOC.format(
    summary="Images with zeros around them.", what="padding", name="pad_images", shape="(6, 6, 3)"
)
crop_images.__doc__ = _BORDER_DOC.format(
    summary="Images without their borders.", what="cropping", name="crop_images", shape="(2, 2, 3)"
)


# Patches


class ExtractPatches(Kernel):
    """Patches of images or volumes, each laid out along the channels."""

    size: Any
    strides: Any = None
    dilation_rate: Any = 1
    padding: str = "valid"
    data_format: Any = None

    def settings(self, shape: tuple) -> tuple:
        """Size, strides, dilation, numbers of patches and padding, for each axis."""
        n = 2 if isinstance(self.size, int) else len(self.size)
        size, strides, rates = (
            (one,) * n if isinstance(one, int) else tuple(one)
            for one in (self.size, self.strides or self.size, self.dilation_rate)
        )
        counts, widths = [], []
        for length, k, s, d in zip(shape, size, strides, rates):
            reach = (k - 1) * d + 1
            if self.padding.lower() == "same":
                count = -(-length // s)
                total = max((count - 1) * s + reach - length, 0)
            else:
                count, total = (length - reach) // s + 1, 0
            if count < 1:
                raise ValueError(
                    f"A patch of size {size} (dilation {rates}) does not fit images of {shape}."
                    " Use padding='same' or smaller patches."
                )
            counts.append(count)
            widths.append((total // 2, total - total // 2))
        return size, strides, rates, counts, widths

    def keys(self, settings: tuple) -> list:
        """The places of each pixel of a patch, in all patches."""
        size, strides, rates, counts, _ = settings
        return [
            (
                slice(None),
                *(
                    slice(i * d, i * d + s * (count - 1) + 1, s)
                    for i, s, d, count in zip(index, strides, rates, counts)
                ),
            )
            for index in np.ndindex(*size)
        ]

    def layout(self, x: Any, back: bool = False) -> Any:
        if standardize_data_format(self.data_format) == "channels_last":
            return x
        return np.moveaxis(x, -1, 1) if back else np.moveaxis(x, 1, -1)

    def forward(self, ctx: Any, images: Any) -> Any:
        n = 2 if isinstance(self.size, int) else len(self.size)
        ctx.single = images.ndim == n + 1
        x = self.layout(images[None] if ctx.single else images)
        settings = self.settings(x.shape[1:-1])
        ctx.settings, ctx.shape = settings, x.shape
        x = np.pad(x, [(0, 0), *settings[4], (0, 0)])
        y = np.concatenate([x[key] for key in self.keys(settings)], -1)
        y = self.layout(y, back=True)
        return y[0] if ctx.single else y

    def backward(self, ctx: Any, dy: Any) -> Any:
        dy = self.layout(dy[None] if ctx.single else dy)
        widths = [(0, 0), *ctx.settings[4], (0, 0)]
        dx = np.zeros([n + a + b for n, (a, b) in zip(ctx.shape, widths)], dy.dtype)
        channels = ctx.shape[-1]
        for i, key in enumerate(self.keys(ctx.settings)):
            dx[key] += dy[..., i * channels : (i + 1) * channels]
        dx = dx[tuple(slice(a, a + n) for n, (a, _) in zip(ctx.shape, widths))]
        dx = self.layout(dx, back=True)
        return dx[0] if ctx.single else dx


def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
) -> Any:
    """Patches of images (or of volumes, for three sizes), each laid out along the channels.

    Args:
        images: Tensor of 3 or 4 axes (4 or 5 for volumes).
        size: Integer, or 2 or 3 integers: of a patch.
        strides: Integer or integers: from one to the next. Defaults to `size`.
        dilation_rate: Integer or integers, default 1.
        padding: `"valid"` (default) or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Returns:
        Tensor with patches in place of pixels.

    Raises:
        ValueError, TypeError: for a size that is neither.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.extract_patches(minikeras.ops.ones((4, 4, 3)), 2).shape
    (2, 2, 12)
    """
    size = static(size)
    if not isinstance(size, int):
        if not isinstance(size, (tuple, list)):
            raise TypeError(
                "Invalid `size` argument. Expected an int or a tuple. Received: size="
                f"{size} of type {type(size).__name__}"
            )
        if len(size) not in (2, 3):
            raise ValueError(
                "Invalid `size` argument. Expected a tuple of length 2 or 3. Received: size="
                f"{size} with length {len(size)}"
            )
    return ExtractPatches(size, static(strides), static(dilation_rate), padding, data_format)(
        images
    )


def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
) -> Any:
    """Patches of volumes; as `extract_patches` with three sizes.

    >>> import minikeras
    >>> volume = minikeras.ops.ones((4, 4, 4, 1))
    >>> minikeras.ops.image.extract_patches_3d(volume, 2).shape
    (2, 2, 2, 8)
    """
    size = static(size)
    if isinstance(size, int):
        size = (size, size, size)
    if len(size) != 3:
        raise TypeError(
            f"Invalid `size` argument. Expected an int or a tuple of length 3. Received: {size}"
        )
    return extract_patches(volumes, size, strides, dilation_rate, padding, data_format)
