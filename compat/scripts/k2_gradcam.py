# A heat map of what a network looks at, with K.gradients and K.function
import numpy as np
from keras import backend as K
from keras.models import Model
from keras.layers import Input, Conv2D, MaxPooling2D, GlobalAveragePooling2D, Dense
from keras.datasets import cifar10

(x_train, y_train), _ = cifar10.load_data()
x = x_train[:64].astype('float32') / 255
y = y_train[:64].ravel()
inp = Input((32, 32, 3))
h = Conv2D(6, 3, activation='relu', padding='same', name='block1')(inp)
h = MaxPooling2D()(h)
h = Conv2D(8, 3, activation='relu', padding='same', name='block5_conv3')(h)
h = GlobalAveragePooling2D()(h)
out = Dense(10, activation='softmax')(h)
model = Model(inp, out)
model.compile('adam', 'sparse_categorical_crossentropy')
model.fit(x, y, epochs=2, verbose=0)
img = x[:1]
preds = model.predict(img)
index = int(np.argmax(preds[0]))
african_elephant_output = model.output[:, index]
last_conv_layer = model.get_layer('block5_conv3')
grads = K.gradients(african_elephant_output, last_conv_layer.output)[0]
pooled_grads = K.mean(grads, axis=(0, 1, 2))
iterate = K.function([model.input], [pooled_grads, last_conv_layer.output[0]])
pooled_grads_value, conv_layer_output_value = iterate([img])
assert pooled_grads_value.shape == (8,)
for i in range(8):
    conv_layer_output_value[:, :, i] *= pooled_grads_value[i]
heatmap = np.mean(conv_layer_output_value, axis=-1)
heatmap = np.maximum(heatmap, 0)
heatmap /= (np.max(heatmap) + K.epsilon())
assert heatmap.shape == (16, 16)

# saliency of the pixels
saliency = K.function([model.input], K.gradients(K.max(model.output, axis=-1), model.input))
s = saliency([x[:4]])[0]
assert s.shape == (4, 32, 32, 3) and np.abs(s).max() > 0
# numbers agree with a difference
eps = 1e-2
j = np.unravel_index(np.abs(s[0]).argmax(), s[0].shape)
plus, minus = img.copy(), img.copy()
plus[(0,) + j] += eps
minus[(0,) + j] -= eps
slope = (model.predict(plus)[0, preds[0].argmax()] - model.predict(minus)[0, preds[0].argmax()]) / (2 * eps)
assert abs(slope - s[0][j]) < 0.2 * abs(slope) + 1e-4
# outputs of a layer, in test mode
functor = K.function([model.input] + [K.learning_phase()], [layer.output for layer in model.layers[1:]])
layer_outs = functor([img, 0.])
assert len(layer_outs) == 5
