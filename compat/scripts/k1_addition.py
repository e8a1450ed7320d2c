# -*- coding: utf-8 -*-
'''Sequence to sequence: "12+7" -> "19".'''
from __future__ import print_function
from keras.models import Sequential
from keras.layers import Activation, TimeDistributed, Dense, RepeatVector, recurrent
import numpy as np


class CharacterTable(object):
    '''Encodes a string as rows of zeros and ones, and back.'''
    def __init__(self, chars, maxlen):
        self.chars = sorted(set(chars))
        self.char_indices = dict((c, i) for i, c in enumerate(self.chars))
        self.indices_char = dict((i, c) for i, c in enumerate(self.chars))
        self.maxlen = maxlen

    def encode(self, C, maxlen=None):
        maxlen = maxlen if maxlen else self.maxlen
        X = np.zeros((maxlen, len(self.chars)))
        for i, c in enumerate(C):
            X[i, self.char_indices[c]] = 1
        return X

    def decode(self, X, calc_argmax=True):
        if calc_argmax:
            X = X.argmax(axis=-1)
        return ''.join(self.indices_char[x] for x in X)


TRAINING_SIZE = 400
DIGITS = 2
INVERT = True
RNN = recurrent.LSTM
HIDDEN_SIZE = 24
BATCH_SIZE = 64
LAYERS = 1
MAXLEN = DIGITS + 1 + DIGITS

chars = '0123456789+ '
ctable = CharacterTable(chars, MAXLEN)
questions, expected, seen = [], [], set()
rng = np.random.RandomState(0)
while len(questions) < TRAINING_SIZE:
    a, b = int(rng.randint(0, 100)), int(rng.randint(0, 100))
    key = (a, b)
    if key in seen:
        continue
    seen.add(key)
    q = '{}+{}'.format(a, b)
    query = q + ' ' * (MAXLEN - len(q))
    ans = str(a + b)
    ans += ' ' * (DIGITS + 1 - len(ans))
    if INVERT:
        query = query[::-1]
    questions.append(query)
    expected.append(ans)
X = np.zeros((len(questions), MAXLEN, len(ctable.chars)), dtype=bool)
y = np.zeros((len(questions), DIGITS + 1, len(ctable.chars)), dtype=bool)
for i, sentence in enumerate(questions):
    X[i] = ctable.encode(sentence, maxlen=MAXLEN)
for i, sentence in enumerate(expected):
    y[i] = ctable.encode(sentence, maxlen=DIGITS + 1)
split_at = len(X) - len(X) // 10
(X_train, X_val) = X[:split_at], X[split_at:]
(y_train, y_val) = (y[:split_at], y[split_at:])

model = Sequential()
model.add(RNN(HIDDEN_SIZE, input_shape=(MAXLEN, len(chars))))
model.add(RepeatVector(DIGITS + 1))
for _ in range(LAYERS):
    model.add(RNN(HIDDEN_SIZE, return_sequences=True))
model.add(TimeDistributed(Dense(len(chars))))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam', metrics=['accuracy'])

losses = []
for iteration in range(1, 4):
    print('Iteration', iteration)
    h = model.fit(X_train, y_train, batch_size=BATCH_SIZE, nb_epoch=2,
                  validation_data=(X_val, y_val), verbose=0)
    losses += h.history['loss']
    for i in range(3):
        ind = np.random.randint(0, len(X_val))
        rowX, rowy = X_val[np.array([ind])], y_val[np.array([ind])]
        preds = model.predict_classes(rowX, verbose=0)
        q = ctable.decode(rowX[0])
        correct = ctable.decode(rowy[0])
        guess = ctable.decode(preds[0], calc_argmax=False)
        print('Q', q[::-1] if INVERT else q, 'T', correct, 'ok' if correct == guess else 'fail', guess)
assert losses[-1] < losses[0]
assert model.output_shape == (None, DIGITS + 1, len(chars))
