"""Layers of categories and texts inside of models, and their messages."""

import numpy as np
import pytest

import minikeras as keras

TEXTS = np.array(["good film", "bad film", "good", "bad bad"], object)
LABELS = np.array([1, 0, 1, 0], "float32")


@pytest.mark.parametrize("dtype", [object, str, "S"])
def test_a_model_from_text_to_score_trains_and_predicts(dtype):
    texts = TEXTS.astype(dtype)
    vectorize = keras.layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(texts)
    inputs = keras.Input((), dtype="string")
    outputs = keras.layers.Dense(1, activation="sigmoid")(vectorize(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.3), "binary_crossentropy")
    model.fit(texts, LABELS, epochs=30, verbose=0)
    scores = model.predict(texts, verbose=0)[:, 0]
    np.testing.assert_array_equal(scores > 0.5, LABELS > 0.5)


def test_sequences_reach_an_embedding():
    vectorize = keras.layers.TextVectorization(output_sequence_length=3, vocabulary=["good", "bad"])
    model = keras.Sequential(
        [keras.Input((1,), dtype="string"), vectorize, keras.layers.Embedding(4, 2)]
    )
    assert model.predict(TEXTS[:, None], verbose=0).shape == (4, 3, 2)


def test_a_layer_that_learns_is_no_metric_of_its_model():
    lookup = keras.layers.StringLookup(vocabulary=["a"])
    model = keras.Sequential([keras.Input((1,), dtype="string"), lookup])
    assert model.metrics == [] and lookup.weights == []


def test_lists_strings_and_bytes_are_taken():
    lookup = keras.layers.StringLookup(vocabulary=["a", "é"])
    assert lookup(["a", "é", "x"]).tolist() == [1, 2, 0]
    assert lookup([b"a", "é".encode()]).tolist() == [1, 2]
    assert int(lookup("é")) == 2


def test_batches_to_adapt():
    lookup = keras.layers.IntegerLookup()
    lookup.adapt(iter([[3, 3], [5, 3], [7, 7]]), steps=2)
    assert lookup.get_vocabulary() == [-1, 3, 5]


def test_messages():
    with pytest.raises(ValueError, match="Not in it.*'q'"):
        keras.layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["q"])
    with pytest.raises(ValueError, match="IntegerLookup"):
        keras.layers.StringLookup(vocabulary=["a"])([1, 2])
    with pytest.raises(RuntimeError, match="adapt"):
        keras.layers.StringLookup(output_mode="count")(["a"])
    with pytest.raises(ValueError, match="adapt"):
        keras.layers.Discretization(num_bins=3)([1.0])
    with pytest.raises(ValueError, match="cannot adapt"):
        keras.layers.StringLookup(vocabulary=["a"]).adapt(["b"])
    with pytest.raises(ValueError, match="sparse"):
        keras.layers.CategoryEncoding(3, sparse=True)
    with pytest.raises(ValueError, match="from 0 to 2"):
        keras.layers.CategoryEncoding(3)([-1])
    with pytest.raises(ValueError, match="two inputs"):
        keras.layers.HashedCrossing(3)("a")
    with pytest.raises(RuntimeError, match="cannot become"):
        lookup = keras.layers.StringLookup(vocabulary=["a"], output_mode="count")
        lookup.set_vocabulary(["a", "b"])


def test_a_vocabulary_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("b\na\n")
    lookup = keras.layers.StringLookup(vocabulary=str(path))
    assert lookup.get_vocabulary() == ["[UNK]", "b", "a"]
