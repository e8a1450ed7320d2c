from keras.layers import Input, Dense, Convolution2D, MaxPooling2D, UpSampling2D, LSTM, RepeatVector
from keras.models import Model, Sequential
from keras import regularizers
from keras.datasets import mnist
from keras.callbacks import TensorBoard
import numpy as np
import os

(x_train, _), (x_test, _) = mnist.load_data()
x_train = x_train.astype('float32') / 255.
x_test = x_test.astype('float32') / 255.
flat_train = x_train.reshape((len(x_train), np.prod(x_train.shape[1:])))
flat_test = x_test.reshape((len(x_test), np.prod(x_test.shape[1:])))
print(flat_train.shape, flat_test.shape)

# this is the size of our encoded representations
encoding_dim = 16
input_img = Input(shape=(784,))
encoded = Dense(encoding_dim, activation='relu', activity_regularizer=regularizers.activity_l1(10e-7))(input_img)
decoded = Dense(784, activation='sigmoid')(encoded)
autoencoder = Model(input=input_img, output=decoded)
encoder = Model(input=input_img, output=encoded)
encoded_input = Input(shape=(encoding_dim,))
decoder_layer = autoencoder.layers[-1]
decoder = Model(input=encoded_input, output=decoder_layer(encoded_input))
autoencoder.compile(optimizer='adadelta', loss='binary_crossentropy')
autoencoder.fit(flat_train, flat_train, nb_epoch=2, batch_size=64, shuffle=True,
                validation_data=(flat_test, flat_test))
encoded_imgs = encoder.predict(flat_test)
decoded_imgs = decoder.predict(encoded_imgs)
assert np.allclose(decoded_imgs, autoencoder.predict(flat_test), atol=1e-5)

# convolutional
input_img = Input(shape=(28, 28, 1))
x = Convolution2D(8, 3, 3, activation='relu', border_mode='same')(input_img)
x = MaxPooling2D((2, 2), border_mode='same')(x)
x = Convolution2D(4, 3, 3, activation='relu', border_mode='same')(x)
encoded = MaxPooling2D((2, 2), border_mode='same')(x)
x = Convolution2D(4, 3, 3, activation='relu', border_mode='same')(encoded)
x = UpSampling2D((2, 2))(x)
x = Convolution2D(8, 3, 3, activation='relu', border_mode='same')(x)
x = UpSampling2D((2, 2))(x)
decoded = Convolution2D(1, 3, 3, activation='sigmoid', border_mode='same')(x)
autoencoder = Model(input_img, decoded)
autoencoder.compile(optimizer='adam', loss='binary_crossentropy')
noise_factor = 0.5
big = np.reshape(x_train, (len(x_train), 28, 28, 1))[:128]
noisy = np.clip(big + noise_factor * np.random.normal(loc=0.0, scale=1.0, size=big.shape), 0., 1.)
h = autoencoder.fit(noisy, big, nb_epoch=2, batch_size=32, shuffle=True,
                    callbacks=[TensorBoard(log_dir='tb', histogram_freq=0, write_graph=False)])
assert h.history['loss'][1] < h.history['loss'][0]
assert autoencoder.output_shape == (None, 28, 28, 1)
assert os.path.isdir('tb')

# sequences
inputs = Input(shape=(6, 3))
code = LSTM(4)(inputs)
back = RepeatVector(6)(code)
back = LSTM(3, return_sequences=True)(back)
seq = Model(inputs, back)
seq.compile('sgd', 'mse')
assert seq.predict(np.zeros((2, 6, 3))).shape == (2, 6, 3)
