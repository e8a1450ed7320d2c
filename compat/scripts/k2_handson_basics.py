#!/usr/bin/env python
# coding: utf-8
# # Introduction to networks with Keras: sequential, wide & deep, subclassing, callbacks
# In[1]:
import sys
assert sys.version_info >= (3, 5)
import sklearn
import tensorflow as tf
from tensorflow import keras
import numpy as np
import os
np.random.seed(42)
tf.random.set_seed(42)
print(tf.__version__, keras.__version__)
# In[2]:
fashion_mnist = keras.datasets.fashion_mnist
(X_train_full, y_train_full), (X_test, y_test) = fashion_mnist.load_data()
X_valid, X_train = X_train_full[:100] / 255., X_train_full[100:] / 255.
y_valid, y_train = y_train_full[:100], y_train_full[100:]
X_test = X_test / 255.
class_names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
# In[3]:
keras.backend.clear_session()
model = keras.models.Sequential([
    keras.layers.Flatten(input_shape=[28, 28]),
    keras.layers.Dense(60, activation="relu"),
    keras.layers.Dense(30, activation="relu"),
    keras.layers.Dense(10, activation="softmax")
])
model.layers
model.summary()
keras.utils.plot_model(model, "my_fashion_mnist_model.png", show_shapes=True)
hidden1 = model.layers[1]
assert model.get_layer(hidden1.name) is hidden1
weights, biases = hidden1.get_weights()
assert weights.shape == (784, 60) and (biases == 0).all()
model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
history = model.fit(X_train, y_train, epochs=3, validation_data=(X_valid, y_valid))
print(history.params, history.epoch, history.history.keys())
model.evaluate(X_test, y_test)
X_new = X_test[:3]
y_proba = model.predict(X_new)
y_pred = np.argmax(model.predict(X_new), axis=-1)
print(np.array(class_names)[y_pred])
assert y_proba.round(2).shape == (3, 10)
assert history.history["loss"][-1] < history.history["loss"][0]
# In[4]: regression, functional
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
data = np.loadtxt("houses.data")
X_train_full, X_test, y_train_full, y_test = train_test_split(data[:, :13], data[:, 13], random_state=42)
X_train, X_valid, y_train, y_valid = train_test_split(X_train_full, y_train_full, random_state=42)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_valid = scaler.transform(X_valid)
X_test = scaler.transform(X_test)
input_A = keras.layers.Input(shape=[8], name="wide_input")
input_B = keras.layers.Input(shape=[8], name="deep_input")
hidden1 = keras.layers.Dense(30, activation="relu")(input_B)
hidden2 = keras.layers.Dense(30, activation="relu")(hidden1)
concat = keras.layers.concatenate([input_A, hidden2])
output = keras.layers.Dense(1, name="main_output")(concat)
aux_output = keras.layers.Dense(1, name="aux_output")(hidden2)
model = keras.models.Model(inputs=[input_A, input_B], outputs=[output, aux_output])
model.compile(loss=["mse", "mse"], loss_weights=[0.9, 0.1], optimizer=keras.optimizers.SGD(lr=1e-3))
X_train_A, X_train_B = X_train[:, :8], X_train[:, 5:]
X_test_A, X_test_B = X_test[:, :8], X_test[:, 5:]
history = model.fit([X_train_A, X_train_B], [y_train, y_train], epochs=2)
total_loss, main_loss, aux_loss = model.evaluate([X_test_A, X_test_B], [y_test, y_test])
assert abs(total_loss - .9 * main_loss - .1 * aux_loss) / total_loss < 1e-4
# In[5]: subclassing
class WideAndDeepModel(keras.models.Model):
    def __init__(self, units=30, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.hidden1 = keras.layers.Dense(units, activation=activation)
        self.hidden2 = keras.layers.Dense(units, activation=activation)
        self.main_output = keras.layers.Dense(1)
        self.aux_output = keras.layers.Dense(1)

    def call(self, inputs):
        input_A, input_B = inputs
        hidden1 = self.hidden1(input_B)
        hidden2 = self.hidden2(hidden1)
        concat = keras.layers.concatenate([input_A, hidden2])
        main_output = self.main_output(concat)
        aux_output = self.aux_output(hidden2)
        return main_output, aux_output

model = WideAndDeepModel(30, activation="relu")
model.compile(loss="mse", loss_weights=[0.9, 0.1], optimizer=keras.optimizers.SGD(lr=1e-3))
history = model.fit((X_train_A, X_train_B), (y_train, y_train), epochs=2)
y_pred_main, y_pred_aux = model.predict((X_test_A, X_test_B))
assert y_pred_main.shape == y_pred_aux.shape == (len(X_test), 1)
# In[6]: saving, callbacks
model = keras.models.Sequential([
    keras.layers.Dense(30, activation="relu", input_shape=[13]),
    keras.layers.Dense(1)
])
model.compile(loss="mse", optimizer=keras.optimizers.SGD(lr=1e-3))
checkpoint_cb = keras.callbacks.ModelCheckpoint("my_keras_model.h5", save_best_only=True)
early_stopping_cb = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)


class PrintValTrainRatioCallback(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        print("\nval/train: {:.2f}".format(logs["val_loss"] / logs["loss"]))

root_logdir = os.path.join(os.curdir, "my_logs")
tensorboard_cb = keras.callbacks.TensorBoard(os.path.join(root_logdir, "run_1"))
history = model.fit(X_train, y_train, epochs=4, validation_data=(X_valid, y_valid),
                    callbacks=[checkpoint_cb, early_stopping_cb, PrintValTrainRatioCallback(), tensorboard_cb])
rolled = keras.models.load_model("my_keras_model.h5")
assert abs(rolled.evaluate(X_valid, y_valid) - min(history.history["val_loss"])) < 1e-2
model.save_weights("my_keras_weights.ckpt")
model.load_weights("my_keras_weights.ckpt")
# In[7]: hyperparameters
def build_model(n_hidden=1, n_neurons=30, learning_rate=3e-3, input_shape=[13]):
    model = keras.models.Sequential()
    model.add(keras.layers.InputLayer(input_shape=input_shape))
    for layer in range(n_hidden):
        model.add(keras.layers.Dense(n_neurons, activation="relu"))
    model.add(keras.layers.Dense(1))
    optimizer = keras.optimizers.SGD(lr=learning_rate)
    model.compile(loss="mse", optimizer=optimizer)
    return model

keras_reg = keras.wrappers.scikit_learn.KerasRegressor(build_model)
keras_reg.fit(X_train, y_train, epochs=2, validation_data=(X_valid, y_valid), callbacks=[keras.callbacks.EarlyStopping(patience=10)])
mse_test = keras_reg.score(X_test, y_test)
from scipy.stats import reciprocal
from sklearn.model_selection import RandomizedSearchCV
param_distribs = {"n_hidden": [0, 1, 2], "n_neurons": np.arange(1, 30).tolist(), "learning_rate": reciprocal(3e-4, 3e-2).rvs(20).tolist()}
rnd_search_cv = RandomizedSearchCV(keras_reg, param_distribs, n_iter=3, cv=2, verbose=0)
rnd_search_cv.fit(X_train, y_train, epochs=2, verbose=0, validation_data=(X_valid, y_valid))
assert rnd_search_cv.best_score_ < 0
model = rnd_search_cv.best_estimator_.model
assert model.predict(X_test).shape == (len(X_test), 1)
