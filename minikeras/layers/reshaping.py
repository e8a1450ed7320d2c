"""Layers that change shapes: Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor


class _Reshaping(Layer):
    """What the layers here share: the dtype of the input stays."""

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype=inputs.dtype)


@registry.layers.register("Flatten")
class Flatten(_Reshaping):
    """Makes one axis of all but the batch axis.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; with the latter the channels are moved
            to the end first. Defaults to `image_data_format()`.

    Input shape: `(batch, ...)`. Output shape: `(batch, n)`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Flatten()(np.zeros((2, 3, 4), "float32")).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        if self.data_format == "channels_first" and x.ndim > 2:
            x = np.moveaxis(x, 1, -1)
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, ctx: Any, dy: Any) -> Any:
        shape = ctx.shape
        if self.data_format == "channels_first" and len(shape) > 2:
            return np.moveaxis(dy.reshape(shape[0], *shape[2:], shape[1]), -1, 1)
        return dy.reshape(shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`(batch, n)`."""
        sizes = input_shape[1:]
        return input_shape[0], None if None in sizes else math.prod(sizes)

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format}


@registry.layers.register("Reshape")
class Reshape(_Reshaping):
    """Gives samples another shape.

    Args:
        target_shape: Tuple of integers, without the batch axis. One may be -1: it follows from the
            others.

    Input shape: `(batch, ...)`. Output shape: `(batch, *target_shape)`.

    Raises:
        ValueError: for a shape that is not possible.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Reshape((2, -1))(np.zeros((3, 12), "float32")).shape
    (3, 2, 6)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(target_shape, (int, np.integer)):
            raise TypeError(
                "Argument `target_shape` must be a tuple of integers. Received:"
                f" target_shape={target_shape}. For one axis, pass ({target_shape},)."
            )
        target_shape = tuple(target_shape)
        known = [size for size in target_shape if size is not None]
        if any(size < -1 for size in known):
            raise ValueError(
                "Each dimension in `target_shape` must be a non-negative integer, or -1 for a"
                f" single unknown dimension. Received: target_shape={target_shape}."
            )
        if known.count(-1) > 1:
            raise ValueError(
                "There must be at most one unknown dimension (-1) in `target_shape`. Received:"
                f" target_shape={target_shape}."
            )
        self.target_shape = target_shape
        self._build_at_init()

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`(batch, *target_shape)`, with -1 resolved where it can be."""
        sizes, target = tuple(input_shape[1:]), self.target_shape
        if None in sizes or None in target:
            return input_shape[0], *(None if size == -1 else size for size in target)
        total, rest = math.prod(sizes), math.prod(size for size in target if size != -1)
        if total != rest if -1 not in target else rest == 0 or total % rest:
            raise ValueError(
                "The total size of a sample must be unchanged. Received: input_shape="
                f"{tuple(input_shape)} with {total} values per sample, target_shape={target}"
            )
        return input_shape[0], *(total // rest if size == -1 else size for size in target)

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        shape = self.compute_output_shape(x.shape)
        return x.reshape(tuple(-1 if size is None else size for size in shape))

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.reshape(ctx.shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "target_shape": self.target_shape}


@registry.layers.register("Permute")
class Permute(_Reshaping):
    """Reorders the axes of samples.

    Args:
        dims: Tuple: the axes, from 1 on, in their new order.

    Input shape: `(batch, ...)`. Output shape: the same sizes in the new order.

    Raises:
        ValueError: if `dims` is no permutation of 1 to n.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Permute((2, 1))(np.zeros((3, 10, 64), "float32")).shape
    (3, 64, 10)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in"
                f" `dims` must be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sizes in their new order."""
        return input_shape[0], *(input_shape[axis] for axis in self.dims)

    def forward(self, ctx: Any, x: Any) -> Any:
        return x.transpose(0, *self.dims)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.transpose(np.argsort((0, *self.dims)))

    def get_config(self) -> dict:
        return {**super().get_config(), "dims": self.dims}


@registry.layers.register("RepeatVector")
class RepeatVector(Layer):
    """Repeats its input `n` times, along a new axis.

    Args:
        n: Positive integer.

    Input shape: `(batch, features)`. Output shape: `(batch, n, features)`.

    Raises:
        TypeError: if `n` is no integer.
        ValueError: if it is not positive.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.RepeatVector(3)(np.zeros((2, 32), "float32")).shape
    (2, 3, 32)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        if n <= 0:
            raise ValueError(f"Argument `n` should be a positive integer. Received: n={n}")
        self.n = int(n)
        self.input_spec = InputSpec(ndim=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`(batch, n, features)`."""
        return input_shape[0], self.n, input_shape[1]

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.repeat(x[:, None], self.n, axis=1)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.sum(axis=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "n": self.n}
