"""The events of `fit`, `evaluate` and `predict`, and what the data are: against Keras."""

import contextlib
import io
import re
import warnings

import keras
import numpy as np
import pytest

import minikeras

X = np.random.RandomState(0).uniform(size=(22, 3)).astype("float32")
Y = np.random.RandomState(1).uniform(size=(22, 1)).astype("float32")
EVENTS = (
    "on_train_begin on_train_end on_test_begin on_test_end on_predict_begin on_predict_end "
    "on_epoch_begin on_epoch_end on_train_batch_begin on_train_batch_end on_test_batch_begin "
    "on_test_batch_end on_predict_batch_begin on_predict_batch_end"
).split()


def model_of(package, **options):
    model = package.Sequential([package.Input((3,)), package.layers.Dense(1)])
    model.set_weights([np.ones((3, 1), "float32"), np.zeros(1, "float32")])
    model.compile("sgd", "mse", metrics=["mae"], **options)
    return model


def recorder_of(package):
    """A callback that writes every event down, with the logs."""

    class Recorder(package.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.events = []

    def record(event):
        def on_event(self, *args, **kwargs):
            *where, logs = (*args, *kwargs.values())
            assert logs is not None
            values = [np.asarray(value).tolist() for value in logs.values()]
            self.events.append(((event, *where), list(logs), values))

        return on_event

    for event in EVENTS:
        setattr(Recorder, event, record(event))
    return Recorder()


def same_events(run, **compile_options):
    found = []
    for package in (minikeras, keras):
        recorder, model = recorder_of(package), model_of(package, **compile_options)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")
            run(package, model, [recorder])
        found.append(recorder.events)
    ours, theirs = found
    assert [event[:2] for event in ours] == [event[:2] for event in theirs]
    for one, other in zip(ours, theirs):
        for mine, its in zip(one[2], other[2]):
            np.testing.assert_allclose(mine, its, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"epochs": 3, "validation_split": 0.3},
        {"epochs": 4, "validation_data": (X[:7], Y[:7]), "validation_freq": 2},
        {"epochs": 4, "validation_data": (X[:7], Y[:7]), "validation_freq": [1, 4]},
        {"epochs": 2, "validation_data": (X, Y), "validation_steps": 1, "validation_batch_size": 4},
        {"epochs": 5, "initial_epoch": 3},
        {"epochs": 3, "steps_per_epoch": 2},
        {"epochs": 2, "steps_per_epoch": 1},
        {"epochs": 0},
    ],
)
def test_fit(options):
    same_events(
        lambda package, model, callbacks: model.fit(
            X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks, **options
        )
    )


@pytest.mark.parametrize("steps", [2, 3, 7])
def test_steps_per_execution(steps):
    def run(package, model, callbacks):
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
        model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=callbacks)

    same_events(run, steps_per_execution=steps)


def test_evaluate_and_predict():
    def run(package, model, callbacks):
        model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=callbacks)
        model.predict(X, batch_size=8, verbose=0, callbacks=callbacks)
        model.predict(X[:1], verbose=0, callbacks=callbacks)

    same_events(run)


@pytest.mark.parametrize("attribute", ["stop_training", "stop_evaluating", "stop_predicting"])
def test_stopping(attribute):
    def run(package, model, callbacks):
        class Stop(package.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                setattr(model, attribute, batch == 1)

            on_test_batch_end = on_predict_batch_end = on_train_batch_end

        callbacks = [*callbacks, Stop()]
        model.fit(
            X,
            Y,
            batch_size=4,
            epochs=2,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
            validation_split=0.5,
        )
        model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=callbacks)
        model.predict(X, batch_size=4, verbose=0, callbacks=callbacks)

    same_events(run)


def data_of(package, kind):
    if kind == "PyDataset":

        class Batches(package.utils.PyDataset):
            num_batches = 3

            def __getitem__(self, index):
                return X[index * 4 : index * 4 + 4], Y[index * 4 : index * 4 + 4]

        return Batches()
    if kind == "generator":
        return ((X[i : i + 4], Y[i : i + 4]) for i in range(0, 20, 4))
    if kind == "dataset":
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((X, Y)).batch(5)
    if kind == "loader":
        torch = pytest.importorskip("torch")
        rows = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
        return torch.utils.data.DataLoader(rows, batch_size=5)
    raise AssertionError


@pytest.mark.parametrize("kind", ["PyDataset", "dataset", "loader"])
@pytest.mark.parametrize("options", [{}, {"epochs": 3}, {"epochs": 3, "steps_per_epoch": 2}])
def test_batches_made_elsewhere(kind, options):
    def run(package, model, callbacks):
        data = data_of(package, kind)
        model.fit(data, shuffle=False, verbose=0, callbacks=callbacks, **options)
        model.evaluate(data, verbose=0, callbacks=callbacks)
        model.predict(data, verbose=0, callbacks=callbacks)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same_events(run)


def test_generator():
    def run(package, model, callbacks):
        options = {"shuffle": False, "verbose": 0, "callbacks": callbacks}
        model.fit(data_of(package, "generator"), steps_per_epoch=2, epochs=2, **options)
        # Once only: Keras validates on the first two batches for ever.
        held_out = data_of(package, "generator")
        model.fit(X, Y, validation_data=held_out, validation_steps=3, **options)

    same_events(run)


def test_weights_of_samples_and_classes():
    labels = (Y[:, 0] > 0.5).astype("int32")

    def run(package, model, callbacks):
        options = {"shuffle": False, "verbose": 0, "callbacks": callbacks, "batch_size": 8}
        model.fit(X, labels, class_weight={0: 0.5, 1: 3.0}, **options)
        model.fit(X, labels, sample_weight=Y[:, 0], validation_data=(X, Y, Y[:, 0]), **options)

    same_events(run)


@pytest.mark.parametrize(
    "make",
    [
        lambda cb: [cb.EarlyStopping("loss", min_delta=0.02, restore_best_weights=True)],
        lambda cb: [cb.EarlyStopping("val_mae", patience=1, mode="max")],
        lambda cb: [cb.ReduceLROnPlateau("mae", factor=0.5, patience=1, min_delta=0.05)],
        lambda cb: [cb.LearningRateScheduler(lambda epoch, lr: lr / 2)],
    ],
)
def test_callbacks_that_change_training(make):
    found = []
    for package in (minikeras, keras):
        model = model_of(package)
        history = model.fit(
            X,
            Y,
            batch_size=8,
            epochs=8,
            shuffle=False,
            verbose=0,
            validation_split=0.3,
            callbacks=make(package.callbacks),
        )
        found.append((history.history, model.get_weights()))
    ours, theirs = found
    assert set(ours[0]) == set(theirs[0])
    for name, values in theirs[0].items():
        np.testing.assert_allclose(ours[0][name], values, rtol=1e-5, err_msg=name)
    for mine, its in zip(ours[1], theirs[1]):
        np.testing.assert_allclose(mine, its, rtol=1e-5)


@pytest.mark.parametrize("verbose", ["auto", 1, 2, 0])
def test_what_is_shown(verbose):
    def shown(package):
        out = io.StringIO()
        model = model_of(package)
        with contextlib.redirect_stdout(out):
            model.fit(
                X, Y, batch_size=8, epochs=2, shuffle=False, verbose=verbose, validation_split=0.3
            )
            model.evaluate(X, Y, verbose=verbose)
            model.predict(X, batch_size=8, verbose=verbose)
        lines = re.sub(r"\x1b\[\d+m|\x08", "", out.getvalue()).split("\n")
        lines = [line.split("\r")[-1].rstrip() for line in lines]
        return [re.sub(r"\d+(ms|us|s)\b", "TIME", line) for line in lines]

    assert shown(minikeras) == shown(keras)


def test_swapped_averages():
    def weights_seen(package):
        seen = []
        model = package.Sequential([package.Input((3,)), package.layers.Dense(1)])
        model.set_weights([np.ones((3, 1), "float32"), np.zeros(1, "float32")])
        model.compile(package.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
        show = package.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0].copy()),
            on_test_begin=lambda logs: seen.append(model.get_weights()[0].copy()),
        )
        model.fit(
            X,
            Y,
            epochs=3,
            shuffle=False,
            verbose=0,
            validation_split=0.3,
            callbacks=[package.callbacks.SwapEMAWeights(swap_on_epoch=True), show],
        )
        return [*seen, model.get_weights()[0]]

    for ours, theirs in zip(weights_seen(minikeras), weights_seen(keras)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
