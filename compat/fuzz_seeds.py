"""The valid files that `fuzz.py` damages: of the corpus, and of models written on the spot."""

from __future__ import annotations

import functools
import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from corpus_check import unpack
from fuzz_mutations import packed, unpacked
from fuzz_operations import seeds as of_operations

FORMATS = {
    "keras": "`.keras` of Keras 3 and tf.keras",
    "weights": "`.weights.h5` of Keras 3",
    "h5": "whole models and weights in `.h5`, of Keras 3",
    "old-h5": "whole models and weights in `.h5`, of Keras 1 and 2",
    "json": "architectures of Keras 1, 2 and 3",
    "npz": "weights in `.npz`",
    "operations": "architectures with operations of TensorFlow and of Keras 3 as layers",
    "sharded": "weights in shards, with an index in `.weights.json`",
}
# A fuzzer that works on small files sees more of them.
_LIMIT = 60_000


class Seed(NamedTuple):
    """A valid file.

    Attributes:
        name: The name that its mutations get.
        content: Its bytes.
        origin: Where it is from.
        open: Takes the file at a path through the doors that it fits. Files that belong together
            are one zip archive here, which it unpacks.
    """

    name: str
    content: bytes
    origin: str
    open: Callable[[str], Any]


def own_models() -> dict[str, Any]:
    """Small models with what files may hold: nesting, state, tables, lookups, optimizers."""
    import minikeras as keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    dense = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="relu", kernel_regularizer="l2"),
            layers.Dropout(0.5, seed=1),
            layers.Dense(2, kernel_constraint="max_norm"),
        ]
    )
    dense.compile("adam", "mse", metrics=["mae"])
    dense.train_on_batch(np.ones((2, 3), "float32"), np.ones((2, 2), "float32"))
    image, vector = keras.Input((6, 6, 2), name="image"), keras.Input((3,), name="vector")
    y = layers.Conv2D(2, 3, activation="relu")(image)
    y = layers.MaxPooling2D(2)(layers.BatchNormalization()(y))
    y = layers.Concatenate()([layers.Flatten()(y), vector * 2.0])
    graph = keras.Model({"image": image, "vector": vector}, [layers.Dense(1, name="out")(y), y])
    tokens = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(7, 3, mask_zero=True),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.GRU(2),
        ]
    )
    tokens.compile("rmsprop", keras.losses.BinaryCrossentropy())
    words = layers.TextVectorization(max_tokens=9, output_sequence_length=4)
    words.adapt(["some words of a text", "a text"])
    text = keras.Sequential([keras.Input((), dtype="string"), words, layers.Embedding(9, 2)])
    scale = layers.Normalization()
    scale.adapt(np.arange(12, dtype="float32").reshape(4, 3))
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    nested = keras.Sequential([keras.Input((3,)), scale, inner, layers.Activation("softmax")])
    return {"dense": dense, "graph": graph, "tokens": tokens, "text": text, "nested": nested}


def _written(model: Any, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        (model.save_weights if "weights" in name else model.save)(path)
        return Path(path).read_bytes()


def _load_model(path: str) -> Any:
    import minikeras as keras

    return keras.models.load_model(path)


def _from_json(path: str) -> Any:
    import minikeras as keras

    try:
        return keras.models.model_from_json(Path(path).read_bytes().decode("utf-8", "replace"))
    except ValueError as error:
        # A text has no path that an error could name.
        raise ValueError(f"{os.path.basename(path)}: {error}") from error


class _Into:
    """Loads weights into one model, made when first needed."""

    def __init__(self, make: Callable[[], Any], **options: Any) -> None:
        self.make, self.options = functools.cache(make), options

    def __call__(self, path: str) -> None:
        self.make().load_weights(path, **self.options)


class _Together(_Into):
    """Loads weights from an index and the shards beside it, which came as one archive."""

    def __call__(self, path: str) -> None:
        members = unpacked(Path(path).read_bytes())
        for name, content in members.items():
            Path(path).with_name(name).write_bytes(content)
        super().__call__(path)


def _shards(model: Any) -> bytes:
    """The weights of a model in files of 300 bytes of values, or of as many as it takes."""
    with tempfile.TemporaryDirectory() as folder:
        for size in (300, 2000):
            try:
                model.save_weights(f"{folder}/case.weights.json", max_shard_size=size / 2**30)
                break
            except ValueError:
                pass
        files = sorted(Path(folder).iterdir())
        return packed({path.name: path.read_bytes() for path in files})


def _in_order(model: Any) -> bytes:
    """The weights of a model in an `.npz` without their names."""
    buffer = io.BytesIO()
    np.savez(buffer, *model.get_weights())
    return buffer.getvalue()


@functools.cache
def _corpus() -> list[tuple[Path, dict[str, bytes]]]:
    """The files of the corpus that are small enough, by folder."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        root = unpack(Path(folder))
        for meta in sorted(root.glob("*/*/meta.json")):
            files = {
                path.name: path.read_bytes()
                for path in sorted(meta.parent.iterdir())
                if path.suffix in (".h5", ".keras", ".json") and path.stat().st_size < _LIMIT
            }
            found.append((meta.parent.relative_to(root), files))
    return found


def _loads(seed: Seed) -> bool:
    """Whether a file opens as it is."""
    import warnings

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = os.path.join(folder, seed.name)
        Path(path).write_bytes(seed.content)
        try:
            seed.open(path)
        except (ValueError, OSError):
            return False
    return True


def _of_corpus(format: str) -> list[Seed]:
    seeds = []
    for folder, files in _corpus():
        new = folder.parts[0].startswith("keras-3")
        text = files.get("model.json", b"{}").decode()

        def make(text: str = text) -> Any:
            import minikeras as keras

            return keras.models.model_from_json(text)

        for name, content in files.items():
            kind, opened = None, _load_model
            if name in ("model.keras", "model_v3.keras"):
                kind = "keras" if content.startswith(b"PK") else "old-h5"
            elif name == "model.json":
                kind, opened = "json", _from_json
            elif name == "model.weights.h5":
                kind, opened = "weights", _Into(make)
            elif name == "model.h5":
                kind = "h5" if new else "old-h5"
            elif name == "weights.h5":
                kind, opened = "h5" if new else "old-h5", _Into(make)
            if kind == format:
                seeds.append(Seed(f"case-{name}", content, f"{folder}/{name}", opened))
    return seeds


@functools.cache
def seeds_of(format: str) -> list[Seed]:
    """The valid files of a format: at most 40, of as many versions as there are."""
    seeds = []
    if format == "operations":
        return [Seed("case.json", text, name, _from_json) for name, text in of_operations()]
    for name, model in own_models().items():
        if format == "json":
            content = model.to_json().encode()
            seeds.append(Seed("case.json", content, name, _from_json))
        elif format in ("keras", "h5"):
            content = _written(model, f"m.{format}")
            seeds.append(Seed(f"case.{format}", content, name, _load_model))
        if format in ("h5", "weights"):
            ending = ".weights.h5" if format == "weights" else "_weights.h5"
            content = _written(model, f"m{ending}")
            into = _Into(lambda model=model: model, skip_mismatch=name == "dense")
            seeds.append(Seed(f"case{ending}", content, name, into))
        if format == "npz":
            into = _Into(lambda model=model: model, skip_mismatch=name == "dense")
            seeds.append(Seed("case.npz", _written(model, "weights.npz"), name, into))
            if model.weights:
                seeds.append(Seed("case.npz", _in_order(model), f"{name}, in order", into))
        if format == "sharded":
            together = _Together(lambda model=model: model, skip_mismatch=name == "dense")
            seeds.append(Seed("case.weights.json", _shards(model), name, together))
    found = _of_corpus(format)
    step = max(1, len(found) // 40)
    # To load them all is to import and build what the damaged ones need.
    return [one for one in [*seeds, *found[::step]] if _loads(one)]


def describe() -> str:
    """How many files of each format there are, as JSON."""
    return json.dumps({format: len(seeds_of(format)) for format in FORMATS})
