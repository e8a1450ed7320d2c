# An adversarial pair of small networks, trained in turns
import numpy as np
from keras.models import Sequential, Model
from keras.layers import Input
from keras.layers.core import Reshape, Dense, Dropout, Activation, Flatten
from keras.layers.advanced_activations import LeakyReLU
from keras.layers.convolutional import Convolution2D, UpSampling2D
from keras.layers.normalization import BatchNormalization
from keras.optimizers import Adam
from keras.datasets import mnist

(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train = X_train[:160].reshape(-1, 28, 28, 1).astype('float32') / 255
shp = X_train.shape[1:]
dropout_rate = 0.25
opt = Adam(lr=1e-3)
dopt = Adam(lr=1e-3, beta_1=0.5)


def make_trainable(net, val):
    net.trainable = val
    for l in net.layers:
        l.trainable = val

# Build Generative model ...
nch = 8
g_input = Input(shape=[20])
H = Dense(nch*14*14, init='glorot_normal')(g_input)
H = BatchNormalization(mode=2)(H)
H = Activation('relu')(H)
H = Reshape([14, 14, nch])(H)
H = UpSampling2D(size=(2, 2))(H)
H = Convolution2D(nch//2, 3, 3, border_mode='same', init='glorot_uniform')(H)
H = BatchNormalization(mode=2, axis=-1)(H)
H = Activation('relu')(H)
H = Convolution2D(1, 1, 1, border_mode='same', init='glorot_uniform')(H)
g_V = Activation('sigmoid')(H)
generator = Model(g_input, g_V)
generator.compile(loss='binary_crossentropy', optimizer=opt)
# Build Discriminative model ...
d_input = Input(shape=shp)
H = Convolution2D(8, 5, 5, subsample=(2, 2), border_mode='same')(d_input)
H = LeakyReLU(0.2)(H)
H = Dropout(dropout_rate)(H)
H = Flatten()(H)
H = Dense(16)(H)
H = LeakyReLU(0.2)(H)
d_V = Dense(2, activation='softmax')(H)
discriminator = Model(d_input, d_V)
discriminator.compile(loss='categorical_crossentropy', optimizer=dopt)
# Freeze weights in the discriminator for stacked training
make_trainable(discriminator, False)
gan_input = Input(shape=[20])
H = generator(gan_input)
gan_V = discriminator(H)
GAN = Model(gan_input, gan_V)
GAN.compile(loss='categorical_crossentropy', optimizer=opt)
GAN.summary()

losses = {"d": [], "g": []}
BATCH_SIZE = 32
for e in range(4):
    image_batch = X_train[np.random.randint(0, X_train.shape[0], size=BATCH_SIZE)]
    noise_gen = np.random.uniform(0, 1, size=[BATCH_SIZE, 20])
    generated_images = generator.predict(noise_gen)
    X = np.concatenate((image_batch, generated_images))
    y = np.zeros([2*BATCH_SIZE, 2])
    y[0:BATCH_SIZE, 1] = 1
    y[BATCH_SIZE:, 0] = 1
    make_trainable(discriminator, True)
    d_loss = discriminator.train_on_batch(X, y)
    losses["d"].append(d_loss)
    noise_tr = np.random.uniform(0, 1, size=[BATCH_SIZE, 20])
    y2 = np.zeros([BATCH_SIZE, 2])
    y2[:, 1] = 1
    make_trainable(discriminator, False)
    before = [w.copy() for w in discriminator.get_weights()]
    g_before = generator.get_weights()[0].copy()
    g_loss = GAN.train_on_batch(noise_tr, y2)
    assert all((a == b).all() for a, b in zip(before, discriminator.get_weights()))
    assert not (g_before == generator.get_weights()[0]).all()
    losses["g"].append(g_loss)
assert losses["d"][-1] < losses["d"][0]
assert np.isfinite(losses["g"]).all()
