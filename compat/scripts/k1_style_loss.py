'''A picture that looks like one and paints like the other, with a small network and L-BFGS.'''
from __future__ import print_function
import numpy as np
from scipy.optimize import fmin_l_bfgs_b
from keras import backend as K
from keras.models import Model
from keras.layers import Input, Convolution2D, MaxPooling2D

np.random.seed(0)
img_nrows = img_ncols = 12
total_variation_weight = 1.
style_weight = 1.
content_weight = 0.025
base_image = K.variable(np.random.rand(1, img_nrows, img_ncols, 3))
style_reference_image = K.variable(np.random.rand(1, img_nrows, img_ncols, 3))
combination_image = K.placeholder((1, img_nrows, img_ncols, 3))
# combine the 3 images into a single Keras tensor
input_tensor = K.concatenate([base_image, style_reference_image, combination_image], axis=0)
block1_conv1 = Convolution2D(4, 3, 3, activation='relu', border_mode='same', name='block1_conv1')(input_tensor)
x = MaxPooling2D((2, 2))(block1_conv1)
block2_conv1 = Convolution2D(4, 3, 3, activation='relu', border_mode='same', name='block2_conv1')(x)
outputs_dict = {'block1_conv1': block1_conv1, 'block2_conv1': block2_conv1}


def gram_matrix(x):
    assert K.ndim(x) == 3
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


def style_loss(style, combination):
    S = gram_matrix(style)
    C = gram_matrix(combination)
    channels = 3
    size = img_nrows * img_ncols
    return K.sum(K.square(S - C)) / (4. * (channels ** 2) * (size ** 2))


def content_loss(base, combination):
    return K.sum(K.square(combination - base))


def total_variation_loss(x):
    assert K.ndim(x) == 4
    a = K.square(x[:, :img_nrows-1, :img_ncols-1, :] - x[:, 1:, :img_ncols-1, :])
    b = K.square(x[:, :img_nrows-1, :img_ncols-1, :] - x[:, :img_nrows-1, 1:, :])
    return K.sum(K.pow(a + b, 1.25))

loss = K.variable(0.)
layer_features = outputs_dict['block2_conv1']
loss = loss + content_weight * content_loss(layer_features[0, :, :, :], layer_features[2, :, :, :])
for layer_name in ['block1_conv1', 'block2_conv1']:
    layer_features = outputs_dict[layer_name]
    sl = style_loss(layer_features[1, :, :, :], layer_features[2, :, :, :])
    loss = loss + (style_weight / 2) * sl
loss = loss + total_variation_weight * total_variation_loss(combination_image)
grads = K.gradients(loss, combination_image)
outputs = [loss]
if type(grads) in {list, tuple}:
    outputs += grads
else:
    outputs.append(grads)
f_outputs = K.function([combination_image], outputs)


class Evaluator(object):
    def __init__(self):
        self.loss_value = None
        self.grads_values = None

    def loss(self, x):
        assert self.loss_value is None
        outs = f_outputs([x.reshape((1, img_nrows, img_ncols, 3))])
        self.loss_value = float(outs[0])
        self.grad_values = np.array(outs[1]).flatten().astype('float64')
        return self.loss_value

    def grads(self, x):
        assert self.loss_value is not None
        grad_values = np.copy(self.grad_values)
        self.loss_value = None
        self.grad_values = None
        return grad_values

evaluator = Evaluator()
x = np.random.uniform(0, 1, (1, img_nrows, img_ncols, 3)) - 0.5
values = []
for i in range(2):
    x, min_val, info = fmin_l_bfgs_b(evaluator.loss, x.flatten(), fprime=evaluator.grads, maxfun=5)
    print('Current loss value:', min_val)
    values.append(min_val)
assert values[1] < values[0]
