"""Callbacks and data in real training."""

import numpy as np
import pytest

import minikeras
from minikeras import callbacks

X = np.random.default_rng(0).random((50, 3), dtype="float32")
Y = X.sum(1, keepdims=True)


def model_of(seed=1):
    minikeras.utils.set_random_seed(seed)
    model = minikeras.Sequential(
        [
            minikeras.Input((3,)),
            minikeras.layers.Dense(4, "relu"),
            minikeras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["accuracy", "mean_absolute_error"])
    return model


class Crash(callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_as_a_whole_one(tmp_path):
    def run(folder, crash_at):
        model = model_of()
        options = {"epochs": 6, "batch_size": 8, "verbose": 0, "validation_split": 0.2}

        def called():
            return [
                callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=1.0),
                callbacks.EarlyStopping(patience=4, min_delta=0.5, restore_best_weights=True),
                callbacks.BackupAndRestore(tmp_path / folder),
            ]

        if crash_at is not None:
            with pytest.raises(KeyboardInterrupt):
                model.fit(X, Y, callbacks=[*called(), Crash(crash_at)], **options)
            model = model_of(seed=2)
        history = model.fit(X, Y, callbacks=called(), **options)
        return model.get_weights(), history.history["loss"][-1], history.epoch[-1]

    whole, broken = run("whole", None), run("broken", 3)
    assert whole[1:] == broken[1:]
    for one, other in zip(whole[0], broken[0]):
        np.testing.assert_array_equal(one, other)


def test_interrupting_leaves_a_usable_model():
    model = model_of()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[Crash(1)])
    assert model.history.epoch == [0]
    assert model.predict(X, verbose=0).shape == (50, 1)
    assert model.fit(X, Y, verbose=0).epoch == [0]


def test_best_model_is_kept(tmp_path):
    model = model_of()
    path = tmp_path / "best.h5"
    checkpoint = callbacks.ModelCheckpoint(path, "val_mae", save_best_only=True)
    history = model.fit(
        X, Y, epochs=5, verbose=0, validation_split=0.2, callbacks=[checkpoint]
    ).history
    assert checkpoint.best == min(history["val_mae"]) == min(history["val_mean_absolute_error"])
    loaded = minikeras.models.load_model(path)
    scores = loaded.evaluate(X[40:], Y[40:], verbose=0, return_dict=True)
    assert scores["mean_absolute_error"] == pytest.approx(checkpoint.best, rel=1e-6)


def test_a_seed_repeats_a_run():
    runs = [model_of().fit(X, Y, epochs=3, verbose=0).history for _ in range(2)]
    assert runs[0] == runs[1] != model_of(seed=5).fit(X, Y, epochs=3, verbose=0).history


def test_an_exhausted_generator_ends_training():
    batches = ((X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10))
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model_of().fit(batches, epochs=3, verbose=0)
    assert history.epoch == [0]
    with pytest.raises(ValueError, match="hold no batch"):
        model_of().fit(batches, verbose=0)


@pytest.mark.parametrize("kind", ["list", "frame", "sparse", "iterable", "float64"])
def test_kinds_of_data_train_alike(kind):
    expected = model_of().fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
    if kind == "list":
        data = (X.tolist(), Y.tolist())
    elif kind == "frame":
        pandas = pytest.importorskip("pandas")
        data = (pandas.DataFrame(X), pandas.Series(Y[:, 0]))
    elif kind == "sparse":
        data = (pytest.importorskip("scipy.sparse").csr_matrix(X), Y)
    elif kind == "float64":
        data = (X.astype("float64"), Y.astype("float64"))
    else:

        class Loader:
            def __iter__(self):
                return iter([(X[:32], Y[:32]), (X[32:], Y[32:])])

        data = (Loader(),)
    found = model_of().fit(*data, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboard's own imports
def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True, update_freq=1)
    model = model_of()
    history = model.fit(X, Y, epochs=2, verbose=0, validation_split=0.2, callbacks=[board])
    found = EventAccumulator(str(tmp_path / "train"))
    found.Reload()
    tags = set(found.Tags()["tensors"])
    assert {"keras", "epoch_loss", "epoch_learning_rate", "batch_loss"} <= tags
    assert {f"{one.path}/histogram" for one in model.weights} <= tags
    losses = [event.tensor_proto.float_val[0] for event in found.Tensors("epoch_loss")]
    assert losses == pytest.approx(history.history["loss"])
    assert len(found.Tensors("batch_loss")) == 4


def test_custom_callbacks_find_what_they_need():
    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert self.params["epochs"] == 2 and self.params["steps"] == 2
            assert float(self.model.optimizer.learning_rate) > 0
            self.model.stop_training = True

    assert model_of().fit(X, Y, epochs=2, verbose=0, callbacks=Look()).epoch == [0]
