'''A stateful LSTM for a long sequence.'''
from __future__ import print_function
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, LSTM

# since we are using stateful rnn tsteps can be set to 1
tsteps = 1
batch_size = 10
epochs = 3
lahead = 1


def gen_cosine_amp(amp=100, period=50, x0=0, xn=200, step=1, k=0.01):
    cos = np.zeros(((xn - x0) * step, 1, 1))
    for i in range(len(cos)):
        idx = x0 + i * step
        cos[i, 0, 0] = amp * np.cos(2 * np.pi * idx / period)
        cos[i, 0, 0] = cos[i, 0, 0] * np.exp(-k * idx)
    return cos

cos = gen_cosine_amp() / 100
expected_output = np.zeros((len(cos), 1))
for i in range(len(cos) - lahead):
    expected_output[i, 0] = np.mean(cos[i + 1:i + lahead + 1])

print('Creating Model')
model = Sequential()
model.add(LSTM(12, batch_input_shape=(batch_size, tsteps, 1), return_sequences=True, stateful=True))
model.add(LSTM(12, batch_input_shape=(batch_size, tsteps, 1), return_sequences=False, stateful=True))
model.add(Dense(1))
model.compile(loss='mse', optimizer='rmsprop')
losses = []
for i in range(epochs):
    print('Epoch', i, '/', epochs)
    h = model.fit(cos, expected_output, batch_size=batch_size, verbose=0, nb_epoch=1, shuffle=False)
    losses.append(h.history['loss'][0])
    model.reset_states()
predicted_output = model.predict(cos, batch_size=batch_size)
assert predicted_output.shape == (200, 1)
assert losses[-1] < losses[0]
second = model.predict(cos, batch_size=batch_size)
assert not np.allclose(second, predicted_output)  # it remembers
model.reset_states()
model.predict(cos[:0 + 10], batch_size=batch_size)
model.reset_states()
assert np.allclose(model.predict(cos, batch_size=batch_size), predicted_output, atol=1e-5)
