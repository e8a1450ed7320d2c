"""MNIST: 70,000 handwritten digits of 28 by 28 pixels.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86 (1998). License: CC BY-SA 3.0.
"""

from minikeras.datasets.npz import Split, fetch, load_npz


def load_data(path: str = "mnist.npz") -> Split:
    """Loads MNIST.

    Args:
        path: The file's name in the cache, `~/.keras/datasets`. Defaults to `"mnist.npz"`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `uint8` images of shapes `(60000, 28, 28)` and
        `(10000, 28, 28)` with values from 0 to 255, and `uint8` labels from 0 to 9.

    Raises:
        OSError: The file is not in the cache and cannot be downloaded.
        ValueError: The file is damaged.
    """
    arrays = load_npz(
        fetch(path, "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")
    )
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
