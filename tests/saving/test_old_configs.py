"""Architectures as Keras 1 and 2 wrote them, in forms that few files have."""

import json

import numpy as np
import pytest

import minikeras as keras


def opened(config, version="2.10.0"):
    return keras.models.model_from_json(json.dumps({**config, "keras_version": version}))


def dense(name, units, shape=None, **more):
    config = {"name": name, "output_dim": units, "activation": "linear", "init": "one", **more}
    if shape:
        config["batch_input_shape"] = [None, *shape]
    return {"class_name": "Dense", "config": config}


def stack(*layers):
    return {"class_name": "Sequential", "config": list(layers)}


def merge(*branches, mode="sum", name="merge_1"):
    config = {"name": name, "mode": mode, "layers": list(branches), "concat_axis": -1}
    return {"class_name": "Merge", "config": config}


def functional(*layers, inputs, outputs):
    """A functional model of Keras 1 or 2: (record, calls) for each layer."""
    config = {
        "name": "model_1",
        "layers": [
            {**record, "name": record["config"]["name"], "inbound_nodes": calls}
            for record, calls in layers
        ],
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Model", "config": config}


def start(name, *shape, dtype="float32"):
    config = {"name": name, "batch_input_shape": [None, *shape], "dtype": dtype}
    return ({"class_name": "InputLayer", "config": config}, [])


@pytest.fixture
def nested_merge():
    both = stack(merge(stack(dense("a", 3, [4])), stack(dense("b", 3, [2]))), dense("c", 2))
    return stack(merge(both, stack(dense("d", 2, [3])), mode="concat", name="merge_2"))


A, B, C = np.ones((1, 4), "f"), np.ones((1, 2), "f"), np.ones((1, 3), "f")


def test_merges_within_merges(nested_merge):
    model = opened(nested_merge, "1.2.2")
    assert np.array_equal(model.predict([A, B, C], verbose=0), [[18, 18, 3, 3]])


def test_a_merge_of_a_functional_model():
    inner = functional(
        start("in", 4), (dense("d", 2), [[["in", 0, 0]]]), inputs=["in"], outputs=["d"]
    )
    model = opened(stack(merge(inner, stack(dense("e", 2, [2])), mode="mul")), "1.2.2")
    assert np.array_equal(model.predict([A, B], verbose=0), [[8, 8]])


def test_a_merged_model_within_a_functional_one():
    inner = stack(merge(stack(dense("a", 3, [4])), stack(dense("b", 3, [2]))))
    inner["config"][0]["config"]["name"] = "joined"
    record = {"class_name": "Sequential", "config": inner["config"], "name": "sequential_1"}
    config = functional(
        start("x", 4),
        start("y", 2),
        ({"class_name": "Sequential", "config": {"name": "s"}}, [[["x", 0, 0], ["y", 0, 0]]]),
        inputs=["x", "y"],
        outputs=["s"],
    )
    config["config"]["layers"][2].update(config=record["config"])
    model = opened(config, "1.2.2")
    assert np.array_equal(model.predict([A, B], verbose=0), [[6, 6, 6]])


def test_padding_by_the_names_of_sides():
    padding = {"left_pad": 2, "right_pad": 1}
    config = {"name": "z", "padding": padding, "batch_input_shape": [None, 3, 1]}
    model = opened(stack({"class_name": "ZeroPadding1D", "config": config}), "1.2.2")
    assert model.predict(np.ones((1, 3, 1)), verbose=0).ravel().tolist() == [0, 0, 1, 1, 1, 0]


def test_the_penalty_on_the_largest_eigenvalue():
    penalty = {"name": "EigenvalueRegularizer", "k": 0.1}
    model = opened(stack(dense("d", 3, [4], W_regularizer=penalty)), "1.0.8")
    kernel = np.arange(12.0).reshape(4, 3)
    model.set_weights([kernel, np.zeros(3)])
    largest = np.linalg.svd(kernel, compute_uv=False)[0]
    assert float(model.losses[0]) == pytest.approx(0.1 * largest, rel=1e-4)


def test_settings_that_separable_convolutions_had_from_others():
    config = {"name": "s", "filters": 2, "kernel_size": [3], "batch_input_shape": [None, 3, 1],
              "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
              "kernel_regularizer": None, "kernel_constraint": None, "groups": 1,
              "depthwise_initializer": {"class_name": "Ones", "config": {}},
              "pointwise_initializer": {"class_name": "Ones", "config": {}}}  # fmt: skip
    model = opened(stack({"class_name": "SeparableConv1D", "config": config}))
    assert np.array_equal(model.predict(np.ones((1, 3, 1)), verbose=0), [[[3, 3]]])


@pytest.mark.parametrize("name", ["softmax_v2", "log_softmax_v2"])
def test_names_that_functions_have_in_tensorflow(name):
    config = {"name": "a", "activation": name, "batch_input_shape": [None, 2]}
    model = opened(stack({"class_name": "Activation", "config": config}))
    value = model.predict(np.zeros((1, 2)), verbose=0)[0, 0]
    assert value == pytest.approx(0.5 if name == "softmax_v2" else np.log(0.5))
