"""`keras.layers`: every layer, one file a family."""

from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.layers.core import Dense, Input, InputLayer

__all__ = [
    "Dense",
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
]
