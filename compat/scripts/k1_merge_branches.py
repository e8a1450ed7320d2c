# Two branches of Sequential models, joined by Merge, then the same by the functional API
import numpy as np
from keras.models import Sequential, Model
from keras.layers import Dense, Merge, Input, merge, Dropout, Lambda
from keras.layers.advanced_activations import LeakyReLU, PReLU
from keras.layers.normalization import BatchNormalization
from keras.regularizers import l2, activity_l2

np.random.seed(3)
xa = np.random.random((120, 5))
xb = np.random.random((120, 3))
y = (xa.sum(axis=1) > xb.sum(axis=1) + 1).astype(int)

left_branch = Sequential()
left_branch.add(Dense(8, input_dim=5, W_regularizer=l2(0.001)))
left_branch.add(LeakyReLU(alpha=0.1))
right_branch = Sequential()
right_branch.add(Dense(8, input_dim=3, activity_regularizer=activity_l2(0.0001)))
right_branch.add(PReLU())
merged = Merge([left_branch, right_branch], mode='concat')
final_model = Sequential()
final_model.add(merged)
final_model.add(BatchNormalization(mode=0))
final_model.add(Dropout(p=0.1))
final_model.add(Dense(1, activation='sigmoid'))
final_model.compile(optimizer='rmsprop', loss='binary_crossentropy', metrics=['accuracy'])
h = final_model.fit([xa, xb], y, nb_epoch=5, batch_size=16, verbose=0)
assert h.history['loss'][-1] < h.history['loss'][0]
assert final_model.predict([xa, xb]).shape == (120, 1)

# functional
a = Input(shape=(5,), name='first')
b = Input(shape=(3,), name='second')
ha = Dense(4, activation='tanh')(a)
hb = Dense(4, activation='tanh')(b)
s = merge([ha, hb], mode='sum')
m = merge([ha, hb], mode='mul')
d = merge([ha, hb], mode='dot', dot_axes=1)
c = merge([s, m, d], mode='concat', concat_axis=-1)
out = Dense(output_dim=1, activation='sigmoid', name='main')(c)
aux = Dense(1, activation='sigmoid', name='aux')(ha)
model = Model(input=[a, b], output=[out, aux])
model.compile(optimizer='sgd', loss={'main': 'binary_crossentropy', 'aux': 'mse'},
              loss_weights={'main': 1., 'aux': 0.2})
h = model.fit({'first': xa, 'second': xb}, {'main': y, 'aux': y}, nb_epoch=3, batch_size=20, verbose=0)
assert 'main_loss' in h.history and 'aux_loss' in h.history
p, q = model.predict({'first': xa, 'second': xb})
assert p.shape == q.shape == (120, 1)
assert c is not None and c._keras_shape == (None, 9) if hasattr(c, '_keras_shape') else True
total = h.history['loss'][0]
assert abs(total - h.history['main_loss'][0] - 0.2 * h.history['aux_loss'][0]) < 1e-3
