"""Images as files and as arrays. Files need Pillow (`pip install "minikeras[image]"`).

Images, texts and WAV files in folders as data sets.
"""

import io
import os
import warnings
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.kernels import windows as resizing
from minikeras.utils import image_utils
from minikeras.utils.folders import as_object_array, dataset_from_directory, stacked

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


_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Makes a data set of the images in a folder, read as they are needed.

    Args:
        directory: The folder. With inferred labels it has one subfolder a class.
        labels: `"inferred"` from the subfolders, a list of one whole number a file (in the order
            of the sorted paths), or `None` for no labels. Defaults to `"inferred"`.
        label_mode: `"int"`; `"categorical"` for one-hot `float32` rows; `"binary"` for `float32`
            0 and 1 of shape `(batch, 1)`; or `None` for no labels. Defaults to `"int"`.
        class_names: The subfolders to take and their order. Defaults to all, sorted.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`. Defaults to `"rgb"`.
        batch_size: Images a batch, or `None` for single images. Defaults to 32.
        image_size: `(height, width)` to resize to. Defaults to `(256, 256)`.
        shuffle: Whether the images come in an order drawn by chance, anew for each walk.
            Defaults to `True`. Without it they come in the order of their paths.
        seed: The seed of the order and of the split.
        validation_split: The part of the images kept for validation, between 0 and 1.
        subset: `"training"`, `"validation"` or `"both"`, if there is a `validation_split`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`,
            `"lanczos5"`, `"gaussian"` or `"mitchellcubic"`. Defaults to `"bilinear"`.
        follow_links: Whether to enter subfolders that are symbolic links. Defaults to `False`.
        crop_to_aspect_ratio: Whether to cut images to the shape of `image_size` before resizing.
        pad_to_aspect_ratio: Whether to fit images into `image_size` with black borders.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `config.image_data_format()`.
        format: `"tf"` or `"grain"`; both give NumPy arrays.
        verbose: Whether to tell how many files were found. Defaults to `True`.

    Returns:
        An iterable of images, or of tuples `(images, labels)`, with the attributes `class_names`
        and `file_paths`; two of them for `subset="both"`. It can be passed to `fit`. Values run
        from 0 to 255.

    Raises:
        ValueError: An argument is out of range, or no image is found.
        ImportError: Pillow is not installed.
    """
    if color_mode not in ("grayscale", "rgb", "rgba"):
        raise ValueError(
            f"`color_mode` must be one of 'grayscale', 'rgb', 'rgba'. Received: {color_mode!r}"
        )
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f"`image_size` must be (height, width). Received: image_size={image_size}")
    method = interpolation.lower()
    if method not in image_utils.METHODS:
        raise ValueError(
            f"`interpolation` must be one of {image_utils.METHODS}. "
            f"Received: interpolation={interpolation!r}"
        )
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("`crop_to_aspect_ratio` and `pad_to_aspect_ratio` cannot both be True.")
    if format not in ("tf", "grain"):
        raise ValueError(f"`format` should be either 'tf' or 'grain'. Received: format={format!r}")
    channels_first = config.standardize_data_format(data_format) == "channels_first"
    image_utils._pillow()  # told here rather than while training

    def read(path: str) -> np.ndarray:
        x = np.asarray(image_utils.load_img(path, color_mode))
        x = x.reshape(*x.shape[:2], -1)
        if crop_to_aspect_ratio:
            x = image_utils.smart_resize(x, (size[0], size[1]), method)
        elif pad_to_aspect_ratio:
            x = image_utils.pad_and_resize(x, (size[0], size[1]), method)
        else:
            x = image_utils.resize_images(x, (size[0], size[1]), method)
        return x.transpose(2, 0, 1) if channels_first else x

    return dataset_from_directory(
        directory,
        _FORMATS,
        read,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Makes a data set of the `.txt` files in a folder, read as they are needed.

    Args:
        directory: The folder. With inferred labels it has one subfolder a class.
        labels: As for `image_dataset_from_directory`.
        label_mode: As for `image_dataset_from_directory`.
        class_names: As for `image_dataset_from_directory`.
        batch_size: Texts a batch, or `None` for single texts. Defaults to 32.
        max_length: Longer texts are cut off after so many characters. Defaults to `None`.
        shuffle: As for `image_dataset_from_directory`.
        seed: As for `image_dataset_from_directory`.
        validation_split: As for `image_dataset_from_directory`.
        subset: As for `image_dataset_from_directory`.
        follow_links: As for `image_dataset_from_directory`.
        format: `"tf"` or `"grain"`; both give NumPy arrays.
        verbose: As for `image_dataset_from_directory`.

    Returns:
        An iterable of object arrays of `str`, or of tuples `(texts, labels)`, with the attributes
        `class_names` and `file_paths`; two of them for `subset="both"`.

    Raises:
        ValueError: An argument is out of range, or no text is found.
    """
    if format not in ("tf", "grain"):
        raise ValueError(f"`format` should be either 'tf' or 'grain'. Received: format={format!r}")

    def read(path: str) -> str:
        # Bytes that are no UTF-8 survive, so that no text is lost or stops a long training.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read(max_length)

    return dataset_from_directory(
        directory,
        (".txt",),
        read,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Makes a data set of the `.wav` files in a folder, read as they are needed.

    Args:
        directory: The folder. With inferred labels it has one subfolder a class.
        labels: As for `image_dataset_from_directory`.
        label_mode: As for `image_dataset_from_directory`.
        class_names: As for `image_dataset_from_directory`.
        batch_size: Recordings a batch, or `None` for single recordings. Defaults to 32.
        sampling_rate: Samples a second to convert to (by Fourier resampling), or `None` to keep
            those of the file.
        output_sequence_length: Samples to cut recordings to, or to fill them up to with zeros.
            Defaults to the longest of each batch.
        ragged: Whether a batch is an object array of recordings of their own lengths.
            Defaults to `False`.
        shuffle: As for `image_dataset_from_directory`.
        seed: As for `image_dataset_from_directory`.
        validation_split: As for `image_dataset_from_directory`.
        subset: As for `image_dataset_from_directory`.
        follow_links: As for `image_dataset_from_directory`.
        verbose: As for `image_dataset_from_directory`.

    Returns:
        An iterable of `float32` arrays of shape `(batch, samples, channels)` from -1 to 1, or of
        tuples `(recordings, labels)`, with the attributes `class_names` and `file_paths`; two of
        them for `subset="both"`.

    Raises:
        ValueError: An argument is out of range, no recording is found, or one cannot be read.
    """
    if ragged and output_sequence_length is not None:
        raise ValueError("`ragged` and `output_sequence_length` cannot both be set.")
    if sampling_rate is not None and (not isinstance(sampling_rate, int) or sampling_rate <= 0):
        raise ValueError(
            "`sampling_rate` must be a whole number above 0. "
            f"Received: sampling_rate={sampling_rate!r}"
        )

    def read(path: str) -> np.ndarray:
        samples, rate = read_wav(path)
        if sampling_rate is not None and rate != sampling_rate:
            samples = _resampled(samples, round(len(samples) * sampling_rate / rate))
        if output_sequence_length is not None:
            samples = _of_length(samples, output_sequence_length)
        return samples

    def stack(recordings: list) -> np.ndarray:
        if ragged:
            return as_object_array(recordings)
        longest = max(map(len, recordings))
        return stacked([_of_length(samples, longest) for samples in recordings])

    return dataset_from_directory(
        directory,
        (".wav",),
        read,
        stack=stack,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )


def read_wav(path: str) -> tuple[np.ndarray, int]:
    """Reads a WAV file of whole numbers: samples of shape `(samples, channels)`, and their rate."""
    try:
        with wave.open(path, "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = np.frombuffer(file.readframes(file.getnframes()), "uint8")
    except (wave.Error, EOFError) as error:
        raise ValueError(f"The recording {path} cannot be read as WAV: {error}") from error
    if width == 1:  # 8 bits are unsigned, with 128 as silence
        values = (data.astype("float32") - 128) / 128
    else:  # shifted to the top of 32 bits, so that 16, 24 and 32 bits are one case
        padded = np.zeros((len(data) // width, 4), "uint8")
        padded[:, 4 - width :] = data.reshape(-1, width)
        values = (padded.view("<i4")[:, 0] / 2**31).astype("float32")
    return values.reshape(-1, channels), rate


def _resampled(samples: np.ndarray, length: int) -> np.ndarray:
    if len(samples) == 0 or length == 0:
        return samples[:length]
    spectrum = np.fft.rfft(samples, axis=0)[: length // 2 + 1]
    scaled = np.fft.irfft(spectrum, length, axis=0) * (length / len(samples))
    return scaled.astype(samples.dtype)


def _of_length(samples: np.ndarray, length: int) -> np.ndarray:
    samples = samples[:length]
    return np.pad(samples, ((0, length - len(samples)), (0, 0)))
