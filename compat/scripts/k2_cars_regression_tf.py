# Basic regression: fuel efficiency, with normalization layers
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
np.set_printoptions(precision=3, suppress=True)
print(tf.__version__)
column_names = ['MPG', 'Cylinders', 'Displacement', 'Horsepower', 'Weight', 'Acceleration', 'Model Year', 'Origin']
raw_dataset = pd.read_csv('cars.data', names=column_names, na_values='?', comment='\t', sep=' ', skipinitialspace=True)
dataset = raw_dataset.copy()
dataset.isna().sum()
dataset = dataset.dropna()
dataset['Origin'] = dataset['Origin'].map({1: 'USA', 2: 'Europe', 3: 'Japan'})
dataset = pd.get_dummies(dataset, columns=['Origin'], prefix='', prefix_sep='')
train_dataset = dataset.sample(frac=0.8, random_state=0)
test_dataset = dataset.drop(train_dataset.index)
train_features = train_dataset.copy()
test_features = test_dataset.copy()
train_labels = train_features.pop('MPG')
test_labels = test_features.pop('MPG')
normalizer = tf.keras.layers.Normalization(axis=-1)
normalizer.adapt(np.array(train_features).astype('float32'))
print(normalizer.mean.numpy())
horsepower = np.array(train_features['Horsepower'])
horsepower_normalizer = layers.Normalization(input_shape=[1,], axis=None)
horsepower_normalizer.adapt(horsepower)
horsepower_model = tf.keras.Sequential([horsepower_normalizer, layers.Dense(units=1)])
horsepower_model.summary()
horsepower_model.predict(horsepower[:10])
horsepower_model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.1), loss='mean_absolute_error')
history = horsepower_model.fit(train_features['Horsepower'], train_labels, epochs=10, verbose=0, validation_split=0.2)
hist = pd.DataFrame(history.history)
hist['epoch'] = history.epoch
print(hist.tail())
test_results = {}
test_results['horsepower_model'] = horsepower_model.evaluate(test_features['Horsepower'], test_labels, verbose=0)


def build_and_compile_model(norm):
    model = keras.Sequential([norm, layers.Dense(32, activation='relu'), layers.Dense(32, activation='relu'), layers.Dense(1)])
    model.compile(loss='mean_absolute_error', optimizer=tf.keras.optimizers.Adam(0.01))
    return model

dnn_model = build_and_compile_model(normalizer)
history = dnn_model.fit(train_features.astype('float32'), train_labels, validation_split=0.2, verbose=0, epochs=10)
test_results['dnn_model'] = dnn_model.evaluate(test_features.astype('float32'), test_labels, verbose=0)
print(pd.DataFrame(test_results, index=['Mean absolute error [MPG]']).T)
test_predictions = dnn_model.predict(test_features.astype('float32')).flatten()
error = test_predictions - test_labels
assert abs(np.abs(error).mean() - test_results['dnn_model']) < 1e-3
dnn_model.save('dnn_model.keras')
reloaded = tf.keras.models.load_model('dnn_model.keras')
assert abs(reloaded.evaluate(test_features.astype('float32'), test_labels, verbose=0) - test_results['dnn_model']) < 1e-5
assert history.history['loss'][-1] < history.history['loss'][0]
# the same by hand
t = tf.constant(np.array(train_features['Weight'], 'float32')) / 1000.
y = tf.constant(np.array(train_labels, 'float32'))


class MyModule(tf.Module):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = tf.Variable(5.0)
        self.b = tf.Variable(0.0)

    def __call__(self, x):
        return self.w * x + self.b


def loss(target_y, predicted_y):
    return tf.reduce_mean(tf.square(target_y - predicted_y))


def train(model, x, y, learning_rate):
    with tf.GradientTape() as tape:
        current_loss = loss(y, model(x))
    dw, db = tape.gradient(current_loss, [model.w, model.b])
    model.w.assign_sub(learning_rate * dw)
    model.b.assign_sub(learning_rate * db)

line = MyModule()
before = float(loss(y, line(t)))
for epoch in range(30):
    train(line, t, y, 0.02)
print('W = {:1.2f}, b = {:1.2f}, loss={:2.5f}'.format(line.w.numpy(), line.b.numpy(), loss(y, line(t))))
assert float(loss(y, line(t))) < before and len(line.trainable_variables) == 2
