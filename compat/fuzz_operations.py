"""Architectures with operations as layers for `fuzz.py`: of TensorFlow in tf.keras, of Keras 3."""

from __future__ import annotations

import functools
import inspect
import json
import random
from importlib import import_module
from typing import Any

SMALL = [0, 1, -1, 2, 3, 8, 10**6, 10**9]
_SHAPES = [[None, 4], [None, 3, 4], [None, 6, 6, 3], [2, 4, 4], [None], [4, 4], [3000, 3000]]


@functools.cache
def names_of_tensorflow() -> list[str]:
    """All functions of TensorFlow that a file may name, as it spells them."""
    from minikeras.dialects.tensorflow_ops import function_of

    found = []
    for space in ("", "image", "linalg", "math", "nn"):
        homes = [space] if space else ["math", "top", "tensors", "dtypes"]
        for name in sorted({n for home in homes for n in _module(home).__all__}):
            try:
                function_of(f"{space}.{name}".strip("."))
            except ValueError:
                continue
            found.append(f"{space}.{name}".strip("."))
    return found


@functools.cache
def _operations() -> dict:
    """All operations of Keras 3 by name."""
    from minikeras import ops
    from minikeras.engine.registry import operations

    for name in dir(ops):
        getattr(ops, name)  # modules are imported when they are first used
    return dict(operations.objects())


def _module(home: str) -> Any:
    return import_module(f"minikeras.standin.tf.{home}")


def seeds() -> list[tuple[str, bytes]]:
    """(origin, text) of architectures, each of which has one operation of its own."""
    made = []
    for shape in _SHAPES:
        calls: list = [("math.exp", [["x", 0, 0, {}]]), ("math.add", [["0", 0, 0, {"y": 1.0}]])]
        made.append((f"tf {shape}", _of_tensorflow(shape, calls).encode()))
        made.append((f"nodes {shape}", _of_nodes(shape).encode()))
        made.append((f"keras {shape}", _of_keras(shape, "Exp", {}).encode()))
    return made


def _of_tensorflow(shape: list, calls: list) -> str:
    layers = [_input(shape, batch_input_shape=shape)]
    for place, (function, nodes) in enumerate(calls):
        name = "SlicingOpLambda" if function.endswith("getitem") else "TFOpLambda"
        config = {"name": str(place), "function": function}
        layers.append(_layer(str(place), name, config, nodes))
    return _model(layers, str(len(calls) - 1), keras_version="2.10.0")


def _of_nodes(shape: list) -> str:
    config = {"name": "0", "node_def": {"name": "0", "op": "Relu", "attr": {}}, "constants": {}}
    layers = [_input(shape, batch_input_shape=shape)]
    layers.append(_layer("0", "TensorFlowOpLayer", config, [[["x", 0, 0, {}]]]))
    layers[1]["name"] = "tf_op_layer_0"
    return _model(layers, "tf_op_layer_0", keras_version="2.3.0-tf")


def _of_keras(shape: list, name: str, fields: dict, home: str = "numpy") -> str:
    place = {"shape": shape, "dtype": "float32", "keras_history": ["x", 0, 0]}
    node = {"args": [{"class_name": "__keras_tensor__", "config": place}], "kwargs": {}}
    layer = _layer("0", name, {"name": "0", **fields}, [node])
    layer["module"] = f"keras.src.ops.{home}"
    first = {**_input(shape, batch_shape=shape), "module": "keras.layers"}
    return _model([first, layer], "0", module="keras.src.models.functional")


def _input(shape: list, **config: Any) -> dict:
    return _layer("x", "InputLayer", {"name": "x", "dtype": "float32", **config}, [])


def _layer(name: str, kind: str, config: dict, nodes: list) -> dict:
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": nodes}


def _model(layers: list, last: str, **more: Any) -> str:
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[last, 0, 0]]}
    config = {"name": "m", "layers": layers, **ends}
    return json.dumps({"class_name": "Functional", "config": config, **more})


def change(rng: random.Random, content: bytes) -> bytes:
    """Another operation, called with other arguments."""
    value = json.loads(content)
    layers = value["config"]["layers"]
    layer = rng.choice(layers[1:])
    shape = next(iter(layers[0]["config"].get(k) for k in ("batch_input_shape", "batch_shape")
                      if k in layers[0]["config"]), [None, 4])  # fmt: skip
    if layer["class_name"] == "TensorFlowOpLayer":
        _change_node(rng, layer)
    elif layer["class_name"] in ("TFOpLambda", "SlicingOpLambda"):
        name = rng.choice(names_of_tensorflow())
        layer["config"]["function"] = name
        node = layer["inbound_nodes"][0]
        node[3] = _arguments(rng, _signature(name), skip=1)
    else:
        kinds = _operations()
        layer["class_name"] = rng.choice(sorted(kinds))
        kind = kinds[layer["class_name"]]
        layer["module"] = getattr(kind, "_keras_module", layer["module"])
        fields = dict.fromkeys(getattr(kind, "fields", {}))
        layer["config"] = {"name": "0", **_arguments(rng, list(fields))}
        node = layer["inbound_nodes"][0]
        if rng.random() < 0.4:
            node["args"].append(rng.choice([node["args"][0], shape[1:], 2.0, [[0, 1]], 3]))
    return json.dumps(value).encode()


def _signature(name: str) -> list[str]:
    from minikeras.dialects.tensorflow_ops import function_of

    try:
        parameters = inspect.signature(function_of(name)).parameters.values()
    except (TypeError, ValueError):
        return []
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def _arguments(rng: random.Random, names: list[str], skip: int = 0) -> dict:
    found: dict[str, Any] = {}
    for place, name in enumerate(names):
        if place >= skip and name != "name" and rng.random() < 0.7:
            found[name] = _argument(rng, name)
    return found


def _argument(rng: random.Random, name: str) -> Any:
    size = rng.choice(SMALL) if rng.random() < 0.4 else rng.choice([1, 2, 3])
    if "dtype" in name or name.endswith("_type"):
        return rng.choice(["float32", "int32", "bool", "string", "complex64", "x", size])
    if name == "padding":
        return rng.choice(["SAME", "VALID", "same", "valid", size])
    if name in ("mode", "method", "interpolation"):
        return rng.choice("constant reflect SYMMETRIC bilinear nearest lanczos3 x".split())
    if name in ("equation", "subscripts"):
        return rng.choice(["...i->...", "ij->ji", "i,i->", "ij,jk->ik", "x", "i" * 60])
    kinds = [
        size, -size, [size], [size, size], [1, size, size, 1], [[size, 1], [1, size]], None, 0.5,
        True, [["x", 0, 0]], ["x", 0, 0], [], "x", [[0.5, 1.0], [2.0, 3.0]], [0, 1], {"x": size},
        [[[[1.0]]]], [[size, 0]] * 4,
    ]  # fmt: skip
    return rng.choice(kinds)


def _change_node(rng: random.Random, layer: dict) -> None:
    from minikeras.dialects.tensorflow_ops import _NODES

    node = layer["config"]["node_def"]
    node["op"] = rng.choice(sorted(_NODES))
    keys = "keep_dims begin_mask end_mask shrink_axis_mask axis squeeze_dims DstT num_split mode"
    for key in keys.split():
        if rng.random() < 0.3:
            number = str(rng.choice(SMALL))
            value = rng.choice([{"i": number}, {"b": True}, {"list": {"i": [number]}},
                                {"type": "DT_INT32"}, {"s": "x"}, {"f": 1.0}])  # fmt: skip
            node["attr"][key] = value
    for place in range(rng.choice([0, 1, 1, 2, 3])):
        layer["config"]["constants"][str(place + 1)] = _argument(rng, "x")
