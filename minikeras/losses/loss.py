"""The base class of losses, and the reduction of their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtype_policy, dtypes, registry, serialization, tree
from minikeras.engine.context import Run
from minikeras.engine.operation import Operation, as_input, cast_tensor
from minikeras.engine.recording import Recording
from minikeras.engine.registry import auto_name, name_scope
from minikeras.engine.symbolic import KerasTensor, Operators, Tensor
from minikeras.engine.variable import plain
from minikeras.ops.base import tensor, unbroadcast

_FLOAT64 = np.dtype("float64")
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def standardize_reduction(reduction: Any) -> Any:
    """Check the argument `reduction`.

    Raises:
        ValueError: if it is unknown.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(
            "Invalid value for argument `reduction`. Expected one of 'sum_over_batch_size', 'sum',"
            f" 'mean', 'mean_with_sample_weight', 'none' or None. Received: reduction={reduction!r}"
        )
    return reduction


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """Drop or add a last axis of size 1, where that makes two arrays or tensors of one rank.

    Where the smaller has one axis it is expanded, otherwise the larger is squeezed.
    """
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if rank1 == rank2 + 1 and x1.shape[-1] == 1:
        if rank2 == 1 and expand_rank_1:
            return x1, _expanded(x2)
        return _squeezed(x1), x2
    if rank2 == rank1 + 1 and x2.shape[-1] == 1:
        if rank1 == 1 and expand_rank_1:
            return _expanded(x1), x2
        return x1, _squeezed(x2)
    return x1, x2


def _expanded(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x[..., None]
    from minikeras import ops

    return ops.expand_dims(x, -1)


def _squeezed(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x[..., 0]
    from minikeras import ops

    return ops.squeeze(x, -1)


def reduce_with_gradient(
    values: np.ndarray,
    reduction: Any,
    sample_weight: Any = None,
    mask: Any = None,
) -> tuple[Any, Any]:
    """Reduce the values of a loss; also the derivative of the result with respect to each value.

    Args:
        values: Float array, one entry per sample (or per sample and time step, ...).
        reduction: One of `REDUCTIONS`.
        sample_weight: Array or None. Weights of the samples, or of all values.
        mask: Array or None. False where a value does not count.

    Returns:
        The result (an array of the shape of `values` if the reduction is None), and the
        derivative: a float, or an array of the shape of `values`.
    """
    reduce = reduction is not None and reduction != "none"
    if sample_weight is None and mask is None:
        if not reduce or values.ndim == 0:
            return values, 1.0
        total = np.add.reduce(values, axis=None)
        if reduction == "sum":
            return total, 1.0
        count = max(values.size, 1)
        return total / values.dtype.type(count), 1.0 / count
    weight = _weights(sample_weight, mask, values.dtype, reduction)
    aligned, weight = squeeze_or_expand_to_same_rank(values, weight)
    weight = _per_sample(weight, aligned)
    try:
        weighted = aligned * weight
    except ValueError:
        raise ValueError(
            "Argument `sample_weight` must have the shape of the values of the loss,"
            f" {values.shape}, or that of their first axes. Received shape"
            f" {np.shape(sample_weight)}"
        ) from None
    if reduce and weighted.ndim:
        result = weighted.sum()
        scale = 1.0
        if reduction != "sum":
            divisor = weight.sum() if reduction == "mean_with_sample_weight" else weighted.size
            scale = 1.0 / float(divisor) if divisor else 0.0
            result = result * values.dtype.type(scale)
    else:
        result, scale = weighted, 1.0
    factors = np.broadcast_to(weight * values.dtype.type(scale), weighted.shape)
    return result, unbroadcast(factors, aligned.shape).reshape(values.shape)


def _weights(sample_weight: Any, mask: Any, dtype: np.dtype, reduction: Any) -> np.ndarray:
    """Sample weights and mask as one array of weights."""
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype)
    if mask is None:
        return weight  # type: ignore[return-value]
    mask = np.asarray(mask).astype(dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        # The mean is over what counts.
        valid = float(mask.sum())
        mask = np.where(mask != 0, dtype.type(mask.size / valid if valid else 0.0), dtype.type(0))
    if weight is None:
        return mask
    mask, weight = squeeze_or_expand_to_same_rank(mask, weight)
    return _per_sample(weight, mask) * _per_sample(mask, weight)


def _per_sample(weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weights of the samples alone, for values that have time steps or pixels too."""
    if 0 < weight.ndim < values.ndim and weight.shape == values.shape[: weight.ndim]:
        return weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
    return weight


class Reduce(Operation):
    """Reduce the values of a loss; weights and mask are constants."""

    def __init__(self, reduction: Any, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.reduction = reduction

    def forward(  # type: ignore[override]
        self, ctx: Any, values: np.ndarray, sample_weight: Any = None, mask: Any = None
    ) -> np.ndarray:
        result, factors = reduce_with_gradient(values, self.reduction, sample_weight, mask)
        ctx.save(factors)
        ctx.shape = values.shape
        return np.asarray(result)

    def backward(self, ctx: Any, dy: np.ndarray) -> np.ndarray:  # type: ignore[override]
        (factors,) = ctx.saved
        if np.shape(dy) != ctx.shape and np.ndim(dy):
            # Without a reduction, weights may have stretched the values.
            dy = unbroadcast(dy, ctx.shape)
        return np.broadcast_to(dy * factors, ctx.shape)


@registry.losses.register("Loss")
class Loss:
    """Base class of losses.

    A subclass defines `call(y_true, y_pred)`, which returns one value per sample, computed with
    `minikeras.ops`.

    Args:
        name: String. Defaults to an automatic name.
        reduction: How values become one: `"sum_over_batch_size"` (default; the mean over all
            values), `"mean"` (the same), `"sum"`, `"mean_with_sample_weight"` (the weighted sum
            divided by the sum of the weights), or `"none"` or None (no reduction).
        dtype: Dtype of the computation. Defaults to `floatx()`; from float64 predictions
            the loss is then computed in float64, and the result rounded.

    Example:

    >>> import minikeras
    >>> class FourthPower(minikeras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return minikeras.ops.mean((y_true - y_pred) ** 4, axis=-1)
    >>> float(FourthPower()([[0.0, 0.0]], [[1.0, 2.0]]))
    8.5
    """

    def __init__(
        self, name: str | None = None, reduction: Any = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype_policy = dtype_policy.get(dtype or config.floatx())
        self._dtype = self._dtype_policy.compute_dtype
        self._array_dtype = dtypes.numpy_dtype(self._dtype)
        self._widens = dtype is None and self._dtype != "float64"

    @property
    def dtype(self) -> str:
        """The dtype of the computation."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of predictions.

        Args:
            y_true: Targets; an array, a tensor or a structure of them.
            y_pred: Predictions.
            sample_weight: Weights, of the shape of the values or of their first axes; or None.

        Returns:
            A scalar tensor, or a tensor of values if there is no reduction.
        """
        mask = getattr(y_pred, "_keras_mask", None)
        with name_scope(self.name):
            y_pred = tree.map_structure(self._convert, _arrays(y_pred))
            dtype = self._computed_in(tree.flatten(y_pred)[0])
            y_true = tree.map_structure(lambda x: _cast(tensor(x), dtype), _arrays(y_true))
            values = tensor(self.call(y_true, y_pred))
            own_mask = getattr(values, "_keras_mask", None)
            if mask is None:
                mask = own_mask
            elif own_mask is not None:
                mask = np.logical_and(plain(mask), plain(own_mask))
            values = _cast(values, dtype)
            options = {}
            if sample_weight is not None:
                options["sample_weight"] = _plain_array(sample_weight)
            if mask is not None:
                options["mask"] = _plain_array(mask)
            result = Reduce(self.reduction)(values, **options)
            return as_input(result, self._dtype_policy.input_array_dtype)

    def _computed_in(self, y_pred: Any) -> np.dtype:
        if self._widens and y_pred.dtype == _FLOAT64:
            return _FLOAT64
        return self._array_dtype

    def _convert(self, y_pred: Any) -> Any:
        y_pred = tensor(y_pred)
        return _cast(y_pred, self._computed_in(y_pred))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample; a subclass defines it with `minikeras.ops`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `call(self, y_true, y_pred)`."
        )

    def reduce_with_gradient(
        self, values: np.ndarray, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, Any]:
        """The reduced loss of arrays of values, and its derivative with respect to each of them.

        Without a reduction the first is the mean and the second 1: what is reported, and what is
        trained, in that case.
        """
        result, factors = reduce_with_gradient(values, self.reduction, sample_weight, mask)
        if getattr(result, "ndim", 0):
            result = np.add.reduce(result, axis=None) / max(result.size, 1)
        return result, factors

    def value_and_gradient(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, np.ndarray]:
        """The loss of an array of predictions, and its gradient with respect to them.

        Args:
            y_true: Array of targets, or a structure of arrays.
            y_pred: Array of predictions, or a structure of arrays: then so are the gradients.
            sample_weight: Array of weights, or None.
            mask: Array that is False where predictions do not count, or None.

        Raises:
            ValueError: if `call` loses the gradient.
        """
        with Recording(Run(training=True, recording=True)) as recording:
            tracked = tree.map_structure(recording.track, y_pred)
            if mask is not None:
                tracked._keras_mask = Tensor(np.asarray(mask))
            value = self(y_true, tracked, sample_weight)
        if not isinstance(value, Tensor) or value.recording is not recording:
            raise ValueError(
                f"The loss {self.name!r} has no gradient with respect to the predictions. Compute"
                " it from `y_pred` with `minikeras.ops` functions or operators, not with NumPy."
            )
        found = recording.reverse([(value.slot, np.ones_like(value.array))])

        def gradient(part: Any, array: Any) -> Any:
            return np.zeros_like(array) if found[part.slot] is None else found[part.slot]

        return value.array.mean(), tree.map_structure(gradient, tracked, y_pred)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The loss that `config` describes."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A loss made of a function `fn(y_true, y_pred, **kwargs)`.

    Args:
        fn: Function that returns one value per sample.
        reduction: As in `Loss`.
        name: String. Defaults to an automatic name.
        dtype: As in `Loss`.
        **kwargs: Passed to `fn`.

    Example:

    >>> import minikeras
    >>> from minikeras.losses import LossFunctionWrapper
    >>> loss = LossFunctionWrapper(lambda y_true, y_pred: abs(y_true - y_pred))
    >>> float(loss([1.0, 2.0], [1.0, 4.0]))
    1.0
    """

    def __init__(
        self,
        fn: Any,
        reduction: Any = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample, from `fn`."""
        if isinstance(y_true, Operators) and isinstance(y_pred, Operators):
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        else:
            pairs = [
                squeeze_or_expand_to_same_rank(*pair)
                for pair in zip(tree.flatten(y_true), tree.flatten(y_pred))
            ]
            y_true = tree.pack_sequence_as(y_true, [pair[0] for pair in pairs])
            y_pred = tree.pack_sequence_as(y_pred, [pair[1] for pair in pairs])
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def value_and_gradient(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, np.ndarray]:
        on_arrays = getattr(self.fn, "on_arrays", None)
        cls = type(self)
        if (
            on_arrays is None
            or cls.call is not LossFunctionWrapper.call
            or cls.__call__ is not Loss.__call__
        ):
            return super().value_and_gradient(y_true, y_pred, sample_weight, mask)
        p, dtype = y_pred, y_pred.dtype
        if dtype is not self._array_dtype and dtype != (dtype := self._computed_in(p)):
            p = p.astype(dtype)
        t = np.asarray(y_true)
        if t.ndim != p.ndim:
            t, p = squeeze_or_expand_to_same_rank(t, p)
        values, back, own_mask = on_arrays(t, p, **self._fn_kwargs)
        if own_mask is not None:
            mask = own_mask if mask is None else np.logical_and(mask, own_mask)
        value, factors = self.reduce_with_gradient(values, sample_weight, mask)
        gradient = back(factors, False, True)[1]
        if gradient.shape != y_pred.shape:
            gradient = unbroadcast(gradient, p.shape).reshape(y_pred.shape)
        if gradient.dtype != y_pred.dtype:
            gradient = gradient.astype(y_pred.dtype if y_pred.dtype.kind == "f" else dtype)
        return value, gradient

    def get_config(self) -> dict:
        config = super().get_config()
        config["fn"] = serialization.serialize(self.fn)
        config.update(serialization.serialize(self._fn_kwargs))
        return config

    @classmethod
    def from_config(cls, config: dict) -> Any:
        if "fn" in config:
            config = {
                key: serialization.deserialize(value, registry.losses if key == "fn" else None)
                for key, value in config.items()
            }
        return cls(**config)

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"


registry.losses.register("LossFunctionWrapper")(LossFunctionWrapper)


class BuiltInLoss(LossFunctionWrapper):
    """What the built-in losses share: options as attributes, and in the config.

    Attributes:
        _unsaved: Options that Keras leaves out of configs; they are in them only where they differ
            from the default.
    """

    _unsaved: dict = {}

    def __init__(self, fn: Any, reduction: Any, name: Any, dtype: Any, **options: Any) -> None:
        super().__init__(fn, reduction=reduction, name=name, dtype=dtype, **options)
        for key, value in options.items():
            setattr(self, key, value)

    def get_config(self) -> dict:
        config = Loss.get_config(self)
        for key, value in self._fn_kwargs.items():
            if key not in self._unsaved or value != self._unsaved[key]:
                config[key] = value
        return config


def _arrays(x: Any) -> Any:
    """Lists of plain numbers as arrays; structures of arrays stay."""
    if isinstance(x, (list, tuple)) and all(
        isinstance(leaf, (int, float, bool, np.generic)) for leaf in tree.flatten(x)
    ):
        return tensor(x)
    return x


def _cast(x: Any, dtype: np.dtype) -> Any:
    if isinstance(x, KerasTensor):
        if dtypes.numpy_dtype(x.dtype) == dtype:
            return x
        return cast_symbolic(x, dtype)
    x = x if isinstance(x, Tensor) else Tensor(plain(x))
    return x if x.array.dtype == dtype else cast_tensor(x, dtype)


def cast_symbolic(x: KerasTensor, dtype: np.dtype) -> Any:
    """A symbolic tensor in another dtype."""
    from minikeras import ops

    return ops.cast(x, dtype.name)


def _plain_array(x: Any) -> Any:
    return x if isinstance(x, KerasTensor) else np.asarray(plain(x))
