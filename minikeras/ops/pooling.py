"""Pooling as operations: maxima and means of windows, fixed or adaptive."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels import pooling as kernels
from minikeras.kernels import windows
from minikeras.ops.base import Kernel
from minikeras.ops.spatial import (
    from_last,
    join_shape,
    split_shape,
    standardize_padding,
    standardize_tuple,
    to_last,
    window_output_shape,
)


def pool_forward(
    ctx: Any,
    x: np.ndarray,
    mode: str,
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    data_format: str,
    before: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Pool the array `x` and keep in `ctx` what `pool_backward` reads.

    `before` is the padding in front, where it is not what `padding` says.
    """
    window_output_shape(x.shape, None, pool_size, strides, padding, data_format, what="pool_size")
    x = to_last(x, data_format)
    outputs, usual = windows.geometry(x.shape[1:-1], pool_size, strides, padding)
    before = before or usual
    ctx.pool = pool_size, strides, before, x.shape[1:-1], data_format
    if mode == "max":
        y = kernels.max_pool(x, pool_size, strides, before, outputs)
        ctx.save(x, y)
    elif x.dtype.kind != "f":
        raise TypeError(
            f"Average pooling needs floats. Received inputs of dtype {x.dtype}: cast them first,"
            " for instance with `ops.cast(inputs, 'float32')`."
        )
    else:
        y = kernels.average_pool(x, pool_size, strides, before, outputs)
    return from_last(y, data_format)


def pool_backward(ctx: Any, dy: np.ndarray, mode: str) -> np.ndarray:
    """The gradient of `pool_forward` with respect to its input."""
    pool_size, strides, before, sizes, data_format = ctx.pool
    dy = to_last(dy, data_format)
    if mode == "max":
        x, y = ctx.saved
        dx = kernels.max_pool_gradient(dy, x, y, pool_size, strides, before)
    else:
        dx = kernels.average_pool_gradient(dy, sizes, pool_size, strides, before)
    return from_last(dx, data_format)


class _Pool(Kernel):
    mode = "max"
    pool_size: Any
    strides: Any = None
    padding: Any = "valid"
    data_format: Any = None

    def _arguments(self, shape: Any) -> tuple:
        rank = len(shape) - 2
        if not 1 <= rank <= 3:
            raise ValueError(
                "Pooling needs inputs of 3, 4 or 5 axes (batch, 1 to 3 spatial, channels)."
                f" Received: inputs.shape={tuple(shape)}"
            )
        pool_size = standardize_tuple(self.pool_size, rank, "pool_size")
        strides = pool_size
        if self.strides is not None:
            strides = standardize_tuple(self.strides, rank, "strides")
        return pool_size, strides, standardize_padding(self.padding), self.data_format

    def forward(self, ctx: Any, x: Any) -> Any:
        return pool_forward(ctx, x, self.mode, *self._arguments(x.shape))

    def backward(self, ctx: Any, dy: Any) -> Any:
        return pool_backward(ctx, dy, self.mode)

    def compute_output_spec(self, inputs: Any) -> Any:
        pool_size, strides, padding, data_format = self._arguments(inputs.shape)
        shape = window_output_shape(
            inputs.shape, None, pool_size, strides, padding, data_format, what="pool_size"
        )
        return KerasTensor(shape, dtype=inputs.dtype)


class MaxPool(_Pool):
    """See `max_pool`."""


class AveragePool(_Pool):
    """See `average_pool`."""

    mode = "average"


def max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The largest value of each window, in 1, 2 or 3 spatial dimensions.

    The gradient goes to the first maximum of a window in row-major order.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` with
            `data_format="channels_first"`.
        pool_size: Integer or one a dimension. Size of the window.
        strides: Integer, one a dimension, or None (default: `pool_size`).
        padding: `"valid"` (default: none) or `"same"`. Padding never wins.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Raises:
        ValueError: for shapes that do not fit.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    >>> minikeras.ops.max_pool(x, 2).numpy().ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    return MaxPool(pool_size, strides, padding, standardize_data_format(data_format))(inputs)


def average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The mean of each window, in 1, 2 or 3 spatial dimensions.

    Args:
        inputs: Tensor of floats `(batch, *spatial, channels)`, or channels-first.
        pool_size: Integer or one a dimension. Size of the window.
        strides: Integer, one a dimension, or None (default: `pool_size`).
        padding: `"valid"` (default: none) or `"same"`. Padding is not counted in the mean.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for integers.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    >>> minikeras.ops.average_pool(x, 2).numpy().ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """
    return AveragePool(pool_size, strides, padding, standardize_data_format(data_format))(inputs)


class _AdaptivePool(Kernel):
    mode = "max"
    output_size: Any
    data_format: Any = None

    def _sizes(self, shape: Any) -> tuple[int, ...]:
        rank = len(shape) - 2
        if not 1 <= rank <= 3:
            raise ValueError(
                "Adaptive pooling needs inputs of 3, 4 or 5 axes (batch, 1 to 3 spatial, channels)."
                f" Received: inputs.shape={tuple(shape)}"
            )
        return standardize_tuple(self.output_size, rank, "output_size")

    def forward(self, ctx: Any, x: Any) -> Any:
        size = self._sizes(x.shape)
        x = to_last(x, self.data_format)
        ctx.sizes = x.shape[1:-1]
        if self.mode == "max":
            y, winners = kernels.adaptive_max_pool(x, size)
            ctx.save(*winners)
        else:
            y = kernels.adaptive_average_pool(x, size)
        return from_last(y, self.data_format)

    def backward(self, ctx: Any, dy: Any) -> Any:
        dy = to_last(dy, self.data_format)
        if self.mode == "max":
            dx = kernels.adaptive_max_pool_gradient(dy, ctx.sizes, ctx.saved)
        else:
            dx = kernels.adaptive_average_pool_gradient(dy, ctx.sizes)
        return from_last(dx, self.data_format)

    def compute_output_spec(self, inputs: Any) -> Any:
        batch, _, channels = split_shape(inputs.shape, self.data_format)
        shape = join_shape(batch, self._sizes(inputs.shape), channels, self.data_format)
        return KerasTensor(shape, dtype=inputs.dtype)


class AdaptiveMaxPool(_AdaptivePool):
    """See `adaptive_max_pool`."""


class AdaptiveAveragePool(_AdaptivePool):
    """See `adaptive_average_pool`."""

    mode = "average"


def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Maxima over `output_size` windows that cover the input evenly.

    Window `i` of `n` over `size` inputs is `[floor(i * size / n), ceil((i + 1) * size / n))`.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or channels-first.
        output_size: Integer or one a dimension.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Raises:
        ValueError: for an `output_size` that does not fit the number of axes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.arange(5, dtype="float32").reshape(1, 5, 1)
    >>> minikeras.ops.adaptive_max_pool(x, 3).numpy().ravel().tolist()
    [1.0, 3.0, 4.0]
    """
    return AdaptiveMaxPool(output_size, standardize_data_format(data_format))(inputs)


def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Means over `output_size` windows that cover the input evenly.

    Args:
        inputs: Tensor `(batch, *spatial, channels)`, or channels-first.
        output_size: Integer or one a dimension.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Raises:
        ValueError: for an `output_size` that does not fit the number of axes.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.arange(4, dtype="float32").reshape(1, 4, 1)
    >>> minikeras.ops.adaptive_average_pool(x, 2).numpy().ravel().tolist()
    [0.5, 2.5]
    """
    return AdaptiveAveragePool(output_size, standardize_data_format(data_format))(inputs)


__all__ = ["adaptive_average_pool", "adaptive_max_pool", "average_pool", "max_pool"]
