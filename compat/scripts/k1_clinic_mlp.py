# First network: will a patient fall ill?
from keras.models import Sequential
from keras.layers import Dense
import numpy
# fix random seed for reproducibility
seed = 7
numpy.random.seed(seed)
dataset = numpy.loadtxt("clinic.csv", delimiter=",")
# split into input (X) and output (Y) variables
X = dataset[:,0:8]
Y = dataset[:,8]
X = (X - X.mean(axis=0)) / X.std(axis=0)
# create model
model = Sequential()
model.add(Dense(12, input_dim=8, init='uniform', activation='relu'))
model.add(Dense(8, init='uniform', activation='relu'))
model.add(Dense(1, init='uniform', activation='sigmoid'))
# Compile model
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
# Fit the model
history = model.fit(X, Y, nb_epoch=30, batch_size=10, verbose=0, validation_split=0.2)
# evaluate the model
scores = model.evaluate(X, Y)
print("%s: %.2f%%" % (model.metrics_names[1], scores[1]*100))
predictions = model.predict(X)
rounded = [round(x[0]) for x in predictions]
print(history.history.keys())
assert history.history['loss'][-1] < history.history['loss'][0]
assert len(history.history['val_acc']) == 30
assert model.metrics_names[1] in ('acc', 'accuracy')
assert abs(numpy.mean(numpy.array(rounded) == Y) - scores[1]) < 1e-6
assert scores[1] > 0.7
