"""What `compile` was given, resolved onto the model's outputs: losses and metrics, flat."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minikeras.engine import registry, tree
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain
from minikeras.training.outputs import LossTerm, Outputs, along, nested_losses, spread_losses


def resolve_loss(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """A `Loss` object for a name, a function, a class or an object.

    `"crossentropy"` and `"ce"` choose between the binary, sparse and categorical one by shapes.
    """
    from minikeras import losses

    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        binary, sparse = binary_or_sparse(y_true, y_pred)
        identifier = (
            "binary_crossentropy"
            if binary
            else "sparse_categorical_crossentropy"
            if sparse
            else "categorical_crossentropy"
        )
    found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    name = identifier if isinstance(identifier, str) else getattr(found, "__name__", None)
    return losses.LossFunctionWrapper(found, name=name or type(found).__name__)


def binary_or_sparse(y_true: Any, y_pred: Any) -> tuple[bool, bool]:
    """Whether predictions of this shape are binary, and whether the labels are class numbers."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    last_true = true[-1] if true else 1
    last_pred = pred[-1] if pred else 1
    return last_pred == 1, len(true) < len(pred) or (last_true == 1 and last_pred > 1)


class CompiledLoss:
    """The losses of a compiled model.

    Args:
        loss: What `compile` was given.
        loss_weights: What `compile` was given.
        output_names: Names of the outputs, where `build` does not say them.
    """

    def __init__(
        self, loss: Any, loss_weights: Any = None, output_names: list | None = None
    ) -> None:
        if loss_weights is not None and not isinstance(
            loss_weights, (list, tuple, dict, float, int)
        ):
            raise ValueError(
                "Argument `loss_weights` must be a float, or a list, tuple or dict of floats."
                f" Received: loss_weights={loss_weights!r} of type {type(loss_weights)}"
            )
        for one in tree.flatten(loss):
            if isinstance(one, str) and one.lower() not in ("crossentropy", "ce"):
                registry.losses.lookup(one, "loss")
        self.loss, self.loss_weights, self.output_names = loss, loss_weights, output_names
        self.terms: list[LossTerm] | None = None
        self.outputs: Outputs | None = None
        self.trackers: list = []

    @property
    def built(self) -> bool:
        """Whether the losses are resolved."""
        return self.terms is not None

    @property
    def metrics(self) -> list:
        """One `Mean` per loss, where there are several."""
        return self.trackers

    def build(self, y_true: Any, y_pred: Any, names: list | None = None) -> None:
        """Resolve the losses for outputs and targets of these shapes."""
        from minikeras.metrics import Mean

        outputs = Outputs(y_pred, names or self.output_names)
        nested = nested_losses(self.loss, self.loss_weights, outputs)
        entries = self._one_an_output(outputs, y_pred) if nested is None else list(nested)
        wanted = sorted({index for part, *_ in entries for index in tree.flatten(part)})
        targets = outputs.spread(y_true, "y_true", wanted)
        flat_pred = tree.flatten(y_pred)
        terms = []
        for part, one, weight, name in entries:
            numbers = tree.flatten(part)
            first = numbers[0]
            for index in numbers:
                if targets[index] is None:
                    raise ValueError(
                        f"Output {outputs.names[index]!r} has the loss {one!r} but no targets. Pass"
                        " `y` for it, or None as its loss."
                    )
            loss = resolve_loss(one, plain(targets[first]), flat_pred[first])
            name = name if outputs.have_names else loss.name
            parts = part if tree.is_nested(part) else None
            terms.append(LossTerm(first, loss, weight, str(name), parts))
        self.outputs, self.terms = outputs, terms
        if len(terms) > 1:
            self.trackers = [Mean(name=f"{term.name}_loss") for term in terms]

    def _one_an_output(self, outputs: Outputs, y_pred: Any) -> list[tuple]:
        """The losses where each is of one output: `(output, loss, weight, name)`."""
        given = spread_losses(self.loss, outputs, "loss")
        weights: list = [None] * outputs.count
        if self.loss_weights is not None:
            weights = self._weights(outputs, given)
        # Outputs in a dict are walked by name, their losses come as the user wrote them.
        order: Any = range(outputs.count)
        if isinstance(y_pred, dict) and outputs.count == len(y_pred):
            written = self.loss if isinstance(self.loss, dict) else y_pred
            order = [outputs.names.index(name) for name in written]
        entries = []
        for index in order:
            several = isinstance(given[index], (list, tuple))
            each = isinstance(weights[index], (list, tuple))
            for position, one in enumerate(given[index] if several else [given[index]]):
                weight = weights[index][position] if each else weights[index]
                if one is not None:
                    entries.append((index, one, weight, outputs.names[index]))
        return entries

    def _weights(self, outputs: Outputs, given: list) -> list:
        value = self.loss_weights
        if isinstance(value, (float, int)):
            if outputs.count != 1:
                raise ValueError(
                    "Argument `loss_weights` must have one entry per output,"
                    f" {outputs.names}. Received: loss_weights={value}"
                )
            return [value]
        if isinstance(value, dict):
            unknown = set(value) - set(outputs.names)
            if unknown:
                raise ValueError(
                    f"Unknown keys in argument `loss_weights`: {sorted(map(str, unknown))}. The"
                    f" outputs of the model are {outputs.names}."
                )
            return [value.get(name) for name in outputs.names]
        flat = list(value or ())
        if len(flat) != outputs.count:
            if outputs.count == 1 and isinstance(given[0], (list, tuple)):
                if len(flat) == len(given[0]):
                    return [flat]
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {outputs.count} losses and"
                f" {len(flat)} weights."
            )
        return flat

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, names: Any = None
    ) -> Any:
        """The total loss as a tensor, through recordable operations (for custom steps)."""
        if not self.built:
            self.build(y_true, y_pred, names)
        assert self.outputs is not None and self.terms is not None
        wanted = sorted({index for term in self.terms for index in term.outputs})
        targets = self.outputs.spread(y_true, "y_true", wanted)
        weights = self.outputs.spread(sample_weight, "sample_weight")
        predictions = self.outputs.spread(y_pred, "y_pred")
        total: Any = None
        for position, term in enumerate(self.terms):
            if term.parts is None:
                place = term.output
                value = term.loss(targets[place], predictions[place], weights[place])
            else:
                weight = term.pick_weight(weights)
                value = term.loss(term.pick(targets), term.pick(predictions), weight)
            if self.trackers:
                prediction = predictions[term.output]
                self.trackers[position].update_state(
                    value.numpy() if isinstance(value, Tensor) else value,
                    sample_weight=prediction.shape[0] if prediction.shape else 1,
                )
            if term.weight is not None:
                value = value * term.weight
            total = value if total is None else total + value
        return total


class MetricGroup(NamedTuple):
    """The metrics of one output."""

    output: int
    metrics: list
    output_name: str | None
    weighted: bool


def resolve_metric(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """A `Metric` for a name, a function, a class or an object.

    `"accuracy"` and `"acc"` choose between the binary, sparse and categorical one by shapes.
    """
    from minikeras import metrics

    if identifier is None:
        raise ValueError("Expected metric, received `None`")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        binary, sparse = binary_or_sparse(y_true, y_pred)
        kind = (
            metrics.BinaryAccuracy
            if binary
            else metrics.SparseCategoricalAccuracy
            if sparse
            else metrics.CategoricalAccuracy
        )
        found: Any = kind(name=identifier)
    else:
        found = metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else _object_name(found)
    if not isinstance(found, metrics.Metric):
        found = metrics.MeanMetricWrapper(found, name=name)
    found.name = name
    return found


def _object_name(obj: Any) -> str:
    from minikeras.engine.registry import to_snake_case

    for attribute in ("name", "__name__"):
        name = getattr(obj, attribute, None)
        if name:
            return str(name)
    return to_snake_case(type(obj).__name__)


# Names that `metrics.get` knows, though there is no class of the name.
_KNOWN_WITHOUT_CLASS = ("accuracy", "acc", "fmeasure", "fbeta_score", "matthews_correlation")


class CompiledMetrics:
    """The metrics of a compiled model.

    Args:
        metrics: What `compile` was given.
        weighted_metrics: What `compile` was given.
        output_names: Names of the outputs, where `build` does not say them.
    """

    def __init__(
        self, metrics: Any, weighted_metrics: Any, output_names: list | None = None
    ) -> None:
        for argument, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(
                    f"Expected `{argument}` argument to be a list, tuple, or dict. Received"
                    " instead:"
                    f" {argument}={value} of type {type(value)}"
                )
            for one in tree.flatten(value or []):
                if isinstance(one, str) and one.lower() not in _KNOWN_WITHOUT_CLASS:
                    registry.metrics.lookup(one, argument)
        self.user_metrics, self.user_weighted = metrics, weighted_metrics
        self.name, self.output_names = "compile_metrics", output_names
        self.groups: list[MetricGroup] | None = None
        self.outputs: Outputs | None = None
        self._results: list[tuple[str, Any]] = []

    @property
    def built(self) -> bool:
        """Whether the metrics are resolved."""
        return self.groups is not None

    @property
    def metrics(self) -> list:
        """All metrics, flat."""
        return [metric for group in self.groups or () for metric in group.metrics]

    @property
    def variables(self) -> list:
        """The state of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y_true: Any, y_pred: Any, names: list | None = None) -> None:
        """Resolve the metrics for outputs and targets of these shapes."""
        outputs = Outputs(y_pred, names or self.output_names)
        flat_pred = tree.flatten(y_pred)
        groups: list[MetricGroup] = []
        for argument, setting, weighted in (
            ("metrics", self.user_metrics, False),
            ("weighted_metrics", self.user_weighted, True),
        ):
            if not setting:
                continue
            given = self._spread(setting, outputs, argument)
            targets = outputs.spread(
                y_true, "y_true", [i for i, one in enumerate(given) if one not in (None, [])]
            )
            order = {name: place for place, name in enumerate(names or self.output_names or ())}
            for index in sorted(range(len(given)), key=lambda i: order.get(outputs.names[i], i)):
                identifiers = given[index]
                if not isinstance(identifiers, (list, tuple)):
                    identifiers = [] if identifiers is None else [identifiers]
                if not identifiers or targets[index] is None:
                    continue
                resolved = [
                    resolve_metric(one, plain(targets[index]), flat_pred[index])
                    for one in identifiers
                ]
                named = outputs.count > 1 and outputs.have_names
                name = outputs.names[index] if named else None
                groups.append(MetricGroup(index, resolved, name, weighted))
        self.outputs, self.groups = outputs, groups
        self._results = self._name_results()

    @staticmethod
    def _spread(setting: Any, outputs: Outputs, argument: str) -> list:
        if outputs.count == 1:
            return [tree.flatten(setting)]
        if len(outputs.structure) != outputs.count:
            nested = along(setting, outputs.structure)
            if nested is not None:
                return nested
        if isinstance(setting, dict):
            unknown = set(setting) - set(outputs.names)
            if unknown:
                raise ValueError(
                    f"Invalid `{argument}`: unknown outputs {sorted(map(str, unknown))}. It should"
                    " be a dict or a list matching the output names of the model"
                    f" {outputs.names}. Received: {argument}={setting}"
                )
            return [setting.get(name) for name in outputs.names]
        if len(setting) == outputs.count:
            return list(setting)
        if all(one is not None and not isinstance(one, (list, tuple, dict)) for one in setting):
            # Keras 2: a flat list of metrics goes to every output.
            return [list(setting)] * outputs.count
        raise ValueError(
            f"Invalid `{argument}`. It should be a dict or a list matching the {outputs.count}"
            " output"
            f" names of the model {outputs.names}. Received: {argument}={setting}"
        )

    def _name_results(self) -> list[tuple[str, Any]]:
        results: list[tuple[str, Any]] = []
        counts: dict[str, int] = {}
        for group in self.groups or ():
            for metric in group.metrics:
                name = metric.name
                if group.output_name:
                    name = f"{group.output_name}_{name}"
                if name in counts and group.weighted:
                    name = f"weighted_{metric.name}"
                    if group.output_name:
                        name = f"{group.output_name}_{name}"
                if name in counts:
                    counts[name] += 1
                    results.append((f"{name}_{counts[name] - 1}", metric))
                else:
                    counts[name] = 1
                    results.append((name, metric))
        return results

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update all metrics from structures of tensors or arrays."""
        if not self.built:
            self.build(y_true, y_pred, None)
        assert self.outputs is not None
        wanted = sorted({group.output for group in self.groups or ()})
        targets = self.outputs.spread(y_true, "y_true", wanted)
        weights = self.outputs.spread(sample_weight, "sample_weight")
        predictions = self.outputs.spread(y_pred, "y_pred")
        for group in self.groups or ():
            prediction = predictions[group.output]
            mask = getattr(prediction, "_keras_mask", None)
            self._update(
                group,
                np.asarray(plain(targets[group.output])),
                np.asarray(plain(prediction)),
                None if weights[group.output] is None else np.asarray(plain(weights[group.output])),
                None if mask is None else np.asarray(plain(mask)),
            )

    @staticmethod
    def _update(
        group: MetricGroup, y_true: Any, y_pred: Any, weight: Any, mask: Any, given: Any = None
    ) -> None:
        for metric in group.metrics:
            if given and id(metric) in given:
                metric.accumulate_values(given[id(metric)], weight if group.weighted else None)
            elif mask is None:
                metric.update_arrays(y_true, y_pred, weight if group.weighted else None)
            else:
                metric.update_arrays(y_true, y_pred, weight if group.weighted else None, mask)

    def update_flat(
        self, targets: list, predictions: list, weights: list, masks: Any, given: Any = None
    ) -> None:
        """Update all metrics from flat lists of arrays; `given` has values by `id` of metrics."""
        for group in self.groups or ():
            index = group.output
            self._update(
                group,
                targets[index],
                predictions[index],
                weights[index],
                masks[index] if masks else None,
                given,
            )

    def reset_state(self) -> None:
        """Set all metrics back."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict:
        """The values by name."""
        results: dict = {}
        for name, metric in self._results:
            value = metric.result()
            if isinstance(value, dict):
                results.update(value)
            else:
                results[name] = value
        return results
