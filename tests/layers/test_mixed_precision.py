"""Mixed precision: the outward dtype is the policy's, variables stay in float32."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers

RNG = np.random.default_rng(3)
ROWS, SERIES = RNG.normal(size=(2, 4)), RNG.normal(size=(2, 4, 3))
IMAGES, FILMS = RNG.normal(size=(2, 5, 5, 2)), RNG.normal(size=(2, 3, 5, 5, 2))
CASES = [
    (lambda: layers.Dense(3, "relu"), ROWS),
    (lambda: layers.EinsumDense("ab,bc->ac", output_shape=3), ROWS),
    (lambda: layers.BatchNormalization(), ROWS),
    (lambda: layers.PReLU(), ROWS),
    (lambda: layers.Embedding(5, 3), np.array([[0, 4], [1, 2]])),
    (lambda: layers.Conv2D(3, 2), IMAGES),
    (lambda: layers.SeparableConv2D(3, 2), IMAGES),
    (lambda: layers.Conv2DTranspose(3, 2), IMAGES),
    (lambda: layers.LSTM(3), SERIES),
    (lambda: layers.GRU(3, return_sequences=True), SERIES),
    (lambda: layers.SimpleRNN(3), SERIES),
    (lambda: layers.TimeDistributed(layers.Dense(3)), SERIES),
    (lambda: layers.SpectralNormalization(layers.Dense(3)), ROWS),
    (lambda: layers.ConvLSTM2D(2, 2), FILMS),
]


@pytest.mark.parametrize("make, x", CASES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_outward_dtypes(make, x, dtype):
    layer = make()
    layer.dtype_policy = f"mixed_{dtype}"
    y = layer(x)
    exact = layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})
    exact(x)
    exact.set_weights(layer.get_weights())
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    outputs = layer(keras.KerasTensor(x.shape, "int64" if x.dtype.kind == "i" else dtype))
    assert outputs.dtype == dtype
    # Three decimal digits are what such numbers have; bfloat16 has two.
    tolerance = 0.02 if dtype == "float16" else 0.1
    np.testing.assert_allclose(np.asarray(y, "float32"), exact(x), atol=tolerance)


def test_own_layers_read_variables_in_the_compute_dtype():
    seen = []

    class Inner(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="ones")
            self.exact = self.add_weight(shape=(), initializer="ones", autocast=False)

        def call(self, x):
            seen.append((self.scale.dtype, self.exact.dtype, str(x.dtype)))
            return x * self.scale

    class Outer(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner, self.plain = Inner(dtype="mixed_float16"), Inner(dtype="float32")

        def call(self, x):
            return self.plain(self.inner(x))

    y = Outer(dtype="mixed_float16")(np.ones((2, 3)))
    assert seen == [("float16", "float32", "float16"), ("float32", "float32", "float32")]
    assert y.dtype == "float32"


def test_training_under_a_policy():
    keras.utils.set_random_seed(1)
    x = RNG.normal(size=(128, 4)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, "relu", dtype="mixed_float16"),
            layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    losses = model.fit(x, x.sum(axis=1), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4
    assert model.predict(x[:2], verbose=0).dtype == np.float32
    assert model.layers[0].output.dtype == "float16"


def test_autocast_scope_wants_a_float():
    from minikeras.engine.variable import AutocastScope

    with pytest.raises(ValueError, match="'int32'"):
        AutocastScope("int32")
    variable = keras.Variable(np.ones(2, "float32"))
    with AutocastScope("float16"):
        assert variable.dtype == "float16" and variable.value.dtype == "float16"
        with AutocastScope(None):
            assert variable.dtype == "float32"
    assert variable.dtype == "float32"
