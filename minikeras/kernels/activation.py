"""Activation functions and their derivatives.

Each function here makes a `Kernel` for one setting of an activation's arguments. Where the
derivative can be had from the output, the forward works in place and the output is kept;
otherwise the input is kept untouched.

In all of them `z` is the input, `y` the output, `dy` and `dz` the gradients with respect to these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels.parallel import each
from minikeras.kernels.rows import row_max, row_sum
from minikeras.kernels.special import fast_erf as erf

Array = np.ndarray


class Kernel(NamedTuple):
    """An activation on arrays.

    Attributes:
        forward: `z -> y`. Overwrites `z` where it can, unless `keeps` is `"z"`.
        backward: `(kept, dy) -> dz`, a new array.
        keeps: What `backward` reads: the output `"y"` or the input `"z"`.
        integers: Whether integer inputs give integer outputs.
    """

    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    keeps: str = "y"
    integers: bool = False


# One table: name -> function of the activation's arguments that makes the kernel.
KERNELS: dict[str, Callable[..., Kernel]] = {}


def _kernel(make: Callable[..., Kernel]) -> Callable[..., Kernel]:
    cached = lru_cache(maxsize=256)(make)
    KERNELS[make.__name__] = cached
    return cached


@_kernel
def linear() -> Kernel:
    """`z`."""
    return Kernel(lambda z: z, lambda y, dy: dy, integers=True)


# Rectifiers


def _rectify(z: Array) -> Array:
    each(lambda part: np.maximum(part, 0, out=part), z)
    return z


def _rectified(y: Array, dy: Array) -> Array:
    dz = np.empty(dy.shape, dy.dtype)
    each(lambda dz, y, dy: np.multiply(dy, y > 0, out=dz), dz, y, dy)
    return dz


@_kernel
def relu(
    negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Kernel:
    """`z` above the threshold, up to `max_value`; `negative_slope * (z - threshold)` below."""
    if negative_slope == 0 and threshold == 0:
        if max_value is None:
            return Kernel(_rectify, _rectified, integers=True)
        if max_value == 6:
            return relu6()
    if max_value is None and threshold == 0:
        return leaky_relu(negative_slope)

    def forward(z: Array) -> Array:
        y = np.where(z > threshold, z, z.dtype.type(0))
        if max_value is not None:
            np.clip(y, 0, max_value, out=y)
        if negative_slope != 0:
            y = y - negative_slope * np.maximum(threshold - z, 0)
        return y

    def backward(z: Array, dy: Array) -> Array:
        passes = z > threshold
        if max_value is not None:
            passes &= (z >= 0) & (z <= max_value)
        if negative_slope == 0:
            return dy * passes
        return dy * passes + (negative_slope * dy) * (z < threshold)

    return Kernel(forward, backward, "z", integers=True)


@_kernel
def relu6() -> Kernel:
    """`min(max(z, 0), 6)`."""
    return Kernel(
        lambda z: np.clip(z, 0, 6, out=z), lambda y, dy: dy * ((y > 0) & (y < 6)), integers=True
    )


@_kernel
def leaky_relu(negative_slope: float = 0.2) -> Kernel:
    """`z` above 0, `negative_slope * z` below."""
    if 0 <= negative_slope <= 1:

        def forward(z: Array) -> Array:
            return np.maximum(z, negative_slope * z)

        def backward(y: Array, dy: Array) -> Array:
            # y has the sign of z, unless the slope is 0 and then y = 0 counts as below.
            slope = (y > 0).astype(dy.dtype)
            np.maximum(slope, negative_slope, out=slope)
            slope *= dy
            return slope

        return Kernel(forward, backward)
    return Kernel(
        lambda z: np.where(z > 0, z, negative_slope * z),
        lambda z, dy: np.where(z > 0, dy, negative_slope * dy),
        "z",
    )


def _exponential_unit(scale: float, alpha: float) -> Kernel:
    """`scale * (z if z > 0 else alpha * (exp(z) - 1))`."""

    def forward(z: Array) -> Array:
        y = np.minimum(z, 0)
        np.expm1(y, out=y)
        if alpha != 1:
            y *= alpha
        y += np.maximum(z, 0, out=z)
        if scale != 1:
            y *= scale
        return y

    def backward(y: Array, dy: Array) -> Array:
        slope = np.minimum(y, 0)
        slope += scale * alpha
        if scale != 1:
            slope[y >= 0] = scale  # at 0 TensorFlow's selu takes the slope from above, elu's below
        elif alpha != 1:
            slope[y > 0] = scale
        slope *= dy
        return slope

    def backward_from_input(z: Array, dy: Array) -> Array:
        return dy * np.where(z > 0, scale, scale * alpha * np.exp(np.minimum(z, 0)))

    if alpha >= 0:
        return Kernel(forward, backward)
    # With a negative alpha the sign of y no longer tells the sign of z.
    return Kernel(lambda z: forward(z.copy()), backward_from_input, "z")


@_kernel
def elu(alpha: float = 1.0) -> Kernel:
    """`z` above 0, `alpha * (exp(z) - 1)` below (Clevert et al. 2016)."""
    return _exponential_unit(1.0, alpha)


# The fixed point of mean 0 and variance 1 (Klambauer et al. 2017).
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@_kernel
def selu() -> Kernel:
    """`SELU_SCALE * elu(z, SELU_ALPHA)` (Klambauer et al. 2017)."""
    return _exponential_unit(SELU_SCALE, SELU_ALPHA)


@_kernel
def celu(alpha: float = 1.0) -> Kernel:
    """`max(z, 0) + alpha * (exp(min(z, 0) / alpha) - 1)` (Barron 2017)."""

    def forward(z: Array) -> Array:
        y = np.minimum(z, 0)
        y /= alpha
        np.expm1(y, out=y)
        y *= alpha
        y += np.maximum(z, 0)
        return y

    def backward(z: Array, dy: Array) -> Array:
        slope = np.minimum(z, 0)
        slope /= alpha
        np.exp(slope, out=slope)
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


# Sigmoids


def sigmoid_of(z: Array, out: Array | None = None) -> Array:
    """`1 / (1 + exp(-z))`, into `out` if given; accurate in both tails."""
    y = np.negative(z, out=out)
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


def _from_sigmoid(y: Array, dy: Array) -> Array:
    dz = 1 - y
    dz *= y
    dz *= dy
    return dz


@_kernel
def sigmoid() -> Kernel:
    """`1 / (1 + exp(-z))`."""
    return Kernel(lambda z: sigmoid_of(z, z), _from_sigmoid)


def _from_tanh(y: Array, dy: Array) -> Array:
    dz = y * y
    np.subtract(1, dz, out=dz)
    dz *= dy
    return dz


@_kernel
def tanh() -> Kernel:
    """The hyperbolic tangent."""
    return Kernel(lambda z: np.tanh(z, out=z), _from_tanh)


@_kernel
def hard_sigmoid() -> Kernel:
    """`min(max(z + 3, 0), 6) / 6`."""

    def forward(z: Array) -> Array:
        z += 3
        np.clip(z, 0, 6, out=z)
        z /= 6
        return z

    return Kernel(forward, lambda y, dy: (dy / 6) * ((y > 0) & (y < 1)))


@_kernel
def sparse_sigmoid() -> Kernel:
    """`min(max((z + 1) / 2, 0), 1)`."""

    def forward(z: Array) -> Array:
        z += 1
        z *= 0.5
        return np.clip(z, 0, 1, out=z)

    return Kernel(forward, lambda y, dy: (0.5 * dy) * ((y > 0) & (y < 1)))


@_kernel
def hard_tanh() -> Kernel:
    """`min(max(z, -1), 1)`."""
    return Kernel(
        lambda z: np.clip(z, -1, 1),
        lambda z, dy: dy * ((z >= -1) & (z <= 1)),
        "z",
        integers=True,
    )


@_kernel
def softsign() -> Kernel:
    """`z / (1 + |z|)`."""

    def forward(z: Array) -> Array:
        size = np.abs(z)
        size += 1
        return np.divide(z, size, out=size)

    def backward(z: Array, dy: Array) -> Array:
        size = np.abs(z)
        size += 1
        slope = np.reciprocal(size, out=size)
        slope *= slope
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


@_kernel
def tanh_shrink() -> Kernel:
    """`z - tanh(z)`."""

    def backward(z: Array, dy: Array) -> Array:
        slope = np.tanh(z)
        slope *= slope
        slope *= dy
        return slope

    return Kernel(lambda z: z - np.tanh(z), backward, "z")


# Soft rectifiers


def softplus_of(z: Array) -> Array:
    """`log(1 + exp(z))` in a new array."""
    y = np.abs(z)
    np.negative(y, out=y)
    np.exp(y, out=y)
    np.log1p(y, out=y)
    y += np.maximum(z, 0)
    return y


@_kernel
def softplus() -> Kernel:
    """`log(1 + exp(z))`."""
    # The slope is sigmoid(z) = 1 - exp(-y).
    return Kernel(softplus_of, lambda y, dy: -np.expm1(-y) * dy)


@_kernel
def log_sigmoid() -> Kernel:
    """`log(1 / (1 + exp(-z)))`."""
    # The slope is sigmoid(-z) = 1 - exp(y).
    return Kernel(lambda z: -softplus_of(-z), lambda y, dy: -np.expm1(y) * dy)


@_kernel
def squareplus(b: float = 4) -> Kernel:
    """`(z + sqrt(z^2 + b)) / 2` (Barron 2021)."""
    root = math.sqrt(b)

    def forward(z: Array) -> Array:
        # hypot does not overflow where z^2 would.
        y = np.hypot(z, root).astype(z.dtype, copy=False)
        y *= 0.5
        y += 0.5 * z
        return y

    def backward(z: Array, dy: Array) -> Array:
        size = np.hypot(z, root).astype(z.dtype, copy=False)
        slope = np.divide(z, size, out=np.zeros_like(z), where=size > 0)
        slope += 1
        slope *= 0.5
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


@_kernel
def sparse_plus() -> Kernel:
    """0 up to -1, `(z + 1)^2 / 4` up to 1, then `z`."""

    def forward(z: Array) -> Array:
        middle = np.clip(z, -1, 1)
        middle += 1
        middle *= middle
        middle *= 0.25
        return np.where(z < 1, middle, z)

    def backward(z: Array, dy: Array) -> Array:
        slope = np.clip(z, -1, 1)
        slope += 1
        slope *= 0.5
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


@_kernel
def exponential() -> Kernel:
    """`exp(z)`."""

    def forward(z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z, out=z)

    return Kernel(forward, lambda y, dy: dy * y)


# Gated by themselves


@_kernel
def silu() -> Kernel:
    """`z * sigmoid(z)` (Ramachandran et al. 2017)."""

    def forward(z: Array) -> Array:
        y = sigmoid_of(z)
        y *= z
        return y

    def backward(z: Array, dy: Array) -> Array:
        gate = sigmoid_of(z)
        slope = 1 - gate
        slope *= z
        slope += 1
        slope *= gate
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


@_kernel
def hard_silu() -> Kernel:
    """`z * hard_sigmoid(z)`."""
    gate = hard_sigmoid()

    def backward(z: Array, dy: Array) -> Array:
        slope = gate.forward(z.copy())
        slope += (z / 6) * ((z > -3) & (z < 3))
        slope *= dy
        return slope

    return Kernel(lambda z: z * gate.forward(z.copy()), backward, "z")


_ROOT_HALF = math.sqrt(0.5)
_ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
_NORMAL_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


@_kernel
def gelu(approximate: bool = False) -> Kernel:
    """`z * P(X <= z)` for a standard normal X (Hendrycks and Gimpel 2016)."""
    if approximate:
        return Kernel(_gelu_by_tanh, _gelu_by_tanh_backward, "z")

    def forward(z: Array) -> Array:
        y = erf(z * _ROOT_HALF)
        y += 1
        y *= 0.5
        y *= z
        return y

    def backward(z: Array, dy: Array) -> Array:
        slope = erf(z * _ROOT_HALF)
        slope += 1
        slope *= 0.5
        bounded = np.clip(z, -40, 40)  # the density is 0 there, and the square does not overflow
        slope += bounded * (np.exp(-0.5 * bounded * bounded) * _NORMAL_DENSITY_AT_0)
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


def _gelu_tanh(z: Array) -> tuple[Array, Array]:
    bounded = np.clip(z, -20, 20)  # tanh has long reached -1 or 1
    inner = bounded * bounded
    inner *= 0.044715
    inner += 1
    inner *= bounded
    inner *= _ROOT_2_OVER_PI
    return np.tanh(inner, out=inner), bounded


def _gelu_by_tanh(z: Array) -> Array:
    y = _gelu_tanh(z)[0]
    y += 1
    y *= 0.5
    y *= z
    return y


def _gelu_by_tanh_backward(z: Array, dy: Array) -> Array:
    tanh_, bounded = _gelu_tanh(z)
    slope = bounded * bounded
    slope *= 3 * 0.044715
    slope += 1
    slope *= _ROOT_2_OVER_PI
    slope *= bounded
    slope *= 1 - tanh_ * tanh_
    slope += tanh_
    slope += 1
    slope *= 0.5
    slope *= dy
    return slope


def _bounded_exponential(z: Array) -> tuple[Array, Array]:
    """`min(z, limit)` and its exponential; `mish(z)` is `z` beyond the limit."""
    bounded = np.minimum(z, 5 if z.dtype == np.float16 else 20)
    return bounded, np.exp(bounded)


@_kernel
def mish() -> Kernel:
    """`z * tanh(softplus(z))` (Misra 2019)."""

    # tanh(log(1 + e)) = n / (n + 2) with e = exp(z) and n = e * (e + 2).
    def forward(z: Array) -> Array:
        e = _bounded_exponential(z)[1]
        n = (e + 2) * e
        y = n / (n + 2)
        y *= z
        return y

    def backward(z: Array, dy: Array) -> Array:
        bounded, e = _bounded_exponential(z)
        n = (e + 2) * e
        ratio = 1 / (n + 2)
        slope = (4 * e * ratio) * ((e + 1) * ratio) * bounded
        slope += n * ratio
        slope *= dy
        return slope

    return Kernel(forward, backward, "z")


@_kernel
def glu(axis: int = -1) -> Kernel:
    """`a * sigmoid(b)`, where `a` and `b` are the two halves of `z` along `axis`."""

    def halves(z: Array) -> list[Array]:
        if z.shape[axis] % 2:
            raise ValueError(
                "glu splits an axis into two halves, so its size must be even. Received:"
                f" shape={z.shape}, axis={axis}"
            )
        return np.split(z, 2, axis=axis)

    def forward(z: Array) -> Array:
        a, b = halves(z)
        y = sigmoid_of(b)
        y *= a
        return y

    def backward(z: Array, dy: Array) -> Array:
        a, b = halves(z)
        gate = sigmoid_of(b)
        da = dy * gate
        return np.concatenate([da, da * a * (1 - gate)], axis=axis)

    return Kernel(forward, backward, "z")


# Thresholds


@_kernel
def soft_shrink(threshold: float = 0.5) -> Kernel:
    """`z` moved towards 0 by the threshold, 0 where it is smaller."""

    def forward(z: Array) -> Array:
        y = np.where(z < -threshold, z + threshold, z.dtype.type(0))
        return np.where(z > threshold, z - threshold, y)

    return Kernel(forward, lambda z, dy: dy * ((z > threshold) | (z < -threshold)), "z")


@_kernel
def hard_shrink(threshold: float = 0.5) -> Kernel:
    """`z` where `|z| > threshold`, else 0."""
    return Kernel(
        lambda z: z * (np.abs(z) > threshold), lambda z, dy: dy * (np.abs(z) > threshold), "z"
    )


@_kernel
def threshold(threshold: float, default_value: float) -> Kernel:
    """`z` where `z > threshold`, else `default_value`."""
    return Kernel(
        lambda z: np.where(z > threshold, z, default_value),
        lambda z, dy: dy * (z > threshold),
        "z",
        integers=True,
    )


# Over an axis


def largest(z: Array, axis: Any) -> Array:
    """The maxima over `axis`, which is kept."""
    return row_max(z)[..., None] if axis == -1 else z.max(axis=axis, keepdims=True)


def total(z: Array, axis: Any) -> Array:
    """The sums over `axis`, which is kept."""
    return row_sum(z)[..., None] if axis == -1 else z.sum(axis=axis, keepdims=True)


@_kernel
def softmax(axis: Any = -1) -> Kernel:
    """`exp(z) / sum(exp(z))` over `axis` (an integer, a tuple, or None for all)."""

    def forward(z: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            z -= largest(z, axis)
            np.exp(z, out=z)
            z /= total(z, axis)
        return z

    def backward(y: Array, dy: Array) -> Array:
        if axis == -1:
            dz = dy - np.vecdot(dy, y)[..., None]
        else:
            dz = dy - (dy * y).sum(axis=axis, keepdims=True)
        dz *= y
        return dz

    return Kernel(forward, backward)


@_kernel
def log_softmax(axis: Any = -1) -> Kernel:
    """`z - log(sum(exp(z)))` over `axis` (an integer, a tuple, or None for all)."""

    def forward(z: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            z -= largest(z, axis)
            z -= np.log(total(np.exp(z), axis))
        return z

    def backward(y: Array, dy: Array) -> Array:
        dz = np.exp(y)
        dz *= dy.sum(axis=axis, keepdims=True)
        return np.subtract(dy, dz, out=dz)

    return Kernel(forward, backward)


@_kernel
def sparsemax(axis: int = -1) -> Kernel:
    """The point of the simplex nearest to `z` (Martins and Astudillo 2016)."""

    def forward(z: Array) -> Array:
        # What lies more than 1 below the largest is never in the support, however far it lies.
        top = z.max(axis=axis, keepdims=True)
        z = np.moveaxis(np.maximum(z, top - 1) - top, axis, -1)
        order = np.sort(z, axis=-1)[..., ::-1]
        total = np.cumsum(order, axis=-1, dtype=z.dtype)
        count = np.arange(1, z.shape[-1] + 1, dtype=z.dtype)
        size = (order * count > total - 1).sum(axis=-1, keepdims=True)
        level = (np.take_along_axis(total, size - 1, axis=-1) - 1) / size.astype(z.dtype)
        return np.moveaxis(np.maximum(z - level, 0), -1, axis)

    def backward(y: Array, dy: Array) -> Array:
        support = y > 0
        dz = dy * support
        dz -= dz.sum(axis=axis, keepdims=True) / support.sum(
            axis=axis, keepdims=True, dtype=dy.dtype
        )
        dz *= support
        return dz

    return Kernel(forward, backward)
