"""Images in folders as a data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.utils import image_utils
from minikeras.utils.folders import dataset_from_directory

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
