"""Arguments, layouts and shapes that convolution, pooling and their layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels import windows
from minikeras.ops.base import static

Shape = tuple[Any, ...]


# Arguments


def standardize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """An integer `n` times, or `n` integers, as a tuple.

    Raises:
        ValueError: for anything else, and for integers that are not positive.
    """
    value = static(value)
    items = (value,) * n if _is_integer(value) else value
    if not isinstance(items, (list, tuple)) or len(items) != n or not all(map(_is_integer, items)):
        raise ValueError(
            f"Argument `{name}` must be an integer or a tuple of {n} integers. Received:"
            f" {name}={value!r}"
        )
    if any(item < 0 or (item == 0 and not allow_zero) for item in items):
        least = ">= 0" if allow_zero else "> 0"
        wrong = {item for item in items if item < 0 or (item == 0 and not allow_zero)}
        raise ValueError(
            f"The `{name}` argument must be a tuple of {n} integers. Received {name}={value},"
            f" including values {wrong} that do not satisfy `value {least}`"
        )
    return tuple(int(item) for item in items)


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def standardize_padding(value: Any, allow_causal: bool = False) -> str:
    """`"valid"`, `"same"` or `"causal"` in lower case.

    Raises:
        ValueError: for anything else.
    """
    allowed = ("valid", "same", "causal") if allow_causal else ("valid", "same")
    padding = value.lower() if isinstance(value, str) else value
    if padding not in allowed:
        hint = (
            " Causal padding is for Conv1D; elsewhere pad the input with `ops.pad` and use 'valid'."
            if padding == "causal"
            else ""
        )
        raise ValueError(
            f"Argument `padding` must be one of {allowed}. Received: padding={value!r}.{hint}"
        )
    return padding


# Layout


def to_last(x: np.ndarray, data_format: str) -> np.ndarray:
    """`x` as channels-last: itself or a view."""
    return x if data_format == "channels_last" else np.moveaxis(x, 1, -1)


def from_last(x: np.ndarray, data_format: str) -> np.ndarray:
    """Channels-last `x` in `data_format`: itself or a view."""
    return x if data_format == "channels_last" else np.moveaxis(x, -1, 1)


def split_shape(shape: Sequence, data_format: str) -> tuple[Any, Shape, Any]:
    """Batch, spatial sizes and channels of a shape."""
    if data_format == "channels_last":
        return shape[0], tuple(shape[1:-1]), shape[-1]
    return shape[0], tuple(shape[2:]), shape[1]


def join_shape(batch: Any, spatial: Sequence, channels: Any, data_format: str) -> Shape:
    """The reverse of `split_shape`."""
    if data_format == "channels_last":
        return (batch, *spatial, channels)
    return (batch, channels, *spatial)


def widened(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """float16 arrays as float32: NumPy has no fast products of float16."""
    return tuple(x.astype(np.float32) if x.dtype == np.float16 else x for x in arrays)


# Shapes


def window_output_shape(
    input_shape: Sequence,
    filters: Any,
    kernel_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    data_format: str,
    dilation_rate: tuple[int, ...] | None = None,
    what: str = "kernel_size",
) -> Shape:
    """Shape after a window slid over `input_shape`; None stays None.

    Raises:
        ValueError: for the wrong number of axes, and for a window that does not fit once.
    """
    rank = len(kernel_size)
    if len(input_shape) != rank + 2:
        raise ValueError(
            f"Expected an input of {rank + 2} axes (batch, {rank} spatial, channels) for"
            f" {what}={kernel_size}. Received: input shape={tuple(input_shape)}"
        )
    dilation = dilation_rate or (1,) * rank
    batch, spatial, channels = split_shape(input_shape, data_format)
    sizes = tuple(
        None if size is None else windows.output_size(size, k, s, padding, d)
        for size, k, s, d in zip(spatial, kernel_size, strides, dilation)
    )
    if any(size is not None and size <= 0 for size in sizes):
        raise ValueError(
            f"Computed output size would be zero or negative: the window is larger than the input."
            f" Received: input shape={tuple(input_shape)}, {what}={kernel_size},"
            f" strides={strides}, padding={padding!r}, dilation_rate={dilation}. Use a smaller"
            " window, fewer layers that shrink the input, or padding='same'."
        )
    return join_shape(batch, sizes, channels if filters is None else filters, data_format)


def conv_transpose_output_shape(
    input_shape: Sequence,
    filters: int,
    kernel_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    output_padding: tuple[int, ...] | None,
    data_format: str,
    dilation_rate: tuple[int, ...],
) -> Shape:
    """Shape after a transposed convolution; None stays None."""
    rank = len(kernel_size)
    if len(input_shape) != rank + 2:
        raise ValueError(
            f"Expected an input of {rank + 2} axes (batch, {rank} spatial, channels) for"
            f" kernel_size={kernel_size}. Received: input shape={tuple(input_shape)}"
        )
    batch, spatial, _ = split_shape(input_shape, data_format)
    known = tuple(1 if size is None else size for size in spatial)
    sizes, _ = windows.transposed_geometry(
        known, kernel_size, strides, padding, output_padding, dilation_rate
    )
    if any(size <= 0 for size in sizes):
        raise ValueError(
            "Computed output size would be zero or negative. Received: input"
            f" shape={tuple(input_shape)}, kernel_size={kernel_size}, strides={strides},"
            f" padding={padding!r}, output_padding={output_padding}"
        )
    found = [None if size is None else new for size, new in zip(spatial, sizes)]
    return join_shape(batch, found, filters, data_format)
