"""Saved configurations of Keras 1 and 2 as those of Keras 3: dicts to dicts, by tables.

Nothing is imported, built or run here. A setting that has no meaning today and changes nothing is
dropped if it has the one value that changes nothing; otherwise it stays, and the constructor
refuses it by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from minikeras import config as settings

# Keras 1 name -> today's, where names say it all. One table a family.
_DENSE = {
    "output_dim": "units",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "W_constraint": "kernel_constraint",
    "b_regularizer": "bias_regularizer",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_POOL = {
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "stride": "strides",
    "pool_length": "pool_size",
}
_CONVOLUTION = {
    **_DENSE,
    **_POOL,
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
    "depthwise_init": "depthwise_initializer",
    "pointwise_init": "pointwise_initializer",
}
_RECURRENT = {
    **_DENSE,
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
_NORMALIZATION = {
    "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer",
}
_DROPOUT = {"p": "rate", "sigma": "stddev"}
_SPATIAL = {"dim_ordering": "data_format", "length": "size"}


def _each_rank(*names: str) -> list[str]:
    """Names of layers in 1, 2 and 3 dimensions; the last one is an ending."""
    return [f"{name}{names[-1]}{rank}D" for name in names[:-1] for rank in (1, 2, 3)]


_SPATIAL_DROPOUTS = _each_rank("Spatial", "Dropout")
RENAMED_ARGUMENTS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("Dense", "MaxoutDense", "Highway"), _DENSE),
    **dict.fromkeys(
        (
            "Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv2D",
            "Conv2DTranspose", "Conv3DTranspose", "LocallyConnected1D", "LocallyConnected2D",
        ),
        _CONVOLUTION,
    ),
    **dict.fromkeys(_each_rank("Max", "Average", "GlobalMax", "GlobalAverage", "Pooling"), _POOL),
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU", "ConvLSTM2D"), {**_CONVOLUTION, **_RECURRENT}),
    **dict.fromkeys(
        ("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", *_SPATIAL_DROPOUTS),
        {**_DROPOUT, **_SPATIAL},
    ),
    **dict.fromkeys(_each_rank("UpSampling", "ZeroPadding", "Cropping", ""), _SPATIAL),
    "BatchNormalization": _NORMALIZATION,
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "LeakyReLU": {"alpha": "negative_slope"},
    "PReLU": {"init": "alpha_initializer"},
    "InputLayer": {"batch_input_shape": "batch_shape"},
}  # fmt: skip

RENAMED_CLASSES: dict[str, str] = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "DenseV1": "Dense",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
    "LeakyRelu": "LeakyReLU",
}

# Gone settings, with the values that changed nothing. `any` stands for settings that only said how
# to compute, or that repeat what is known from elsewhere.
any_value = object()
_GONE: dict[str, tuple] = {
    "input_dtype": (any_value,),
    "input_length": (any_value,),
    "batch_input_shape": (any_value,),
    "consume_less": (any_value,),
    "implementation": (any_value,),
    "build_input_shape": (any_value,),
    "fused": (any_value,),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "renorm": (False, None),
    "sparse": (False, None),
    "ragged": (False, None),
    "optional": (False, None),
    "time_major": (False, None),
    "mode_type": (any_value,),
    "type_spec": (None,),
    "experimental_autocast": (True,),
    "autocast": (True,),
    "softmax_robust_masking": (False,),
    "query_shape": (any_value,),
    "key_shape": (any_value,),
    "value_shape": (any_value,),
    "synchronized": (any_value,),
    "dynamic": (False, None),
    "output_mask": (None,),
    "output_mask_type": (any_value,),
    "output_shape_type": (any_value,),
    "pad_to_max_tokens": (False,),
    "input_dim": (any_value,),
    "groups": (1,),
    "causal": (False,),
    "noise_shape": (None,),
}
_GONE_OF: dict[str, dict[str, tuple]] = {
    "Embedding": {"activity_regularizer": (None,), "dropout": (0.0, 0)},
    "BatchNormalization": {"mode": (0,)},
    "DepthwiseConv1D": {"filters": (any_value,)},
    "DepthwiseConv2D": {"filters": (any_value,)},
    "Discretization": {"max_bins": (None,)},
}
# Layers that are other layers where they have a setting that is not in its harmless state.
OTHER_LAYERS = {
    ("BatchNormalization", "mode"): "Keras1BatchNormalization",
    ("Embedding", "dropout"): "Keras1Embedding",
}
# Settings that some layers still have.
_KEPT_OF: dict[str, tuple] = {
    "Embedding": ("input_dim",),
    "GroupNormalization": ("groups",),
    "LocallyConnected1D": ("implementation",),
    "LocallyConnected2D": ("implementation",),
}
_INITIALIZERS = {
    "zero": "zeros",
    "one": "ones",
    "normal": {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.05, "seed": None}},
    "uniform": {
        "class_name": "RandomUniform",
        "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
    },
}
_WITHOUT_TRAINABLE = (*_SPATIAL_DROPOUTS, "Discretization")
_WRAPPED = ("layer", "backward_layer", "forward_layer", "cell")
_MODELS = ("Model", "Functional", "Sequential")
_RECURRENT_CLASSES = (
    "SimpleRNN",
    "LSTM",
    "GRU",
    "RNN",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Bidirectional",
)
OLD_HARD_SIGMOID = "keras2_hard_sigmoid"
_ACTIVATIONS = {
    "hard_sigmoid": OLD_HARD_SIGMOID,
    # Functions of TensorFlow, by the names that they have there.
    "softmax_v2": "softmax",
    "log_softmax_v2": "log_softmax",
}


def generation_of(version: Any, config: Any = None) -> int:
    """1, 2 or 3: which Keras wrote a config, by the version it names, else by its form."""
    if isinstance(version, str) and version[:1] in "123" and version[1:2] in (".", ""):
        return int(version[0])
    return _guess(config)


def _guess(config: Any) -> int:
    pending, seen = [config], 0
    generation = 2
    while pending and seen < 10_000:
        seen += 1
        item = pending.pop()
        if isinstance(item, dict):
            module = item.get("module")
            if isinstance(module, str) and "class_name" in item:
                old = module.startswith(("tf_keras", "keras.src.engine", "keras.engine"))
                if old:
                    return 2
                if (
                    module.startswith("keras")
                    and "registered_name" in item
                    and "build_config" in item
                ):
                    generation = 3
            if (
                "W_regularizer" in item
                or "border_mode" in item
                or "output_dim" in item
                and "init" in item
            ):
                return 1
            if "batch_input_shape" in item:
                return 2
            if "batch_shape" in item:
                generation = 3
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return generation


def translate_model(config: dict, generation: int) -> dict:
    """The config of a whole model, as Keras 3 would write it.

    Args:
        config: dict with `class_name` and `config`.
        generation: 1 or 2: which Keras wrote it. 3: it is returned as it is.
    """
    if generation >= 3:
        return config
    if generation == 1:
        # Layers that pad, crop and repeat wrote no order: it was one for all.
        named = re.search(r'"dim_ordering": "(t[fh])"', json.dumps(config))
        if named:
            config = _ordered(config, named.group(1))
    names: dict[str, str] = {}
    _find_slashes(config, names)
    return _record(_renamed(config, names) if names else config, generation)


def _ordered(value: Any, order: str) -> Any:
    """A config with `order` in the layers that could say theirs and do not."""
    if isinstance(value, list):
        return [_ordered(one, order) for one in value]
    if not isinstance(value, dict):
        return value
    value = {key: _ordered(one, order) for key, one in value.items()}
    if re.match(r"(UpSampling|ZeroPadding|Cropping)[23]D", str(value.get("class_name"))):
        value["config"] = {"dim_ordering": order, **value["config"]}
    return value


def _find_slashes(value: Any, names: dict[str, str]) -> None:
    """Collect the names of layers that have a slash, which Keras 3 refuses, with today's."""
    if isinstance(value, dict):
        inner = value.get("config")
        name = inner.get("name") if isinstance(inner, dict) and "class_name" in value else None
        if isinstance(name, str) and "/" in name:
            names[name] = without_slashes(name)
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            _find_slashes(one, names)


def without_slashes(name: str) -> str:
    """A name that Keras 3 takes: in files of Keras 2 it may have slashes."""
    return name.replace("/", "_")


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if isinstance(value, dict):
        return {_renamed(key, names): _renamed(one, names) for key, one in value.items()}
    return value


def _record(record: Any, generation: int) -> Any:
    """A `{"class_name", "config"}` of a layer or model."""
    if not isinstance(record, dict) or not isinstance(record.get("class_name"), str):
        return record
    record = dict(record)
    name = (
        record["class_name"].rsplit(">", 1)[-1]
        if record["class_name"].startswith("Custom>")
        else record["class_name"]
    )
    config = record.get("config")
    if name == "Sequential":
        record["config"] = _sequential(config, generation)
        if _holds_merge(record["config"]):
            record = _merged_sequential(record, generation)
    elif (
        name in ("Model", "Functional")
        or isinstance(config, dict)
        and "input_layers" in config
        and "layers" in config
    ):
        record["config"] = _functional(config, generation)
        if name in ("Model", "Functional"):
            record["class_name"] = "Functional"
            record.pop("module", None)
    elif isinstance(config, dict):
        record["class_name"], record["config"] = translate_layer(name, config, generation)
        if isinstance(record.get("module"), str) and record["module"].split(".")[0] in (
            "keras",
            "tf_keras",
        ):
            record.pop("module")
        if record["class_name"] == "TFOpLambda":
            record.pop("module", None)
    # Shapes and compile state of layers are found again; Keras 2 wrote them in other forms.
    if record["class_name"] not in ("Functional", "Sequential"):
        record.pop("build_config", None)
    return record


def translate_layer(name: str, config: dict, generation: int) -> tuple[str, dict]:
    """Class name and config of a layer, as Keras 3 would write them."""
    old_name, name = name, RENAMED_CLASSES.get(name, name)
    config = dict(config)
    renamed = RENAMED_ARGUMENTS.get(name, {})
    for key in list(config):
        target = renamed.get(key)
        if target is not None and (generation == 1 or key in ("alpha", "batch_input_shape")):
            config[target] = config.pop(key)
    special = _SPECIAL.get(name)
    if special is not None:
        special(config, old_name, generation)
    kept = _KEPT_OF.get(name, ())
    for gone in (_GONE, _GONE_OF.get(name, {})):
        for key, harmless in gone.items():
            if (
                key in config
                and key not in kept
                and (any_value in harmless or config[key] in harmless)
            ):
                del config[key]
    for key, value in config.items():
        config[key] = _value(key, value, generation)
    if generation == 1:
        config.pop("dim_ordering", None)
    if name in ("Embedding", "Discretization") and str(config.get("dtype")).startswith("int"):
        # It was the dtype of the inputs.
        del config["dtype"]
    if name in _WITHOUT_TRAINABLE and config.get("trainable") is True:
        del config["trainable"]
    for key in _WRAPPED:
        if isinstance(config.get(key), dict):
            config[key] = _record(config[key], generation)
    if isinstance(config.get("cells"), list):
        config["cells"] = [_record(one, generation) for one in config["cells"]]
    for (today, key), other in OTHER_LAYERS.items():
        if name == today and key in config:
            name = other
    return name, config


def _value(key: str, value: Any, generation: int) -> Any:
    if key == "data_format" and value in ("tf", "th", "default"):
        return {"tf": "channels_last", "th": "channels_first", "default": None}[value]
    if key == "dtype" and isinstance(value, dict):
        return value.get("config", {}).get("name") or "float32"
    if key.endswith("activation") and isinstance(value, str):
        return _ACTIVATIONS.get(value, value)
    if key.endswith("initializer") and isinstance(value, str):
        return _INITIALIZERS.get(value, value) if generation == 1 else value
    if key.endswith("regularizer") and isinstance(value, dict) and "class_name" not in value:
        if value.get("name") == "EigenvalueRegularizer":
            inner = {one: item for one, item in value.items() if one != "name"}
            return {"class_name": value["name"], "config": inner}
        return {
            "class_name": "L1L2",
            "config": {"l1": value.get("l1", 0.0), "l2": value.get("l2", 0.0)},
        }
    if key.endswith("constraint") and isinstance(value, dict) and "class_name" not in value:
        inner = {one: item for one, item in value.items() if one != "name"}
        if "m" in inner:
            inner["max_value"] = inner.pop("m")
        return {
            "class_name": _CONSTRAINTS.get(str(value.get("name")), value.get("name")),
            "config": inner,
        }
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        return _plain_module(value)
    if isinstance(value, dict) and value.get("type") == "ndarray":
        return value.get("value")
    return value


_CONSTRAINTS = {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"}


def _plain_module(value: dict) -> dict:
    """An initializer, regularizer and the like: today's home, and no dtype in its config."""
    value = dict(value)
    inner = value["config"]
    if isinstance(inner, dict) and value["class_name"] != "Policy":
        inner = {key: one for key, one in inner.items() if key != "dtype"}
        inner = {
            key: one["value"] if isinstance(one, dict) and one.get("type") == "ndarray" else one
            for key, one in inner.items()
        }
        value["config"] = inner
    if isinstance(value.get("module"), str) and value["module"].startswith(("keras", "tf_keras")):
        value.pop("module")
    return value


# Classes with more to say than names


def _kernel_of(config: dict, *names: str) -> None:
    if all(name in config for name in names):
        config["kernel_size"] = [config.pop(name) for name in names]


def _convolution_2d(config: dict, old_name: str, generation: int) -> None:
    _kernel_of(config, "nb_row", "nb_col")
    _kernel_of(config, "kernel_dim1", "kernel_dim2", "kernel_dim3")
    shape = config.pop("output_shape", None)
    if isinstance(shape, (list, tuple)):
        _output_padding(config, shape)


def _output_padding(config: dict, shape: Any) -> None:
    """What `output_shape` of a transposed convolution of Keras 1 says, where strides do not."""
    order = config.get("data_format") or settings.image_data_format()
    sizes = shape[2:] if order in ("channels_first", "th") else shape[1:-1]
    same = config.get("padding") == "same"
    given: Any = (config.get("kernel_size"), config.get("strides") or 1)
    kernel, strides = ([one] * len(sizes) if isinstance(one, int) else one for one in given)
    if None in sizes or same and not any(n % s for n, s in zip(sizes, strides)):
        return
    extra = [(n - (k % 2 if same else k)) % s for n, k, s in zip(sizes, kernel, strides)]
    if any(extra) or same:
        config["output_padding"] = tuple(extra)


def _separable(config: dict, old_name: str, generation: int) -> None:
    _convolution_2d(config, old_name, generation)
    # tf.keras wrote those of `Conv` too, which say nothing; Keras 1 had one initializer for both.
    for key in ("kernel_regularizer", "kernel_constraint"):
        if config.get(key, False) is None:
            del config[key]
    value = config.pop("kernel_initializer", None)
    if value is not None:
        config.setdefault("depthwise_initializer", value)
        config.setdefault("pointwise_initializer", value)


def _average(config: dict, old_name: str, generation: int) -> None:
    # It has no default any more.
    config.setdefault("pool_size", 2)


def _recurrent(config: dict, old_name: str, generation: int) -> None:
    if old_name.startswith("CuDNN"):
        config.setdefault("recurrent_activation", "sigmoid")
        config.setdefault("activation", "tanh")
    if "forget_bias_init" in config:
        config["unit_forget_bias"] = config.pop("forget_bias_init") in ("one", "ones")
    if generation == 1:
        config.setdefault("activation", "tanh")
    _convolution_2d(config, old_name, generation)


def _gru(config: dict, old_name: str, generation: int) -> None:
    _gated(config, old_name, generation)
    config.setdefault("reset_after", old_name.startswith("CuDNN"))


def _gated(config: dict, old_name: str, generation: int) -> None:
    _recurrent(config, old_name, generation)
    kernel, recurrent = (config.get(f"{one}_regularizer") for one in ("kernel", "recurrent"))
    new = any(isinstance(one, dict) and "Weight" not in str(one) for one in (kernel, recurrent))
    if generation == 1 and config.get("consume_less") in ("cpu", "mem") and new:
        # Keras 1.1 and 1.2 gave the gates of the state the regularizer of the inputs.
        config["recurrent_regularizer"] = kernel


def _bidirectional(config: dict, old_name: str, generation: int) -> None:
    layer = config.get("layer")
    if config.get("backward_layer") is None and isinstance(layer, dict):
        inner = layer.get("config")
        if isinstance(inner, dict) and inner.get("go_backwards"):
            # The other direction was the opposite one; today it is always backwards.
            name = f"backward_{inner.get('name')}"
            opposite = {**inner, "go_backwards": False, "name": name}
            config["backward_layer"] = {**layer, "config": opposite}


def _batch_normalization(config: dict, old_name: str, generation: int) -> None:
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]


def _input_layer(config: dict, old_name: str, generation: int) -> None:
    if "input_dtype" in config:
        config["dtype"] = config.pop("input_dtype")


def _zero_padding(config: dict, old_name: str, generation: int) -> None:
    value = config.get("padding")
    if isinstance(value, dict):
        sides = ("top", "bottom", "left", "right") if old_name.endswith("2D") else ("left", "right")
        value = config["padding"] = [value.get(f"{side}_pad", 0) for side in sides]
    if isinstance(value, (list, tuple)) and len(value) == 4:
        # Keras 1: top, bottom, left, right.
        config["padding"] = [list(value[:2]), list(value[2:])]


def _slope(config: dict, *_: Any) -> None:
    for key in ("negative_slope", "alpha"):
        if key in config:
            config[key] = _number(config[key])


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("value", value.get("config", {}).get("value"))
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _lambda(config: dict, old_name: str, generation: int) -> None:
    for key in ("module", "function_type", "output_shape_type", "output_shape_module"):
        kind = config.pop(key, None)
        if key == "function_type" and kind == "lambda":
            config["function"] = _lambda_code(config.get("function"))
    if not isinstance(config.get("output_shape"), (list, type(None))):
        config["output_shape"] = None
    function = config.get("function")
    if isinstance(function, (list, tuple)):
        config["function"] = _lambda_code(function)


def _lambda_code(function: Any) -> Any:
    if isinstance(function, (list, tuple)) and len(function) == 3:
        return {"class_name": "__lambda__", "config": {"value": list(function)}}
    return function


_EXPERIMENTAL = {"max_values": "max_tokens", "mask_value": "mask_token", "oov_value": "oov_token"}


def _experimental(config: dict, *_: Any) -> None:
    """The preprocessing layers of tf.keras 2.3 to 2.5."""
    if "bins" in config:
        config["bin_boundaries"] = [one for one in config.pop("bins") if one != float("inf")]
    names = _EXPERIMENTAL if "num_oov_indices" in config else {"max_tokens": "num_tokens"}
    for old in names.keys() & config.keys():
        config[names[old]] = config.pop(old)
    if config.get("output_mode") == "binary":
        config["output_mode"] = "multi_hot"
    if "num_bins" in config and "output_mode" not in config:
        config.pop("dtype", None)


_SPECIAL: dict[str, Callable] = {
    **dict.fromkeys(
        ("CategoryEncoding", "Discretization", "Hashing", "IntegerLookup"), _experimental
    ),
    **dict.fromkeys(
        (*_each_rank("Conv", ""), "Conv2DTranspose", "Conv3DTranspose", "LocallyConnected2D"),
        _convolution_2d,
    ),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(_each_rank("Average", "Pooling"), _average),
    "ConvLSTM2D": _recurrent,
    "SimpleRNN": _recurrent,
    "LSTM": _gated,
    "GRU": _gru,
    "GRUCell": _gru,
    "Bidirectional": _bidirectional,
    "BatchNormalization": _batch_normalization,
    "InputLayer": _input_layer,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "LeakyReLU": _slope,
    "ELU": _slope,
    "Lambda": _lambda,
}


# Models


def _sequential(config: Any, generation: int) -> dict:
    if isinstance(config, (list, tuple)):
        config = {"name": None, "layers": list(config)}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise ValueError("A Sequential config must hold a list of layers.")
    config = dict(config)
    old = config["layers"]
    layers = [_record(one, generation) for one in old]
    shape = _first_shape(old)
    if shape is not None and layers and layers[0].get("class_name") != "InputLayer":
        first = old[0]
        while first.get("class_name") == "Sequential":
            inner = first["config"]
            first = (inner if isinstance(inner, list) else inner["layers"])[0]
        # A nested model at the front brings its own input layer.
        if first is old[0]:
            layers.insert(0, _input_record(first, shape))
    config["layers"] = layers
    if layers and layers[0].get("class_name") == "InputLayer":
        config.pop("build_input_shape", None)
    if isinstance(config.get("dtype"), dict):
        config["dtype"] = _value("dtype", config["dtype"], generation)
    return config


def _first_shape(layers: list) -> Any:
    if not layers or not isinstance(layers[0], dict):
        return None
    config = layers[0].get("config")
    return config.get("batch_input_shape") if isinstance(config, dict) else None


def _input_record(first: dict, shape: Any) -> dict:
    config = first["config"]
    dtype = config.get("input_dtype") or _value("dtype", config.get("dtype"), 2) or "float32"
    if first["class_name"] == "Embedding":
        dtype = "int32"
    if dtype in ("mixed_float16", "mixed_bfloat16"):
        dtype = "float32"
    name = f"{config.get('name', first['class_name'].lower())}_input"
    return {
        "class_name": "InputLayer",
        "config": {"batch_shape": list(shape), "dtype": dtype, "name": name},
    }


def _functional(config: Any, generation: int) -> dict:
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise ValueError("A model config must hold a list of layers.")
    config = dict(config)
    layers = [_record(one, generation) for one in config["layers"]]
    shifted = _shifted(layers, config)

    def key(entry: Any) -> list:
        name, node, tensor = entry[0], entry[1], entry[2]
        return [name, node - 1 if name in shifted else node, tensor]

    for index, record in enumerate(layers):
        nodes = record.get("inbound_nodes")
        if isinstance(nodes, list):
            nodes = [_node(node, record, key) for node in nodes]
            layers[index] = {**record, "inbound_nodes": nodes}
            if record["class_name"] in ("Attention", "AdditiveAttention"):
                # Later an argument of the call.
                if record["config"].pop("causal", False):
                    for node in nodes:
                        node["kwargs"]["use_causal_mask"] = True
    config["layers"] = [_merge_record(record, layers) for record in layers]
    if generation == 1:
        config["input_layers"] = [_source(one, config["layers"]) for one in config["input_layers"]]
    for name in ("input_layers", "output_layers"):
        config[name] = _map_ends(config.get(name), key)
    return config


def _source(entry: list, layers: list) -> list:
    """An input by its own name: Keras 1 gave that of a dropout of 0, which returned it."""
    for record in layers:
        if record["name"] == entry[0] and record.get("inbound_nodes"):
            return _source(record["inbound_nodes"][0]["args"][0]["config"]["keras_history"], layers)
    return entry


def _is_triple(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) >= 3
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and isinstance(value[2], int)
    )


def _map_ends(value: Any, key: Callable) -> Any:
    if _is_triple(value):
        return key(value)
    if isinstance(value, dict):
        return {name: _map_ends(one, key) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        mapped = [_map_ends(one, key) for one in value]
        return mapped[0] if len(mapped) == 1 else mapped
    raise ValueError(f"The model config names inputs or outputs in a form not known: {value!r}")


def _shifted(layers: list, config: dict) -> set:
    """Names of nested models whose own creation counts as their call number 0."""
    counts = {
        one.get("name"): len(one.get("inbound_nodes") or [])
        for one in layers
        if isinstance(one, dict)
    }
    highest: dict[str, int] = {}

    def look(value: Any, depth: int = 0) -> None:
        if depth > 20:
            return
        if _is_triple(value) and value[0] in counts:
            highest[value[0]] = max(highest.get(value[0], 0), value[1])
            value = value[3:]
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for one in value:
                look(one, depth + 1)

    for record in layers:
        look(record.get("inbound_nodes"))
    look(config.get("output_layers"))
    look(config.get("input_layers"))
    return {name for name, node in highest.items() if 0 < counts[name] <= node}


def _node(node: Any, record: dict, key: Callable) -> Any:
    """One call of a layer: arguments and keyword arguments, as Keras 3 writes them."""
    if isinstance(node, dict) and "args" in node:
        return node

    def tensor(entry: Any) -> dict:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": key(entry)}}

    def value_of(value: Any) -> Any:
        if _is_triple(value) and value[0] != "_CONSTANT_VALUE":
            return tensor(value)
        if isinstance(value, (list, tuple)) and len(value) >= 3 and value[0] == "_CONSTANT_VALUE":
            return value[2]
        if isinstance(value, list):
            return [value_of(one) for one in value]
        if isinstance(value, dict):
            return {name: value_of(one) for name, one in value.items()}
        return value

    kwargs: dict = {}

    def argument(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and len(value) >= 3 and isinstance(value[0], str):
            if len(value) > 3 and isinstance(value[3], dict):
                kwargs.update({name: value_of(one) for name, one in value[3].items()})
            return value_of(value)
        if isinstance(value, dict):
            return {name: argument(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [argument(one) for one in value]
        return value

    first = argument(node)
    if isinstance(first, list) and len(first) == 1:
        first = first[0]
    args = [first]
    for name in ("training", "mask", "initial_state", "constants"):
        if kwargs.get(name, 0) is None:
            del kwargs[name]
    if record.get("class_name") in _RECURRENT_CLASSES and isinstance(first, list):
        args = [first[0]]
        kwargs["initial_state"] = first[1:]
    return {"args": args, "kwargs": kwargs}


# Merge of Keras 1

_MERGES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}


def _merge_record(record: dict, layers: list) -> dict:
    if record.get("class_name") != "Merge":
        return record
    name, config = _merge_layer(record["config"])
    return {**record, "class_name": name, "config": config}


def _merge_layer(config: dict) -> tuple[str, dict]:
    """The merging layer of today that does what a `Merge` of Keras 1 did."""
    mode = config.get("mode")
    base = {"name": config.get("name"), "trainable": True}
    if mode in _MERGES:
        return _MERGES[mode], base
    if mode == "concat":
        return "Concatenate", {**base, "axis": config.get("concat_axis", -1)}
    if mode in ("dot", "cos"):
        axes = config.get("dot_axes", -1)
        if isinstance(axes, list) and axes and isinstance(axes[0], list):
            axes = [one[0] for one in axes]
        # Keras 1 keeps an axis of size 1 in a cosine.
        return ("Keras1Cosine" if mode == "cos" else "Dot"), {**base, "axes": axes}
    raise ValueError(
        f"The model has a `Merge` layer with mode {mode!r}, which cannot be translated. Known"
        " modes:"
        f" {sorted([*_MERGES, 'concat', 'dot', 'cos'])}"
    )


def _holds_merge(config: dict) -> bool:
    return any(
        one.get("class_name") == "Merge" for one in config["layers"] if isinstance(one, dict)
    )


def _merged_sequential(record: dict, generation: int) -> dict:
    """A Sequential that begins with a `Merge` of whole models, as a functional model."""
    stack = list(record["config"]["layers"])
    merge = stack.pop(0)
    if merge.get("class_name") != "Merge":
        raise ValueError("A `Merge` layer must be the first one of a Sequential model.")
    layers: list[dict] = []
    inputs: list[list] = []

    def follow(branch: list, source: list | None) -> list:
        """Add a chain of layers; returns the key of its last tensor."""
        for one in branch:
            name = one["config"]["name"]
            nodes = []
            if one["class_name"] == "InputLayer":
                inputs.append([name, 0, 0])
            else:
                nodes = [{"args": [_tensor_config(source)], "kwargs": {}}]
            layers.append({**one, "name": name, "inbound_nodes": nodes})
            source = [name, 0, 0]
        if source is None:
            raise ValueError("A branch of a `Merge` layer has no input.")
        return source

    def end_of(branch: dict) -> list:
        """Add the layers of a branch; returns the key of its last tensor."""
        branch = _record(branch, generation)
        config = branch["config"]
        if branch["class_name"] == "Sequential":
            return follow(config["layers"], None)
        if branch["class_name"] != "Functional":
            raise ValueError("A `Merge` layer in a Sequential model can hold whole models only.")
        layers.extend(config["layers"])
        first = config["input_layers"]
        inputs.extend([first] if _is_triple(first) else first)
        last = config["output_layers"]
        return last if _is_triple(last) else last[0]

    ends = [end_of(branch) for branch in merge["config"].get("layers", [])]
    name, config = _merge_layer(merge["config"])
    arguments = [_tensor_config(end) for end in ends]
    layers.append(
        {
            "class_name": name,
            "config": config,
            "name": config["name"],
            "inbound_nodes": [{"args": [arguments], "kwargs": {}}],
        }
    )
    last = follow(stack, [config["name"], 0, 0])
    return {
        **record,
        "class_name": "Functional",
        "config": {
            "name": record["config"].get("name") or "sequential",
            "layers": layers,
            "input_layers": inputs,
            "output_layers": last,
        },
    }


def _tensor_config(key: Any) -> dict:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": key}}


# Compile state


_NEW_OPTIMIZER_KEYS = ("is_legacy_optimizer", "jit_compile", "use_ema", "weight_decay")
_ONE_AHEAD = {
    "Adam": "keras2_adam",
    "Adamax": "keras2_adamax",
    "Adadelta": "keras2_adadelta",
    **{f"keras2_{one}": f"keras2_{one}_ahead" for one in ("adagrad", "nadam", "rmsprop")},
}
_OLD_OPTIMIZERS = {
    "RMSprop": "keras2_rmsprop",
    "Adagrad": "keras2_adagrad",
    "Nadam": "keras2_nadam",
}


def _standalone(version: Any) -> tuple | None:
    """The version of a Keras that was no part of TensorFlow, as numbers; else None."""
    if not isinstance(version, str):
        return None
    match = re.fullmatch(r"([12])\.(\d+)\.(\d+)", version)
    numbers = tuple(map(int, match.groups())) if match else None
    return numbers if numbers is not None and numbers <= (2, 3, 1) else None


def translate_optimizer(config: Any, version: Any = None, backend: Any = None) -> Any:
    """The config of an optimizer, as Keras 3 would write it.

    Args:
        config: dict with `class_name` and `config`.
        version: The version of Keras that wrote it, if known.
        backend: Its backend, if known.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        return config
    name = config["class_name"].removeprefix("Custom>").rsplit(">", 1)[-1]
    inner = dict(config.get("config") or {})
    if name.startswith("LossScaleOptimizer") and "dynamic" in inner:
        scaled = translate_optimizer(inner.pop("inner_optimizer", None), version, backend)
        if not inner.pop("dynamic"):
            return scaled
        return {"class_name": "LossScaleOptimizer", "config": {**inner, "inner_optimizer": scaled}}
    new = any(key in inner for key in _NEW_OPTIMIZER_KEYS)
    if "lr" in inner:
        inner["learning_rate"] = inner.pop("lr")
    if name == "Nadam" and not new and "decay" in inner:
        # tf.keras called the warm-up of the momentum so.
        inner["schedule_decay"] = inner.pop("decay")
    if not new:
        name = _OLD_OPTIMIZERS.get(name, name)
        numbers = _standalone(version)
        if numbers is not None:
            if "clipnorm" in inner:
                # It was the norm of all gradients together.
                inner["global_clipnorm"] = inner.pop("clipnorm")
            if numbers >= (2, 1) and backend != "theano":
                name = _ONE_AHEAD.get(name, name)
                if name == "SGD" and numbers < (2, 3):
                    name = "keras2_sgd"
    for key in ("is_legacy_optimizer", "jit_compile"):
        inner.pop(key, None)
    for key in ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay", "use_ema", "epsilon"):
        if inner.get(key, 0) is None:
            del inner[key]
    if not inner.get("use_ema"):
        # Without averages these say nothing; some versions wrote values that are refused now.
        for key in ("ema_momentum", "ema_overwrite_frequency"):
            inner.pop(key, None)
    if not inner.get("decay", 1):
        del inner["decay"]
    if inner.get("weight_decay") == 0:
        del inner["weight_decay"]
    rate = inner.get("learning_rate")
    if isinstance(rate, dict):
        rate = {key: one for key, one in rate.items() if key not in ("module", "registered_name")}
        inner["learning_rate"] = rate
    return {"class_name": name, "config": inner}


def translate_loss(value: Any) -> Any:
    """A loss, or a structure of losses, of a training configuration."""
    return _objective(value, _loss_record)


def translate_metrics(value: Any) -> Any:
    """A structure of metrics of a training configuration."""
    return _objective(value, _metric_record)


def _objective(value: Any, convert: Callable) -> Any:
    if isinstance(value, dict):
        if "class_name" in value:
            return convert(value)
        return {key: _objective(one, convert) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        # tf.keras wrote [None] for an output without metrics.
        return [_objective(one, convert) for one in value if one is not None or len(value) > 1]
    return value


def _loss_record(record: dict) -> Any:
    if isinstance(record.get("config"), str):
        return record["config"]  # a function
    inner = dict(record.get("config") or {})
    inner.pop("fn", None)
    if inner.get("reduction") == "auto":
        inner["reduction"] = "sum_over_batch_size"
    inner = {key: _value(key, one, 2) for key, one in inner.items()}
    return {"class_name": record["class_name"].rsplit(">", 1)[-1], "config": inner}


_SHORT_METRICS = ("mse", "mae", "mape", "msle", "acc", "accuracy")


def _metric_record(record: dict) -> Any:
    if isinstance(record.get("config"), str):
        return record["config"]
    name = record["class_name"].rsplit(">", 1)[-1]
    inner = dict(record.get("config") or {})
    if name in ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"):
        function = inner.get("fn")
        function = function["config"] if isinstance(function, dict) else function
        # The name it was given, without that of the output.
        if function == "cosine_proximity":
            function = "cosine_similarity"
        given = str(inner.get("name"))
        short = given.rsplit("_", 1)[-1]
        own = isinstance(function, str) and given.endswith(function)
        return short if short in _SHORT_METRICS and not own else function
    inner.pop("fn", None)
    if inner.get("thresholds", 0) is None:
        inner.pop("thresholds")
    return {
        "class_name": name,
        "config": {key: one for key, one in inner.items() if key != "init_thresholds"},
    }


def make_old_objects_known() -> None:
    """Register the layers and functions that only old files and scripts name."""
    from minikeras.dialects import eras, layers, tensorflow_ops  # noqa: F401
