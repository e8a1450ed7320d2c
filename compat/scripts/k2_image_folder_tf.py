# Image classification from a folder, tf.data and augmentation layers, as a guide would
import os
import pathlib
import numpy as np
import PIL.Image
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.models import Sequential

rng = np.random.RandomState(1)
for label, name in enumerate(["daisy", "roses", "tulips"]):
    os.makedirs(os.path.join("photos", name))
    for i in range(10):
        pixels = rng.randint(0, 100, (44, 40, 3))
        pixels[..., label] += 120
        PIL.Image.fromarray(pixels.astype("uint8")).save(os.path.join("photos", name, "%02d.jpg" % i))
data_dir = pathlib.Path("photos")
image_count = len(list(data_dir.glob("*/*.jpg")))
print(image_count)
roses = list(data_dir.glob("roses/*"))
PIL.Image.open(str(roses[0]))
batch_size, img_height, img_width = 8, 32, 32
train_ds = tf.keras.utils.image_dataset_from_directory(data_dir, validation_split=0.2, subset="training", seed=123,
                                                       image_size=(img_height, img_width), batch_size=batch_size)
val_ds = tf.keras.preprocessing.image_dataset_from_directory(data_dir, validation_split=0.2, subset="validation", seed=123,
                                                             image_size=(img_height, img_width), batch_size=batch_size)
class_names = train_ds.class_names
assert class_names == ["daisy", "roses", "tulips"]
for images, labels in train_ds.take(1):
    for i in range(4):
        picture = images[i].numpy().astype("uint8")
        print(class_names[labels[i]], picture.shape)
for image_batch, labels_batch in train_ds:
    print(image_batch.shape)
    assert image_batch.shape == (8, 32, 32, 3) and labels_batch.shape == (8,)
    break
AUTOTUNE = tf.data.AUTOTUNE
train_ds = train_ds.cache().shuffle(100).prefetch(buffer_size=AUTOTUNE)
val_ds = val_ds.cache().prefetch(buffer_size=AUTOTUNE)
normalization_layer = layers.Rescaling(1./255)
normalized_ds = train_ds.map(lambda x, y: (normalization_layer(x), y))
image_batch, labels_batch = next(iter(normalized_ds))
first_image = image_batch[0]
assert 0 <= np.min(first_image) and np.max(first_image) <= 1
num_classes = len(class_names)
data_augmentation = keras.Sequential([
    layers.RandomFlip("horizontal", input_shape=(img_height, img_width, 3)),
    layers.RandomRotation(0.1),
    layers.RandomZoom(0.1),
])
model = Sequential([
    data_augmentation,
    layers.Rescaling(1./255),
    layers.Conv2D(4, 3, padding='same', activation='relu'),
    layers.MaxPooling2D(),
    layers.Conv2D(8, 3, padding='same', activation='relu'),
    layers.MaxPooling2D(),
    layers.Dropout(0.2),
    layers.Flatten(),
    layers.Dense(16, activation='relu'),
    layers.Dense(num_classes, name="outputs")
])
model.compile(optimizer='adam', loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
model.summary()
history = model.fit(train_ds, validation_data=val_ds, epochs=4)
assert history.history['loss'][-1] < history.history['loss'][0]
img = tf.keras.utils.load_img(str(roses[0]), target_size=(img_height, img_width))
img_array = tf.keras.utils.img_to_array(img)
img_array = tf.expand_dims(img_array, 0)  # Create a batch
predictions = model.predict(img_array)
score = tf.nn.softmax(predictions[0])
print("This image most likely belongs to {} with a {:.2f} percent confidence.".format(class_names[np.argmax(score)], 100 * np.max(score)))
assert abs(float(tf.reduce_sum(score)) - 1) < 1e-5
resized = tf.image.resize(image_batch, [16, 16])
assert resized.shape == (8, 16, 16, 3)
flipped = tf.image.flip_left_right(image_batch)
assert np.allclose(flipped.numpy()[:, :, ::-1], image_batch.numpy())
