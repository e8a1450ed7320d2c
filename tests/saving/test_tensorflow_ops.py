"""Operations of TensorFlow in models of tf.keras."""

import json

import numpy as np
import pytest

import minikeras as keras

X = np.arange(24, dtype="float32").reshape(2, 3, 4) - 7


def opened(*calls):
    """A model of calls (function, node); each is named by its place, the input is "x"."""
    layers = [
        {
            "class_name": "InputLayer",
            "config": {"name": "x", "batch_input_shape": [None, 3, 4], "dtype": "float32"},
            "name": "x",
            "inbound_nodes": [],
        }
    ]
    for place, (function, node) in enumerate(calls):
        slicing = function.endswith("getitem")
        layers.append(
            {
                "class_name": "SlicingOpLambda" if slicing else "TFOpLambda",
                "config": {"name": str(place), "function": function},
                "name": str(place),
                "inbound_nodes": [node],
            }
        )
    config = {
        "name": "m",
        "layers": layers,
        "input_layers": [["x", 0, 0]],
        "output_layers": [[str(len(calls) - 1), 0, 0]],
    }
    text = json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.10.0"})
    return keras.models.model_from_json(text)


def x(**kwargs):
    return ["x", 0, 0, kwargs]


ALL = {"start": None, "stop": None, "step": None}
CASES = {
    "math.reduce_mean": (x(axis=1, keepdims=True), X.mean(1, keepdims=True)),
    "math.subtract": (["_CONSTANT_VALUE", -1, 1, {"y": ["x", 0, 0]}], 1 - X),
    "math.cumsum": (x(axis=2, reverse=True), X[..., ::-1].cumsum(2)[..., ::-1]),
    "__operators__.ne": (x(y=3.0), X != 3),
    "nn.leaky_relu": (x(alpha=0.3, name=None), np.where(X > 0, X, 0.3 * X)),
    "nn.softmax": (x(axis=1), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    "linalg.matmul": (x(b=["x", 0, 0], transpose_b=True), X @ X.swapaxes(1, 2)),
    "linalg.l2_normalize": (x(axis=-1), X / np.sqrt((X**2).sum(-1, keepdims=True))),
    "compat.v1.transpose": (x(perm=[0, 2, 1]), X.swapaxes(1, 2)),
    "concat": ([["x", 0, 0, {"axis": 2}], ["x", 0, 0, {"axis": 2}]], np.concatenate([X, X], 2)),
    "where": (x(x=["x", 0, 0], y=0.5), np.where(X, X, 0.5)),
    "gather": (x(indices=[2, 0], axis=1), X[:, [2, 0]]),
    "tile": (x(multiples=[1, 2, 1]), np.tile(X, (1, 2, 1))),
    "pad": (x(paddings=[[0, 0], [1, 0], [0, 2]]), np.pad(X, [[0, 0], [1, 0], [0, 2]])),
    "one_hot": (x(depth=3), (X[..., None] == np.arange(3))),
    "cast": (x(dtype="int32"), X.astype("int32")),
    "__operators__.getitem": (x(slice_spec=[ALL, {**ALL, "start": 1}, 0]), X[:, 1:, 0]),
}


@pytest.mark.parametrize("function", CASES)
def test_functions(function):
    node, expected = CASES[function]
    nodes = node if isinstance(node[0], list) else [node]
    before = []
    if function == "one_hot":
        before, nodes = [("cast", [x(dtype="int32")])], [["0", 0, 0, {"depth": 3}]]
    model = opened(*before, (function, nodes))
    got = model.predict(X, verbose=0)
    assert got.shape == expected.shape and np.allclose(got, expected, atol=1e-6)
    assert model.output_shape[1:] == expected.shape[1:]


def test_shapes_that_are_computed():
    model = opened(
        ("shape", [x()]),
        ("__operators__.getitem", [["0", 0, 0, {"slice_spec": 0}]]),
        ("__operators__.getitem", [["0", 0, 0, {"slice_spec": 2}]]),
        ("math.multiply", [["2", 0, 0, {"y": 3}]]),
        ("reshape", [x(shape=[["1", 0, 0], ["3", 0, 0]])]),
    )
    assert model.output_shape == (None, 12)
    assert np.array_equal(model.predict(X, verbose=0), X.reshape(2, 12))


@pytest.mark.parametrize(
    "function", ["io.read_file", "py_function", "image.decode_png", "zeros", "os.system", "math"]
)
def test_other_functions_are_refused(function):
    with pytest.raises(ValueError, match="no counterpart"):
        opened((function, [x()]))


def test_what_fills_memory_is_refused():
    with pytest.raises(ValueError, match="make more than"):
        opened(("tile", [x(multiples=[1, 10**5, 10**5])]))


NODES = [
    ("ConcatV2", {}, {"1": 2}, None),
    ("Mean", {"keep_dims": {"b": True}}, {"1": 1}, X.mean(1, keepdims=True)),
    ("Cast", {"DstT": {"type": "DT_INT32"}}, {}, X.astype("int32")),
    ("ArgMax", {}, {"1": 2}, X.argmax(2)),
    ("GatherV2", {}, {"1": [1, 0], "2": 1}, X[:, [1, 0]]),
    ("LeakyRelu", {"alpha": {"f": 0.1}}, {}, np.where(X > 0, X, 0.1 * X)),
    ("Squeeze", {"squeeze_dims": {"list": {}}}, {}, X),
    ("Split", {"num_split": {"i": "3"}}, {"0": 1}, X[:, :1]),
]


@pytest.mark.parametrize("operation, attributes, constants, expected", NODES)
def test_nodes_of_graphs(operation, attributes, constants, expected):
    from minikeras.dialects.tensorflow_ops import TensorFlowOpLayer

    node = {"op": operation, "attr": attributes}
    inputs = X
    if operation == "ConcatV2":
        inputs, constants, expected = [X, X], {"2": 1}, np.concatenate([X, X], 1)
    got = TensorFlowOpLayer(node, constants)(inputs)
    got = got[0] if operation == "Split" else got
    assert np.allclose(np.asarray(got), expected)
