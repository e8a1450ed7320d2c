# Reading digits in a strip of pixels: convolutions, recurrence, CTC
import itertools
import numpy as np
from keras import backend as K
from keras.layers import Input, Dense, Activation, Reshape, Lambda, Conv2D, MaxPooling2D, Bidirectional, GRU, BatchNormalization
from keras.layers.merge import add, concatenate
from keras.models import Model
from keras.optimizers import SGD, Adam

rng = np.random.RandomState(0)
w, h, n = 32, 8, 48
labels = rng.randint(0, 4, (n, 3))
X = rng.rand(n, w, h, 1) * 0.1
for row, text in enumerate(labels):
    for place, digit in enumerate(text):
        X[row, 4 + 10 * place: 9 + 10 * place, 2 * digit: 2 * digit + 2] = 1
alphabet = 'abcd'


# the actual loss calc occurs here despite it not being an internal Keras loss function
def ctc_lambda_func(args):
    y_pred, labels, input_length, label_length = args
    # the first couple outputs of the RNN tend to be garbage
    y_pred = y_pred[:, 2:, :]
    return K.ctc_batch_cost(labels, y_pred, input_length, label_length)

input_data = Input(name='the_input', shape=(w, h, 1), dtype='float32')
inner = Conv2D(6, (3, 3), padding='same', activation='relu', kernel_initializer='he_normal', name='conv1')(input_data)
inner = MaxPooling2D(pool_size=(2, 2), name='max1')(inner)
inner = Reshape(target_shape=(w // 2, (h // 2) * 6), name='reshape')(inner)
inner = Dense(12, activation='relu', name='dense1')(inner)
gru_1 = GRU(8, return_sequences=True, kernel_initializer='he_normal', name='gru1')(inner)
gru_1b = GRU(8, return_sequences=True, go_backwards=True, kernel_initializer='he_normal', name='gru1_b')(inner)
gru1_merged = add([gru_1, gru_1b])
inner = Dense(len(alphabet) + 1, kernel_initializer='he_normal', name='dense2')(gru1_merged)
y_pred = Activation('softmax', name='softmax')(inner)
Model(inputs=input_data, outputs=y_pred).summary()
labels_in = Input(name='the_labels', shape=[3], dtype='float32')
input_length = Input(name='input_length', shape=[1], dtype='int64')
label_length = Input(name='label_length', shape=[1], dtype='int64')
# Keras doesn't currently support loss funcs with extra parameters so CTC loss is implemented in a lambda layer
loss_out = Lambda(ctc_lambda_func, output_shape=(1,), name='ctc')([y_pred, labels_in, input_length, label_length])
sgd = SGD(lr=0.02, decay=1e-6, momentum=0.9, nesterov=True, clipnorm=5)
model = Model(inputs=[input_data, labels_in, input_length, label_length], outputs=loss_out)
# the loss calc occurs elsewhere, so use a dummy lambda func for the loss
model.compile(loss={'ctc': lambda y_true, y_pred: y_pred}, optimizer=sgd)
# captures output of softmax so we can decode the output during visualization
test_func = K.function([input_data], [y_pred])
inputs = {'the_input': X, 'the_labels': labels, 'input_length': np.full((n, 1), w // 2 - 2), 'label_length': np.full((n, 1), 3)}
outputs = {'ctc': np.zeros([n])}
hist = model.fit(inputs, outputs, batch_size=16, epochs=5, verbose=2)
assert hist.history['loss'][-1] < hist.history['loss'][0]


def decode_batch(test_func, word_batch):
    out = test_func([word_batch])[0]
    ret = []
    for j in range(out.shape[0]):
        out_best = list(np.argmax(out[j, 2:], 1))
        out_best = [k for k, g in itertools.groupby(out_best)]
        ret.append(''.join(alphabet[c] for c in out_best if c < len(alphabet)))
    return ret

print(decode_batch(test_func, X[:4]))
softmax = test_func([X[:2]])[0]
assert softmax.shape == (2, 16, 5) and np.allclose(softmax.sum(-1), 1, atol=1e-5)
decoded = K.get_value(K.ctc_decode(softmax, input_length=np.ones(2) * softmax.shape[1], greedy=True)[0][0])
assert decoded.shape[0] == 2
