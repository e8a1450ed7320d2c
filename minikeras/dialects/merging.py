"""`merge` and `Merge` of Keras 1, and the convolutions whose arguments it took in another order."""

from __future__ import annotations

from typing import Any

from minikeras import layers
from minikeras.dialects import configs, constructors, warn_once
from minikeras.engine import registry


def Merge(
    layers: Any = None,
    mode: str = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    name: str | None = None,
) -> Any:
    """The merging layer of today for a mode of Keras 1.

    Args:
        layers: None. Call the result on a list of tensors.
        mode: `"sum"`, `"mul"`, `"ave"`, `"max"`, `"concat"`, `"dot"` or `"cos"`.
        concat_axis, dot_axes: The axes of those modes.
        name: String. Defaults to an automatic name.

    Raises:
        ValueError: for another mode, or where `layers` is given.
    """
    if layers is not None:
        raise ValueError(
            "`Merge` of whole models is not available. Make a functional model:"
            " `x = layers.concatenate([left.output, right.output])`, then"
            " `Model(left.inputs + right.inputs, x)`."
        )
    if callable(mode):
        raise ValueError("`mode` must be a string. For a function, use a `Lambda` layer.")
    configs.make_old_objects_known()
    home, config = configs._merge_layer(
        {"mode": mode, "concat_axis": concat_axis, "dot_axes": dot_axes, "name": name}
    )
    warn_once(f"merge(mode={mode!r})", f"layers.{home}()")
    config = {key: value for key, value in config.items() if value is not None}
    return registry.layers.lookup(home, "mode")(**config)


def merge(inputs: Any, mode: str = "sum", **options: Any) -> Any:
    """The tensors merged as a mode of Keras 1 says; see `Merge`."""
    return Merge(None, mode, **options)(inputs)


class _Renamed(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])


def _make(cls: type, today: type, args: tuple, kwargs: dict) -> Any:
    count = {"Conv2D": 2, "Conv3D": 3}[today.__name__]
    sizes = args[1 : count + 1]
    if len(sizes) == count and all(type(one) is int for one in sizes):
        name, shape = cls.__name__, ", ".join(map(str, sizes))
        warn_once(f"{name}(n, {shape})", f"{today.__name__}(n, ({shape}))")
        args, kwargs = constructors.translate(today, args, kwargs, old=True)  # type: ignore
    return today(*args, **kwargs)


class Convolution2D(layers.Conv2D, metaclass=_Renamed):
    """`Conv2D`; three numbers are filters, rows and columns of the kernel, as in Keras 1."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is not Convolution2D:
            return layers.Conv2D.__new__(cls, *args, **kwargs)
        return _make(cls, layers.Conv2D, args, kwargs)


class Convolution3D(layers.Conv3D, metaclass=_Renamed):
    """`Conv3D`; four numbers are filters and sizes of the kernel, as in Keras 1."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is not Convolution3D:
            return layers.Conv3D.__new__(cls, *args, **kwargs)
        return _make(cls, layers.Conv3D, args, kwargs)
