# A question that two merges read, and a decoder that knows where each maximum was
import numpy as np
np.random.seed(5)
from keras import backend as K
from keras.layers import (Activation, Convolution2D, Dense, Dropout, Input, LSTM, MaxPooling2D,
                          Merge, Permute, UpSampling2D, merge)
from keras.layers.embeddings import Embedding
from keras.models import Model, Sequential

words, story_length, question_length = 12, 9, 4


def encoder(length, width):
    model = Sequential()
    model.add(Embedding(input_dim=words, output_dim=width, input_length=length))
    model.add(Dropout(0.1))
    return model


memory, question = encoder(story_length, 6), encoder(question_length, 6)
match = Sequential()
match.add(Merge([memory, question], mode='dot', dot_axes=[2, 2]))
match.add(Activation('softmax'))
response = Sequential()
response.add(Merge([match, encoder(story_length, question_length)], mode='sum'))
response.add(Permute((2, 1)))
answer = Sequential()
answer.add(Merge([response, question], mode='concat', concat_axis=-1))
answer.add(LSTM(8))
answer.add(Dense(words, activation='softmax'))
answer.compile(optimizer='rmsprop', loss='categorical_crossentropy', metrics=['accuracy'])
stories = np.random.randint(1, words, (60, story_length))
questions = np.random.randint(1, words, (60, question_length))
answers = np.eye(words)[questions[:, 0]]
history = answer.fit([stories, questions, stories], answers, nb_epoch=4, batch_size=20, verbose=0)
assert history.history['loss'][-1] < history.history['loss'][0]


def where(pair):
    before, after = pair
    return K.gradients(K.sum(after), before)


image = Input(shape=(8, 8, 1))
features = Convolution2D(3, 3, 3, border_mode='same', activation='relu')(image)
pooled = MaxPooling2D((2, 2))(features)
switches = merge([features, pooled], mode=where, output_shape=lambda shapes: shapes[0])
back = merge([UpSampling2D((2, 2))(pooled), switches], mode='mul')
restored = Convolution2D(1, 3, 3, border_mode='same', activation='sigmoid')(back)
model = Model(input=image, output=restored)
model.compile('adam', 'mse')
pictures = np.random.random((40, 8, 8, 1))
losses = model.fit(pictures, pictures, nb_epoch=6, batch_size=10, verbose=0).history['loss']
assert losses[-1] < losses[0]
ones = Model(input=image, output=switches).predict(pictures)
assert set(np.unique(ones)) <= {0., 1.}
print('pixels that are a maximum: %d of %d' % (ones.sum(), ones.size))
