"""Layers that spread the values of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.image_layer import ImageLayer, rescaled, value_limits

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
