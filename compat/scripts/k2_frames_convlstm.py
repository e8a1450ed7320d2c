# Next frame of a film, convolutional recurrence; a multi-step CNN; TimeDistributed images
from keras.models import Sequential, Model, clone_model
from keras.layers.convolutional import Conv3D
from keras.layers.convolutional_recurrent import ConvLSTM2D
from keras.layers.normalization import BatchNormalization
from keras.layers import TimeDistributed, Conv1D, MaxPooling1D, Flatten, LSTM, Dense, RepeatVector, Input, Conv2D, GlobalAveragePooling2D, Permute, multiply, Lambda
from keras import backend as K
import keras.backend as KB
import numpy as np

seq = Sequential()
seq.add(ConvLSTM2D(filters=4, kernel_size=(3, 3), input_shape=(None, 10, 10, 1), padding='same', return_sequences=True))
seq.add(BatchNormalization())
seq.add(ConvLSTM2D(filters=4, kernel_size=(3, 3), padding='same', return_sequences=True))
seq.add(Conv3D(filters=1, kernel_size=(3, 3, 3), activation='sigmoid', padding='same', data_format='channels_last'))
seq.compile(loss='binary_crossentropy', optimizer='adadelta')


def generate_movies(n_samples=8, n_frames=5):
    noisy = np.zeros((n_samples, n_frames, 10, 10, 1), dtype=float)
    shifted = np.zeros((n_samples, n_frames, 10, 10, 1), dtype=float)
    for i in range(n_samples):
        x, y = np.random.randint(0, 4), np.random.randint(0, 7)
        for t in range(n_frames):
            noisy[i, t, x + t: x + t + 2, y: y + 2, 0] += 1
            shifted[i, t, x + t + 1: x + t + 3, y: y + 2, 0] += 1
    noisy[noisy >= 1] = 1
    return noisy, shifted

noisy_movies, shifted_movies = generate_movies()
h = seq.fit(noisy_movies[:6], shifted_movies[:6], batch_size=2, epochs=2, validation_split=0.3)
assert h.history['loss'][1] < h.history['loss'][0]
track = noisy_movies[7][:3, ::, ::, ::]
for j in range(2):
    new_pos = seq.predict(track[np.newaxis, ::, ::, ::, ::])
    new = new_pos[::, -1, ::, ::, ::]
    track = np.concatenate((track, new), axis=0)
assert track.shape == (5, 10, 10, 1)
# CNN-LSTM
X = np.random.rand(30, 2, 6, 1)
y = X.sum(axis=(1, 2))
model = Sequential()
model.add(TimeDistributed(Conv1D(filters=8, kernel_size=2, activation='relu'), input_shape=(None, 6, 1)))
model.add(TimeDistributed(MaxPooling1D(pool_size=2)))
model.add(TimeDistributed(Flatten()))
model.add(LSTM(10, activation='relu'))
model.add(RepeatVector(3))
model.add(LSTM(10, activation='relu', return_sequences=True))
model.add(TimeDistributed(Dense(1)))
model.compile(optimizer='adam', loss='mse')
h = model.fit(X, np.repeat(y[:, None], 3, axis=1), epochs=4, verbose=0)
assert h.history['loss'][-1] < h.history['loss'][0]
assert model.output_shape == (None, 3, 1)
# attention by hand
inp = Input(shape=(5, 3))
a = Permute((2, 1))(inp)
a = Dense(5, activation='softmax')(a)
a_probs = Permute((2, 1), name='attention_vec')(a)
weighted = multiply([inp, a_probs])
pooled = Lambda(lambda z: K.sum(z, axis=1), output_shape=lambda s: (s[0], s[2]))(weighted)
out = Dense(1, activation='sigmoid')(pooled)
attention = Model(inputs=[inp], outputs=out)
attention.compile('adam', 'binary_crossentropy')
attention.fit(np.random.rand(20, 5, 3), np.random.randint(0, 2, 20), epochs=1, verbose=0)
vec = K.function([attention.input], [attention.get_layer('attention_vec').output])([np.random.rand(2, 5, 3)])[0]
assert np.allclose(vec.sum(axis=1), 1, atol=1e-5)
copy = clone_model(attention)
copy.set_weights(attention.get_weights())
assert np.allclose(copy.predict(np.ones((2, 5, 3))), attention.predict(np.ones((2, 5, 3))), atol=1e-6)
