"""A layer that only adds to the loss, and dropout of whole channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.rng import SeedGenerator
from minikeras.layers.convolution_base import with_defaults
from minikeras.ops.spatial import join_shape, split_shape


@registry.layers.register("ActivityRegularization")
class ActivityRegularization(Layer):
    """Passes its inputs on and adds a penalty on them to the loss.

    `(l1 * sum(abs(x)) + l2 * sum(x**2)) / batch size`.

    Args:
        l1: Float. Defaults to 0.0.
        l2: Float. Defaults to 0.0.
        **kwargs: `name`, `dtype`, `trainable`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ActivityRegularization(l2=0.5)
    >>> y = layer(np.array([[2.0], [4.0]], "float32"))
    >>> float(layer.losses[0])
    5.0
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        regularizer = registry.regularizers.find("L1L2")(l1=l1, l2=l2)
        super().__init__(activity_regularizer=regularizer, **kwargs)
        self.l1 = l1
        self.l2 = l2
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        return x

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}


class BaseSpatialDropout(Layer):
    """Dropout of whole channels; see `SpatialDropout2D`."""

    rank = 2
    data_format = "channels_last"
    supports_masking = True

    def _start(self, rate: float, seed: Any) -> None:
        if isinstance(rate, bool) or not 0 <= rate <= 1:
            raise ValueError(
                "Invalid value received for argument `rate`. Expected a number between 0 and 1."
                f" Received: rate={rate!r}"
            )
        self.rate = rate
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.mask = None
        if not ctx.training or self.rate == 0:
            return x
        batch, _, channels = split_shape(x.shape, self.data_format)
        shape = join_shape(batch, (1,) * self.rank, channels, self.data_format)
        if self.rate >= 1:
            ctx.mask = np.zeros(shape, x.dtype)
        else:
            kept = self.seed_generator.generator().random(shape, dtype=np.float32) >= self.rate
            ctx.mask = kept * x.dtype.type(1 / (1 - self.rate))
        return x * ctx.mask

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy if ctx.mask is None else dy * ctx.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        entries = {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}
        if self.rank > 1:
            entries["data_format"] = self.data_format
        return entries


@registry.layers.register("SpatialDropout1D")
class SpatialDropout1D(BaseSpatialDropout):
    """Set whole channels of a sequence to zero in training, and scale up the others.

    Args:
        rate: Number between 0 and 1. Share of the channels to drop.
        seed: Integer or None (default).
        name: String or None.
        dtype: Dtype name or policy. Defaults to the global policy.

    Input shape: `(batch, steps, channels)`. Output shape: the same.

    Raises:
        ValueError: for a `rate` out of range.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.SpatialDropout1D(0.5)(np.ones((2, 3, 4), "float32")).shape
    (2, 3, 4)
    """

    rank = 1

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._start(rate, seed)


@registry.layers.register("SpatialDropout2D")
class SpatialDropout2D(BaseSpatialDropout):
    """Set whole channels of an image to zero in training, and scale up the others.

    Neighbouring pixels are alike, so dropping single ones regularizes little (Tompson et al. 2014,
    arXiv:1411.4280).

    Args:
        rate: Number between 0 and 1. Share of the channels to drop.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        name: String or None.
        dtype: Dtype name or policy. Defaults to the global policy.

    Input shape: `(batch, height, width, channels)`, or channels-first. Output shape: the same.

    Raises:
        ValueError: for a `rate` out of range.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.SpatialDropout2D(0.5, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        Layer.__init__(self, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)
        self._start(rate, seed)


@registry.layers.register("SpatialDropout3D")
class SpatialDropout3D(BaseSpatialDropout):
    """Set whole channels of a volume to zero in training, and scale up the others.

    The arguments are those of `SpatialDropout2D`.

    Input shape: `(batch, dim1, dim2, dim3, channels)`, or channels-first. Output shape: the same.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.SpatialDropout3D(0.5)(np.ones((2, 4, 4, 4, 3), "float32")).shape
    (2, 4, 4, 4, 3)
    """

    rank = 3
    __init__ = with_defaults(SpatialDropout2D.__init__)
