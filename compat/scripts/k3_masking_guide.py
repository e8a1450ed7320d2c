"""Understanding masking and padding."""
import numpy as np
import keras
from keras import ops
from keras import layers

raw_inputs = [[711, 632, 71], [73, 8, 3215, 55, 927], [83, 91, 1, 645, 1253, 927]]
padded_inputs = keras.utils.pad_sequences(raw_inputs, padding="post")
print(padded_inputs)
embedding = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)
masked_output = embedding(padded_inputs)
assert np.array_equal(np.asarray(masked_output._keras_mask), padded_inputs != 0)
masking_layer = layers.Masking()
unmasked_embedding = ops.cast(ops.tile(ops.expand_dims(padded_inputs, axis=-1), [1, 1, 10]), dtype="float32")
masked_embedding = masking_layer(unmasked_embedding)
assert np.array_equal(np.asarray(masked_embedding._keras_mask), padded_inputs != 0)
model = keras.Sequential([layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True), layers.LSTM(32)])
inputs = keras.Input(shape=(None,), dtype="int32")
x = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)(inputs)
outputs = layers.LSTM(32)(x)
functional = keras.Model(inputs, outputs)
short, long = padded_inputs[:1, :3], padded_inputs[:1]
assert np.allclose(functional.predict(short), functional.predict(long), atol=1e-6)


class MyLayer(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(input_dim=5000, output_dim=16, mask_zero=True)
        self.lstm = layers.LSTM(32)

    def call(self, inputs):
        x = self.embedding(inputs)
        mask = self.embedding.compute_mask(inputs)
        output = self.lstm(x, mask=mask)
        return output

layer = MyLayer()
x = np.random.random((4, 10)) * 100
x = x.astype("int32")
assert layer(x).shape == (4, 32)


class TemporalSplit(keras.layers.Layer):
    def call(self, inputs):
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs, mask=None):
        if mask is None:
            return None
        return ops.split(mask, 2, axis=1)

first_half, second_half = TemporalSplit()(masked_embedding)
assert np.asarray(first_half._keras_mask).shape == (3, 3)


class TemporalSoftmax(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        assert mask is not None
        broadcast_float_mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
        inputs_exp = ops.exp(inputs) * broadcast_float_mask
        inputs_sum = ops.sum(inputs_exp * broadcast_float_mask, axis=1, keepdims=True)
        return inputs_exp / inputs_sum

inputs = keras.Input(shape=(6,), dtype="int32")
x = layers.Embedding(input_dim=5000, output_dim=4, mask_zero=True)(inputs)
x = layers.Dense(1)(x)
outputs = TemporalSoftmax()(x)
model = keras.Model(inputs, outputs)
y = model(padded_inputs, )
y = ops.convert_to_numpy(y)[..., 0]
assert np.allclose(y.sum(1), 1, atol=1e-5) and (y[padded_inputs == 0] == 0).all()
