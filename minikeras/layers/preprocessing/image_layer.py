"""The base of layers that change images; layers one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine import dtypes, registry, serialization, tree
from minikeras.engine.layer import Layer, _accepts
from minikeras.engine.rng import SeedGenerator, draw_generator
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.normalization import DataLayer

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("reflect", "wrap", "constant", "nearest")


def wide_range(name: str, value: Any, low: float, high: float) -> tuple:
    """The range that a factor means: a pair, or a number f for (max(-f, low), f)."""
    if isinstance(value, (tuple, list)):
        if len(value) == 2 and value[0] <= high and value[1] >= low:
            lower, upper = sorted(value)
            return lower, upper
    elif isinstance(value, (int, float)) and low <= value <= high:
        return max(-abs(value), low), abs(value)
    raise ValueError(
        f"The `{name}` argument should be a number (or a list of two numbers) in the range"
        f" [{low}, {high}]. Received: {name}={value}"
    )


def strict_range(name: str, value: Any, low: float, high: float, signed: bool = True) -> tuple:
    """As `wide_range`, but both numbers must be in range and f means (-f, f), or (0, f)."""
    both = value if isinstance(value, (tuple, list)) else (value,)
    number = isinstance(value, (int, float))
    if not (number or len(both) == 2) or not all(low <= one <= high for one in both):
        raise ValueError(
            f"The `{name}` argument should be a number (or a list of two numbers) in the range"
            f" [{low}, {high}]. Received: {name}={value}"
        )
    if number:
        return (-abs(value), abs(value)) if signed else (0, value)
    lower, upper = sorted(value)
    return lower, upper


def value_limits(value_range: Any) -> list:
    """The smallest and the largest value of a pixel."""
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
        raise ValueError(
            "The `value_range` argument should be a list of two numbers. Received:"
            f" value_range={value_range}"
        )
    return sorted(value_range)


def choice(name: str, value: Any, allowed: tuple) -> Any:
    """`value`, which must be one of `allowed`."""
    if value not in allowed:
        raise NotImplementedError(f"Unknown `{name}` {value}. Expected one of {allowed}.")
    return value


def rescaled(x: Any, source: Any, target: Any) -> Any:
    """Values from one range in another."""
    if tuple(source) == tuple(target):
        return x
    share = (x - source[0]) / (source[1] - source[0])
    return share * (target[1] - target[0]) + target[0]


class Draws:
    """Random numbers for one transformation.

    Args:
        seed: Integer, `SeedGenerator` or None.
        dtype: Dtype of what is drawn.
    """

    def __init__(self, seed: Any, dtype: Any) -> None:
        # An integer stands for a stream: two draws differ.
        self.seed = SeedGenerator(int(seed)) if isinstance(seed, (int, np.integer)) else seed
        self.dtype = dtype

    def generator(self) -> np.random.Generator:
        """A NumPy generator for one draw."""
        return draw_generator(self.seed)

    def __call__(self, low: Any, high: Any, shape: tuple, dtype: Any = None) -> np.ndarray:
        """Uniform numbers from `low` to `high`."""
        values = self.generator().uniform(low, high, shape)
        return np.asarray(values, dtypes.numpy_dtype(dtype or self.dtype))

    def chance(self, factor: tuple, batch: int) -> np.ndarray:
        """Booleans that are True with a probability that is uniform in the range `factor`."""
        probability = self(factor[0], factor[1], (batch,), "float32")
        return self(0, 1, (batch,), "float32") < probability


def per_image(x: Any) -> np.ndarray:
    """One number an image, to be combined with a batch of images."""
    return np.asarray(plain(x)).reshape(-1, 1, 1, 1)


class ImageLayer(DataLayer):
    """A layer that changes images: one, a batch, or a dict with what belongs to them.

    A subclass defines `draw`, which makes the random choices for a batch (with `Draws`), and
    `change`, which carries them out on a batch of images in the compute dtype, channels last.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None (default: the global setting).
        bounding_box_format: String such as `"xyxy"` or `"rel_xywh"`, or None (default). Needed
            where there are bounding boxes in the data.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    # Names of the entries of the configuration besides `data_format`: attributes.
    options: tuple[str, ...] = ()
    # Whether pixels move: masks of segments then move too.
    moves = False
    # Whether it acts in inference too.
    always = False
    # Whether integers stay integers.
    keeps_dtype = False

    def __init__(
        self, data_format: Any = None, bounding_box_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if bounding_box_format is not None and not self._has_boxes():
            raise ValueError(
                f"{type(self).__name__} does not move bounding boxes. Leave out"
                " `bounding_box_format` and transform the boxes yourself. Received:"
                f" bounding_box_format={bounding_box_format!r}"
            )
        self.bounding_box_format = bounding_box_format
        self.data_format = standardize_data_format(data_format)

    def _seeded(self, seed: Any) -> None:
        self.seed = seed
        self.generator = SeedGenerator(seed)

    # For subclasses

    def draw(self, rng: Draws, batch: int, height: int, width: int, channels: int) -> Any:
        """The random choices for a batch, with the `Draws` in `rng`."""
        return None

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        """The changed images, from a batch with the channels last."""
        raise NotImplementedError

    def move_boxes(self, boxes: np.ndarray, transformation: Any, height: Any, width: Any) -> Any:
        """Where boxes of shape (batch, boxes, 4), in `"xyxy"`, are after the change."""
        raise NotImplementedError

    def resized(self, height: Any, width: Any) -> tuple:
        """Height and width of the result."""
        return height, width

    # The interface of Keras

    def _first(self) -> bool:
        return self.data_format == "channels_first"

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Random choices for `data`, to be given to `transform_images` and its like."""
        shape = tuple((data["images"] if isinstance(data, dict) else data).shape)
        if len(shape) not in (3, 4):
            raise ValueError(
                "Expected the input image to be rank 3 or 4. Give a single image, or a batch of"
                f" images. Received: data.shape={shape}"
            )
        if not (training or self.always):
            return None
        own = shape
        if self._first():
            shape = (*shape[:-3], *shape[-2:], shape[-3])
        batch = shape[0] if len(shape) == 4 else 1
        if seed is None:
            seed = self.__dict__.get("generator")
        drawn = self.draw(Draws(seed, self.compute_dtype), batch, *shape[-3:])
        if isinstance(drawn, dict) and self.moves:
            drawn["input_shape"] = own
        return drawn

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The images, changed as `transformation` says."""
        return self._transformed(images, transformation, training, None)

    def _transformed(self, images: Any, transformation: Any, training: Any, how: Any) -> Any:
        from minikeras import ops

        images = ops.convert_to_tensor(images)
        if not self.keeps_dtype:
            images = ops.cast(images, self.compute_dtype)
        if not (training or self.always):
            return images
        single = len(images.shape) == 3
        batch = ops.expand_dims(images, 0) if single else images
        batch = ops.moveaxis(batch, 1, -1) if self._first() else batch
        changed = self.change(batch, transformation, how)
        if not self.keeps_dtype:
            changed = ops.cast(changed, self.compute_dtype)
        changed = ops.moveaxis(changed, -1, 1) if self._first() else changed
        return ops.squeeze(changed, 0) if single else changed

    def transform_labels(
        self, labels: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The labels that belong to the changed images."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks that belong to the changed images."""
        if not self.moves:
            return segmentation_masks
        return self._transformed(segmentation_masks, transformation, training, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The boxes that belong to the changed images.

        Args:
            bounding_boxes: Dict of `"boxes"`, (boxes, 4) or (batch, boxes, 4), and `"labels"`.
            transformation: What `get_random_transformation` returned.
            training: Boolean, default True.

        Returns:
            The dict with the boxes where the images show them now, cut at the edges. The corners
            move as the pixels at these indices do. A box that is no longer there gets the label
            -1.

        Raises:
            ValueError: without a `bounding_box_format`, and if the layer cannot move boxes.
        """
        shape = transformation.get("input_shape") if isinstance(transformation, dict) else None
        return self._transformed_boxes(bounding_boxes, transformation, training, shape)

    def _transformed_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool, shape: Any
    ) -> Any:
        if not self._has_boxes() or self.bounding_box_format is None:
            raise ValueError(
                f"{type(self).__name__} received the key 'bounding_boxes'. "
                + (
                    "Say what they are, e.g. with `bounding_box_format='xyxy'`."
                    if self._has_boxes()
                    else "It does not move boxes: take them out and transform them yourself."
                )
            )
        if not self.moves or not (training or self.always):
            return bounding_boxes
        return self._moved(bounding_boxes, transformation, shape)

    def _has_boxes(self) -> bool:
        return not self.moves or type(self).move_boxes is not ImageLayer.move_boxes

    def _moved(self, bounding_boxes: dict, transformation: Any, shape: Any) -> dict:
        from minikeras.utils.bounding_boxes import clip_to_image_size, convert_format

        height = width = None
        if shape is not None:
            height, width = tuple(shape)[-2:] if self._first() else tuple(shape)[-3:-1]
        kind: Any = self.bounding_box_format
        boxes = convert_format(bounding_boxes["boxes"], kind, "xyxy", height, width)
        boxes = np.asarray(plain(boxes), "float32")
        if isinstance(transformation, dict):
            transformation = {key: plain(value) for key, value in transformation.items()}
        batch = boxes if boxes.ndim == 3 else boxes[None]
        moved = self.move_boxes(batch, transformation, height, width).astype("float32")
        if boxes.ndim == 2 and len(moved) == 1:
            moved = moved[0]
        height, width = self.resized(height, width)
        clipped = clip_to_image_size({**bounding_boxes, "boxes": moved}, height, width)
        return {**clipped, "boxes": convert_format(clipped["boxes"], "xyxy", kind, height, width)}

    # Calls

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(inputs, dict):
            inputs = tree.map_structure(
                lambda leaf: leaf if isinstance(leaf, (Tensor, KerasTensor)) else np.asarray(leaf),
                inputs,
            )
            # Past the conversion of plain lists, which would take the dict for one.
            return super(DataLayer, self).__call__(inputs, *args, **kwargs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, data: Any, training: bool = True) -> Any:
        """The changed data."""
        transformation = self.get_random_transformation(data, training=training)
        if not isinstance(data, dict):
            return self.transform_images(data, transformation, training=training)
        data = dict(data)
        shape = tuple(data["images"].shape)
        single = len(shape) == 3
        data["images"] = self.transform_images(data["images"], transformation, training=training)
        if "bounding_boxes" in data:
            data["bounding_boxes"] = (
                self._transformed_boxes(data["bounding_boxes"], transformation, training, shape)
                if self.moves
                else self.transform_bounding_boxes(data["bounding_boxes"], transformation, training)
            )
        for key in ("labels", "segmentation_masks"):
            if key in data:
                change = getattr(self, f"transform_{key}")
                change = self._one_by_one(change) if single and key == "labels" else change
                data[key] = change(data[key], transformation, training=training)
        return data

    @staticmethod
    def _one_by_one(change: Any) -> Any:
        from minikeras import ops

        def single(value: Any, *args: Any, **kwargs: Any) -> Any:
            return ops.squeeze(change(ops.expand_dims(value, 0), *args, **kwargs), 0)

        return single

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the result."""
        if isinstance(input_shape, dict):
            changed = dict(input_shape)
            for key in ("images", "segmentation_masks"):
                if key in changed:
                    changed[key] = self.compute_output_shape(changed[key])
            return changed
        shape = list(input_shape)
        if len(shape) not in (3, 4):
            raise ValueError(
                "Expected images of rank 3 (single image) or 4 (batch of images). Received:"
                f" input_shape={tuple(shape)}"
            )
        rows = slice(-2, None) if self._first() else slice(-3, -1)
        shape[rows] = self.resized(*shape[rows])
        return tuple(shape)

    def get_config(self) -> dict:
        """The configuration."""
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return {**config, **{name: getattr(self, name) for name in self.options}}


class ColorLayer(ImageLayer):
    """A layer with a factor, a range of values and a seed."""

    options: tuple[str, ...] = ("factor", "value_range", "seed")
    bounds = (0, 1)

    def __init__(self, factor: Any, value_range: Any, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor: Any = wide_range("factor", factor, *self.bounds)
        self.value_range = value_limits(value_range)
        self._seeded(seed)

    def draw(self, rng: Any, batch: int, height: int, width: int, channels: int) -> Any:
        return {"factor": rng(*self.factor, (batch,))}

    def limited(self, images: Any) -> Any:
        """Values cut off at the ends of the range."""
        from minikeras import ops

        return ops.clip(images, *self.value_range)  # type: ignore[attr-defined]


@registry.layers.register("Pipeline")
class Pipeline(Layer):
    """Layers applied one after the other, to tensors or to dicts of them.

    Args:
        layers: List of layers.
        name: String or None.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layers = [minikeras.layers.Resizing(4, 4), minikeras.layers.Rescaling(1 / 255)]
    >>> minikeras.layers.Pipeline(layers)(np.ones((8, 8, 3), "float32")).shape
    (4, 4, 3)
    """

    def __init__(self, layers: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._pipeline_layers = layers
        self.autocast = False

    @property
    def layers(self) -> Any:
        """The layers."""
        return self._pipeline_layers

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        for layer in self._pipeline_layers:
            accepts = _accepts(type(layer), "mask") and mask is not None
            inputs = layer(inputs, training=training, **({"mask": mask} if accepts else {}))
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that the last layer gives."""
        for layer in self._pipeline_layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict:
        """The configuration."""
        return {"layers": serialization.serialize(self._pipeline_layers), "name": self.name}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The layer that `get_config` described."""
        layers = config.get("layers")
        if not isinstance(layers, (list, tuple)):
            raise ValueError(
                "`Pipeline` config must contain a `layers` key mapping to a list of serialized"
                f" layers. Received config with layers={layers}."
            )
        made = [serialization.deserialize(one, None, custom_objects) for one in layers]
        return cls(**{**config, "layers": made})


@registry.layers.register("MaxNumBoundingBoxes")
class MaxNumBoundingBoxes(ImageLayer):
    """Brings the bounding boxes of every image to the same number.

    The first `max_number` are kept; missing ones are filled in.

    Args:
        max_number: Integer: the number of boxes.
        fill_value: Integer, default -1: boxes and labels that are filled in.
        **kwargs: `name`, `dtype`, and `bounding_box_format`, which must be given.

    Input shape:
        A dict with `"images"` and `"bounding_boxes"`: a dict of `"boxes"`, (batch, boxes, 4), and
        `"labels"`, (batch, boxes); or all without `batch`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    >>> boxes = {"boxes": np.ones((1, 2, 4)), "labels": np.array([[5, 6]])}
    >>> result = layer({"images": np.ones((1, 4, 4, 3)), "bounding_boxes": boxes})
    >>> result["bounding_boxes"]["labels"].numpy().tolist()
    [[5, 6, -1]]
    """

    options = ("max_number",)

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_number = int(max_number)
        self.fill_value = int(fill_value)

    def change(self, images: Any, transformation: Any, interpolation: str | None) -> Any:
        return images

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The boxes and labels, cut off or filled up."""
        from minikeras import ops

        boxes = super().transform_bounding_boxes(bounding_boxes)
        extra = set(boxes) - {"boxes", "labels"}
        if extra:
            raise KeyError(
                f"There are unsupported keys in `bounding_boxes`: {sorted(extra)}. Only `boxes` and"
                " `labels` are supported."
            )
        result = {}
        for key, rank in (("boxes", 2), ("labels", 1)):
            values = boxes[key]
            axis = len(values.shape) - rank
            kept = values[(slice(None),) * axis + (slice(self.max_number),)]
            width = [(0, 0)] * len(values.shape)
            width[axis] = (0, self.max_number - kept.shape[axis])
            result[key] = ops.pad(kept, width, constant_values=self.fill_value)
        return result

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the input, with the number of boxes."""
        if not isinstance(input_shape, dict) or "bounding_boxes" not in input_shape:
            return super().compute_output_shape(input_shape)
        shapes = dict(input_shape["bounding_boxes"])
        for key, rank in (("boxes", 2), ("labels", 1)):
            shape = list(shapes[key])
            shape[-rank] = self.max_number
            shapes[key] = tuple(shape)
        return {**input_shape, "bounding_boxes": shapes}
