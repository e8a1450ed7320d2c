"""The base of all metrics: named state, updated batch by batch; shapes brought to one.

Sums and means of values, and means of what a function makes of labels and predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import dtype_policy, dtypes, registry, serialization
from minikeras.engine.context import INFERENCE, Context
from minikeras.engine.registry import auto_name, name_scope
from minikeras.engine.spelling import name_first
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable, plain, standardize_shape
from minikeras.engine.weights import unique


def as_array(value: Any) -> Any:
    """`value` as an array: tensors unwrapped, Python floats in `floatx()`; None stays None."""
    if isinstance(value, (Tensor, Variable)):
        return value.array
    if isinstance(value, np.ndarray) or value is None:
        return value
    given = value
    try:
        value = np.asarray(value)
    except ValueError:
        value = np.asarray(None)
    if value.dtype.kind not in "biufc":
        raise ValueError(
            "Metrics take arrays of numbers. Received something ragged or not numeric:"
            f" {str(given)[:80]}"
        )
    if value.dtype == np.float64 and not hasattr(given, "dtype"):
        value = value.astype(settings.floatx())
    return value


def as_tensor(value: Any, mask: Any = None) -> Any:
    """Arrays as tensors, for code that a user wrote; other values pass through."""
    if isinstance(value, np.ndarray):
        value = Tensor(value)
        if mask is not None:
            value._keras_mask = mask
    return value


@registry.metrics.register("Metric", "metric")
class Metric:
    """A quantity that is accumulated over batches: state, how to update it, and a result.

    A metric of your own makes its variables in `__init__` with `add_variable`, changes them in
    `update_state`, and computes from them in `result`.

    Args:
        dtype: Dtype or policy of the computation. Defaults to `config.floatx()`.
        name: String. Defaults to an automatic name.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> class Largest(minikeras.metrics.Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.seen = self.add_variable(shape=(), initializer="zeros", name="seen")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.seen.assign(max(float(self.seen), np.max(y_pred)))
    ...     def result(self):
    ...         return self.seen.value
    >>> metric = Largest()
    >>> float(metric([0, 1], np.array([0.25, 0.75])))
    0.75
    """

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(type(self).__name__)
        self._dtype_policy = dtype_policy.get(dtype or settings.floatx())
        self._dtype = self._dtype_policy.compute_dtype
        self._tracked: list = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # The entry for plain arrays follows whichever method the class itself defines last.
        if "_accumulate" in cls.__dict__:
            cls.update_arrays = cls._accumulate  # type: ignore[attr-defined, method-assign]
        elif "update_state" in cls.__dict__ and "update_arrays" not in cls.__dict__:
            cls.update_arrays = Metric.update_arrays  # type: ignore[method-assign]

    # What a metric defines

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch to the state."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_state`.")

    def result(self) -> Any:
        """The value so far: a scalar tensor, or a dict of scalar tensors."""
        raise NotImplementedError(f"{type(self).__name__} must define `result`.")

    def update_arrays(
        self, y_true: Any, y_pred: Any = None, sample_weight: Any = None, mask: Any = None
    ) -> None:
        """Add a batch of plain NumPy arrays: what `update_state` does, without its conversions.

        Built-in metrics compute on the arrays as they are. A metric whose `update_state` a user
        wrote gets tensors.

        Args:
            y_true: Array of labels (or the values of `Mean` and `Sum`).
            y_pred: Array of predictions.
            sample_weight: Array of weights, or None.
            mask: Array that tells which steps of `y_pred` count, or None.
        """
        args = (as_tensor(y_true), as_tensor(y_pred, mask))
        if sample_weight is None:
            self.update_state(*args)
        else:
            self.update_state(*args, sample_weight=as_tensor(sample_weight))

    # State

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a state variable.

        Args:
            shape: Tuple, default `()`.
            initializer: Initializer. Defaults to zeros.
            dtype: Dtype. Defaults to `config.floatx()`.
            aggregation: How replicas combine: `"sum"` (default), `"mean"`,
                `"only_first_replica"` or `"none"`.
            name: String. Defaults to an automatic name.
        """
        self._check_super_called()
        if isinstance(shape, str):
            # Keras 2's order began with the name.
            shape, name = (), shape
        shape = standardize_shape(shape)
        named = initializer is None or isinstance(initializer, str) and initializer == "zeros"
        if named or type(initializer).__name__ == "Zeros":
            initializer = _zeros
        with name_scope(str(self.name).replace("/", ">"), caller=self):
            variable = Variable(
                initializer if callable(initializer) else registry.initializers.get(initializer),
                shape=shape,
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                synchronization="on_read",
                name=name,
            )
        self._tracked.append(variable)
        return variable

    @name_first
    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """The older name of `add_variable`."""
        return self.add_variable(shape=shape, initializer=initializer, dtype=dtype, name=name)

    @property
    def variables(self) -> list:
        """The state: own variables, then those of metrics kept as attributes."""
        own: list = []
        nested: list = []
        containers = [v for v in self.__dict__.values() if isinstance(v, (list, tuple, dict))]
        for item in _flat([*self._tracked, *containers]):
            (nested if isinstance(item, Metric) else own).append(item)
        return unique([*unique(own), *(v for metric in unique(nested) for v in metric.variables)])

    def reset_state(self) -> None:
        """Set all state to zero."""
        for variable in self.variables:
            variable.array[...] = 0

    def reset_states(self) -> None:
        """`reset_state`, by the name that Keras 2 gave it."""
        self.reset_state()

    def stateless_update_state(self, metric_variables: Any, *args: Any, **kwargs: Any) -> list:
        """What `update_state` would make of `metric_variables`; the own state stays.

        Args:
            metric_variables: Values, one for each of `variables`.
            *args: Arguments of `update_state`.
            **kwargs: Arguments of `update_state`.

        Returns:
            The new values, as tensors.
        """
        with _Borrowed(self, metric_variables) as variables:
            self.update_state(*args, **kwargs)
            return [Tensor(variable.array) for variable in variables]

    def stateless_result(self, metric_variables: Any) -> Any:
        """The result that follows from the values `metric_variables`; the own state stays."""
        with _Borrowed(self, metric_variables):
            return self.result()

    def stateless_reset_state(self) -> list:
        """The values that `reset_state` would set; the own state stays."""
        with _Borrowed(self, self.variables) as variables:
            self.reset_state()
            return [Tensor(variable.array) for variable in variables]

    # Use

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()

    @property
    def dtype(self) -> str:
        """The name of the dtype of the computation."""
        return self._dtype

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The metric that `config` describes."""
        try:
            return cls(**config)
        except TypeError as error:
            raise TypeError(
                f"Could not make a {cls.__name__} from config={config}. {error}. Does its"
                " constructor take all that `get_config()` returns?"
            ) from error

    def __setattr__(self, name: str, value: Any) -> None:
        tracked = self.__dict__.get("_tracked")
        if (
            tracked is not None
            and isinstance(value, (Variable, Metric))
            and not any(value is item for item in tracked)
        ):
            tracked.append(value)
        object.__setattr__(self, name, value)

    def _check_super_called(self) -> None:
        if "_tracked" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}.__init__() must call `super().__init__()` before anything"
                " else."
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _zeros(shape: tuple, dtype: Any) -> np.ndarray:
    return np.zeros(shape, "float32" if dtype == "bfloat16" else dtype)


def _flat(items: Any) -> Any:
    for item in items:
        if isinstance(item, (Variable, Metric)):
            yield item
        elif isinstance(item, (list, tuple)):
            yield from _flat(item)
        elif isinstance(item, dict):
            yield from _flat(item.values())


class _Borrowed:
    """The variables of a metric, with other values for a while."""

    def __init__(self, metric: Metric, values: Any) -> None:
        self.variables = metric.variables
        if len(values) != len(self.variables):
            raise ValueError(
                f"Argument `metric_variables` must hold one value for each of the"
                f" {len(self.variables)} variables of {type(metric).__name__}. Received"
                f" {len(values)} values."
            )
        self.values = values

    def __enter__(self) -> list:
        self.own = [variable.array for variable in self.variables]
        for variable, value in zip(self.variables, self.values):
            own = variable.array
            variable.array = np.array(np.broadcast_to(as_array(value), own.shape), own.dtype)
        return self.variables

    def __exit__(self, *_: Any) -> None:
        for variable, array in zip(self.variables, self.own):
            variable.array = array


def same_rank(x: np.ndarray, y: np.ndarray, expand: bool = True) -> tuple:
    """Drop or add a last axis of size 1 where the ranks differ by one.

    Args:
        x: Array.
        y: Array.
        expand: Whether a vector gets the axis that the other has (else the other loses it).
    """
    difference = x.ndim - y.ndim
    if difference == 1 and x.shape[-1] == 1:
        return (x, y[:, None]) if y.ndim == 1 and expand else (x[..., 0], y)
    if difference == -1 and y.shape[-1] == 1:
        return (x[:, None], y) if x.ndim == 1 and expand else (x, y[..., 0])
    return x, y


def check_samples(y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """Raise a ValueError where labels and predictions are of different numbers of samples."""
    if y_true.ndim and y_pred.ndim and y_true.shape[0] != y_pred.shape[0]:
        if y_true.shape[0] != 1 and y_pred.shape[0] != 1:
            raise ValueError(
                "`y_true` and `y_pred` must hold the same number of samples. Received:"
                f" y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
            )


def with_mask(sample_weight: Any, mask: Any, dtype: Any) -> Any:
    """The weights, 0 where `mask` says so."""
    if mask is None:
        return sample_weight
    mask = np.asarray(mask).astype(dtype)
    if sample_weight is None:
        return mask
    mask, sample_weight = same_rank(mask, np.asarray(sample_weight).astype(dtype))
    return sample_weight * mask


def samplewise(values: np.ndarray, sample_weight: Any, reduce: Any, dtype: Any) -> tuple:
    """Reduce values (and weights) to one a sample.

    Axes that the weights lack are reduced first, so that a weight counts a whole sample.

    Args:
        values: Array of shape `(samples, ...)`.
        sample_weight: Array of weights, or None.
        reduce: `np.mean` or `np.sum`.
        dtype: Dtype of the computation.

    Returns:
        Values and weights (or None), one a sample.
    """
    values = np.asarray(values, dtype)
    if sample_weight is not None:
        values, sample_weight = same_rank(values, np.asarray(sample_weight, dtype))
        if values.ndim > sample_weight.ndim:
            values = reduce(values, axis=tuple(range(sample_weight.ndim, values.ndim)))
        try:
            sample_weight = np.broadcast_to(sample_weight, values.shape)
        except ValueError:
            raise ValueError(
                "`sample_weight` must have one weight a sample (or a step). Received:"
                f" sample_weight.shape={np.shape(sample_weight)}, for values of shape"
                f" {values.shape}"
            ) from None
        values = values * sample_weight
        if sample_weight.ndim > 1:
            sample_weight = reduce(sample_weight, axis=tuple(range(1, sample_weight.ndim)))
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, sample_weight


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
