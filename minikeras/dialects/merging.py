"""`merge` and `Merge` of Keras 1, and the convolutions whose arguments it took in another order."""

from __future__ import annotations

from typing import Any

from minikeras import layers, models
from minikeras.dialects import backend_graph, configs, constructors, warn_once
from minikeras.engine import registry


def Merge(
    layers: Any = None,
    mode: Any = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: dict | None = None,
    node_indices: Any = None,
    tensor_indices: Any = None,
    name: str | None = None,
) -> Any:
    """The merging layer of today for a mode of Keras 1; of whole models, a model with all inputs.

    Args:
        layers: None, to call the result on a list of tensors; or a list of models (or of layers
            that were called), whose outputs are merged.
        mode: `"sum"`, `"mul"`, `"ave"`, `"max"`, `"concat"`, `"dot"`, `"cos"`, or a function of
            the list of tensors.
        concat_axis, dot_axes: The axes of those modes.
        output_shape: With a function: shape without the batch axis, or function of the list of
            shapes.
        output_mask: With a function: mask, or function of the list of masks.
        arguments: With a function: its further keyword arguments.
        node_indices, tensor_indices: None: each of `layers` is taken at its first call.
        name: String. Defaults to an automatic name.

    Raises:
        ValueError: for another mode, or fewer than two `layers`.
    """
    for key, value in (("node_indices", node_indices), ("tensor_indices", tensor_indices)):
        if value is not None and any(value):
            raise ValueError(
                f"Argument `{key}` of `Merge` is not supported. Make a functional model of the"
                " tensors: `layers.concatenate([left.get_output_at(1), right.output])`."
            )
    layer = _layer_of(mode, concat_axis, dot_axes, output_shape, output_mask, arguments, name)
    if layers is None:
        return layer
    if not isinstance(layers, (list, tuple)) or len(layers) < 2:
        raise ValueError(
            "Argument `layers` of `Merge` must be a list of two or more models or layers. Received:"
            f" {layers!r}"
        )
    outputs = [_output_of(one) for one in layers]
    inputs: list = []
    for tensor, one in zip(outputs, layers):
        for found in one.inputs if hasattr(one, "inputs") else backend_graph._inputs_of([tensor]):
            if not any(found is seen for seen in inputs):
                inputs.append(found)
    made = models.Model(inputs, layer(outputs), name=name and f"{name}_model")
    return made


def _output_of(branch: Any) -> Any:
    try:
        return branch.output
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"`Merge` needs models that know the shapes of their inputs. Give the first layer of"
            f" {getattr(branch, 'name', branch)!r} an `input_shape`. ({error})"
        ) from error


def _layer_of(
    mode: Any,
    concat_axis: int,
    dot_axes: Any,
    output_shape: Any,
    output_mask: Any,
    arguments: dict | None,
    name: str | None,
) -> Any:
    if callable(mode):
        warn_once("merge(mode=function)", "layers.Lambda(function)(tensors)")
        return layers.Lambda(
            mode, output_shape=output_shape, mask=output_mask, arguments=arguments, name=name
        )
    configs.make_old_objects_known()
    home, config = configs._merge_layer(
        {"mode": mode, "concat_axis": concat_axis, "dot_axes": dot_axes, "name": name}
    )
    warn_once(f"merge(mode={mode!r})", f"layers.{home}()")
    config = {key: value for key, value in config.items() if value is not None}
    return registry.layers.lookup(home, "mode")(**config)


def merge(inputs: Any, mode: Any = "sum", *args: Any, **options: Any) -> Any:
    """The tensors merged as a mode of Keras 1 says; see `Merge`."""
    return Merge(None, mode, *args, **options)(inputs)


class _Renamed(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])


def _make(cls: type, today: type, args: tuple, kwargs: dict) -> Any:
    count = 3 if today.__name__.startswith("Conv3D") else 2
    sizes = args[1 : count + 1]
    orders = constructors.DILATED if cls.__name__.startswith("Atrous") else constructors.POSITIONAL
    if len(sizes) == count and all(type(one) is int for one in sizes):
        name, shape = cls.__name__, ", ".join(map(str, sizes))
        warn_once(f"{name}(n, {shape})", f"{today.__name__}(n, ({shape}))")
        args, kwargs = constructors.translate(  # type: ignore[misc]
            today, args, kwargs, True, quiet=True, positional=orders
        )
    return today(*args, **kwargs)


def _old_class(name: str, today: type) -> type:
    """`today`, under a name of Keras 1 whose sizes of the kernel are arguments one by one."""

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        if cls is not made:
            return today.__new__(cls, *args, **kwargs)  # type: ignore[call-overload]
        return _make(cls, today, args, kwargs)

    text = f"`{today.__name__}`; sizes of the kernel may be numbers one by one, as in Keras 1."
    made = _Renamed(name, (today,), {"__new__": __new__, "__doc__": text, "__module__": __name__})
    return made


Convolution2D = _old_class("Convolution2D", layers.Conv2D)
AtrousConvolution2D = _old_class("AtrousConvolution2D", layers.Conv2D)
SeparableConvolution2D = _old_class("SeparableConvolution2D", layers.SeparableConv2D)
Deconvolution2D = _old_class("Deconvolution2D", layers.Conv2DTranspose)
Convolution3D = _old_class("Convolution3D", layers.Conv3D)


def AtrousConvolution1D(*args: Any, **kwargs: Any) -> Any:
    """`Conv1D` with the arguments of Keras 1, of which the rate is one."""
    if len(args) > 2 and isinstance(args[2], str):
        args, kwargs = constructors.translate(  # type: ignore[misc]
            layers.Conv1D, args, kwargs, True, positional=constructors.DILATED
        )
    return layers.Conv1D(*args, **kwargs)
