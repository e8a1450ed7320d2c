'''A bag of n-grams with an average of embeddings, and a convolution beside it.'''
from __future__ import print_function
import numpy as np
np.random.seed(1337)
from keras.preprocessing import sequence
from keras.models import Sequential
from keras.layers import Dense, Activation, Dropout
from keras.layers import Embedding
from keras.layers import GlobalAveragePooling1D, GlobalMaxPooling1D
from keras.layers import Convolution1D, MaxPooling1D, LSTM
from keras.datasets import imdb


def create_ngram_set(input_list, ngram_value=2):
    return set(zip(*[input_list[i:] for i in range(ngram_value)]))


def add_ngram(sequences, token_indice, ngram_range=2):
    new_sequences = []
    for input_list in sequences:
        new_list = input_list[:]
        for i in range(len(new_list)-ngram_range+1):
            for ngram_value in range(2, ngram_range+1):
                ngram = tuple(new_list[i:i+ngram_value])
                if ngram in token_indice:
                    new_list.append(token_indice[ngram])
        new_sequences.append(new_list)
    return new_sequences

ngram_range = 2
max_features = 200
maxlen = 40
batch_size = 32
embedding_dims = 20

(X_train, y_train), (X_test, y_test) = imdb.load_data(nb_words=max_features)
print('Average train sequence length: {}'.format(np.mean(list(map(len, X_train)), dtype=int)))
ngram_set = set()
for input_list in X_train:
    for i in range(2, ngram_range+1):
        ngram_set.update(create_ngram_set(input_list, ngram_value=i))
start_index = max_features + 1
token_indice = {v: k + start_index for k, v in enumerate(ngram_set)}
max_features = np.max(list(token_indice.values())) + 1
X_train = add_ngram(X_train, token_indice, ngram_range)
X_test = add_ngram(X_test, token_indice, ngram_range)
X_train = sequence.pad_sequences(X_train, maxlen=maxlen)
X_test = sequence.pad_sequences(X_test, maxlen=maxlen)

model = Sequential()
model.add(Embedding(max_features, embedding_dims, input_length=maxlen))
model.add(GlobalAveragePooling1D())
model.add(Dense(1, activation='sigmoid'))
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
hist = model.fit(X_train, y_train, batch_size=batch_size, nb_epoch=5, validation_data=(X_test, y_test))
assert hist.history['val_loss'][-1] < hist.history['val_loss'][0]

conv = Sequential()
conv.add(Embedding(max_features, embedding_dims, input_length=maxlen))
conv.add(Dropout(0.2))
conv.add(Convolution1D(nb_filter=8, filter_length=3, border_mode='valid', activation='relu', subsample_length=1))
conv.add(MaxPooling1D(pool_length=2))
conv.add(LSTM(6))
conv.add(Dense(1))
conv.add(Activation('sigmoid'))
conv.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
conv.fit(X_train, y_train, batch_size=batch_size, nb_epoch=1, validation_data=(X_test, y_test))
assert conv.layers[2].output_shape == (None, 38, 8)
assert conv.layers[3].output_shape == (None, 19, 8)
