# Weather forecast from hourly measures: a generator, recurrent and convolutional models
import os
import numpy as np
from keras.models import Sequential
from keras import layers
from keras.optimizers import RMSprop

f = open('air.csv')
data = f.read()
f.close()
lines = data.strip().split('\n')
header = lines[0].split(',')
lines = lines[1:]
float_data = np.zeros((len(lines), 4))
for i, line in enumerate(lines):
    values = [float(x) for x in line.split(',')[1:5]]
    float_data[i, :] = values
mean = float_data[:200].mean(axis=0)
float_data -= mean
std = float_data[:200].std(axis=0)
float_data /= std


def generator(data, lookback, delay, min_index, max_index, shuffle=False, batch_size=128, step=6):
    if max_index is None:
        max_index = len(data) - delay - 1
    i = min_index + lookback
    while 1:
        if shuffle:
            rows = np.random.randint(min_index + lookback, max_index, size=batch_size)
        else:
            if i + batch_size >= max_index:
                i = min_index + lookback
            rows = np.arange(i, min(i + batch_size, max_index))
            i += len(rows)
        samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
        targets = np.zeros((len(rows),))
        for j, row in enumerate(rows):
            indices = range(rows[j] - lookback, rows[j], step)
            samples[j] = data[indices]
            targets[j] = data[rows[j] + delay][2]
        yield samples, targets

lookback, step, delay, batch_size = 24, 2, 3, 16
train_gen = generator(float_data, lookback, delay, 0, 200, shuffle=True, step=step, batch_size=batch_size)
val_gen = generator(float_data, lookback, delay, 201, None, step=step, batch_size=batch_size)
val_steps = (len(float_data) - 201 - lookback) // batch_size


def evaluate_naive_method():
    batch_maes = []
    for step in range(val_steps):
        samples, targets = next(val_gen)
        preds = samples[:, -1, 1]
        mae = np.mean(np.abs(preds - targets))
        batch_maes.append(mae)
    return np.mean(batch_maes)

print(evaluate_naive_method())
gru = Sequential()
gru.add(layers.GRU(8, dropout=0.1, recurrent_dropout=0.2, return_sequences=True, input_shape=(None, float_data.shape[-1])))
gru.add(layers.Bidirectional(layers.GRU(6, activation='relu')))
gru.add(layers.Dense(1))
gru.compile(optimizer=RMSprop(lr=0.01), loss='mae')
history = gru.fit_generator(train_gen, steps_per_epoch=8, epochs=3, validation_data=val_gen, validation_steps=val_steps)
assert history.history['loss'][-1] < history.history['loss'][0]
conv = Sequential()
conv.add(layers.Conv1D(8, 3, activation='relu', input_shape=(None, float_data.shape[-1])))
conv.add(layers.MaxPooling1D(2))
conv.add(layers.Conv1D(8, 2, activation='relu'))
conv.add(layers.GlobalMaxPooling1D())
conv.add(layers.Dense(1))
conv.summary()
conv.compile(optimizer=RMSprop(), loss='mae')
conv.fit_generator(train_gen, steps_per_epoch=5, epochs=2, validation_data=val_gen, validation_steps=val_steps)
dense = Sequential()
dense.add(layers.Flatten(input_shape=(lookback // step, float_data.shape[-1])))
dense.add(layers.Dense(8, activation='relu'))
dense.add(layers.Dense(1))
dense.compile(optimizer=RMSprop(), loss='mae')
h = dense.fit(train_gen, steps_per_epoch=10, epochs=2, validation_data=val_gen, validation_steps=val_steps)
assert len(h.history['val_loss']) == 2
