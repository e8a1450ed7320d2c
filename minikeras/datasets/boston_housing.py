"""Boston housing: 506 suburbs, 13 numbers each, and the median price of a house in 1,000 $.

D. Harrison and D. Rubinfeld, "Hedonic prices and the demand for clean air", 1978. One of the 13
numbers, "B", supposes that people prefer segregated suburbs: use the data to show how such a
column misleads, and `california_housing` for the rest.
"""

from minikeras.datasets.npz import Split, check_test_split, fetch, load_npz, shuffled_split


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Split:
    """Loads Boston housing.

    Args:
        path: The file's name in the cache, `~/.keras/datasets`.
        test_split: The part of the rows to keep for testing, at least 0 and below 1.
        seed: The seed of the shuffle before the split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `float64` rows of 13 numbers, and prices.

    Raises:
        OSError: The file is not in the cache and cannot be downloaded.
        ValueError: `test_split` is out of range, or the file is damaged.
    """
    check_test_split(test_split)
    arrays = load_npz(
        fetch(
            path,
            "boston_housing.npz",
            "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
        )
    )
    return shuffled_split(arrays["x"], arrays["y"], test_split, seed)
