# Two inputs and a shared lookup of team strengths; then two outputs
from keras.layers import Input, Embedding, Flatten, Dense, Subtract, Concatenate, Add
from keras.models import Model
from keras.utils import plot_model
from numpy import unique
import numpy as np
import pandas as pd

rng = np.random.RandomState(1)
n = 300
strength = rng.normal(size=12)
games = pd.DataFrame({'team_1': rng.randint(0, 12, n), 'team_2': rng.randint(0, 12, n), 'home': rng.randint(0, 2, n)})
games['score_diff'] = 5 * (strength[games.team_1] - strength[games.team_2]) + 2 * games.home + rng.normal(size=n)
games['won'] = (games.score_diff > 0).astype(int)
n_teams = unique(games['team_1']).shape[0]
team_lookup = Embedding(input_dim=n_teams, output_dim=1, input_length=1, name='Team-Strength')
teamid_in = Input(shape=(1,))
strength_lookup = team_lookup(teamid_in)
strength_lookup_flat = Flatten()(strength_lookup)
team_strength_model = Model(teamid_in, strength_lookup_flat, name='Team-Strength-Model')

team_in_1 = Input(shape=(1,), name='Team-1-In')
team_in_2 = Input(shape=(1,), name='Team-2-In')
home_in = Input(shape=(1,), name='Home-In')
team_1_strength = team_strength_model(team_in_1)
team_2_strength = team_strength_model(team_in_2)
score_diff = Subtract()([team_1_strength, team_2_strength])
model = Model([team_in_1, team_in_2], score_diff)
model.compile(optimizer='adam', loss='mean_absolute_error')
input_1, input_2 = games['team_1'], games['team_2']
h = model.fit([input_1, input_2], games['score_diff'], epochs=2, batch_size=32, validation_split=0.1, verbose=True)
print(model.evaluate([input_1, input_2], games['score_diff'], verbose=False))

out = Concatenate()([team_1_strength, team_2_strength, home_in])
out = Dense(8, activation='relu')(out)
out = Dense(1)(out)
three = Model([team_in_1, team_in_2, home_in], out)
three.compile(optimizer='adam', loss='mean_absolute_error')
three.fit([games['team_1'], games['team_2'], games['home']], games['score_diff'], epochs=2, verbose=0, batch_size=16)
games['pred'] = three.predict([games['team_1'], games['team_2'], games['home']])
assert games['pred'].notna().all()

# regression and classification at once
input_tensor = Input(shape=(2,))
output_tensor_1 = Dense(1, activation='linear', use_bias=False)(input_tensor)
output_tensor_2 = Dense(1, activation='sigmoid', use_bias=False)(output_tensor_1)
both = Model(input_tensor, [output_tensor_1, output_tensor_2])
both.compile(loss=['mean_absolute_error', 'binary_crossentropy'], optimizer='adam')
h = both.fit(games[['home', 'pred']], [games[['score_diff']], games[['won']]], epochs=3, verbose=True, batch_size=50)
assert len(both.get_weights()) == 2
res = both.evaluate(games[['home', 'pred']], [games[['score_diff']], games[['won']]], verbose=False)
assert len(res) == 3 and abs(res[0] - res[1] - res[2]) < 1e-3
assert h.history['loss'][-1] < h.history['loss'][0]
