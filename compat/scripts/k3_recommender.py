"""Collaborative filtering with a subclassed model; class weights for rare cases; own callbacks."""
import pandas as pd
from pathlib import Path
import numpy as np
import keras
from keras import layers
from keras import ops

rng = np.random.default_rng(0)
df = pd.DataFrame({"userId": rng.integers(100, 130, 400), "movieId": rng.integers(0, 40, 400) * 7})
taste, kind = rng.normal(size=(130,)), rng.normal(size=(300,))
df["rating"] = np.clip(3 + taste[df.userId] * kind[df.movieId] + rng.normal(0, 0.3, 400), 0.5, 5)
user_ids = df["userId"].unique().tolist()
user2user_encoded = {x: i for i, x in enumerate(user_ids)}
movie_ids = df["movieId"].unique().tolist()
movie2movie_encoded = {x: i for i, x in enumerate(movie_ids)}
df["user"] = df["userId"].map(user2user_encoded)
df["movie"] = df["movieId"].map(movie2movie_encoded)
num_users, num_movies = len(user2user_encoded), len(movie2movie_encoded)
min_rating, max_rating = min(df["rating"]), max(df["rating"])
df = df.sample(frac=1, random_state=42)
x = df[["user", "movie"]].values
y = df["rating"].apply(lambda x: (x - min_rating) / (max_rating - min_rating)).values
train_indices = int(0.9 * df.shape[0])
x_train, x_val, y_train, y_val = x[:train_indices], x[train_indices:], y[:train_indices], y[train_indices:]


class RecommenderNet(keras.Model):
    def __init__(self, num_users, num_movies, embedding_size, **kwargs):
        super().__init__(**kwargs)
        self.user_embedding = layers.Embedding(num_users, embedding_size, embeddings_initializer="he_normal", embeddings_regularizer=keras.regularizers.l2(1e-6))
        self.user_bias = layers.Embedding(num_users, 1)
        self.movie_embedding = layers.Embedding(num_movies, embedding_size, embeddings_initializer="he_normal", embeddings_regularizer=keras.regularizers.l2(1e-6))
        self.movie_bias = layers.Embedding(num_movies, 1)

    def call(self, inputs):
        user_vector = self.user_embedding(inputs[:, 0])
        user_bias = self.user_bias(inputs[:, 0])
        movie_vector = self.movie_embedding(inputs[:, 1])
        movie_bias = self.movie_bias(inputs[:, 1])
        dot_user_movie = ops.tensordot(user_vector, movie_vector, 2)
        x = dot_user_movie + user_bias + movie_bias
        return ops.nn.sigmoid(x)

model = RecommenderNet(num_users, num_movies, 8)
model.compile(loss=keras.losses.BinaryCrossentropy(), optimizer=keras.optimizers.Adam(learning_rate=0.01))


class LogEverything(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_train_begin(self, logs=None):
        self.events.append("train")

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(list(logs.keys()))

    def on_test_begin(self, logs=None):
        self.events.append("test")


class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
    def __init__(self, patience=0):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = epoch
                self.model.stop_training = True
                self.model.set_weights(self.best_weights)

log = LogEverything()
history = model.fit(x=x_train, y=y_train, batch_size=32, epochs=4, verbose=1, validation_data=(x_val, y_val), callbacks=[log, EarlyStoppingAtMinLoss(1)])
assert min(history.history["loss"]) < history.history["loss"][0]
assert log.events[0] == "train" and "test" in log.events and "loss" in log.events[1]
model.summary()

# rare cases
features = rng.normal(size=(300, 6)).astype("float32")
targets = (features[:, 0] > 1.3).astype("uint8")
counts = np.bincount(targets)
weight_for_0, weight_for_1 = 1.0 / counts[0], 1.0 / counts[1]
net = keras.Sequential([keras.Input(shape=features.shape[1:]), layers.Dense(32, activation="relu"), layers.Dropout(0.3), layers.Dense(1, activation="sigmoid")])
metrics = [keras.metrics.FalseNegatives(name="fn"), keras.metrics.FalsePositives(name="fp"), keras.metrics.TrueNegatives(name="tn"),
           keras.metrics.TruePositives(name="tp"), keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
net.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=metrics)
h = net.fit(features, targets, batch_size=64, epochs=10, verbose=2, class_weight={0: weight_for_0, 1: weight_for_1})
assert h.history["fn"][-1] + h.history["tp"][-1] == targets.sum()
assert h.history["recall"][-1] > 0.5
