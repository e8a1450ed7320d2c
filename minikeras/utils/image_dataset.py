"""Images, texts and WAV files in folders as data sets."""

import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.utils import image_utils
from minikeras.utils.folders import as_object_array, dataset_from_directory, stacked

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
