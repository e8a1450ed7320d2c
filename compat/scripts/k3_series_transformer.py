"""Timeseries classification with a transformer, with ops-free functional blocks."""
import numpy as np
import keras
from keras import layers

rng = np.random.default_rng(0)
n_classes = 2
y_train = rng.integers(0, 2, 96)
x_train = np.sin(np.arange(40) / (2 + 3 * y_train[:, None])) + rng.normal(0, 0.2, (96, 40))
x_train = x_train.reshape((x_train.shape[0], x_train.shape[1], 1))
idx = np.random.permutation(len(x_train))
x_train, y_train = x_train[idx], y_train[idx]


def transformer_encoder(inputs, head_size, num_heads, ff_dim, dropout=0):
    # Attention and Normalization
    x = layers.MultiHeadAttention(key_dim=head_size, num_heads=num_heads, dropout=dropout)(inputs, inputs)
    x = layers.Dropout(dropout)(x)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    res = x + inputs
    # Feed Forward Part
    x = layers.Conv1D(filters=ff_dim, kernel_size=1, activation="relu")(res)
    x = layers.Dropout(dropout)(x)
    x = layers.Conv1D(filters=inputs.shape[-1], kernel_size=1)(x)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    return x + res


def build_model(input_shape, head_size, num_heads, ff_dim, num_transformer_blocks, mlp_units, dropout=0, mlp_dropout=0):
    inputs = keras.Input(shape=input_shape)
    x = inputs
    for _ in range(num_transformer_blocks):
        x = transformer_encoder(x, head_size, num_heads, ff_dim, dropout)
    x = layers.GlobalAveragePooling1D(data_format="channels_first")(x)
    for dim in mlp_units:
        x = layers.Dense(dim, activation="relu")(x)
        x = layers.Dropout(mlp_dropout)(x)
    outputs = layers.Dense(n_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)

model = build_model(x_train.shape[1:], head_size=8, num_heads=2, ff_dim=4, num_transformer_blocks=2,
                    mlp_units=[16], mlp_dropout=0.1, dropout=0.1)
model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(learning_rate=3e-3),
              metrics=["sparse_categorical_accuracy"])
model.summary()
callbacks = [
    keras.callbacks.ModelCheckpoint("best_model.keras", save_best_only=True, monitor="val_loss"),
    keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=20, min_lr=0.0001),
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=10, verbose=1),
]
history = model.fit(x_train, y_train, validation_split=0.2, epochs=4, batch_size=16, callbacks=callbacks)
best = keras.models.load_model("best_model.keras")
loss, acc = best.evaluate(x_train[76:], y_train[76:], verbose=1)
assert abs(loss - min(history.history["val_loss"])) < 2e-2
assert history.history["loss"][-1] < history.history["loss"][0]
