"""Moments, normalizations, attention, and blocks of images."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels import attention as attention_kernels
from minikeras.ops.base import Kernel, array_of, canonical_axes, composite, static, tensor
from minikeras.ops.core import cast
from minikeras.ops.elementwise import clip, divide, log10, maximum, minimum, multiply, rsqrt, square
from minikeras.ops.reductions import mean, sum, var
from minikeras.ops.shaping import expand_dims, reshape


@composite
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Mean and variance along axes.

    Args:
        x: Tensor.
        axes: Integer or tuple of integers.
        keepdims: Boolean, default False.
        synchronized: Replicas are not supported here: False only.

    Raises:
        ValueError: for `synchronized=True`.

    Example:

    >>> import minikeras
    >>> mean, variance = minikeras.ops.moments([1.0, 3.0], axes=0)
    >>> float(mean), float(variance)
    (2.0, 1.0)
    """
    if synchronized:
        raise ValueError(
            "`synchronized=True` is not supported. Use `minikeras.layers.BatchNormalization("
            "synchronized=True)`, which knows about replicas."
        )
    x = tensor(x)
    axes = static(axes)
    half = str(x.dtype) in ("float16", "bfloat16")
    wide = cast(x, "float32") if half else x
    results = (mean(wide, axis=axes, keepdims=keepdims), var(wide, axis=axes, keepdims=keepdims))
    if half:
        low, high = float(np.finfo("float16").min), float(np.finfo("float16").max)
        return tuple(cast(clip(one, low, high), x.dtype) for one in results)
    return results


@composite(tensors=3, optional=("offset", "scale"), name="BatchNorm")
def _batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any = None,
    scale: Any = None,
    axis: int = -1,
    epsilon: float = 0.001,
) -> Any:
    shape = [1] * len(x.shape)
    shape[axis] = x.shape[axis]
    mean, variance, offset, scale = (
        None if one is None else reshape(one, shape) for one in (mean, variance, offset, scale)
    )
    factor = rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    shift = -mean * factor if offset is None else offset - mean * factor
    return x * cast(factor, x.dtype) + cast(shift, x.dtype)


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 0.001,
) -> Any:
    """(x - mean) / √(variance + ε) · scale + offset, each a vector along an axis.

    Args:
        x: Tensor.
        mean: Vector.
        variance: Vector.
        axis: Integer: the axis along which they lie.
        offset: Vector. Defaults to 0.
        scale: Vector. Defaults to 1.
        epsilon: Number, default 1e-3.

    Raises:
        ValueError: for vectors that are not as long as the axis.

    Example:

    >>> import minikeras
    >>> minikeras.ops.batch_normalization([[1.0]], [1.0], [1.0], axis=-1).tolist()
    [[0.0]]
    """
    x, mean, variance = tensor(x), tensor(mean), tensor(variance)
    offset, scale = (None if one is None else tensor(one) for one in (offset, scale))
    (axis,) = canonical_axes(axis, len(x.shape))
    size = x.shape[axis]
    for name, one in {"mean": mean, "variance": variance, "offset": offset, "scale": scale}.items():
        if one is not None and None not in (size, *one.shape) and tuple(one.shape) != (size,):
            raise ValueError(
                f"Argument `{name}` must be a vector of length {size}, the size of axis {axis}."
                f" Received shape: {tuple(one.shape)}"
            )
    return _batch_normalization(
        x, mean, variance, offset=offset, scale=scale, axis=axis, epsilon=epsilon
    )


class LayerNorm(Kernel):
    """Normalization over axes of each sample."""

    axis: Any = -1
    epsilon: Any = None
    rms_scaling: bool = False
    named_by = slice(1)

    def forward(self, ctx: Any, x: Any, gamma: Any = None, beta: Any = None) -> Any:
        if self.rms_scaling:
            raise NotImplementedError(
                "A graph with `rms_scaling=True` in its layer normalization is not read. Build it"
                " anew with `ops.layer_normalization(..., rms_scaling=True)`."
            )
        axes = canonical_axes(self.axis, x.ndim)
        wide = (
            x.astype(np.result_type(x.dtype, "float32"), copy=False)
            if x.dtype.kind == "f"
            else x.astype("float32")
        )
        epsilon = config.epsilon() if self.epsilon is None else self.epsilon
        shape = [x.shape[i] if i in axes else 1 for i in range(x.ndim)]
        centered = wide - wide.mean(axes, keepdims=True)
        inverse = 1 / np.sqrt(
            np.square(centered).mean(axes, keepdims=True) + wide.dtype.type(epsilon)
        )
        ctx.sources = [None if one is None else (one.shape, one.dtype) for one in (gamma, beta)]
        gamma, beta = (
            None
            if one is None
            else one.astype(wide.dtype).reshape(one.shape if one.ndim == x.ndim else shape)
            for one in (gamma, beta)
        )
        normal = centered * inverse
        ctx.save(normal, inverse, gamma, axes, x.dtype)
        y = normal if gamma is None else normal * gamma
        if beta is not None:
            y = y + beta
        return y.astype(x.dtype, copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        from minikeras.ops.base import unbroadcast

        normal, inverse, gamma, axes, dtype = ctx.saved
        dy = dy.astype(normal.dtype, copy=False)
        grads: list = []
        for source, part in zip(ctx.sources, (dy * normal, dy)):
            if source is None:
                grads.append(None)
                continue
            shape = source[0]
            full = [n if i in axes else 1 for i, n in enumerate(dy.shape)]
            target = shape if len(shape) == dy.ndim else tuple(full)
            grads.append(unbroadcast(part, target).reshape(shape).astype(source[1], copy=False))
        g = dy if gamma is None else dy * gamma
        dx = g - g.mean(axes, keepdims=True) - normal * (g * normal).mean(axes, keepdims=True)
        return [(dx * inverse).astype(dtype, copy=False) if dtype.kind == "f" else None, *grads]

    def compute_output_spec(self, x: Any, *_: Any) -> Any:
        canonical_axes(self.axis, len(x.shape))
        return KerasTensor(x.shape, dtype=x.dtype)


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: Any = None, **kwargs: Any
) -> Any:
    """(x - mean) / √(variance + ε) · gamma + beta, over axes of each sample (Ba et al. 2016).

    Args:
        x: Tensor.
        gamma: Tensor of the shape of those axes. Defaults to 1.
        beta: Tensor of the shape of those axes. Defaults to 0.
        axis: Integer or tuple of integers, default -1.
        epsilon: Number. Defaults to `epsilon()`.

    Raises:
        TypeError: for arguments that are not known.

    The deprecated `rms_scaling=True` divides by the standard deviation, without the mean taken off
    and without `beta`: `rms_normalization` is what its name says.

    Example:

    >>> import minikeras
    >>> minikeras.ops.layer_normalization([[1.0, 3.0]]).shape
    (1, 2)
    """
    if kwargs.pop("rms_scaling", False):
        warnings.warn(
            "You passed `rms_scaling=True`, which is deprecated. It scales the input by the"
            " variance, not the root mean square. Use `ops.rms_normalization` instead.",
            stacklevel=2,
        )
        return _scaled_by_deviation(x, gamma, static(axis), epsilon)
    if kwargs:
        raise TypeError(f"Unknown arguments: {sorted(kwargs)}")
    return LayerNorm(static(axis), epsilon)(x, gamma, beta)


def _scaled_by_deviation(x: Any, gamma: Any, axis: Any, epsilon: Any) -> Any:
    x = tensor(x)
    wide = cast(x, dtypes.result_type(x.dtype, "float32"))
    y = wide * rsqrt(var(wide, axis=axis, keepdims=True) + (epsilon or config.epsilon()))
    if gamma is not None:
        axes = canonical_axes(axis, len(x.shape))
        shape = [size if i in axes else 1 for i, size in enumerate(x.shape)]
        y = y * reshape(cast(gamma, wide.dtype), shape)
    return cast(y, x.dtype)


@composite(tensors=1, optional=("scale",), name="RMSNorm")
def _rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: Any = None) -> Any:
    if epsilon is None:
        epsilon = config.epsilon()
    dtype = dtypes.result_type(x.dtype, "float32")
    wide = cast(x, dtype)
    if not wide.shape:
        wide = expand_dims(wide, 0)
    y = wide * rsqrt(mean(square(wide), axis=axis, keepdims=True) + epsilon)
    if scale is not None:
        y = y * cast(scale, dtype)
    return cast(y, x.dtype)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: Any = None) -> Any:
    """x / √(mean(x²) + ε) · scale, over axes of each sample (Zhang and Sennrich 2019).

    Args:
        x: Tensor.
        scale: Tensor that broadcasts. Defaults to 1.
        axis: Integer or tuple of integers, default -1.
        epsilon: Number. Defaults to `epsilon()`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.rms_normalization([[3.0, 3.0]]).shape
    (1, 2)
    """
    return _rms_normalization(
        tensor(x),
        scale=None if scale is None else tensor(scale),
        axis=static(axis),
        epsilon=epsilon,
    )


@composite
def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: Any = None) -> Any:
    """`x` divided by its norm along an axis.

    Args:
        x: Tensor.
        axis: Integer, tuple of integers or None, default -1.
        order: Integer, default 2: of the norm.
        epsilon: Number: the least norm to divide by. Defaults to `epsilon()`.

    Raises:
        ValueError: if `order` is not a positive integer.

    Example:

    >>> import minikeras
    >>> minikeras.ops.normalize([3.0, 4.0], order=1).shape
    (2,)
    """
    from minikeras.ops.linalg import norm

    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    x = tensor(x)
    if not x.shape:
        x = expand_dims(x, 0)
    if epsilon is None:
        epsilon = config.epsilon()
    if order == 2:
        with np.errstate(divide="ignore"):
            inverse = rsqrt(sum(square(x), axis=axis, keepdims=True))
        return multiply(x, minimum(inverse, 1.0 / epsilon))
    return divide(x, maximum(norm(x, ord=order, axis=axis, keepdims=True), epsilon))


@composite(tensors=2, name="PSNR")
def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """Peak signal-to-noise ratio: 20 log₁₀(max_val) - 10 log₁₀(mean squared difference).

    Args:
        x1: Tensor.
        x2: Tensor of the same shape.
        max_val: Number: the largest value that can occur.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> import minikeras
    >>> minikeras.ops.psnr([1.0, 2.0], [1.5, 2.5], max_val=1.0).shape
    ()
    """
    x1, x2 = tensor(x1), tensor(x2)
    if tuple(x1.shape) != tuple(x2.shape):
        raise ValueError(
            f"Input shapes {tuple(x1.shape)} and {tuple(x2.shape)} must match for PSNR calculation."
        )
    peak = 20 * math.log10(float(static(max_val)))
    with np.errstate(divide="ignore"):
        return peak - 10 * log10(mean(square(x1 - x2)))


class DotProductAttention(Kernel):
    """Scaled dot-product attention."""

    is_causal: bool = False
    flash_attention: Any = None
    attn_logits_soft_cap: Any = None

    def forward(
        self, ctx: Any, query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None,
        scale: Any = None,
    ) -> Any:  # fmt: skip
        ctx.dtypes = [x.dtype for x in (query, key, value)]
        dtype = np.result_type(query, key, value)
        query, key, value = (x.astype(dtype, copy=False) for x in (query, key, value))
        scale = 1 / math.sqrt(key.shape[-1]) if scale is None else float(scale)
        ctx.bias = None if bias is None else (bias.shape, bias.dtype)
        if bias is not None:
            bias = np.broadcast_to(bias, (1,) * (4 - bias.ndim) + bias.shape).astype(dtype)
        if mask is not None:
            mask = np.asarray(mask, bool)
            mask = np.broadcast_to(mask, (1,) * (4 - mask.ndim) + mask.shape)
        result = attention_kernels.attention(
            query, key, value, scale=scale, bias=bias, mask=mask, causal=self.is_causal,
            keep=ctx.recording, need_weights=False,
        )  # fmt: skip
        ctx.save(result[2])
        return result[0]

    def backward(self, ctx: Any, dy: Any) -> Any:
        wants_bias = ctx.bias is not None and len(ctx.needs) > 3 and ctx.needs[3]
        gradients = attention_kernels.attention_backward(
            ctx.saved[0], dy, need_bias=bool(wants_bias)
        )
        result = [
            gradient.astype(dtype, copy=False) for gradient, dtype in zip(gradients[:3], ctx.dtypes)
        ]
        if wants_bias:
            shape, dtype = ctx.bias
            bias: Any = gradients.bias
            result.append(bias.reshape(shape).astype(dtype, copy=False))
        return result

    def compute_output_spec(self, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> Any:
        dtype = dtypes.result_type(query.dtype, key.dtype, value.dtype)
        return KerasTensor((*query.shape[:-1], value.shape[-1]), dtype=dtype)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
    is_causal: bool = False,
    flash_attention: Any = None,
    attn_logits_soft_cap: Any = None,
) -> Any:
    """softmax(query · keyᵀ · scale + bias) · value (Vaswani et al. 2017).

    Args:
        query: Tensor of shape (batch, targets, heads, size).
        key: Tensor of shape (batch, sources, key heads, size). Consecutive query heads share a key
            head if there are fewer.
        value: Tensor of the shape of `key`.
        bias: Tensor that broadcasts to (batch, heads, targets, sources).
        mask: Tensor of bools that broadcasts likewise; False is left out.
        scale: Number. Defaults to 1 / √size.
        is_causal: Boolean, default False. Whether a target sees only sources up to itself.
        flash_attention: There is only one implementation: None or False.
        attn_logits_soft_cap: Not supported: None.

    Raises:
        ValueError: for tensors without 4 axes, or for what is not supported.

    Example:

    >>> import minikeras
    >>> x = minikeras.ops.ones((1, 3, 2, 4))
    >>> minikeras.ops.dot_product_attention(x, x, x).shape
    (1, 3, 2, 4)
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("`attn_logits_soft_cap` is not supported: leave it None.")
    if flash_attention:
        raise ValueError("Flash attention is not supported: leave `flash_attention` None.")
    query, key, value = tensor(query), tensor(key), tensor(value)
    if any(len(x.shape) != 4 for x in (query, key, value)):
        raise ValueError(
            "`dot_product_attention` only supports 4D inputs. Received: query.shape="
            f"{tuple(query.shape)}, key.shape={tuple(key.shape)}, value.shape={tuple(value.shape)}."
        )
    if scale is not None:
        scale = array_of(static(scale))
    return DotProductAttention(is_causal, None, None)(query, key, value, bias, mask, scale)


__all__ = [
    "batch_normalization",
    "dot_product_attention",
    "layer_normalization",
    "moments",
    "normalize",
    "psnr",
    "rms_normalization",
]
