"""Means of loss functions: errors, hinge losses and crossentropies as metrics.

The functions are those of `minikeras.losses`, imported when they are first used.
"""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.metrics.metric import MeanMetricWrapper, PairMean


class LossMetric(MeanMetricWrapper):
    """The mean of the loss function that the class names in `loss_function`.

    Args:
        name: String.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        **options: Options of the loss function; they become attributes and config entries.
    """

    loss_function: str
    _direction = "down"

    def __init__(self, name: str | None, dtype: Any = None, **options: Any) -> None:
        PairMean.__init__(self, name=name, dtype=dtype)
        self._fn_kwargs = options
        vars(self).update(options)

    @property
    def _fn(self) -> Any:  # type: ignore[override]
        from minikeras import losses

        return getattr(losses, type(self).loss_function)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype, **self._fn_kwargs}


@registry.metrics.register("MeanSquaredError", "mean_squared_error", "mse", "MSE")
class MeanSquaredError(LossMetric):
    """The mean of `(y_true - y_pred)^2`.

    Args:
        name: String, default `"mean_squared_error"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.MeanSquaredError()
    >>> round(float(metric([[0, 1], [0, 0]], [[1.0, 1], [0, 0]])), 4)
    0.25
    """

    loss_function = "mean_squared_error"

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("MeanAbsoluteError", "mean_absolute_error", "mae", "MAE")
class MeanAbsoluteError(LossMetric):
    """The mean of `|y_true - y_pred|`.

    Args:
        name: String, default `"mean_absolute_error"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.MeanAbsoluteError()
    >>> round(float(metric([[0, 1], [0, 0]], [[1.0, 1], [0, 0]])), 4)
    0.25
    """

    loss_function = "mean_absolute_error"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register(
    "MeanAbsolutePercentageError", "mean_absolute_percentage_error", "mape", "MAPE"
)
class MeanAbsolutePercentageError(LossMetric):
    """The mean of `100 |y_true - y_pred| / |y_true|`.

    Args:
        name: String, default `"mean_absolute_percentage_error"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.MeanAbsolutePercentageError()
    >>> round(float(metric([[2.0, 1.0]], [[1.0, 1.0]])), 4)
    25.0
    """

    loss_function = "mean_absolute_percentage_error"

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)


@registry.metrics.register(
    "MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "msle", "MSLE"
)
class MeanSquaredLogarithmicError(LossMetric):
    """The mean of `(log(1 + y_true) - log(1 + y_pred))^2`.

    Args:
        name: String, default `"mean_squared_logarithmic_error"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.MeanSquaredLogarithmicError()
    >>> round(float(metric([[0.0, 1], [0, 0]], [[1.0, 1], [0, 0]])), 4)
    0.1201
    """

    loss_function = "mean_squared_logarithmic_error"

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("LogCoshError", "log_cosh_error", "log_cosh", "logcosh")
class LogCoshError(LossMetric):
    """The mean of `log(cosh(y_pred - y_true))`.

    Args:
        name: String, default `"logcosh"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.LogCoshError()
    >>> round(float(metric([[0.0, 1], [0, 0]], [[1.0, 1], [0, 0]])), 4)
    0.1084
    """

    loss_function = "log_cosh"

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("Hinge", "hinge")
class Hinge(LossMetric):
    """The mean of `max(1 - y_true y_pred, 0)`, for labels -1 and 1 (0 is taken for -1).

    Args:
        name: String, default `"hinge"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Hinge()
    >>> round(float(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    1.3
    """

    loss_function = "hinge"

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("SquaredHinge", "squared_hinge")
class SquaredHinge(LossMetric):
    """The mean of `max(1 - y_true y_pred, 0)^2`, for labels -1 and 1 (0 is taken for -1).

    Args:
        name: String, default `"squared_hinge"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.SquaredHinge()
    >>> round(float(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    1.86
    """

    loss_function = "squared_hinge"

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("CategoricalHinge", "categorical_hinge")
class CategoricalHinge(LossMetric):
    """The mean of `max(1 + largest wrong score - right score, 0)`, for one-hot labels.

    Args:
        name: String, default `"categorical_hinge"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.CategoricalHinge()
    >>> round(float(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    1.4
    """

    loss_function = "categorical_hinge"

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("KLDivergence", "kl_divergence", "kullback_leibler_divergence")
class KLDivergence(LossMetric):
    """The mean of `sum(y_true log(y_true / y_pred))` (Kullback-Leibler).

    Args:
        name: String, default `"kl_divergence"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.KLDivergence()
    >>> round(float(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    0.4581
    """

    loss_function = "kl_divergence"

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("Poisson", "poisson")
class Poisson(LossMetric):
    """The mean of `y_pred - y_true log(y_pred)`.

    Args:
        name: String, default `"poisson"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.Poisson()
    >>> round(float(metric([[0, 1], [0, 0]], [[1.0, 1], [0, 0]])), 4)
    0.5
    """

    loss_function = "poisson"

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@registry.metrics.register("BinaryCrossentropy", "binary_crossentropy", "bce", "BCE")
class BinaryCrossentropy(LossMetric):
    """The mean of `-y_true log(y_pred) - (1 - y_true) log(1 - y_pred)`.

    Args:
        name: String, default `"binary_crossentropy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        from_logits: Boolean, default False. Whether `y_pred` holds scores before the sigmoid.
        label_smoothing: Float in [0, 1], default 0. How far labels are moved towards 0.5.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.BinaryCrossentropy()
    >>> round(float(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 4)
    0.8149
    """

    loss_function = "binary_crossentropy"

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


@registry.metrics.register("CategoricalCrossentropy", "categorical_crossentropy")
class CategoricalCrossentropy(LossMetric):
    """The mean of `-sum(y_true log(y_pred))`, for one-hot labels.

    Args:
        name: String, default `"categorical_crossentropy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        from_logits: Boolean, default False. Whether `y_pred` holds scores before the softmax.
        label_smoothing: Float in [0, 1], default 0. How far labels are moved towards 1 / classes.
        axis: Integer, default -1. The axis of the classes.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.CategoricalCrossentropy()
    >>> round(float(metric([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 4)
    1.1769
    """

    loss_function = "categorical_crossentropy"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
        )


@registry.metrics.register("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(LossMetric):
    """The mean of `-log(y_pred[label])`, for class numbers.

    Args:
        name: String, default `"sparse_categorical_crossentropy"`.
        dtype: Dtype of the result. Defaults to `config.floatx()`.
        from_logits: Boolean, default False. Whether `y_pred` holds scores before the softmax.
        ignore_class: Integer or None (default). Samples of this class do not count.
        axis: Integer, default -1. The axis of the classes.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.SparseCategoricalCrossentropy()
    >>> round(float(metric([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 4)
    1.1769
    """

    loss_function = "sparse_categorical_crossentropy"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)
