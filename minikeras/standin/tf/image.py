"""`tf.image`, on images of shape (height, width, channels) or batches of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine import rng
from minikeras.ops.base import array_of
from minikeras.standin.tf import io as _io
from minikeras.standin.tf import public
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.random import _source
from minikeras.standin.tf.tensors import convert_to_tensor

ops: Any = _ops
decode_jpeg, decode_png, decode_image = _io.decode_jpeg, _io.decode_png, _io.decode_image
decode_bmp, decode_gif = _io.decode_bmp, _io.decode_gif
encode_jpeg, encode_png = _io.encode_jpeg, _io.encode_png


class ResizeMethod:
    """Names of the ways to resize."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


def resize(
    images: Any,
    size: Any,
    method: Any = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> Any:
    """Images of another size: floats, but for the method `nearest`.

    Raises:
        NotImplementedError: for the methods gaussian and mitchellcubic.
    """
    kinds = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")
    if method not in kinds:
        raise NotImplementedError(
            f"tf.image.resize has the methods {', '.join(kinds)} here. Received: {method!r}"
        )
    images = convert_to_tensor(images)
    height, width = (int(one) for one in array_of(size))
    if preserve_aspect_ratio:
        rows, columns = images.shape[-3:-1]
        scale = min(height / rows, width / columns)
        height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    if method != "nearest" and str(np.dtype(images.dtype)) not in ("float32", "float64"):
        images = ops.cast(images, "float32")
    if method == "area":
        by_rows = ops.matmul(_shares(images.shape[-3], height), ops.swapaxes(images, -3, -2))
        by_columns = ops.matmul(_shares(images.shape[-2], width), ops.swapaxes(by_rows, -3, -2))
        return ops.cast(by_columns, "float32")
    made = ops.image.resize(images, (height, width), method, antialias, data_format="channels_last")
    return made if method == "nearest" else ops.cast(made, "float32")


def _shares(size: int, new: int) -> Any:
    """How much of each old place is in each new one, which is the mean of what it covers."""
    edges = np.arange(new + 1) * (size / new)
    covered = np.minimum(edges[1:, None], np.arange(size) + 1) - np.maximum(
        edges[:-1, None], np.arange(size)
    )
    return convert_to_tensor((np.maximum(covered, 0) * (new / size)).astype("float32"))


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: Any = None) -> Any:
    """Images in another dtype, scaled: floats are in [0, 1], integers use their whole range."""
    image, kind = convert_to_tensor(image), as_dtype(dtype)
    now = as_dtype(image.dtype)
    if now == kind:
        return image
    if now.is_floating:
        if kind.is_floating:
            return ops.cast(image, kind.name)
        scaled = ops.multiply(image, float(kind.max) + 0.5)
        return ops.saturate_cast(scaled, kind.name) if saturate else ops.cast(scaled, kind.name)
    if kind.is_floating:
        return ops.multiply(ops.cast(image, kind.name), 1.0 / now.max)
    if now.max > kind.max:
        return ops.cast(ops.floor_divide(image, (now.max + 1) // (kind.max + 1)), kind.name)
    return ops.multiply(ops.cast(image, kind.name), (kind.max + 1) // (now.max + 1))


def _as_float(image: Any) -> tuple:
    image = convert_to_tensor(image)
    return convert_image_dtype(image, "float32") if image.dtype.kind in "iu" else image, image.dtype


def _back(image: Any, dtype: Any) -> Any:
    return convert_image_dtype(image, dtype, saturate=True) if image.dtype != dtype else image


def flip_left_right(image: Any) -> Any:
    """Mirrored, left to right."""
    return ops.flip(convert_to_tensor(image), -2)


def flip_up_down(image: Any) -> Any:
    """Mirrored, top to bottom."""
    return ops.flip(convert_to_tensor(image), -3)


def transpose(image: Any, name: Any = None) -> Any:
    """Rows as columns."""
    return ops.swapaxes(convert_to_tensor(image), -3, -2)


def rot90(image: Any, k: Any = 1, name: Any = None) -> Any:
    """Turned counter-clockwise by k times 90 degrees."""
    image = convert_to_tensor(image)
    axes = (len(image.shape) - 3, len(image.shape) - 2)
    return ops.rot90(image, int(k), axes)


def _draw(seed: Any) -> np.random.Generator:
    return rng.draw_generator(_source(seed))


def _flip_some(image: Any, axis: int, seed: Any) -> Any:
    image = convert_to_tensor(image)
    draw = _draw(seed)
    if len(image.shape) == 3:
        return ops.flip(image, axis) if draw.random() < 0.5 else image
    some = draw.random((image.shape[0], 1, 1, 1)) < 0.5
    return ops.where(some, ops.flip(image, axis), image)


def random_flip_left_right(image: Any, seed: Any = None) -> Any:
    """Mirrored left to right, or not, by chance."""
    return _flip_some(image, -2, seed)


def random_flip_up_down(image: Any, seed: Any = None) -> Any:
    """Mirrored top to bottom, or not, by chance."""
    return _flip_some(image, -3, seed)


stateless_random_flip_left_right = random_flip_left_right
stateless_random_flip_up_down = random_flip_up_down


def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """A part."""
    image = convert_to_tensor(image)
    top, left, height, width = map(int, (offset_height, offset_width, target_height, target_width))
    rows, columns = image.shape[-3:-1]
    if top < 0 or left < 0 or top + height > rows or left + width > columns:
        raise ValueError(
            f"A box of {height}x{width} at ({top}, {left}) is not inside of an image of"
            f" {rows}x{columns}."
        )
    return image[..., top : top + height, left : left + width, :]


def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """Zeros around."""
    image = convert_to_tensor(image)
    top, left, height, width = map(int, (offset_height, offset_width, target_height, target_width))
    rows, columns = image.shape[-3:-1]
    spread = [(0, 0)] * (len(image.shape) - 3)
    spread += [(top, height - top - rows), (left, width - left - columns), (0, 0)]
    if min(min(pair) for pair in spread) < 0:
        raise ValueError(f"An image of {rows}x{columns} does not fit into {height}x{width} there.")
    return ops.pad(image, spread)


def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """The middle, or zeros around."""
    image = convert_to_tensor(image)
    height, width = int(target_height), int(target_width)
    rows, columns = image.shape[-3:-1]
    top, left = max(rows - height, 0) // 2, max(columns - width, 0) // 2
    image = crop_to_bounding_box(image, top, left, min(rows, height), min(columns, width))
    rows, columns = image.shape[-3:-1]
    top, left = (height - rows) // 2, (width - columns) // 2
    return pad_to_bounding_box(image, top, left, height, width)


def resize_with_pad(
    image: Any,
    target_height: Any,
    target_width: Any,
    method: Any = "bilinear",
    antialias: bool = False,
) -> Any:
    """Resized with its proportions, and zeros around."""
    image = convert_to_tensor(image)
    height, width = int(target_height), int(target_width)
    rows, columns = image.shape[-3:-1]
    ratio = max(columns / width, rows / height)
    inner = (int(np.floor(rows / ratio)), int(np.floor(columns / ratio)))
    top, left = ((whole - one) // 2 for whole, one in zip((height, width), inner))
    made = resize(image, inner, method, antialias=antialias)
    return pad_to_bounding_box(made, top, left, height, width)


def central_crop(image: Any, central_fraction: Any) -> Any:
    """The middle, as a fraction of each side."""
    image, fraction = convert_to_tensor(image), float(central_fraction)
    if not 0 < fraction <= 1:
        raise ValueError(f"`central_fraction` must be in (0, 1]. Received: {fraction}")
    rows, columns = image.shape[-3:-1]
    top, left = (int((size - size * fraction) / 2) for size in (rows, columns))
    return image[..., top : rows - top, left : columns - left, :]


def random_crop(value: Any, size: Any, seed: Any = None, name: Any = None) -> Any:
    """A part of that size, from anywhere."""
    value = convert_to_tensor(value)
    wanted = [int(one) for one in array_of(size)]
    wanted = [have if want == -1 else want for have, want in zip(value.shape, wanted)]
    if any(want > have for have, want in zip(value.shape, wanted)):
        raise ValueError(f"There is no part of shape {wanted} in a tensor of shape {value.shape}.")
    draw = _draw(seed)
    starts = [int(draw.integers(0, have - want + 1)) for have, want in zip(value.shape, wanted)]
    return value[tuple(slice(first, first + want) for first, want in zip(starts, wanted))]


stateless_random_crop = random_crop


def adjust_brightness(image: Any, delta: Any) -> Any:
    """A number added; that of images of integers is on the scale of [0, 1]."""
    floats, kind = _as_float(image)
    return _back(ops.add(floats, delta), kind)


def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """Distances from the mean of each channel times a factor."""
    floats, kind = _as_float(images)
    mean = ops.mean(floats, (-3, -2), keepdims=True)
    return _back(ops.add(ops.multiply(ops.subtract(floats, mean), contrast_factor), mean), kind)


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """`gain * image^gamma`."""
    floats, kind = _as_float(image)
    return _back(ops.multiply(gain, ops.power(floats, gamma)), kind)


def rgb_to_hsv(images: Any, name: Any = None) -> Any:
    """Hue, saturation and value of red, green and blue."""
    return ops.image.rgb_to_hsv(images, data_format="channels_last")


def hsv_to_rgb(images: Any, name: Any = None) -> Any:
    """Red, green and blue of hue, saturation and value."""
    return ops.image.hsv_to_rgb(images, data_format="channels_last")


def adjust_saturation(image: Any, saturation_factor: Any, name: Any = None) -> Any:
    """Saturation times a factor."""
    floats, kind = _as_float(image)
    hsv = rgb_to_hsv(floats)
    saturation = ops.clip(ops.multiply(hsv[..., 1:2], saturation_factor), 0.0, 1.0)
    made = ops.concatenate([hsv[..., :1], saturation, hsv[..., 2:]], axis=-1)
    return _back(hsv_to_rgb(made), kind)


def adjust_hue(image: Any, delta: Any, name: Any = None) -> Any:
    """Hue turned by a fraction of the circle."""
    floats, kind = _as_float(image)
    hsv = rgb_to_hsv(floats)
    hue = ops.mod(ops.add(hsv[..., :1], delta), 1.0)
    return _back(hsv_to_rgb(ops.concatenate([hue, hsv[..., 1:]], axis=-1)), kind)


def random_brightness(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """`adjust_brightness` by chance, between -max_delta and max_delta."""
    return adjust_brightness(image, float(_draw(seed).uniform(-max_delta, max_delta)))


def random_contrast(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """`adjust_contrast` by chance."""
    return adjust_contrast(image, float(_draw(seed).uniform(lower, upper)))


def random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """`adjust_saturation` by chance."""
    return adjust_saturation(image, float(_draw(seed).uniform(lower, upper)))


def random_hue(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """`adjust_hue` by chance, between -max_delta and max_delta."""
    return adjust_hue(image, float(_draw(seed).uniform(-max_delta, max_delta)))


stateless_random_brightness, stateless_random_contrast = random_brightness, random_contrast
stateless_random_saturation, stateless_random_hue = random_saturation, random_hue


def _weighted(images: Any, matrix: Any) -> Any:
    images = convert_to_tensor(images)
    return ops.matmul(images, np.asarray(matrix, images.dtype))


_YUV = [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512]]
_YUV += [[0.114, 0.43601035, -0.10001026]]
_RGB = [[1.0, 1.0, 1.0], [0.0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0.0]]


def rgb_to_grayscale(images: Any, name: Any = None) -> Any:
    """The brightness."""
    floats, kind = _as_float(images)
    return _back(_weighted(floats, [[0.2989], [0.587], [0.114]]), kind)


def grayscale_to_rgb(images: Any, name: Any = None) -> Any:
    """Three equal channels."""
    images = convert_to_tensor(images)
    return ops.concatenate([images, images, images], axis=-1)


def rgb_to_yuv(images: Any) -> Any:
    """Brightness and two differences of color."""
    return _weighted(images, _YUV)


def yuv_to_rgb(images: Any) -> Any:
    """Red, green and blue of brightness and differences."""
    return _weighted(images, _RGB)


def per_image_standardization(image: Any) -> Any:
    """`(x - mean) / max(standard deviation, 1 / sqrt(count))` of each image."""
    image = ops.cast(image, "float32")
    axes = (-3, -2, -1)
    count = float(np.prod(image.shape[-3:]))
    spread = ops.maximum(ops.std(image, axes, True), 1.0 / np.sqrt(count).item())
    return ops.divide(ops.subtract(image, ops.mean(image, axes, True)), spread)


def psnr(a: Any, b: Any, max_val: Any, name: Any = None) -> Any:
    """The peak signal-to-noise ratio of each image, in decibels."""
    limit = max_val
    if array_of(a).dtype.kind in "iu":
        limit = max_val / as_dtype(array_of(a).dtype).max
        a, b = convert_image_dtype(a, "float32"), convert_image_dtype(b, "float32")
    error = ops.mean(ops.square(ops.subtract(a, b)), (-3, -2, -1))
    peak = 20.0 * float(np.log10(float(limit)))
    return ops.subtract(peak, ops.multiply(10.0 / np.log(10).item(), ops.log(error)))


def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Any:
    """The structural similarity of each pair of images (Wang et al. 2004), by a Gaussian window."""
    limit = float(max_val)
    if array_of(img1).dtype.kind in "iu":
        limit = limit / as_dtype(array_of(img1).dtype).max
        img1, img2 = convert_image_dtype(img1, "float32"), convert_image_dtype(img2, "float32")
    a, b = convert_to_tensor(img1), convert_to_tensor(img2)
    single = len(a.shape) == 3
    a, b = (ops.expand_dims(one, 0) if single else one for one in (a, b))
    reach = np.arange(filter_size) - (filter_size - 1) / 2.0
    logits = -0.5 * reach**2 / filter_sigma**2
    window = np.exp(logits[:, None] + logits)
    window = np.tile((window / window.sum())[..., None, None], (1, 1, a.shape[-1], 1))
    window = window.astype(a.dtype)

    def mean(x: Any) -> Any:
        return ops.depthwise_conv(x, window, 1, "valid", "channels_last")

    c1, c2 = (k1 * limit) ** 2, (k2 * limit) ** 2
    mean_a, mean_b = mean(a), mean(b)
    product, squares = mean_a * mean_b * 2.0, ops.square(mean_a) + ops.square(mean_b)
    luminance = (product + c1) / (squares + c1)
    both, each = mean(a * b) * 2.0, mean(ops.square(a) + ops.square(b))
    values = luminance * (both - product + c2) / (each - squares + c2)
    values = values if return_index_map else ops.mean(values, (-3, -2))
    values = ops.mean(values, -1)
    return values[0] if single else values


def total_variation(images: Any, name: Any = None) -> Any:
    """The sum of the absolute differences of neighbours, of each image."""
    images = convert_to_tensor(images)
    down = ops.abs(ops.subtract(images[..., 1:, :, :], images[..., :-1, :, :]))
    right = ops.abs(ops.subtract(images[..., :, 1:, :], images[..., :, :-1, :]))
    axes = (-3, -2, -1)
    return ops.add(ops.sum(down, axes), ops.sum(right, axes))


def image_gradients(image: Any) -> tuple:
    """Differences of neighbours (down, right), 0 at the last row and column."""
    image = convert_to_tensor(image)
    dy = ops.subtract(image[:, 1:], image[:, :-1])
    dx = ops.subtract(image[:, :, 1:], image[:, :, :-1])
    none = (0, 0)
    return ops.pad(dy, [none, (0, 1), none, none]), ops.pad(dx, [none, none, (0, 1), none])


def sobel_edges(image: Any) -> Any:
    """Gradients (down, right) of each channel, along a new last axis."""
    image = convert_to_tensor(image)
    rows, columns = image.shape[1:3]
    padded = ops.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)], "reflect")
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], "float32")
    made = []
    for weights in (kernel, kernel.T):
        total: Any = 0.0
        for y in range(3):
            for x in range(3):
                if weights[y, x]:
                    part = padded[:, y : y + rows, x : x + columns]
                    total = ops.add(total, ops.multiply(part, float(weights[y, x])))
        made.append(total)
    return ops.stack(made, axis=-1)


def extract_patches(
    images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: Any = None
) -> Any:
    """Patches, each flat along the last axis."""
    return ops.image.extract_patches(
        images,
        tuple(int(one) for one in sizes[1:3]),
        tuple(int(one) for one in strides[1:3]),
        int(rates[1]),
        padding.lower(),
        data_format="channels_last",
    )


__all__ = public(
    globals(),
    *"decode_jpeg decode_png decode_image decode_bmp decode_gif encode_jpeg encode_png".split(),
)
