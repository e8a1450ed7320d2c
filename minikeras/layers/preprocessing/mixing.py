"""Layers that erase, mix or combine at random, in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import plain
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
from minikeras.layers.preprocessing.image_layer import (
    Draws,
    ImageLayer,
    per_image,
    value_limits,
    wide_range,
)


def _interval(rng: Draws, share: np.ndarray, length: int) -> tuple:
    """The ends of random parts, of the given shares of `length`."""
    part = share * length
    start = rng(0, 1, share.shape) * (length - part)
    return start, start + part


def _box(rows: tuple, columns: tuple, height: int, width: int) -> np.ndarray:
    """Masks of shape (batch, height, width, 1): True inside."""
    y, x = np.arange(height)[:, None, None], np.arange(width)[:, None]
    top, bottom = map(per_image, rows)
    left, right = map(per_image, columns)
    return (y >= top) & (y < bottom) & (x >= left) & (x < right)


def _mixed(x: Any, transformation: Any) -> Any:
    """Every row of `x` mixed with another one."""
    from minikeras import ops

    order = plain(transformation["permutation_order"])
    weight = np.asarray(plain(transformation["mix_weight"])).reshape(-1, *[1] * (len(x.shape) - 1))
    return weight * x + (1 - weight) * ops.take(x, order, axis=0)


@registry.layers.register("RandomErasing")
class RandomErasing(ImageLayer):
    """Covers a random rectangle of some images (Zhong et al. 2017), in training.

    Args:
        factor: Float within [0, 1] (default 1.0) or pair: the range that the probability to
            change an image is taken from.
        scale: Pair within [0, 1], default (0.02, 0.33), or float f for (0, f): sides of the
            rectangle are square roots of numbers in this range, as shares of the image's.
        fill_value: Number, or list of three (one a channel). None (default) for noise.
        value_range: Pair, default (0, 255): the smallest and the largest value of a pixel.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomErasing(scale=(1, 1), fill_value=0, factor=(1, 1))
    >>> float(layer(np.ones((4, 4, 3)), training=True).numpy().sum())
    0.0
    """

    options = ("factor", "scale", "fill_value", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = wide_range("factor", factor, 0, 1)
        self.scale = wide_range("scale", scale, 0, 1)
        several = isinstance(fill_value, (tuple, list))
        if (
            several
            and len(fill_value) != 3
            or not (several or fill_value is None or isinstance(fill_value, (int, float)))
        ):
            raise ValueError(
                "The `fill_value` argument should be a number (or a list of three numbers) or"
                f" None. Received: fill_value={fill_value}"
            )
        value_limits(value_range)
        self.fill_value = fill_value
        self.value_range = value_range
        self._seeded(seed)

    def draw(self, rng: Draws, batch: int, height: int, width: int, channels: int) -> Any:
        share = np.sqrt(rng(self.scale[0], self.scale[1], (batch, 2)))
        columns = _interval(rng, share[:, 0], width)
        rows = _interval(rng, share[:, 1], height)
        apply = rng.chance(self.factor, batch)
        fill = self.fill_value
        if fill is None:
            noise = rng.generator().standard_normal((batch, height, width, channels))
            fill = noise * self.value_range[1]
        return {
            "apply_erasing": apply,
            "batch_masks": _box(rows, columns, height, width),
            "fill_value": np.clip(fill, *self.value_range),
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        covered = plain(transformation["batch_masks"]) & per_image(transformation["apply_erasing"])
        fill = np.asarray(plain(transformation["fill_value"]), images.dtype)
        return ops.where(covered, fill, images)


@registry.layers.register("MixUp")
class MixUp(ImageLayer):
    """Mixes every image, and its label, with another one of the batch (Zhang et al. 2017).

    `x = w * x + (1 - w) * x[order]`, with w from Beta(alpha, alpha), in training.

    Args:
        alpha: Float, default 0.2: small values keep w near 0 and 1.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Input shape:
        A dict with the keys `"images"` and `"labels"` (one-hot), or images.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
    >>> mixed = minikeras.layers.MixUp(seed=1)(data, training=True)
    >>> mixed["labels"].numpy().sum(axis=1).tolist()
    [1.0, 1.0]
    """

    moves = True
    options = ("alpha", "seed")

    def _moved(self, bounding_boxes: dict, transformation: Any, shape: Any) -> dict:
        # A mixed image shows the boxes of both.
        from minikeras import ops

        order = plain(transformation["permutation_order"])
        result = {}
        for key, value in bounding_boxes.items():
            value = ops.convert_to_tensor(value)
            axis = min(1, len(value.shape) - 1)
            result[key] = ops.concatenate([value, ops.take(value, order, axis=0)], axis=axis)
        return result

    def _has_boxes(self) -> bool:
        return True

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if alpha <= 0:
            raise ValueError(f"Argument `alpha` must be positive. Received: alpha={alpha}")
        self.alpha = alpha
        self._seeded(seed)

    def draw(self, rng: Draws, batch: int, height: int, width: int, channels: int) -> Any:
        weight = rng.generator().beta(self.alpha, self.alpha, batch)
        return {
            "mix_weight": weight.astype("float32"),
            "permutation_order": rng.generator().permutation(batch),
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        return _mixed(images, transformation)

    def transform_labels(
        self, labels: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The labels, mixed as the images are."""
        return _mixed(labels, transformation) if training else labels


@registry.layers.register("CutMix")
class CutMix(ImageLayer):
    """Pastes a part of another image of the batch into every image (Yun et al. 2019).

    In training only; labels are mixed by area. A single image stays as it is.

    Args:
        factor: Float f within [0, 1] (default 1.0), for (0, f), or pair: the range of alpha; the
            share of an image that stays is from Beta(alpha, alpha).
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Input shape:
        A dict with the keys `"images"` and `"labels"` (one-hot), or images.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
    >>> mixed = minikeras.layers.CutMix(seed=1)(data, training=True)
    >>> mixed["labels"].numpy().sum(axis=1).round(3).tolist()
    [1.0, 1.0]
    """

    moves = True
    options = ("factor", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = wide_range("factor", factor, 0, 1)
        self._seeded(seed)

    def draw(self, rng: Draws, batch: int, height: int, width: int, channels: int) -> Any:
        # A distribution with alpha 0 does not exist.
        alpha = float(rng(self.factor[0], self.factor[1], ())) + 1e-6
        share = np.sqrt(1 - rng.generator().beta(alpha, alpha, batch))
        columns, rows = _interval(rng, share, width), _interval(rng, share, height)
        area = (columns[1] - columns[0]) * (rows[1] - rows[0])
        return {
            "permutation_order": rng.generator().permutation(batch),
            "batch_masks": _box(rows, columns, height, width),
            "mix_weight": (1 - area / (width * height)).astype("float32"),
        }

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Random choices for a batch; None for a single image."""
        images = data["images"] if isinstance(data, dict) else data
        if len(images.shape) == 3:
            return None
        return super().get_random_transformation(data, training, seed)

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        if transformation is None:
            return images
        others = ops.take(images, plain(transformation["permutation_order"]), axis=0)
        return ops.where(plain(transformation["batch_masks"]), others, images)

    def transform_labels(
        self, labels: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The labels, mixed by area."""
        return _mixed(labels, transformation) if training and transformation else labels


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
