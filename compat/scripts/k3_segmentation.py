"""Image segmentation with a small U-Net-like model, masks in files, PyDataset, and mixed precision."""
import os
import numpy as np
import keras
from keras import layers
from PIL import Image

img_size, num_classes, batch_size = (32, 32), 3, 4
rng = np.random.default_rng(0)
os.makedirs("pictures")
for i in range(12):
    picture = rng.integers(0, 60, (*img_size, 3))
    mask = np.ones(img_size)
    r, c = rng.integers(4, 16, 2)
    picture[r : r + 12, c : c + 12] += 150
    mask[r : r + 12, c : c + 12] = 2
    mask[r, c : c + 12] = 3
    Image.fromarray(picture.astype("uint8")).save(f"pictures/{i:02d}.png")
    Image.fromarray(mask.astype("uint8")).save(f"pictures/{i:02d}_mask.png")
input_img_paths = sorted(os.path.join("pictures", f) for f in os.listdir("pictures") if not f.endswith("mask.png"))
target_img_paths = sorted(os.path.join("pictures", f) for f in os.listdir("pictures") if f.endswith("mask.png"))


class Pictures(keras.utils.PyDataset):
    def __init__(self, batch_size, img_size, input_img_paths, target_img_paths, **kwargs):
        super().__init__(**kwargs)
        self.batch_size = batch_size
        self.img_size = img_size
        self.input_img_paths = input_img_paths
        self.target_img_paths = target_img_paths

    def __len__(self):
        return len(self.target_img_paths) // self.batch_size

    def __getitem__(self, idx):
        i = idx * self.batch_size
        x = np.zeros((self.batch_size,) + self.img_size + (3,), dtype="float32")
        for j, path in enumerate(self.input_img_paths[i : i + self.batch_size]):
            x[j] = keras.utils.load_img(path, target_size=self.img_size)
        y = np.zeros((self.batch_size,) + self.img_size + (1,), dtype="uint8")
        for j, path in enumerate(self.target_img_paths[i : i + self.batch_size]):
            img = keras.utils.load_img(path, target_size=self.img_size, color_mode="grayscale")
            y[j] = np.expand_dims(img, 2)
            y[j] -= 1
        return x, y


def get_model(img_size, num_classes):
    inputs = keras.Input(shape=img_size + (3,))
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous_block_activation = x
    for filters in [12]:
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same")(previous_block_activation)
        x = layers.add([x, residual])
        previous_block_activation = x
    for filters in [12, 8]:
        x = layers.Activation("relu")(x)
        x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.UpSampling2D(2)(previous_block_activation)
        residual = layers.Conv2D(filters, 1, padding="same")(residual)
        x = layers.add([x, residual])
        previous_block_activation = x
    outputs = layers.Conv2D(num_classes, 3, activation="softmax", padding="same")(x)
    return keras.Model(inputs, outputs)

model = get_model(img_size, num_classes)
model.summary()
train = Pictures(batch_size, img_size, input_img_paths[:8], target_img_paths[:8], workers=2)
val = Pictures(batch_size, img_size, input_img_paths[8:], target_img_paths[8:])
model.compile(optimizer=keras.optimizers.RMSprop(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train, epochs=3, validation_data=val, callbacks=[keras.callbacks.ModelCheckpoint("segmentation.keras", save_best_only=True)])
assert history.history["loss"][-1] < history.history["loss"][0]
val_preds = model.predict(val)
mask = np.expand_dims(np.argmax(val_preds[0], axis=-1), axis=-1)
keras.utils.array_to_img(mask)
keras.utils.save_img("mask.png", np.repeat(mask, 3, axis=-1))
assert mask.shape == (32, 32, 1)
keras.mixed_precision.set_global_policy("mixed_float16")
small = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1, dtype="float32")])
assert small.layers[0].compute_dtype == "float16" and small.layers[0].variable_dtype == "float32"
small.compile("adam", "mse")
small.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
keras.mixed_precision.set_global_policy("float32")
