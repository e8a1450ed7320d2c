"""Recurrent layers against Keras 3.15.1, over drawn shapes and arguments."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_pairs import compare, compare_training, pair, same_config, same_weights

import minikeras

FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
ACTIVATIONS = st.sampled_from(
    ["tanh", "relu", "sigmoid", None, "softmax", "elu", "hard_sigmoid", "softsign", "gelu"]
)
RATES = st.sampled_from([0.0, 0.0, 0.3])


@st.composite
def cases(draw, gates=True):
    kwargs = {
        "units": draw(st.integers(1, 5)),
        "return_sequences": draw(st.booleans()),
        "return_state": draw(st.booleans()),
        "go_backwards": draw(st.booleans()),
        "use_bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        kwargs["activation"] = draw(ACTIVATIONS)
        if gates:
            kwargs["recurrent_activation"] = draw(ACTIVATIONS)
    if draw(st.booleans()):
        kwargs["zero_output_for_mask"] = draw(st.booleans())
    batch, steps, features = (
        draw(st.integers(1, 4)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 4)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.normal(size=(batch, steps, features)).astype("float32")
    options = {}
    if draw(st.booleans()):
        options["mask"] = rng.random((batch, steps)) > draw(st.sampled_from([0.2, 0.5, 0.9]))
    states = None
    if draw(st.booleans()):
        states = [rng.normal(size=(batch, kwargs["units"])).astype("float32") for _ in range(2)]
    return kwargs, x, options, states


def check(name, case, **more):
    kwargs, x, options, states = case
    layers = pair(name, **kwargs, **more)
    inputs = [x]
    if states is not None:
        inputs.append(states[: len(layers[1].state_size)])
    compare(*layers, inputs, options)
    same_config(*layers)
    shapes = [layer.compute_output_shape((None, *x.shape[1:])) for layer in layers]
    assert shapes[0] == shapes[1]


@FEW
@given(cases(gates=False))
def test_simple_rnn(case):
    check("SimpleRNN", case)


@FEW
@given(cases(), st.booleans())
def test_lstm(case, unit_forget_bias):
    check("LSTM", case, unit_forget_bias=unit_forget_bias)


@FEW
@given(cases(), st.booleans())
def test_gru(case, reset_after):
    check("GRU", case, reset_after=reset_after)


CELLS = {
    "SimpleRNNCell": lambda package, units: package.layers.SimpleRNNCell(units),
    "LSTMCell": lambda package, units: package.layers.LSTMCell(units),
    "GRUCell": lambda package, units: package.layers.GRUCell(units),
}


def without_units(case):
    kwargs, x, options, _ = case
    names = ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
    return {k: v for k, v in kwargs.items() if k in names}, x, options


@FEW
@given(cases(), st.sampled_from(sorted(CELLS)))
def test_rnn_of_a_cell(case, cell):
    kwargs, x, options = without_units(case)
    layers = pair("RNN", lambda package: CELLS[cell](package, 3), **kwargs)
    compare(*layers, [x], options)
    same_config(*layers)


@FEW
@given(cases(), st.lists(st.sampled_from(sorted(CELLS)), min_size=2, max_size=3))
def test_rnn_of_stacked_cells(case, cells):
    kwargs, x, options = without_units(case)

    def stack(package):
        made = [CELLS[cell](package, units) for units, cell in enumerate(cells, 2)]
        return package.layers.StackedRNNCells(made)

    layers = pair("RNN", stack, **kwargs)
    compare(*layers, [x], options)
    same_config(*layers)


def minimal_cell(package):
    """A cell of a user's own, with ops, two states and an output of another size."""
    ops = package.ops

    class MinimalCell(package.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.state_size = [units, units]
            self.output_size = 2 * units

        def build(self, input_shape):
            shape = (input_shape[-1], self.units)
            self.kernel = self.add_weight(shape=shape, name="kernel")
            self.recurrent = self.add_weight(shape=(self.units,) * 2, name="recurrent")
            self.built = True

        def call(self, inputs, states):
            h, total = states
            h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent))
            total = total + h
            return ops.concatenate([h, total], axis=-1), [h, total]

    return MinimalCell(3)


@FEW
@given(cases())
def test_rnn_of_a_users_cell(case):
    kwargs, x, options = without_units(case)
    compare(*pair("RNN", minimal_cell, **kwargs), [x], options)


@FEW
@given(
    cases(),
    st.sampled_from(["SimpleRNN", "LSTM", "GRU"]),
    st.sampled_from(["sum", "mul", "ave", "concat", None]),
)
def test_bidirectional(case, name, merge_mode):
    kwargs, x, options, states = case
    kwargs = {k: v for k, v in kwargs.items() if k not in ("go_backwards", "recurrent_activation")}

    def make(package):
        return getattr(package.layers, name)(**kwargs)

    layers = pair("Bidirectional", make, merge_mode=merge_mode)
    inputs = [x]
    if states is not None:
        own = states if name == "LSTM" else states[:1]
        inputs.append([*own, *(2 * state for state in own)])
    compare(*layers, inputs, options)
    same_config(*layers)


def test_bidirectional_with_a_backward_layer():
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    layers = pair(
        "Bidirectional",
        lambda package: package.layers.LSTM(3, return_sequences=True),
        backward_layer=lambda package: package.layers.GRU(
            3, return_sequences=True, go_backwards=True, activation="relu"
        ),
    )
    compare(*layers, [x])
    same_config(*layers)


@FEW
@given(
    st.sampled_from([1, 2, 3]),
    st.fixed_dictionaries(
        {
            "padding": st.sampled_from(["valid", "same"]),
            "use_bias": st.booleans(),
            "unit_forget_bias": st.booleans(),
            "return_sequences": st.booleans(),
            "return_state": st.booleans(),
            "go_backwards": st.booleans(),
        }
    ),
    st.sampled_from([{}, {"strides": 2}, {"dilation_rate": 2}, {"activation": "relu"}]),
    st.booleans(),
)
def test_conv_lstm(rank, kwargs, more, masked):
    rng = np.random.default_rng(rank)
    x = rng.normal(size=(2, 3, *(6, 5, 5)[:rank], 2)).astype("float32")
    options = {"mask": rng.random((2, 3)) > 0.4} if masked else {}
    layers = pair(f"ConvLSTM{rank}D", 2, 2, **kwargs, **more)
    compare(*layers, [x], options, tolerance=2e-5)
    same_config(*layers)
    assert layers[0].compute_output_shape(x.shape) == layers[1].compute_output_shape(x.shape)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "inner",
    [
        lambda package: package.layers.Dense(3, activation="relu"),
        lambda package: package.layers.LSTM(2),
        lambda package: package.layers.Bidirectional(package.layers.GRU(2)),
    ],
)
def test_time_distributed(inner, training):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    layers = pair("TimeDistributed", inner)
    compare(*layers, [x])
    same_config(*layers)
    assert layers[0].compute_output_shape(x.shape) == layers[1].compute_output_shape(x.shape)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_stateful(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    layers = pair(name, 3, stateful=True)
    for layer in layers:
        layer(x)
        layer.reset_state()
    same_weights(*layers)
    first = [np.asarray(layer(x)) for layer in layers]
    second = [np.asarray(layer(x)) for layer in layers]
    np.testing.assert_allclose(first[1], first[0], atol=1e-6)
    np.testing.assert_allclose(second[1], second[0], atol=1e-6)
    assert not np.allclose(first[1], second[1])
    for layer in layers:
        layer.reset_states()
    np.testing.assert_allclose(np.asarray(layers[1](x)), first[0], atol=1e-6)
    assert [w.name for w in layers[0].weights] == [w.name for w in layers[1].weights]


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "Bidirectional", "RNN"])
def test_masks_are_passed_on(name):
    found = []
    for package in (keras, minikeras):
        layers = package.layers
        inner = {
            "Bidirectional": lambda layers=layers: layers.Bidirectional(
                layers.LSTM(2, return_sequences=True)
            ),
            "RNN": lambda layers=layers: layers.RNN(layers.GRUCell(2), return_sequences=True),
        }.get(name, lambda layers=layers: getattr(layers, name)(2, return_sequences=True))()
        masking = layers.Masking(mask_value=0.0)
        x = np.ones((2, 4, 3), "float32")
        x[0, 2:] = 0
        output = inner(masking(x))
        found.append(np.asarray(output._keras_mask))
        assert getattr(layers.LSTM(2)(output), "_keras_mask", None) is None
    np.testing.assert_array_equal(*found)


# Not tokens: where an Embedding gets a row's gradient in parts, Adam of Keras on TensorFlow differs
# (see DIFFERENCES.md).
SEQUENCES = np.random.default_rng(3).normal(size=(8, 7, 6)).astype("float32")
SEQUENCES[:, 5:] = 0
SEQUENCES[2:4, :2] = 0
TARGETS = np.random.default_rng(4).normal(size=(8, 1)).astype("float32")

STACKS = {
    "lstm": lambda layers: [layers.LSTM(5)],
    "gru": lambda layers: [layers.GRU(5, reset_after=False)],
    "simple": lambda layers: [layers.SimpleRNN(5, activation="relu")],
    "stacked": lambda layers: [layers.LSTM(5, return_sequences=True), layers.GRU(4)],
    "both ways": lambda layers: [layers.Bidirectional(layers.LSTM(4)), layers.Dense(3)],
    "deep both ways": lambda layers: [
        layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
        layers.TimeDistributed(layers.Dense(4, activation="tanh")),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]),
    ],
    "regularized": lambda layers: [
        layers.LSTM(
            4,
            kernel_regularizer="l2",
            recurrent_regularizer="l1",
            kernel_constraint="max_norm",
            activity_regularizer="l2",
        )
    ],
}


@pytest.fixture
def numba():
    """Compiled loops; what compares with Keras without them is left as it is."""
    pytest.importorskip("numba", reason="compiled loops need Numba", exc_type=ImportError)
    minikeras.config.enable_numba()
    yield
    minikeras.config.disable_numba()


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
@pytest.mark.parametrize("backwards", [False, True])
def test_compiled_loops(name, backwards, numba):
    kwargs = {"units": 5, "return_sequences": True, "return_state": True, "use_bias": backwards}
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    states = [np.random.default_rng(k).normal(size=(4, 5)).astype("float32") for k in (1, 2)]
    check(name, ({**kwargs, "go_backwards": backwards}, x, {}, states if backwards else None))


@pytest.mark.parametrize("stack", ["stacked", "both ways", "regularized"])
def test_three_steps_of_training_in_compiled_loops(stack, numba):
    def build(package):  # without masks, which are NumPy's
        parts = [*STACKS[stack](package.layers), package.layers.Dense(1)]
        return package.Sequential([package.Input((7, 6)), *parts])

    compare_training(build, SEQUENCES, TARGETS)


@pytest.mark.parametrize("stack", STACKS)
def test_three_steps_of_training(stack):
    def build(package):
        layers = package.layers
        return package.Sequential(
            [
                package.Input((7, 6)),
                layers.Masking(),
                *STACKS[stack](layers),
                layers.Dense(1),
            ]
        )

    compare_training(build, SEQUENCES, TARGETS)


def test_three_steps_of_an_encoder_and_decoder():
    def build(package):
        layers = package.layers
        source, target = package.Input((7, 6)), package.Input((7, 3))
        encoded, h, c = layers.LSTM(5, return_sequences=True, return_state=True)(source)
        decoded = layers.LSTM(5, return_sequences=True)(target, initial_state=[h, c])
        context = layers.Attention()([decoded, encoded])
        both = layers.Concatenate()([decoded, context])
        return package.Model([source, target], layers.TimeDistributed(layers.Dense(2))(both))

    rng = np.random.default_rng(0)
    x = [SEQUENCES, rng.normal(size=(8, 7, 3)).astype("float32")]
    compare_training(build, x, rng.normal(size=(8, 7, 2)).astype("float32"))


ERRORS = {
    "units": lambda package: package.layers.LSTM(0),
    "negative units": lambda package: package.layers.GRUCell(-1),
    "rank": lambda package: package.layers.LSTM(2)(np.ones((2, 3), "float32")),
    "no cell": lambda package: package.layers.RNN(3),
    "merge mode": lambda package: package.layers.Bidirectional(
        package.layers.LSTM(2), merge_mode="max"
    ),
    "not a layer": lambda package: package.layers.Bidirectional(3),
    "same directions": lambda package: package.layers.Bidirectional(
        package.layers.LSTM(2), backward_layer=package.layers.LSTM(2)
    ),
    "sequences differ": lambda package: package.layers.Bidirectional(
        package.layers.LSTM(2),
        backward_layer=package.layers.LSTM(2, go_backwards=True, return_sequences=True),
    ),
    "use_cudnn": lambda package: package.layers.LSTM(2, use_cudnn="yes"),
    "stateful batch": lambda package: package.layers.LSTM(2, stateful=True)(package.Input((3, 4))),
    "time distributed rank": lambda package: package.layers.TimeDistributed(
        package.layers.Dense(2)
    )(np.ones((2, 3), "float32")),
    "time distributed mask": lambda package: package.layers.TimeDistributed(
        package.layers.Dense(2)
    )(np.ones((2, 3, 4), "float32"), mask=np.ones((2, 5), bool)),
    "initial state": lambda package: package.layers.LSTM(2)(
        np.ones((2, 3, 4), "float32"), initial_state=[np.ones((2, 5), "float32")] * 2
    ),
    "conv strides and dilation": lambda package: package.layers.ConvLSTM2D(
        2, 3, strides=2, dilation_rate=2
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_both_refuse(name):
    with pytest.raises(Exception):  # noqa: B017  (Keras's own kinds differ)
        ERRORS[name](keras)
    with pytest.raises(ValueError, match="eceived"):
        ERRORS[name](minikeras)
