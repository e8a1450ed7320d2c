"""Effects on the values of images: sharpness, posterization, blur, histograms and others."""

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


LEVELS = 256


@registry.layers.register("AutoContrast")
class AutoContrast(ImageLayer):
    """Stretches the values of every channel of every image to the whole range.

    Args:
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        **kwargs: `name`, `dtype`, `data_format`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.AutoContrast()
    >>> layer(np.array([[[100.0], [120.0], [150.0]]])).numpy().ravel().tolist()
    [0.0, 102.0, 255.0]
    """

    options = ("value_range",)
    always = True

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value_range = value_limits(value_range)

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        low = ops.min(images, axis=(1, 2), keepdims=True)
        high = ops.max(images, axis=(1, 2), keepdims=True)
        flat = high == low
        share = (images - low) / ops.where(flat, 1, high - low)
        stretched = rescaled(ops.clip(share, 0, 1), (0, 1), self.value_range)  # type: ignore[attr-defined]
        return ops.where(flat, images, stretched)


@registry.layers.register("Equalization")
class Equalization(ImageLayer):
    """Maps the values of every channel so that all are about equally frequent.

    The frequencies are those in the whole batch. Nothing happens with `training=False`.

    Args:
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        bins: Integer, default 256: how many values are told apart.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Equalization()
    >>> layer(np.array([[[10.0], [11.0], [12.0]]])).numpy().ravel().tolist()
    [0.0, 128.0, 255.0]
    """

    options = ("bins", "value_range")

    def __init__(
        self,
        value_range: Any = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.bins = bins
        self.value_range = value_limits(value_range)

    def _equalized(self, channel: np.ndarray) -> np.ndarray:
        last = self.bins - 1
        index = np.clip(channel.astype("float32") * np.float32(last) / 255, 0, last).astype("int32")
        counts = np.bincount(index.ravel(), minlength=self.bins)
        cumulated = np.cumsum(counts)
        lowest = counts[np.flatnonzero(counts)[0]]
        rest = cumulated[-1] - lowest
        if rest == 0:
            return channel
        table = np.clip(np.rint((cumulated - lowest) * 255 / rest), 0, 255)
        return table.astype(channel.dtype)[index]

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        values = plain(rescaled(images, self.value_range, (0, 255)))
        if values.size:
            channels = [self._equalized(values[..., i]) for i in range(values.shape[-1])]
            values = np.stack(channels, axis=-1)
        return rescaled(ops.convert_to_tensor(values), (0, 255), self.value_range)


@registry.layers.register("ContrastLimitedAdaptiveHistogramEqualization")
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Equalizes histograms of tiles of an image, with a limit (CLAHE; Zuiderveld 1994).

    Every tile has a table of new values; between the middles of tiles, tables are interpolated.

    Args:
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        clip_limit: Float, default 4.0: frequencies larger than this times the mean are cut off and
            spread over all values. No limit if it is not positive.
        tile_grid_size: Pair of integers, default (8, 8): tiles down and across.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`. Integers stay
        integers.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.ContrastLimitedAdaptiveHistogramEqualization()
    >>> layer(np.ones((2, 16, 16, 3), "float32")).shape
    (2, 16, 16, 3)
    """

    options = ("value_range", "clip_limit", "tile_grid_size")
    always = True
    keeps_dtype = True

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        value_limits(value_range)
        self.value_range = value_range
        self.clip_limit = clip_limit
        self.tile_grid_size = tile_grid_size

    def _tables(self, tiles: np.ndarray) -> np.ndarray:
        """New values, shape (batch, down, across, channels, 256), from (..., values in a tile)."""
        size = tiles.shape[-1]
        flat = tiles.reshape(-1, size)
        offsets = np.arange(len(flat))[:, None] * LEVELS
        counts = np.bincount((flat + offsets).ravel(), minlength=len(flat) * LEVELS)
        counts = counts.reshape(len(flat), LEVELS).astype("float32")
        if self.clip_limit > 0:
            clipped = np.minimum(counts, np.float32(self.clip_limit * size / LEVELS))
            excess = (counts - clipped).sum(axis=-1, keepdims=True)
            counts = clipped + excess / LEVELS
        cumulated = np.cumsum(counts, axis=-1)
        lowest = cumulated[:, :1]
        rest = size - lowest
        rest[rest == 0] = 1
        table = np.clip((cumulated - lowest) * 255 / rest, 0, 255)
        return table.reshape(*tiles.shape[:-1], LEVELS)

    @staticmethod
    def _between(tiles: int, length: int) -> tuple:
        """For every place: the tiles before and after it, and the weight of the one after."""
        place = (np.arange(tiles * length, dtype="float32") - length / 2) / length
        before = np.floor(place)
        weight = place - before
        lower = np.clip(before, 0, tiles - 1).astype(int)
        upper = np.clip(before + 1, 0, tiles - 1).astype(int)
        return lower, upper, weight.astype("float32")

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        images = plain(images)
        values = rescaled(images.astype("float32"), self.value_range, (0, 255))
        batch, height, width, channels = values.shape
        down, across = self.tile_grid_size
        tall, wide = -(-height // down), -(-width // across)
        border = ((0, 0), (0, tall * down - height), (0, wide * across - width), (0, 0))
        levels = np.clip(np.pad(values, border, mode="symmetric"), 0, 255).astype("int32")
        tiles = levels.reshape(batch, down, tall, across, wide, channels)
        tiles = tiles.transpose(0, 1, 3, 5, 2, 4).reshape(batch, down, across, channels, -1)
        tables = self._tables(tiles)
        top, bottom, low = self._between(down, tall)
        left, right, far = self._between(across, wide)
        one, channel = np.arange(batch)[:, None, None, None], np.arange(channels)

        def read(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return tables[one, rows[:, None, None], columns[:, None], channel, levels]

        low, far = low[:, None, None], far[:, None]
        upper = read(top, left) * (1 - far) + read(top, right) * far
        lower = read(bottom, left) * (1 - far) + read(bottom, right) * far
        result = (upper * (1 - low) + lower * low)[:, :height, :width]
        result = rescaled(result, (0, 255), self.value_range)
        return ops.convert_to_tensor(result.astype(images.dtype))
