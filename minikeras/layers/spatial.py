"""Cropping, zero padding and enlargement, in 1, 2 and 3 dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.kernels import windows as kernels
from minikeras.layers.convolution_base import with_defaults
from minikeras.ops.spatial import from_last, join_shape, split_shape, standardize_tuple, to_last

Pairs = tuple[tuple[int, ...], ...]


def _pairs(value: Any, rank: int, name: str) -> Pairs:
    """(before, after) of each dimension, from an integer, one integer a dimension, or pairs.

    Raises:
        ValueError: for anything else, and for negative values.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = (value,) * rank
    if not hasattr(value, "__len__") or isinstance(value, str) or len(value) != rank:
        raise ValueError(
            f"Argument `{name}` must be an integer, a tuple of {rank} integers, or a tuple of"
            f" {rank} pairs (before, after). Received: {name}={value!r}"
        )
    return tuple(
        standardize_tuple(one, 2, f"{name}[{axis}]", allow_zero=True)
        for axis, one in enumerate(value)
    )


class _Spatial(Layer):
    """A layer that changes the spatial sizes of channels-last or channels-first inputs."""

    rank = 2
    data_format: str

    def _start(self, data_format: Any) -> None:
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def _sizes(self, sizes: tuple, input_shape: Any) -> tuple:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input."""
        batch, sizes, channels = split_shape(tuple(input_shape), self.data_format)
        return join_shape(batch, self._sizes(sizes, input_shape), channels, self.data_format)


class BaseCropping(_Spatial):
    """Cropping of `rank` dimensions."""

    cropping: Any

    def _crops(self) -> Pairs:
        return self.cropping

    def _inside(self, shape: tuple) -> tuple[slice, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        inside = [slice(None)] * len(shape)
        for axis, (before, after) in enumerate(self._crops(), first):
            inside[axis] = slice(before, shape[axis] - after)
        return tuple(inside)

    def forward(self, ctx: Any, x: Any) -> Any:
        self.compute_output_shape(x.shape)
        ctx.shape = x.shape
        return x[self._inside(x.shape)]

    def backward(self, ctx: Any, dy: Any) -> Any:
        dx = np.zeros(ctx.shape, dy.dtype)
        dx[self._inside(ctx.shape)] = dy
        return dx

    def _sizes(self, sizes: tuple, input_shape: Any) -> tuple:
        found = tuple(
            None if size is None else size - before - after
            for size, (before, after) in zip(sizes, self._crops())
        )
        if any(size is not None and size <= 0 for size in found):
            raise ValueError(
                "Values in `cropping` argument should be smaller than the corresponding spatial"
                f" dimension of the input. The `cropping` parameter of `{type(self).__name__}`"
                f" layer must be smaller than {sizes}. Received: input_shape={tuple(input_shape)},"
                f" cropping={self.cropping}"
            )
        return found

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "cropping": self.cropping,
            "data_format": self.data_format,
        }


@registry.layers.register("Cropping1D")
class Cropping1D(BaseCropping):
    """Cut steps off the ends of a sequence.

    Args:
        cropping: Integer or tuple `(before, after)`, default (1, 1).

    Input shape: `(batch, steps, channels)`. Output shape: the same with fewer steps.

    Raises:
        ValueError: for negative values, and if nothing would be left.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Cropping1D((1, 2))(np.ones((2, 6, 3), "float32")).shape
    (2, 3, 3)
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = standardize_tuple(cropping, 2, "cropping", allow_zero=True)
        self._start("channels_last")

    def _crops(self) -> Pairs:
        return (self.cropping,)

    def get_config(self) -> dict:
        """The configuration."""
        entries = super().get_config()
        del entries["data_format"]
        return entries


@registry.layers.register("Cropping2D")
class Cropping2D(BaseCropping):
    """Cut rows and columns off the edges of images.

    Args:
        cropping: Integer, tuple of 2 integers, or tuple `((top, bottom), (left, right))`. Defaults
            to none.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    smaller sizes.

    Raises:
        ValueError: for negative values, and if nothing would be left.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((2, 28, 28, 3), "float32")
    >>> minikeras.layers.Cropping2D(((2, 2), (4, 4)))(x).shape
    (2, 24, 20, 3)
    """

    rank = 2

    def __init__(
        self,
        cropping: Any = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        Layer.__init__(self, **kwargs)
        self.cropping = _pairs(cropping, self.rank, "cropping")
        self._start(data_format)


@registry.layers.register("Cropping3D")
class Cropping3D(BaseCropping):
    """Cut the edges off volumes.

    Args:
        cropping: Integer, tuple of 3 integers, or tuple of 3 pairs. Defaults to 1 on all sides.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with smaller sizes.

    Raises:
        ValueError: for negative values, and if nothing would be left.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Cropping3D(2)(np.ones((2, 8, 8, 8, 3), "float32")).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3
    __init__ = with_defaults(Cropping2D.__init__, cropping=((1, 1), (1, 1), (1, 1)))


class BaseZeroPadding(_Spatial):
    """Zero padding of `rank` dimensions."""

    padding: Any

    def _borders(self) -> Pairs:
        return self.padding

    def _inside(self, ctx: Any) -> tuple[slice, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        inside = [slice(None)] * len(ctx.shape)
        for axis, (before, _) in enumerate(self._borders(), first):
            inside[axis] = slice(before, before + ctx.shape[axis])
        return tuple(inside)

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        y = np.zeros(self.compute_output_shape(x.shape), x.dtype)
        y[self._inside(ctx)] = x
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy[self._inside(ctx)]

    def _sizes(self, sizes: tuple, input_shape: Any) -> tuple:
        return tuple(
            None if size is None else size + before + after
            for size, (before, after) in zip(sizes, self._borders())
        )

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "padding": self.padding,
            "data_format": self.data_format,
        }


@registry.layers.register("ZeroPadding1D")
class ZeroPadding1D(BaseZeroPadding):
    """Add zeros at the ends of a sequence.

    Args:
        padding: Integer or tuple `(before, after)`, default 1.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, steps, channels)`, or channels-first. Output shape: the same with more
    steps.

    Raises:
        ValueError: for negative values.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.ZeroPadding1D(2)(np.ones((2, 6, 3), "float32")).shape
    (2, 10, 3)
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = standardize_tuple(padding, 2, "padding", allow_zero=True)
        self._start(data_format)

    def _borders(self) -> Pairs:
        return (self.padding,)


@registry.layers.register("ZeroPadding2D")
class ZeroPadding2D(BaseZeroPadding):
    """Add rows and columns of zeros around images.

    Args:
        padding: Integer, tuple of 2 integers, or tuple `((top, bottom), (left, right))`, default
            (1, 1).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    larger sizes.

    Raises:
        ValueError: for negative values.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.ZeroPadding2D((1, 2))(np.ones((2, 6, 6, 3), "float32")).shape
    (2, 8, 10, 3)
    """

    rank = 2

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        Layer.__init__(self, **kwargs)
        self.padding = _pairs(padding, self.rank, "padding")
        self._start(data_format)


@registry.layers.register("ZeroPadding3D")
class ZeroPadding3D(BaseZeroPadding):
    """Add zeros around volumes.

    Args:
        padding: Integer, tuple of 3 integers, or tuple of 3 pairs. Defaults to 1 on all sides.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with larger sizes.

    Raises:
        ValueError: for negative values.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.ZeroPadding3D(1)(np.ones((2, 4, 4, 4, 3), "float32")).shape
    (2, 6, 6, 6, 3)
    """

    rank = 3
    __init__ = with_defaults(ZeroPadding2D.__init__, padding=((1, 1), (1, 1), (1, 1)))


class BaseUpSampling(_Spatial):
    """Enlargement of `rank` dimensions."""

    size: Any
    interpolation = "nearest"
    # How an older Keras resampled; see `dialects.eras`.
    _way: str | None = None

    def _factors(self) -> tuple[int, ...]:
        return self.size

    def forward(self, ctx: Any, x: Any) -> Any:
        x = to_last(x, self.data_format)
        ctx.sizes = x.shape[1:-1]
        factors = self._factors()
        if self.interpolation == "nearest":
            y = kernels.repeat(x, factors)
        else:
            sizes = [n * f for n, f in zip(ctx.sizes, factors)]
            y = kernels.resize(x, sizes, self._way or self.interpolation)
        return from_last(y, self.data_format)

    def backward(self, ctx: Any, dy: Any) -> Any:
        dy = to_last(dy, self.data_format)
        if self.interpolation == "nearest":
            dx = kernels.repeat_gradient(dy, self._factors())
        else:
            dx = kernels.resize_gradient(dy, ctx.sizes, self._way or self.interpolation)
        return from_last(dx, self.data_format)

    def _sizes(self, sizes: tuple, input_shape: Any) -> tuple:
        return tuple(None if n is None else n * f for n, f in zip(sizes, self._factors()))

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


@registry.layers.register("UpSampling1D")
class UpSampling1D(BaseUpSampling):
    """Repeat each step of a sequence.

    Args:
        size: Positive integer, default 2.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, steps * size, channels)`.

    Raises:
        TypeError: if `size` is no integer.
        ValueError: if it is not positive.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.UpSampling1D(2)(np.ones((2, 3, 4), "float32")).shape
    (2, 6, 4)
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
            raise TypeError(f"Expected an integer value for `size`, got {type(size)}.")
        if size <= 0:
            raise ValueError(f"Argument `size` should be a positive integer. Received: size={size}")
        self.size = int(size)
        self._start("channels_last")

    def _factors(self) -> tuple[int, ...]:
        return (self.size,)

    def get_config(self) -> dict:
        """The configuration."""
        entries = super().get_config()
        del entries["data_format"]
        return entries


@registry.layers.register("UpSampling2D")
class UpSampling2D(BaseUpSampling):
    """Enlarge images by whole factors.

    Args:
        size: Integer or tuple of 2 integers, default (2, 2).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        interpolation: `"nearest"` (default: each pixel is repeated), `"bilinear"`, `"bicubic"`,
            `"lanczos3"`, `"lanczos5"` or `"area"`.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same with
    larger sizes.

    Raises:
        ValueError: for sizes that are not positive, and an unknown interpolation.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.UpSampling2D((1, 2))(np.ones((2, 3, 4, 3), "float32")).shape
    (2, 3, 8, 3)
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = standardize_tuple(size, 2, "size")
        self.interpolation = interpolation.lower()
        if self.interpolation not in kernels.INTERPOLATIONS:
            raise ValueError(
                f"Argument `interpolation` must be one of {kernels.INTERPOLATIONS}. Received:"
                f" interpolation={interpolation!r}"
            )
        self._start(data_format)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "interpolation": self.interpolation}


@registry.layers.register("UpSampling3D")
class UpSampling3D(BaseUpSampling):
    """Repeat each value of a volume.

    Args:
        size: Integer or tuple of 3 integers, default (2, 2, 2).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same
    with larger sizes.

    Raises:
        ValueError: for sizes that are not positive.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.UpSampling3D()(np.ones((2, 3, 3, 3, 1), "float32")).shape
    (2, 6, 6, 6, 1)
    """

    rank = 3

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = standardize_tuple(size, 3, "size")
        self._start(data_format)
