"""What the networks here have in common: their arguments, their top, their weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from minikeras import activations, config, layers
from minikeras.engine.symbolic import KerasTensor
from minikeras.models import Model
from minikeras.utils import get_file, get_source_inputs

_STORE = "https://storage.googleapis.com/tensorflow/keras-applications/"

ARGUMENTS = """Args:
        include_top: Boolean, default True. Whether the classifier is there.
        weights: `"imagenet"` (default): weights trained on ImageNet, downloaded into
            `~/.keras/models` unless they are there; the path of a file of weights; or None:
            random weights.
        input_tensor: Symbolic tensor to build on, or None.
        input_shape: Shape of an image, such as `(224, 224, 3)`, the default with the classifier.
            Other sizes need `include_top=False` or `weights=None`.
        pooling: Without the classifier: None (default) for the feature maps, `"avg"` or `"max"`
            for their mean or maximum.
        classes: Integer, default 1000. Size of the output.
        classifier_activation: Activation of the output. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        Functional `Model`.

    Raises:
        ValueError: for arguments that do not fit each other."""


def documented(function: Callable) -> Callable:
    """Put the arguments that all have into the docstring."""
    function.__doc__ = (function.__doc__ or "").replace("{arguments}", ARGUMENTS)
    return function


def first_format() -> bool:
    """Whether channels come first."""
    return config.image_data_format() == "channels_first"


def channel_axis() -> int:
    """The axis of the channels."""
    return 1 if first_format() else 3


def image_shape(
    input_shape: Any, size: int, smallest: int, include_top: bool, weights: Any
) -> tuple:
    """The shape of the input images.

    Args:
        input_shape: What the caller gave, or None.
        size: Rows and columns by default.
        smallest: Rows and columns at least.
    """
    places = (1, 2) if first_format() else (0, 1)
    trained = weights == "imagenet"

    def shape(side: Any, channels: int) -> tuple:
        return (channels, side, side) if first_format() else (side, side, channels)

    if input_shape is not None:
        input_shape = tuple(input_shape)
        if len(input_shape) != 3:
            raise ValueError(
                "`input_shape` must be a tuple of three integers. Received:"
                f" input_shape={input_shape}"
            )
        if trained and include_top and input_shape != shape(size, 3):
            raise ValueError(
                "When setting `include_top=True` and loading `imagenet` weights, `input_shape`"
                f" should be {shape(size, 3)}. Received: input_shape={input_shape}"
            )
        if trained and input_shape[0 if first_format() else 2] != 3:
            raise ValueError(
                f"The input must have 3 channels; Received `input_shape={input_shape}`"
            )
        if any(input_shape[i] is not None and input_shape[i] < smallest for i in places):
            raise ValueError(
                f"Input size must be at least {smallest}x{smallest}; Received:"
                f" input_shape={input_shape}"
            )
    else:
        input_shape = shape(size if include_top else None, 3)
    if include_top and None in input_shape:
        raise ValueError(
            "If `include_top` is True, you should specify a static `input_shape`. Received:"
            f" input_shape={input_shape}"
        )
    return input_shape


def check_weights(weights: Any, include_top: bool, classes: int, activation: Any) -> None:
    """Check what belongs to weights."""
    known = weights in (None, "imagenet")
    if not known and not os.path.exists(weights):
        raise ValueError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet'"
            " (pre-training on ImageNet), or the path to the weights file to be loaded. Received:"
            f" weights={weights}"
        )
    if weights == "imagenet" and include_top and classes != 1000:
        raise ValueError(
            "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000."
            f" Received classes={classes}"
        )
    allowed = (activations.softmax, activations.linear)
    if include_top and weights is not None and activations.get(activation) not in allowed:
        raise ValueError(
            "Only `None` and `softmax` activations are allowed for the `classifier_activation`"
            " argument when using pretrained weights, with `include_top=True`; Received:"
            f" classifier_activation={activation}"
        )


def start(input_tensor: Any, input_shape: tuple) -> Any:
    """The symbolic images."""
    if input_tensor is None:
        return layers.Input(shape=input_shape)
    if not isinstance(input_tensor, KerasTensor):
        return layers.Input(tensor=input_tensor)
    return input_tensor


def pooled(x: Any, pooling: str | None, names: tuple = (None, None)) -> Any:
    """The features of a network without its classifier."""
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name=names[1])(x)
    return x


def finish(
    images: Any, input_tensor: Any, x: Any, name: str, weights: Any, file: Callable
) -> Model:
    """The model, with its weights.

    Args:
        file: Function without arguments that returns the folder of the weights trained on
            ImageNet, the name of their file, and its hash or None.
    """
    symbolic = isinstance(input_tensor, KerasTensor)
    inputs = get_source_inputs(input_tensor) if symbolic else images
    model = Model(inputs, x, name=name)
    if weights == "imagenet":
        folder, file_name, file_hash = file()
        weights = get_file(
            file_name,
            f"{_STORE}{folder}/{file_name}",
            cache_subdir="models",
            file_hash=file_hash,
        )
    if weights is not None:
        model.load_weights(weights)
    return model


def kernels_file(folder: str, include_top: bool, hashes: tuple, name: str = "") -> tuple:
    """Folder, file and hash, as most networks name them: `hashes` with and without the top."""
    ending = "" if include_top else "_notop"
    file_name = f"{name or folder}_weights_tf_dim_ordering_tf_kernels{ending}.h5"
    return folder, file_name, hashes[0 if include_top else 1]
