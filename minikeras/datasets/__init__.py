"""Small data sets: one inside the package, and those that Keras downloads.

`digits` needs no network. The others are downloaded once into Keras's own cache folder,
`~/.keras/datasets`, and found there if Keras has downloaded them already.
"""

from minikeras.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]
