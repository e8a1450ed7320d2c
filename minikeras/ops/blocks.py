"""Blocks of images: patches as columns, depth as space."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minikeras.ops.base import Kernel, composite, static, tensor, to_tuple
from minikeras.ops.shaping import reshape, transpose

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
