# Skip-grams with negative samples; dot products of embeddings; nearest words
import numpy as np
import keras
from keras.layers import Input, Embedding, Reshape, Dot, Dense, Flatten, dot
from keras.models import Model, Sequential
from keras.preprocessing.sequence import skipgrams, make_sampling_table
from keras.preprocessing import text, sequence
from keras.utils import np_utils
import random
random.seed(1)
corpus = [line for line in open('story.txt').read().split('.') if line.strip()]
tokenizer = text.Tokenizer()
tokenizer.fit_on_texts(corpus)
word2id = tokenizer.word_index
id2word = {v: k for k, v in word2id.items()}
vocab_size = len(word2id) + 1
embed_size = 16
wids = [[word2id[w] for w in text.text_to_word_sequence(doc)] for doc in corpus]
sampling_table = make_sampling_table(vocab_size)
skip_grams = [skipgrams(wid, vocabulary_size=vocab_size, window_size=3) for wid in wids]
pairs, labels = skip_grams[0][0], skip_grams[0][1]
for i in range(3):
    print("({:s} ({:d}), {:s} ({:d})) -> {:d}".format(id2word[pairs[i][0]], pairs[i][0], id2word[pairs[i][1]], pairs[i][1], labels[i]))
word_input = Input(shape=(1,))
context_input = Input(shape=(1,))
word_vec = Reshape((embed_size,))(Embedding(vocab_size, embed_size, embeddings_initializer='glorot_uniform', input_length=1, name='words')(word_input))
context_vec = Reshape((embed_size,))(Embedding(vocab_size, embed_size, embeddings_initializer='glorot_uniform', input_length=1)(context_input))
similarity = dot([word_vec, context_vec], axes=1, normalize=False)
out = Dense(1, kernel_initializer='glorot_uniform', activation='sigmoid')(similarity)
model = Model(inputs=[word_input, context_input], outputs=out)
model.compile(loss='mean_squared_error', optimizer='rmsprop')
totals = []
for epoch in range(1, 4):
    loss = 0
    for elem in skip_grams:
        if not elem[0]:
            continue
        first = np.array(list(zip(*elem[0]))[0], dtype='int32')
        second = np.array(list(zip(*elem[0]))[1], dtype='int32')
        labels = np.array(elem[1], dtype='int32')
        loss += model.train_on_batch([first, second], labels)
    print('Epoch:', epoch, 'Loss:', loss)
    totals.append(loss)
assert totals[-1] < totals[0]
weights = model.get_layer('words').get_weights()[0][1:]
assert weights.shape == (vocab_size - 1, embed_size)
# a continuous bag of words
cbow = Sequential()
cbow.add(Embedding(input_dim=vocab_size, output_dim=embed_size, input_length=4))
cbow.add(keras.layers.Lambda(lambda x: keras.backend.mean(x, axis=1), output_shape=(embed_size,)))
cbow.add(Dense(vocab_size, activation='softmax'))
cbow.compile(loss='categorical_crossentropy', optimizer='rmsprop')
contexts, targets = [], []
for words in wids:
    for i in range(2, len(words) - 2):
        contexts.append([words[i - 2], words[i - 1], words[i + 1], words[i + 2]])
        targets.append(words[i])
h = cbow.fit(np.array(contexts), np_utils.to_categorical(targets, vocab_size), epochs=3, verbose=0)
assert h.history['loss'][-1] < h.history['loss'][0]
