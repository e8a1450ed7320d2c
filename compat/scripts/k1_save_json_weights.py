# MLP: serialize to JSON, weights to HDF5, and back
from keras.models import Sequential
from keras.layers import Dense
from keras.models import model_from_json, load_model
import numpy
import os
seed = 7
numpy.random.seed(seed)
dataset = numpy.loadtxt("clinic.csv", delimiter=",")
X = dataset[:,0:8] / 100
Y = dataset[:,8]
model = Sequential()
model.add(Dense(12, input_dim=8, init='uniform', activation='relu'))
model.add(Dense(8, init='uniform', activation='relu'))
model.add(Dense(1, init='uniform', activation='sigmoid'))
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
model.fit(X, Y, nb_epoch=5, batch_size=10, verbose=0)
scores = model.evaluate(X, Y, verbose=0)
print("%s: %.2f%%" % (model.metrics_names[1], scores[1]*100))

# serialize model to JSON
model_json = model.to_json()
with open("model.json", "w") as json_file:
    json_file.write(model_json)
# serialize weights to HDF5
model.save_weights("model.h5", overwrite=True)
print("Saved model to disk")

# later...
json_file = open('model.json', 'r')
loaded_model_json = json_file.read()
json_file.close()
loaded_model = model_from_json(loaded_model_json)
loaded_model.load_weights("model.h5")
loaded_model.compile(loss='binary_crossentropy', optimizer='rmsprop', metrics=['accuracy'])
score = loaded_model.evaluate(X, Y, verbose=0)
assert numpy.allclose(score, scores, rtol=1e-5)

# the whole model
model.save('whole.h5')
del loaded_model
again = load_model('whole.h5')
assert numpy.allclose(again.predict(X), model.predict(X))
again.fit(X, Y, nb_epoch=1, verbose=0)
# another architecture that shares a layer's name
first = Sequential([Dense(12, input_dim=8, name=model.layers[0].name), Dense(3, name='other')])
first.load_weights('model.h5', by_name=True)
assert numpy.allclose(first.layers[0].get_weights()[0], model.layers[0].get_weights()[0])
assert os.path.getsize('whole.h5') > 1000
