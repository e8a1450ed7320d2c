'''Compares self-normalizing networks with ReLU ones on topics of news.'''
from __future__ import print_function
import numpy as np
import keras
from keras.datasets import reuters
from keras.models import Sequential
from keras.layers import Dense, Activation, Dropout
from keras.layers.noise import AlphaDropout
from keras.preprocessing.text import Tokenizer

max_words = 200
batch_size = 16
epochs = 3


def create_network(n_dense=3, dense_units=16, activation='selu', dropout=AlphaDropout, dropout_rate=0.1,
                   kernel_initializer='lecun_normal', optimizer='adam', num_classes=1, max_words=max_words):
    model = Sequential()
    model.add(Dense(dense_units, input_shape=(max_words,), kernel_initializer=kernel_initializer))
    model.add(Activation(activation))
    model.add(dropout(dropout_rate))
    for i in range(n_dense - 1):
        model.add(Dense(dense_units, kernel_initializer=kernel_initializer))
        model.add(Activation(activation))
        model.add(dropout(dropout_rate))
    model.add(Dense(num_classes))
    model.add(Activation('softmax'))
    model.compile(loss='categorical_crossentropy', optimizer=optimizer, metrics=['accuracy'])
    return model

network1 = {'n_dense': 3, 'dense_units': 16, 'activation': 'relu', 'dropout': Dropout, 'dropout_rate': 0.5,
            'kernel_initializer': 'glorot_uniform', 'optimizer': 'sgd'}
network2 = {'n_dense': 3, 'dense_units': 16, 'activation': 'selu', 'dropout': AlphaDropout, 'dropout_rate': 0.1,
            'kernel_initializer': 'lecun_normal', 'optimizer': 'sgd'}
(x_train, y_train), (x_test, y_test) = reuters.load_data(num_words=max_words, test_split=0.2)
num_classes = np.max(y_train) + 1
tokenizer = Tokenizer(num_words=max_words)
x_train = tokenizer.sequences_to_matrix(x_train, mode='binary')
x_test = tokenizer.sequences_to_matrix(x_test, mode='binary')
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)
results = []
for network in (network1, network2):
    model = create_network(num_classes=num_classes, **network)
    history = model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=0, validation_split=0.1)
    score = model.evaluate(x_test, y_test, batch_size=batch_size, verbose=1)
    print('Test loss:', score[0])
    print('Test accuracy:', score[1])
    results.append(history.history['loss'])
assert results[1][-1] < results[1][0]
assert x_train.shape == (200, max_words) and set(np.unique(x_train)) == {0, 1}
