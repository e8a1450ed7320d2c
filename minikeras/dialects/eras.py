"""What older versions of Keras computed otherwise, set on the models that they wrote.

The architecture of such a model is today's; the few rules of layers have no place in a config, so
they are private attributes of the layers and of the model (`settle`). Losses and metrics of the
time have names of their own, which `today` finds; optimizers are saved under today's names.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple

import numpy as np

from minikeras import metrics, ops, optimizers
from minikeras.engine import registry, serialization


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
        # Up to 3.11 a mask counted in a metric only beside weights.
        model._metrics_unmasked = numbers < (3, 12) and "unweighted"
        for layer in _all_layers(model):
            # Up to 3.13 a penalty on outputs was their sum over the batch.
            layer._activity_mean = numbers >= (3, 14)
            if "initial_state" in inspect.signature(layer.call).parameters:
                layer._states_lose_masks = not version.endswith("+minikeras")
            if hasattr(layer, "_masks_if_any"):
                # Up to 3.3 the masks of inputs in a list were lost.
                layer._masks_if_any = numbers < (3, 5) and type(layer).__name__ == "Concatenate"
                layer.supports_masking = numbers >= (3, 4)
        return
    model.__dict__["_writer"] = numbers
    # From 2.3 on a mask was a weight like others; TensorFlow 2.11 divided by its sum again.
    model._mask_is_weight = (2, 3) <= numbers if standalone else numbers < (2, 11)
    model._penalties_in_training_only = standalone and numbers < (1, 2)
    model._metrics_unmasked = standalone and numbers < (2,)
    for layer in _all_layers(model):
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            layer._variance_factor = _sample_variance(layer, writer)
            # Up to 2.3 a frozen one used the statistics of batches; until 2.1.2 it tracked them.
            layer._while_frozen = standalone and ("tracks" if numbers < (2, 1, 3) else "uses")
        elif hasattr(layer, "_masks_if_any"):
            layer._masks_if_any = True
        elif kind == "TimeDistributed":
            layer._joins_steps = not _fixed_batch(model)
            if standalone and (numbers < (1, 1) or (2,) <= numbers < (2, 0, 7)):
                # The updates of what it wraps were not found.
                for inner in layer._flatten_layers():
                    inner._untracked = True
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


def _sample_variance(layer: Any, writer: Writer) -> Any:
    """What the variance of a batch was tracked as.

    TensorFlow took a sample of the population where it had one kernel for all: for images, later
    for volumes. Keras 2.1.4 to 2.3 did so in any case, for images thus twice.
    """
    numbers, standalone = writer.numbers, writer.standalone
    ranks = (4, 5) if numbers >= (2, 5) else (4,)
    own = 1.0 + layer.epsilon if standalone and numbers > (2, 1, 3) else 0.0

    def factor(count: int, rank: int) -> float:
        fused = rank in ranks and layer.axis in (1, rank - 1, -1)
        if standalone:
            fused = fused and layer.axis != 1 and not writer.theano and numbers >= (2, 1, 3)
        elif layer.renorm or layer.compute_dtype == "float64":
            fused = False
        return count / (count - own) * (count / max(count - 1.0, 1.0) if fused else 1.0)

    return factor


# Losses, metrics and optimizers


def _both(name: str) -> Any:
    def register(function: Any) -> Any:
        registry.losses.register(name)(function)
        registry.metrics.register(name)(function)
        return function

    return register


def _unit(x: Any) -> Any:
    return ops.normalize(x, axis=-1, epsilon=1e-12)


@_both("keras1_cosine_proximity")
def cosine_proximity(y_true: Any, y_pred: Any) -> Any:
    """Minus the cosine, divided by the length of the vectors (Keras 1 and 2.0)."""
    return -ops.mean(_unit(y_true) * _unit(y_pred), axis=-1)


@_both("keras2_hinge")
def hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(max(1 - y_true * y_pred, 0))`, also where targets are 0 (up to Keras 2.2)."""
    return ops.mean(ops.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


@_both("keras2_squared_hinge")
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(max(1 - y_true * y_pred, 0) ** 2)`, also where targets are 0 (up to Keras 2.2)."""
    return ops.mean(ops.square(ops.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)


def _count(x: Any) -> Any:
    return ops.sum(ops.round(ops.clip(x, 0.0, 1.0)))


@registry.metrics.register("keras1_precision")
def precision(y_true: Any, y_pred: Any) -> Any:
    """True positives among the predicted ones of a batch (Keras 1)."""
    return _count(y_true * y_pred) / (_count(y_pred) + 1e-7)


@registry.metrics.register("keras1_recall")
def recall(y_true: Any, y_pred: Any) -> Any:
    """True positives among the positives of a batch (Keras 1)."""
    return _count(y_true * y_pred) / (_count(y_true) + 1e-7)


@registry.metrics.register("keras1_fmeasure")
def fmeasure(y_true: Any, y_pred: Any) -> Any:
    """Harmonic mean of precision and recall of a batch (Keras 1)."""
    p, r = precision(y_true, y_pred), recall(y_true, y_pred)
    return 2.0 * p * r / (p + r + 1e-7)


@registry.metrics.register("keras1_matthews_correlation")
def matthews_correlation(y_true: Any, y_pred: Any) -> Any:
    """Matthews's correlation coefficient of a batch (Keras 1)."""
    guess, truth = (ops.round(ops.clip(one, 0.0, 1.0)) for one in (y_pred, y_true))
    tp, tn = ops.sum(truth * guess), ops.sum((1.0 - truth) * (1.0 - guess))
    fp, fn = ops.sum((1.0 - truth) * guess), ops.sum(truth * (1.0 - guess))
    below = ops.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return (tp * tn - fp * fn) / (below + 1e-7)


def fbeta_score(y_true: Any, y_pred: Any, beta: float = 1) -> Any:
    """Weighted harmonic mean of precision and recall of a batch (Keras 1).

    Args:
        y_true: 0 or 1 for each output.
        y_pred: Probabilities.
        beta: Float, default 1. How many times as much recall counts.

    Raises:
        ValueError: for a negative `beta`.
    """
    if beta < 0:
        raise ValueError(f"Argument `beta` must not be negative. Received: {beta!r}")
    p, r = precision(y_true, y_pred), recall(y_true, y_pred)
    return (1 + beta**2) * (p * r) / (beta**2 * p + r + 1e-7)


@registry.metrics.register("MeanRelativeError")
class MeanRelativeError(metrics.MeanMetricWrapper):
    """Mean of the absolute errors, divided by what is given for each output (tf.keras).

    Args:
        normalizer: Array of what errors are divided by. Errors over 0 count as 0.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
    """

    def __init__(self, normalizer: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(_relative_error, name, dtype, normalizer=normalizer)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = super().get_config()
        del config["fn"]
        return config

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The metric of a config."""
        return cls(**serialization.deserialize(config))


def _relative_error(y_true: Any, y_pred: Any, normalizer: Any) -> Any:
    return ops.divide_no_nan(ops.abs(y_true - y_pred), ops.convert_to_tensor(normalizer))


@_both("keras2_cosine_proximity")
def minus_cosine(y_true: Any, y_pred: Any) -> Any:
    """Minus the cosine (Keras 2.0.9 to 2.2)."""
    return -ops.sum(_unit(y_true) * _unit(y_pred), axis=-1)


_HINGES = {"hinge": "keras2_hinge", "squared_hinge": "keras2_squared_hinge"}
_COSINES = ("cosine_proximity", "cosine")
_KERAS_1 = {
    "precision": "keras1_precision",
    "recall": "keras1_recall",
    **dict.fromkeys(("fmeasure", "fscore", "f1score", "fbeta_score"), "keras1_fmeasure"),
    "matthews_correlation": "keras1_matthews_correlation",
}


def binary_accuracies(metrics: Any, loss: Any, version: Any) -> Any:
    """Metrics with `"accuracy"` as older versions meant it: of each output, where the loss is
    binary crossentropy.

    Args:
        metrics: Names of metrics, or lists and dicts of them.
        loss: Name of the loss, or lists and dicts of them.
        version: The version of Keras that wrote the file, or None.
    """
    writer = writer_of(version)
    if not writer.standalone and writer.numbers != (2, 0, 0):
        return metrics
    if isinstance(metrics, dict) and "class_name" not in metrics:
        return {
            key: binary_accuracies(one, loss.get(key) if isinstance(loss, dict) else loss, version)
            for key, one in metrics.items()
        }
    if isinstance(metrics, list):
        if isinstance(loss, list) and "binary_crossentropy" in loss:
            given = metrics if isinstance(metrics[0], list) else [metrics] * len(loss)
            return [binary_accuracies(m, one, version) for m, one in zip(given, loss)]
        return [binary_accuracies(one, loss, version) for one in metrics]
    if metrics in ("accuracy", "acc") and loss == "binary_crossentropy":
        return {"class_name": "BinaryAccuracy", "config": {"name": metrics}}
    return metrics


def today(names: Any, version: Any) -> Any:
    """Names of losses or metrics in a file, with those of this module where it means them.

    Args:
        names: A name, or lists and dicts of names.
        version: The version of Keras that wrote the file, or None.
    """
    writer = writer_of(version)
    if not writer.standalone:
        return names
    # Keras 2.3 turned targets of 0 into -1, as it is done today.
    table = dict(_HINGES) if writer.numbers < (2, 3) else {}
    cosine = "keras1_cosine_proximity" if writer.numbers < (2, 0, 9) else "keras2_cosine_proximity"
    # From 2.3 on a metric was the cosine, as today.
    cosine = "cosine_similarity" if writer.numbers >= (2, 3) else cosine
    table.update(dict.fromkeys(_COSINES, cosine))
    if writer.numbers < (2,):
        table.update(_KERAS_1)

    def rename(value: Any) -> Any:
        if isinstance(value, str):
            return table.get(value, value)
        if isinstance(value, list):
            return [rename(one) for one in value]
        if isinstance(value, dict) and "class_name" not in value:
            return {key: rename(one) for key, one in value.items()}
        return value

    return rename(names)


def _epsilon_outside(x: Any, epsilon: Any, out: Any) -> None:
    np.sqrt(x, out)
    np.add(out, epsilon, out)


@registry.optimizers.register("keras2_rmsprop")
class RMSprop(optimizers.RMSprop):
    """RMSprop with `epsilon` outside the root (inside, with momentum)."""

    def rule(self, *_: Any) -> Any:
        return super().rule(*(() if self.momentum > 0 else (_epsilon_outside,)))


@registry.optimizers.register("keras2_adagrad")
class Adagrad(optimizers.Adagrad):
    """Adagrad with `epsilon` outside the root."""

    def rule(self, *_: Any) -> Any:
        return super().rule(_epsilon_outside)


@registry.optimizers.register("keras2_nadam")
class Nadam(optimizers.Nadam):
    """Nadam whose momentum warms up slowly.

    Args:
        schedule_decay: Float, default 0.004. How fast.
    """

    def __init__(self, *args: Any, schedule_decay: float = 0.004, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.schedule_decay = schedule_decay

    def _begin_update(self, step: int) -> None:
        product = self._u_product.array
        product *= self.beta_1 * (1.0 - 0.5 * 0.96 ** (step * self.schedule_decay))

    def coefficients(self, rate: float, step: int, cast: Any, given: Any) -> tuple:
        product = self._u_product.array.item()
        now, following = (
            self.beta_1 * (1.0 - 0.5 * 0.96 ** (count * self.schedule_decay))
            for count in (step, step + 1)
        )
        return (
            1 - self.beta_1,
            1 - self.beta_2,
            self.epsilon,
            rate,
            following / (1.0 - product * following),
            (1.0 - now) / (1.0 - product),
            1.0 - self.beta_2**step,
        )


class _OneAhead:
    """Keras 2.1 to 2.3 counts a step before its bias correction and decay read the count."""

    def _rate(self) -> float:
        rate = super()._rate()  # type: ignore[misc]
        decay, count = self.decay, self._iterations.array.item()  # type: ignore[attr-defined]
        return rate * (1.0 + decay * count) / (1.0 + decay * (count + 1))

    def _begin_update(self, step: int) -> None:
        super()._begin_update(step + 1)  # type: ignore[misc]

    def coefficients(self, rate: float, step: int, cast: Any, given: Any) -> tuple:
        return super().coefficients(rate, step + 1, cast, given)  # type: ignore[misc]


def _ahead(name: str, base: type) -> None:
    kind = type(
        base.__name__, (_OneAhead, base), {"__doc__": f"{base.__name__} of Keras 2.1 to 2.3."}
    )
    registry.optimizers.register(f"keras2_{name}")(kind)


_ahead("adam", optimizers.Adam)
_ahead("adamax", optimizers.Adamax)
_ahead("adagrad_ahead", Adagrad)
_ahead("nadam_ahead", Nadam)
_ahead("rmsprop_ahead", RMSprop)
_ahead("adadelta", optimizers.Adadelta)
_ahead("sgd", optimizers.SGD)


def without_prefixes(metrics: Any, outputs: list[str]) -> Any:
    """Configs of metrics without the name of their output, which tf.keras put before theirs."""
    if isinstance(metrics, list):
        return [without_prefixes(one, outputs) for one in metrics]
    if not isinstance(metrics, dict) or len(outputs) < 2:
        return metrics
    if "class_name" not in metrics:
        return {key: without_prefixes(one, outputs) for key, one in metrics.items()}
    config = metrics.get("config")
    name = str(config.get("name")) if isinstance(config, dict) else ""
    found = [one for one in outputs if name.startswith(f"{one}_")]
    if config is None or not found:
        return metrics
    return {**metrics, "config": {**config, "name": name[len(max(found, key=len)) + 1 :]}}
