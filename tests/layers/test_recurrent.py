"""Recurrent layers and cells: the contract, gradients, states, masks, dropout, errors."""

import numpy as np
import pytest

import minikeras
from minikeras import layers, ops
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
FAMILIES = ("SimpleRNN", "LSTM", "GRU")


def make(name, *args, **fixed):
    return lambda **more: getattr(layers, name)(*args, **fixed, **more)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"return_sequences": True, "return_state": True},
        {"go_backwards": True, "use_bias": False},
        {"activation": "relu", "return_sequences": True},
        {"activation": "softmax", "zero_output_for_mask": True},
        {"activation": "gelu", "dropout": 0.4, "recurrent_dropout": 0.3},
        {
            "kernel_regularizer": "l2",
            "bias_constraint": "non_neg",
            "recurrent_initializer": "zeros",
        },
    ],
    ids=str,
)
@pytest.mark.parametrize("mask", [None, MASK], ids=["", "mask"])
def test_contract(name, arguments, mask):
    options = {} if mask is None else {"mask": mask}
    check_layer(make(name, 3, **arguments), X, **options)


def test_contract_of_gru_with_the_reset_gate_before():
    check_layer(make("GRU", 3, reset_after=False, recurrent_activation="hard_sigmoid"), X)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_of_initial_states(name):
    layer = getattr(layers, name)(4, dtype="float64", return_state=True, return_sequences=True)
    states = [RNG.normal(size=(3, 4)) for _ in range(2 if name == "LSTM" else 1)]
    check_gradients(layer, X, states)
    check_gradients(layer, X, states, mask=MASK)


@pytest.mark.parametrize("name", FAMILIES)
def test_activation_of_ones_own(name):
    def swish(z):
        return z * ops.sigmoid(z)

    layer = getattr(layers, name)(3, activation=swish, dtype="float64")
    check_gradients(layer, X, mask=MASK)


class MinimalCell(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")

    def call(self, inputs, states):
        output = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent))
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class WrappedLSTMCell(layers.LSTMCell):
    """A subclass may do more in a step, so the kernel for whole sequences must not be used."""

    def call(self, inputs, states, training=False):
        output, states = super().call(inputs, states, training=training)
        return 2.0 * output, states


CELLS = {
    "minimal": lambda **kw: MinimalCell(3, **kw),
    "subclass": lambda **kw: WrappedLSTMCell(3, **kw),
    "simple": lambda **kw: layers.SimpleRNNCell(3, **kw),
    "lstm": lambda **kw: layers.LSTMCell(3, **kw),
    "gru": lambda **kw: layers.GRUCell(3, **kw),
    "stack": lambda **kw: layers.StackedRNNCells(
        [layers.LSTMCell(3, **kw), layers.GRUCell(2, **kw)], **kw
    ),
    "mixed stack": lambda **kw: layers.StackedRNNCells(
        [MinimalCell(3, **kw), layers.LSTMCell(2, **kw)], **kw
    ),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["", "mask"])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"return_sequences": True, "return_state": True}, {"go_backwards": True}],
    ids=str,
)
def test_contract_of_rnn(cell, arguments, mask):
    objects = {"MinimalCell": MinimalCell, "WrappedLSTMCell": WrappedLSTMCell}
    options = {} if mask is None else {"mask": mask}
    with minikeras.saving.custom_object_scope(objects):
        check_layer(lambda **kw: layers.RNN(CELLS[cell](**kw), **arguments, **kw), X, **options)


@pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])
def test_a_loop_over_steps_equals_the_kernel(cell):
    own = CELLS[cell]()
    whole = np.asarray(layers.RNN(own, return_sequences=True)(X))
    states = own.get_initial_state(batch_size=3)
    for step in range(5):
        output, states = own(X[:, step], states)
        np.testing.assert_allclose(np.asarray(output), whole[:, step], atol=1e-6)


def test_a_list_of_cells_is_stacked():
    layer = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_state=True)
    output, first, second = layer(X)
    assert output.shape == (3, 2) and [s.shape for s in first] == [(3, 3)] * 2
    assert [s.shape for s in second] == [(3, 2)]
    np.testing.assert_array_equal(np.asarray(second[0]), np.asarray(output))


@pytest.mark.parametrize("name", FAMILIES)
def test_unroll_makes_no_difference(name):
    layer = getattr(layers, name)(3)
    twin = getattr(layers, name)(3, unroll=True)
    expected = np.asarray(layer(X))
    twin(X)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.asarray(twin(X)), expected)


@pytest.mark.parametrize("name", [*FAMILIES, "cell of a user"])
def test_stateful(name):
    arguments = {"stateful": True, "return_sequences": True}
    if name in FAMILIES:
        layer = getattr(layers, name)(3, **arguments)
    else:
        layer = layers.RNN(MinimalCell(3), **arguments)
    whole = np.asarray(layer(X))
    layer.reset_state()
    first, second = np.asarray(layer(X[:, :2])), np.asarray(layer(X[:, 2:]))
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, atol=1e-6)
    assert len(layer.weights) == len(layer.trainable_weights)
    layer.reset_states()
    np.testing.assert_array_equal(np.asarray(layer(X)), whole)
    with pytest.raises(ValueError, match=r"batch size.* 3\. Received inputs of batch size 2"):
        layer(X[:2])


def test_a_symbolic_call_leaves_states_alone():
    layer = layers.LSTM(3, stateful=True)
    layer(minikeras.Input(batch_shape=(3, 5, 4)))
    assert not any(v.array.any() for v in layer.states)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", ["dropout", "recurrent_dropout"])
def test_dropout(name, kind):
    layer = getattr(layers, name)(3, **{kind: 0.5}, seed=1, return_sequences=True)
    calm = np.asarray(layer(X))
    np.testing.assert_array_equal(np.asarray(layer(X, training=False)), calm)
    first, second = (np.asarray(layer(X, training=True)) for _ in range(2))
    assert not np.allclose(first, calm) and not np.allclose(first, second)
    twin = getattr(layers, name)(3, **{kind: 0.5}, seed=1, return_sequences=True)
    twin(X)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.asarray(twin(X, training=True)), first)


@pytest.mark.parametrize("name", FAMILIES)
def test_dropped_inputs_are_the_same_in_each_step(name):
    layer = (
        getattr(layers, name)(3, dropout=0.5, implementation=1)
        if name != "SimpleRNN"
        else (layers.SimpleRNN(3, dropout=0.5))
    )
    x = np.ones((200, 4, 5), "float32")
    layer(x)
    with Recording(Run(training=True, recording=True)) as recording:
        tensor = recording.track(x)
        output = layer(tensor)
    (dx,) = (recording.reverse([(output.slot, np.ones_like(output.array))])[tensor.slot],)
    if name == "SimpleRNN":
        dropped = dx == 0
        np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1], dropped.shape))
        # 1000 draws at a rate of one half: five standard deviations are 0.08.
        assert abs(dropped[:, 0].mean() - 0.5) < 0.08


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_gradients_under_dropout(name):
    class Fixed(getattr(layers, name + "Cell")):
        """Draws the same mask each time."""

        def make_dropout_mask(self, shape, rate, dtype):
            shape = shape if self.dropout_mask_count is None else (self.dropout_mask_count, *shape)
            return np.random.default_rng(3).integers(0, 2, shape).astype(dtype) * 2

    for more in ({"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.5}):
        layer = layers.RNN(Fixed(3, **more, dtype="float64"), dtype="float64")
        check_gradients(layer, X, training=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_masks_are_used_with_and_without_initial_states(name):
    layer = getattr(layers, name)(3)
    x = X.copy()
    x[:, 2:] = 0
    masked = layers.Masking()(x)
    expected = np.asarray(layer(x[:, :2]))
    np.testing.assert_allclose(np.asarray(layer(masked)), expected, atol=1e-6)
    states = [np.zeros((3, 3), "float32")] * (2 if name == "LSTM" else 1)
    output = layer(masked, initial_state=states)
    np.testing.assert_allclose(np.asarray(output), expected, atol=1e-6)


def test_activity_regularizers():
    for name in FAMILIES:
        layer = getattr(layers, name)(3, activity_regularizer="l2")
        output = np.asarray(layer(X))
        (loss,) = layer.losses
        np.testing.assert_allclose(float(loss), 0.01 * (output**2).sum() / 3, rtol=1e-5)


def test_frozen_layers_pass_gradients_on():
    layer = layers.LSTM(3, dtype="float64")
    layer(X.astype("float64"))
    layer.cell.kernel.trainable = False
    check_gradients(layer, X)


def test_a_shared_layer_adds_up_its_gradients():
    layer = layers.GRU(4, return_sequences=True, dtype="float64")
    check_gradients(lambda x: layer(layer(x)), X, variables=layer.trainable_variables)


def test_weights_and_paths():
    layer = layers.LSTM(3, name="memory")
    layer(X)
    assert [w.path for w in layer.weights] == [
        "memory/lstm_cell/kernel",
        "memory/lstm_cell/recurrent_kernel",
        "memory/lstm_cell/bias",
    ]
    np.testing.assert_array_equal(layer.weights[2].numpy(), [0] * 3 + [1] * 3 + [0] * 6)
    recurrent = layer.weights[1].numpy()
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(3), atol=1e-5)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            lambda: layers.LSTM(0),
            "`units` of LSTMCell must be a positive integer. Received: units=0",
        ),
        (lambda: layers.GRU(2.5), "units=2.5"),
        (lambda: layers.LSTM(2)(X[0]), "expected ndim=3"),
        (lambda: layers.LSTM(2)(X[:, :0]), "at least one step"),
        (lambda: layers.LSTM(2)(X, initial_state=[X[:, 0]]), r"2 array\(s\).*\(3, 2\)"),
        (lambda: layers.GRU(2)(X, initial_state=X[:, 0]), r"\(3, 2\).*Received.*\(3, 4\)"),
        (lambda: layers.LSTM(2)(X, mask=np.ones((3, 4), bool)), r"\(3, 5\).*\(3, 4\)"),
        (lambda: layers.LSTM(2, stateful=True)(minikeras.Input((5, 4))), "fixed batch size"),
        (lambda: layers.LSTM(2, use_cudnn=True)(X), "use_cudnn='auto'"),
        (lambda: layers.LSTM(2, use_cudnn=3), "use_cudnn=3"),
        (lambda: layers.LSTM(2, unit=3), "unit"),
        (lambda: layers.RNN(layers.Dense(2)), "state_size"),
        (lambda: layers.RNN("cell"), "call"),
        (lambda: layers.StackedRNNCells([3]), "call"),
    ],
)
def test_errors(action, message):
    with pytest.raises(ValueError, match=message):
        action()
