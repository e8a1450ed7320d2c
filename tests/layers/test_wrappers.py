"""`Wrapper`, `TimeDistributed` and `Bidirectional`."""

import numpy as np
import pytest

import minikeras
from minikeras import layers, ops
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)


@pytest.mark.parametrize("merge_mode", ["sum", "mul", "ave", "concat", None])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["", "mask"])
def test_bidirectional(merge_mode, sequences, mask):
    def make(**kw):
        inner = layers.LSTM(2, return_sequences=sequences, return_state=True, **kw)
        return layers.Bidirectional(inner, merge_mode=merge_mode, **kw)

    check_layer(make, X, **({} if mask is None else {"mask": mask}))


def test_the_backward_layer_sees_time_in_reverse():
    layer = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode=None)
    forward, backward = layer(X)
    layer.backward_layer.set_weights(layer.forward_layer.get_weights())
    forward, backward = layer(X[:, ::-1])[0], layer(X)[1]
    np.testing.assert_allclose(np.asarray(forward)[:, ::-1], np.asarray(backward), atol=1e-6)


def test_initial_states_of_bidirectional():
    layer = layers.Bidirectional(layers.LSTM(2, dtype="float64"), dtype="float64")
    states = [RNG.normal(size=(3, 2)) for _ in range(4)]
    check_gradients(layer, X, states)
    with pytest.raises(ValueError, match="`initial_state` of Bidirectional"):
        layer(X, initial_state=states[:3])


def test_bidirectional_copies_its_layer():
    inner = layers.LSTM(2, name="memory", activation=lambda z: ops.tanh(z) * 0.5)
    inner(X)
    layer = layers.Bidirectional(inner, backward_layer=None)
    layer(X)
    assert (layer.forward_layer.name, layer.backward_layer.name) == (
        "forward_memory",
        "backward_memory",
    )
    assert len(layer.weights) == 6
    assert not set(map(id, layer.weights)) & set(map(id, inner.weights))
    assert [w.path.split("/")[1] for w in layer.weights] == ["forward_memory"] * 3 + [
        "backward_memory"
    ] * 3


def test_bidirectional_takes_initial_weights():
    given = layers.Bidirectional(layers.GRU(2))
    given(X)
    layer = layers.Bidirectional(layers.GRU(2), weights=given.get_weights())
    np.testing.assert_array_equal(np.asarray(layer(X)), np.asarray(given(X)))


def test_stateful_bidirectional():
    layer = layers.Bidirectional(layers.GRU(2, stateful=True))
    first, second = np.asarray(layer(X)), np.asarray(layer(X))
    assert not np.allclose(first, second)
    assert len(layer.states) == 2
    layer.reset_states()
    np.testing.assert_array_equal(np.asarray(layer(X)), first)
    with pytest.raises(AttributeError, match="not stateful"):
        layers.Bidirectional(layers.GRU(2)).reset_state()


class Centre(layers.Layer):
    """Depends on the whole batch, so steps must not be mixed."""

    def call(self, inputs):
        return inputs - ops.mean(inputs, axis=0, keepdims=True)

    def compute_output_shape(self, input_shape):
        return input_shape


STEPS = RNG.normal(size=(3, 2, 5, 4)).astype("float32")


@pytest.mark.parametrize(
    ("inner", "x"),
    [
        (lambda **kw: layers.Dense(3, activation="tanh", **kw), X),
        (lambda **kw: layers.LSTM(3, return_sequences=True, **kw), STEPS),
        (lambda **kw: layers.Bidirectional(layers.GRU(3, **kw), **kw), STEPS),
        (lambda **kw: layers.TimeDistributed(layers.Dense(2, **kw), **kw), STEPS),
        (Centre, X),
    ],
)
def test_time_distributed(inner, x):
    with minikeras.saving.custom_object_scope({"Centre": Centre}):
        layer = check_layer(lambda **kw: layers.TimeDistributed(inner(**kw), **kw), x)
    output = np.asarray(layer(x))
    for step in range(x.shape[1]):
        np.testing.assert_allclose(output[:, step], np.asarray(layer.layer(x[:, step])), atol=1e-6)


def test_time_distributed_passes_masks():
    inner = layers.LSTM(2)
    layer = layers.TimeDistributed(inner)
    mask = RNG.random((3, 2, 5)) > 0.4
    output = np.asarray(layer(STEPS, mask=mask))
    for step in range(2):
        expected = np.asarray(inner(STEPS[:, step], mask=mask[:, step]))
        np.testing.assert_allclose(output[:, step], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: layers.TimeDistributed(3), "isn't a supported layer"),
        (lambda: layers.TimeDistributed(layers.Dense(2))(X[0]), "at least 3 axes"),
        (
            lambda: layers.TimeDistributed(layers.Dense(2))(X, mask=np.ones((3, 4), bool)),
            r"\(3, 4\).*\(3, 5\)",
        ),
        (lambda: layers.Bidirectional(3), "`layer` of Bidirectional"),
        (lambda: layers.Bidirectional(layers.Dense(3)), "must be a recurrent layer"),
        (lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="max"), "'max'"),
        (
            lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3)),
            "go_backwards=False in both",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(3),
                backward_layer=layers.LSTM(3, go_backwards=True, return_state=True),
            ),
            "`return_state`",
        ),
    ],
)
def test_errors(action, message):
    with pytest.raises(ValueError, match=message):
        action()
