"""Text classification from raw text files: folders, TextVectorization, an end-to-end model."""
import os
import re
import string
import csv
import tensorflow as tf
import keras
from keras.layers import TextVectorization
from keras import layers
import numpy as np

with open("reviews.tsv") as f:
    rows = list(csv.DictReader(f, delimiter="\t"))
for number, row in enumerate(rows):
    folder = os.path.join("texts", "train" if number % 4 else "test", "pos" if row["sentiment"] == "1" else "neg")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{number}.txt"), "w") as f:
        f.write(row["review"] + "<br />")
batch_size = 16
raw_train_ds = keras.utils.text_dataset_from_directory("texts/train", batch_size=batch_size, validation_split=0.2, subset="training", seed=1337)
raw_val_ds = keras.utils.text_dataset_from_directory("texts/train", batch_size=batch_size, validation_split=0.2, subset="validation", seed=1337)
raw_test_ds = keras.utils.text_dataset_from_directory("texts/test", batch_size=batch_size)
print(f"Number of batches in raw_train_ds: {raw_train_ds.cardinality()}")
for text_batch, label_batch in raw_train_ds.take(1):
    for i in range(2):
        print(text_batch.numpy()[i])
        print(label_batch.numpy()[i])


def custom_standardization(input_data):
    lowercase = tf.strings.lower(input_data)
    stripped_html = tf.strings.regex_replace(lowercase, "<br />", " ")
    return tf.strings.regex_replace(stripped_html, f"[{re.escape(string.punctuation)}]", "")

max_features, embedding_dim, sequence_length = 80, 16, 20
vectorize_layer = TextVectorization(standardize=custom_standardization, max_tokens=max_features, output_mode="int", output_sequence_length=sequence_length)
text_ds = raw_train_ds.map(lambda x, y: x)
vectorize_layer.adapt(text_ds)
assert vectorize_layer.get_vocabulary()[:2] == ["", "[UNK]"]


def vectorize_text(text, label):
    text = tf.expand_dims(text, -1)
    return vectorize_layer(text), label

train_ds = raw_train_ds.map(vectorize_text)
val_ds = raw_val_ds.map(vectorize_text)
test_ds = raw_test_ds.map(vectorize_text)
train_ds = train_ds.cache().prefetch(buffer_size=10)
val_ds = val_ds.cache().prefetch(buffer_size=tf.data.AUTOTUNE)
test_ds = test_ds.cache().prefetch(buffer_size=10)
inputs = keras.Input(shape=(None,), dtype="int64")
x = layers.Embedding(max_features, embedding_dim)(inputs)
x = layers.Dropout(0.2)(x)
x = layers.Conv1D(16, 5, padding="valid", activation="relu", strides=2)(x)
x = layers.GlobalMaxPooling1D()(x)
x = layers.Dense(16, activation="relu")(x)
predictions = layers.Dense(1, activation="sigmoid", name="predictions")(x)
model = keras.Model(inputs, predictions)
model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
model.fit(train_ds, validation_data=val_ds, epochs=8)
loss, accuracy = model.evaluate(test_ds)
assert accuracy > 0.7, accuracy
inputs = keras.Input(shape=(1,), dtype="string")
indices = vectorize_layer(inputs)
outputs = model(indices)
end_to_end_model = keras.Model(inputs, outputs)
end_to_end_model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
assert abs(end_to_end_model.evaluate(raw_test_ds)[1] - accuracy) < 1e-5
