"""`tf.nn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras import random
from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf import named, public
from minikeras.standin.tf.math import (  # noqa: F401
    in_top_k,
    l2_normalize,
    log_softmax,
    softmax,
    top_k,
)
from minikeras.standin.tf.tensors import convert_to_tensor

ops: Any = _ops


def _padding(padding: Any) -> str:
    if not isinstance(padding, str):
        raise NotImplementedError(
            "Padding by numbers is not available here. Use `tf.pad` and 'VALID'."
            f" Received: padding={padding}"
        )
    return padding.lower()


def _format(data_format: Any) -> str | None:
    if data_format in (None, "NWC", "NHWC", "NDHWC"):
        return "channels_last"
    return "channels_first"


def _window(value: Any, rank: int, data_format: Any) -> Any:
    """Sizes of a window: one number, one an axis, or with those of batch and channels."""
    if isinstance(value, int):
        return value
    value = [int(one) for one in array_of(value).ravel()]
    if len(value) == rank + 2:
        return tuple(value[1:-1] if _format(data_format) == "channels_last" else value[2:])
    return tuple(value) if len(value) > 1 else value[0]


def _conv(rank: int | None = None) -> Callable:
    def conv(
        input: Any,
        filters: Any,
        strides: Any = 1,
        padding: Any = "VALID",
        data_format: Any = None,
        dilations: Any = None,
        name: Any = None,
    ) -> Any:
        count = rank or len(input.shape) - 2
        return ops.conv(
            input,
            filters,
            _window(strides, count, data_format),
            _padding(padding),
            _format(data_format),
            1 if dilations is None else _window(dilations, count, data_format),
        )

    conv.__name__ = "<lambda>"
    return conv


def conv1d(
    input: Any,
    filters: Any,
    stride: Any,
    padding: Any,
    data_format: Any = "NWC",
    dilations: Any = None,
    name: Any = None,
) -> Any:
    """A convolution along one axis."""
    return _conv(1)(input, filters, stride, padding, data_format, dilations)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: Any = "NHWC",
    dilations: Any = None,
    name: Any = None,
) -> Any:
    """The transpose of `conv2d`.

    Raises:
        ValueError: the result does not have `output_shape`.
    """
    result = ops.conv_transpose(
        input,
        filters,
        _window(strides, 2, data_format),
        _padding(padding),
        None,
        _format(data_format),
        1 if dilations is None else _window(dilations, 2, data_format),
    )
    wanted = tuple(int(one) for one in array_of(output_shape).ravel())
    if tuple(result.shape) != wanted:
        raise ValueError(f"output_shape={wanted} is not available here; it is {result.shape}.")
    return result


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Any:
    """A convolution of each channel by itself."""
    return ops.depthwise_conv(
        input,
        filter,
        _window(strides, 2, data_format),
        _padding(padding),
        _format(data_format),
        1 if dilations is None else _window(dilations, 2, data_format),
    )


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Any:
    """A convolution of each channel by itself, then one of all channels at each place."""
    made = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return ops.conv(made, pointwise_filter, 1, "valid", _format(data_format))


def _pool(operation: str, rank: int | None = None) -> Callable:
    def pool(
        input: Any,
        ksize: Any,
        strides: Any,
        padding: Any,
        data_format: Any = None,
        name: Any = None,
    ) -> Any:
        count = rank or len(input.shape) - 2
        return getattr(ops, operation)(
            input,
            _window(ksize, count, data_format),
            _window(strides, count, data_format),
            _padding(padding),
            _format(data_format),
        )

    pool.__name__ = "<lambda>"
    return pool


def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None
) -> tuple:
    """Mean and variance."""
    return ops.moments(convert_to_tensor(x), list(np.atleast_1d(array_of(axes))), keepdims)


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: float,
    name: Any = None,
) -> Any:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`."""
    factor = ops.rsqrt(ops.add(variance, variance_epsilon))
    factor = factor if scale is None else ops.multiply(factor, scale)
    y = ops.multiply(ops.subtract(x, mean), factor)
    return y if offset is None else ops.add(y, offset)


def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: Any = None, name: Any = None) -> Any:
    """Sets a part of the values to 0 and scales the others up."""
    return random.dropout(convert_to_tensor(x), float(rate), noise_shape, seed)


def softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, axis: int = -1, name: Any = None
) -> Any:
    """`-sum(labels * log_softmax(logits))`."""
    return ops.negative(ops.sum(ops.multiply(labels, ops.log_softmax(logits, axis)), axis))


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """`-log_softmax(logits)` at the labels."""
    logs = ops.log_softmax(convert_to_tensor(logits), -1)
    places = np.expand_dims(array_of(labels), -1).astype("int64")
    return ops.negative(ops.squeeze(ops.take_along_axis(logs, places, axis=-1), -1))


def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """Binary cross-entropy of each value."""
    return weighted_cross_entropy_with_logits(labels, logits, None)


def weighted_cross_entropy_with_logits(
    labels: Any, logits: Any, pos_weight: Any, name: Any = None
) -> Any:
    """Binary cross-entropy of each value, that of positive labels times `pos_weight`."""
    logits = convert_to_tensor(logits)
    soft = ops.add(
        ops.log1p(ops.exp(ops.negative(ops.abs(logits)))), ops.relu(ops.negative(logits))
    )
    if pos_weight is not None:
        soft = ops.multiply(soft, ops.add(1.0, ops.multiply(ops.subtract(pos_weight, 1.0), labels)))
    return ops.add(ops.multiply(ops.subtract(1.0, labels), logits), soft)


def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: Any = None) -> Any:
    """Rows by their numbers."""
    rows = ops.take(params, ids, axis=0)
    if max_norm is None:
        return rows
    from minikeras.standin.tf.top import clip_by_norm

    return clip_by_norm(rows, max_norm, axes=-1)


def local_response_normalization(
    input: Any,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    name: Any = None,
) -> Any:
    """`x / (bias + alpha * sum of squares of near channels)^beta`."""
    square = ops.square(convert_to_tensor(input))
    spread = [(0, 0)] * (len(square.shape) - 1) + [(depth_radius, depth_radius)]
    padded, channels = ops.pad(square, spread), square.shape[-1]
    total = sum(padded[..., shift : shift + channels] for shift in range(2 * depth_radius + 1))
    return ops.divide(input, ops.power(ops.add(bias, ops.multiply(alpha, total)), beta))


lrn = local_response_normalization


def bias_add(value: Any, bias: Any, data_format: Any = None, name: Any = None) -> Any:
    """A bias a channel."""
    if data_format is not None and data_format.startswith("NC"):
        bias = ops.reshape(bias, (-1,) + (1,) * (len(value.shape) - 2))
    return ops.add(value, bias)


FUNCTIONS: dict[str, Callable] = {
    "avg_pool": _pool("average_pool"),
    "avg_pool1d": _pool("average_pool", 1),
    "avg_pool2d": _pool("average_pool", 2),
    "avg_pool3d": _pool("average_pool", 3),
    "conv2d": _conv(2),
    "conv3d": _conv(3),
    "convolution": _conv(),
    "max_pool": _pool("max_pool"),
    "max_pool1d": _pool("max_pool", 1),
    "max_pool2d": _pool("max_pool", 2),
    "max_pool3d": _pool("max_pool", 3),
    "depth_to_space": lambda input, block_size, data_format="NHWC", name=None: ops.depth_to_space(
        input, block_size, _format(data_format)
    ),
    "space_to_depth": lambda input, block_size, data_format="NHWC", name=None: ops.space_to_depth(
        input, block_size, _format(data_format)
    ),
    "crelu": lambda features, axis=-1, name=None: ops.concatenate(
        [ops.relu(features), ops.relu(ops.negative(features))], axis=axis
    ),
    "elu": lambda features, name=None: ops.elu(features),
    "gelu": lambda features, approximate=False, name=None: ops.gelu(features, approximate),
    "l2_loss": lambda t, name=None: ops.multiply(0.5, ops.sum(ops.square(t))),
    "leaky_relu": lambda features, alpha=0.2, name=None: ops.leaky_relu(features, alpha),
    "relu": lambda features, name=None: ops.relu(features),
    "relu6": lambda features, name=None: ops.relu6(features),
    "selu": lambda features, name=None: ops.selu(features),
    "sigmoid": lambda x, name=None: ops.sigmoid(x),
    "silu": lambda features, beta=1.0: ops.multiply(
        features, ops.sigmoid(ops.multiply(features, beta))
    ),
    "softplus": lambda features, name=None: ops.softplus(features),
    "softsign": lambda features, name=None: ops.softsign(features),
    "swish": lambda features, beta=1.0: ops.multiply(
        features, ops.sigmoid(ops.multiply(features, beta))
    ),
    "tanh": lambda x, name=None: ops.tanh(x),
    "zero_fraction": lambda value, name=None: Tensor(
        np.asarray((array_of(value) == 0).mean(), "float32")
    ),
}
globals().update(named(__name__, FUNCTIONS))
__all__ = public(
    globals(), "in_top_k", "l2_normalize", "log_softmax", "softmax", "top_k", "moments"
)
