"""Layers that change the colors of images at random, in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry
from minikeras.layers.preprocessing.image_layer import (
    ColorLayer,
    ImageLayer,
    per_image,
    rescaled,
)


@registry.layers.register("RandomBrightness")
class RandomBrightness(ColorLayer):
    """Makes images brighter or darker by a random amount, in training.

    Args:
        factor: Float f within [-1, 1], for (-f, f), or pair: shares of the range of values that
            are added.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `data_format`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomBrightness((0.5, 0.5), value_range=(0, 1))
    >>> layer(np.array([[[0.0, 0.25, 0.75]]]), training=True).numpy().ravel().tolist()
    [0.5, 0.75, 1.0]
    """

    bounds = (-1, 1)

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(factor, value_range, seed, **kwargs)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        share = rng(*self.factor, (batch, 1, 1, 1))
        return {"rgb_delta": share * (self.value_range[1] - self.value_range[0])}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        return self.limited(images + per_image(transformation["rgb_delta"]))


@registry.layers.register("RandomContrast")
class RandomContrast(ColorLayer):
    """Moves the values of every channel away from their mean or towards it, in training.

    `(x - mean) * f + mean`, with f uniform in [1 - factor[0], 1 + factor[1]].

    Args:
        factor: Pair within [0, 1], or float f for (0, f).
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`, `data_format`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomContrast((0.5, 0.5), seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(factor, value_range, seed, **kwargs)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return {"contrast_factor": rng(1 - self.factor[0], 1 + self.factor[1], (batch, 1, 1, 1))}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        mean = ops.mean(images, axis=(1, 2), keepdims=True)
        return self.limited((images - mean) * per_image(transformation["contrast_factor"]) + mean)


@registry.layers.register("RandomHue")
class RandomHue(ColorLayer):
    """Turns the hue of images by random angles, in training.

    Args:
        factor: Float f within [0, 1], for (0, f), or pair: shares of half a turn. The sign is
            random.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, 3)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomHue(0.5, seed=1)
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

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        sign = np.sign(rng(-1, 1, (batch,)))
        return {"factor": sign * rng(*self.factor, (batch,)) * 0.5}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        images = ops.image.rgb_to_hsv(rescaled(images, self.value_range, (0, 1)), "channels_last")
        hue = images[..., :1] + per_image(transformation["factor"])
        hue = ops.where(hue > 1, hue - 1, ops.where(hue < 0, hue + 1, hue))
        images = ops.concatenate([hue, images[..., 1:]], axis=-1)
        images = ops.clip(ops.image.hsv_to_rgb(images, "channels_last"), 0, 1)  # type: ignore[attr-defined]
        return rescaled(images, (0, 1), self.value_range)


@registry.layers.register("RandomSaturation")
class RandomSaturation(ColorLayer):
    """Makes colors paler or stronger at random, in training.

    The saturation is multiplied by f / (1 - f): 0.5 leaves it, 0 makes the image gray.

    Args:
        factor: Pair within [-1, 1] that f is taken from, or float for (-factor, factor). Negative
            values make images gray.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, 3)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomSaturation((0.3, 0.7), seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    bounds = (-1, 1)

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
        factor = rng(*self.factor, (batch,))
        return {"factor": factor / (1 - factor + settings.epsilon())}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        images = ops.image.rgb_to_hsv(images, "channels_last")
        saturation = self.limited(images[..., 1:2] * per_image(transformation["factor"]))
        images = ops.concatenate([images[..., :1], saturation, images[..., 2:]], axis=-1)
        return ops.image.hsv_to_rgb(images, "channels_last")


@registry.layers.register("RandomGrayscale")
class RandomGrayscale(ImageLayer):
    """Makes some images gray, in training.

    Args:
        factor: Float within [0, 1], default 0.5: the probability for an image.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, 3)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomGrayscale(1.0)
    >>> layer(np.array([[[10.0, 0.0, 0.0]]]), training=True).numpy().round().tolist()
    [[[3.0, 3.0, 3.0]]]
    """

    options = ("factor",)

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if not 0 <= factor <= 1:
            raise ValueError(f"`factor` should be between 0 and 1. Received: factor={factor}")
        self.factor = factor
        self._seeded(seed)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return rng(0, 1, (batch, 1, 1, 1)) < self.factor

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        gray = ops.image.rgb_to_grayscale(images, "channels_last")
        return ops.where(per_image(transformation), gray, images)


@registry.layers.register("RandomColorDegeneration")
class RandomColorDegeneration(ColorLayer):
    """Mixes images with their gray versions, in training.

    Args:
        factor: Float f within [-1, 1], for (-f, f), or pair: the share of gray.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, 3)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomColorDegeneration(0.5, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    bounds = (-1, 1)

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

        gray = ops.image.rgb_to_grayscale(images, "channels_last")
        return self.limited(images + per_image(transformation["factor"]) * (gray - images))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input, which must have three channels."""
        shape = super().compute_output_shape(input_shape)
        channels = None if isinstance(shape, dict) else shape[-3 if self._first() else -1]
        if channels not in (None, 3):
            raise ValueError(
                f"Input images must have 3 channels, but received images with {channels} channels."
            )
        return shape


@registry.layers.register("RandomColorJitter")
class RandomColorJitter(ImageLayer):
    """Changes brightness, contrast, saturation and hue at random, in training.

    Args:
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        brightness_factor: See `RandomBrightness`. None (default) leaves brightness as it is.
        contrast_factor: Likewise, see `RandomContrast`.
        saturation_factor: Likewise, see `RandomSaturation`.
        hue_factor: Likewise, see `RandomHue`.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomColorJitter(brightness_factor=0.2, hue_factor=0.1, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    options = (
        "value_range", "brightness_factor", "contrast_factor", "saturation_factor", "hue_factor",
        "seed",
    )  # fmt: skip
    PARTS = {
        "brightness": RandomBrightness,
        "contrast": RandomContrast,
        "saturation": RandomSaturation,
        "hue": RandomHue,
    }

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        self._seeded(seed)
        shared = {"value_range": value_range, "seed": seed, "dtype": self.dtype_policy}
        for name, kind in self.PARTS.items():
            factor = getattr(self, f"{name}_factor")
            part = None if factor is None else kind(factor=factor, **shared)
            setattr(self, f"random_{name}", part)

    def draw(self, rng: Any, *size: int) -> Any:
        parts = {name: getattr(self, f"random_{name}") for name in self.PARTS}
        return {name: part.draw(rng, *size) for name, part in parts.items() if part is not None}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        for name, choices in transformation.items():
            images = getattr(self, f"random_{name}").change(images, choices, interpolation)
        return images
