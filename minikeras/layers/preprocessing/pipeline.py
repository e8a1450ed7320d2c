"""Layers one after the other, and boxes in a fixed number."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry, serialization
from minikeras.engine.layer import Layer, _accepts
from minikeras.layers.preprocessing.image_layer import ImageLayer


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
