"""`ops.image.resize`."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels import resize as kernels
from minikeras.ops.base import Kernel, static


class Resize(Kernel):
    """See `resize`."""

    size: Any
    interpolation: Any = "bilinear"
    antialias: Any = False
    crop_to_aspect_ratio: Any = False
    pad_to_aspect_ratio: Any = False
    fill_mode: Any = "constant"
    fill_value: Any = 0.0
    data_format: Any = None

    def _size(self, shape: tuple) -> tuple[int, int]:
        size = static(self.size)
        if len(shape) not in (3, 4):
            raise ValueError(
                "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images)."
                f" Received input with shape: images.shape={tuple(shape)}"
            )
        if not isinstance(size, (list, tuple)) or len(size) != 2 or min(size) <= 0:
            raise ValueError(
                "Argument `size` must be a tuple of two integers: `size` must have positive height"
                " and width."
                f" Received: size={size!r}"
            )
        if self.interpolation not in kernels.INTERPOLATIONS:
            raise ValueError(
                "Invalid value for argument `interpolation`. Expected one of"
                f" {kernels.INTERPOLATIONS}. Received: interpolation={self.interpolation!r}"
            )
        if self.fill_mode != "constant":
            raise ValueError(
                "Argument `fill_mode` must be 'constant', the only one there is. Received:"
                f" fill_mode={self.fill_mode!r}"
            )
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError(
                "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`."
            )
        return int(size[0]), int(size[1])

    def _to_batch(self, x: np.ndarray) -> np.ndarray:
        x = x if x.ndim == 4 else x[None]
        return x if self.data_format == "channels_last" else np.moveaxis(x, 1, -1)

    def _from_batch(self, x: np.ndarray, ndim: int) -> np.ndarray:
        x = x if self.data_format == "channels_last" else np.moveaxis(x, -1, 1)
        return x if ndim == 4 else x[0]

    def _ratio(self, shape: tuple, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width with the aspect ratio of `size` that one side of `shape` allows."""
        height, width = shape[1:3]
        return (
            int(np.float32(width * size[0]) / np.float32(size[1])),
            int(np.float32(height * size[1]) / np.float32(size[0])),
        )

    def _window(self, shape: tuple, size: tuple[int, int]) -> tuple[slice, ...]:
        """The part of the image that `crop_to_aspect_ratio` keeps."""
        tall, wide = self._ratio(shape, size)
        parts = []
        for whole, kept in zip(shape[1:3], (tall, wide)):
            kept = max(min(whole, kept), 1)
            start = int(np.float32(whole - kept) / 2)
            parts.append(slice(start, start + kept))
        return (slice(None), *parts)

    def _borders(self, shape: tuple, size: tuple[int, int]) -> list[int]:
        """How much `pad_to_aspect_ratio` adds on either side of height and width."""
        return [
            int(np.float32(max(whole, wanted) - whole) / 2)
            for whole, wanted in zip(shape[1:3], self._ratio(shape, size))
        ]

    def forward(self, ctx: Any, images: Any) -> Any:
        size = self._size(images.shape)
        x = self._to_batch(images)
        ctx.shape, ctx.ndim, ctx.dtype = x.shape, images.ndim, images.dtype
        if self.crop_to_aspect_ratio:
            x = x[self._window(x.shape, size)]
        elif self.pad_to_aspect_ratio:
            rows, columns = self._borders(x.shape, size)
            if rows or columns:
                border = ((0, 0), (rows, rows), (columns, columns), (0, 0))
                x = np.pad(x, border, constant_values=self.fill_value)
        ctx.inner = x.shape[1:3]
        half = x.dtype == np.float16
        y = kernels.resize(
            x.astype(np.float32) if half else x, size, self.interpolation, self.antialias
        )
        return self._from_batch(_saturated(y, images.dtype), images.ndim)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind != "f":
            return None
        dy = self._to_batch(dy)
        dy = dy.astype(np.float32) if dy.dtype == np.float16 else dy
        inner = kernels.resize_gradient(dy, ctx.inner, self.interpolation, self.antialias)
        size = self._size(ctx.shape)
        if self.crop_to_aspect_ratio:
            dx = np.zeros(ctx.shape, dy.dtype)
            dx[self._window(ctx.shape, size)] = inner
        elif self.pad_to_aspect_ratio:
            rows, columns = self._borders(ctx.shape, size)
            dx = inner[:, rows : rows + ctx.shape[1], columns : columns + ctx.shape[2]]
        else:
            dx = inner
        return self._from_batch(dx.astype(ctx.dtype, copy=False), ctx.ndim)

    def compute_output_spec(self, images: Any) -> Any:
        height, width = self._size(images.shape)
        shape = list(images.shape)
        axis = -3 if self.data_format == "channels_last" else -2
        shape[axis], shape[axis + 1] = height, width
        return KerasTensor(tuple(shape), dtype=images.dtype)


def _saturated(y: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind not in "iu" or y.dtype == dtype:
        return y.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(y), limits.min, limits.max).astype(dtype)


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Resample images to another height and width.

    Args:
        images: Tensor of one image (3 axes) or a batch (4 axes).
        size: Tuple `(height, width)`.
        interpolation: `"bilinear"` (default), `"nearest"`, `"bicubic"`, `"lanczos3"`,
            `"lanczos5"` or `"area"`.
        antialias: Boolean, default False. Whether to smooth before making images smaller.
        crop_to_aspect_ratio: Boolean, default False. Whether to cut off the longer side first, so
            that nothing is distorted.
        pad_to_aspect_ratio: Boolean, default False. Whether to pad the shorter side first.
        fill_mode: `"constant"`, the only mode of padding.
        fill_value: Number, default 0. The padding.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Returns:
        Tensor of the same dtype; integers are rounded.

    Raises:
        ValueError: for another number of axes, an unknown method, or both aspect-ratio options.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.ops.image.resize(np.ones((2, 4, 4, 3), "float32"), (2, 8)).shape
    (2, 2, 8, 3)
    """
    operation = Resize(
        size,
        interpolation,
        antialias,
        crop_to_aspect_ratio,
        pad_to_aspect_ratio,
        fill_mode,
        fill_value,
        standardize_data_format(data_format),
    )
    return operation(images)


__all__ = ["resize"]
