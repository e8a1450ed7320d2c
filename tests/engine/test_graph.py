"""Planned graphs: order, pruning, freeing, masks, threads."""

import threading

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.engine.context import Context, Run
from minikeras.engine.graph import Graph
from minikeras.engine.layer import Layer


def dense_chain(depth, width=3):
    inputs = x = keras.Input((width,))
    for _ in range(depth):
        x = layers.Dense(width)(x)
    return inputs, x


def test_a_graph_of_thousands_of_layers_needs_no_recursion():
    inputs, outputs = dense_chain(3000, width=1)
    graph = Graph([inputs], [outputs])
    assert len(graph.steps) == 3000


def test_layers_are_ordered_as_keras_orders_them():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    x = layers.Dense(2, name="one")(a)
    y = layers.Dense(2, name="two")(x)
    outputs = layers.Add(name="sum")([y, b])
    model = keras.Model([a, b], outputs)
    assert [layer.name for layer in model.layers] == ["a", "one", "two", "b", "sum"]


def test_frozen_layers_below_the_first_trainable_one_are_not_recorded():
    inputs, x = dense_chain(3)
    model = keras.Model(inputs, x)
    model.layers[1].trainable = False
    model.layers[2].trainable = False
    plan = model.graph.plan()
    assert [records for records, _, _ in plan.steps] == [False, False, True]
    # and the first trainable one is not asked for the gradient of its input
    assert plan.steps[2][1] == [False]


def test_thawing_a_layer_makes_a_new_plan():
    inputs, x = dense_chain(2)
    model = keras.Model(inputs, x)
    model.layers[1].trainable = False
    assert [records for records, _, _ in model.graph.plan().steps] == [False, True]
    model.layers[1].trainable = True
    assert [records for records, _, _ in model.graph.plan().steps] == [True, True]


def test_inputs_get_gradients_where_they_are_wanted():
    inputs, x = dense_chain(2)
    graph = keras.Model(inputs, x).graph
    run = Run(True, True)
    outputs, calls, _ = graph.forward(run, [np.ones((2, 3), "float32")], graph.plan([True]))
    (dx,) = graph.backward(calls, [np.ones_like(outputs[0])])
    kernels = [step.operation.kernel.array for step in graph.steps]
    expected = np.ones((2, 3)) @ kernels[1].T @ kernels[0].T
    np.testing.assert_allclose(dx, expected, rtol=1e-5)


def test_values_that_nobody_needs_are_freed():
    seen = []

    class Watch(Layer):
        def forward(self, ctx, x):
            seen.append(x)
            return x + 1.0

        def backward(self, ctx, dy):
            return dy

    inputs = keras.Input((2,))
    x = inputs
    for _ in range(3):
        x = Watch()(x)
    graph = keras.Model(inputs, x).graph
    assert [step.frees != () for step in graph.steps] == [True, True, True]
    assert graph.steps[-1].outs[0] not in graph.steps[-1].frees


def test_an_input_that_is_not_listed_is_named():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    with pytest.raises(ValueError, match=r"\['b'\]"):
        keras.Model(a, layers.Add()([a, b]))


def test_eight_threads_predict_what_one_does():
    inputs, x = dense_chain(4, width=16)
    model = keras.Model(inputs, layers.Dropout(0.5)(x))
    data = [np.random.default_rng(i).standard_normal((20, 16)).astype("float32") for i in range(8)]
    expected = [model.predict(rows) for rows in data]
    results = [[] for _ in data]

    def work(index):
        for _ in range(50):
            results[index].append(model.predict(data[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, want in zip(results, expected):
        assert len(got) == 50
        assert all(np.array_equal(one, want) for one in got)


def test_a_shared_layer_keeps_one_context_per_call():
    layer = layers.Dense(2)
    layer.build((None, 2))
    first, second = (Context(Run(True, True), True, [True]) for _ in range(2))
    layer.forward(first, np.zeros((1, 2), "float32"))
    layer.forward(second, np.ones((1, 2), "float32"))
    assert first.saved[0].tolist() == [[0, 0]]
    assert second.saved[0].tolist() == [[1, 1]]


def test_a_composite_layer_inside_a_functional_model_trains():
    class Twice(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(self.dense(x))

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Twice()(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernel = model.layers[1].dense.kernel
    x = np.eye(3, dtype="float32")
    before = kernel.numpy()
    model.train_on_batch(x, np.zeros((3, 3)))
    # d mean((x W W)^2) = 2/9 (x^T D W^T + (x W)^T D) with D = x W W and no bias
    d = 2 / 9 * (before @ before)
    expected = before - 0.1 * (d @ before.T + before.T @ d)
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-5, atol=1e-7)
