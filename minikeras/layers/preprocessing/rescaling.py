"""Rescaling of inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry, serialization
from minikeras.engine.variable import plain
from minikeras.layers.preprocessing.data_layer import DataLayer


@registry.layers.register("Rescaling")
class Rescaling(DataLayer):
    """`x * scale + offset`.

    Args:
        scale: Float, or list or array with one number a channel. `1 / 255` brings the pixels of an
            image into [0, 1].
        offset: Float, or list or array. Defaults to 0.0.
        **kwargs: `name`, `dtype`.

    Output shape:
        That of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.Rescaling(1 / 255)
    >>> layer(np.array([[0, 255]], "uint8")).numpy().tolist()
    [[0.0, 1.0]]
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def _per_channel(self, value: Any) -> np.ndarray:
        value = self._array(plain(value))
        if value.ndim and settings.image_data_format() == "channels_first":
            value = value.reshape(value.shape + (1,) * (3 - value.ndim))
        return value

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = np.asarray(x).dtype
        ctx.scale = self._per_channel(self.scale)
        return self._array(x) * ctx.scale + self._per_channel(self.offset)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return (dy * ctx.scale).astype(ctx.source, copy=False) if ctx.source.kind == "f" else None

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "scale": serialization.serialize(self.scale),
            "offset": serialization.serialize(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        for key in ("scale", "offset"):
            config[key] = serialization.deserialize(config.get(key, 0.0), None, custom_objects)
        return super().from_config(config)
