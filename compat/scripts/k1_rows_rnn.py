'''Images as sequences: an identity recurrent network over pixels, and a hierarchical one over rows.'''
from __future__ import print_function
from keras.datasets import mnist
from keras.models import Sequential, Model
from keras.layers import Dense, Activation, Input, SimpleRNN, TimeDistributed, LSTM
from keras.initializations import normal, identity
from keras.optimizers import RMSprop
from keras.utils import np_utils

batch_size = 32
nb_classes = 10
hidden_units = 16
learning_rate = 1e-3
clip_norm = 1.0
(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train, X_test = X_train[:96, ::4, ::4], X_test[:32, ::4, ::4]
P_train = X_train.reshape(X_train.shape[0], -1, 1).astype('float32') / 255
P_test = X_test.reshape(X_test.shape[0], -1, 1).astype('float32') / 255
Y_train = np_utils.to_categorical(y_train[:96], nb_classes)
Y_test = np_utils.to_categorical(y_test[:32], nb_classes)
print('Evaluate IRNN...')
model = Sequential()
model.add(SimpleRNN(output_dim=hidden_units,
                    init=lambda shape, name=None: normal(shape, scale=0.001, name=name),
                    inner_init=lambda shape, name=None: identity(shape, scale=1.0, name=name),
                    activation='relu',
                    input_shape=P_train.shape[1:]))
model.add(Dense(nb_classes))
model.add(Activation('softmax'))
rmsprop = RMSprop(lr=learning_rate)
model.compile(loss='categorical_crossentropy', optimizer=rmsprop, metrics=['accuracy'])
h = model.fit(P_train, Y_train, batch_size=batch_size, nb_epoch=3, verbose=1, validation_data=(P_test, Y_test))
assert h.history['loss'][-1] < h.history['loss'][0]

# rows, then columns
row_hidden, col_hidden = 8, 8
R_train = P_train.reshape(-1, 7, 7, 1)
row, col, pixel = R_train.shape[1:]
x = Input(shape=(row, col, pixel))
encoded_rows = TimeDistributed(LSTM(output_dim=row_hidden))(x)
encoded_columns = LSTM(col_hidden)(encoded_rows)
prediction = Dense(nb_classes, activation='softmax')(encoded_columns)
model = Model(input=x, output=prediction)
model.compile(loss='categorical_crossentropy', optimizer='rmsprop', metrics=['accuracy'])
model.fit(R_train, Y_train, batch_size=batch_size, nb_epoch=1, verbose=1)
assert model.predict(R_train).shape == (96, 10)
