# Import necessary modules
import keras
from keras.layers import Dense
from keras.models import Sequential, load_model
from keras.utils import to_categorical
from keras.callbacks import EarlyStopping
from keras.optimizers import SGD
import numpy as np
import pandas as pd

# Regression on wages: here cars
df = pd.read_csv('wine.csv', sep=';')
predictors = df.drop(['quality'], axis=1).values
target = df.quality.values
n_cols = predictors.shape[1]
model = Sequential()
model.add(Dense(50, activation='relu', input_shape=(n_cols,)))
model.add(Dense(32, activation='relu'))
model.add(Dense(1))
model.compile(optimizer='adam', loss='mean_squared_error')
print("Loss function: " + model.loss)
h = model.fit(predictors, target, epochs=5, verbose=0)
assert h.history['loss'][-1] < h.history['loss'][0]
assert model.loss == 'mean_squared_error'

# Classification
df = pd.read_csv('ship.csv')
df['male'] = (df.sex == 'male').astype(int)
df['age'] = df.age.fillna(df.age.mean())
cols = ['pclass', 'age', 'sibsp', 'parch', 'fare', 'male']
predictors = df[cols].values
target = to_categorical(df.survived)
n_cols = predictors.shape[1]

def get_new_model(input_shape=(n_cols,)):
    model = Sequential()
    model.add(Dense(32, activation='relu', input_shape=input_shape))
    model.add(Dense(2, activation='softmax'))
    return model

lr_to_test = [.000001, 0.01, 1]
losses = []
for lr in lr_to_test:
    print('\n\nTesting model with learning rate: %f\n' % lr)
    model = get_new_model()
    my_optimizer = SGD(lr=lr)
    model.compile(optimizer=my_optimizer, loss='categorical_crossentropy')
    losses.append(model.fit(predictors, target, epochs=2, verbose=0).history['loss'][-1])
assert len(losses) == 3
predictors = (predictors - predictors.mean(0)) / predictors.std(0)
early_stopping_monitor = EarlyStopping(patience=2)
model_1 = get_new_model()
model_1.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])
model_1_training = model_1.fit(predictors, target, epochs=20, validation_split=0.2, callbacks=[early_stopping_monitor], verbose=False)
model_1.save('model_file.h5')
my_model = load_model('model_file.h5')
predictions = my_model.predict(predictors)
predicted_prob_true = predictions[:, 1]
print(predicted_prob_true[:5])
assert np.allclose(predictions.sum(axis=1), 1, atol=1e-5)
assert model_1_training.history['val_acc'] == model_1_training.history['val_accuracy']
assert my_model.evaluate(predictors, target, verbose=0)[1] > 0.6
# the same from a table itself
model_2 = get_new_model()
model_2.compile('adam', 'categorical_crossentropy', metrics=['accuracy'])
model_2.fit(df[cols], target, epochs=1, verbose=0)
my_model.summary()
