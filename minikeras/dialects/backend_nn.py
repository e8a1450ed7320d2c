"""What networks are made of, as `keras.backend` had it in Keras 1 and 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config, ops, random
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.activation import softmax_along


def _format(data_format: str | None) -> str:
    """The data format, also as Keras 1 spelled it (`"th"`, `"tf"`)."""
    old = {"th": "channels_first", "tf": "channels_last", "default": None}
    data_format = old.get(data_format, data_format)  # type: ignore[arg-type]
    data_format = config.image_data_format() if data_format is None else data_format
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            "Argument `data_format` must be 'channels_first' or 'channels_last'. Received:"
            f" {data_format!r}"
        )
    return data_format


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    from minikeras import activations

    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def hard_sigmoid(x: Any) -> Any:
    """The piecewise linear sigmoid of Keras 1 and 2, which is steeper than today's."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x / ops.sqrt(ops.maximum(square, 1e-12))


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    if isinstance(x, KerasTensor):
        from minikeras.layers import Lambda

        return Lambda(lambda one: dropout(one, level, noise_shape, seed), tuple(x.shape[1:]))(x)
    return random.dropout(x, level, noise_shape=noise_shape, seed=seed)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    return ops.in_top_k(targets, predictions, k)


# Losses


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    return ops.binary_crossentropy(target, output, from_logits=from_logits)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    return ops.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any,
    output: Any,
    from_logits: bool = False,
    axis: int = -1,
    ignore_class: int | None = None,
) -> Any:
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(
            target, output, from_logits=from_logits, axis=axis
        )
    kept = ops.not_equal(target, ignore_class)
    known = ops.where(kept, target, ops.zeros_like(target))
    loss = ops.sparse_categorical_crossentropy(known, output, from_logits=from_logits, axis=axis)
    return ops.where(kept, loss, ops.zeros_like(loss))


def _focal(
    function: Any, target: Any, output: Any, p: Any, balance: Any, gamma: float, **options: Any
) -> Any:
    return balance * ops.power(1.0 - p, gamma) * function(target, output, **options)


def binary_focal_crossentropy(
    target: Any,
    output: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> Any:
    y = ops.sigmoid(output) if from_logits else output
    p = target * y + (1 - target) * (1 - y)
    balance = target * alpha + (1 - target) * (1 - alpha) if apply_class_balancing else 1.0
    return _focal(binary_crossentropy, target, output, p, balance, gamma, from_logits=from_logits)


def categorical_focal_crossentropy(
    target: Any,
    output: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    axis: int = -1,
) -> Any:
    y = softmax_along(output, axis) if from_logits else output
    y = y / ops.sum(y, axis=axis, keepdims=True)
    y = ops.clip(y, config.epsilon(), 1.0 - config.epsilon())
    return ops.sum(alpha * ops.power(1.0 - y, gamma) * -target * ops.log(y), axis=axis)


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """The CTC loss of each row, of shape (batch, 1). The last class is the blank."""
    loss = ops.ctc_loss(
        ops.cast(y_true, "int32"),
        ops.log(y_pred + config.epsilon()),
        ops.cast(ops.squeeze(label_length, -1), "int32"),
        ops.cast(ops.squeeze(input_length, -1), "int32"),
        mask_index=y_pred.shape[-1] - 1,
    )
    return ops.expand_dims(loss, 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple:
    """Lists of decoded labels, -1 after their ends, and scores of shape (batch, top_paths)."""
    decoded, scores = ops.ctc_decode(
        ops.log(y_pred + config.epsilon()),
        ops.cast(input_length, "int32"),
        strategy="greedy" if greedy else "beam_search",
        beam_width=beam_width,
        top_paths=top_paths,
        mask_index=y_pred.shape[-1] - 1,
    )
    steps = y_pred.shape[1]
    missing = ((0, 0), (0, steps - decoded.shape[-1]))
    return [ops.pad(one, missing, constant_values=-1) for one in decoded], scores


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
    """Not available: there are no sparse tensors.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "There are no sparse tensors. Pass labels and their lengths to `K.ctc_batch_cost` or"
        " `ops.ctc_loss` as they are."
    )


# Normalization


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    if len(mean.shape) != len(x.shape):
        shape = [1] * len(x.shape)
        shape[axis] = -1
        mean, var, beta, gamma = (
            None if one is None else ops.reshape(one, shape) for one in (mean, var, beta, gamma)
        )
    y = (x - mean) / ops.sqrt(var + epsilon)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Any, epsilon: float = 1e-3
) -> tuple:
    """The normalized batch, its mean and its variance."""
    axes = tuple(reduction_axes)
    mean, var = ops.moments(x, axes)
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    wide = [
        None if one is None else ops.reshape(one, [-1 if size is None else size for size in shape])
        for one in (mean, var, beta, gamma)
    ]
    mean_, var_, beta_, gamma_ = wide
    y = batch_normalization(x, mean_, var_, beta_, gamma_, -1, epsilon)
    fused = len(x.shape) == 4 and list(axes) in ([0, 1, 2], [0, 2, 3])
    if fused and None not in x.shape:
        # The kernel of TensorFlow for images returns the unbiased variance.
        count = int(np.prod([x.shape[axis] for axis in axes]))
        var = var * (count / max(count - 1, 1))
    return y, mean, var


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    first, rank = _format(data_format) == "channels_first", len(x.shape)
    shape = tuple(bias.shape)
    if len(shape) not in (1, rank - 1):
        raise ValueError(
            f"Unexpected bias dimensions {len(shape)}, expect to be 1 or {rank - 1} dimensions"
        )
    if len(shape) == 1:
        return x + (ops.reshape(bias, (-1, *(1,) * (rank - 2))) if first else bias)
    return x + ops.reshape(bias, (1, shape[-1], *shape[:-1]) if first else (1, *shape))


# Convolutions and pooling


def _conv(x: Any, kernel: Any, strides: Any, padding: str, data_format: Any, dilation: Any) -> Any:
    data_format = _format(data_format)
    if padding == "causal":
        left = (dilation if isinstance(dilation, int) else dilation[0]) * (kernel.shape[0] - 1)
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[2 if data_format == "channels_first" else 1] = (left, 0)
        x, padding = ops.pad(x, pad), "valid"
    return ops.conv(x, kernel, strides, padding, data_format, dilation)


def conv1d(
    x: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    return _conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
    border_mode: str | None = None,
    dim_ordering: str | None = None,
) -> Any:
    """A 2D convolution. `border_mode` and `dim_ordering` are the names of Keras 1."""
    return _conv(
        x, kernel, strides, border_mode or padding, dim_ordering or data_format, dilation_rate
    )


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Any:
    return _conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """A transposed convolution to `output_shape`, whose rows and columns choose the padding."""
    data_format = _format(data_format)
    strides = (strides,) * 2 if isinstance(strides, int) else tuple(strides)
    sizes = x.shape[2:] if data_format == "channels_first" else x.shape[1:-1]
    wanted = output_shape[2:] if data_format == "channels_first" else output_shape[1:-1]
    extra: Any = []
    for size, want, k, s in zip(sizes, wanted, kernel.shape, strides):
        taken = k - 2 * (k // 2) if padding == "same" else k
        extra.append(int(want) - ((size - 1) * s + taken))
    dilation = tuple(np.broadcast_to(dilation_rate, 2).tolist())
    return ops.conv_transpose(x, kernel, strides, padding, tuple(extra), data_format, dilation)


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    return ops.depthwise_conv(
        x, depthwise_kernel, strides, padding, _format(data_format), dilation_rate
    )


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    return ops.separable_conv(
        x, depthwise_kernel, pointwise_kernel, strides, padding, _format(data_format), dilation_rate
    )


def _local(x: Any, kernel: Any, size: Any, strides: Any, places: Any, data_format: Any) -> Any:
    """A convolution whose kernel, of shape (places, width, filters), depends on the place."""
    first = _format(data_format) == "channels_first"
    if first:
        x = ops.moveaxis(x, 1, -1)
    patches = []
    for place in np.ndindex(*places):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, strides, size))
        patches.append(ops.reshape(x[(slice(None),) + window], (-1, kernel.shape[1])))
    y = ops.einsum("npi,pio->npo", ops.stack(patches, axis=1), kernel)
    y = ops.reshape(y, (-1, *places, kernel.shape[-1]))
    return ops.moveaxis(y, -1, 1) if first else y


def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None
) -> Any:
    return _local(inputs, kernel, kernel_size, strides, (kernel.shape[0],), data_format)


def local_conv2d(
    inputs: Any,
    kernel: Any,
    kernel_size: Any,
    strides: Any,
    output_shape: Any,
    data_format: str | None = None,
) -> Any:
    return _local(inputs, kernel, kernel_size, strides, tuple(output_shape), data_format)


def _pool(x: Any, size: Any, strides: Any, padding: str, data_format: Any, mode: str) -> Any:
    kinds = {"max": ops.max_pool, "avg": ops.average_pool}
    if mode not in kinds:
        raise ValueError(f"Argument `pool_mode` must be 'max' or 'avg'. Received: {mode!r}")
    return kinds[mode](x, size, strides, padding, _format(data_format))


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    padding = (padding, padding) if isinstance(padding, int) else tuple(padding)
    return ops.pad(x, ((0, 0), padding, (0, 0)))


def asymmetric_temporal_padding(x: Any, left_pad: int = 1, right_pad: int = 1) -> Any:
    """`temporal_padding`, as Keras 1 spelled two sizes."""
    return temporal_padding(x, (left_pad, right_pad))


def _pad_space(x: Any, padding: Any, data_format: Any) -> Any:
    pairs = [(one, one) if isinstance(one, int) else tuple(one) for one in padding]
    inner = ((0, 0), *pairs) if _format(data_format) == "channels_first" else (*pairs, (0, 0))
    return ops.pad(x, ((0, 0), *inner))


def spatial_2d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    return _pad_space(x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    return _pad_space(x, padding, data_format)


def resize_images(
    x: Any,
    height_factor: int,
    width_factor: int,
    data_format: str | None = None,
    interpolation: str = "nearest",
) -> Any:
    data_format = _format(data_format)
    rows, columns = x.shape[2:] if data_format == "channels_first" else x.shape[1:3]
    if interpolation == "nearest":
        return _repeat_space(x, (height_factor, width_factor), data_format)
    size = (rows * height_factor, columns * width_factor)
    return ops.image.resize(x, size, interpolation=interpolation, data_format=data_format)


def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str | None = None
) -> Any:
    return _repeat_space(x, (depth_factor, height_factor, width_factor), _format(data_format))


def _repeat_space(x: Any, factors: Any, data_format: str) -> Any:
    for axis, factor in enumerate(factors, 2 if data_format == "channels_first" else 1):
        x = ops.repeat(x, factor, axis=axis)
    return x


__all__ = [
    name
    for name, value in list(globals().items())
    if getattr(value, "__module__", "") == __name__ and name[0] != "_"
]
