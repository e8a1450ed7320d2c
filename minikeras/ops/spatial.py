"""Arguments, layouts and shapes that convolution and pooling share; blocks of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minikeras.kernels import windows
from minikeras.ops.base import Kernel, composite, static, tensor, to_tuple
from minikeras.ops.shaping import reshape, transpose

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


# Blocks of images


def _patch_geometry(height: int, width: int, settings: tuple) -> tuple:
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = settings
    rows = (height + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    columns = (width + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    return rows, columns


def _unfold(x: np.ndarray, settings: tuple) -> np.ndarray:
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = settings
    n, c, h, w = x.shape
    rows, columns = _patch_geometry(h, w, settings)
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    parts = [
        x[:, :, i * dh : i * dh + sh * rows : sh, j * dw : j * dw + sw * columns : sw][
            :, :, :rows, :columns
        ]
        for i in range(kh)
        for j in range(kw)
    ]
    return np.stack(parts, 2).reshape(n, c * kh * kw, rows * columns)


def _fold(x: np.ndarray, size: tuple, settings: tuple) -> np.ndarray:
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = settings
    rows, columns = _patch_geometry(size[0], size[1], settings)
    x = x.reshape(len(x), -1, kh, kw, rows, columns)
    y = np.zeros((*x.shape[:2], size[0] + 2 * ph, size[1] + 2 * pw), x.dtype)
    for i in range(kh):
        for j in range(kw):
            top, left = i * dh, j * dw
            y[:, :, top : top + sh * rows : sh, left : left + sw * columns : sw][
                :, :, :rows, :columns
            ] += x[:, :, i, j]
    return y[:, :, ph : ph + size[0], pw : pw + size[1]]


class Unfold(Kernel):
    """Patches of images as columns."""

    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1

    def settings(self) -> tuple:
        return tuple(
            to_tuple(getattr(self, key), 2, key)
            for key in ("kernel_size", "dilation", "padding", "stride")
        )

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.size = x.shape[2:]
        return _unfold(x, self.settings())

    def backward(self, ctx: Any, dy: Any) -> Any:
        return _fold(dy, ctx.size, self.settings())


class Fold(Kernel):
    """Images from patches, overlaps added."""

    output_size: Any
    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1
    settings: ClassVar[Any] = Unfold.settings

    def forward(self, ctx: Any, x: Any) -> Any:
        size = to_tuple(self.output_size, 2, "output_size")
        rows, columns = _patch_geometry(size[0], size[1], self.settings())
        kh, kw = self.settings()[0]
        if x.shape[2] != rows * columns or x.shape[1] % (kh * kw):
            raise ValueError(
                f"{rows} x {columns} patches of {kh} x {kw} make an image of {size}. Received"
                f" x.shape={x.shape}"
            )
        return _fold(x, size, self.settings())

    def backward(self, ctx: Any, dy: Any) -> Any:
        return _unfold(dy, self.settings())


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Patches of images as columns.

    Args:
        x: Tensor of shape (batch, channels, height, width).
        kernel_size: Integer or pair.
        dilation: Integer or pair, default 1.
        padding: Integer or pair, default 0.
        stride: Integer or pair, default 1.

    Returns:
        Tensor of shape (batch, channels · kernel size, patches).

    Raises:
        ValueError: if `x` has not 4 axes.

    Example:

    >>> import minikeras
    >>> minikeras.ops.unfold(minikeras.ops.ones((1, 2, 4, 4)), 2).shape
    (1, 8, 9)
    """
    x = tensor(x)
    if len(x.shape) != 4:
        raise ValueError(f"Input must be a 4D tensor. Received: input.shape={tuple(x.shape)}")
    return Unfold(static(kernel_size), static(dilation), static(padding), static(stride))(x)


def fold(
    x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """Images from patches as columns; where patches overlap, they add up.

    Args:
        x: Tensor of shape (batch, channels · kernel size, patches).
        output_size: Integer or pair: height and width.
        kernel_size: Integer or pair.
        dilation: Integer or pair, default 1.
        padding: Integer or pair, default 0.
        stride: Integer or pair, default 1.

    Returns:
        Tensor of shape (batch, channels, height, width).

    Raises:
        ValueError: if `x` has not 3 axes, or the patches do not make that image.

    Example:

    >>> import minikeras
    >>> minikeras.ops.fold(minikeras.ops.ones((1, 8, 9)), 4, 2).shape
    (1, 2, 4, 4)
    """
    x = tensor(x)
    if len(x.shape) != 3:
        raise ValueError(f"Input must be a 3D tensor. Received: input.shape={tuple(x.shape)}")
    return Fold(
        static(output_size), static(kernel_size), static(dilation), static(padding), static(stride)
    )(x)


def _block_size(value: Any) -> int:
    if not isinstance(value, int) or value < 2:
        raise ValueError(f"`block_size` must be at least 2. Received: block_size={value}")
    return value


@composite
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels laid out as blocks of `block_size` by `block_size` pixels.

    >>> import minikeras
    >>> minikeras.ops.depth_to_space(minikeras.ops.ones((1, 2, 2, 4)), 2).shape
    (1, 4, 4, 1)
    """
    x, b = tensor(x), _block_size(block_size)
    first = data_format == "channels_first"
    if first:
        x = transpose(x, (0, 2, 3, 1))
    n, h, w, c = x.shape
    if c % (b * b):
        raise ValueError(
            f"The number of channels must be a multiple of block_size². Received: {c} channels,"
            f" block_size={b}"
        )
    y = transpose(reshape(x, (n, h, w, b, b, c // (b * b))), (0, 1, 3, 2, 4, 5))
    y = reshape(y, (n, h * b, w * b, c // (b * b)))
    return transpose(y, (0, 3, 1, 2)) if first else y


@composite
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of `block_size` by `block_size` pixels laid out as channels.

    >>> import minikeras
    >>> minikeras.ops.space_to_depth(minikeras.ops.ones((1, 4, 4, 1)), 2).shape
    (1, 2, 2, 4)
    """
    x, b = tensor(x), _block_size(block_size)
    first = data_format == "channels_first"
    if first:
        x = transpose(x, (0, 2, 3, 1))
    n, h, w, c = x.shape
    if h % b or w % b:
        raise ValueError(
            f"Height and width must be multiples of block_size. Received: {h} x {w}, block_size={b}"
        )
    y = transpose(reshape(x, (n, h // b, b, w // b, b, c)), (0, 1, 3, 2, 4, 5))
    y = reshape(y, (n, h // b, w // b, b * b * c))
    return transpose(y, (0, 3, 1, 2)) if first else y


__all__ = [
    "depth_to_space",
    "fold",
    "space_to_depth",
    "unfold",
]
