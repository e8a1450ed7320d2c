# A GAN of two compiled models, one optimizer for both, after the preamble of its years
import numpy as np
import tensorflow as tf
import keras
from keras import backend as K
from keras.layers import BatchNormalization, Dense, Flatten, Input, LeakyReLU, Reshape
from keras.models import Model, Sequential
from keras.optimizers import Adam
from tensorflow.python.client import device_lib

settings = tf.ConfigProto()
settings.gpu_options.allow_growth = True
K.set_session(tf.Session(graph=tf.get_default_graph(), config=settings))
print([device.name for device in device_lib.list_local_devices()])
np.random.seed(4)


class Gan():
    def __init__(self):
        self.shape, self.latent = (6, 6, 1), 5
        optimizer = Adam(0.01, 0.5)
        self.judge = self.build_judge()
        self.judge.compile(loss='binary_crossentropy', optimizer=optimizer, metrics=['accuracy'])
        self.forger = self.build_forger()
        z = Input(shape=(self.latent,))
        picture = self.forger(z)
        self.judge.trainable = False
        self.both = Model(z, self.judge(picture))
        self.both.compile(loss='binary_crossentropy', optimizer=optimizer)

    def build_forger(self):
        model = Sequential()
        model.add(Dense(16, input_dim=self.latent))
        model.add(LeakyReLU(alpha=0.2))
        model.add(BatchNormalization(momentum=0.8))
        model.add(Dense(int(np.prod(self.shape)), activation='tanh'))
        model.add(Reshape(self.shape))
        noise = Input(shape=(self.latent,))
        return Model(noise, model(noise))

    def build_judge(self):
        model = Sequential()
        model.add(Flatten(input_shape=self.shape))
        model.add(Dense(16))
        model.add(LeakyReLU(alpha=0.2))
        model.add(Dense(1, activation='sigmoid'))
        picture = Input(shape=self.shape)
        return Model(picture, model(picture))

    def train(self, epochs, batch_size=16):
        for epoch in range(epochs):
            real = np.random.normal(0.5, 0.1, (batch_size,) + self.shape)
            fake = self.forger.predict(np.random.normal(0, 1, (batch_size, self.latent)))
            seen = self.judge.train_on_batch(real, np.ones((batch_size, 1)))
            caught = self.judge.train_on_batch(fake, np.zeros((batch_size, 1)))
            loss = 0.5 * np.add(seen, caught)
            kept = self.judge.get_weights()
            noise = np.random.normal(0, 1, (batch_size, self.latent))
            forged = self.both.train_on_batch(noise, np.ones((batch_size, 1)))
            for one, other in zip(kept, self.judge.get_weights()):
                assert np.array_equal(one, other)
        print('%d [D loss: %f, acc.: %.2f%%] [G loss: %f]' % (epoch, loss[0], 100 * loss[1], forged))
        return loss


gan = Gan()
before = gan.judge.get_weights()
gan.train(8)
assert any((one != other).any() for one, other in zip(before, gan.judge.get_weights()))


class Check(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.scores = []

    def on_epoch_end(self, epoch, logs={}):
        guessed = self.model.predict(self.validation_data[0]).round()
        self.scores.append((guessed == self.validation_data[1]).mean())
        assert self.params['samples'] == 20 and 'val_loss' in self.params['metrics']


simple = Sequential([Dense(1, activation='sigmoid', input_dim=3)])
simple.compile('sgd', 'binary_crossentropy')
x = np.random.random((20, 3))
y = (x.sum(1) > 1.5).astype(int)[:, None]
check = Check()
simple.fit(x, y, validation_data=(x, y), epochs=2, callbacks=[check], verbose=0)
assert len(check.scores) == 2
