"""Kernels bound to one shape: every buffer allocated and every array looked up beforehand.

A small model's step is spent in calls, allocations and lookups rather than in arithmetic. Functions
here return closures that do the arithmetic alone. They compute what the free kernels compute. What
a closure returns is overwritten by its next call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels.activation import Kernel
from minikeras.kernels.rows import dot_for, ones_of, row_max

Array = np.ndarray

# Up to so many elements a multiplication by the sign costs less than one by a boolean mask.
_SMALL = 4096


class Bound(NamedTuple):
    """A bound operation.

    Attributes:
        forward: `x -> y`.
        backward: `dy -> dx`; it writes the gradients of variables where they belong. None where
            nobody wants a gradient.
        variables: Those whose gradients it writes.
    """

    forward: Callable[[Array], Array]
    backward: Callable[[Array], Any] | None
    variables: tuple = ()


def bound_activation(kernel: Kernel | None, shape: tuple, dtype: np.dtype) -> tuple | None:
    """`(forward, backward)` of an activation: `forward(x, y)` writes to `y`, `backward(y, dy)`.

    None for a kernel that has no bound form; `kernel` None is the linear one.
    """
    if kernel is None:
        return (lambda z, y: z), (lambda y, dy: dy)
    make = _BOUND.get(kernel)
    return make(shape, dtype) if make is not None else None


def _relu(shape: tuple, dtype: np.dtype) -> tuple:
    zero, dz = np.zeros((), dtype), np.empty(shape, dtype)
    maximum, multiply = np.maximum, np.multiply

    def forward(z: Array, y: Array) -> Array:
        return maximum(z, zero, out=y)

    if dz.size <= _SMALL:
        sign, signs = np.sign, np.empty(shape, dtype)

        def backward(y: Array, dy: Array) -> Array:
            sign(y, signs)
            return multiply(dy, signs, dz)
    else:
        greater, passes = np.greater, np.empty(shape, bool)

        def backward(y: Array, dy: Array) -> Array:
            greater(y, zero, passes)
            return multiply(dy, passes, dz)

    return forward, backward


def _sigmoid(shape: tuple, dtype: np.dtype) -> tuple:
    one, dz = np.ones((), dtype), np.empty(shape, dtype)

    def backward(y: Array, dy: Array) -> Array:
        np.subtract(one, y, dz)
        np.multiply(dz, y, dz)
        return np.multiply(dz, dy, dz)

    return _sigmoid_forward(one), backward


def _sigmoid_forward(one: Array) -> Callable[[Array, Array], Array]:
    negative, exp, add, reciprocal = np.negative, np.exp, np.add, np.reciprocal

    def forward(z: Array, y: Array) -> Array:
        negative(z, y)
        exp(y, y)
        add(y, one, y)
        return reciprocal(y, y)

    return forward


def _tanh(shape: tuple, dtype: np.dtype) -> tuple:
    one, dz = np.ones((), dtype), np.empty(shape, dtype)

    def backward(y: Array, dy: Array) -> Array:
        np.multiply(y, y, dz)
        np.subtract(one, dz, dz)
        return np.multiply(dz, dy, dz)

    return np.tanh, backward


def _table() -> dict:
    from minikeras.kernels.activation import KERNELS

    return {KERNELS["relu"](): _relu, KERNELS["sigmoid"](): _sigmoid, KERNELS["tanh"](): _tanh}


_BOUND = _table()


def bound_dense(
    x_shape: tuple, kernel: Array, bias: Array | None, act: Any, into: tuple, needs_input: bool
) -> tuple:
    """`activation(x @ kernel + bias)` for `x` of shape `(rows, n)`.

    Args:
        kernel, bias: The live arrays.
        act: What `bound_activation` returned for the output.
        into: The arrays that take the gradients of kernel and bias, or None where frozen.
        needs_input: Whether `backward` returns the gradient to `x`.

    Returns:
        Closures `(forward, backward)`.
    """
    dtype, rows = kernel.dtype, x_shape[0]
    z = np.empty((rows, kernel.shape[1]), dtype)
    dx = np.empty(x_shape, dtype) if needs_input else None
    activate, slope = act
    d_kernel, d_bias = into
    ones, add = ones_of(rows, dtype), np.add
    dot = dot_for(rows, *kernel.shape)
    transposed = kernel.T
    x_t: Any = None

    def forward(x: Array) -> Array:
        nonlocal x_t
        x_t = x.T
        dot(x, kernel, z)
        if bias is not None:
            add(z, bias, z)
        return activate(z, z)

    def backward(dy: Array) -> Any:
        dz = slope(z, dy)
        if d_kernel is not None:
            dot(x_t, dz, d_kernel)
        if d_bias is not None:
            np.dot(ones, dz, d_bias)
        if dx is not None:
            return dot(dz, transposed, dx)
        return None

    return forward, backward


# Losses: `(y_true, logits) -> (value, gradient to the logits, probabilities)`. The probabilities
# are a new array each time: metrics see them.


def bound_sigmoid_crossentropy(shape: tuple, dtype: np.dtype) -> Callable:
    """The mean binary cross-entropy of `sigmoid(logits)`, for logits of shape `(rows, 1)`."""
    zero, e, r, g = np.zeros((), dtype), *(np.empty(shape, dtype) for _ in range(3))
    size = max(e.size, 1)
    scale = np.array(1.0 / size, dtype)
    activate = _sigmoid_forward(np.ones((), dtype))
    absolute, negative, exp, log1p = np.abs, np.negative, np.exp, np.log1p
    maximum, add, multiply, subtract = np.maximum, np.add, np.multiply, np.subtract
    total = np.add.reduce

    def loss(t: Array, z: Array) -> tuple:
        absolute(z, e)
        negative(e, e)
        exp(e, e)
        log1p(e, e)
        maximum(z, zero, out=r)
        add(e, r, e)
        multiply(z, t, r)
        subtract(e, r, e)
        p = activate(z, np.empty(shape, dtype))
        subtract(p, t, g)
        multiply(g, scale, g)
        return float(total(e, None)) / size, g, p

    return loss


def bound_softmax_crossentropy(shape: tuple, dtype: np.dtype, labels: bool) -> Callable:
    """The mean cross-entropy of `softmax(logits)` of shape `(rows, classes)`.

    Args:
        labels: Whether targets are class numbers, known to be in range, rather than one-hot rows.
    """
    rows, classes = shape
    shifted, g = np.empty(shape, dtype), np.empty(shape, dtype)
    places = np.arange(rows) * classes
    flat_shifted, flat_g = shifted.reshape(-1), g.reshape(-1)
    scale, ones = dtype.type(1.0 / max(rows, 1)), ones_of(classes, dtype)

    def loss(t: Array, z: Array) -> tuple:
        np.subtract(z, row_max(z)[:, None], shifted)
        p = np.exp(shifted)
        total = np.dot(p, ones)
        np.divide(p, total[:, None], p)
        log_total = np.log(total)
        if labels:
            chosen = places + t.reshape(-1)
            value = float(np.add.reduce(log_total - flat_shifted[chosen])) / rows
            np.multiply(p, scale, g)
            flat_g[chosen] -= scale
            return value, g, p
        weight = np.dot(t, ones)
        value = float(np.dot(weight, log_total) - np.vdot(t, shifted)) / rows
        np.multiply(p, weight[:, None], g)
        np.subtract(g, t, g)
        np.multiply(g, scale, g)
        return value, g, p

    return loss


def bound_squared_error(shape: tuple, dtype: np.dtype) -> Callable:
    """The mean squared error; instead of probabilities it returns the outputs."""
    e, g = np.empty(shape, dtype), np.empty(shape, dtype)
    size = max(e.size, 1)
    scale = np.array(2.0 / size, dtype)
    flat = e.reshape(-1)

    def loss(t: Array, y: Array) -> tuple:
        np.subtract(y, t, e)
        np.multiply(e, scale, g)
        return float(np.dot(flat, flat)) / size, g, y

    return loss
