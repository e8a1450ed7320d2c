"""CIFAR-10: 60,000 colour pictures of 32 by 32 pixels in 10 classes.

The classes: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship,
9 truck. Source: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from minikeras.datasets.npz import Split, load_cifar


def load_data() -> Split:
    """Loads CIFAR-10.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `uint8` images of shapes `(50000, 32, 32, 3)` and
        `(10000, 32, 32, 3)` with values from 0 to 255 (channels first, if
        `config.image_data_format()` says so), and `uint8` labels of shapes `(50000, 1)` and
        `(10000, 1)` from 0 to 9.

    Raises:
        OSError: The files are not in the cache and cannot be downloaded.
        ValueError: A file is damaged.
    """
    return load_cifar(
        "cifar-10-batches-py",
        ([f"data_batch_{i}" for i in range(1, 6)], ["test_batch"]),
        "labels",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    )
