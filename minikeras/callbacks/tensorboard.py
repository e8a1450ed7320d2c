"""Logs for TensorBoard, written by the event writer of the `tensorboard` package."""

from __future__ import annotations

import os
import struct
import time
import warnings
import zlib
from typing import Any

import numpy as np

from minikeras import config
from minikeras.callbacks.callback import Callback
from minikeras.callbacks.learning_rate import log_learning_rates
from minikeras.engine.spelling import understands_old

_HISTOGRAM_BUCKETS = 30
_IMAGES_PER_WEIGHT = 3


class TensorBoard(Callback):
    """Writes metrics, histograms and images of weights, and the model itself, for TensorBoard.

    It needs the package `tensorboard` (not TensorFlow): `pip install minikeras[tensorboard]`.
    Metrics of training are in `log_dir/train`, those of validation in `log_dir/validation`, as
    `epoch_loss`, `batch_loss`, `evaluation_loss_vs_iterations`...

    Args:
        log_dir: The directory. Use one for each run. Defaults to `"logs"`.
        histogram_freq: Every how many epochs histograms of the weights are written. Defaults to 0:
            never.
        write_graph: Whether the architecture of a `Sequential` or functional model is written.
            Defaults to True.
        write_images: Whether weights are written as images too, with each histogram. Defaults to
            False.
        write_steps_per_second: Whether the speed is written. Defaults to False.
        update_freq: `"epoch"` (default): metrics every epoch only; `"batch"`: also every batch; an
            integer: also every so many batches.
        profile_batch: Batches that TensorFlow would profile; there is no profiler here, so anything
            but 0 (default) warns.
        embeddings_freq: Every how many epochs the weights are saved for the projector. Defaults
            to 0: never.
        embeddings_metadata: Path of a file that describes the rows of the embedding, or a dict from
            the name of an `Embedding` layer to such a path. Defaults to None.

    Raises:
        ValueError: `embeddings_metadata` names no embedding.

    Without the package `tensorboard` a warning says so, and nothing is written.

    Example:

    >>> import minikeras
    >>> board = minikeras.callbacks.TensorBoard(log_dir="logs/first", histogram_freq=1)
    """

    @understands_old
    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        if profile_batch not in (0, None, False, "0"):
            warnings.warn(
                "There is no profiler for TensorBoard here, so no profile is written. Received: "
                f"profile_batch={profile_batch!r}",
                stacklevel=3,
            )
        if update_freq not in ("epoch", "batch") and not isinstance(update_freq, int):
            raise ValueError(
                "`update_freq` must be 'epoch', 'batch' or an integer. "
                f"Received: update_freq={update_freq!r}"
            )
        self.log_dir = str(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self._train_dir = os.path.join(self.log_dir, "train")
        self._val_dir = os.path.join(self.log_dir, "validation")
        self._writers: dict[str, _Writer] = {}
        self._global_train_batch = 0
        self._batch_start_time = 0.0
        self._epoch_start_time = 0.0
        self._previous_epoch_iterations = 0

    def _is_idle(self, event: str) -> bool:
        return self.update_freq == "epoch"

    def set_model(self, model: Any) -> None:
        self._model = model
        self._close()
        if self.write_graph and type(model).__name__ in ("Functional", "Sequential"):
            self._write_architecture()
        if self.embeddings_freq:
            self._write_projector_config()

    @property
    def _train_writer(self) -> _Writer:
        return self._writer(self._train_dir)

    @property
    def _val_writer(self) -> _Writer:
        return self._writer(self._val_dir)

    def _writer(self, directory: str) -> _Writer:
        if directory not in self._writers:
            try:
                self._writers[directory] = _Writer(directory)
            except ImportError as error:
                if not self._writers:
                    warnings.warn(f"Nothing is written for TensorBoard. {error}", stacklevel=4)
                self._writers[directory] = _NoWriter()  # type: ignore[assignment]
        return self._writers[directory]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _write_architecture(self) -> None:
        try:
            text = self._model.to_json()
        except Exception as error:  # a model that has no config can be trained all the same
            warnings.warn(f"Model failed to serialize as JSON. Ignoring... {error}", stacklevel=2)
            return
        self._train_writer.text("keras", text, plugin="graph_keras_model", content=b"1")

    def _write_projector_config(self) -> None:
        metadata = self.embeddings_metadata
        paths = dict(metadata) if isinstance(metadata, dict) else {}
        lines = []
        for layer in self._model.layers:
            if type(layer).__name__ != "Embedding":
                continue
            path = metadata if isinstance(metadata, str) else paths.pop(layer.name, None)
            lines.append("embeddings {")
            lines.append(
                '  tensor_name: "layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"'
            )
            if path is not None:
                lines.append(f'  metadata_path: "{path}"')
            lines.append("}")
        if paths:
            raise ValueError(
                "Unrecognized `Embedding` layer names passed to `TensorBoard` in its "
                f"`embeddings_metadata` argument: {', '.join(paths)}"
            )
        os.makedirs(self.log_dir, exist_ok=True)
        with open(
            os.path.join(self.log_dir, "projector_config.pbtxt"), "w", encoding="utf-8"
        ) as file:
            file.write("".join(line + "\n" for line in lines))

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._global_train_batch = 0
        self._previous_epoch_iterations = 0

    def on_train_end(self, logs: dict | None = None) -> None:
        self._close()

    def on_test_end(self, logs: dict | None = None) -> None:
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        if iterations is not None:
            step = int(np.asarray(iterations))
            for name, value in (logs or {}).items():
                self._val_writer.scalar(f"evaluation_{name}_vs_iterations", value, step)
            self._val_writer.flush()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._global_train_batch += 1
        self._batch_start_time = time.time()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self._global_train_batch
        if self.update_freq == "epoch" or step % self.update_freq:
            return
        if self.write_steps_per_second:
            seconds = max(time.time() - self._batch_start_time, 1e-9)
            self._train_writer.scalar("batch_steps_per_second", 1.0 / seconds, step)
        for name, value in (logs or {}).items():
            self._train_writer.scalar(f"batch_{name}", value, step)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.write_steps_per_second:
            self._previous_epoch_iterations = int(np.asarray(self.model.optimizer.iterations))
            self._epoch_start_time = time.time()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs:
            self._log_epoch(epoch, logs)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._log_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            os.makedirs(self._train_dir, exist_ok=True)
            name = f"keras_embedding.ckpt-{epoch}.weights.h5"
            self.model.save_weights(os.path.join(self._train_dir, name))

    def _log_epoch(self, epoch: int, logs: dict) -> None:
        training = {name: value for name, value in logs.items() if not name.startswith("val_")}
        self._collect_learning_rate(training)
        if self.write_steps_per_second:
            steps = int(np.asarray(self.model.optimizer.iterations))
            seconds = max(time.time() - self._epoch_start_time, 1e-9)
            training["steps_per_second"] = (steps - self._previous_epoch_iterations) / seconds
        for name, value in training.items():
            self._train_writer.scalar(f"epoch_{name}", value, epoch)
        for name, value in logs.items():
            if name.startswith("val_"):
                self._val_writer.scalar(f"epoch_{name[4:]}", value, epoch)

    def _collect_learning_rate(self, logs: dict) -> dict:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if optimizer is not None:
            log_learning_rates(optimizer, logs)
        return logs

    def _log_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                name = weight.path.replace(":", "_")
                values = np.asarray(weight.numpy())
                self._train_writer.histogram(f"{name}/histogram", values, epoch)
                if self.write_images:
                    images = _as_images(values)
                    if images is not None:
                        self._train_writer.images(f"{name}/image", images, epoch)
        self._train_writer.flush()


def _as_images(weight: np.ndarray) -> np.ndarray | None:
    """A weight as images (n, height, width, channels), or `None` if there is no sense in that."""
    image = np.squeeze(weight)
    if image.ndim == 1:
        image = image.reshape(1, -1, 1, 1)
    elif image.ndim == 2:
        image = image.T if image.shape[0] > image.shape[1] else image
        image = image[None, :, :, None]
    elif image.ndim == 3:
        if config.image_data_format() == "channels_last":
            image = image.transpose(2, 0, 1)
        image = image[..., None]
    return image if image.ndim == 4 and image.shape[-1] in (1, 3, 4) else None


def _png(image: np.ndarray) -> bytes:
    """An image (height, width, 1, 3 or 4) of values from 0 to 1 as a PNG file."""
    pixels = np.rint(np.clip(np.nan_to_num(image), 0, 1) * 255).astype(np.uint8)
    height, width, channels = pixels.shape
    # Each line begins with the number of its filter: none.
    lines = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels.reshape(height, width * channels)], axis=1
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    color = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes()))
        + chunk(b"IEND", b"")
    )


class _Writer:
    """Summaries of one directory, each a tensor with the name of the plugin that shows it."""

    def __init__(self, directory: str) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.plugins.histogram import metadata as histogram
            from tensorboard.plugins.image import metadata as image
            from tensorboard.plugins.scalar import metadata as scalar
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
            from tensorboard.util import tensor_util
        except ImportError as error:
            raise ImportError(
                "The TensorBoard callback needs the package `tensorboard`. Install it with "
                f"`pip install minikeras[tensorboard]`. ({error})"
            ) from error
        self._event, self._summary = event_pb2.Event, summary_pb2
        self._tensor = tensor_util.make_tensor_proto
        self._plugins = {"scalar": scalar, "histogram": histogram, "image": image}
        os.makedirs(directory, exist_ok=True)
        self._file = EventFileWriter(directory, filename_suffix=".v2")

    def _write(self, tag: str, tensor: Any, metadata: Any, step: int) -> None:
        summary = self._summary.Summary()
        summary.value.add(tag=tag, tensor=tensor, metadata=metadata)
        self._file.add_event(self._event(wall_time=time.time(), step=step, summary=summary))

    def _metadata(self, plugin: str) -> Any:
        return self._plugins[plugin].create_summary_metadata(display_name="", description="")

    def scalar(self, tag: str, value: Any, step: int) -> None:
        if np.ndim(value) or isinstance(value, str):
            return  # no curve can be drawn of it
        tensor = self._tensor(np.asarray(value, dtype=np.float32))
        self._write(tag, tensor, self._metadata("scalar"), step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        flat = np.asarray(values, dtype=np.float64).ravel()
        flat = flat[np.isfinite(flat)]
        if flat.size and flat.min() < flat.max():
            counts, edges = np.histogram(flat, bins=_HISTOGRAM_BUCKETS)
            left, right = edges[:-1], edges[1:]
        else:
            counts = np.zeros(_HISTOGRAM_BUCKETS)
            counts[-1] = flat.size
            left = right = np.full(_HISTOGRAM_BUCKETS, flat[0] if flat.size else 0.0)
        buckets = np.stack([left, right, counts], axis=1)
        self._write(tag, self._tensor(buckets), self._metadata("histogram"), step)

    def images(self, tag: str, images: np.ndarray, step: int) -> None:
        height, width = images.shape[1:3]
        parts = [str(width).encode(), str(height).encode()]
        parts += [_png(image) for image in images[:_IMAGES_PER_WEIGHT]]
        tensor = self._tensor(np.array(parts, dtype=object))
        self._write(tag, tensor, self._metadata("image"), step)

    def text(self, tag: str, text: str, plugin: str, content: bytes) -> None:
        metadata = self._summary.SummaryMetadata(
            plugin_data=self._summary.SummaryMetadata.PluginData(
                plugin_name=plugin, content=content
            )
        )
        self._write(tag, self._tensor(np.array(text.encode(), dtype=object)), metadata, 0)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _NoWriter:
    """Takes what a writer takes, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None
