# Checkpoint each improvement, then only the best, then load it
from keras.models import Sequential
from keras.layers import Dense
from keras.callbacks import ModelCheckpoint, EarlyStopping
import numpy
import glob
import os
import keras
print(keras.__version__)
seed = 42
numpy.random.seed(seed)
dataset = numpy.loadtxt("clinic.csv", delimiter=",")
X = dataset[:,0:8] / 100
Y = dataset[:,8]

def create_model():
	model = Sequential()
	model.add(Dense(12, input_dim=8, kernel_initializer='uniform', activation='relu'))
	model.add(Dense(8, kernel_initializer='uniform', activation='relu'))
	model.add(Dense(1, kernel_initializer='uniform', activation='sigmoid'))
	model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
	return model

model = create_model()
filepath="weights-improvement-{epoch:02d}-{val_acc:.2f}.hdf5"
checkpoint = ModelCheckpoint(filepath, monitor='val_acc', verbose=1, save_best_only=True, mode='max')
model.fit(X, Y, validation_split=0.33, epochs=4, batch_size=10, callbacks=[checkpoint], verbose=0)
assert glob.glob("weights-improvement-*.hdf5")
model = create_model()
h = model.fit(X, Y, validation_split=0.33, epochs=6, batch_size=10, verbose=0,
	callbacks=[ModelCheckpoint("weights.best.hdf5", monitor='val_loss', save_best_only=True, mode='min', period=1),
	           ModelCheckpoint("only.weights.h5", monitor='val_loss', save_weights_only=True, save_best_only=True),
	           EarlyStopping(monitor='val_loss', patience=10, restore_best_weights=True)])
best = create_model()
best.load_weights("weights.best.hdf5")
best.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
split = int(len(X) * (1 - 0.33))
scores = best.evaluate(X[split:], Y[split:], verbose=0)
print("%s: %.2f%%" % (best.metrics_names[1], scores[1]*100))
assert abs(scores[0] - min(h.history['val_loss'])) < 1e-4
other = create_model()
other.load_weights("only.weights.h5")
assert numpy.allclose(other.predict(X), best.predict(X), atol=1e-6)
loaded = keras.models.load_model("weights.best.hdf5")
assert numpy.allclose(loaded.predict(X), best.predict(X), atol=1e-6)
