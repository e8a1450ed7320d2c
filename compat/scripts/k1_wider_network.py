# A trained network made wider without changing what it computes; images with channels first
from __future__ import print_function
import numpy as np
np.random.seed(12)
from keras import backend as K
from keras.datasets import mnist
from keras.layers import Convolution2D, Dense, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import SGD
from keras.utils import np_utils

K.set_image_dim_ordering('th')
(images, labels), (test_images, test_labels) = mnist.load_data()
images = images[:150].reshape(-1, 1, 28, 28) / 255.
test_images = test_images.reshape(-1, 1, 28, 28) / 255.
labels = np_utils.to_categorical(labels[:150], 10)
test_labels = np_utils.to_categorical(test_labels, 10)


def small(width):
    net = Sequential()
    net.add(Convolution2D(width, 3, 3, border_mode='same', input_shape=(1, 28, 28), name='first'))
    net.add(MaxPooling2D((4, 4), name='pool'))
    net.add(Convolution2D(6, 3, 3, border_mode='same', name='second'))
    net.add(Flatten(name='flat'))
    net.add(Dense(10, activation='softmax', name='scores'))
    net.compile(loss='categorical_crossentropy', optimizer=SGD(lr=0.05, momentum=0.9),
                metrics=['accuracy'])
    return net


teacher = small(4)
teacher.fit(images, labels, nb_epoch=3, batch_size=30, verbose=0)
w1, b1 = teacher.get_layer('first').get_weights()
w2, b2 = teacher.get_layer('second').get_weights()
assert w1.shape == (4, 1, 3, 3) and w2.shape == (6, 4, 3, 3)

# Some filters come twice; what reads them is shared out between the copies.
again = np.array([1, 3])
wide1 = np.concatenate([w1, w1[again]], axis=0)
wide2 = np.concatenate([w2, w2[:, again] / 2], axis=1)
wide2[:, again] /= 2
student = small(6)
student.get_layer('first').set_weights([wide1, np.concatenate([b1, b1[again]])])
student.get_layer('second').set_weights([wide2, b2])
student.get_layer('scores').set_weights(teacher.get_layer('scores').get_weights())
assert np.allclose(student.predict(test_images), teacher.predict(test_images), atol=1e-4)
assert type(student.layers[0]) is Convolution2D

# And deeper: a layer that passes on what it gets.
same = np.zeros((6, 6, 3, 3))
for i in range(6):
    same[i, i, 1, 1] = 1.
deeper = Sequential()
for layer in student.layers[:3]:
    deeper.add(layer)
deeper.add(Convolution2D(6, 3, 3, border_mode='same', weights=[same, np.zeros(6)]))
deeper.add(Flatten())
deeper.add(Dense(10, activation='softmax', weights=teacher.layers[-1].get_weights()))
deeper.compile('sgd', 'categorical_crossentropy')
assert np.allclose(deeper.predict(test_images), teacher.predict(test_images), atol=1e-4)
history = student.fit(images, labels)
print(len(history.epoch), 'epochs, as many as nobody asked for')
assert len(history.epoch) == 10
