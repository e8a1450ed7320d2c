"""Batches of transformed images: of an array, of a folder, of a table of file names."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator as Iterable
from typing import Any

import numpy as np

from minikeras import config
from minikeras.dialects import warn_once
from minikeras.utils.image_utils import array_to_img, img_to_array, load_img
from minikeras.utils.progbar import print_msg
from minikeras.utils.py_dataset import PyDataset

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


class Iterator(PyDataset):
    """Batches by number for `fit`, and without an end for a `for` loop.

    Args:
        n: Integer. How many images there are.
        batch_size: Integer. Images a batch.
        shuffle: Boolean. Whether each epoch has an order of its own.
        seed: Integer for `numpy.random.seed`, or None.
    """

    white_list_formats = FORMATS

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        super().__init__()
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array: Any = None

    def __getstate__(self) -> dict:
        return {key: value for key, value in vars(self).items() if key != "lock"}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, lock=threading.Lock())

    @property
    def nb_sample(self) -> int:
        """`n`, by the name that Keras 1 gave it."""
        warn_once("iterator.nb_sample", "iterator.samples")
        return self.n

    N = nb_sample

    def _set_index_array(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _new_batch(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise ValueError(
                f"There is no batch {index}: the number of batches is {len(self)}, of"
                f" {self.batch_size} of {self.n} images."
            )
        self._new_batch()
        if self.index_array is None:
            self._set_index_array()
        rows = self.index_array[self.batch_size * index : self.batch_size * (index + 1)]
        return self._get_batches_of_transformed_samples(rows)

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def on_epoch_end(self) -> None:
        """Draws a new order."""
        self._set_index_array()

    def reset(self) -> None:
        """Lets `next` begin again at the first batch."""
        self.batch_index = 0

    def __iter__(self) -> Iterable[Any]:
        return self

    def next(self) -> Any:
        """The next batch; after the last one the first of a new order."""
        if not self.n:
            raise ValueError("There are no images.")
        with self.lock:
            if self.seed is not None:
                np.random.seed(self.seed + self.total_batches_seen)
            if self.batch_index == 0:
                self._set_index_array()
            start = self.batch_index * self.batch_size
            self.batch_index = (self.batch_index + 1) % len(self)
            self.total_batches_seen += 1
            rows = self.index_array[start : start + self.batch_size]
        return self._get_batches_of_transformed_samples(rows)

    __next__ = next

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        """The batch of the images with these numbers."""
        raise NotImplementedError

    def _save(self, images: np.ndarray, rows: np.ndarray, most: int) -> None:
        """Writes images to the folder `save_to_dir`, if there is one."""
        if not self.save_to_dir:
            return
        for image, row in zip(images, rows):
            name = f"{self.save_prefix}_{row}_{np.random.randint(most)}.{self.save_format}"
            picture = array_to_img(image, self.data_format, scale=True)
            picture.save(os.path.join(self.save_to_dir, name))

    save_to_dir: str | None
    save_prefix: str
    save_format: str
    data_format: str


def _subset_range(subset: str | None, generator: Any) -> tuple[float, float] | None:
    if subset is None:
        return None
    split = generator._validation_split
    ranges = {"validation": (0, split), "training": (split, 1)}
    if subset not in ranges:
        raise ValueError(
            f'`subset` must be "training" or "validation". Received: subset={subset!r}'
        )
    return ranges[subset]


class NumpyArrayIterator(Iterator):
    """What `ImageDataGenerator.flow` returns."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        self.dtype = dtype or config.floatx()
        self.data_format = config.standardize_data_format(data_format)
        others: list = []
        if isinstance(x, (tuple, list)) and len(x) == 2 and np.ndim(x[0]) == 4:
            others = list(x[1]) if isinstance(x[1], list) else [x[1]]
            x = x[0]
        beside = {"x": others, "y": [y], "sample_weight": [sample_weight]}
        for name, arrays in beside.items():
            for one in arrays:
                if one is not None and len(one) != len(x):
                    raise ValueError(
                        f"`x` (images tensor) and `{name}` must have the same length. Received:"
                        f" {len(x)} images and {len(one)}"
                    )
        rows = slice(None)
        shares = _subset_range(subset, image_data_generator)
        if shares is not None:
            edge = int(len(x) * image_data_generator._validation_split)
            if y is not None and not ignore_class_split:
                if not np.array_equal(np.unique(y[:edge]), np.unique(y[edge:])):
                    raise ValueError(
                        "Training and validation subsets have different number of classes after"
                        " the split. If your numpy arrays are sorted by the label, you might want"
                        " to shuffle them."
                    )
            rows = slice(None, edge) if subset == "validation" else slice(edge, None)
        self.x = np.asarray(x, dtype=self.dtype)[rows]
        self.x_misc = [np.asarray(one)[rows] for one in others]
        self.y = None if y is None else np.asarray(y)[rows]
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        if self.x.ndim != 4:
            raise ValueError(f"`x` must be images of rank 4. Received shape: {self.x.shape}")
        _warn_of_channels(self.x.shape, self.data_format)
        self.image_data_generator = image_data_generator
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        images = np.zeros((len(index_array), *self.x.shape[1:]), self.dtype)
        for place, row in enumerate(index_array):
            images[place] = self.image_data_generator._transformed(self.x[row])
        self._save(images, index_array, 10_000)
        x = [images, *(one[index_array] for one in self.x_misc)] if self.x_misc else images
        if self.y is None:
            return x
        batch = (x, self.y[index_array])
        return batch if self.sample_weight is None else (*batch, self.sample_weight[index_array])


def _warn_of_channels(shape: tuple, data_format: str) -> None:
    axis = 3 if data_format == "channels_last" else 1
    if shape[axis] not in (1, 3, 4):
        warnings.warn(
            f"Images with {data_format!r} have 1, 3 or 4 channels on axis {axis}. Received shape:"
            f" {shape}",
            stacklevel=4,
        )


class _FileIterator(Iterator):
    """Reads each image when its batch is asked for."""

    filenames: list[str]
    classes: Any
    class_indices: dict
    sample_weight: Any = None

    def _set(
        self,
        generator: Any,
        target_size: Any,
        color_mode: str,
        class_mode: str | None,
        class_modes: tuple,
        data_format: str | None,
        subset: str | None,
        **settings: Any,
    ) -> None:
        if color_mode not in _CHANNELS:
            raise ValueError(
                f"`color_mode` must be one of {tuple(_CHANNELS)}. Received: {color_mode!r}"
            )
        if class_mode not in class_modes:
            raise ValueError(f"`class_mode` must be one of {class_modes}. Received: {class_mode!r}")
        self.image_data_generator = generator
        self.target_size = tuple(target_size)
        self.color_mode = color_mode
        self.class_mode = class_mode
        self.data_format = config.standardize_data_format(data_format)
        channels = (_CHANNELS[color_mode],)
        first = self.data_format == "channels_first"
        self.image_shape = channels + self.target_size if first else self.target_size + channels
        self.subset = subset
        self.split = _subset_range(subset, generator)
        self.__dict__.update(settings)

    keep_aspect_ratio: bool
    interpolation: str
    dtype: Any

    @property
    def filepaths(self) -> list[str]:
        """The paths of the images."""
        return self._filepaths

    _filepaths: list[str]

    @property
    def labels(self) -> Any:
        """The labels, in the order of `filenames`."""
        return self.classes

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        images = np.zeros((len(index_array), *self.image_shape), self.dtype)
        for place, row in enumerate(index_array):
            image = load_img(
                self.filepaths[row],
                color_mode=self.color_mode,
                target_size=self.target_size,
                interpolation=self.interpolation,
                keep_aspect_ratio=self.keep_aspect_ratio,
            )
            x = img_to_array(image, data_format=self.data_format, dtype=self.dtype)
            if self.image_data_generator is not None:
                x = self.image_data_generator._transformed(x)
            images[place] = x
        self._save(images, index_array, 10_000_000)
        if self.class_mode is None:
            return images
        batch = (images, self._targets_of(images, index_array))
        weights = self.sample_weight
        return batch if weights is None else (*batch, weights[index_array])

    def _targets_of(self, images: np.ndarray, rows: np.ndarray) -> Any:
        if self.class_mode == "input":
            return images.copy()
        if self.class_mode == "multi_output":
            return [output[rows] for output in self.labels]
        if self.class_mode == "raw":
            return self.labels[rows]
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[row] for row in rows], self.dtype)
        targets = np.zeros((len(rows), len(self.class_indices)), self.dtype)
        for place, row in enumerate(rows):
            targets[place, self.classes[row]] = 1
        return targets


class DirectoryIterator(_FileIterator):
    """What `ImageDataGenerator.flow_from_directory` returns."""

    allowed_class_modes = ("categorical", "binary", "sparse", "input", None)

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ) -> None:
        self._set(
            image_data_generator,
            target_size,
            color_mode,
            class_mode,
            self.allowed_class_modes,
            data_format,
            subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            dtype=dtype or config.floatx(),
        )
        self.directory = directory
        names = list(classes) if classes else _folders(directory)
        self.num_classes = len(names)
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.filenames, labels = [], []
        for name, number in self.class_indices.items():
            found = list(_images_below(os.path.join(directory, name), follow_links))
            if self.split:
                start, stop = (int(share * len(found)) for share in self.split)
                found = found[start:stop]
            self.filenames += [os.path.relpath(path, directory) for path in found]
            labels += [number] * len(found)
        self.classes = np.array(labels, "int32")
        self.samples = len(self.filenames)
        print_msg(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        self._filepaths = [os.path.join(directory, name) for name in self.filenames]
        super().__init__(self.samples, batch_size, shuffle, seed)

    @property
    def nb_class(self) -> int:
        """`num_classes`, by the name that Keras 1 gave it."""
        warn_once("iterator.nb_class", "iterator.num_classes")
        return self.num_classes


def _folders(directory: Any) -> list[str]:
    return sorted(one.name for one in os.scandir(directory) if one.is_dir())


def _images_below(folder: str, follow_links: bool) -> Iterable[str]:
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        for name in sorted(names):
            if name.lower().endswith(".tiff"):
                warnings.warn(
                    'Using ".tiff" files with multiple bands will cause distortion. Please verify'
                    " your output.",
                    stacklevel=4,
                )
            if name.lower().endswith(FORMATS):
                yield os.path.join(root, name)


class DataFrameIterator(_FileIterator):
    """What `ImageDataGenerator.flow_from_dataframe` returns."""

    allowed_class_modes = (
        "binary", "categorical", "input", "multi_output", "raw", "sparse", None,
    )  # fmt: skip

    def __init__(
        self,
        dataframe: Any,
        directory: Any = None,
        image_data_generator: Any = None,
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
        data_format: str | None = "channels_last",
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
    ) -> None:
        self._set(
            image_data_generator,
            target_size,
            color_mode,
            class_mode,
            self.allowed_class_modes,
            data_format,
            subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            dtype=dtype,
        )
        self.directory = directory or ""
        labelled = class_mode in ("binary", "categorical", "sparse")
        self._check(dataframe, x_col, y_col, weight_col, classes, labelled)
        paths = np.array([os.path.join(self.directory, name) for name in dataframe[x_col]], object)
        keep = np.ones(len(paths), bool)
        if validate_filenames:
            keep = np.array(
                [path.lower().endswith(FORMATS) and os.path.isfile(path) for path in paths], bool
            )
            if not keep.all():
                warnings.warn(
                    f"Found {(~keep).sum()} invalid image filename(s) in x_col={x_col!r}. These"
                    " filename(s) will be ignored.",
                    stacklevel=3,
                )
        labels: list = []
        if labelled:
            labels, names = _known_labels(list(dataframe[y_col]), keep, classes)
            keep &= np.array([label is not None for label in labels], bool)
            self.class_indices = {name: number for number, name in enumerate(names)}
        rows = np.flatnonzero(keep)
        if self.split:
            start, stop = (int(share * len(rows)) for share in self.split)
            rows = rows[start:stop]
        table = dataframe.iloc[rows]
        if labelled:
            self.classes = [self._numbers(labels[row]) for row in rows]
        elif class_mode == "multi_output":
            self._targets = [np.array(table[one].tolist()) for one in y_col]
        elif class_mode == "raw":
            self._targets = table[y_col].to_numpy()
        self.filenames = table[x_col].tolist()
        self.samples = len(self.filenames)
        self.sample_weight = table[weight_col].to_numpy() if weight_col else None
        what = "validated" if validate_filenames else "non-validated"
        rest = f" belonging to {len(self.class_indices)} classes" if labelled else ""
        print_msg(f"Found {self.samples} {what} image filenames{rest}.")
        self._filepaths = [str(path) for path in paths[rows]]
        super().__init__(self.samples, batch_size, shuffle, seed)

    _targets: Any

    def _numbers(self, label: Any) -> Any:
        if isinstance(label, (list, tuple)):
            return [self.class_indices[one] for one in label]
        return self.class_indices[label]

    @property
    def labels(self) -> Any:
        """The labels, in the order of `filenames`."""
        return self._targets if self.class_mode in ("multi_output", "raw") else self.classes

    def _check(
        self, table: Any, x_col: str, y_col: Any, weight_col: Any, classes: Any, labelled: bool
    ) -> None:
        mode = self.class_mode
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(
                f'If class_mode="{mode}", y_col must be a list. Received {type(y_col).__name__}.'
            )
        if not all(isinstance(name, str) for name in table[x_col]):
            raise TypeError(f"All values in column x_col={x_col} must be strings.")
        if labelled:
            kinds = (str, list, tuple) if mode == "categorical" else (str,)
            if not all(isinstance(label, kinds) for label in table[y_col]):
                names = "string, list or tuple" if mode == "categorical" else "strings"
                raise TypeError(
                    f'If class_mode="{mode}", y_col="{y_col}" column values must be {names}.'
                )
        elif classes:
            warnings.warn(f'`classes` will be ignored given the class_mode="{mode}"', stacklevel=4)
        if mode == "binary":
            count = len(set(classes or table[y_col]))
            if count != 2:
                raise ValueError(
                    f'If class_mode="binary" there must be 2 classes. Found {count} classes.'
                )
        if weight_col and table[weight_col].dtype.kind not in "iuf":
            raise TypeError(f"Column weight_col={weight_col} must be numeric.")


def _known_labels(labels: list, keep: np.ndarray, classes: Any) -> tuple[list, list]:
    """Labels without those that are not among `classes` (None: nothing is left); the classes."""
    if not classes:
        found: set = set()
        for label, kept in zip(labels, keep):
            if kept:
                found.update(label if isinstance(label, (list, tuple)) else [label])
        return labels, sorted(found)
    names = list(dict.fromkeys(classes))

    def known(label: Any) -> Any:
        if isinstance(label, (list, tuple)):
            return [one for one in label if one in names] or None
        return label if label in names else None

    return [known(label) for label in labels], names
