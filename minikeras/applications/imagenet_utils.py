"""Images and predictions of networks trained on ImageNet."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config, ops
from minikeras.utils import get_file

_CLASSES = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASSES_HASH = "c2c37ea517e94d9795004a39431a14cb"

# Mode -> (divisor, mean of each channel, deviation of each channel, whether RGB becomes BGR).
_MODES: dict[str, tuple] = {
    "caffe": (None, (103.939, 116.779, 123.68), None, True),
    "tf": (127.5, (1.0, 1.0, 1.0), None, False),
    "torch": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), False),
}


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Scale images as a network was trained on them.

    Args:
        x: Images with three channels and values from 0 to 255: array of 3 or 4 axes (a float one
            is changed in place where it can be, as in Keras), or tensor.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to the one configured.
        mode: `"caffe"` (default): from RGB to BGR, less the mean of ImageNet. `"tf"`: to
            [-1, 1]. `"torch"`: to [0, 1], then less the mean and over the deviation of ImageNet.

    Raises:
        ValueError: for an unknown mode or format.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.applications.imagenet_utils.preprocess_input(
    ...     np.array([[[0.0, 127.5, 255.0]]]), mode="tf").tolist()
    [[[-1.0, 0.0, 1.0]]]
    """
    if mode not in _MODES:
        raise ValueError(
            f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: mode={mode}"
        )
    if data_format is None:
        data_format = config.image_data_format()
    elif data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            "Expected data_format to be one of `channels_first` or `channels_last`. Received:"
            f" data_format={data_format}"
        )
    axis = len(x.shape) - 3 if data_format == "channels_first" else len(x.shape) - 1
    divisor, mean, deviation, swaps = _MODES[mode]
    shape = [1] * len(x.shape)
    shape[axis] = 3
    if isinstance(x, np.ndarray):
        if x.dtype.kind != "f":
            x = x.astype(config.floatx())
        if divisor is not None:
            x /= divisor
        if swaps:
            x = np.flip(x, axis)
        if mode == "tf":
            x -= 1
            return x
        x -= np.reshape(np.array(mean, x.dtype), shape)
        if deviation is not None:
            x /= np.reshape(np.array(deviation, x.dtype), shape)
        return x
    if divisor is not None:
        x = x / divisor
    if mode == "tf":
        return x - 1.0
    if swaps:
        x = ops.flip(x, axis)
    x = x - ops.convert_to_tensor(np.reshape(np.array(mean), shape), dtype=x.dtype)
    if deviation is not None:
        x = x / ops.convert_to_tensor(np.reshape(np.array(deviation), shape), dtype=x.dtype)
    return x


@functools.lru_cache(maxsize=1)
def _class_index() -> dict:
    path = get_file(
        "imagenet_class_index.json", _CLASSES, cache_subdir="models", file_hash=_CLASSES_HASH
    )
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def decode_predictions(preds: Any, top: int = 5) -> list:
    """The most likely classes of each prediction.

    Args:
        preds: Array of shape `(samples, 1000)`.
        top: Integer, default 5. How many classes.

    Returns:
        For each sample a list of tuples `(class name, description, score)`, best first.

    Raises:
        ValueError: for another shape.
    """
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape"
            f" (samples, 1000)). Received array with shape: {preds.shape}"
        )
    index = _class_index()
    return [
        [(*index[str(place)], scores[place]) for place in np.argsort(scores)[::-1][:top]]
        for scores in np.asarray(preds)
    ]


def helpers(mode: str) -> tuple[Callable, Callable]:
    """`preprocess_input` and `decode_predictions` of a network that was trained in `mode`."""

    def preprocess(x: Any, data_format: str | None = None) -> Any:
        return preprocess_input(x, data_format=data_format, mode=mode)

    preprocess.__name__ = preprocess.__qualname__ = "preprocess_input"
    preprocess.__doc__ = (
        f"`imagenet_utils.preprocess_input` with `mode={mode!r}`, as this network was trained."
    )
    return preprocess, decode_predictions
