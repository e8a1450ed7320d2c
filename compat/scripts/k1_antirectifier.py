'''A layer of one's own, as Keras 1 wrote them.'''
from __future__ import print_function
from keras.models import Sequential, Model, load_model
from keras.layers import Dense, Dropout, Layer, Activation, Input
from keras.engine.topology import Layer as TopologyLayer
from keras.datasets import mnist
from keras import backend as K
from keras import initializations
from keras.utils import np_utils
import numpy as np


class Antirectifier(Layer):
    def get_output_shape_for(self, input_shape):
        shape = list(input_shape)
        assert len(shape) == 2  # only valid for 2D tensors
        shape[-1] *= 2
        return tuple(shape)

    def call(self, x, mask=None):
        x -= K.mean(x, axis=1, keepdims=True)
        x = K.l2_normalize(x, axis=1)
        pos = K.relu(x)
        neg = K.relu(-x)
        return K.concatenate([pos, neg], axis=1)


class MyDense(TopologyLayer):
    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super(MyDense, self).__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[1], self.output_dim), initializer='glorot_uniform',
                                 trainable=True, name='{}_W'.format(self.name))
        super(MyDense, self).build(input_shape)

    def call(self, x, mask=None):
        return K.dot(x, self.W)

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.output_dim)

    def get_config(self):
        config = {'output_dim': self.output_dim}
        base_config = super(MyDense, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


batch_size = 64
nb_classes = 10
nb_epoch = 3
(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train = X_train.reshape(-1, 784).astype('float32') / 255
X_test = X_test.reshape(-1, 784).astype('float32') / 255
Y_train = np_utils.to_categorical(y_train, nb_classes)
Y_test = np_utils.to_categorical(y_test, nb_classes)
model = Sequential()
model.add(Dense(32, input_shape=(784,)))
model.add(Antirectifier())
model.add(Dropout(0.1))
model.add(MyDense(16))
model.add(Antirectifier())
model.add(Dense(10))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer='rmsprop', metrics=['accuracy'])
h = model.fit(X_train, Y_train, batch_size=batch_size, nb_epoch=nb_epoch, verbose=1,
              validation_data=(X_test, Y_test))
assert h.history['loss'][-1] < h.history['loss'][0]
assert model.layers[1].output_shape == (None, 64)
model.save('own.h5')
again = load_model('own.h5', custom_objects={'Antirectifier': Antirectifier, 'MyDense': MyDense})
assert np.allclose(again.predict(X_test), model.predict(X_test), atol=1e-6)
