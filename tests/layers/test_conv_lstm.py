"""Convolutional LSTMs."""

import numpy as np
import pytest

from minikeras import layers
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)
MASK = np.array([[1, 0, 1], [0, 1, 1]], bool)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"return_sequences": True, "return_state": True, "padding": "same"},
        {"data_format": "channels_first", "go_backwards": True},
        {"strides": 2, "use_bias": False, "recurrent_activation": "hard_sigmoid"},
        {"dilation_rate": 2, "activation": "relu", "unit_forget_bias": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("mask", [None, MASK], ids=["", "mask"])
def test_contract(rank, arguments, mask):
    spatial = (5, 4, 4)[:rank]
    shape = (2, 3, 2, *spatial) if "data_format" in arguments else (2, 3, *spatial, 2)
    x = RNG.normal(size=shape).astype("float32")
    kind = getattr(layers, f"ConvLSTM{rank}D")
    options = {} if mask is None else {"mask": mask}
    check_layer(lambda **kw: kind(2, 2, **arguments, **kw), x, **options)


def test_dropout():
    x = RNG.normal(size=(2, 3, 5, 2)).astype("float32")
    layer = layers.ConvLSTM1D(2, 2, dropout=0.5, recurrent_dropout=0.5, seed=1)
    calm = np.asarray(layer(x))
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert not np.allclose(first, calm) and not np.allclose(first, second)
    np.testing.assert_array_equal(np.asarray(layer(x)), calm)


def test_stateful():
    x = RNG.normal(size=(2, 4, 5, 2)).astype("float32")
    layer = layers.ConvLSTM1D(2, 2, stateful=True, return_sequences=True)
    whole = np.asarray(layer(x))
    layer.reset_state()
    parts = [np.asarray(layer(x[:, :1])), np.asarray(layer(x[:, 1:]))]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: layers.ConvLSTM2D(2, 3, strides=2, dilation_rate=2), "not compatible"),
        (lambda: layers.ConvLSTM2D(0, 3), "filters"),
        (lambda: layers.ConvLSTM2D(2, (3, 3, 3)), "kernel_size"),
        (lambda: layers.ConvLSTM1D(2, 3)(np.ones((2, 3, 4), "float32")), "expected ndim=4"),
        (lambda: layers.ConvLSTM1D(2, 3, padding="causal"), "padding"),
        (
            lambda: layers.ConvLSTM1D(2, 3)(
                np.ones((2, 3, 4, 1), "float32"), initial_state=[np.ones((2, 4, 2), "float32")] * 2
            ),
            r"\(2, 2, 2\).*\(2, 4, 2\)",
        ),
    ],
)
def test_errors(action, message):
    with pytest.raises(ValueError, match=message):
        action()
