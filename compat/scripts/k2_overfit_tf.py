# Overfit and underfit: capacity, L2, dropout, schedules, a table of histories
import pathlib
import shutil
import tempfile
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers
from tensorflow.keras import regularizers
from tensorflow.keras.callbacks import Callback

logdir = pathlib.Path(tempfile.mkdtemp()) / "tensorboard_logs"
shutil.rmtree(logdir, ignore_errors=True)
FEATURES = 12
rng = np.random.RandomState(0)
features = rng.normal(size=(400, FEATURES)).astype('float32')
labels = (features[:, 0] * features[:, 1] + features[:, 2] > 0).astype('float32')
N_VALIDATION, N_TRAIN, BUFFER_SIZE, BATCH_SIZE = 100, 300, 300, 50
STEPS_PER_EPOCH = N_TRAIN // BATCH_SIZE
packed_ds = tf.data.Dataset.from_tensor_slices((features, labels))
validate_ds = packed_ds.take(N_VALIDATION).cache()
train_ds = packed_ds.skip(N_VALIDATION).take(N_TRAIN).cache()
validate_ds = validate_ds.batch(BATCH_SIZE)
train_ds = train_ds.shuffle(BUFFER_SIZE).repeat().batch(BATCH_SIZE)
lr_schedule = tf.keras.optimizers.schedules.InverseTimeDecay(0.001, decay_steps=STEPS_PER_EPOCH * 1000, decay_rate=1, staircase=False)


def get_optimizer():
    return tf.keras.optimizers.Adam(lr_schedule)


def get_callbacks(name):
    return [tf.keras.callbacks.EarlyStopping(monitor='val_binary_crossentropy', patience=200), tf.keras.callbacks.TensorBoard(str(logdir / name))]


def compile_and_fit(model, name, optimizer=None, max_epochs=5):
    if optimizer is None:
        optimizer = get_optimizer()
    model.compile(optimizer=optimizer, loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
                  metrics=[tf.keras.metrics.BinaryCrossentropy(from_logits=True, name='binary_crossentropy'), 'accuracy'])
    model.summary()
    history = model.fit(train_ds, steps_per_epoch=STEPS_PER_EPOCH, epochs=max_epochs, validation_data=validate_ds,
                        callbacks=get_callbacks(name), verbose=0)
    return history

size_histories = {}
size_histories['Tiny'] = compile_and_fit(tf.keras.Sequential([layers.Dense(16, activation='elu', input_shape=(FEATURES,)), layers.Dense(1)]), 'sizes/Tiny')
l2_model = tf.keras.Sequential([
    layers.Dense(32, activation='elu', kernel_regularizer=regularizers.l2(0.001), input_shape=(FEATURES,)),
    layers.Dense(32, activation='elu', kernel_regularizer=regularizers.l2(0.001)), layers.Dense(1)])
size_histories['l2'] = compile_and_fit(l2_model, "regularizers/l2")
result = l2_model(features)
regularization_loss = tf.add_n(l2_model.losses)
assert abs(float(regularization_loss) - sum(0.001 * (w ** 2).sum() for w in l2_model.get_weights() if w.ndim == 2 and w.shape[1] > 1)) < 1e-4
dropout_model = tf.keras.Sequential([layers.Dense(32, activation='elu', input_shape=(FEATURES,)), layers.Dropout(0.5), layers.Dense(1)])
size_histories['dropout'] = compile_and_fit(dropout_model, "regularizers/dropout")
for name, history in size_histories.items():
    values = history.history['binary_crossentropy']
    assert values[-1] < values[0], name
assert any(logdir.rglob('events*'))


# stop when it is good enough
class myCallback(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs={}):
        if(logs.get('acc') > 0.01):
            print("\nReached 1% accuracy so cancelling training!")
            self.model.stop_training = True

model = tf.keras.models.Sequential([tf.keras.layers.Dense(8, activation=tf.nn.relu), tf.keras.layers.Dense(2, activation=tf.nn.softmax)])
model.compile(optimizer=tf.optimizers.Adam(), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
h = model.fit(features, labels, epochs=9, callbacks=[myCallback()])
assert len(h.epoch) == 1
lr_finder = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 1e-8 * 10**(epoch / 20))
h = model.fit(features, labels, epochs=3, callbacks=[lr_finder], verbose=0)
assert len(h.history['lr']) == 3
shutil.rmtree(logdir, ignore_errors=True)
