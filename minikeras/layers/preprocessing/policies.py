"""Layers that apply random combinations of other layers to images, in training."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry
from minikeras.layers.preprocessing.colors import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
)
from minikeras.layers.preprocessing.geometric import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
)
from minikeras.layers.preprocessing.image_effects import (
    AutoContrast,
    Equalization,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from minikeras.layers.preprocessing.image_layer import Draws, ImageLayer, value_limits, wide_range


class _Policy(ImageLayer):
    """A layer that chooses among others."""

    moves = True

    def __init__(
        self,
        factor: Any,
        value_range: Any,
        interpolation: str,
        seed: int | None,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        value_limits(value_range)
        self.value_range = value_range
        self.factor = factor = wide_range("factor", factor, 0, 1)
        self.interpolation = interpolation
        self._seeded(seed)
        common = {"data_format": data_format, "dtype": self.dtype_policy}
        seeded = {**common, "seed": seed}
        moving = {**seeded, "interpolation": interpolation}
        ranged = {**seeded, "value_range": value_range}
        bits = max(1, int(8 * factor[1]))
        self.random_shear = RandomShear(factor, factor, **moving)
        self.random_translation = RandomTranslation(factor, factor, **moving)
        self.random_rotation = RandomRotation(factor, **moving)
        self.random_brightness = RandomBrightness(factor, **ranged)
        self.random_color_degeneration = RandomColorDegeneration(factor, **ranged)
        self.random_contrast = RandomContrast(factor, **ranged)
        self.random_sharpness = RandomSharpness(factor, **ranged)
        self.solarization = Solarization(factor, factor, **ranged)
        self.random_posterization = RandomPosterization(bits, **ranged)
        self.auto_contrast = AutoContrast(value_range, **common)
        self.equalization = Equalization(value_range, **common)

    def _apply(self, name: str, images: Any, choices: Any, interpolation: str | None) -> Any:
        layer = getattr(self, name)
        # Masks of segments, which come with an interpolation, have no colors.
        if interpolation is not None and not layer.moves:
            return images
        return layer.change(images, choices, interpolation)


@registry.layers.register("RandAugment")
class RandAugment(_Policy):
    """Applies a few of eleven layers, chosen at random (Cubuk et al. 2019), in training.

    The same for all images of a batch; their factors differ.

    Args:
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        num_ops: Integer, default 2: how many layers.
        factor: Float f within [0, 1] (default 0.5), for (0, f), or pair: the factor of the layers.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, 3)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandAugment(seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    options = ("value_range", "num_ops", "factor", "interpolation", "seed")
    LAYERS = (
        "random_shear", "random_translation", "random_rotation", "random_brightness",
        "random_color_degeneration", "random_contrast", "random_sharpness",
        "random_posterization", "solarization", "auto_contrast", "equalization",
    )  # fmt: skip

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, interpolation, seed, data_format, **kwargs)
        self.num_ops = num_ops

    def draw(self, rng: Draws, *size: int) -> Any:
        chosen = rng.generator().integers(0, len(self.LAYERS), self.num_ops)
        names = {self.LAYERS[index] for index in chosen}
        return {
            "layer_idxes": chosen,
            "transforms": {
                name: getattr(self, name).draw(rng, *size) for name in self.LAYERS if name in names
            },
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        for index in transformation["layer_idxes"]:
            name = self.LAYERS[int(index)]
            images = self._apply(name, images, transformation["transforms"][name], interpolation)
        return images


@registry.layers.register("AugMix")
class AugMix(_Policy):
    """Mixes images with results of random chains of layers (Hendrycks et al. 2019), in training.

    Args:
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        num_chains: Integer, default 3: how many chains.
        chain_depth: Integer, default 3: how many layers in a chain, some of which do nothing.
        factor: Float f within [0, 1] (default 0.3), for (0, f), or pair: the factor of the layers.
        alpha: Float, default 1.0: of the Dirichlet and Beta distributions of the weights.
        all_ops: Boolean, default True. False leaves out brightness, contrast, color degeneration
            and sharpness, which some test sets vary.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, 3)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.AugMix(seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    options = (
        "value_range", "num_chains", "chain_depth", "factor", "alpha", "all_ops", "interpolation",
        "seed",
    )  # fmt: skip
    LAYERS = (
        "random_shear", "random_translation", "random_rotation", "random_posterization",
        "solarization", "auto_contrast", "equalization",
    )  # fmt: skip
    MORE = (
        "random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness",
    )  # fmt: skip

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, interpolation, seed, data_format, **kwargs)
        self.num_chains = num_chains
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def draw(self, rng: Draws, *size: int) -> Any:
        names = self.LAYERS + self.MORE if self.all_ops else self.LAYERS
        chains = []
        for _ in range(self.num_chains):
            # One more than there are layers: a step that does nothing.
            steps = rng.generator().integers(0, len(names) + 1, self.chain_depth)
            chosen = [names[step] for step in steps if step < len(names)]
            chains.append(
                [
                    {"layer_name": name, "transformation": getattr(self, name).draw(rng, *size)}
                    for name in chosen
                ]
            )
        return {
            "chain_mixing_weights": rng.generator().dirichlet([self.alpha] * self.num_chains),
            "weight_sample": rng.generator().beta(self.alpha, self.alpha),
            "chain_transforms": chains,
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        mixed: Any = 0
        for weight, chain in zip(
            transformation["chain_mixing_weights"], transformation["chain_transforms"]
        ):
            changed = images
            for step in chain:
                changed = self._apply(
                    step["layer_name"], changed, step["transformation"], interpolation
                )
            mixed = mixed + float(weight) * changed
        own = float(transformation["weight_sample"])
        images = own * images + (1 - own) * mixed
        return images if interpolation is not None else ops.clip(images, *self.value_range)  # type: ignore[attr-defined]
