"""`ImageDataGenerator`: images standardized and changed by chance, batch by batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine.spelling import understands_old
from minikeras.preprocessing.image_iterators import (
    DataFrameIterator,
    DirectoryIterator,
    NumpyArrayIterator,
    _warn_of_channels,
)
from minikeras.preprocessing.image_transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
)


class ImageDataGenerator:
    """Makes batches of images that are standardized and changed by chance.

    Keras 3 has layers (`RandomFlip`, `RandomRotation`, `Rescaling`...) and
    `image_dataset_from_directory` instead. Chance comes from `numpy.random`.

    Args:
        featurewise_center: Boolean, default False. Whether to subtract the mean of the data, which
            `fit` computes for each channel.
        samplewise_center: Boolean, default False. Whether to subtract the mean of each image.
        featurewise_std_normalization: Boolean, default False. Whether to divide by the standard
            deviation of the data, which `fit` computes for each channel.
        samplewise_std_normalization: Boolean, default False. Whether to divide each image by its
            standard deviation.
        zca_whitening: Boolean, default False. Whether to whiten, with the matrix that `fit`
            computes.
        zca_epsilon: Float added to the singular values. Defaults to 1e-6.
        rotation_range: Degrees. Images are turned by up to so many, either way.
        width_shift_range: Images are moved sideways: a float below 1 is a share of the width, from
            1 it is pixels; an integer n is one of the whole numbers from -n to n, exclusive; a list
            has the shifts to choose from, of either sign.
        height_shift_range: The same, up and down.
        brightness_range: Two floats, the range of a factor, or None.
        shear_range: Degrees. Images are bent by up to so many, either way.
        zoom_range: Float: factors are from `1 - zoom_range` to `1 + zoom_range`. Or two floats.
        channel_shift_range: Float. Up to so much is added to all values, or subtracted.
        fill_mode: What is outside of an image: `"nearest"` (default), `"constant"`, `"reflect"` or
            `"wrap"`.
        cval: Value outside with `"constant"`. Defaults to 0.
        horizontal_flip: Boolean, default False. Whether half of the images are mirrored.
        vertical_flip: Boolean, default False. Whether half of the images stand on their heads.
        rescale: Factor for all values, or None.
        preprocessing_function: Function from an image to an image of the same shape, or None. It
            comes after the random changes and before all that standardizes.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `config.image_data_format()`.
        validation_split: Float between 0 and 1. The share of images of the subset `"validation"`.
        interpolation_order: 0 nearest, 1 linear (default); splines from 2 to 5 need SciPy.
        dtype: Dtype of the images. Defaults to `config.floatx()`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> import minikeras, numpy as np
    >>> images, labels = np.random.rand(20, 8, 8, 1), np.arange(20) % 2
    >>> generator = minikeras.preprocessing.image.ImageDataGenerator(
    ...     rotation_range=20, horizontal_flip=True, featurewise_center=True)
    >>> generator.fit(images)
    >>> x, y = next(generator.flow(images, labels, batch_size=5))
    >>> x.shape, y.shape
    ((5, 8, 8, 1), (5,))
    """

    @understands_old
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-06,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        self.featurewise_center = featurewise_center or (
            zca_whitening or featurewise_std_normalization
        )
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        for asked, name, found in (
            ("zca_whitening", "featurewise_center", featurewise_center or not zca_whitening),
            (
                "zca_whitening",
                "featurewise_std_normalization",
                self.featurewise_std_normalization == featurewise_std_normalization,
            ),
            (
                "featurewise_std_normalization",
                "featurewise_center",
                featurewise_center or zca_whitening or not featurewise_std_normalization,
            ),
            (
                "samplewise_std_normalization",
                "samplewise_center",
                samplewise_center or not samplewise_std_normalization,
            ),
        ):
            if not found:
                warnings.warn(
                    f"This ImageDataGenerator specifies `{asked}`, which overrides setting of"
                    f" `{name}`.",
                    stacklevel=3,
                )
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.brightness_range = brightness_range
        self.shear_range = shear_range
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.data_format = config.standardize_data_format(data_format)
        self._validation_split = validation_split
        self.interpolation_order = interpolation_order
        self.dtype = dtype or config.floatx()
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: Any = None
        self.std: Any = None
        self.zca_whitening_matrix: Any = None
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                f"`validation_split` must be between 0 and 1. Received: {validation_split}"
            )
        if np.ndim(zoom_range) == 0:
            zoom_range = (1 - zoom_range, 1 + zoom_range)
        for name, value in (("zoom_range", zoom_range), ("brightness_range", brightness_range)):
            if value is not None and np.shape(value) != (2,):
                raise ValueError(f"`{name}` must be two numbers. Received: {name}={value}")
        self.zoom_range = list(zoom_range)

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of an array of images.

        Args:
            x: Images of rank 4; or a tuple of them and of other arrays of the same length, which
                come along unchanged.
            y: Array of targets, or None: batches are of images alone.
            batch_size: Images a batch. Defaults to 32.
            shuffle: Whether each epoch has an order of its own. Defaults to True.
            sample_weight: Array of weights, or None.
            seed: Integer for `numpy.random.seed`, or None.
            save_to_dir: Folder to write each image to, or None.
            save_prefix: Beginning of the names of these files.
            save_format: `"png"` (default), `"jpeg"`, `"bmp"`...
            ignore_class_split: Whether the two subsets may have different classes.
            subset: `"training"`, `"validation"`, or None for all.
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
            dtype=self.dtype,
        )

    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of the images in a folder, with a folder for each class.

        Args:
            directory: The folder.
            target_size: `(height, width)` to resize to. Defaults to `(256, 256)`.
            color_mode: `"rgb"` (default), `"rgba"` or `"grayscale"`.
            classes: Names of the folders, in the order of their numbers. Defaults to all, sorted.
            class_mode: `"categorical"` (default): one-hot rows; `"binary"` or `"sparse"`: numbers;
                `"input"`: the images themselves; None: no targets.
            batch_size: Images a batch. Defaults to 32.
            shuffle: Whether each epoch has an order of its own. Defaults to True.
            seed: Integer for `numpy.random.seed`, or None.
            save_to_dir: Folder to write each image to, or None.
            save_prefix: Beginning of the names of these files.
            save_format: `"png"` (default), `"jpeg"`, `"bmp"`...
            follow_links: Whether to look behind symbolic links. Defaults to False.
            subset: `"training"`, `"validation"`, or None for all.
            interpolation: As for `load_img`. Defaults to `"nearest"`.
            keep_aspect_ratio: As for `load_img`. Defaults to False.
        """
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of the images that a pandas table names.

        Args:
            dataframe: The table.
            directory: Folder that the names are in, or None where they are whole paths.
            x_col: Column of names. Defaults to `"filename"`.
            y_col: Column of targets, or a list of columns. Defaults to `"class"`.
            weight_col: Column of weights, or None.
            target_size: `(height, width)` to resize to. Defaults to `(256, 256)`.
            color_mode: `"rgb"` (default), `"rgba"` or `"grayscale"`.
            classes: Names of the classes, in the order of their numbers. Rows of others are left
                out. Defaults to all, sorted.
            class_mode: As for `flow_from_directory`; or `"raw"`: the values of `y_col`;
                `"multi_output"`: a list of the values of each of its columns.
            batch_size: Images a batch. Defaults to 32.
            shuffle: Whether each epoch has an order of its own. Defaults to True.
            seed: Integer for `numpy.random.seed`, or None.
            save_to_dir: Folder to write each image to, or None.
            save_prefix: Beginning of the names of these files.
            save_format: `"png"` (default), `"jpeg"`, `"bmp"`...
            subset: `"training"`, `"validation"`, or None for all.
            interpolation: As for `load_img`. Defaults to `"nearest"`.
            validate_filenames: Whether rows without an image file are left out. Defaults to True.
            **kwargs: `sort`, `drop_duplicates` and `has_ext` of older versions, which change
                nothing, but for a warning.
        """
        unknown = sorted(set(kwargs) - {"has_ext", "sort", "drop_duplicates"})
        if unknown:
            raise TypeError(f"flow_from_dataframe() got unexpected keyword arguments: {unknown}")
        for name in kwargs:
            warnings.warn(f"`{name}` has no effect any more.", DeprecationWarning, stacklevel=2)
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode="raw" if class_mode == "other" else class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            validate_filenames=validate_filenames,
            dtype=self.dtype,
        )

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Computes what depends on the data: means, deviations, the whitening matrix.

        Args:
            x: Images of rank 4.
            augment: Whether to compute them of images changed by chance. Defaults to False.
            rounds: How often each image is changed then. Defaults to 1.
            seed: Integer for `numpy.random.seed`, or None.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(f"`x` must be images of rank 4. Received shape: {x.shape}")
        _warn_of_channels(x.shape, self.data_format)
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            x *= self.rescale
        if augment:
            x = np.stack([self.random_transform(one) for _ in range(rounds) for one in x])
        shape = [1, 1, 1]
        shape[self.channel_axis - 1] = x.shape[self.channel_axis]
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = x.mean(axis=axes).reshape(shape)
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = x.std(axis=axes).reshape(shape)
            x /= self.std + 1e-6
        if self.zca_whitening:
            u, s, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            scale = np.sqrt(len(x)) / (s + self.zca_epsilon)
            self.zca_whitening_matrix = ((u * scale) @ u.T).astype(self.dtype)

    def standardize(self, x: Any) -> np.ndarray:
        """Applies what is no chance: `preprocessing_function`, `rescale`, centering, scaling.

        Args:
            x: Image of rank 3, or images of rank 4, of floats. Changed in place, where possible.
        """
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        if self.featurewise_center and self._has("mean", "featurewise_center"):
            x -= self.mean
        if self.featurewise_std_normalization and self._has("std", "featurewise_std_normalization"):
            x /= self.std + 1e-6
        if self.zca_whitening and self._has("zca_whitening_matrix", "zca_whitening"):
            flat = np.reshape(x, (-1, int(np.prod(np.shape(x)[-3:]))))
            x = np.reshape(flat @ self.zca_whitening_matrix, np.shape(x))
        return x

    def _has(self, attribute: str, setting: str) -> bool:
        if getattr(self, attribute) is not None:
            return True
        warnings.warn(
            f"This ImageDataGenerator specifies `{setting}`, but it hasn't been fit on any training"
            " data. Fit it first by calling `.fit(numpy_data)`.",
            stacklevel=3,
        )
        return False

    def get_random_transform(self, img_shape: tuple, seed: int | None = None) -> dict:
        """Draws what to do to an image.

        Args:
            img_shape: Shape of the image.
            seed: Integer for `numpy.random.seed`, or None.

        Returns:
            Dict for `apply_transform`.
        """
        if seed is not None:
            np.random.seed(seed)

        def around(limit: float) -> float:
            return np.random.uniform(-limit, limit) if limit else 0

        def shift(limit: Any, size: int) -> Any:
            if not np.any(limit):
                return 0
            if isinstance(limit, (int, np.integer)) or np.ndim(limit):
                by = np.random.choice(limit) * np.random.choice([-1, 1])
            else:
                by = np.random.uniform(-limit, limit)
            return by * size if np.max(limit) < 1 else by

        theta = around(self.rotation_range)
        ty = shift(self.height_shift_range, img_shape[self.row_axis - 1])
        tx = shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = around(self.shear_range)
        low, high = self.zoom_range
        zx, zy = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
        channels, light = self.channel_shift_range, self.brightness_range
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": (np.random.random() < 0.5) * self.horizontal_flip,
            "flip_vertical": (np.random.random() < 0.5) * self.vertical_flip,
            "channel_shift_intensity": around(channels) if channels else None,
            "brightness": None if light is None else np.random.uniform(*light),
        }

    def apply_transform(self, x: Any, transform_parameters: dict) -> np.ndarray:
        """Does to an image what a dict says.

        Args:
            x: Image of rank 3.
            transform_parameters: Dict with any of the keys `theta`, `tx`, `ty`, `shear`, `zx` and
                `zy` (see `apply_affine_transform`), `flip_horizontal`, `flip_vertical`,
                `channel_shift_intensity` and `brightness`.
        """
        row, column = self.row_axis - 1, self.col_axis - 1
        affine = ("theta", "tx", "ty", "shear", "zx", "zy")
        given: Callable[[str], Any] = transform_parameters.get
        x = apply_affine_transform(
            x,
            **{key: given(key) for key in affine if given(key) is not None},
            row_axis=row,
            col_axis=column,
            channel_axis=self.channel_axis - 1,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
        )
        if given("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given("channel_shift_intensity"))
        if given("flip_horizontal"):
            x = np.flip(x, column)
        if given("flip_vertical"):
            x = np.flip(x, row)
        if given("brightness") is not None:
            last = np.moveaxis(x, self.channel_axis - 1, 2)
            x = apply_brightness_shift(last, given("brightness"), False)
            x = np.moveaxis(x, 2, self.channel_axis - 1)
        return x

    def random_transform(self, x: Any, seed: int | None = None) -> np.ndarray:
        """Draws what to do to an image, and does it.

        Args:
            x: Image of rank 3.
            seed: Integer for `numpy.random.seed`, or None.
        """
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def _transformed(self, x: np.ndarray) -> np.ndarray:
        """A new image, changed by chance and standardized."""
        changed = self.random_transform(x.astype(self.dtype))
        return self.standardize(np.array(changed, self.dtype))
