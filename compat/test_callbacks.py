"""Callbacks: against those of Keras, on one scripted training for both."""

import contextlib
import io
import json
import os
import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minikeras

LOSSES = st.lists(st.sampled_from([3.0, 2.0, 1.95, 1.5, 1.0, 0.5, 0.25]), min_size=1, max_size=10)


class Optimizer:
    name = "sgd"
    built = True

    def __init__(self):
        self.learning_rate = np.float32(0.1)
        self.iterations = 0


class ScriptedModel:
    """Its epochs have the logs that it is given; its weights say which epoch they are from."""

    built = True
    metrics = []
    stop_training = False
    _initial_epoch = None

    def __init__(self, logs):
        self.logs, self.optimizer = logs, Optimizer()
        self.weights, self.saved = [np.zeros(1)], []

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        self.weights = weights

    def save(self, filepath, overwrite=True):
        self.saved.append((os.path.basename(filepath), self.weights[0].item()))
        with open(filepath, "w") as file:
            json.dump(self.weights[0].item(), file)

    save_weights = save

    def load_weights(self, path):
        with open(path) as file:
            self.weights = [np.array([json.load(file)])]

    def fit(self, package, callbacks, batches=3):
        epochs = len(self.logs)
        callbacks = package.callbacks.CallbackList(
            callbacks, add_history=True, model=self, verbose=0, epochs=epochs, steps=batches
        )
        callbacks.on_train_begin()
        for epoch in range(self._initial_epoch or 0, epochs):
            logs = dict(self.logs[epoch])
            callbacks.on_epoch_begin(epoch)
            for batch in range(batches):
                callbacks.on_train_batch_begin(batch)
                self.optimizer.iterations += 1
                self.weights = [np.array([epoch + batch / 10])]
                callbacks.on_train_batch_end(batch, logs)
                if self.stop_training:
                    break
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        callbacks.on_train_end(logs)
        return self.history


def outcome(package, make, logs):
    """All that a training leaves: history, weights, rate, files, what was said and warned of."""
    model, out = ScriptedModel(logs), io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(out):
        warnings.simplefilter("always")
        try:
            callbacks = make(package.callbacks)
            history = model.fit(package, callbacks)
        except Exception as error:
            return type(error)
    state = {
        name: value
        for callback in callbacks
        for name, value in vars(callback).items()
        if name in ("best", "wait", "best_epoch", "stopped_epoch", "cooldown_counter")
    }
    return {
        "history": dict(history.history),
        "epochs": history.epoch,
        "weights": model.weights,
        "rate": float(model.optimizer.learning_rate),
        "saved": model.saved,
        "said": out.getvalue(),
        "warned": len(caught),
        "state": state,
    }


def same_outcome(make, logs):
    assert outcome(minikeras, make, logs) == outcome(keras, make, logs)


def of_losses(losses, name="val_loss"):
    return [{name: loss} for loss in losses]


@given(
    losses=LOSSES,
    options=st.fixed_dictionaries(
        {},
        optional={
            "min_delta": st.sampled_from([0, 0.1, 0.6, -0.6]),
            "patience": st.integers(0, 3),
            "verbose": st.integers(0, 1),
            "mode": st.sampled_from(["auto", "min", "max", "odd"]),
            "baseline": st.sampled_from([None, 0.4, 1.2, 2.5]),
            "restore_best_weights": st.booleans(),
            "start_from_epoch": st.integers(0, 3),
            "monitor": st.sampled_from(["val_loss", "loss", "val_other"]),
        },
    ),
)
def test_early_stopping(losses, options):
    same_outcome(lambda cb: [cb.EarlyStopping(**options)], of_losses(losses))


@given(
    losses=LOSSES,
    options=st.fixed_dictionaries(
        {"patience": st.integers(0, 3)},
        optional={
            "factor": st.sampled_from([0.1, 0.5, 1.0]),
            "verbose": st.integers(0, 1),
            "mode": st.sampled_from(["auto", "min", "max"]),
            "min_delta": st.sampled_from([0, 0.1, 0.6]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0.0, 0.02, 0.1, 0.2]),
            "monitor": st.sampled_from(["val_loss", "loss"]),
        },
    ),
)
def test_reduce_lr_on_plateau(losses, options):
    same_outcome(lambda cb: [cb.ReduceLROnPlateau(**options)], of_losses(losses))


@settings(deadline=None)
@given(
    losses=LOSSES,
    options=st.fixed_dictionaries(
        {},
        optional={
            "verbose": st.integers(0, 1),
            "save_best_only": st.booleans(),
            "mode": st.sampled_from(["auto", "min", "max"]),
            "save_freq": st.sampled_from(["epoch", 1, 2, 4, 7]),
            "initial_value_threshold": st.sampled_from([None, 1.0]),
        },
    ),
    weights_only=st.booleans(),
    name=st.sampled_from(["model", "{epoch:03d}", "{epoch}-{val_loss:.2f}", "{missing}"]),
)
def test_model_checkpoint(tmp_path_factory, losses, options, weights_only, name):
    # By batches, Keras knows which way is better only from the second epoch on: an error there.
    if options.get("save_best_only"):
        options.pop("save_freq", None)
    path = str(tmp_path_factory.mktemp("saved"))
    name = os.path.join(path, name + (".weights.h5" if weights_only else ".keras"))
    same_outcome(
        lambda cb: [cb.ModelCheckpoint(name, save_weights_only=weights_only, **options)],
        of_losses(losses),
    )


@given(
    losses=LOSSES,
    rate=st.sampled_from(
        [lambda epoch: 0.1 / (epoch + 1), lambda epoch, lr: lr * 0.5, lambda e: 1]
    ),
    verbose=st.integers(0, 1),
)
def test_learning_rate_scheduler(losses, rate, verbose):
    same_outcome(lambda cb: [cb.LearningRateScheduler(rate, verbose)], of_losses(losses))


@given(losses=LOSSES, monitor=st.sampled_from(["val_loss", "loss"]))
def test_several_at_once(losses, monitor):
    same_outcome(
        lambda cb: [
            cb.LearningRateScheduler(lambda epoch, lr: lr * 0.9),
            cb.ReduceLROnPlateau(monitor, patience=1, verbose=1),
            cb.EarlyStopping(monitor, patience=2, restore_best_weights=True, verbose=1),
            cb.TerminateOnNaN(),
        ],
        [{"loss": loss, "val_loss": 3.0 - loss} for loss in losses],
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.0])
@pytest.mark.parametrize("raise_error", [False, True])
def test_terminate_on_nan(bad, raise_error):
    logs = of_losses([1.0, 2.0, bad, 3.0], "loss")
    ours, theirs = (
        outcome(package, lambda cb: [cb.TerminateOnNaN(raise_error)], logs)
        for package in (minikeras, keras)
    )
    assert repr(ours) == repr(theirs)  # as text: NaN is not equal to itself


@settings(deadline=None)
@given(
    logs=st.lists(
        st.dictionaries(
            st.sampled_from(["loss", "accuracy", "val_loss", "val_accuracy", "text"]),
            st.sampled_from([0.5, 1, "a;b", np.float32(0.25), np.array(3.0), [1, 2]]),
        ),
        min_size=1,
        max_size=4,
    ),
    separator=st.sampled_from([",", ";", "\t"]),
    append=st.booleans(),
)
def test_csv_logger(tmp_path_factory, logs, separator, append):
    written = []
    for package in (minikeras, keras):
        path = tmp_path_factory.mktemp("log") / "log.csv"
        for _ in range(2):
            logger = package.callbacks.CSVLogger(str(path), separator, append)
            ScriptedModel(logs).fit(package, [logger])
        written.append(path.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("save_freq", ["epoch", 2, 4, 7])
@pytest.mark.parametrize("double", [False, True])
def test_backup_and_restore(tmp_path, save_freq, double):
    found = []
    for package in (minikeras, keras):
        path = tmp_path / package.__name__

        class Crash(package.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 3:
                    raise RuntimeError

        def backup(path=path, package=package):
            return package.callbacks.BackupAndRestore(str(path), save_freq, double)

        model = ScriptedModel(of_losses([1.0] * 5))
        with pytest.raises(RuntimeError):
            model.fit(package, [backup(), Crash()])
        left = sorted(os.listdir(path))
        metadata = json.loads((path / "training_metadata.json").read_text())
        again = ScriptedModel(of_losses([1.0] * 5))
        history = again.fit(package, [backup()])
        found.append((model.saved, left, metadata, again.saved, history.epoch, path.exists()))
    assert found[0] == found[1]


def test_files_of_backups_are_interchangeable(tmp_path):
    for first, second in ((minikeras, keras), (keras, minikeras)):
        path = tmp_path / first.__name__
        stop = first.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        kept = first.callbacks.BackupAndRestore(str(path), delete_checkpoint=False)
        ScriptedModel(of_losses([1.0] * 3, "loss")).fit(first, [stop, kept])
        model = ScriptedModel(of_losses([1.0] * 5, "loss"))
        stop = second.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        history = model.fit(second, [stop, second.callbacks.BackupAndRestore(str(path))])
        assert history.epoch == [3, 4]


def test_progress_bar():
    """The text is Keras's; what only redraws a terminal (colours, backspaces) is left out."""

    def shown(package, verbose, steps):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            model = ScriptedModel([{}])
            callbacks = package.callbacks.CallbackList(
                add_progbar=True, model=model, verbose=verbose, epochs=2, steps=steps
            )
            callbacks.on_train_begin()
            for epoch in range(2):
                callbacks.on_epoch_begin(epoch)
                for batch in range(12):
                    callbacks.on_train_batch_begin(batch)
                    callbacks.on_train_batch_end(batch, {"loss": 1e-5, "accuracy": 0.5})
                callbacks.on_epoch_end(
                    epoch, {"loss": -2.0, "accuracy": 0.25, "val_loss": np.float32(1e-4)}
                )
            callbacks.on_train_end()
        return [of_terminal(line) for line in out.getvalue().split("\n")]

    for verbose in ("auto", 1, 2):
        for steps in (12, None):
            ours, theirs = shown(minikeras, verbose, steps), shown(keras, verbose, steps)
            if verbose == 2:  # Keras takes negative numbers for small ones there
                theirs = [line.replace("-2.0000e+00", "-2.0000") for line in theirs]
            assert ours == theirs


def of_terminal(line):
    import re

    line = re.sub(r"\x1b\[\d+m|\x08", "", line).split("\r")[-1].rstrip()
    return re.sub(r"\d+(ms|us|s)", "TIME", line)
