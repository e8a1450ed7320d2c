"""Normalization layers."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import dtypes, registry
from minikeras.engine.context import state
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.serialization import BATCH_NORMALIZATION_ORDER, in_order
from minikeras.kernels import normalization as kernels


def affine_config(layer: Any) -> dict:
    """The config entries of `gamma` and `beta`."""
    entries = {}
    for kind in ("initializer", "regularizer", "constraint"):
        for name in ("beta", "gamma"):
            key = f"{name}_{kind}"
            entries[key] = getattr(registry, f"{kind}s").serialize(getattr(layer, key))
    return entries


class _Affine(Layer):
    """What layers with a trainable factor `gamma` and offset `beta` have in common."""

    gamma: Any = None
    beta: Any = None

    center: bool
    scale: Any

    def _take_affine(
        self,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
    ) -> None:
        self.center = center
        self.scale = scale
        self.beta_initializer = registry.initializers.get(beta_initializer)
        self.gamma_initializer = registry.initializers.get(gamma_initializer)
        self.beta_regularizer = registry.regularizers.get(beta_regularizer)
        self.gamma_regularizer = registry.regularizers.get(gamma_regularizer)
        self.beta_constraint = registry.constraints.get(beta_constraint)
        self.gamma_constraint = registry.constraints.get(gamma_constraint)
        self.supports_masking = True

    def _add_affine(self, shape: tuple, scale: bool, center: bool) -> None:
        self.gamma = self._add_part("gamma", shape) if scale else None
        self.beta = self._add_part("beta", shape) if center else None

    def _add_part(self, name: str, shape: tuple) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{name}_initializer"),
            regularizer=getattr(self, f"{name}_regularizer"),
            constraint=getattr(self, f"{name}_constraint"),
            autocast=False,
        )

    axis: Any

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        axes = self.axis if isinstance(self.axis, (list, tuple)) else [self.axis]
        for axis in axes:
            if not -len(input_shape) <= axis < len(input_shape):
                raise ValueError(
                    f"Axis {axis} is out of bounds for input shape {input_shape}. Received:"
                    f" axis={self.axis}"
                )
        return input_shape


def _wide(x: np.ndarray) -> np.ndarray:
    """At least float32: half precision does not hold the statistics."""
    return x.astype(dtypes.numpy_dtype(dtypes.result_type(x.dtype, "float32")), copy=False)


def _known(layer: Any, input_shape: Any, axes: Any) -> tuple:
    """The sizes of `axes`, which must be there and known."""
    sizes = []
    for axis in axes:
        if not -len(input_shape) <= axis < len(input_shape):
            raise ValueError(
                f"Axis {axis} is out of bounds for input shape {input_shape}. Received:"
                f" axis={layer.axis}"
            )
        size = input_shape[axis]
        if size is None:
            raise ValueError(
                f"{type(layer).__name__}: axis {axis} of input tensor should have a defined"
                f" dimension but the layer received an input with shape {input_shape}."
            )
        sizes.append(size)
    return tuple(sizes)


@registry.layers.register("BatchNormalization")
class BatchNormalization(_Affine):
    """Normalizes each channel over the batch (Ioffe and Szegedy, 2015).

    In training `gamma * (x - mean) / sqrt(variance + epsilon) + beta` with the moments of the
    batch, which also move the averages `moving = momentum * moving + (1 - momentum) * batch`. In
    inference, and while `trainable` is False, with those averages.

    Args:
        axis: Integer, default -1. The axis of the channels.
        momentum: Float. Defaults to 0.99.
        epsilon: Float. Defaults to 0.001.
        center: Boolean, default True. Whether there is a `beta`.
        scale: Boolean, default True. Whether there is a `gamma`.
        beta_initializer, gamma_initializer, moving_mean_initializer,
            moving_variance_initializer: Initializers. Default to `"zeros"`, `"ones"`, `"zeros"`
            and `"ones"`.
        beta_regularizer, gamma_regularizer: Regularizers, or None (default).
        beta_constraint, gamma_constraint: Constraints, or None (default).
        renorm: Boolean, default False. Whether training corrects towards the averages (Ioffe,
            2017).
        renorm_clipping: dict with any of `"rmin"`, `"rmax"`, `"dmax"`, which bound that
            correction, or None (default).
        renorm_momentum: Float. Defaults to 0.99. Of the averages that `renorm` uses.
        synchronized: Boolean, default False. Whether the moments are those of all replicas. With
            one process, they are.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Of any shape.
        training: Boolean.
        mask: Boolean array with one axis less than the inputs. What is False does not count in the
            moments.

    Output shape:
        That of the input.

    Raises:
        ValueError: for a mask that does not fit, or bounds that exclude each other.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.BatchNormalization()
    >>> y = layer(np.array([[1.0], [3.0]], "float32"), training=True)
    >>> y.numpy().round(3).tolist()
    [[-1.0], [1.0]]
    """

    # What older versions of Keras multiplied the tracked variance by; see `dialects.eras`.
    _variance_factor: Any = None
    _variance_offset = 0.0
    # Whether it "uses" or also "tracks" statistics of batches then; and never tracks any.
    _while_frozen: Any = False
    _untracked = False

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)
        self.synchronized = synchronized
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self._take_affine(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.moving_mean_initializer = registry.initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = registry.initializers.get(moving_variance_initializer)
        self.renorm = renorm
        if renorm:
            renorm_clipping = renorm_clipping or {}
            known = ["rmax", "rmin", "dmax"]
            if set(renorm_clipping) - set(known):
                raise ValueError(
                    "Received invalid keys for `renorm_clipping` argument:"
                    f" {renorm_clipping}. Supported values: {known}."
                )
            rmax, rmin, dmax = (renorm_clipping.get(key) for key in known)
            if rmax is not None and rmin is not None and rmax < rmin:
                raise ValueError(
                    "rmax should be greater than rmin in the `renorm_clipping` argument. Received:"
                    f" rmax={rmax}, rmin={rmin}."
                )
            if dmax is not None and dmax < 0:
                raise ValueError(
                    "dmax should be non-negative in the `renorm_clipping` argument. Received:"
                    f" dmax={dmax}."
                )
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        shape = _known(self, input_shape, [self.axis])
        self._add_affine(shape, self.scale, self.center)

        def add(name: str, initializer: Any) -> Any:
            return self.add_weight(
                name=name, shape=shape, initializer=initializer, trainable=False, autocast=False
            )

        self.moving_mean = add("moving_mean", self.moving_mean_initializer)
        self.moving_variance = add("moving_variance", self.moving_variance_initializer)
        if self.renorm:

            def deviation(shape: Any, dtype: Any = None) -> Any:
                return np.sqrt(np.asarray(self.moving_variance_initializer(shape, dtype=dtype)))

            self.moving_stddev = add("moving_stddev", deviation)
            self.renorm_mean = add("renorm_mean", self.moving_mean_initializer)
            self.renorm_stddev = add("renorm_stddev", deviation)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})
        self.built = True

    def forward(self, ctx: Any, x: Any, mask: Any = None) -> Any:
        if mask is not None and mask.ndim != x.ndim - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs. Received:"
                f" mask.shape={mask.shape}, inputs.shape={x.shape}"
            )
        axis = (self.axis % x.ndim,)
        moved = kernels.last(_wide(x), axis)
        rows = moved.reshape(-1, moved.shape[-1])
        dtype = rows.dtype
        gamma = np.ones(rows.shape[1], dtype) if self.gamma is None else _as(self.gamma, dtype)
        beta = np.zeros(rows.shape[1], dtype) if self.beta is None else _as(self.beta, dtype)
        ctx.own = bool(ctx.training and (self.trainable or self._while_frozen))
        ctx.correction = ctx.weights = None
        if ctx.own:
            if mask is None:
                mean, variance = kernels.column_moments(rows)
            else:
                ctx.weights = self._weights(x, mask, axis, dtype)
                mean, variance = _masked_moments(rows, ctx.weights)
            if self.renorm:
                ctx.correction = r, d = self._correction(mean, variance)
                beta = beta + d * gamma
                gamma = gamma * r
            moves = self.trainable or self._while_frozen == "tracks"
            if moves and not self._untracked and not state.inferring:
                factor = self._variance_factor
                tracked = variance * factor(len(rows), x.ndim) if factor else variance
                self._move(mean, tracked + self._variance_offset)
        else:
            mean, variance = _as(self.moving_mean, dtype), _as(self.moving_variance, dtype)
        inverse = 1 / np.sqrt(variance + dtype.type(self.epsilon))
        factor = gamma * inverse
        y = kernels.affine_columns(rows, factor, beta - mean * factor)
        if ctx.recording:
            ctx.save(rows, mean, inverse, gamma)
            ctx.axis, ctx.source = axis, x.dtype
        return self._finish(y, moved.shape, axis)

    def _finish(self, y: Any, shape: tuple, axis: tuple) -> Any:
        y = kernels.back(y.reshape(shape), axis)
        return y.astype(dtypes.numpy_dtype(self.compute_dtype), copy=False)

    @staticmethod
    def _weights(x: Any, mask: Any, axis: tuple, dtype: Any) -> Any:
        full = np.broadcast_to(mask.astype(bool)[..., None], x.shape).astype(dtype)
        full = kernels.last(full, axis)
        return full.reshape(-1, full.shape[-1])

    def _correction(self, mean: Any, variance: Any) -> tuple:
        dtype = mean.dtype
        floor = np.sqrt(dtype.type(self.epsilon))
        deviation = np.maximum(_as(self.renorm_stddev, dtype), floor)
        r = np.sqrt(variance + dtype.type(self.epsilon)) / deviation
        d = (mean - _as(self.renorm_mean, dtype)) / deviation
        bounds = self.renorm_clipping or {}
        if bounds.get("rmin") is not None:
            r = np.maximum(r, dtype.type(bounds["rmin"]))
        if bounds.get("rmax") is not None:
            r = np.minimum(r, dtype.type(bounds["rmax"]))
        if bounds.get("dmax") is not None:
            d = np.clip(d, -bounds["dmax"], bounds["dmax"])
        return r, d

    def _move(self, mean: Any, variance: Any) -> None:
        def move(variable: Any, value: Any, momentum: float) -> None:
            variable.array *= momentum
            variable.array += value * (1.0 - momentum)

        if not self.renorm:
            move(self.moving_mean, mean, self.momentum)
            move(self.moving_variance, variance, self.momentum)
            return
        deviation = np.sqrt(variance + mean.dtype.type(self.epsilon))
        move(self.renorm_mean, mean, self.renorm_momentum)
        move(self.renorm_stddev, deviation, self.renorm_momentum)
        move(self.moving_mean, mean, self.momentum)
        move(self.moving_stddev, deviation, self.momentum)
        square = np.square(self.moving_stddev.array) - self.epsilon
        self.moving_variance.array[...] = np.maximum(square, 0)

    def backward(self, ctx: Any, dy: Any) -> Any:
        x, mean, inverse, gamma = ctx.saved
        dy = kernels.last(dy.astype(x.dtype, copy=False), ctx.axis)
        shape = dy.shape
        dy = dy.reshape(x.shape)
        if not ctx.own:
            dbeta, products = kernels.column_products(dy, x, mean)
            dgamma = products * inverse
            zeros = np.zeros_like(mean)
            dx = kernels.affine_columns(dy, gamma * inverse, zeros) if ctx.needs[0] else None
        elif ctx.weights is None:
            dx, dgamma, dbeta = kernels.batch_norm_backward(
                dy, x, mean, inverse, gamma, ctx.needs[0]
            )
        else:
            dx, dgamma, dbeta = _masked_backward(dy, x, ctx.weights, mean, inverse, gamma)
        if ctx.correction is not None:
            r, d = ctx.correction
            dgamma = dgamma * r + dbeta * d
        if self.gamma is not None:
            ctx.add_grad(self.gamma, dgamma)
        if self.beta is not None:
            ctx.add_grad(self.beta, dbeta)
        if dx is None or ctx.source.kind != "f":
            return None
        return kernels.back(dx.reshape(shape), ctx.axis).astype(ctx.source, copy=False)

    def get_config(self) -> dict:
        """The configuration."""
        config = {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **affine_config(self),
            "moving_mean_initializer": registry.initializers.serialize(
                self.moving_mean_initializer
            ),
            "moving_variance_initializer": registry.initializers.serialize(
                self.moving_variance_initializer
            ),
            "synchronized": self.synchronized,
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }
        return in_order(config, BATCH_NORMALIZATION_ORDER)


def _as(variable: Any, dtype: Any) -> Any:
    return variable.array.astype(dtype, copy=False)


def _flat(variable: Any, dtype: Any) -> Any:
    return None if variable is None else _as(variable, dtype).reshape(-1)


def _masked_moments(x: Any, weights: Any) -> tuple:
    count = weights.sum(0) + x.dtype.type(settings.epsilon())
    mean = np.einsum("ij,ij->j", x, weights) / count
    centered = (x - mean) * weights
    return mean, np.einsum("ij,ij->j", centered, centered) / count


def _masked_backward(
    dy: Any, x: Any, weights: Any, mean: Any, inverse: Any, gamma: Any
) -> tuple[Any, Any, Any]:
    count = weights.sum(0) + x.dtype.type(settings.epsilon())
    centered = x - mean
    dbeta = dy.sum(0)
    dgamma = np.einsum("ij,ij->j", dy, centered) * inverse
    dvariance = -0.5 * gamma * inverse**2 * dgamma
    # The count holds an epsilon, so the weighted deviations do not quite sum to zero.
    dmean = -gamma * inverse * dbeta
    dmean = dmean - 2 * dvariance * np.einsum("ij,ij->j", centered, weights) / count
    dx = dy * (gamma * inverse) + weights * ((2 * dvariance * centered + dmean) / count)
    return dx, dgamma, dbeta


@registry.layers.register("LayerNormalization")
class LayerNormalization(_Affine):
    """Normalizes each sample over its last axis, or other axes (Ba et al., 2016).

    `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.

    Args:
        axis: Integer, or list of integers. Defaults to -1. What the moments are taken over.
        epsilon: Float. Defaults to 0.001.
        center: Boolean, default True. Whether there is a `beta`.
        scale: Boolean, default True. Whether there is a `gamma`.
        beta_initializer, gamma_initializer: Initializers. Default to `"zeros"` and `"ones"`.
        beta_regularizer, gamma_regularizer: Regularizers, or None (default).
        beta_constraint, gamma_constraint: Constraints, or None (default).
        **kwargs: `name`, `dtype`, `trainable`. The deprecated `rms_scaling=True` divides by the
            deviation without taking the mean off.

    Output shape:
        That of the input.

    Raises:
        TypeError: if `axis` is no integer or list of them.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.LayerNormalization()
    >>> layer(np.array([[1.0, 3.0]], "float32")).numpy().round(2).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        rms_scaling = kwargs.pop("rms_scaling", False)
        if rms_scaling:
            warnings.warn(
                "You passed `rms_scaling=True`, which is deprecated. It scales the input by the"
                " variance, not the root mean square. Use `layers.RMSNormalization` instead.",
                stacklevel=2,
            )
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)):
            self.axis = list(axis)
        elif isinstance(axis, int):
            self.axis = axis
        else:
            raise TypeError(
                "Expected an int or a list/tuple of ints for the argument 'axis', but received:"
                f" {axis!r}"
            )
        self.epsilon = epsilon
        self.rms_scaling = rms_scaling
        self._take_affine(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        self.axis = sorted(self.axis) if isinstance(self.axis, list) else [self.axis]
        shape = _known(self, input_shape, self.axis)
        self._add_affine(
            shape, self.scale or self.rms_scaling, self.center and not self.rms_scaling
        )
        self.built = True

    def forward(self, ctx: Any, x: Any) -> Any:
        axes = tuple(sorted(axis % x.ndim for axis in self.axis))
        moved = kernels.last(_wide(x), axes)
        rows = moved.reshape(-1, math.prod(moved.shape[x.ndim - len(axes) :]))
        gamma, beta = _flat(self.gamma, rows.dtype), _flat(self.beta, rows.dtype)
        deviation = None
        if self.rms_scaling:
            _, deviation, inverse = kernels.normalize_rows(rows, self.epsilon)
            normal = rows * inverse
            y = normal * gamma
        else:
            y, normal, inverse = kernels.normalize_rows(rows, self.epsilon, gamma=gamma, beta=beta)
        if ctx.recording:
            ctx.save(normal, inverse, deviation)
            ctx.axes, ctx.source = axes, x.dtype
        y = kernels.back(y.reshape(moved.shape), axes)
        return y.astype(dtypes.numpy_dtype(self.compute_dtype), copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        normal, inverse, deviation = ctx.saved
        moved = kernels.last(dy.astype(normal.dtype, copy=False), ctx.axes)
        g = moved.reshape(normal.shape)
        gamma = _flat(self.gamma, normal.dtype)
        needs_dx = ctx.needs[0] and ctx.source.kind == "f"
        dx, dgamma, dbeta = kernels.normalize_rows_backward(
            g, normal, inverse, gamma=gamma, needs_dx=needs_dx and deviation is None
        )
        if self.beta is not None:
            ctx.add_grad(self.beta, dbeta.reshape(self.beta.shape))
        if self.gamma is not None:
            ctx.add_grad(self.gamma, dgamma.reshape(self.gamma.shape))
        if not needs_dx:
            return None
        if deviation is not None:
            # y = x / sqrt(variance + epsilon) * gamma: the mean enters through the variance only.
            g = g * gamma
            products = np.vecdot(g, normal)[:, None] / g.shape[1]
            dx = (g - deviation * products) * inverse
        assert dx is not None
        return kernels.back(dx.reshape(moved.shape), ctx.axes).astype(ctx.source, copy=False)

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": self.rms_scaling,
            **affine_config(self),
        }


@registry.layers.register("GroupNormalization")
class GroupNormalization(_Affine):
    """Normalizes each sample over groups of channels (Wu and He, 2018).

    Args:
        groups: Integer. Defaults to 32. Must divide the number of channels; -1 makes each channel
            a group (instance normalization).
        axis: Integer, default -1. The axis of the channels.
        epsilon: Float. Defaults to 0.001.
        center: Boolean, default True. Whether there is a `beta`.
        scale: Boolean, default True. Whether there is a `gamma`.
        beta_initializer, gamma_initializer: Initializers. Default to `"zeros"` and `"ones"`.
        beta_regularizer, gamma_regularizer: Regularizers, or None (default).
        beta_constraint, gamma_constraint: Constraints, or None (default).
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        ValueError: if `groups` is not valid or does not divide the number of channels.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.GroupNormalization(groups=2)
    >>> layer(np.ones((1, 4, 4, 6), "float32")).shape
    (1, 4, 4, 6)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer (or"
                f" `-1` for instance normalization). Received: groups={groups}"
            )
        super().__init__(**kwargs)
        self.autocast = False
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self._take_affine(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint,
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        shape = _known(self, input_shape, [self.axis])
        if self.groups == -1:
            self.groups = shape[0]
        if shape[0] < self.groups:
            raise ValueError(
                f"The number of groups ({self.groups}) cannot be more than the number of channels"
                f" ({shape[0]})."
            )
        if shape[0] % self.groups != 0:
            raise ValueError(
                f"The number of channels ({shape[0]}) must be a multiple of the number of groups"
                f" ({self.groups}), so that all groups are equal."
            )
        self._add_affine(shape, self.scale, self.center)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})
        self.built = True

    def _channels_first(self, x: Any) -> Any:
        return np.ascontiguousarray(np.moveaxis(x, self.axis, 1))

    def forward(self, ctx: Any, x: Any) -> Any:
        moved = self._channels_first(_wide(x))
        rows = moved.reshape(x.shape[0] * self.groups, -1) if moved.size else moved.reshape(0, 1)
        _, normal, inverse = kernels.normalize_rows(rows, self.epsilon)
        normal = normal.reshape(moved.shape)
        shape = (-1,) + (1,) * (x.ndim - 2)
        y = normal
        if self.gamma is not None:
            y = normal * _as(self.gamma, rows.dtype).reshape(shape)
        if self.beta is not None:
            beta = _as(self.beta, rows.dtype).reshape(shape)
            y = np.add(y, beta, out=None if y is normal else y)
        if ctx.recording:
            ctx.save(normal, inverse)
            ctx.source = x.dtype
        y = np.ascontiguousarray(np.moveaxis(y, 1, self.axis))
        return y.astype(dtypes.numpy_dtype(self.compute_dtype), copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        normal, inverse = ctx.saved
        g = self._channels_first(dy.astype(normal.dtype, copy=False))
        axes = (0, *range(2, g.ndim))
        if self.beta is not None:
            ctx.add_grad(self.beta, g.sum(axes))
        if self.gamma is not None:
            ctx.add_grad(self.gamma, (g * normal).sum(axes))
            g = g * _as(self.gamma, normal.dtype).reshape((-1,) + (1,) * (g.ndim - 2))
        if not ctx.needs[0] or ctx.source.kind != "f":
            return None
        rows = (inverse.shape[0], -1) if g.size else (0, 1)
        dx, _, _ = kernels.normalize_rows_backward(g.reshape(rows), normal.reshape(rows), inverse)
        assert dx is not None
        dx = np.moveaxis(dx.reshape(g.shape), 1, self.axis)
        return np.ascontiguousarray(dx).astype(ctx.source, copy=False)

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **affine_config(self),
        }


@registry.layers.register("RMSNormalization")
class RMSNormalization(_Affine):
    """Divides each sample by its root mean square (Zhang and Sennrich, 2019).

    `x / sqrt(mean(x**2) + epsilon) * scale`.

    Args:
        axis: Integer, or list of integers. Defaults to -1. What the mean is taken over.
        epsilon: Float. Defaults to 1e-6.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RMSNormalization()
    >>> layer(np.array([[3.0, 3.0]], "float32")).numpy().round(3).tolist()
    [[1.0, 1.0]]
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Make the scale."""
        many = isinstance(self.axis, (list, tuple))
        self.axis = sorted(self.axis) if many else [self.axis]
        shape = _known(self, input_shape, self.axis)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")
        self.built = True

    def forward(self, ctx: Any, x: Any) -> Any:
        axes = tuple(sorted(axis % x.ndim for axis in self.axis))
        moved = kernels.last(_wide(x), axes)
        rows = moved.reshape(-1, self.scale.array.size)
        y, normal, inverse = kernels.normalize_rows(
            rows, self.epsilon, center=False, gamma=_flat(self.scale, rows.dtype)
        )
        if ctx.recording:
            ctx.save(normal, inverse)
            ctx.axes, ctx.source = axes, x.dtype
        y = kernels.back(y.reshape(moved.shape), axes)
        return y.astype(x.dtype if x.dtype.kind == "f" else y.dtype, copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        normal, inverse = ctx.saved
        moved = kernels.last(dy.astype(normal.dtype, copy=False), ctx.axes)
        g = moved.reshape(normal.shape)
        needs_dx = ctx.needs[0] and ctx.source.kind == "f"
        dx, dscale, _ = kernels.normalize_rows_backward(
            g, normal, inverse, False, _flat(self.scale, normal.dtype), needs_dx
        )
        ctx.add_grad(self.scale, dscale.reshape(self.scale.shape))
        if not needs_dx:
            return None
        assert dx is not None
        return kernels.back(dx.reshape(moved.shape), ctx.axes).astype(ctx.source, copy=False)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


@registry.layers.register("UnitNormalization")
class UnitNormalization(_Affine):
    """Scales inputs to an Euclidean norm of 1 along axes.

    Args:
        axis: Integer, or list of integers. Defaults to -1.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Raises:
        TypeError: if `axis` is no integer or list of them.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.UnitNormalization()
    >>> layer(np.array([[0.0, 4.0]], "float32")).numpy().tolist()
    [[0.0, 1.0]]
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)):
            self.axis = list(axis)
        elif isinstance(axis, int):
            self.axis = axis
        else:
            raise TypeError(
                "Invalid value for `axis` argument: expected an int or a list/tuple of ints."
                f" Received: axis={axis}"
            )
        self.supports_masking = True
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        axes = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        wide = _wide(x)
        size = np.sqrt(np.square(wide).sum(axes, keepdims=True))
        # The derivative of the norm is not asked for where the floor holds.
        floor = wide.dtype.type(1e-12)
        inverse = 1 / np.maximum(size, floor)
        y = wide * inverse
        if ctx.recording:
            ctx.save(y, inverse, size > floor)
            ctx.axes, ctx.source = axes, x.dtype
        return y.astype(x.dtype if x.dtype.kind == "f" else y.dtype, copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        y, inverse, free = ctx.saved
        if ctx.source.kind != "f":
            return None
        dy = dy.astype(y.dtype, copy=False)
        along = (dy * y).sum(ctx.axes, keepdims=True) * free
        return ((dy - y * along) * inverse).astype(ctx.source, copy=False)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "axis": self.axis}
