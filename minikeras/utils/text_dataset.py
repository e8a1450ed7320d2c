"""Text files in folders as a data set."""

from collections.abc import Sequence
from typing import Any

from minikeras.utils.folders import dataset_from_directory


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
