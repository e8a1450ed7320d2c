"""Numbers in files that ask for more than belongs to them, found by mutating files."""

import json
import time

import h5py
import numpy as np
import pytest

import minikeras as keras


def saved(path, metrics=()):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=list(metrics))
    model.save(path)
    return path


@pytest.mark.parametrize("attribute", ["keras_version", "model_config", "training_config"])
def test_sequences_where_text_belongs(tmp_path, attribute):
    path = saved(tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs[attribute]
        data = np.empty(1, object)
        data[0] = np.arange(3)
        file.attrs.create(attribute, data, dtype=h5py.vlen_dtype("i4"))
    with pytest.raises(ValueError, match=f"m.h5.*{attribute}.*not text or numbers"):
        keras.models.load_model(path)


@pytest.mark.parametrize(
    "metric", [keras.metrics.AUC(5), keras.metrics.PrecisionAtRecall(0.5, num_thresholds=5)]
)
def test_thresholds_without_end(tmp_path, metric):
    path = saved(tmp_path / "m.h5", [metric])
    with h5py.File(path, "r+") as file:
        text = file.attrs["training_config"]
        assert '"num_thresholds": 5' in text
        file.attrs["training_config"] = text.replace(
            '"num_thresholds": 5', f'"num_thresholds": {10**30}'
        )
    start = time.process_time()
    with pytest.raises(ValueError, match="asks for weights of more than"):
        keras.models.load_model(path)
    assert time.process_time() - start < 1


def test_states_of_a_batch_without_end():
    model = keras.Sequential(
        [keras.Input(batch_shape=(7, 3, 2)), keras.layers.SimpleRNN(4, stateful=True)]
    )
    text = model.to_json()
    assert json.loads(text) and "[7, 3, 2]" in text
    with pytest.raises(ValueError, match="asks for weights of more than"):
        keras.models.model_from_json(text.replace("[7, 3, 2]", f"[{2**32}, 3, 2]"))
