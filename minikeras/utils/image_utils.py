"""Images as files and as arrays. Files need Pillow (`pip install "minikeras[image]"`)."""

import io
import os
import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.kernels import resize as resizing

_COLOR_MODES = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}
# The last two are known to `image_dataset_from_directory` alone, not to `ops.image.resize`.
METHODS = (*resizing.INTERPOLATIONS, "gaussian", "mitchellcubic")
_PIL_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            'Images need Pillow. Install it with: pip install "minikeras[image]"'
        ) from None
    return Image


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """Turns an array into a Pillow image.

    Args:
        x: An array of shape `(height, width, channels)` with 1, 3 or 4 channels, or
            `(channels, height, width)` as `data_format` says.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `config.image_data_format()`.
        scale: Whether to stretch the values to the range from 0 to 255. Defaults to `True`.
        dtype: The dtype to compute in. Defaults to `config.floatx()`.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ValueError: The shape is none of these.
        ImportError: Pillow is not installed.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.utils.array_to_img(np.zeros((4, 6, 3))).size
    (6, 4)
    """
    pillow = _pillow()
    image = np.asarray(x, dtype=dtype or config.floatx())
    if image.ndim != 3:
        raise ValueError(f"`x` must be one image, of rank 3. Received shape: {image.shape}")
    if config.standardize_data_format(data_format) == "channels_first":
        image = image.transpose(1, 2, 0)
    if image.shape[2] not in (1, 3, 4):
        raise ValueError(f"`x` must have 1, 3 or 4 channels. Received: {image.shape[2]} channels")
    if scale:
        image = image - image.min()
        if (largest := image.max()) != 0:
            image = image / largest
        image = image * 255
    if image.shape[2] == 1:
        image = image[:, :, 0]
        if image.max() > 255:  # more than 8 bits a pixel
            return pillow.fromarray(image.astype("int32"))
    return pillow.fromarray(image.astype("uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Turns a Pillow image into an array of rank 3.

    Args:
        img: A Pillow image, or an array of rank 2 or 3.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `config.image_data_format()`.
        dtype: The dtype of the result. Defaults to `config.floatx()`.

    Returns:
        An array of shape `(height, width, channels)` or `(channels, height, width)`.

    Raises:
        ValueError: The image has another rank.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.utils.img_to_array(np.zeros((4, 6))).shape
    (4, 6, 1)
    """
    data_format = config.standardize_data_format(data_format)
    x = np.asarray(img, dtype=dtype or config.floatx())
    if x.ndim not in (2, 3):
        raise ValueError(f"`img` must be one image, of rank 2 or 3. Received shape: {x.shape}")
    if x.ndim == 2:
        x = x[:, :, None]
    return x.transpose(2, 0, 1) if data_format == "channels_first" else x


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array as an image file.

    Args:
        path: A path or a file object.
        x: The image, as for `array_to_img`.
        data_format: As for `array_to_img`.
        file_format: The format, such as `"png"`. Defaults to what the ending of `path` says.
        scale: As for `array_to_img`.
        **kwargs: Passed to Pillow's `Image.save`.
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = os.path.splitext(os.fspath(path))[1][1:]
    if file_format:
        file_format = {"jpg": "jpeg"}.get(file_format.lower(), file_format.lower())
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("JPEG has no transparency: the image is saved as RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Reads an image file as a Pillow image.

    Args:
        path: A path or an `io.BytesIO`.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`. Defaults to `"rgb"`.
        target_size: `(height, width)` to resize to, or `None`.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
            Defaults to `"nearest"`.
        keep_aspect_ratio: Whether to cut the middle out so that nothing is distorted.
            Defaults to `False`.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ImportError: Pillow is not installed.
        TypeError: `path` is neither.
        ValueError: `color_mode` or `interpolation` is unknown.
    """
    pillow = _pillow()
    if color_mode not in _COLOR_MODES:
        raise ValueError(
            f"`color_mode` must be one of 'grayscale', 'rgb', 'rgba'. Received: {color_mode!r}"
        )
    if not isinstance(path, (str, bytes, os.PathLike, io.BytesIO)):
        raise TypeError(f"`path` must be a path or an io.BytesIO. Received: {type(path)}")
    if isinstance(path, io.BytesIO):
        img = pillow.open(path)
    else:
        with open(path, "rb") as file:  # read whole, so that no file stays open
            img = pillow.open(io.BytesIO(file.read()))
    if img.mode not in _COLOR_MODES[color_mode]:
        img = img.convert(_COLOR_MODES[color_mode][0])
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    if interpolation not in _PIL_FILTERS:
        raise ValueError(
            f"`interpolation` must be one of {_PIL_FILTERS}. Received: {interpolation!r}"
        )
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        cut_width = min(img.width, img.height * width // height)
        cut_height = min(img.height, img.width * height // width)
        left, top = (img.width - cut_width) // 2, (img.height - cut_height) // 2
        box = (left, top, left + cut_width, top + cut_height)
    return img.resize((width, height), pillow.Resampling[interpolation.upper()], box=box)


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
) -> np.ndarray:
    """Resizes images without distorting them: the middle that has the right shape is cut out first.

    Args:
        x: Images of shape `(height, width, channels)` or `(batch, height, width, channels)`, or
            with the channels before the height.
        size: `(height, width)` to resize to.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`,
            `"lanczos5"`, `"gaussian"` or `"mitchellcubic"`. Defaults to `"bilinear"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        The images: of the dtype of `x` if that is floating or nothing is averaged (`"nearest"`),
        otherwise `float32`.

    Raises:
        ValueError: An argument is out of range.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.preprocessing.image.smart_resize(np.zeros((10, 20, 3)), (5, 5)).shape
    (5, 5, 3)
    """
    if len(size) != 2:
        raise ValueError(f"`size` must be (height, width). Received: size={size}")
    images = np.asarray(x)
    if images.ndim not in (3, 4):
        raise ValueError(f"`x` must be images of rank 3 or 4. Received shape: {images.shape}")
    first = config.standardize_data_format(data_format) == "channels_first"
    if first:
        images = np.moveaxis(images, -3, -1)
    height, width = images.shape[-3:-1]
    new_height, new_width = size
    cut_height = max(min(height, int(width * new_height / new_width)), 1)
    cut_width = max(min(width, int(height * new_width / new_height)), 1)
    top, left = (height - cut_height) // 2, (width - cut_width) // 2
    images = images[..., top : top + cut_height, left : left + cut_width, :]
    images = resize_images(images, (new_height, new_width), interpolation)
    return np.moveaxis(images, -1, -3) if first else images


def resize_images(x: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resizes images with channels last, as `tf.image.resize` does.

    Raises:
        ValueError: `interpolation` is unknown.
    """
    method = str(interpolation).lower()
    if method not in METHODS:
        raise ValueError(
            f"`interpolation` must be one of {METHODS}. Received: interpolation={interpolation!r}"
        )
    resized = resizing.resize(x.reshape(-1, *x.shape[-3:]), size, method)
    return resized.reshape(*x.shape[:-3], *resized.shape[1:])


def pad_and_resize(x: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resizes one image so that the whole of it fits, with black borders around."""
    old, new = np.array(x.shape[:2], "float32"), np.array(size, "float32")
    fitted = old / (old / new).max()
    height, width = np.maximum(np.floor(fitted), 1).astype(int).tolist()
    x = resize_images(x, (height, width), interpolation)
    # The borders are halved before they are rounded, as TensorFlow does.
    top, left = np.maximum(np.floor((new - fitted) / 2), 0).astype(int).tolist()
    padded = np.zeros((*size, x.shape[2]), x.dtype)
    padded[top : top + height, left : left + width] = x
    return padded
