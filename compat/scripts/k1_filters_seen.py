'''Which images do filters like best? By gradient ascent on the input.'''
from __future__ import print_function
import numpy as np
import time
from keras.models import Sequential
from keras.layers import Convolution2D, ZeroPadding2D, MaxPooling2D, Input, Flatten, Dense
from keras import backend as K

img_width = 16
img_height = 16
layer_name = 'conv2_1'


def deprocess_image(x):
    x -= x.mean()
    x /= (x.std() + 1e-5)
    x *= 0.1
    x += 0.5
    x = np.clip(x, 0, 1)
    x *= 255
    if K.image_dim_ordering() == 'th':
        x = x.transpose((1, 2, 0))
    x = np.clip(x, 0, 255).astype('uint8')
    return x

model = Sequential()
model.add(ZeroPadding2D((1, 1), input_shape=(img_height, img_width, 3)))
model.add(Convolution2D(4, 3, 3, activation='relu', name='conv1_1'))
model.add(MaxPooling2D((2, 2), strides=(2, 2)))
model.add(ZeroPadding2D((1, 1)))
model.add(Convolution2D(6, 3, 3, activation='relu', name='conv2_1'))
model.add(Flatten())
model.add(Dense(3, activation='softmax'))
model.summary()
input_img = model.input
layer_dict = dict([(layer.name, layer) for layer in model.layers])


def normalize(x):
    return x / (K.sqrt(K.mean(K.square(x))) + 1e-5)

kept_filters = []
for filter_index in range(0, 6):
    start_time = time.time()
    layer_output = layer_dict[layer_name].output
    if K.image_dim_ordering() == 'th':
        loss = K.mean(layer_output[:, filter_index, :, :])
    else:
        loss = K.mean(layer_output[:, :, :, filter_index])
    # gradient of the input picture with this loss
    grads = K.gradients(loss, input_img)[0]
    grads = normalize(grads)
    iterate = K.function([input_img], [loss, grads])
    step = 1.
    input_img_data = np.random.RandomState(filter_index).random_sample((1, img_width, img_height, 3))
    input_img_data = (input_img_data - 0.5) * 20 + 128
    first = None
    for i in range(5):
        loss_value, grads_value = iterate([input_img_data])
        first = loss_value if first is None else first
        input_img_data += grads_value * step
        if loss_value <= 0.:
            break
    if loss_value > 0:
        kept_filters.append((deprocess_image(input_img_data[0].copy()), loss_value))
        assert loss_value > first
    print('Filter %d processed in %ds' % (filter_index, time.time() - start_time))
assert kept_filters
kept_filters.sort(key=lambda x: x[1], reverse=True)
assert kept_filters[0][0].shape == (16, 16, 3)
# activations with and without dropout
get = K.function([model.layers[0].input, K.learning_phase()], [model.layers[5].output])
assert get([input_img_data, 0])[0].shape == (1, 6 * 64)
