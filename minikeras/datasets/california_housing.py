"""California housing: 20,640 districts of the census of 1990, and the median price of a house in $.

R. K. Pace and R. Barry, "Sparse spatial autoregressions", Statistics and Probability Letters 33
(1997). The columns: median income, median age of houses, rooms and bedrooms a household,
population, people a household, latitude, longitude.
"""

from minikeras.datasets.npz import Split, check_test_split, fetch, load_npz, shuffled_split


def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> Split:
    """Loads California housing.

    Args:
        version: `"large"` for all 20,640 rows, `"small"` for the first 600.
        path: The file's name in the cache, `~/.keras/datasets`.
        test_split: The part of the rows to keep for testing, at least 0 and below 1.
        seed: The seed of the shuffle before the split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: rows of 8 numbers, and prices.

    Raises:
        OSError: The file is not in the cache and cannot be downloaded.
        ValueError: `version` is neither, `test_split` is out of range, or the file is damaged.
    """
    check_test_split(test_split)
    if version not in ("small", "large"):
        raise ValueError(f"`version` must be 'small' or 'large'. Received: version={version!r}")
    arrays = load_npz(
        fetch(
            path,
            "california_housing.npz",
            "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
        )
    )
    rows = slice(600) if version == "small" else slice(None)
    return shuffled_split(arrays["x"][rows], arrays["y"][rows], test_split, seed)
