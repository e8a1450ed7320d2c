"""The optimizers of Keras 2 under `optimizers.legacy`: today's, which know the old arguments."""

from minikeras.optimizers.adagrad import Adagrad, Ftrl
from minikeras.optimizers.adam import Adam
from minikeras.optimizers.base import Optimizer
from minikeras.optimizers.kernel import SGD, RMSprop

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
