"""Structured data: lookups, normalization, category encoding on a tf.data pipeline from pandas."""
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.keras import layers

dataframe = pd.read_csv("ship.csv")
dataframe["age"] = dataframe["age"].fillna(dataframe["age"].median())
dataframe = dataframe.rename(columns={"class": "klass"})
dataframe["target"] = dataframe.pop("survived")
train, val, test = np.split(dataframe.sample(frac=1, random_state=1).to_numpy(), [int(0.8 * len(dataframe)), int(0.9 * len(dataframe))])
columns = list(dataframe.columns)
train, val, test = (pd.DataFrame(part, columns=columns).infer_objects() for part in (train, val, test))
print(len(train), "training examples")


def df_to_dataset(dataframe, shuffle=True, batch_size=32):
    df = dataframe.copy()
    labels = df.pop("target").astype("int32")
    df = {key: value.to_numpy()[:, tf.newaxis] for key, value in df.items()}
    df = {k: (v.astype("float32") if k in ("age", "fare", "sibsp", "parch", "pclass") else v.astype(str)) for k, v in df.items()}
    ds = tf.data.Dataset.from_tensor_slices((dict(df), labels))
    if shuffle:
        ds = ds.shuffle(buffer_size=len(dataframe))
    ds = ds.batch(batch_size)
    ds = ds.prefetch(batch_size)
    return ds

batch_size = 16
train_ds = df_to_dataset(train, batch_size=batch_size)
[(train_features, label_batch)] = train_ds.take(1)
print("Every feature:", list(train_features.keys()))
print("A batch of ages:", train_features["age"])


def get_normalization_layer(name, dataset):
    normalizer = layers.Normalization(axis=None)
    feature_ds = dataset.map(lambda x, y: x[name])
    normalizer.adapt(feature_ds)
    return normalizer


def get_category_encoding_layer(name, dataset, dtype, max_tokens=None):
    if dtype == "string":
        index = layers.StringLookup(max_tokens=max_tokens)
    else:
        index = layers.IntegerLookup(max_tokens=max_tokens)
    feature_ds = dataset.map(lambda x, y: x[name])
    index.adapt(feature_ds)
    encoder = layers.CategoryEncoding(num_tokens=index.vocabulary_size())
    return lambda feature: encoder(index(feature))

val_ds = df_to_dataset(val, shuffle=False, batch_size=batch_size)
test_ds = df_to_dataset(test, shuffle=False, batch_size=batch_size)
all_inputs, encoded_features = {}, []
for header in ["age", "fare"]:
    numeric_col = tf.keras.Input(shape=(1,), name=header)
    normalization_layer = get_normalization_layer(header, train_ds)
    encoded_features.append(normalization_layer(numeric_col))
    all_inputs[header] = numeric_col
for header in ["sex", "embarked", "klass"]:
    categorical_col = tf.keras.Input(shape=(1,), name=header, dtype="string")
    encoding_layer = get_category_encoding_layer(name=header, dataset=train_ds, dtype="string", max_tokens=5)
    encoded_features.append(encoding_layer(categorical_col))
    all_inputs[header] = categorical_col
all_features = tf.keras.layers.concatenate(encoded_features)
x = tf.keras.layers.Dense(16, activation="relu")(all_features)
x = tf.keras.layers.Dropout(0.2)(x)
output = tf.keras.layers.Dense(1)(x)
model = tf.keras.Model(all_inputs, output)
model.compile(optimizer="adam", loss=tf.keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(train_ds, epochs=10, validation_data=val_ds)
result = model.evaluate(test_ds, return_dict=True)
print(result)
assert history.history["loss"][-1] < history.history["loss"][0]
model.save("ship_classifier.keras")
reloaded_model = tf.keras.models.load_model("ship_classifier.keras")
sample = {"age": 30.0, "fare": 50.0, "sex": "female", "embarked": "C", "klass": "First", }
input_dict = {name: tf.convert_to_tensor([value]) for name, value in sample.items()}
predictions = reloaded_model.predict(input_dict)
prob = tf.nn.sigmoid(predictions[0])
print("This passenger had a %.1f percent probability." % (100 * prob))
assert 0 < float(prob[0]) < 1
