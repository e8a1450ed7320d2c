# Grid searches: batch size and epochs, optimizer, learning rate, init, dropout, neurons
import numpy
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from keras.models import Sequential
from keras.layers import Dense
from keras.layers import Dropout
from keras.wrappers.scikit_learn import KerasClassifier
from keras.constraints import maxnorm
from keras.optimizers import SGD

def create_model(optimizer='adam', init_mode='uniform', dropout_rate=0.0, weight_constraint=0, neurons=8, activation='relu'):
	# create model
	model = Sequential()
	model.add(Dense(neurons, input_dim=8, kernel_initializer=init_mode, activation=activation, kernel_constraint=maxnorm(4)))
	model.add(Dropout(dropout_rate))
	model.add(Dense(1, kernel_initializer=init_mode, activation='sigmoid'))
	# Compile model
	model.compile(loss='binary_crossentropy', optimizer=optimizer, metrics=['accuracy'])
	return model

def create_sgd(learn_rate=0.01, momentum=0):
	model = Sequential()
	model.add(Dense(8, input_dim=8, activation='relu'))
	model.add(Dense(1, activation='sigmoid'))
	optimizer = SGD(lr=learn_rate, momentum=momentum)
	model.compile(loss='binary_crossentropy', optimizer=optimizer, metrics=['accuracy'])
	return model

# fix random seed for reproducibility
seed = 7
numpy.random.seed(seed)
dataset = numpy.loadtxt("clinic.csv", delimiter=",")
X = dataset[:,0:8]
Y = dataset[:,8]
searches = [
	(KerasClassifier(build_fn=create_model, verbose=0), dict(batch_size=[20, 40], epochs=[1, 2])),
	(KerasClassifier(build_fn=create_model, epochs=1, batch_size=40, verbose=0), dict(optimizer=['SGD', 'RMSprop', 'Adagrad', 'Adadelta', 'Adam', 'Adamax', 'Nadam'])),
	(KerasClassifier(build_fn=create_sgd, epochs=1, batch_size=40, verbose=0), dict(learn_rate=[0.001, 0.1], momentum=[0.0, 0.9])),
	(KerasClassifier(build_fn=create_model, epochs=1, batch_size=40, verbose=0), dict(init_mode=['uniform', 'lecun_uniform', 'normal', 'zero', 'glorot_normal', 'he_uniform'])),
	(KerasClassifier(build_fn=create_model, epochs=1, batch_size=40, verbose=0), dict(activation=['softmax', 'softplus', 'softsign', 'relu', 'tanh', 'sigmoid', 'hard_sigmoid', 'linear'])),
]
for model, param_grid in searches:
	grid = GridSearchCV(estimator=model, param_grid=param_grid, n_jobs=1, cv=2)
	grid_result = grid.fit(X, Y)
	# summarize results
	print("Best: %f using %s" % (grid_result.best_score_, grid_result.best_params_))
	means = grid_result.cv_results_['mean_test_score']
	stds = grid_result.cv_results_['std_test_score']
	params = grid_result.cv_results_['params']
	for mean, stdev, param in zip(means, stds, params):
		print("%f (%f) with: %r" % (mean, stdev, param))
	assert (means >= 0).all() and (means <= 1).all()
	assert grid_result.best_score_ == max(means)
random_search = RandomizedSearchCV(KerasClassifier(build_fn=create_model, epochs=1, batch_size=40, verbose=0),
	param_distributions=dict(neurons=[1, 5, 10], dropout_rate=[0.0, 0.3, 0.6]), n_iter=3, cv=2, random_state=1)
random_search.fit(X, Y)
assert set(random_search.best_params_) == {'neurons', 'dropout_rate'}
