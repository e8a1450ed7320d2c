"""Preprocessing under the names that Keras 1 and 2 gave it, and data sets from folders."""

from minikeras.preprocessing import image, sequence, text
from minikeras.utils.image_utils import image_dataset_from_directory, text_dataset_from_directory
from minikeras.utils.py_dataset import timeseries_dataset_from_array

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
