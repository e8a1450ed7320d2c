"""Methods and functions in the spelling of Keras 1 and 2 do what today's spelling does."""

import inspect

import numpy as np
import pytest

import minikeras
from minikeras import dialects
from minikeras.dialects import calls
from minikeras.models.model import _OLD_METHODS

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = (X.sum(axis=1, keepdims=True) > 0).astype("float32")


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def model_of(units=1):
    minikeras.utils.set_random_seed(1)
    model = minikeras.Sequential([minikeras.Input((3,)), minikeras.layers.Dense(units)])
    model.compile("sgd", "mse")
    return model


def batches(size=4):
    while True:
        for start in range(0, len(X), size):
            yield X[start : start + size], Y[start : start + size]


def test_fit_for_a_number_of_epochs():
    old = model_of().fit(X, Y, nb_epoch=3, verbose=0, shuffle=False)
    new = model_of().fit(X, Y, epochs=3, verbose=0, shuffle=False)
    assert old.history == new.history and len(old.epoch) == 3


def test_both_spellings_are_refused():
    with pytest.raises(ValueError, match="both `epochs` and `nb_epoch`"):
        model_of().fit(X, Y, nb_epoch=3, epochs=2)
    with pytest.raises(TypeError, match="nonsense"):
        model_of().fit(X, Y, nonsense=3)


def test_fit_generator_of_both_generations():
    new = model_of().fit(batches(), steps_per_epoch=2, epochs=2, verbose=0).history
    first = model_of().fit_generator(batches(), samples_per_epoch=8, nb_epoch=2, verbose=0)
    second = model_of().fit_generator(
        batches(), steps_per_epoch=2, epochs=2, verbose=0, workers=2, use_multiprocessing=False
    )
    assert first.history == second.history == new


def test_validation_of_fit_generator():
    new = model_of().fit(X, Y, batch_size=4, shuffle=False, validation_data=(X, Y), verbose=0)
    for data in ((X, Y), batches()):
        old = model_of().fit_generator(
            batches(),
            samples_per_epoch=8,
            nb_epoch=1,
            verbose=0,
            validation_data=data,
            nb_val_samples=8,
        )
        assert old.history["val_loss"] == pytest.approx(new.history["val_loss"], rel=1e-6)


def test_unknown_arguments_of_fit_generator():
    with pytest.raises(TypeError, match="nonsense"):
        model_of().fit_generator(batches(), 2, nonsense=1)


def test_evaluate_and_predict_generator():
    model = model_of()
    assert model.evaluate_generator(batches(), steps=2) == model.evaluate(X, Y, 4, verbose=0)
    assert model.evaluate_generator(batches(), val_samples=8) == model.evaluate(X, Y, 4, verbose=0)
    assert np.array_equal(model.predict_generator(batches(), 2), model.predict(X, 4, verbose=0))


def test_predict_classes():
    one, many = model_of(), model_of(4)
    assert np.array_equal(one.predict_classes(X), one.predict(X, verbose=0) > 0.5)
    assert np.array_equal(many.predict_classes(X), many.predict(X, verbose=0).argmax(-1))
    assert np.array_equal(many.predict_proba(X), many.predict(X, verbose=0))


def test_states_of_a_model_are_reset():
    model = minikeras.Sequential(
        [minikeras.layers.LSTM(2, batch_input_shape=(2, 4, 3), stateful=True)]
    )
    x = X.reshape(2, 4, 3)
    first = model.predict(x, batch_size=2, verbose=0)
    assert not np.array_equal(model.predict(x, batch_size=2, verbose=0), first)
    model.reset_states()
    assert np.array_equal(model.predict(x, batch_size=2, verbose=0), first)


def test_to_categorical():
    old = minikeras.utils.to_categorical(y=[0, 2], nb_classes=4)
    assert np.array_equal(old, minikeras.utils.to_categorical([0, 2], 4))


@pytest.mark.parametrize(("period", "saved"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4])])
def test_model_checkpoint_every_few_epochs(tmp_path, period, saved):
    path = tmp_path / "{epoch}.hdf5"
    callback = minikeras.callbacks.ModelCheckpoint(path, period=period, save_weights_only=True)
    model_of().fit(X, Y, nb_epoch=5, verbose=0, callbacks=[callback])
    assert sorted(int(file.stem) for file in tmp_path.iterdir()) == saved


def test_yaml_says_what_to_use():
    with pytest.raises(RuntimeError, match="to_json"):
        model_of().to_yaml()


def test_signatures_and_names_stay_todays():
    assert "nb_epoch" not in inspect.signature(minikeras.Model.fit).parameters
    assert next(iter(inspect.signature(minikeras.utils.to_categorical).parameters)) == "x"
    assert not set(dir(model_of())) & set(calls.METHODS)
    assert set(calls.METHODS) == _OLD_METHODS
    assert not hasattr(model_of(), "nonsense")
