"""Callbacks that watch a metric."""

import math
import os

import numpy as np
import pytest

from minikeras.callbacks import (
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    MonitorCallback,
    ReduceLROnPlateau,
)
from minikeras.callbacks.callback import resolve_monitor_name

NAN = float("nan")


class TestMonitor:
    @pytest.mark.parametrize(
        "mode, monitor, better",
        [
            ("max", "val_mae", 2.0),
            ("min", "val_loss", 0.5),
            ("auto", "loss", 0.5),
            ("auto", "val_loss", 0.5),
            ("auto", "val_accuracy", 2.0),
            ("auto", "acc", 2.0),
            ("auto", "mean_absolute_error", 0.5),
        ],
    )
    def test_which_way_is_better(self, scripted, mode, monitor, better):
        callback = MonitorCallback(monitor, mode)
        callback.set_model(scripted())
        callback._set_monitor_op()
        assert callback._is_improvement(better, 1.0)
        assert not callback._is_improvement(1.0, 1.0)
        assert not callback._is_improvement(1 / better, 1.0)

    def test_metrics_in_containers(self, scripted):
        model = scripted()
        model.metrics = [type("CompileMetrics", (), {"metrics": model.metrics, "name": "c"})()]
        callback = MonitorCallback("val_accuracy")
        callback.set_model(model)
        callback._set_monitor_op()
        assert callback._is_improvement(2.0, 1.0)

    def test_unknown_direction(self, scripted):
        with pytest.raises(ValueError, match="monitor=val_custom.*mode='max'"):
            scripted(val_custom=[1.0]).fit([EarlyStopping("val_custom")])

    def test_unknown_mode(self):
        with pytest.warns(UserWarning, match="mode 'best' is unknown"):
            assert EarlyStopping(mode="best").mode == "auto"

    def test_min_delta(self):
        callback = MonitorCallback(mode="max", min_delta=0.5)
        callback._set_monitor_op()
        callback._set_monitor_op()
        assert callback._is_improvement(0.75, 0)
        assert callback._is_improvement(0.5, None)
        assert not callback._is_improvement(0.5, 0)
        callback = MonitorCallback(mode="min", min_delta=-0.5)
        callback._set_monitor_op()
        assert callback._is_improvement(0.4, 1.0) and not callback._is_improvement(0.6, 1.0)

    def test_anything_is_better_than_nan(self):
        callback = MonitorCallback(mode="min")
        callback._set_monitor_op()
        assert callback._is_improvement(1.0, NAN) and not callback._is_improvement(NAN, 1.0)

    def test_names(self):
        logs = {"loss": 1, "val_accuracy": 2, "out_mse": 3, "acc_2": 4}
        for asked, found in (
            ("val_acc", "val_accuracy"),
            ("out_mean_squared_error", "out_mse"),
            ("loss", "loss"),
            ("acc", "acc"),
            ("val_loss", "val_loss"),
        ):
            assert resolve_monitor_name(asked, logs) == found


class TestEarlyStopping:
    @pytest.mark.parametrize(
        "losses, kwargs, epochs",
        [
            ([3, 2, 1, 1, 1, 1], {}, 4),
            ([3, 2, 1, 1, 1, 1], {"patience": 2}, 5),
            ([3, 2, 1, 4, 0.5, 4, 4, 4], {"patience": 2}, 7),
            ([3, 2.9, 2.8, 2.7], {"min_delta": 0.15}, 2),
            ([1, 2, 3, 4], {"start_from_epoch": 2}, 4),
            ([1, 1, 1, 1, 1], {"baseline": 0.5, "patience": 3}, 3),
            ([1, 0.4, 1, 1, 1, 1, 1], {"baseline": 0.5, "patience": 3}, 5),
            ([1, NAN, 0.5, 0.25], {"patience": 2}, 4),
            ([NAN, 1, 0.5, 0.25], {"patience": 1}, 4),
            ([1, 2, 3, 4], {"mode": "max"}, 4),
        ],
    )
    def test_when_it_stops(self, scripted, losses, kwargs, epochs):
        history = scripted(val_loss=losses).fit([EarlyStopping(**kwargs)])
        assert len(history.epoch) == epochs

    @pytest.mark.parametrize(
        "losses, best",
        [([3, 1, 2, 2, 2], 2), ([1, 2, 2, 2], 1), ([3, 2, 1], 3)],
    )
    def test_best_weights_come_back(self, scripted, losses, best, capsys):
        model = scripted(val_loss=losses)
        callback = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
        model.fit([callback])
        assert model.get_weights()[0] == best and callback.best_epoch == best - 1
        out = capsys.readouterr().out
        assert f"Restoring model weights from the end of the best epoch: {best}." in out
        assert ("early stopping" in out) == (callback.stopped_epoch > 0)

    def test_it_may_be_used_again(self, scripted):
        callback = EarlyStopping()
        for _ in range(2):
            assert len(scripted(val_loss=[1, 2, 3]).fit([callback]).epoch) == 2

    def test_no_such_metric(self, scripted):
        with pytest.warns(UserWarning, match="`val_loss` which is not available.*: loss"):
            scripted(loss=[1.0]).fit([EarlyStopping()])

    def test_older_name(self, scripted):
        history = scripted(val_accuracy=[0.5, 0.4, 0.3]).fit([EarlyStopping("val_acc")])
        assert len(history.epoch) == 2


class TestModelCheckpoint:
    def files(self, path):
        return sorted(os.listdir(path))

    def test_names(self, scripted, tmp_path):
        path = tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}-{acc:.1f}.keras"
        scripted(val_loss=[1, 2], accuracy=[0.5, 0.25]).fit([ModelCheckpoint(path)])
        assert self.files(tmp_path / "new") == ["01-1.00-0.5.keras", "02-2.00-0.2.keras"]

    def test_best_only(self, scripted, tmp_path, capsys):
        path = str(tmp_path / "{epoch}.weights.h5")
        checkpoint = ModelCheckpoint(path, verbose=1, save_best_only=True, save_weights_only=True)
        scripted(val_loss=[2, 3, NAN, 1]).fit([checkpoint])
        assert self.files(tmp_path) == ["1.weights.h5", "4.weights.h5"]
        out = capsys.readouterr().out
        assert "\nEpoch 1: val_loss improved from None to 2.00000, saving model to" in out
        assert "\nEpoch 2: val_loss did not improve from 2.00000\n" in out
        assert "\nEpoch 4: finished saving model to" in out
        assert checkpoint.best == 1.0

    def test_threshold(self, scripted, tmp_path):
        path = tmp_path / "{epoch}.keras"
        scripted(acc=[0.5, 0.7, 0.9]).fit(
            [ModelCheckpoint(path, "accuracy", save_best_only=True, initial_value_threshold=0.6)]
        )
        assert self.files(tmp_path) == ["2.keras", "3.keras"]

    def test_every_so_many_batches(self, scripted, tmp_path):
        path = tmp_path / "{epoch}-{batch}.h5"
        scripted(loss=[1, 1, 1]).fit([ModelCheckpoint(path, save_freq=5)], batches=4)
        assert self.files(tmp_path) == ["2-1.h5", "3-2.h5"]

    def test_best_by_batches(self, scripted, tmp_path):
        checkpoint = ModelCheckpoint(
            tmp_path / "{epoch}-{batch}.h5", "loss", save_best_only=True, save_freq=2
        )
        scripted(loss=[2, 3, 1]).fit([checkpoint])
        assert self.files(tmp_path) == ["1-2.h5", "3-2.h5"]

    def test_no_such_metric(self, scripted, tmp_path):
        with pytest.warns(UserWarning, match="only with val_loss available"):
            scripted(loss=[1.0]).fit([ModelCheckpoint(tmp_path / "a.h5", save_best_only=True)])
        assert self.files(tmp_path) == ["a.h5"]
        with pytest.raises(KeyError, match="There is no .*val_loss.* among: loss, epoch"):
            scripted(loss=[1.0]).fit([ModelCheckpoint(tmp_path / "{val_loss}.h5")])

    def test_a_directory_is_in_the_way(self, scripted, tmp_path):
        (tmp_path / "a.h5").mkdir()
        with pytest.raises(OSError, match="non-directory filepath"):
            scripted(loss=[1.0]).fit([ModelCheckpoint(tmp_path / "a.h5")])

    @pytest.mark.parametrize(
        "kwargs",
        [
            {"filepath": "a.weights.h5x"},
            {"filepath": "a.keras", "save_weights_only": True},
            {"filepath": "a.h5", "save_freq": "batch"},
            {"filepath": "a.h5", "save_freq": 0},
            {"filepath": "a.h5", "save_freq": 2.5},
        ],
    )
    def test_bad_arguments(self, kwargs):
        with pytest.raises(ValueError, match="Received|expected"):
            ModelCheckpoint(**kwargs)


class TestLearningRate:
    def test_schedule(self, scripted, capsys):
        model = scripted(loss=[1, 1, 1])
        history = model.fit([LearningRateScheduler(lambda epoch, lr: lr / 2, verbose=1)])
        np.testing.assert_allclose(history.history["learning_rate"], [0.05, 0.025, 0.0125])
        np.testing.assert_allclose(history.history["lr"], history.history["learning_rate"])
        assert "\nEpoch 1: LearningRateScheduler setting learning rate to 0.05" in (
            capsys.readouterr().out
        )

    def test_schedule_of_the_epoch_alone(self, scripted):
        model = scripted(loss=[1, 1])
        model.fit([LearningRateScheduler(lambda epoch: 0.5**epoch)])
        assert model.optimizer.learning_rate == 0.5
        model.fit([LearningRateScheduler(math.exp)])  # a built-in

    def test_an_error_in_a_schedule_is_not_hidden(self, scripted):
        def schedule(epoch, lr):
            raise TypeError("inside")

        with pytest.raises(TypeError, match="inside"):
            scripted(loss=[1]).fit([LearningRateScheduler(schedule)])

    @pytest.mark.parametrize("value", [None, 1, "0.1", np.ones(2)])
    def test_a_schedule_returns_floats(self, scripted, value):
        with pytest.raises(ValueError, match="should be a float"):
            scripted(loss=[1]).fit([LearningRateScheduler(lambda epoch: value)])

    @pytest.mark.parametrize("value", [0.25, np.float32(0.25), np.array(0.25)])
    def test_floats_of_all_kinds(self, scripted, value):
        model = scripted(loss=[1])
        model.fit([LearningRateScheduler(lambda epoch: value)])
        assert model.optimizer.learning_rate == 0.25

    def test_no_learning_rate(self, scripted):
        model = scripted(loss=[1])
        del model.optimizer.learning_rate
        with pytest.raises(ValueError, match='"learning_rate" attribute'):
            model.fit([LearningRateScheduler(lambda epoch: 0.1)])

    @pytest.mark.parametrize(
        "losses, kwargs, rates",
        [
            ([1, 1, 1, 1], {"patience": 1}, [0.1, 0.1, 0.01, 0.001]),
            ([1, 1, 1, 1], {"patience": 2}, [0.1, 0.1, 0.1, 0.01]),
            ([1, 1, 1, 1, 1], {"patience": 1, "cooldown": 2}, [0.1, 0.1, 0.01, 0.01, 0.001]),
            ([1, 1, 1, 1], {"patience": 1, "min_lr": 0.05}, [0.1, 0.1, 0.05, 0.05]),
            ([1, 0.9, 0.8, 0.7], {"patience": 1, "min_delta": 0.15}, [0.1, 0.1, 0.01, 0.01]),
            ([1, 2, 3], {"patience": 1, "mode": "max"}, [0.1, 0.1, 0.1]),
            ([1, 1, 1], {"patience": 1, "factor": 0.5}, [0.1, 0.1, 0.05]),
        ],
    )
    def test_plateau(self, scripted, losses, kwargs, rates):
        history = scripted(val_loss=losses).fit([ReduceLROnPlateau(**kwargs)])
        np.testing.assert_allclose(history.history["learning_rate"], rates, rtol=1e-6)

    def test_plateau_speaks(self, scripted, capsys):
        scripted(val_loss=[1, 1]).fit([ReduceLROnPlateau(patience=1, verbose=1)])
        assert "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.01" in (
            capsys.readouterr().out
        )

    def test_plateau_without_metric(self, scripted):
        with pytest.warns(UserWarning, match="`val_loss` which is not available"):
            scripted(loss=[1]).fit([ReduceLROnPlateau()])

    def test_plateau_arguments(self):
        with pytest.raises(ValueError, match="factor >= 1.0"):
            ReduceLROnPlateau(factor=1.0)
        with pytest.raises(TypeError, match="unexpected arguments: patients"):
            ReduceLROnPlateau(patients=3)
        with pytest.warns(DeprecationWarning, match="min_delta"):
            assert ReduceLROnPlateau(epsilon=0.5).min_delta == 0.5

    def test_several_optimizers(self, scripted):
        model = scripted(val_loss=[1, 1])
        first, second = type(model.optimizer)(0.1), type(model.optimizer)(0.2)
        first.name, second.name = "a", "b"
        model.optimizer.optimizers = [first, second]
        history = model.fit([ReduceLROnPlateau(patience=1)]).history
        np.testing.assert_allclose(history["learning_rate_b"], [0.2, 0.2])
        np.testing.assert_allclose([first.learning_rate, second.learning_rate], [0.01, 0.02])
        model.fit([LearningRateScheduler(lambda epoch, lr: lr * 2)], epochs=1)
        np.testing.assert_allclose([first.learning_rate, second.learning_rate], [0.02, 0.04])
