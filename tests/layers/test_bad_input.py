"""Bad input: errors that say what was received, where data would not be used as it was meant."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers

IMAGES = np.ones((2, 6, 6, 3), "float32")
SERIES = np.ones((2, 4, 2), "float32")


def then(layer, first, second):
    layer(first)
    return layer(second)


@pytest.mark.parametrize(
    "action, message",
    [
        (lambda: layers.Conv2D(2, 3)(IMAGES[0]), r"found ndim=3.*\(6, 6, 3\)"),
        (lambda: layers.Dense(2)(np.ones(3)), "min_ndim=2, found ndim=1"),
        (lambda: layers.LSTM(2)(np.ones((3, 2))), "expected ndim=3, found ndim=2"),
        (
            lambda: then(layers.Conv2D(2, 3), IMAGES, np.ones((2, 6, 6, 4))),
            r"value 3.*\(2, 6, 6, 4\)",
        ),
        (lambda: then(layers.Dense(2), np.ones((2, 3)), np.ones((2, 4))), r"value 3.*\(2, 4\)"),
        (lambda: layers.Conv2D(2, 7)(IMAGES), r"larger than the input.*kernel_size=\(7, 7\)"),
        (lambda: layers.Conv1D(2, 9)(np.ones((1, 4, 3))), "larger than the input"),
        (lambda: layers.DepthwiseConv2D(7)(IMAGES), "larger than the input"),
        (lambda: layers.SeparableConv2D(2, 7)(IMAGES), "larger than the input"),
        (lambda: layers.MaxPooling2D(7)(IMAGES), r"larger than the input.*pool_size=\(7, 7\)"),
        (lambda: layers.Conv2D(4, 3, groups=2)(IMAGES), "groups=2, but the input has 3 channels"),
        (lambda: layers.Conv2D(5, 3, groups=2), "groups=2, filters=5"),
        (lambda: layers.Conv2D(5, 3, groups=0), "groups=0"),
        (lambda: layers.Embedding(4, 2)(np.array([[-1]])), "index -1.*rows 0 to 3"),
        (lambda: layers.Embedding(4, 2)(np.array([[4]])), "index 4.*rows 0 to 3"),
        (lambda: layers.Add()([np.ones((2, 3)), np.ones((2, 4))]), r"\(3,\) and \(4,\)"),
        (
            lambda: layers.Concatenate()([np.ones((2, 3, 4)), np.ones((2, 4, 4))]),
            r"matching shapes.*\(2, 4, 4\)",
        ),
        (lambda: layers.Dot(1)([np.ones((2, 3)), np.ones((2, 4))]), "3 .*!= 4"),
        (
            lambda: layers.LSTM(3)(SERIES, initial_state=[np.zeros((2, 4)), np.zeros((2, 3))]),
            r"initial_state.*\(2, 3\).*\(2, 4\)",
        ),
        (lambda: layers.LSTM(3)(SERIES, initial_state=[np.zeros((2, 3))]), "must hold 2 array"),
        (lambda: layers.Dense(2, quantization_config="int8"), "Unknown quantizer.*int8"),
        (lambda: layers.Dense(2, dtype="int8_from_float31"), "float31"),
    ],
)
def test_errors_say_what_was_received(action, message):
    with pytest.raises(ValueError, match=message):
        action()


def test_leaving_what_is_recorded():
    class Leaves(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=input_shape[-1:])

        def call(self, x):
            return keras.ops.convert_to_tensor(np.asarray(x * self.scale))

    model = keras.Sequential([keras.Input((3,)), Leaves(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="ops"):
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
