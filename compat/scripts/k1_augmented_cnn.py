'''A small CNN with images changed in real time, in Keras 1 spelling.'''
from __future__ import print_function
from keras.datasets import cifar10
from keras.preprocessing.image import ImageDataGenerator
from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation, Flatten
from keras.layers import Convolution2D, MaxPooling2D, ZeroPadding2D
from keras.optimizers import SGD
from keras.utils import np_utils

batch_size = 32
nb_classes = 10
nb_epoch = 2
data_augmentation = True
img_rows, img_cols = 32, 32
img_channels = 3

(X_train, y_train), (X_test, y_test) = cifar10.load_data()
print('X_train shape:', X_train.shape)
Y_train = np_utils.to_categorical(y_train, nb_classes)
Y_test = np_utils.to_categorical(y_test, nb_classes)

model = Sequential()
model.add(ZeroPadding2D((1, 1), input_shape=(img_rows, img_cols, img_channels)))
model.add(Convolution2D(8, 3, 3, activation='relu', name='conv1_1'))
model.add(MaxPooling2D((2, 2), strides=(2, 2)))
model.add(Convolution2D(8, 3, 3, subsample=(2, 2), dim_ordering='tf'))
model.add(Activation('relu'))
model.add(Flatten())
model.add(Dense(32))
model.add(Activation('relu'))
model.add(Dropout(0.5))
model.add(Dense(nb_classes))
model.add(Activation('softmax'))
sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss='categorical_crossentropy', optimizer=sgd, metrics=['accuracy'])

X_train = X_train.astype('float32')
X_test = X_test.astype('float32')
X_train /= 255
X_test /= 255
datagen = ImageDataGenerator(
    featurewise_center=False,  # set input mean to 0 over the dataset
    samplewise_center=False,  # set each sample mean to 0
    featurewise_std_normalization=False,  # divide inputs by std of the dataset
    samplewise_std_normalization=False,  # divide each input by its std
    zca_whitening=False,  # apply ZCA whitening
    rotation_range=10,  # degrees, 0 to 180
    width_shift_range=0.1,
    height_shift_range=0.1,
    horizontal_flip=True,
    vertical_flip=False)
datagen.fit(X_train)
h = model.fit_generator(datagen.flow(X_train, Y_train, batch_size=batch_size),
                        samples_per_epoch=X_train.shape[0],
                        nb_epoch=nb_epoch,
                        validation_data=(X_test, Y_test))
assert len(h.history['val_acc']) == nb_epoch
score = model.evaluate_generator(ImageDataGenerator().flow(X_test, Y_test, batch_size=20), val_samples=80)
direct = model.evaluate(X_test, Y_test, verbose=0)
assert abs(score[0] - direct[0]) < 1e-4


def batches():
    while 1:
        for i in range(0, len(X_train), 40):
            yield X_train[i:i + 40], Y_train[i:i + 40]

model.fit_generator(batches(), samples_per_epoch=200, nb_epoch=1, verbose=2, nb_worker=1, max_q_size=2,
                    validation_data=batches(), nb_val_samples=80)
print(model.predict_generator(batches(), val_samples=40).shape)
assert model.get_layer('conv1_1').output_shape == (None, 32, 32, 8)
