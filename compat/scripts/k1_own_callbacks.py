# Callbacks: the history of losses, checkpoints of the best, early stopping, schedules
import os
import math
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, Activation
from keras.callbacks import Callback, ModelCheckpoint, EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, CSVLogger
from keras.optimizers import SGD, Adagrad
from keras import backend as K
from keras.regularizers import l1, l2, l1l2

np.random.seed(5)
X = np.random.randn(200, 6)
Y = (X[:, :1] * X[:, 1:2] > 0).astype('int')


class LossHistory(Callback):
    def on_train_begin(self, logs={}):
        self.losses = []
        self.val = []

    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get('loss'))

    def on_epoch_end(self, epoch, logs={}):
        self.val.append(logs.get('val_acc'))
        print(self.params['nb_epoch'] if 'nb_epoch' in self.params else self.params['epochs'], K.get_value(self.model.optimizer.lr))


def step_decay(epoch):
    initial_lrate = 0.1
    drop = 0.5
    epochs_drop = 2.0
    lrate = initial_lrate * math.pow(drop, math.floor((1+epoch)/epochs_drop))
    return lrate

model = Sequential([
    Dense(16, input_dim=6, activation='tanh', W_regularizer=l1l2(l1=1e-5, l2=1e-4)),
    Dense(16, activation='tanh', b_regularizer=l2(1e-4)),
    Dense(1),
    Activation('sigmoid'),
])
model.compile(SGD(lr=0.0, momentum=0.9, decay=0.0), 'binary_crossentropy', ['accuracy'])
history = LossHistory()
filepath = "best.hdf5"
checkpoint = ModelCheckpoint(filepath, monitor='val_acc', verbose=1, save_best_only=True, mode='max')
stop = EarlyStopping(monitor='val_loss', patience=3, verbose=1, mode='auto')
h = model.fit(X, Y, validation_split=0.25, nb_epoch=8, batch_size=15, verbose=2,
              callbacks=[history, checkpoint, stop, LearningRateScheduler(step_decay), CSVLogger('log.csv')])
assert len(history.losses) == 10 * len(h.epoch)
assert history.val == h.history['val_acc']
assert os.path.exists(filepath)
assert abs(K.get_value(model.optimizer.lr) - step_decay(h.epoch[-1])) < 1e-7
model.load_weights(filepath)
score = model.evaluate(X[150:], Y[150:], verbose=0)
assert abs(score[1] - max(history.val)) < 1e-6
assert open('log.csv').readline().startswith('epoch,')
model.compile(loss='binary_crossentropy', optimizer=Adagrad(lr=0.05, epsilon=1e-08), metrics=['acc'])
K.set_value(model.optimizer.lr, 0.01)
model.fit(X, Y, nb_epoch=1, verbose=0, class_weight={0: 1., 1: 2.}, sample_weight=None,
          callbacks=[ReduceLROnPlateau(monitor='loss', factor=0.2, patience=5, min_lr=0.001)])
assert model.metrics_names == ['loss', 'acc'] or model.metrics_names[0] == 'loss'
