# Attention with several heads as a layer of one's own, by batch_dot as it was until Keras 2.2.4
import numpy as np
from keras import backend as K
from keras.engine.topology import Layer
from keras.layers import Dense, Dropout, Embedding, GlobalAveragePooling1D, Input
from keras.models import Model, load_model

np.random.seed(2)


class Attention(Layer):
    def __init__(self, heads, size, **kwargs):
        self.heads, self.size = heads, size
        super(Attention, self).__init__(**kwargs)

    def build(self, input_shape):
        shape = (input_shape[-1], self.heads * self.size)
        self.q, self.k, self.v = [
            self.add_weight(name=name, shape=shape, initializer='glorot_uniform')
            for name in ('q', 'k', 'v')]
        super(Attention, self).build(input_shape)

    def split(self, x, w):
        x = K.reshape(K.dot(x, w), (-1, K.shape(x)[1], self.heads, self.size))
        return K.permute_dimensions(x, (0, 2, 1, 3))

    def call(self, x):
        q, k, v = [self.split(x, w) for w in (self.q, self.k, self.v)]
        scores = K.softmax(K.batch_dot(q, k, axes=[3, 3]) / self.size ** 0.5)
        mixed = K.permute_dimensions(K.batch_dot(scores, v, axes=[3, 2]), (0, 2, 1, 3))
        return K.reshape(mixed, (-1, K.shape(x)[1], self.heads * self.size))

    def compute_output_shape(self, input_shape):
        return input_shape[:2] + (self.heads * self.size,)

    def get_config(self):
        config = {'heads': self.heads, 'size': self.size}
        return dict(list(super(Attention, self).get_config().items()) + list(config.items()))


words = Input(shape=(None,), dtype='int32')
x = Embedding(30, 8)(words)
x = Attention(2, 4)(x)
x = Dropout(0.2)(GlobalAveragePooling1D()(x))
model = Model(inputs=words, outputs=Dense(1, activation='sigmoid')(x))
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
texts = np.random.randint(0, 30, (80, 7))
labels = (texts.mean(axis=1) > 14.5).astype('float32')
history = model.fit(texts, labels, batch_size=16, epochs=5, validation_split=0.2, verbose=0)
assert history.history['loss'][-1] < history.history['loss'][0] and 'val_acc' in history.history

# What it is, written out.
layer = model.layers[2]
w = [K.get_value(one) for one in (layer.q, layer.k, layer.v)]
inputs = np.random.normal(size=(2, 7, 8))
q, k, v = [(inputs @ one).reshape(2, 7, 2, 4) for one in w]
scores = np.exp(np.einsum('bihd,bjhd->bhij', q, k) / 2)
expected = np.einsum('bhij,bjhd->bihd', scores / scores.sum(-1, keepdims=True), v).reshape(2, 7, 8)
assert np.allclose(K.eval(layer(K.constant(inputs))), expected, atol=1e-5)
model.save('attention.h5')
again = load_model('attention.h5', custom_objects={'Attention': Attention})
assert np.allclose(again.predict(texts), model.predict(texts))
