"""1,797 handwritten digits of 8 by 8 pixels, inside the package.

Source: the test set of "Optical Recognition of Handwritten Digits", by E. Alpaydin and C. Kaynak,
UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49. License: Creative Commons
Attribution 4.0 International (CC BY 4.0), https://creativecommons.org/licenses/by/4.0/legalcode.
Changes: the rows of numbers are kept in a compressed NumPy file, pixel by pixel and sorted by
label and neighbours, which packs a quarter smaller.

Thirteen people wrote the digits. Each image was scanned as 32 by 32 black and white dots; a pixel
counts the black dots of a block of 4 by 4, hence values from 0 to 16.
"""

import os

import numpy as np

from minikeras.datasets.npz import Split, load_npz, shuffled_split


def load_data(test_split: float = 0.2, seed: int = 113) -> Split:
    """Loads the handwritten digits. No network is needed.

    Args:
        test_split: The part of the images to keep for testing, at least 0 and below 1.
            Defaults to 0.2.
        seed: The seed of the shuffle before the split. Defaults to 113.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. The images are `uint8` arrays of shape
        `(n, 8, 8)` with values from 0 to 16, the labels `uint8` arrays of shape `(n,)` with values
        from 0 to 9. The same seed gives the same split.

    Raises:
        ValueError: `test_split` is below 0, or not below 1.

    Example:

    >>> import minikeras
    >>> (x_train, y_train), (x_test, y_test) = minikeras.datasets.digits.load_data()
    >>> x_train.shape, y_train.shape, x_test.shape
    ((1437, 8, 8), (1437,), (360, 8, 8))
    """
    arrays = load_npz(os.path.join(os.path.dirname(__file__), "digits.npz"))
    labels = arrays["labels"]
    images = np.zeros((len(labels), 9, 9), "uint8")  # a border on the left and above
    for i, j in np.ndindex(8, 8):
        order = np.lexsort((images[:, i + 1, j], images[:, i, j + 1] // 4, labels))
        images[order, i + 1, j + 1] = arrays["images"][i, j]
    return shuffled_split(images[:, 1:, 1:], labels, test_split, seed)
