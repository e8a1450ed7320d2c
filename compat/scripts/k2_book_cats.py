# Small image folders: generators, augmentation, visualizing activations, feature extraction
import os
import shutil
import numpy as np
from PIL import Image
from keras import layers, models, optimizers
from keras.models import load_model
from keras.preprocessing.image import ImageDataGenerator
from keras.preprocessing import image

base_dir = 'cats_and_dogs_small'
rng = np.random.RandomState(0)
for split, count in (('train', 12), ('validation', 6), ('test', 4)):
    for label, name in enumerate(['cats', 'dogs']):
        folder = os.path.join(base_dir, split, name)
        os.makedirs(folder)
        for i in range(count):
            pixels = rng.randint(0, 90, (40, 36, 3))
            pixels[:, :, label] += 120
            Image.fromarray(pixels.astype('uint8')).save(os.path.join(folder, '%s.%d.jpg' % (name[:3], i)))
train_dir = os.path.join(base_dir, 'train')
validation_dir = os.path.join(base_dir, 'validation')
test_dir = os.path.join(base_dir, 'test')
print('total training cat images:', len(os.listdir(os.path.join(train_dir, 'cats'))))

model = models.Sequential()
model.add(layers.Conv2D(4, (3, 3), activation='relu', input_shape=(32, 32, 3)))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(8, (3, 3), activation='relu'))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dropout(0.5))
model.add(layers.Dense(16, activation='relu'))
model.add(layers.Dense(1, activation='sigmoid'))
model.compile(loss='binary_crossentropy', optimizer=optimizers.RMSprop(lr=1e-3), metrics=['acc'])
train_datagen = ImageDataGenerator(rescale=1./255, rotation_range=40, width_shift_range=0.2, height_shift_range=0.2,
                                   shear_range=0.2, zoom_range=0.2, horizontal_flip=True, fill_mode='nearest')
test_datagen = ImageDataGenerator(rescale=1./255)
train_generator = train_datagen.flow_from_directory(train_dir, target_size=(32, 32), batch_size=6, class_mode='binary')
validation_generator = test_datagen.flow_from_directory(validation_dir, target_size=(32, 32), batch_size=6, class_mode='binary')
for data_batch, labels_batch in train_generator:
    print('data batch shape:', data_batch.shape)
    print('labels batch shape:', labels_batch.shape)
    break
history = model.fit_generator(train_generator, steps_per_epoch=6, epochs=3, validation_data=validation_generator, validation_steps=2)
model.save('cats_and_dogs_small_1.h5')
acc, val_acc = history.history['acc'], history.history['val_acc']
assert len(acc) == len(val_acc) == 3 and history.history['loss'][-1] < history.history['loss'][0]

# one augmented image
fnames = [os.path.join(train_dir, 'cats', fname) for fname in os.listdir(os.path.join(train_dir, 'cats'))]
img = image.load_img(fnames[3], target_size=(32, 32))
x = image.img_to_array(img)
x = x.reshape((1,) + x.shape)
os.mkdir('preview')
i = 0
for batch in train_datagen.flow(x, batch_size=1, save_to_dir='preview', save_prefix='cat', save_format='jpeg'):
    image.array_to_img(batch[0])
    i += 1
    if i % 4 == 0:
        break
assert 0 < len(os.listdir('preview')) <= 4

# activations of each layer
model = load_model('cats_and_dogs_small_1.h5')
img_tensor = np.expand_dims(image.img_to_array(img), axis=0) / 255.
layer_outputs = [layer.output for layer in model.layers[:4]]
activation_model = models.Model(inputs=model.input, outputs=layer_outputs)
activations = activation_model.predict(img_tensor)
assert activations[0].shape == (1, 30, 30, 4)
layer_names = [layer.name for layer in model.layers[:4]]
for layer_name, layer_activation in zip(layer_names, activations):
    n_features = layer_activation.shape[-1]
    channel_image = layer_activation[0, :, :, n_features - 1]
    print(layer_name, n_features, channel_image.std())

# features from a base, then a classifier on top
conv_base = models.Model(model.input, model.layers[3].output)


def extract_features(directory, sample_count, batch_size=4):
    features = np.zeros(shape=(sample_count, 6, 6, 8))
    labels = np.zeros(shape=(sample_count))
    generator = ImageDataGenerator(rescale=1./255).flow_from_directory(directory, target_size=(32, 32), batch_size=batch_size, class_mode='binary')
    i = 0
    for inputs_batch, labels_batch in generator:
        features_batch = conv_base.predict(inputs_batch)
        features[i * batch_size: (i + 1) * batch_size] = features_batch
        labels[i * batch_size: (i + 1) * batch_size] = labels_batch
        i += 1
        if i * batch_size >= sample_count:
            break
    return features, labels

train_features, train_labels = extract_features(train_dir, 24)
top = models.Sequential()
top.add(layers.Dense(16, activation='relu', input_dim=6 * 6 * 8))
top.add(layers.Dropout(0.5))
top.add(layers.Dense(1, activation='sigmoid'))
top.compile(optimizer=optimizers.RMSprop(lr=2e-4), loss='binary_crossentropy', metrics=['acc'])
top.fit(train_features.reshape(24, -1), train_labels, epochs=2, batch_size=4)

# the base as a layer, frozen, then partly free
model = models.Sequential()
model.add(conv_base)
model.add(layers.Flatten())
model.add(layers.Dense(8, activation='relu'))
model.add(layers.Dense(1, activation='sigmoid'))
print('This is the number of trainable weights before freezing the conv base:', len(model.trainable_weights))
assert len(model.trainable_weights) == 8
conv_base.trainable = False
assert len(model.trainable_weights) == 4
conv_base.trainable = True
set_trainable = False
for layer in conv_base.layers:
    if layer.name == conv_base.layers[3].name:
        set_trainable = True
    layer.trainable = set_trainable
model.compile(loss='binary_crossentropy', optimizer=optimizers.RMSprop(lr=1e-5), metrics=['acc'])
model.fit_generator(train_generator, steps_per_epoch=2, epochs=1, validation_data=validation_generator, validation_steps=1)
test_generator = test_datagen.flow_from_directory(test_dir, target_size=(32, 32), batch_size=4, class_mode='binary')
test_loss, test_acc = model.evaluate_generator(test_generator, steps=2)
print('test acc:', test_acc)
assert 0 <= test_acc <= 1
shutil.rmtree(base_dir)
