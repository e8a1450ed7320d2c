"""Layers that sharpen, blur, invert or coarsen images at random, in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.image_layer import (
    ColorLayer,
    ImageLayer,
    per_image,
    rescaled,
    strict_range,
    value_limits,
    wide_range,
)


@registry.layers.register("RandomInvert")
class RandomInvert(ColorLayer):
    """Makes negatives of some images, in training.

    Args:
        factor: Float within [0, 1] (default 1.0) or pair: the range that the probability to
            change an image is taken from.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomInvert((1.0, 1.0))
    >>> layer(np.array([[[0.0, 55.0, 255.0]]]), training=True).numpy().tolist()
    [[[255.0, 200.0, 0.0]]]
    """

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return {"apply_inversion": rng.chance(self.factor, batch)}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        apply = per_image(transformation["apply_inversion"])
        return ops.where(apply, sum(self.value_range) - images, images)


@registry.layers.register("RandomSharpness")
class RandomSharpness(ColorLayer):
    """Makes images sharper or softer at random, in training.

    Args:
        factor: Float f within [0, 1], for (0, f), or pair. 0 gives the softened image, 0.5 leaves
            the image, 1 is as far on the other side.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomSharpness(0.5, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        kernel = np.full((3, 3, images.shape[-1], 1), 1 / 13)
        kernel[1, 1] = 5 / 13
        kernel = ops.cast(kernel, images.dtype)
        soft = ops.depthwise_conv(images, kernel, padding="same", data_format="channels_last")
        share = 1 - 2 * per_image(transformation["factor"])
        return self.limited(images + share * (soft - images))


@registry.layers.register("RandomPosterization")
class RandomPosterization(ColorLayer):
    """Keeps a random number of the eight bits of every value, in training.

    Args:
        factor: Integer n within [1, 8], for (1, n), or pair: the number of bits, the upper end
            excluded unless both are the same.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomPosterization((1, 1))
    >>> layer(np.array([[[0.0, 127.0, 255.0]]]), training=True).numpy().tolist()
    [[[0.0, 0.0, 128.0]]]
    """

    bounds = (1, 8)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        low, high = (int(bits) for bits in self.factor)
        bits = rng.generator().integers(low, max(high, low + 1), batch)
        return {"shift_factor": (8 - bits).astype("uint8")}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        values = plain(rescaled(images, self.value_range, (0, 255))).clip(0, 255).astype("uint8")
        shift = per_image(transformation["shift_factor"]).astype("uint8")
        kept = ops.cast(values >> shift << shift, self.compute_dtype)
        return rescaled(kept, (0, 255), self.value_range)


@registry.layers.register("Solarization")
class Solarization(ImageLayer):
    """Adds a random amount to images and inverts the values from a random threshold, in training.

    Args:
        addition_factor: Float f within [0, 1] (default 0.0), for (0, f), or pair: shares of the
            range of values that are added.
        threshold_factor: Likewise: thresholds. Values below stay.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `data_format`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Solarization()
    >>> layer(np.array([[[0.0, 55.0, 255.0]]]), training=True).numpy().tolist()
    [[[255.0, 200.0, 0.0]]]
    """

    options = ("value_range", "addition_factor", "threshold_factor", "seed")

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._seeded(seed)
        self.addition_factor = strict_range("addition_factor", addition_factor, 0, 1, signed=False)
        self.threshold_factor = strict_range(
            "threshold_factor", threshold_factor, 0, 1, signed=False
        )
        self.value_range = value_limits(value_range)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        shape = (batch, 1, 1, 1)
        return {
            "additions": 255 * rng(*self.addition_factor, shape),
            "thresholds": 255 * rng(*self.threshold_factor, shape),
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        images = rescaled(images, self.value_range, (0, 255))
        images = ops.clip(images + per_image(transformation["additions"]), 0, 255)  # type: ignore[attr-defined]
        low = images < per_image(transformation["thresholds"])
        return rescaled(ops.where(low, images, 255 - images), (0, 255), self.value_range)


@registry.layers.register("RandomGaussianBlur")
class RandomGaussianBlur(ColorLayer):
    """Blurs some images by a bell curve, in training.

    Args:
        factor: Float within [0, 1] (default 1.0) or pair: the range that the probability to
            change an image is taken from.
        kernel_size: Odd integer (default 3) or pair: the size of the kernel.
        sigma: Float f within [0, 1] (default 1.0), for (0, f), or pair: the width of the curve.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomGaussianBlur(seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    options = ("factor", "kernel_size", "sigma", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)
        sizes = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * 2
        if len(sizes) != 2 or not all(isinstance(one, int) and one % 2 == 1 for one in sizes):
            raise ValueError(
                "The `kernel_size` argument should be an odd number (or a list of two odd"
                f" numbers). Received: kernel_size={kernel_size}"
            )
        self.kernel_size = tuple(sizes)
        self.sigma = wide_range("sigma", sigma, 0, 1)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return {
            "should_apply_blur": rng.chance(self.factor, batch),
            # A width of 0 would divide by 0.
            "blur_factor": rng(*self.sigma, (2,), "float32") + np.float32(1e-6),
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        sigma = tuple(float(one) for one in plain(transformation["blur_factor"]))
        soft = ops.image.gaussian_blur(images, self.kernel_size, sigma, "channels_last")
        apply = per_image(transformation["should_apply_blur"])
        return self.limited(ops.where(apply, soft, images))
