"""Operations as layers of models from files, which must not fill memory to tell their shapes."""

import json
import time

import pytest

import minikeras as keras
from minikeras import ops

NUMPY, MATH, IMAGE = "keras.src.ops.numpy", "keras.src.ops.math", "keras.src.ops.image"


def tensor(shape):
    place = {"shape": shape, "dtype": "float32", "keras_history": ["x", 0, 0]}
    return {"class_name": "__keras_tensor__", "config": place}


def opened(shape, module, name, fields, *args):
    """The model with one operation of Keras 3."""
    head = {"class_name": "InputLayer", "module": "keras.layers", "name": "x", "inbound_nodes": []}
    head["config"] = {"batch_shape": shape, "dtype": "float32", "name": "x"}
    node = {"args": [tensor(shape), *args], "kwargs": {}}
    layer = {"class_name": name, "module": module, "config": {"name": "y", **fields}}
    layer |= {"name": "y", "inbound_nodes": [node]}
    config = {"name": "m", "layers": [head, layer]}
    config |= {"input_layers": [["x", 0, 0]], "output_layers": [["y", 0, 0]]}
    return keras.models.model_from_json(json.dumps({"class_name": "Functional", "config": config}))


LONG = [None, 10**4]
BOMBS = {
    "Vander": ([None], NUMPY, {"N": 10**10}),
    "Diag": ([10**5], NUMPY, {"k": 0}),
    "Diagflat": ([4], NUMPY, {"k": 10**6}),
    "Linspace": ([None, 100], NUMPY, {"num": 10**10}, 3.0),
    "Logspace": ([None, 100], NUMPY, {"num": 10**10}, 3.0),
    "Outer": (LONG, NUMPY, {}, tensor(LONG)),
    "Kron": (LONG, NUMPY, {}, tensor(LONG)),
    "Meshgrid": ([10**5], NUMPY, {}, tensor([10**5])),
    "CDist": ([10**5, 2], MATH, {}, tensor([10**5, 2])),
    "STFT": ([None, 400], MATH, {"sequence_length": 9, "sequence_stride": 1, "fft_length": 10**9}),
    "PadImages": ([None, 4, 4, 3], IMAGE, {"target_height": 10**8, "target_width": 10**8}),
    "ExtractPatches": ([None, 4, 4, 3], IMAGE, {"size": [10**4] * 2, "padding": "same"}),
    "SVD": ([3000, 3000], "keras.src.ops.linalg", {}),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_what_would_fill_memory_is_refused(name):
    shape, module, fields, *args = BOMBS[name]
    start = time.process_time()
    with pytest.raises(ValueError, match="to find out the shape of its output"):
        opened(shape, module, name, fields, *args)
    assert time.process_time() - start < 1


def test_own_graphs_are_not_bounded():
    x = keras.Input(batch_shape=(9000,))
    assert ops.outer(x, x).shape == (9000, 9000)  # one's own graph


@pytest.mark.parametrize("name", ["PadImages", "ExtractPatches", "Outer"])
def test_usual_sizes_are_not(name):
    fields, shape = {}, [None, 200, 200, 3]
    if name == "PadImages":
        fields = {"top_padding": 8, "left_padding": 8, "target_height": 224, "target_width": 224}
    elif name == "ExtractPatches":
        fields = {"size": [16, 16]}
    if name == "Outer":
        assert opened([64], NUMPY, name, fields, tensor([64])).output_shape == (64, 64)
    else:
        assert opened(shape, IMAGE, name, fields).output_shape[1] in (224, 12)


FUNCTIONS = [
    ("math.reduce_mean", [10**5, 10**5], {}),
    ("linalg.matmul", [10**5, 1], {"b": ["x", 0, 0], "transpose_b": True}),
    ("math.unsorted_segment_sum", [None], {"segment_ids": [0, 1], "num_segments": 10**9}),
    ("math.confusion_matrix", [None], {"predictions": ["x", 0, 0], "num_classes": 10**5}),
    ("image.ssim", [None, 9, 9, 1], {"img2": ["x", 0, 0], "max_val": 1.0, "filter_size": 10**5}),
    ("nn.lrn", [None, 9, 9, 1], {"depth_radius": 10**9}),
    ("nn.avg_pool2d", [None, 9, 9, 1], {"ksize": [10**6] * 2, "strides": 1, "padding": "SAME"}),
    ("linalg.diag", [4], {"k": 10**6}),
    ("linalg.eig", [2000, 2000], {}),
    ("linalg.expm", [2000, 2000], {}),
    ("linalg.matrix_rank", [3000, 3000], {}),
    ("reduce_min", [3000, 3000], {"axis": ["x", 0, 0]}),
    ("image.stateless_random_flip_left_right", [3000, 3000], {"seed": [["x", 0, 0]]}),
    ("tensordot", [10**5], {"b": ["x", 0, 0], "axes": 0}),
]


@pytest.mark.parametrize("function, shape, arguments", FUNCTIONS)
def test_functions_of_tensorflow_that_fill_memory_are_refused(function, shape, arguments):
    layers = [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_input_shape": shape, "dtype": "float32"}},
        {"class_name": "TFOpLambda", "name": "y", "config": {"name": "y", "function": function},
         "inbound_nodes": [["x", 0, 0, arguments]]},
    ]  # fmt: skip
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]]}
    config["output_layers"] = [["y", 0, 0]]
    text = json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.10.0"})
    start = time.process_time()
    with pytest.raises(
        ValueError, match=r"far more than|make more than|no counterpart|a few integers"
    ):
        keras.models.model_from_json(text)
    assert time.process_time() - start < 1


def test_what_is_computed_element_by_element_is_not_tried_on_all():
    layers = [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_input_shape": [3000, 3000], "dtype": "float32"}},
        {"class_name": "TFOpLambda", "name": "y",
         "config": {"name": "y", "function": "math.lgamma"}, "inbound_nodes": [["x", 0, 0, {}]]},
    ]  # fmt: skip
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]]}
    config["output_layers"] = [["y", 0, 0]]
    text = json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.10.0"})
    start = time.process_time()
    assert keras.models.model_from_json(text).output_shape == (3000, 3000)
    assert time.process_time() - start < 0.5
