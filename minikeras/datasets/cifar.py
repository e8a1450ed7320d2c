"""What CIFAR-10 and CIFAR-100 share.

A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

import os

import numpy as np

from minikeras import config
from minikeras.datasets.fetch import Split
from minikeras.datasets.npz import load_pickle
from minikeras.utils.file_utils import get_file


def load(folder: str, files: tuple[list[str], list[str]], label_key: str, file_hash: str) -> Split:
    """Loads the training and the test batches of one of the two data sets.

    Args:
        folder: The folder inside the archive, such as `cifar-10-batches-py`.
        files: The names of the training and of the test batches.
        label_key: The name of the labels in a batch.
        file_hash: The hash of the archive.
    """
    path = _locate(folder, [*files[0], *files[1]], file_hash)
    train, test = ([load_batch(os.path.join(path, n), label_key) for n in names] for names in files)
    return _joined(train), _joined(test)


def _locate(folder: str, names: list[str], file_hash: str) -> str:
    # Extracted once is enough; Keras 2 extracted beside the archive, Keras 3 into `...-target`.
    store = os.path.join(os.path.expanduser(config.keras_home()), "datasets")
    for known in (os.path.join(f"{folder}-target", folder), folder):
        path = os.path.join(store, known)
        if all(os.path.isfile(os.path.join(path, name)) for name in names):
            return path
    archive = folder.replace("-batches-py", "-python")
    extracted = get_file(
        f"{folder}-target",
        origin=f"https://www.cs.toronto.edu/~kriz/{archive}.tar.gz",
        file_hash=file_hash,
        extract=True,
    )
    return os.path.join(extracted, folder)


def load_batch(path: str, label_key: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Reads one file: images of shape `(n, 3, 32, 32)` and labels of shape `(n, 1)`."""
    batch = load_pickle(path)
    try:
        images = np.asarray(batch["data"], "uint8").reshape(-1, 3, 32, 32)
        labels = np.asarray(batch[label_key], "uint8").reshape(len(images), 1)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path} is no batch of CIFAR images ({error}). Delete it to download it again."
        ) from error
    return images, labels


def _joined(batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = (np.concatenate(parts) for parts in zip(*batches))
    if config.image_data_format() == "channels_last":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return images, labels
