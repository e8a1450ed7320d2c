"""Layers that erase parts of images, or mix the images of a batch, in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import plain
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
