"""CIFAR-100: 60,000 colour pictures of 32 by 32 pixels in 100 classes, or 20 coarse ones.

Source: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from minikeras.datasets.npz import Split, load_cifar


def load_data(label_mode: str = "fine") -> Split:
    """Loads CIFAR-100.

    Args:
        label_mode: `"fine"` for 100 classes, `"coarse"` for 20. Defaults to `"fine"`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `uint8` images of shapes `(50000, 32, 32, 3)` and
        `(10000, 32, 32, 3)` with values from 0 to 255 (channels first, if
        `config.image_data_format()` says so), and labels of shapes `(50000, 1)` and `(10000, 1)`.

    Raises:
        OSError: The files are not in the cache and cannot be downloaded.
        ValueError: `label_mode` is neither, or a file is damaged.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(
            f"`label_mode` must be 'fine' or 'coarse'. Received: label_mode={label_mode!r}"
        )
    return load_cifar(
        "cifar-100-python",
        (["train"], ["test"]),
        f"{label_mode}_labels",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    )
