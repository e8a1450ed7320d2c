"""Who is called, when, and with what."""

import numpy as np
import pytest

import minikeras
from minikeras import callbacks as callbacks_module
from minikeras.callbacks import Callback, CallbackList, History, LambdaCallback

EVENTS = [name for name in dir(Callback) if name.startswith("on_")]


class Recorder(Callback):
    def __init__(self):
        super().__init__()
        self.events = []


def _record(event):
    def record(self, *args, logs=None):
        *where, last = args if args and isinstance(args[-1], dict) else (*args, logs)
        self.events.append((event, *where, sorted(last or {})))

    return record


for _event in EVENTS:
    if _event not in ("on_batch_begin", "on_batch_end"):
        setattr(Recorder, _event, _record(_event))


def test_the_public_names():
    assert sorted(callbacks_module.__all__) == sorted(
        "BackupAndRestore CSVLogger Callback CallbackList EarlyStopping History LambdaCallback "
        "LearningRateScheduler ModelCheckpoint MonitorCallback OrbaxCheckpoint ProgbarLogger "
        "ReduceLROnPlateau RemoteMonitor SwapEMAWeights TensorBoard TerminateOnNaN".split()
    )


def test_order_of_events(scripted):
    recorder = Recorder()
    scripted(loss=[1.0]).fit([recorder])
    assert recorder.events == [
        ("on_train_begin", []),
        ("on_epoch_begin", 0, []),
        ("on_train_batch_begin", 0, []),
        ("on_train_batch_end", 0, ["loss"]),
        ("on_train_batch_begin", 1, []),
        ("on_train_batch_end", 1, ["loss"]),
        ("on_epoch_end", 0, ["loss"]),
        ("on_train_end", ["loss"]),
    ]


def test_every_event_reaches_every_callback():
    first, second = Recorder(), Recorder()
    both = CallbackList([[first], second])
    for event in EVENTS:
        args = (3,) if "batch" in event or "epoch" in event else ()
        getattr(both, event)(*args, {"b": 1, "a": np.float32(2)})
    assert first.events == second.events
    assert {entry[0] for entry in first.events} == set(EVENTS) - {"on_batch_begin", "on_batch_end"}
    assert all(entry[-1] == ["a", "b"] for entry in first.events)


def test_logs_are_sorted_plain_and_shared():
    seen = []
    CallbackList(
        [
            LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=1)),
            LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs)),
        ],
        model=type("Model", (), {})(),
    ).on_epoch_end(0, {"loss": np.float32(1), "acc": np.array(2.0), "parts": {"z": 3}, "v": [1, 2]})
    assert seen == [{"acc": 2.0, "loss": 1.0, "z": 3.0, "v": [1, 2], "extra": 1}]
    assert list(seen[0]) == ["acc", "loss", "z", "v", "extra"]
    assert all(type(seen[0][name]) is float for name in ("acc", "loss", "z"))


def test_outputs_of_one_value_stay_arrays():
    seen = []
    show = LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append(logs["outputs"]))
    CallbackList([show]).on_predict_batch_end(0, {"outputs": np.ones((1, 1))})
    assert seen[0].shape == (1, 1)
    CallbackList([show]).on_predict_batch_end(0, {"outputs": np.ones(1)})
    assert type(seen[1]) is float  # as metrics of one class are numbers


def test_history_and_progress_come_last():
    names = [type(cb).__name__ for cb in CallbackList(Recorder(), True, True).callbacks]
    assert names == ["Recorder", "History", "ProgbarLogger"]
    history = History()
    assert CallbackList([history], add_history=True).callbacks == [history]


def test_params_and_model():
    model = type("Model", (), {})()
    recorder = Recorder()
    callbacks = CallbackList(
        [recorder], add_history=True, model=model, epochs=3, steps=4, verbose=0
    )
    assert recorder.params == {"epochs": 3, "steps": 4, "verbose": 0} == callbacks.params
    assert recorder.model is callbacks.model is model
    assert isinstance(model.history, History)


@pytest.mark.parametrize("bad", [Callback, callbacks_module.EarlyStopping, 3, "early_stopping"])
def test_what_is_no_callback(bad):
    with pytest.raises(TypeError, match="`callbacks` must be"):
        CallbackList([bad])


class TestBatchHooks:
    def test_nobody_cares(self, tmp_path):
        quiet = [
            Callback(),
            callbacks_module.EarlyStopping(),
            callbacks_module.ReduceLROnPlateau(),
            callbacks_module.ModelCheckpoint("x.keras"),
            callbacks_module.BackupAndRestore(tmp_path),
            callbacks_module.TensorBoard(tmp_path),
            callbacks_module.CSVLogger(tmp_path / "log.csv"),
            LambdaCallback(on_epoch_end=print),
        ]
        callbacks = CallbackList(quiet, add_history=True)
        for phase in ("train", "test", "predict"):
            assert callbacks.batch_hooks(phase) == (None, None)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: callbacks_module.ModelCheckpoint("x.keras", save_freq=10),
            lambda: callbacks_module.TensorBoard(update_freq=10),
            lambda: callbacks_module.TerminateOnNaN(),
            lambda: LambdaCallback(on_train_batch_end=print),
            lambda: LambdaCallback(on_batch_end=print),
            lambda: type("New", (Callback,), {"on_batch_end": lambda self, batch, logs=None: 0})(),
            lambda: type("Sub", (callbacks_module.ModelCheckpoint,), {"on_train_batch_end": print})(
                "x.keras"
            ),
        ],
    )
    def test_somebody_does(self, make):
        assert CallbackList([make()]).batch_hooks("train")[1] is not None

    def test_older_names_and_functions(self):
        seen = []
        cb = LambdaCallback(
            on_batch_begin=lambda batch, logs: seen.append(("begin", batch, logs)),
            on_batch_end=lambda batch, logs: seen.append(("end", batch, logs)),
        )
        begin, end = CallbackList([cb]).batch_hooks("train")
        begin(2)
        end(2, lambda: {"loss": np.float32(1)})
        assert seen == [("begin", 2, {}), ("end", 2, {"loss": 1.0})]


class TestHistory:
    def test_epochs(self, scripted):
        history = scripted(loss=[3.0, 2.0], val_loss=[1.0, 0.5]).fit([])
        assert history.history == {"loss": [3.0, 2.0], "val_loss": [1.0, 0.5]}
        assert history.epoch == [0, 1]

    @pytest.mark.parametrize(
        "compiled, asked",
        [
            ("accuracy", "acc"),
            ("acc", "accuracy"),
            ("val_accuracy", "val_acc"),
            ("mean_absolute_error", "mae"),
            ("val_mae", "val_mean_absolute_error"),
            ("mse", "MSE"),
            ("out_accuracy", "out_acc"),
            ("val_out_mae", "val_out_mean_absolute_error"),
            ("learning_rate", "lr"),
        ],
    )
    def test_either_spelling(self, scripted, compiled, asked):
        history = scripted(**{compiled: [0.5]}).fit([]).history
        assert history[asked] == history[compiled] == history.get(asked) == [0.5]
        assert list(history) == [compiled]

    def test_no_such_metric(self, scripted):
        history = scripted(loss=[0.5], accuracy=[1.0]).fit([]).history
        for name in ("val_acc", "acc_out", "precision", "sparse_accuracy", 3):
            assert name not in history and history.get(name) is None
            with pytest.raises(KeyError):
                history[name]


class TestLambdaCallback:
    def test_other_attributes(self):
        assert LambdaCallback(extra=5).extra == 5

    def test_functions_that_are_none(self):
        LambdaCallback(on_epoch_end=None, on_test_end=None).on_test_end({})


def test_terminate_on_nan(scripted, capsys):
    for bad in (float("nan"), float("inf"), -float("inf")):
        model = scripted(loss=[1.0, bad, 1.0])
        history = model.fit([callbacks_module.TerminateOnNaN()])
        assert len(history.epoch) == 2
        assert "Batch 0: Invalid loss, terminating training" in capsys.readouterr().out
        with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 0"):
            model.fit([callbacks_module.TerminateOnNaN(raise_error=True)])


def test_orbax_says_what_to_use():
    with pytest.raises(NotImplementedError, match="needs JAX.*ModelCheckpoint"):
        minikeras.callbacks.OrbaxCheckpoint("dir")
