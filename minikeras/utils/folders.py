"""Finding labelled files in folders: what the data sets from directories share."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minikeras.utils.dataset import Dataset, from_samples, stacked
from minikeras.utils.io_utils import print_msg


def dataset_from_directory(
    directory: Any,
    formats: tuple[str, ...],
    read: Callable[[str], Any],
    *,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
    stack: Callable[[list], Any] = stacked,
) -> Any:
    """Makes the data set, or for `subset="both"` the two, that the arguments describe.

    Args:
        directory: The folder.
        formats: The endings of files to take, in lower case.
        read: Makes a sample of a path.
        stack: Makes a batch of a list of samples.

    The other arguments are those of `image_dataset_from_directory`.
    """
    _check(labels, label_mode, class_names, validation_split, subset, shuffle, seed)
    if labels is None or label_mode is None:
        labels = label_mode = None
    if seed is None:
        seed = int(np.random.randint(1_000_000))
    paths, numbers, names = index_directory(
        directory, labels, formats, class_names, shuffle, seed, follow_links, verbose
    )
    if label_mode == "binary" and len(names or ()) != 2:
        raise ValueError(
            f"`label_mode='binary'` needs exactly 2 classes. Received: class_names={names}"
        )
    encoded = _encoded(numbers, label_mode, len(names or ()))
    made = []
    for part in ("training", "validation") if subset == "both" else (subset,):
        chosen = _chosen(len(paths), validation_split, part)
        if len(paths[chosen]) == 0:
            share = f"{part} " if part else ""
            found = {
                ".png": "images found. None is",
                ".wav": "audio files found",
                ".txt": "text files found",
            }
            what = next((found[one] for one in found if one in formats), "files found")
            raise ValueError(
                f"No {share}{what} in directory {directory}. Files ending in"
                f" {', '.join(formats)} are taken."
            )
        dataset = _dataset(
            paths[chosen],
            None if encoded is None else encoded[chosen],
            read,
            stack,
            batch_size,
            # Validation data beside training data keep their order.
            shuffle and not (subset == "both" and part == "validation"),
            seed,
        )
        dataset.class_names = names
        dataset.file_paths = paths[chosen]
        made.append(dataset)
    return made if subset == "both" else made[0]


def _dataset(
    paths: list[str],
    labels: np.ndarray | None,
    read: Callable[[str], Any],
    stack: Callable[[list], Any],
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
) -> Dataset:
    options: dict[str, Any] = {"shuffle": shuffle, "seed": seed, "batch_size": batch_size}
    if labels is None:
        return from_samples(paths, read, stack=stack, **options)

    def read_pair(pair: tuple[str, Any]) -> tuple:
        return read(pair[0]), pair[1]

    def stack_pairs(pairs: list) -> tuple:
        return stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])

    return from_samples(list(zip(paths, labels)), read_pair, stack=stack_pairs, **options)


def _check(
    labels: Any,
    label_mode: Any,
    class_names: Any,
    validation_split: Any,
    subset: Any,
    shuffle: bool,
    seed: Any,
) -> None:
    if not (
        labels is None or isinstance(labels, (list, tuple, np.ndarray)) or labels == "inferred"
    ):
        raise ValueError(
            "`labels` argument should be 'inferred' (from the names of subfolders), None, or a list"
            f" of one whole number a file. Received: labels={labels!r}"
        )
    if class_names and not (isinstance(labels, str) and labels == "inferred"):
        raise ValueError(
            'You can only pass `class_names` if `labels="inferred"`. '
            f"Received: labels={labels!r}, class_names={class_names!r}"
        )
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            "`label_mode` argument must be 'int', 'categorical', 'binary' or None. "
            f"Received: label_mode={label_mode!r}"
        )
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(
            "`validation_split` must be between 0 and 1. "
            f"Received: validation_split={validation_split}"
        )
    if subset not in ("training", "validation", "both", None):
        raise ValueError(
            "`subset` must be 'training', 'validation', 'both' or None. "
            f"Received: subset={subset!r}"
        )
    if bool(validation_split) != bool(subset):
        raise ValueError(
            "`validation_split` and `subset` must be passed together. "
            f"Received: validation_split={validation_split}, subset={subset!r}"
        )
    if validation_split and shuffle and seed is None:
        raise ValueError(
            "Pass `seed` along with `validation_split` and `shuffle`: without it the training and "
            "the validation part would overlap."
        )


def index_directory(
    directory: Any,
    labels: Any,
    formats: tuple[str, ...],
    class_names: Sequence[str] | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], np.ndarray | None, list[str] | None]:
    """Lists files and their classes in the order that Keras gives them.

    Returns:
        Paths, the class of each (or `None`), and the names of the classes (or `None`).
    """
    directory = os.fspath(directory)
    folders = [""]
    if isinstance(labels, str):
        folders = sorted(
            entry.name
            for entry in os.scandir(directory)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if class_names is not None:
            if not set(class_names) <= set(folders):
                raise ValueError(
                    "The `class_names` passed did not match the names of the subfolders of"
                    f" {directory}: {folders}. "
                    f"Received: class_names={class_names!r}"
                )
            folders = list(class_names)
    paths: list[str] = []
    counts = []
    for folder in folders:
        found = _files(os.path.join(directory, folder), formats, follow_links)
        paths += found
        counts.append(len(found))

    numbers: np.ndarray | None = None
    names: list[str] | None = None
    if isinstance(labels, str):
        numbers, names = np.repeat(np.arange(len(folders), dtype="int32"), counts), folders
    elif labels is not None:
        if len(labels) != len(paths):
            raise ValueError(
                "Expected the lengths of `labels` to match the number of files in the directory. "
                f"Received {len(labels)} labels for {len(paths)} files in {directory}."
            )
        numbers = np.array(labels, dtype="int32")
        names = [str(label) for label in sorted({int(label) for label in labels})]
    if verbose:
        belonging = "" if names is None else f" belonging to {len(names)} classes"
        print_msg(f"Found {len(paths)} files{belonging}.")
    if shuffle:
        order = np.arange(len(paths))
        np.random.RandomState(seed).shuffle(order)
        paths = [paths[i] for i in order]
        numbers = None if numbers is None else numbers[order]
    return paths, numbers, names


def _files(folder: str, formats: tuple[str, ...], follow_links: bool) -> list[str]:
    walk = sorted(os.walk(folder, followlinks=follow_links))
    return [
        os.path.join(root, name)
        for root, _, names in walk
        for name in sorted(names)
        if name.lower().endswith(formats)
    ]


def _chosen(count: int, validation_split: float | None, part: str | None) -> slice:
    if part is None or not validation_split:
        return slice(None)
    training = count - int(validation_split * count)
    if part == "training":
        print_msg(f"Using {training} files for training.")
        return slice(training)
    print_msg(f"Using {count - training} files for validation.")
    return slice(training, None)


def _encoded(
    numbers: np.ndarray | None, label_mode: str | None, class_count: int
) -> np.ndarray | None:
    if numbers is None or label_mode == "int":
        return numbers
    if label_mode == "binary":
        return numbers.astype("float32")[:, None]
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < class_count:
        raise ValueError(
            f"`labels` must be numbers from 0 to {class_count - 1} for `label_mode='categorical'`. "
            f"Received numbers from {numbers.min()} to {numbers.max()}."
        )
    return np.eye(class_count, dtype="float32")[numbers]
