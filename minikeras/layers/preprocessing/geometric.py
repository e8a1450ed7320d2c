"""Layers that move the pixels of images at random, in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.image_layer import (
    FILL_MODES,
    INTERPOLATIONS,
    ImageLayer,
    choice,
    per_image,
    strict_range,
    wide_range,
)


@registry.layers.register("RandomFlip")
class RandomFlip(ImageLayer):
    """Mirrors half of the images, in training.

    Args:
        mode: `"horizontal"`, `"vertical"`, or `"horizontal_and_vertical"` (default: both at once).
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomFlip("horizontal", seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    moves = True
    options = ("seed", "mode")
    MODES = ("horizontal", "vertical", "horizontal_and_vertical")

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if mode not in self.MODES:
            raise ValueError(
                f"Argument `mode` must be one of {self.MODES}. Received: mode={mode!r}"
            )
        self._seeded(seed)
        self.mode = mode

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return {"flips": rng(0, 1, (batch, 1, 1, 1)) <= 0.5}

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        axes = {"horizontal": (2,), "vertical": (1,)}.get(self.mode, (1, 2))
        flips = per_image(transformation["flips"])
        return ops.where(flips, ops.flip(images, axis=axes), images)

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        left, top, right, bottom = np.moveaxis(boxes, -1, 0)
        if self.mode != "vertical":
            left, right = width - right, width - left
        if self.mode != "horizontal":
            top, bottom = height - bottom, height - top
        flips = np.asarray(transformation["flips"]).reshape(-1, 1, 1)
        return np.where(flips, np.stack([left, top, right, bottom], axis=-1), boxes)


def _around(boxes: np.ndarray, move: Callable) -> np.ndarray:
    """The boxes around the corners of boxes, each moved by `move(x, y)`."""
    left, top, right, bottom = np.moveaxis(boxes, -1, 0)
    corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
    x, y = np.array([move(*corner) for corner in corners]).swapaxes(0, 1)
    return np.stack([x.min(axis=0), y.min(axis=0), x.max(axis=0), y.max(axis=0)], axis=-1)


class _Affine(ImageLayer):
    """A layer that reads images at places that are moved by a matrix."""

    moves = True

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.fill_mode = choice("fill_mode", fill_mode, FILL_MODES)
        self.interpolation = choice("interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = fill_value
        self._seeded(seed)

    def matrix(self, transformation: Any, height: int, width: int) -> list:
        """The six coefficients a to f of x' = a x + b y + c, y' = d x + e y + f."""
        raise NotImplementedError

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        rows = self.matrix(
            {key: plain(value) for key, value in transformation.items()}, *images.shape[1:3]
        )
        columns = np.broadcast_arrays(*[np.asarray(row, "float32") for row in (*rows, 0, 0)])
        return ops.image.affine_transform(
            images,
            np.stack(columns, axis=-1),
            interpolation=interpolation or self.interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format="channels_last",
        )

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        # The matrix says where a pixel comes from; this is where it goes.
        a, b, c, d, e, f = (
            np.asarray(row, "float32").reshape(-1, 1)
            for row in self.matrix(transformation, height, width)
        )
        area = a * e - b * d

        def move(x: Any, y: Any) -> tuple:
            x, y = x - c, y - f
            return (e * x - b * y) / area, (a * y - d * x) / area

        return _around(boxes, move)


@registry.layers.register("RandomRotation")
class RandomRotation(_Affine):
    """Turns images by random angles about their middle, in training.

    Args:
        factor: Float f, for angles in (-f, f), or pair. The unit is a whole turn; positive values
            turn counter-clockwise.
        fill_mode: What is outside: `"reflect"` (default), `"constant"`, `"nearest"`, `"wrap"`.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: Integer or None (default).
        fill_value: Float, default 0.0: what is outside with `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomRotation((0.25, 0.25))
    >>> layer(np.arange(4.0).reshape(2, 2, 1), training=True).numpy()[..., 0].round(3).tolist()
    [[1.0, 3.0], [0.0, 2.0]]
    """

    options = ("factor", "fill_mode", "fill_value", "interpolation", "seed")

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = wide_range("factor", factor, -1, 1)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return {"angle": rng(self.factor[0] * 360, self.factor[1] * 360, (batch,))}

    def matrix(self, transformation: Any, height: int, width: int) -> list:
        angle = np.deg2rad(transformation["angle"].astype("float32"))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return [cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos]


@registry.layers.register("RandomZoom")
class RandomZoom(_Affine):
    """Makes images larger or smaller about their middle at random, in training.

    Args:
        height_factor: Float f, for factors in (-f, f), or pair. Negative values zoom in, positive
            values zoom out: 0.2 shows 20 % more.
        width_factor: Likewise. None (default) takes the factor of the height, so that proportions
            stay.
        fill_mode: What is outside: `"reflect"` (default), `"constant"`, `"nearest"`, `"wrap"`.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: Integer or None (default).
        fill_value: Float, default 0.0: what is outside with `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomZoom((-0.5, -0.5))
    >>> layer(np.arange(4.0).reshape(1, 4, 1), training=True).numpy().ravel().tolist()
    [0.75, 1.25, 1.75, 2.25]
    """

    options = (
        "height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value",
    )  # fmt: skip

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        # -1 itself would show a single point.
        low = np.nextafter(-1.0, 0.0)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.height_lower, self.height_upper = strict_range("height_factor", height_factor, low, 1)
        if width_factor is not None:
            self.width_lower, self.width_upper = strict_range("width_factor", width_factor, low, 1)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        down = rng(1 + self.height_lower, 1 + self.height_upper, (batch, 1))
        if self.width_factor is None:
            return {"height_zoom": down, "width_zoom": down}
        across = rng(1 + self.width_lower, 1 + self.width_upper, (batch, 1))
        return {"height_zoom": down, "width_zoom": across}

    def matrix(self, transformation: Any, height: int, width: int) -> list:
        y = transformation["height_zoom"].astype("float32")[:, 0]
        x = transformation["width_zoom"].astype("float32")[:, 0]
        return [x, 0, (width - 1) / 2 * (1 - x), 0, y, (height - 1) / 2 * (1 - y)]


@registry.layers.register("RandomTranslation")
class RandomTranslation(_Affine):
    """Shifts images at random, in training.

    Args:
        height_factor: Float f, for shifts in (-f, f), or pair, as shares of the height. Positive
            values shift down.
        width_factor: Likewise; positive values shift to the right.
        fill_mode: What is outside: `"reflect"` (default), `"constant"`, `"nearest"`, `"wrap"`.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: Integer or None (default).
        fill_value: Float, default 0.0: what is outside with `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomTranslation(0, (0.25, 0.25), fill_mode="constant")
    >>> layer(np.arange(1.0, 5).reshape(1, 4, 1), training=True).numpy().ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    options = (
        "height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value",
    )  # fmt: skip

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.height_lower, self.height_upper = strict_range("height_factor", height_factor, -1, 1)
        self.width_lower, self.width_upper = strict_range("width_factor", width_factor, -1, 1)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        down = height * rng(self.height_lower, self.height_upper, (batch, 1))
        across = width * rng(self.width_lower, self.width_upper, (batch, 1))
        return {"translations": np.concatenate([across, down], axis=1).astype("float32")}

    def matrix(self, transformation: Any, height: int, width: int) -> list:
        across, down = transformation["translations"].T
        return [1, 0, -across, 0, 1, -down]


@registry.layers.register("RandomShear")
class RandomShear(_Affine):
    """Slants images at random, in training.

    Args:
        x_factor: Float f, for factors in (-f, f), or pair within [0, 1]: how far to the side, as a
            share of the height. The sign is random.
        y_factor: Likewise, up and down.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_mode: What is outside: `"reflect"` (default), `"constant"`, `"nearest"`, `"wrap"`.
        fill_value: Float, default 0.0: what is outside with `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        seed: Integer or None (default).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomShear(x_factor=0.3, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    options = ("x_factor", "y_factor", "fill_mode", "interpolation", "seed", "fill_value")

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.x_factor = strict_range("x_factor", x_factor, 0, 1)
        self.y_factor = strict_range("y_factor", y_factor, 0, 1)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        sign = np.sign(rng(-1, 1, (batch, 1)))
        factors = [rng(*factor, (batch, 1)) for factor in (self.x_factor, self.y_factor)]
        return {"shear_factor": sign * np.concatenate(factors, axis=1)}

    def matrix(self, transformation: Any, height: int, width: int) -> list:
        x, y = transformation["shear_factor"].T
        return [1, x, 0, y, 1, 0]

    def get_config(self) -> dict:
        """The configuration."""
        config = super().get_config()
        for name in ("x_factor", "y_factor"):
            lower, upper = config[name]
            # A number, which the constructor takes; it takes no negative ones.
            if lower == -upper:
                config[name] = upper
        return config


@registry.layers.register("RandomPerspective")
class RandomPerspective(ImageLayer):
    """Moves the corners of images at random, in training.

    Args:
        factor: Float within [0, 1] (default 1.0) or pair: the range that the probability to
            change an image is taken from.
        scale: Float within [0, 1], default 1.0: how far corners move.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_value: Float, default 0.0: what is outside.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomPerspective(scale=0.3, seed=1)
    >>> layer(np.ones((2, 4, 4, 3), "float32"), training=True).shape
    (2, 4, 4, 3)
    """

    moves = True
    options = ("factor", "scale", "interpolation", "fill_value", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = wide_range("factor", factor, 0, 1)
        if not 0 <= scale <= 1:
            raise ValueError(
                "The `scale` argument should be a number in the range [0,1]. Received:"
                f" scale={scale}"
            )
        self.scale = scale
        self.interpolation = choice("interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = fill_value
        self._seeded(seed)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        apply = rng.chance(self.factor, batch)
        moved = rng(-0.5 * self.scale, 0.5 * self.scale, (batch, 4, 2), "float32")
        right, bottom = width - 1, height - 1
        corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], "float32")
        start = np.repeat(corners[None], batch, axis=0)
        return {
            "apply_perspective": apply,
            "start_points": start,
            "end_points": start + start * moved,
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        outputs = ops.image.perspective_transform(
            images,
            transformation["start_points"],
            transformation["end_points"],
            interpolation=interpolation or self.interpolation,
            fill_value=self.fill_value,
            data_format="channels_last",
        )
        apply = per_image(transformation["apply_perspective"])
        return ops.where(apply, outputs, images)

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        from minikeras.ops.geometry import PerspectiveTransform

        ends, starts = transformation["end_points"], transformation["start_points"]
        terms = PerspectiveTransform().matrix(len(boxes), ends, starts)[..., None]

        def move(x: Any, y: Any) -> tuple:
            depth = terms[:, 6] * x + terms[:, 7] * y + 1
            return (
                (terms[:, 0] * x + terms[:, 1] * y + terms[:, 2]) / depth,
                (terms[:, 3] * x + terms[:, 4] * y + terms[:, 5]) / depth,
            )

        apply = np.asarray(transformation["apply_perspective"]).reshape(-1, 1, 1)
        return np.where(apply, _around(boxes, move), boxes)


@registry.layers.register("RandomElasticTransform")
class RandomElasticTransform(ImageLayer):
    """Bends images at random (Simard et al. 2003), in training.

    Args:
        factor: Float within [0, 1] (default 1.0) or pair: the range that the probability to
            change an image is taken from.
        scale: Float within [0, 1] (default 1.0) or pair: how far pixels move.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_mode: What is outside: `"reflect"` (default), `"constant"`, `"nearest"`, `"wrap"`.
        fill_value: Float, default 0.0: what is outside with `fill_mode="constant"`.
        value_range: Pair, default (0, 255): what results are limited to.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input: `(batch, height, width, channels)`, or without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.RandomElasticTransform(seed=1)
    >>> layer(np.ones((2, 8, 8, 3), "float32"), training=True).shape
    (2, 8, 8, 3)
    """

    moves = True
    options = (
        "factor", "scale", "interpolation", "fill_mode", "fill_value", "value_range", "seed",
    )  # fmt: skip

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = wide_range("factor", factor, 0, 1)
        self.scale = wide_range("scale", scale, 0, 1)
        self.interpolation = choice("interpolation", interpolation, INTERPOLATIONS)
        self.fill_mode = choice("fill_mode", fill_mode, FILL_MODES)
        self.fill_value = fill_value
        self.value_range = value_range
        self._seeded(seed)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        if self.scale[1] == 0 or self.factor[1] == 0:
            return None
        return {
            "apply_transform": rng.chance(self.factor, batch),
            "distortion_factor": float(rng(*self.scale, ())),
            # The displacements themselves follow from this, so that masks move as the images do.
            "seed": int(rng(0, 2**31, (), "float64")),
        }

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        if transformation is None:
            return images
        height, width = images.shape[1:3]
        factor = float(transformation["distortion_factor"])
        bent = ops.image.elastic_transform(
            images,
            alpha=max(height, width) * 0.1 * factor,
            # Without width there is no bell curve to smooth the noise by.
            sigma=max(min(height, width) * 0.05 * factor, 1e-6),
            interpolation=interpolation or self.interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            seed=transformation["seed"],
            data_format="channels_last",
        )
        apply = per_image(transformation["apply_transform"])
        return ops.clip(ops.where(apply, bent, images), *self.value_range)  # type: ignore[attr-defined]
