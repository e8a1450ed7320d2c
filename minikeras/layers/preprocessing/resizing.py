"""Layers that bring images to another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.rng import make_default_seed
from minikeras.layers.preprocessing.image_layer import ImageLayer


class _Sized(ImageLayer):
    """A layer whose result has a given height and width."""

    moves = True
    always = True

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("height", height), ("width", width)):
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
                raise ValueError(
                    f"Argument `{name}` must be a positive integer. Received: {name}={value!r}"
                )
        self.height, self.width = height, width

    def resized(self, height: Any, width: Any) -> tuple:
        return self.height, self.width

    def _of_window(self, boxes: np.ndarray, top: int, left: int, height: int, width: int) -> Any:
        """Boxes in a window of the image that is brought to the size."""
        moved = boxes - np.array([left, top, left, top], "float32")
        across, down = self.width / width, self.height / height
        return moved * np.array([across, down, across, down], "float32")

    def _window(self, height: int, width: int) -> tuple[int, int]:
        """The largest height and width in an image with the proportions of the result."""
        tall, wide = int(width * self.height / self.width), int(height * self.width / self.height)
        return max(min(height, tall), 1), max(min(width, wide), 1)


@registry.layers.register("Resizing")
class Resizing(_Sized):
    """Resamples images to a height and width.

    Args:
        height: Integer.
        width: Integer.
        interpolation: `"bilinear"` (default), `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"` or
            `"lanczos5"`.
        crop_to_aspect_ratio: Boolean, default False. Whether to cut off the longer side first, so
            that nothing is distorted.
        pad_to_aspect_ratio: Boolean, default False. Whether to pad the shorter side first.
        fill_mode: `"constant"`, the only mode of padding.
        fill_value: Float, default 0.0. The padding.
        antialias: Boolean, default False. Whether to smooth before making images smaller.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or without `batch`.

    Output shape:
        The same with the new height and width. Integers stay integers.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Resizing(2, 4)(np.ones((8, 8, 3), "float32")).shape
    (2, 4, 3)
    """

    options = (
        "height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio",
        "fill_mode", "fill_value", "antialias",
    )  # fmt: skip
    keeps_dtype = True

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The boxes in the resized images. `transformation` is the height and width they had."""
        shape = None
        if transformation is not None:
            shape = (None, *transformation) if self._first() else (*transformation, None)
        return self._transformed_boxes(bounding_boxes, transformation, training, shape)

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        if height is None:
            raise ValueError(
                "Argument `transformation` must be the height and width of the images before they"
                " were resized, where boxes are transformed. Received: None"
            )
        if self.crop_to_aspect_ratio:
            tall, wide = self._window(height, width)
        elif self.pad_to_aspect_ratio:
            tall = max(height, int(width * self.height / self.width))
            wide = max(width, int(height * self.width / self.height))
        else:
            tall, wide = height, width
        moved = self._of_window(boxes, (height - tall) // 2, (width - wide) // 2, tall, wide)
        # Boxes that fill up, of zeros or of -1, are none.
        fills = [np.all(boxes == value, axis=-1, keepdims=True) for value in (-1, 0)]
        return np.where(fills[0] | fills[1], 0, moved)

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation or self.interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format="channels_last",
        )


@registry.layers.register("CenterCrop")
class CenterCrop(_Sized):
    """The middle of images.

    Images that are too small are resized: the largest part in the middle that has the right
    proportions is brought to the size.

    Args:
        height: Integer.
        width: Integer.
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or without `batch`.

    Output shape:
        The same with the new height and width.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.CenterCrop(1, 2)(np.arange(16.0).reshape(4, 4, 1)).numpy()[..., 0].tolist()
    [[5.0, 6.0]]
    """

    options = ("height", "width")

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)

    def _part(self, height: int, width: int) -> tuple:
        """Top, left, height and width of what is shown."""
        if height >= self.height and width >= self.width:
            tall, wide = self.height, self.width
        else:
            tall, wide = self._window(height, width)
        return (height - tall) // 2, (width - wide) // 2, tall, wide

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        return self._of_window(boxes, *self._part(height, width))

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        top, left, height, width = self._part(*images.shape[1:3])
        images = images[:, top : top + height, left : left + width]
        if (height, width) == (self.height, self.width):
            return images
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation or "bilinear",
            data_format="channels_last",
        )


@registry.layers.register("RandomCrop")
class RandomCrop(_Sized):
    """A part of the images: in training at random (the same for all images of a batch).

    In inference, and for images that are not larger than the part, the largest window in the
    middle that has the right proportions is resized.

    Args:
        height: Integer.
        width: Integer.
        seed: Integer or None (default).
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        name: String or None.
        **kwargs: `dtype`, `trainable`.

    Input shape:
        `(batch, height, width, channels)`, or without `batch`.

    Output shape:
        The same with the new height and width.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.RandomCrop(2, 3, seed=1)(np.ones((8, 8, 3)), training=True).shape
    (2, 3, 3)
    """

    options = ("height", "width", "seed")

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, name=name, **kwargs)
        self._seeded(make_default_seed() if seed is None else seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The top left corner of the part, or None for the middle."""
        return super().get_random_transformation(data, seed=seed) if training else None

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        if height <= self.height or width <= self.width:
            return None
        rows, columns = height - self.height, width - self.width
        # The draw may be rounded up to the end of the range.
        return min(int(rng(0, rows + 1, ())), rows), min(int(rng(0, columns + 1, ())), columns)

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        if transformation is not None:
            top, left = transformation
            return self._of_window(boxes, top, left, self.height, self.width)
        tall, wide = self._window(height, width)
        return self._of_window(boxes, (height - tall) // 2, (width - wide) // 2, tall, wide)

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        from minikeras import ops

        if transformation is not None:
            top, left = transformation
            return images[:, top : top + self.height, left : left + self.width]
        height, width = self._window(*images.shape[1:3])
        top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
        images = images[:, top : top + height, left : left + width]
        if (height, width) == (self.height, self.width):
            return images
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation or "bilinear",
            data_format="channels_last",
        )
