"""Callbacks that write: logs, backups, messages to servers, averaged weights."""

import csv
import glob
import http.server
import json
import os
import sys
import threading
import types
import urllib.parse

import numpy as np
import pytest

from minikeras.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    ModelCheckpoint,
    ReduceLROnPlateau,
    RemoteMonitor,
    SwapEMAWeights,
    TensorBoard,
)


class TestCSVLogger:
    def lines(self, path):
        return path.read_bytes().decode().split("\r\n")

    def test_lines(self, scripted, tmp_path):
        path = tmp_path / "log.csv"
        model = scripted(loss=[2.0, 1.0], val_loss=[0.5])
        model.fit([CSVLogger(path)])
        assert self.lines(path) == ["epoch,loss,val_loss", "0,2.0,0.5", "1,1.0,NA", ""]
        model.fit([CSVLogger(path)])
        assert len(self.lines(path)) == 4
        model.fit([CSVLogger(path, append=True)])
        assert self.lines(path)[3:] == ["0,2.0,0.5", "1,1.0,NA", ""]

    def test_validation_that_comes_later(self, scripted, tmp_path):
        path = tmp_path / "log.csv"
        logger = CSVLogger(path, separator=";")

        class Late(Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 1:
                    logs["val_loss"] = 3.0

        scripted(loss=[2.0, 1.0]).fit([Late(), logger])
        assert self.lines(path) == ["epoch;loss;val_loss", "0;2.0;NA", "1;1.0;3.0", ""]

    def test_appending_to_a_new_file(self, scripted, tmp_path):
        path = tmp_path / "log.csv"
        logger = CSVLogger(path, append=True)
        for _ in range(2):
            scripted(loss=[2.0]).fit([logger])
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["loss"] for row in rows] == ["2.0", "2.0"]

    def test_several_values(self, scripted, tmp_path):
        path = tmp_path / "log.csv"
        scripted(m=[np.array([1, 2])], s=["text"], z=[np.array(3)]).fit([CSVLogger(path)])
        assert next(csv.reader([self.lines(path)[1]]))[:4] == ["0", '"[1, 2]"', "text", "3.0"]


class Crash(Callback):
    """Ends training as a crash would, once."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            self.at = None, None
            raise RuntimeError("crash")


class TestBackupAndRestore:
    def test_goes_on_where_it_stopped(self, scripted, tmp_path):
        path = tmp_path / "backup"
        model = scripted(loss=[1.0] * 5)
        crash = Crash(3, 0)
        with pytest.raises(RuntimeError):
            model.fit([BackupAndRestore(path), crash])
        assert json.loads((path / "training_metadata.json").read_text())["epoch"] == 3
        other = scripted(loss=[1.0] * 5)
        history = other.fit([BackupAndRestore(path), crash])
        assert history.epoch == [3, 4] and other.get_weights()[0] == 5
        assert not path.exists()
        assert len(other.fit([]).epoch) == 5

    def test_what_callbacks_know_comes_back(self, scripted, tmp_path):
        losses = [3, 1, 2, 2, 2, 2, 2, 2]

        def callbacks(folder):
            return [
                BackupAndRestore(tmp_path / folder),
                EarlyStopping(patience=4, restore_best_weights=True),
                ReduceLROnPlateau(patience=2),
                ModelCheckpoint(tmp_path / folder / "best.h5", save_best_only=True),
            ]

        whole = scripted(val_loss=losses)
        whole_callbacks = callbacks("whole")
        whole.fit(whole_callbacks)

        broken = scripted(val_loss=losses)
        crash = Crash(3, 1)
        with pytest.raises(RuntimeError):
            broken.fit([*callbacks("broken"), crash])
        again = scripted(val_loss=losses)
        again.optimizer = broken.optimizer  # its state would be in the file of weights
        again_callbacks = callbacks("broken")
        history = again.fit([*again_callbacks, crash])
        assert history.epoch == [3, 4, 5]
        assert again.saved == [str(tmp_path / "broken" / "latest.weights.h5")] * 3
        assert again.get_weights() == whole.get_weights() == [np.float32([2.0])]
        assert again.optimizer.learning_rate == whole.optimizer.learning_rate
        for one, other in zip(whole_callbacks[1:], again_callbacks[1:]):
            assert one.best == other.best
        assert whole_callbacks[1].stopped_epoch == again_callbacks[1].stopped_epoch == 5

    def test_every_so_many_batches(self, scripted, tmp_path):
        backup = BackupAndRestore(tmp_path / "b", save_freq=3, delete_checkpoint=False)
        model = scripted(loss=[1.0] * 2)
        model.fit([backup])
        metadata = json.loads((tmp_path / "b" / "training_metadata.json").read_text())
        assert (metadata["epoch"], metadata["batch"]) == (1, 0) and len(model.saved) == 1

    def test_the_backup_before_the_last(self, scripted, tmp_path):
        path = tmp_path / "b"
        with pytest.raises(RuntimeError):
            scripted(loss=[1.0] * 4).fit(
                [BackupAndRestore(path, double_checkpoint=True), Crash(3, 0)]
            )
        (path / "latest.weights.h5").write_text("damaged")
        history = scripted(loss=[1.0] * 4).fit([BackupAndRestore(path, double_checkpoint=True)])
        assert history.epoch == [2, 3]

    def test_a_damaged_backup_without_another(self, scripted, tmp_path):
        (tmp_path / "latest.weights.h5").write_text("damaged")
        with pytest.raises(ValueError):
            scripted(loss=[1.0]).fit([BackupAndRestore(tmp_path)])

    def test_errors(self, scripted, tmp_path):
        with pytest.raises(ValueError, match="Empty `backup_dir`"):
            BackupAndRestore("")
        with pytest.raises(ValueError, match="save_freq"):
            BackupAndRestore(tmp_path, save_freq="batch")
        model = scripted(loss=[1.0])
        model.built = False
        with pytest.raises(ValueError, match="must be built before"):
            model.fit([BackupAndRestore(tmp_path)])


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.seen.append((self.path, dict(self.headers), body))
            self.send_response(500 if "broken" in self.path else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        server.root = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()
        thread.join()


class TestRemoteMonitor:
    @pytest.mark.parametrize("library", ["standard", "requests"])
    def test_form_and_json(self, scripted, server, monkeypatch, library):
        if library == "standard":
            monkeypatch.setitem(sys.modules, "requests", None)
        else:
            pytest.importorskip("requests", reason="posts with requests only if it is installed")
        model = scripted(loss=[np.float32(0.5)])
        model.fit([RemoteMonitor(server.root, headers={"X-Key": "k"})])
        model.fit([RemoteMonitor(server.root, path="/x", send_as_json=True)])
        model.fit([RemoteMonitor(server.root, path="/broken")])
        (path, headers, form), (other, _, body), _ = server.seen
        assert (path, other) == ("/publish/epoch/end/", "/x") and headers["X-Key"] == "k"
        assert json.loads(urllib.parse.parse_qs(form)["data"][0]) == {"epoch": 0, "loss": 0.5}
        assert json.loads(body) == {"epoch": 0, "loss": 0.5}

    def test_posts_with_requests(self, scripted, monkeypatch):
        posted = []
        fake = types.ModuleType("requests")
        fake.post = lambda *args, **options: posted.append((args, options))
        monkeypatch.setitem(sys.modules, "requests", fake)
        scripted(loss=[0.5]).fit(
            [RemoteMonitor(send_as_json=True), RemoteMonitor(headers={"a": "b"})]
        )
        address, values = "http://localhost:9000/publish/epoch/end/", {"epoch": 0, "loss": 0.5}
        assert posted[0] == ((address,), {"json": values, "headers": None})
        (where, form), options = posted[1]
        assert where == address and options == {"headers": {"a": "b"}}
        assert json.loads(form["data"]) == values

    def test_no_server(self, scripted, monkeypatch):
        monkeypatch.setitem(sys.modules, "requests", None)
        with pytest.warns(UserWarning, match="Could not reach RemoteMonitor"):
            scripted(loss=[1.0]).fit([RemoteMonitor("http://127.0.0.1:9")])
        with pytest.raises(ValueError, match="http://"):
            RemoteMonitor("file:///etc")


class TestSwapEMAWeights:
    def model(self, scripted, **script):
        model = scripted(**(script or {"loss": [1.0, 1.0]}))
        model.kernel.assign([1.0])
        model.optimizer.use_ema = True
        model.optimizer._trainable_variables = [model.kernel]
        model.optimizer._model_variables_moving_average = [type(model.kernel)([5.0])]
        return model

    @pytest.mark.parametrize("phase", ["test", "predict"])
    def test_averages_are_in_the_model_meanwhile(self, scripted, phase):
        model = self.model(scripted)
        callback = SwapEMAWeights()
        callback.set_model(model)
        getattr(callback, f"on_{phase}_begin")()
        assert model.get_weights()[0] == 5
        getattr(callback, f"on_{phase}_end")()
        assert model.get_weights()[0] == 1
        assert model.optimizer._model_variables_moving_average[0].value == 5

    def test_on_epoch(self, scripted, tmp_path):
        model = self.model(scripted)
        checkpoint = ModelCheckpoint(tmp_path / "{epoch}.h5")
        model.fit([SwapEMAWeights(swap_on_epoch=True), checkpoint])
        for epoch in (1, 2):
            assert json.loads((tmp_path / f"{epoch}.h5").read_text()) == [5.0]
        assert model.optimizer._model_variables_moving_average[0].value == 5

    def test_errors(self, scripted):
        model = self.model(scripted)
        callback = SwapEMAWeights()
        callback.set_model(model)
        del model.optimizer._model_variables_moving_average
        with pytest.raises(ValueError, match="not built"):
            callback.on_test_begin()
        model.optimizer.use_ema = False
        with pytest.raises(ValueError, match="`use_ema=True`"):
            callback.on_test_begin()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboard's own imports
class TestTensorBoard:
    def read(self, folder):
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

        found = {}
        for path in glob.glob(os.path.join(folder, "events.out.tfevents*")):
            for event in EventFileLoader(path).Load():
                for value in event.summary.value:
                    found.setdefault(value.tag, []).append((event.step, value))
        return found

    def fit(self, model, folder, **kwargs):
        pytest.importorskip("tensorboard")
        model.fit([TensorBoard(folder, **kwargs)])
        return self.read(folder / "train"), self.read(folder / "validation")

    def scalars(self, found):
        from tensorboard.util import tensor_util

        return {
            tag: [(step, tensor_util.make_ndarray(v.tensor).item()) for step, v in values]
            for tag, values in found.items()
        }

    def test_epochs(self, scripted, tmp_path):
        train, valid = self.fit(scripted(loss=[2.0, 1.0], val_loss=[4.0, 3.0]), tmp_path)
        train = self.scalars(train)
        assert train["epoch_loss"] == [(0, 2.0), (1, 1.0)]
        assert set(train) == {"epoch_loss", "epoch_learning_rate"}
        assert self.scalars(valid) == {"epoch_loss": [(0, 4.0), (1, 3.0)]}

    def test_batches(self, scripted, tmp_path):
        train, _ = self.fit(
            scripted(loss=[2.0, 1.0]), tmp_path, update_freq=2, write_steps_per_second=True
        )
        train = self.scalars(train)
        assert train["batch_loss"] == [(2, 2.0), (4, 1.0)]
        assert {"batch_steps_per_second", "epoch_steps_per_second"} <= set(train)

    def test_evaluation(self, scripted, tmp_path):
        pytest.importorskip("tensorboard")
        board = TensorBoard(tmp_path)
        board.set_model(scripted(loss=[]))
        board.on_test_end({"loss": 0.5})
        board.on_train_end()
        assert self.scalars(self.read(tmp_path / "validation")) == {
            "evaluation_loss_vs_iterations": [(0, 0.5)]
        }

    def test_weights(self, scripted, tmp_path):
        from tensorboard.util import tensor_util

        model = scripted(loss=[1.0])
        rng = np.random.default_rng(0)
        for shape in ((4,), (3, 4), (2, 3, 4), (2, 2, 3, 4)):
            weight = type(model.kernel)(rng.random(shape), path=f"layer{len(shape)}/kernel")
            model.layers[0].weights.append(weight)
        train, _ = self.fit(model, tmp_path, histogram_freq=1, write_images=True)
        buckets = tensor_util.make_ndarray(train["layer2/kernel/histogram"][0][1].tensor)
        assert buckets.shape == (30, 3) and buckets[:, 2].sum() == 12
        assert (
            train["layer2/kernel/histogram"][0][1].metadata.plugin_data.plugin_name == "histograms"
        )
        width, height, *images = train["layer3/kernel/image"][0][1].tensor.string_val
        assert (width, height, len(images)) == (b"3", b"2", 3)
        assert images[0].startswith(b"\x89PNG")

    def test_images_are_images(self):
        image = pytest.importorskip("PIL.Image")
        import io

        from minikeras.callbacks.tensorboard import _png

        for channels in (1, 3, 4):
            pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels))
            read = np.asarray(image.open(io.BytesIO(_png(pixels / 255))))
            np.testing.assert_array_equal(read.reshape(pixels.shape), pixels)

    def test_architecture(self, scripted, tmp_path):
        Sequential = type("Sequential", (scripted,), {})
        train, _ = self.fit(Sequential(loss=[1.0]), tmp_path)
        ((_, value),) = train["keras"]
        assert value.metadata.plugin_data.plugin_name == "graph_keras_model"
        assert value.tensor.string_val == [b"{}"]

    def test_embeddings(self, scripted, tmp_path):
        model = scripted(loss=[1.0])
        layer = type("Embedding", (), {"name": "words", "weights": []})()
        model.layers.append(layer)
        self.fit(model, tmp_path, embeddings_freq=1, embeddings_metadata={"words": "w.tsv"})
        assert 'metadata_path: "w.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
        assert (tmp_path / "train" / "keras_embedding.ckpt-0.weights.h5").exists()
        with pytest.raises(ValueError, match="Unrecognized `Embedding` layer names.*other"):
            model.fit(
                [TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"other": "x"})]
            )

    def test_without_the_package(self, scripted, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorboard", None)
        for name in [one for one in sys.modules if one.startswith("tensorboard.")]:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.warns(UserWarning, match="pip install") as caught:
            scripted(loss=[1.0, 0.5]).fit([TensorBoard(tmp_path / "logs")])
        assert len(caught) == 1
        assert not list(tmp_path.rglob("*events*"))

    def test_arguments(self, tmp_path):
        with pytest.warns(UserWarning, match="no profiler"):
            TensorBoard(tmp_path, profile_batch=2)
        with pytest.raises(ValueError, match="`update_freq` must be"):
            TensorBoard(tmp_path, update_freq="step")
