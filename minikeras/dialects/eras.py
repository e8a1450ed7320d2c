"""What older versions of Keras computed otherwise, set on the models that they wrote.

The architecture of such a model is today's; these few rules have no place in a config, so they are
private attributes of the layers and of the model.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Writer(NamedTuple):
    """The Keras that wrote a file.

    Attributes:
        numbers: Its version, as numbers; empty if not known.
        standalone: Whether it was no part of TensorFlow.
        theano: Whether it ran on Theano.
    """

    numbers: tuple[int, ...] = ()
    standalone: bool = False
    theano: bool = False


def writer_of(version: Any, backend: Any = None) -> Writer:
    """What is known of the Keras that wrote a file.

    Args:
        version: The text of its version, or None.
        backend: The name of its backend, or None.
    """
    match = re.match(r"(\d+)\.(\d+)\.(\d+)(.*)", version) if isinstance(version, str) else None
    if match is None:
        return Writer(theano=backend == "theano")
    numbers = tuple(int(one) for one in match.groups()[:3])
    standalone = numbers <= (2, 3, 1) and not match.group(4).startswith("-tf")
    if match.group(4).startswith("-tf"):
        # TensorFlow 1.13 to 2.2 said so of the Keras inside of it.
        numbers = (2, 0, 0)
    return Writer(numbers, standalone, standalone and backend == "theano")


def settle(model: Any, version: Any, backend: Any = None) -> None:
    """Make a model compute as the version of Keras that wrote it.

    Args:
        model: The model, as loaded.
        version: The text of the version, or None.
        backend: The name of its backend, or None.
    """
    writer = writer_of(version, backend)
    if not writer.numbers:
        return
    numbers, standalone = writer.numbers, writer.standalone
    if numbers >= (3,):
        for layer in _all_layers(model):
            # Up to 3.13 a penalty on outputs was their sum over the batch.
            layer._activity_mean = numbers >= (3, 14)
            if hasattr(layer, "_masks_if_any"):
                layer._masks_if_any = numbers < (
                    3,
                    5 if type(layer).__name__ == "Concatenate" else 4,
                )
        return
    model.__dict__["_writer"] = numbers
    # From 2.3 on a mask was a weight like others; TensorFlow 2.11 divided by its sum again.
    model._mask_is_weight = (2, 3) <= numbers if standalone else numbers < (2, 11)
    model._penalties_in_training_only = standalone and numbers < (1, 2)
    model._metrics_unmasked = standalone and numbers < (2,)
    for layer in _all_layers(model):
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            if standalone and numbers >= (2, 1):
                layer._variance_factor = _sample_variance(layer.epsilon)
            elif not standalone:
                layer._variance_factor = _sample_variance_of_images(layer, numbers)
        elif hasattr(layer, "_masks_if_any"):
            layer._masks_if_any = True
        elif kind == "TimeDistributed":
            layer._joins_steps = not _fixed_batch(model)
        elif kind == "MultiHeadAttention" and not standalone and numbers < (2, 10):
            layer._explicit_masks_only, layer.supports_masking = True, False
        elif kind == "UpSampling2D" and standalone and layer.interpolation == "bilinear":
            layer._way = "bilinear_at_corners"
        if standalone:
            layer._activity_mean = False
    if writer.theano:
        settle_theano(model)


def settle_theano(model: Any) -> None:
    """Let layers compute as they did on Theano.

    With `padding="same"`, half of a window comes before, whatever the strides, and the rest is cut
    off. The left of an `SReLU`, which may fall, rises no higher than its middle. Batches are
    normalized as today, but the variance that is tracked has `epsilon` added.

    Args:
        model: The model, as loaded.
    """
    for layer in _all_layers(model):
        if hasattr(layer, "padding") and hasattr(layer, "strides"):
            layer._pads_half = True
        elif type(layer).__name__ == "SReLU":
            layer._caps_left = True
        elif type(layer).__name__ == "BatchNormalization" and _version_of(model) >= (1, 2):
            # The variance that it tracked was one over the square of what it divided by.
            layer._variance_offset = layer.epsilon


def _version_of(model: Any) -> tuple:
    """The version of Keras that wrote a model, as numbers; of none that is known, an old one."""
    return model.__dict__.get("_writer", (1, 2))


def _fixed_batch(model: Any) -> bool:
    """Whether batches have one size; then `TimeDistributed` went step by step."""
    return any(one.shape[0] is not None for one in getattr(model, "inputs", None) or ())


def _all_layers(model: Any) -> list:
    return list(model._flatten_layers(include_self=False))


def _sample_variance(epsilon: float) -> Any:
    """Keras 2.1 to 2.3 tracked the variance of the population that a batch is a sample of."""
    return lambda count, rank: count / (count - (1.0 + epsilon))


def _sample_variance_of_images(layer: Any, numbers: tuple) -> Any:
    """TensorFlow did so where it had one kernel for all: for images, later for volumes."""
    ranks = (4, 5) if numbers >= (2, 5) else (4,)

    def factor(count: int, rank: int) -> float:
        fused = rank in ranks and layer.axis in (1, rank - 1, -1)
        if layer.renorm or layer.compute_dtype == "float64" or not fused:
            return 1.0
        return count / max(count - 1.0, 1.0)

    return factor
