"""Arguments of constructors in the spelling of Keras 1 and 2; `merge` and `Merge`."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from minikeras import layers, models, ops
from minikeras.dialects import backend_graph, configs, constructors, warn_once
from minikeras.engine import registry
from minikeras.engine.registry import auto_name
from minikeras.engine.variable import plain, standardize_shape

# Not for `configs`, where they are found elsewhere in the file.
_NOT_GONE = ("input_dim", "input_dtype", "input_length", "batch_input_shape", "filters")
_MORE_NAMES = {
    "Model": {"input": "inputs", "output": "outputs"},
    "Reshape": {"dims": "target_shape"},
}
_SEQUENCES = ("SimpleRNN", "LSTM", "GRU", "Conv1D", "LocallyConnected1D", "Dense")
# Positional arguments of Keras 1, for layers that have another order today.
_DENSE = ("output_dim", "init", "activation", "weights")
_REGULARIZED = ("W_regularizer", "b_regularizer", "activity_regularizer")
_CONSTRAINED = ("W_constraint", "b_constraint", "bias")
_TAIL = (*_REGULARIZED, *_CONSTRAINED)
_GATES = ("output_dim", "init", "inner_init")
_GATES_TAIL = ("W_regularizer", "U_regularizer", "b_regularizer", "dropout_W", "dropout_U")
_CONV_1D = ("nb_filter", "filter_length", "init", "activation", "weights", "border_mode")
_CONV_2D = ("nb_filter", "nb_row", "nb_col", "init", "activation", "weights", "border_mode")
_CONV_3D = ("nb_filter", "kernel_dim1", "kernel_dim2", "kernel_dim3", *_CONV_2D[3:])
_IMAGES = ("subsample", "dim_ordering", *_TAIL)
_POOL = ("pool_size", "strides", "border_mode", "dim_ordering")
POSITIONAL: dict[str, tuple] = {
    "Dense": (*_DENSE, *_TAIL, "input_dim"),
    "MaxoutDense": ("output_dim", "nb_feature", "init", "weights", *_TAIL, "input_dim"),
    "Highway": ("init", "transform_bias", "activation", "weights", *_TAIL, "input_dim"),
    "Conv1D": (*_CONV_1D, "subsample_length", *_TAIL, "input_dim", "input_length"),
    "LocallyConnected1D": (*_CONV_1D, "subsample_length", *_TAIL, "input_dim", "input_length"),
    "Conv2D": (*_CONV_2D, *_IMAGES),
    "LocallyConnected2D": (*_CONV_2D, *_IMAGES),
    "Conv3D": (*_CONV_3D, *_IMAGES),
    "Conv2DTranspose": (*_CONV_2D[:3], "output_shape", *_CONV_2D[3:], *_IMAGES),
    "SeparableConv2D": (
        *_CONV_2D, "subsample", "depth_multiplier", "dim_ordering", "depthwise_regularizer",
        "pointwise_regularizer", "b_regularizer", "activity_regularizer", "depthwise_constraint",
        "pointwise_constraint", "b_constraint", "bias",
    ),
    "SimpleRNN": (*_GATES, "activation", *_GATES_TAIL),
    "LSTM": (*_GATES, "forget_bias_init", "activation", "inner_activation", *_GATES_TAIL),
    "GRU": (*_GATES, "activation", "inner_activation", *_GATES_TAIL),
    "ConvLSTM2D": (
        *_CONV_2D[:3], "init", "inner_init", "forget_bias_init", "activation", "inner_activation",
        "dim_ordering", "border_mode", "subsample", *_GATES_TAIL,
    ),
    "Embedding": (
        "input_dim", "output_dim", "init", "input_length", "W_regularizer",
        "activity_regularizer", "W_constraint", "mask_zero", "weights", "dropout",
    ),
    "BatchNormalization": (
        "epsilon", "mode", "axis", "momentum", "weights", "beta_init", "gamma_init",
        "gamma_regularizer", "beta_regularizer",
    ),
    "PReLU": ("init", "weights", "shared_axes"),
    "ZeroPadding2D": ("padding", "dim_ordering"),
    "ZeroPadding3D": ("padding", "dim_ordering"),
    "Cropping2D": ("cropping", "dim_ordering"),
    "Cropping3D": ("cropping", "dim_ordering"),
    "UpSampling2D": ("size", "dim_ordering"),
    "UpSampling3D": ("size", "dim_ordering"),
    "SpatialDropout2D": ("p", "dim_ordering"),
    "SpatialDropout3D": ("p", "dim_ordering"),
    **dict.fromkeys(
        ("MaxPooling2D", "MaxPooling3D", "AveragePooling2D", "AveragePooling3D"), _POOL
    ),
    **dict.fromkeys(
        (
            "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalAveragePooling2D",
            "GlobalAveragePooling3D",
        ),
        ("dim_ordering",),
    ),
}  # fmt: skip
# A dilated convolution of Keras 1 has its rate after the strides.
DILATED = {
    name: (*order[:place], "atrous_rate", *order[place:])
    for name, order, place in (
        ("Conv1D", POSITIONAL["Conv1D"], 7),
        ("Conv2D", POSITIONAL["Conv2D"], 8),
    )
}


def _table(cls: type) -> tuple[str, dict]:
    """Name of the nearest class that has old names, and the names."""
    for base in cls.__mro__:
        name = base.__name__
        if base.__module__.startswith("minikeras.") and (
            name in configs.RENAMED_ARGUMENTS or name in _MORE_NAMES
        ):
            return name, {**configs.RENAMED_ARGUMENTS.get(name, {}), **_MORE_NAMES.get(name, {})}
    return cls.__name__, {}


def translate(
    cls: type,
    args: tuple,
    kwargs: dict,
    ordered: bool = False,
    quiet: bool = False,
    positional: dict[str, tuple] = POSITIONAL,
) -> tuple | None:
    """Arguments in today's spelling; None if they are in it already, or in none.

    Args:
        cls: The class.
        args: Positional arguments.
        kwargs: Keyword arguments.
        ordered: Whether positional arguments are known to be in the order of Keras 1.
        quiet: Whether the caller warns itself.
        positional: That order, by layer.
    """
    name, renamed = _table(cls)
    order = positional.get(name, ())
    found = [key for key in kwargs if renamed.get(key, key) != key and not _both(cls, key)]
    first = bool(found or ordered or _ONLY_IN_KERAS_1 & set(kwargs))
    if first and order and (ordered or len(args) > 1):
        if not ordered:
            # `Dense(64, activation="relu", init="uniform")` begins alike in both.
            ordered = _is_ordered(name, args)
        if ordered:
            if len(args) > len(order):
                raise TypeError(
                    f"{cls.__name__} took at most {len(order)} positional arguments in Keras 1:"
                    f" {list(order)}. Received: {len(args)}"
                )
            twice = set(order[: len(args)]) & set(kwargs)
            if twice:
                raise TypeError(
                    f"{cls.__name__} received {sorted(twice)} by position, in the order of Keras 1,"
                    " and by name."
                )
            kwargs = {**dict(zip(order, args)), **kwargs}
            if not quiet and len(args) > 1:
                listed = ", ".join(order[: len(args)])
                warn_once(f"{cls.__name__}({listed})", f"{cls.__name__} with these by name")
            args = ()
            found = [key for key in kwargs if renamed.get(key, key) != key and not _both(cls, key)]
    if first and args:
        args, kwargs = _by_todays_names(cls, args, kwargs)
    new = dict(kwargs)
    for key in found:
        target = renamed[key]
        if target in kwargs:
            raise ValueError(
                f"{cls.__name__} received both `{target}` and `{key}`, which is its name in an"
                f" older Keras. Pass `{target}` alone."
            )
        new[target] = new.pop(key)
        if not (quiet or ordered):
            warn_once(f"{cls.__name__}({key}=...)", f"{cls.__name__}({target}=...)")
    if first:
        configs.make_old_objects_known()
        special = configs._SPECIAL.get(name)
        if special is not None and name != "Lambda":
            special(new, name, 1)
        for key, value in new.items():
            if isinstance(value, (str, dict)):
                new[key] = configs._value(key, value, 1)
            elif key.endswith("initializer") and inspect.isroutine(value):
                new[key] = _initializer_of_keras_1(value)
        length = new.get("input_length") if name == "Embedding" else None
        if length is not None and not {"batch_shape", "batch_input_shape"} & set(new):
            del new["input_length"]
            new.setdefault(
                "input_shape", tuple(length) if hasattr(length, "__len__") else (length,)
            )
    changed = _drop_gone(cls, name, new)
    changed |= _shape_of_sequence(cls, name, new)
    if name.startswith("AveragePooling") and not args and "pool_size" not in new:
        new["pool_size"], changed = 2, True
        warn_once(f"{name}()", f"{name}(pool_size=2)")
    if first or changed:
        return args, new
    return None


def _by_todays_names(cls: type, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Positional arguments by the names that they have today, so that defaults do not meet them."""
    taken = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [one.name for one in taken if one.kind in kinds]
    if len(args) > len(names) or set(names[: len(args)]) & set(kwargs):
        return args, kwargs  # the constructor says what is wrong
    return (), {**dict(zip(names, args)), **kwargs}


# No layer of today knows these.
_ONLY_IN_KERAS_1 = {
    "nb_row", "nb_col", "kernel_dim1", "forget_bias_init", "dim_ordering", "atrous_rate",
}  # fmt: skip


def _is_ordered(name: str, args: tuple) -> bool:
    """Whether arguments that came with keywords of Keras 1 are in its order too."""
    if name in ("Conv2D", "SeparableConv2D", "LocallyConnected2D", "Conv2DTranspose", "Conv3D"):
        return all(isinstance(one, int) for one in args[1:3]) and len(args) > 2
    if name in ("Dense", "LSTM", "GRU", "SimpleRNN"):
        return isinstance(args[1], str) and registry.activations.find(args[1]) is None
    return True


def _initializer_of_keras_1(function: Any) -> Any:
    """A function `(shape, name=None)` that makes a variable, as today's `(shape, dtype)`."""
    taken = inspect.signature(function).parameters
    if "dtype" in taken:
        return function

    def initialize(shape: Any, dtype: Any = None, **_: Any) -> Any:
        options = {"name": None} if "name" in taken else {}
        return ops.convert_to_tensor(np.asarray(plain(function(shape, **options))), dtype)

    initialize.__name__ = getattr(function, "__name__", "initialize")
    return initialize


def _both(cls: type, key: str) -> bool:
    """Whether today's constructor has the name too, with a meaning of its own."""
    from minikeras.engine.spelling import known_keywords

    return key in (known_keywords(cls) or ())


def _drop_gone(cls: type, name: str, kwargs: dict) -> bool:
    changed = False
    for table in (configs._GONE, configs._GONE_OF.get(name, {})):
        for key, harmless in table.items():
            if key not in kwargs or key in _NOT_GONE or _both(cls, key):
                continue
            given = kwargs[key]
            plain_value = given is None or isinstance(given, (bool, int, float, str))
            if configs.any_value in harmless or plain_value and given in harmless:
                del kwargs[key]
                warn_once(f"{cls.__name__}({key}=...)", f"{cls.__name__}() without `{key}`")
                changed = True
    return changed


def _shape_of_sequence(cls: type, name: str, kwargs: dict) -> bool:
    """`input_length` and `input_dim` of layers of sequences, as `input_shape`."""
    if name not in _SEQUENCES or "input_length" not in kwargs and "input_dim" not in kwargs:
        return False
    if name == "Dense" and "input_length" not in kwargs:
        return False
    length, width = kwargs.pop("input_length", None), kwargs.pop("input_dim", None)
    if width is not None and "input_shape" not in kwargs:
        kwargs["input_shape"] = (length, width)
    old = f"{cls.__name__}(input_dim=..., input_length=...)"
    warn_once(old, f"{cls.__name__}(input_shape=(length, width))")
    return True


def construct(cls: type, args: tuple, kwargs: dict, ordered: bool = False) -> Any:
    """An instance of `cls` from arguments in an old spelling; None if they are in none."""
    translated = translate(cls, args, kwargs, ordered)
    args, kwargs = translated or (args, kwargs)
    for (name, key), other in configs.OTHER_LAYERS.items():
        if key in kwargs and cls.__name__ == name and cls.__module__.startswith("minikeras."):
            warn_once(f"{name}({key}=...)", f"{name}() without `{key}`, which is gone")
            configs.make_old_objects_known()
            kwargs.setdefault("name", auto_name(name))
            return registry.layers.lookup(other, "class_name")(*args, **kwargs)
    return None if translated is None else cls(*args, **kwargs)


# What every layer took


def take_leftovers(layer: Any, leftovers: dict) -> dict:
    """Set what an old spelling says in keywords that no constructor took; returns the rest."""
    leftovers = dict(leftovers)
    name = type(layer).__name__
    shape = leftovers.pop("batch_input_shape", None)
    if shape is not None:
        warn_once(f"{name}(batch_input_shape=...)", f"{name}(batch_shape=...)")
        layer._batch_input_shape = standardize_shape(shape)
    weights = leftovers.pop("weights", None)
    if weights is not None:
        warn_once(f"{name}(weights=...)", f"{name}(); then build it and `set_weights`")
        layer.__dict__["_post_build"] = functools.partial(_set_first_weights, layer, weights)
    return leftovers


def _set_first_weights(layer: Any, weights: Any) -> None:
    del layer.__dict__["_post_build"]
    layer._post_build()
    layer.set_weights(list(weights))


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
        # Word2vec was once taught with 0, the axis of the batch.
        {"mode": mode, "concat_axis": concat_axis, "dot_axes": dot_axes or 1, "name": name}
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
