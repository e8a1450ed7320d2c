"""Operations of TensorFlow as layers, in functional models of tf.keras.

They are computed by the stand-in for TensorFlow, which takes TensorFlow's arguments. A file names
them, so only those are known that compute something from what they are given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from minikeras import tree
from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor

_SPACES = ("image", "linalg", "math", "nn")
_TOP = frozenset(
    "argsort boolean_mask broadcast_to cast clip_by_norm clip_by_value concat einsum ensure_shape"
    " expand_dims gather gather_nd identity norm one_hot ones_like pad rank repeat reshape reverse"
    " roll saturate_cast searchsorted sequence_mask shape size slice sort split squeeze stack"
    " stop_gradient strided_slice tensordot tile transpose unstack where zeros_like".split()
)
_OPERATORS = {"add": "add", "eq": "equal", "ne": "not_equal"}
# What these make may be larger than all that they are given.
_GROWING = frozenset(
    "avg_pool avg_pool1d avg_pool2d avg_pool3d bincount broadcast_to confusion_matrix max_pool"
    " max_pool1d max_pool2d max_pool3d one_hot pad pad_to_bounding_box repeat resize"
    " resize_with_crop_or_pad resize_with_pad sequence_mask ssim tile".split()
)
_SQUARES = ("confusion_matrix", "ssim")
_LARGEST = 2**26
# Words of TensorFlow 1, which some functions still have in files.
_OLD_WORDS = {"keep_dims": "keepdims", "dim": "axis"}


def _getitem(x: Any, slice_spec: Any) -> Any:
    return x[_index(slice_spec)]


def function_of(name: str) -> Callable:
    """The function that a file means by a name such as `"math.multiply"`.

    Raises:
        ValueError: for functions that have no counterpart.
    """
    path = name.removeprefix("compat.v1.").removeprefix("compat.v2.")
    space, _, short = path.rpartition(".")
    if space == "__operators__":
        if short == "getitem":
            return _getitem
        space, short = "math", _OPERATORS.get(short, "")
    homes = [space] if space in _SPACES else []
    if not space:
        homes = ["math", *(("top", "tensors", "dtypes") if short in _TOP else ())]
    if space == "linalg" or space == "math" and short in _TOP:
        homes.append("top")
    for home in homes:
        module = import_module(f"minikeras.standin.tf.{home}")
        if short in module.__all__ and short[:6] not in ("decode", "encode", "expm", "eye"):
            return getattr(module, short)
    raise ValueError(
        f"The model uses the TensorFlow function `tf.{name}`, which has no counterpart here."
    )


def _index(key: Any) -> Any:
    def one(item: Any) -> Any:
        if isinstance(item, dict) and set(item) <= {"start", "stop", "step"}:
            return slice(*(_plain(item.get(end)) for end in ("start", "stop", "step")))
        if isinstance(item, dict) and item.get("class_name") == "__ellipsis__":
            return Ellipsis
        return Ellipsis if item == "..." else _plain(item)

    if isinstance(key, (list, tuple)):
        return tuple(one(item) for item in key)
    return one(key)


def _plain(value: Any) -> Any:
    """An index that an operation computed, as a number."""
    return int(value) if hasattr(value, "shape") and value.shape == () else value


def _assert_small(name: str, values: Any) -> None:
    numbers = [one for one in tree.flatten(values) if isinstance(one, int)]
    many = np.prod([max(1, abs(one)) for one in numbers], dtype=float)
    if name in _GROWING and (many**2 if name in _SQUARES else many) > _LARGEST:
        raise ValueError(f"The model has `tf.{name}` make more than {_LARGEST:,} values of one.")


@registry.layers.register("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod")
class TFOpLambda(Layer):
    """One TensorFlow function in a functional model of tf.keras.

    Args:
        function: Name of a TensorFlow function, such as `"math.multiply"`.

    Raises:
        ValueError: for functions that have no counterpart.
    """

    def __init__(self, function: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function
        self._run = function_of(function)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the operation."""
        kwargs = {_OLD_WORDS.get(key, key): one for key, one in kwargs.items() if key != "name"}
        return self._run(*args, **kwargs)

    def build(self, *_: Any, **__: Any) -> None:
        """Nothing to make."""

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs as `KerasTensor`s; those made of shapes know what is known of them."""
        short = self.function.rpartition(".")[2]
        _assert_small(short, [args[1:], kwargs])
        if short == "shape":
            known = np.array([np.nan if one is None else one for one in args[0].shape])
            return _with_sizes(KerasTensor(known.shape, "int32"), known)
        if short == "reshape" and any(
            isinstance(one, KerasTensor) for one in tree.flatten([args[1:], kwargs])
        ):
            sizes = np.ravel(tree.flatten(_known([args[1:], kwargs.get("shape", ())])))
            shape = tuple(None if np.isnan(one) or one < 0 else int(one) for one in sizes)
            return KerasTensor(shape, args[0].dtype)
        if len(args) == 1 and [*inspect.signature(self._run).parameters] == ["x", "name"]:
            # Element by element: one shows what becomes of all.
            one = self._infer_output_spec((KerasTensor((1,), args[0].dtype),), {})
            spec: Any = KerasTensor(args[0].shape, one.dtype)
        else:
            spec = self._infer_output_spec(args, kwargs)
        tensors = [one for one in tree.flatten([args, kwargs]) if isinstance(one, KerasTensor)]
        if isinstance(spec, KerasTensor) and all(hasattr(one, "_sizes") for one in tensors):
            if short != "cast":
                _with_sizes(spec, self.call(*_known(args), **_known(kwargs)))
            else:
                _with_sizes(spec, tensors[0]._sizes)  # type: ignore[attr-defined]
        return spec

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "function": self.function}


def _with_sizes(tensor: Any, sizes: Any) -> Any:
    """A tensor that is (part of) a shape, with what is known of it; nan where it is not."""
    tensor._sizes = np.asarray(sizes, "float64")
    return tensor


def _known(values: Any) -> Any:
    """Values with what is known in the place of tensors."""
    nothing = np.array(np.nan)
    return tree.map_structure(
        lambda one: getattr(one, "_sizes", nothing) if isinstance(one, KerasTensor) else one, values
    )


@registry.layers.register("AddLoss")
class AddLoss(Layer):
    """`model.add_loss(tensor)` of tf.keras: the input is a loss of the model.

    Args:
        unconditional: Boolean, default False. Kept as tf.keras wrote it.
    """

    def __init__(self, unconditional: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unconditional = unconditional

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs

    def join_model(self, model: Any, tensor: Any) -> None:
        """Tell the model that holds the layer."""
        model.add_loss(tensor)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "unconditional": self.unconditional}


@registry.layers.register("AddMetric")
class AddMetric(Layer):
    """`model.add_metric(tensor)` of tf.keras: the mean of the input is a metric of the model.

    Args:
        aggregation: `"mean"` or None (default).
        metric_name: String or None (default). Its name.
    """

    def __init__(self, aggregation: Any = None, metric_name: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggregation, self.metric_name = aggregation, metric_name

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs

    def join_model(self, model: Any, tensor: Any) -> None:
        """Tell the model that holds the layer."""
        model.add_metric(tensor, self.metric_name, self.aggregation)

    def get_config(self) -> dict:
        """The configuration."""
        more = {"aggregation": self.aggregation, "metric_name": self.metric_name}
        return {**super().get_config(), **more}


# Operation of a graph -> function that takes its inputs, where these are the same.
_NODES = {
    **dict.fromkeys(("Add", "AddV2", "BiasAdd"), "math.add"),
    "Sub": "math.subtract",
    "Mul": "math.multiply",
    "RealDiv": "math.divide",
    "FloorMod": "math.floormod",
    "Neg": "math.negative",
    "Inv": "math.reciprocal",
    "BatchMatMul": "matmul",
    "BatchMatMulV2": "matmul",
    "MatMul": "matmul",
    "L2Loss": "nn.l2_loss",
    "PadV2": "pad",
    "MirrorPad": "pad",
    "Select": "where",
    "SelectV2": "where",
    "ReverseV2": "reverse",
    **{
        one: f"math.{one.lower()}"
        for one in "Maximum Minimum Pow Abs Exp Expm1 Log Log1p Sqrt Rsqrt Square Sin Cos Tan Tanh"
        " Sigmoid Softplus Floor Ceil Round Sign Erf Reciprocal FloorDiv Greater Less Equal"
        " Cumsum".split()
    },
    "GreaterEqual": "math.greater_equal",
    "LessEqual": "math.less_equal",
    "NotEqual": "math.not_equal",
    "LogicalAnd": "math.logical_and",
    "LogicalOr": "math.logical_or",
    "LogicalNot": "math.logical_not",
    "SquaredDifference": "math.squared_difference",
    **{one: f"nn.{one.lower()}" for one in "Relu Relu6 Elu Selu Softmax Softsign".split()},
    "LogSoftmax": "math.log_softmax",
    "Softplus": "math.softplus",
    "LeakyRelu": "nn.leaky_relu",
    **{one: one.lower() for one in "Reshape Transpose Tile Identity Pad Slice Shape".split()},
    "ExpandDims": "expand_dims",
    "ZerosLike": "zeros_like",
    "OnesLike": "ones_like",
    **{one: f"math.reduce_{one.lower()}" for one in "Mean Sum Max Min Prod All Any".split()},
    "Squeeze": "squeeze",
    "StopGradient": "stop_gradient",
    "ClipByValue": "clip_by_value",
    "ConcatV2": "concat",
    "Pack": "stack",
    "Unpack": "unstack",
    "Cast": "cast",
    "GatherV2": "gather",
    "ArgMax": "math.argmax",
    "ArgMin": "math.argmin",
    "Split": "split",
    "OneHot": "one_hot",
    "StridedSlice": "__operators__.getitem",
    "DepthToSpace": "nn.depth_to_space",
    "SpaceToDepth": "nn.space_to_depth",
}


@registry.layers.register("TensorFlowOpLayer")
class TensorFlowOpLayer(Layer):
    """One TensorFlow operation in a functional model of tf.keras 1.15 to 2.3.

    Args:
        node_def: dict. The operation as TensorFlow describes it.
        constants: dict of constant inputs by position.

    Raises:
        ValueError: for operations that have no counterpart in the table.
    """

    def __init__(self, node_def: Any, constants: Any = None, **kwargs: Any) -> None:
        name = kwargs.get("name")
        if name and not name.startswith("tf_op_layer_"):
            # Calls name the layer so, its config does not.
            kwargs["name"] = f"tf_op_layer_{name}"
        super().__init__(**kwargs)
        operation = node_def.get("op") if isinstance(node_def, dict) else None
        if operation not in _NODES:
            raise ValueError(
                f"The model uses the TensorFlow operation {operation!r}, which has no counterpart"
                " here."
            )
        self.node_def, self.operation = node_def, operation
        self.constants = {int(key): value for key, value in (constants or {}).items()}
        _assert_small(_NODES[operation], list(self.constants.values()))

    def _attribute(self, name: str, kind: str, default: Any = None) -> Any:
        found = self.node_def.get("attr", {}).get(name, {}).get(kind, default)
        return int(found) if kind == "i" and found is not None else found

    def call(self, inputs: Any) -> Any:
        """Compute the operation."""
        args = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        for position in sorted(self.constants):
            args.insert(position, self.constants[position])
        name, read = self.operation, self._attribute
        kwargs: dict[str, Any] = {}
        run = function_of(_NODES[name])
        if _NODES[name].startswith("math.reduce_"):
            kwargs["keepdims"] = bool(read("keep_dims", "b"))
        elif name == "StridedSlice":
            args = [args[0], _strided_slice(args[1:], lambda one: read(one, "i", 0))]
        elif name == "MatMul":
            kwargs = {key: bool(read(key, "b")) for key in ("transpose_a", "transpose_b")}
        elif name.startswith("BatchMatMul"):
            kwargs = {f"transpose_{to}": bool(read(f"adj_{of}", "b")) for of, to in ("xa", "yb")}
        elif name == "ConcatV2":
            args = [args[:-1], args[-1]]
        elif name in ("Pack", "Unpack"):
            args, kwargs = [args if name == "Pack" else args[0]], {"axis": read("axis", "i", 0)}
        elif name == "Squeeze":
            dims = read("squeeze_dims", "list") or {}
            kwargs["axis"] = [int(one) for one in dims.get("i", ())] or None
        elif name == "Cast":
            kwargs["dtype"] = _dtype(read("DstT", "type"))
        elif name in ("ArgMax", "ArgMin"):
            kwargs["output_type"] = _dtype(read("output_type", "type", "DT_INT64"))
        elif name == "GatherV2":
            args = [*args[:2], None, args[2]]
        elif name == "Split":
            args = [args[1], read("num_split", "i"), args[0]]
        elif name == "OneHot":
            kwargs["axis"] = read("axis", "i", -1)
        elif name == "LeakyRelu":
            kwargs["alpha"] = float(read("alpha", "f", 0.2))
        elif name == "MirrorPad":
            import base64

            mode = read("mode", "s", "UkVGTEVDVA==")
            kwargs["mode"] = base64.b64decode(mode).decode()
        elif name == "PadV2":
            args = [*args[:2], "CONSTANT", args[2]]
        elif name in ("DepthToSpace", "SpaceToDepth"):
            args.append(read("block_size", "i"))
        return run(*args, **kwargs)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "node_def": self.node_def, "constants": self.constants}


def _dtype(name: str) -> str:
    """`"DT_FLOAT"` as `"float32"`."""
    short = name.removeprefix("DT_").lower()
    return {"float": "float32", "double": "float64", "half": "float16"}.get(short, short)


def _strided_slice(bounds: list, bits: Callable) -> tuple:
    key: list = []
    for place, (begin, end, step) in enumerate(zip(*bounds)):
        if bits("ellipsis_mask") >> place & 1:
            key.append(Ellipsis)
        elif bits("new_axis_mask") >> place & 1:
            key.append(None)
        elif bits("shrink_axis_mask") >> place & 1:
            key.append(begin)
        else:
            first = None if bits("begin_mask") >> place & 1 else begin
            last = None if bits("end_mask") >> place & 1 else end
            key.append(slice(first, last, step))
    return tuple(key)
