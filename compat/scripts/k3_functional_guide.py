"""The functional and Sequential APIs: graphs, shared layers, nested models, feature extraction."""
import numpy as np
import keras
from keras import layers
from keras import ops

inputs = keras.Input(shape=(784,), name="digits")
x = layers.Dense(16, activation="relu", name="dense_1")(inputs)
x = layers.Dense(16, activation="relu", name="dense_2")(x)
outputs = layers.Dense(10, name="predictions")(x)
model = keras.Model(inputs=inputs, outputs=outputs, name="mnist_model")
model.summary()
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer=keras.optimizers.RMSprop(), metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=64, epochs=2, validation_split=0.2)
test_scores = model.evaluate(x_test, y_test, verbose=2)
config = model.get_config()
copy = keras.Model.from_config(config)
copy.set_weights(model.get_weights())
assert np.allclose(copy.predict(x_test), model.predict(x_test), atol=1e-6)
json_config = model.to_json()
assert keras.models.model_from_json(json_config).count_params() == model.count_params()
clone = keras.models.clone_model(model)
assert not np.allclose(clone.get_weights()[0], model.get_weights()[0])

# toy ResNet
inputs = keras.Input(shape=(32, 32, 3), name="img")
x = layers.Conv2D(8, 3, activation="relu")(inputs)
block_1_output = layers.MaxPooling2D(3)(x)
x = layers.Conv2D(8, 3, activation="relu", padding="same")(block_1_output)
x = layers.Conv2D(8, 3, activation="relu", padding="same")(x)
block_2_output = layers.add([x, block_1_output])
x = layers.GlobalAveragePooling2D()(block_2_output)
outputs = layers.Dense(10)(layers.Dropout(0.5)(x))
resnet = keras.Model(inputs, outputs, name="toy_resnet")
(c_train, l_train), _ = keras.datasets.cifar10.load_data()
resnet.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["acc"])
h = resnet.fit(c_train[:60].astype("float32") / 255.0, l_train[:60], batch_size=20, epochs=1, validation_split=0.2)
assert "val_acc" in h.history
# several inputs and outputs
num_tags, num_words, num_departments = 12, 100, 4
title_input = keras.Input(shape=(None,), name="title")
body_input = keras.Input(shape=(None,), name="body")
tags_input = keras.Input(shape=(num_tags,), name="tags")
title_features = layers.LSTM(16)(layers.Embedding(num_words, 8)(title_input))
body_features = layers.LSTM(8)(layers.Embedding(num_words, 8)(body_input))
x = layers.concatenate([title_features, body_features, tags_input])
priority_pred = layers.Dense(1, name="priority")(x)
department_pred = layers.Dense(num_departments, name="department")(x)
model = keras.Model(inputs=[title_input, body_input, tags_input], outputs={"priority": priority_pred, "department": department_pred})
model.compile(
    optimizer=keras.optimizers.RMSprop(1e-3),
    loss={"priority": keras.losses.BinaryCrossentropy(from_logits=True), "department": keras.losses.CategoricalCrossentropy(from_logits=True)},
    loss_weights={"priority": 1.0, "department": 0.2},
)
n = 48
title_data = np.random.randint(num_words, size=(n, 7))
body_data = np.random.randint(num_words, size=(n, 9))
tags_data = np.random.randint(2, size=(n, num_tags)).astype("float32")
h = model.fit({"title": title_data, "body": body_data, "tags": tags_data},
              {"priority": np.random.random(size=(n, 1)), "department": np.eye(4)[np.random.randint(4, size=n)]},
              epochs=2, batch_size=16)
assert {"loss", "priority_loss", "department_loss"} <= set(h.history)
# Sequential: add, pop, weights, features
seq = keras.Sequential(name="my_sequential")
seq.add(layers.Dense(2, activation="relu", name="layer1"))
seq.add(layers.Dense(3, activation="relu", name="layer2"))
seq.add(layers.Dense(4, name="layer3"))
try:
    seq.summary()
except ValueError:
    pass
assert seq.weights == []
y = seq(ops.ones((1, 4)))
assert len(seq.weights) == 6
seq.pop()
assert len(seq.layers) == 2
initial_model = keras.Sequential([keras.Input(shape=(50, 50, 3)), layers.Conv2D(4, 5, strides=2, activation="relu"),
                                  layers.Conv2D(4, 3, activation="relu", name="my_intermediate_layer"), layers.Conv2D(4, 3, activation="relu")])
feature_extractor = keras.Model(inputs=initial_model.inputs, outputs=[layer.output for layer in initial_model.layers])
features = feature_extractor(ops.ones((1, 50, 50, 3)))
assert [f.shape for f in features] == [(1, 23, 23, 4), (1, 21, 21, 4), (1, 19, 19, 4)]
one = keras.Model(inputs=initial_model.inputs, outputs=initial_model.get_layer(name="my_intermediate_layer").output)
assert one(ops.ones((1, 50, 50, 3))).shape == (1, 21, 21, 4)


# an ensemble, and a layer inside of a nested model
def get_model():
    inputs = keras.Input(shape=(16,))
    return keras.Model(inputs, layers.Dense(1)(inputs))

model1, model2, model3 = get_model(), get_model(), get_model()
inputs = keras.Input(shape=(16,))
outputs = layers.average([model1(inputs), model2(inputs), model3(inputs)])
ensemble_model = keras.Model(inputs=inputs, outputs=outputs)
z = np.random.random((4, 16)).astype("float32")
assert np.allclose(ensemble_model.predict(z), (model1.predict(z) + model2.predict(z) + model3.predict(z)) / 3, atol=1e-6)
