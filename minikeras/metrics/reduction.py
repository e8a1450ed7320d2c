"""Sums and means of values, and means of what a function makes of labels and predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import dtypes, registry, serialization
from minikeras.engine.context import INFERENCE, Context
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain
from minikeras.metrics.metric import (
    Metric,
    as_array,
    as_tensor,
    check_samples,
    samplewise,
    with_mask,
)


class _Reduction(Metric):
    """What `Sum` and `Mean` share: they take values, not labels and predictions."""

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values.

        Args:
            values: Array of shape `()` or `(samples, ...)`.
            sample_weight: Array of weights that broadcasts to `values`, or None.
        """
        mask = None if sample_weight is None else getattr(values, "_keras_mask", None)
        sample_weight = with_mask(as_array(sample_weight), mask, self._array_dtype)
        self.accumulate_values(as_array(values), sample_weight)

    def update_arrays(
        self, y_true: Any, y_pred: Any = None, sample_weight: Any = None, mask: Any = None
    ) -> None:
        """Add an array of values; the second argument is their weights."""
        self.accumulate_values(y_true, y_pred if sample_weight is None else sample_weight)

    def accumulate_values(self, values: Any, sample_weight: Any) -> None:
        raise NotImplementedError

    @property
    def _array_dtype(self) -> np.dtype:
        return dtypes.numpy_dtype(self._dtype)


@registry.metrics.register("Sum", "sum")
class Sum(_Reduction):
    """The (weighted) sum of values.

    Args:
        name: String, default `"sum"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Sum()
    >>> metric.update_state([1, 3, 5, 7])
    >>> float(metric.result())
    16.0
    >>> metric.reset_state()
    >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> float(metric.result())
    4.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), dtype=self.dtype, name="total")

    def accumulate_values(self, values: Any, sample_weight: Any) -> None:
        """Add arrays to the state."""
        values, _ = samplewise(values, sample_weight, np.sum, self.total.array.dtype)
        self.total.array += values.sum()

    def reset_state(self) -> None:
        """Start anew."""
        self.total.array[...] = 0

    def result(self) -> Tensor:
        """The sum so far."""
        return Tensor(self.total.array.copy())


@registry.metrics.register("Mean", "mean")
class Mean(_Reduction):
    """The (weighted) mean of values.

    Of values with more than one axis, the mean of each sample is taken first. A mean of nothing
    is 0.

    Args:
        name: String, default `"mean"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Mean()
    >>> metric.update_state([1, 3, 5, 7])
    >>> float(metric.result())
    4.0
    >>> metric.reset_state()
    >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    >>> float(metric.result())
    2.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), dtype=self.dtype, name="total")
        self.count = self.add_variable(shape=(), dtype=self.dtype, name="count")

    def accumulate_values(self, values: Any, sample_weight: Any) -> None:
        """Add arrays to the state. Booleans count as 0 and 1."""
        total, count = self.total.array, self.count.array
        # Python's floats add in float64 and are rounded once when stored: the same numbers as
        # in-place array arithmetic gives, in a tenth of the time.
        if sample_weight is None and isinstance(values, np.ndarray) and values.ndim:
            samples, size = values.shape[0], values.size
            if values.dtype.kind == "b":
                subtotal = float(np.count_nonzero(values))
            else:
                subtotal = float(np.add.reduce(values, None, total.dtype))
            if samples != size and size:
                subtotal *= samples / size
            total[()] = total.item() + subtotal
            count[()] = count.item() + samples
            return
        values, sample_weight = samplewise(values, sample_weight, np.mean, total.dtype)
        total += values.sum()
        if sample_weight is not None:
            count += sample_weight.sum()
        else:
            count += values.shape[0] if values.ndim else 1

    def reset_state(self) -> None:
        """Start anew."""
        self.total.array[...] = 0
        self.count.array[...] = 0

    def result(self) -> Tensor:
        """The mean so far."""
        total, count = self.total.array, self.count.array
        return Tensor(total / count if count else np.zeros_like(total))


class PairMean(Mean):
    """A mean of values made from labels and predictions; a class defines `sample_values`."""

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add a batch.

        Args:
            y_true: Array of labels.
            y_pred: Array of predictions.
            sample_weight: Array of weights, one a sample (or a step), or None.
        """
        self._accumulate(
            as_array(y_true),
            as_array(y_pred),
            as_array(sample_weight),
            getattr(y_pred, "_keras_mask", None),
        )

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        check_samples(y_true, y_pred)
        if mask is not None:
            sample_weight = with_mask(sample_weight, mask, self._array_dtype)
        values = self.sample_values(y_true, y_pred)
        if isinstance(values, tuple):
            values, mask = values
            if sample_weight is not None:
                sample_weight = with_mask(sample_weight, mask, self._array_dtype)
        self.accumulate_values(values, sample_weight)

    def sample_values(self, y_true: np.ndarray, y_pred: np.ndarray) -> Any:
        """What the mean is taken of: an array, or an array and its mask."""
        raise NotImplementedError


@registry.metrics.register("MeanMetricWrapper", "mean_metric_wrapper")
class MeanMetricWrapper(PairMean):
    """The mean of what a function makes of labels and predictions.

    Args:
        fn: Function `(y_true, y_pred, **kwargs)` that returns a value a sample. It may use
            `minikeras.ops` or NumPy.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        **kwargs: Further arguments of `fn`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> def off_by(y_true, y_pred):
    ...     return np.abs(y_true - y_pred)
    >>> metric = minikeras.metrics.MeanMetricWrapper(off_by, name="off_by")
    >>> float(metric(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """

    def __init__(
        self, fn: Callable, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if _is_loss(fn):
            self._direction = "down"

    def sample_values(self, y_true: np.ndarray, y_pred: np.ndarray) -> Any:
        """The function's values."""
        fn, options = self._fn, self._fn_kwargs
        kernel = getattr(fn, "values_on_arrays", None)
        if kernel is not None:
            return kernel(y_true, y_pred, **options)
        if hasattr(fn, "aligns"):
            from minikeras.losses.function import LossOperation

            if fn.__name__.startswith("binary_") and y_pred.shape == (*y_true.shape, 1):
                y_true = y_true[..., None]  # as the losses do, and as Keras 2 did
            return LossOperation(fn, options).forward(Context(INFERENCE), y_true, y_pred)
        return plain(fn(as_tensor(y_true), as_tensor(y_pred), **options))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "fn": serialization.serialize(self._fn),
            **serialization.serialize(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The metric that `config` describes."""
        if "fn" in config:
            config = serialization.deserialize(config)
        return cls(**config)


def _is_loss(fn: Any) -> bool:
    losses = registry.losses
    return losses.canonical_name(fn) is not None or losses.canonical_name(type(fn)) is not None
