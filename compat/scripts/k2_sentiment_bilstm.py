# Tweets and reviews: tokenizer, padding, bidirectional LSTMs, a report
import re
import pickle
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.metrics import confusion_matrix, classification_report, accuracy_score
from keras.preprocessing.text import Tokenizer, tokenizer_from_json, text_to_word_sequence, one_hot
from keras.preprocessing.sequence import pad_sequences
from keras.models import Sequential
from keras.layers import Dense, Embedding, LSTM, SpatialDropout1D, Bidirectional, GlobalMaxPool1D, Dropout, CuDNNLSTM
from keras.layers import Conv1D, GlobalMaxPooling1D
from keras.utils.np_utils import to_categorical
from keras.callbacks import EarlyStopping, ReduceLROnPlateau
from keras import optimizers

data = pd.read_csv('reviews.tsv', sep='\t')
data['review'] = data['review'].apply(lambda x: x.lower())
data['review'] = data['review'].apply((lambda x: re.sub(r'[^a-zA-z0-9\s]', '', x)))
max_fatures = 60
tokenizer = Tokenizer(num_words=max_fatures, split=' ', oov_token='<unk>')
tokenizer.fit_on_texts(data['review'].values)
X = tokenizer.texts_to_sequences(data['review'].values)
X = pad_sequences(X, padding='post', truncating='post')
Y = pd.get_dummies(data['sentiment']).values
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.33, random_state=42)
print(X_train.shape, Y_train.shape)
embed_dim = 16
lstm_out = 12
model = Sequential()
model.add(Embedding(max_fatures, embed_dim, input_length=X.shape[1]))
model.add(SpatialDropout1D(0.2))
model.add(Bidirectional(LSTM(lstm_out, dropout=0.1, recurrent_dropout=0.1, return_sequences=True), merge_mode='concat'))
model.add(Bidirectional(LSTM(lstm_out)))
model.add(Dense(2, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer=optimizers.Adam(lr=0.01), metrics=['accuracy'])
print(model.summary())
history = model.fit(X_train, Y_train, epochs=8, batch_size=32, verbose=2, validation_data=(X_test, Y_test),
                    callbacks=[ReduceLROnPlateau(monitor='val_loss', patience=2)])
score, acc = model.evaluate(X_test, Y_test, verbose=2, batch_size=32)
y_pred = model.predict_classes(X_test)
print(confusion_matrix(Y_test.argmax(axis=1), y_pred))
print(classification_report(Y_test.argmax(axis=1), y_pred))
assert abs(accuracy_score(Y_test.argmax(axis=1), y_pred) - acc) < 1e-6
assert acc > 0.7, acc
with open('tokenizer.pickle', 'wb') as handle:
    pickle.dump(tokenizer, handle, protocol=pickle.HIGHEST_PROTOCOL)
with open('tokenizer.pickle', 'rb') as handle:
    again = pickle.load(handle)
assert again.texts_to_sequences(['a great film']) == tokenizer_from_json(tokenizer.to_json()).texts_to_sequences(['a great film'])
twt = pad_sequences(again.texts_to_sequences(['a great and moving story']), maxlen=X.shape[1], dtype='int32', value=0)
sentiment = model.predict(twt, batch_size=1, verbose=2)[0]
print('positive' if np.argmax(sentiment) else 'negative')

# a fixed matrix of embeddings
embedding_matrix = np.zeros((max_fatures, embed_dim))
for word, i in tokenizer.word_index.items():
    if i < max_fatures:
        embedding_matrix[i] = np.random.RandomState(i).normal(size=embed_dim)
frozen = Sequential()
frozen.add(Embedding(max_fatures, embed_dim, weights=[embedding_matrix], input_length=X.shape[1], trainable=False))
frozen.add(Conv1D(8, 3, activation='relu'))
frozen.add(GlobalMaxPooling1D())
frozen.add(Dense(1, activation='sigmoid'))
frozen.compile(optimizer='rmsprop', loss='binary_crossentropy', metrics=['acc'])
frozen.fit(X_train, Y_train[:, 1], epochs=1, batch_size=32, verbose=0)
assert np.allclose(frozen.layers[0].get_weights()[0], embedding_matrix)
encoded_docs = [one_hot(d, 50) for d in data['review'][:3]]
assert all(1 <= w < 50 for d in encoded_docs for w in d)
