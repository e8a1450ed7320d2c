"""The order of keys in configs, which is that of Keras."""

import pytest

import minikeras

CONVOLUTION = (
    "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
    "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
)  # fmt: skip


@pytest.mark.parametrize("name", ["Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"])
def test_convolutions(name):
    config = getattr(minikeras.layers, name)(2, 3).get_config()
    assert tuple(key for key in config if key in CONVOLUTION) == CONVOLUTION


def test_a_regularizer_of_outputs_stands_in_front():
    config = minikeras.layers.Conv1D(2, 3, activity_regularizer="l2").get_config()
    assert list(config)[:4] == ["name", "trainable", "dtype", "activity_regularizer"]


def test_lstm_and_its_cell():
    lstm = list(minikeras.layers.LSTM(2).get_config())
    assert lstm.index("recurrent_activation") == lstm.index("activation") + 1
    assert lstm[-3:] == ["dropout", "recurrent_dropout", "seed"]
    cell = list(minikeras.layers.LSTMCell(2).get_config())
    assert cell.index("unit_forget_bias") == cell.index("use_bias") + 1


def test_functional_models_say_what_keras_says():
    inputs = minikeras.Input((2,))
    record = minikeras.saving.serialize_keras_object(minikeras.Model(inputs, inputs))
    assert record["registered_name"] == "Functional"
    assert record["build_config"] == {"input_shape": None} and record["compile_config"] == {}
