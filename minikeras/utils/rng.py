"""One seed for every source of chance."""

import random

import numpy as np


def set_random_seed(seed: int) -> None:
    """Seeds Python's `random`, NumPy and every random operation of minikeras.

    Two runs that start with the same seed are equal to the last bit.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: The seed is no whole number.

    Example:

    >>> import minikeras, numpy as np
    >>> minikeras.utils.set_random_seed(812)
    >>> first = np.random.rand()
    >>> minikeras.utils.set_random_seed(812)
    >>> bool(np.random.rand() == first)
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r} ({type(seed)})")
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be at least 0 and below 2**32. Received: seed={seed}")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)

    from minikeras.engine import rng as engine_rng

    engine_rng.set_global_seed(seed)
