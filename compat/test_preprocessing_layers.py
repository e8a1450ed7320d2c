"""Layers of categories and texts against Keras on TensorFlow."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import minikeras
from minikeras.layers.preprocessing import hashing as fingerprint

WORDS = ["a", "b", "c"]
TEXTS = ["a b z", "C,  a! a", "", "École É\tb\xa0c", "it's a b-c (d)"]
STRINGS = np.array([["a", "c", "z"], ["b", "", "a"]])
NUMBERS = np.array([[5, 7, 9], [0, 5, 5]])


def both(name, **arguments):
    return getattr(keras.layers, name)(**arguments), getattr(minikeras.layers, name)(**arguments)


def plain(value):
    value = value.to_tensor() if isinstance(value, tf.RaggedTensor) else value
    value = np.asarray(value)
    if value.dtype.kind == "O":
        return [v.decode() if isinstance(v, bytes) else v for v in value.ravel().tolist()]
    return value


def same(theirs, ours, data, **options):
    expected, got = plain(theirs(data, **options)), plain(ours(data, **options).numpy())
    if isinstance(expected, list):
        assert got == expected
        return
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def same_config(theirs, ours):
    expected, got = theirs.get_config(), ours.get_config()
    expected.pop("name")
    name = got.pop("name")
    assert json.dumps(got, default=str) == json.dumps(expected, default=str)
    twin, again = type(ours).from_config({**got, "name": name}).get_config(), ours.get_config()
    # The size of a learned vocabulary is written, but the vocabulary itself is in the assets.
    for config in (twin, again):
        config.pop("vocabulary_size", None)
    assert json.dumps(twin, default=str) == json.dumps(again, default=str)


MODES = ("int", "one_hot", "multi_hot", "count")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"mask_token": ""},
        {"num_oov_indices": 3},
        {"num_oov_indices": 4, "salt": [3, 4], "mask_token": ""},
        {"max_tokens": 8, "pad_to_max_tokens": True},
        {"oov_token": "?"},
    ],
)
def test_string_lookup(mode, arguments):
    theirs, ours = both("StringLookup", vocabulary=WORDS, output_mode=mode, **arguments)
    for data in (STRINGS, STRINGS[:, :1], STRINGS[0], np.array("a")):
        if data.ndim or mode == "int":
            same(theirs, ours, data)
    assert ours.get_vocabulary() == list(theirs.get_vocabulary())
    assert ours.vocabulary_size() == theirs.vocabulary_size()
    same_config(theirs, ours)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"mask_token": 0},
        {"num_oov_indices": 3},
        {"num_oov_indices": 3, "oov_method": "farmhash"},
        {"num_oov_indices": 3, "oov_method": "farmhash", "salt": 7},
    ],
)
def test_integer_lookup(mode, arguments):
    theirs, ours = both("IntegerLookup", vocabulary=[5, 7], output_mode=mode, **arguments)
    same(theirs, ours, NUMBERS)
    same_config(theirs, ours)


@pytest.mark.parametrize("arguments", [{}, {"mask_token": ""}, {"oov_token": "?"}])
def test_inverted_lookup(arguments):
    theirs, ours = both("StringLookup", vocabulary=WORDS, invert=True, **arguments)
    same(theirs, ours, np.array([[0, 1, 2], [3, 9, 1]]))
    theirs, ours = both("IntegerLookup", vocabulary=[5, 7], invert=True)
    same(theirs, ours, np.array([[0, 1, 2], [3, 9, 1]]))


@pytest.mark.parametrize("arguments", [{}, {"max_tokens": 3}, {"mask_token": "b"}])
@pytest.mark.parametrize("mode", [*MODES, "tf_idf"])
def test_learned_vocabulary(arguments, mode):
    theirs, ours = both("StringLookup", output_mode=mode, **arguments)
    data = np.array([["x", "b", "b"], ["c", "x", "a"], ["x", "a", "y"]])
    for layer in (theirs, ours):
        layer.adapt(data)
    assert ours.get_vocabulary() == [str(word) for word in theirs.get_vocabulary()]
    same(theirs, ours, data)
    same_config(theirs, ours)


def test_weights_given():
    theirs, ours = both(
        "StringLookup", vocabulary=WORDS, idf_weights=[1.0, 2.0, 3.0], output_mode="tf_idf"
    )
    same(theirs, ours, STRINGS)


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"standardize": "lower"},
        {"standardize": "strip_punctuation"},
        {"standardize": None},
        {"split": "character"},
        {"ngrams": 2},
        {"ngrams": (3, 1)},
        {"max_tokens": 4},
    ],
)
def test_text_vectorization(mode, arguments):
    theirs, ours = both("TextVectorization", output_mode=mode, **arguments)
    for layer in (theirs, ours):
        layer.adapt(np.array(TEXTS))
    assert ours.get_vocabulary() == [str(word) for word in theirs.get_vocabulary()]
    same(theirs, ours, np.array(TEXTS))
    same(theirs, ours, np.array(TEXTS)[:, None])
    if isinstance(arguments.get("ngrams"), tuple) is False:
        same_config(theirs, ours)


@pytest.mark.parametrize("length", [1, 3, 9])
def test_sequence_length(length):
    theirs, ours = both("TextVectorization", vocabulary=WORDS, output_sequence_length=length)
    same(theirs, ours, np.array(TEXTS))


def test_texts_that_are_not_split():
    for mode in MODES:
        theirs, ours = both("TextVectorization", vocabulary=WORDS, split=None, output_mode=mode)
        same(theirs, ours, np.array(["a", "C,", "q"]))


def test_term_frequencies():
    arguments = {"output_mode": "tf_idf", "max_tokens": 5, "pad_to_max_tokens": True}
    theirs, ours = both("TextVectorization", **arguments)
    for layer in (theirs, ours):
        layer.adapt(np.array(["a b a", "b c", "d d"]))
    same(theirs, ours, np.array(["a b a", "q", "c d"]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "arguments", [{}, {"mask_value": ""}, {"salt": 133}, {"salt": [133, 137], "mask_value": "a"}]
)
def test_hashing(mode, arguments):
    theirs, ours = both("Hashing", num_bins=5, output_mode=mode, **arguments)
    same(theirs, ours, STRINGS)
    same(theirs, ours, STRINGS[:, :1])
    same_config(theirs, ours)


def test_hashing_of_numbers():
    theirs, ours = both("Hashing", num_bins=100)
    same(theirs, ours, NUMBERS - 5)
    same(theirs, ours, np.array([1.7, -2.2]))


@given(st.lists(st.text(max_size=300), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_hashes(strings):
    fast = tf.strings.to_hash_bucket_fast(strings, 2**62).numpy()
    strong = tf.strings.to_hash_bucket_strong(strings, 2**62, key=[11, 12]).numpy()
    encoded = [one.encode() for one in strings]
    assert [fingerprint.fingerprint64(one) % 2**62 for one in encoded] == fast.tolist()
    assert [fingerprint.siphash(one, [11, 12]) % 2**62 for one in encoded] == strong.tolist()


@pytest.mark.parametrize("mode", ["int", "one_hot"])
def test_crossing(mode):
    theirs, ours = both("HashedCrossing", num_bins=7, output_mode=mode)
    first, second = np.array(["A", "B", "A", "B"]), np.array([101, 101, 102, -3])
    same(theirs, ours, (first, second))
    same(theirs, ours, (first[:, None], second[:, None]))
    same(theirs, ours, (first, second, first))
    same_config(theirs, ours)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_category_encoding(mode):
    theirs, ours = both("CategoryEncoding", num_tokens=4, output_mode=mode)
    indices = np.array([[0, 1], [3, 3], [2, 0]])
    for data in (indices, indices[:, :1], indices[0], indices[None]):
        same(theirs, ours, data)
    if mode == "count":
        same(theirs, ours, indices, count_weights=np.array([[0.1, 0.2], [0.3, 1.0], [2.0, 0.5]]))
    same_config(theirs, ours)


@pytest.mark.parametrize("mode", MODES)
def test_discretization(mode):
    theirs, ours = both("Discretization", bin_boundaries=[0.0, 1.0, 2.0], output_mode=mode)
    data = np.array([[-1.0, 0.0], [0.5, 1.0], [5.0, 2.0]])
    same(theirs, ours, data)
    same(theirs, ours, data[:, 0])
    same_config(theirs, ours)


@pytest.mark.parametrize("size", [4, 10, 1000])
@pytest.mark.parametrize("bins, epsilon", [(3, 0.01), (5, 0.1)])
def test_learned_boundaries(size, bins, epsilon):
    theirs, ours = both("Discretization", num_bins=bins, epsilon=epsilon)
    data = np.random.default_rng(size).normal(size=(size, 2)).astype("float32")
    for layer in (theirs, ours):
        layer.adapt(data)
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
    same(theirs, ours, data)
    same_config(theirs, ours)


def test_files_go_both_ways(tmp_path):
    for ours_first in (True, False):
        first, second = (minikeras, keras) if ours_first else (keras, minikeras)
        inputs = first.Input((1,), dtype="string")
        layer = first.layers.TextVectorization(output_sequence_length=4)
        layer.adapt(np.array(TEXTS))
        path = tmp_path / f"{first.__name__}.keras"
        model = first.Model(inputs, layer(inputs))
        model.save(path)
        again = second.models.load_model(path)
        texts = np.array(TEXTS)[:, None]
        expected = np.asarray(layer(texts))
        found = next(one for one in again.layers if type(one).__name__ == "TextVectorization")
        np.testing.assert_array_equal(np.asarray(found(texts)), expected)


BAD = [
    ("StringLookup", {"max_tokens": 1}),
    ("StringLookup", {"num_oov_indices": -1}),
    ("StringLookup", {"output_mode": "nope"}),
    ("StringLookup", {"pad_to_max_tokens": True}),
    ("StringLookup", {"vocabulary": ["a", "a"]}),
    ("StringLookup", {"vocabulary": WORDS, "max_tokens": 3}),
    ("StringLookup", {"vocabulary": ["a", "m"], "mask_token": "m"}),
    ("StringLookup", {"invert": True, "output_mode": "count"}),
    ("StringLookup", {"idf_weights": [1.0]}),
    ("StringLookup", {"vocabulary": WORDS, "output_mode": "tf_idf"}),
    ("StringLookup", {"vocabulary": "no such file"}),
    ("IntegerLookup", {"vocabulary_dtype": "int32"}),
    ("IntegerLookup", {"salt": 3}),
    ("TextVectorization", {"standardize": "nope"}),
    ("TextVectorization", {"split": "nope"}),
    ("TextVectorization", {"ngrams": 1.5}),
    ("TextVectorization", {"output_mode": "count", "output_sequence_length": 3}),
    ("Hashing", {"num_bins": 0}),
    ("Hashing", {"num_bins": 3, "salt": "x"}),
    ("Hashing", {"num_bins": 3, "dtype": "float32"}),
    ("HashedCrossing", {"num_bins": 3, "output_mode": "count"}),
    ("CategoryEncoding", {}),
    ("CategoryEncoding", {"num_tokens": 0}),
    ("CategoryEncoding", {"num_tokens": 3, "output_mode": "nope"}),
    ("Discretization", {}),
    ("Discretization", {"num_bins": -1}),
    ("Discretization", {"num_bins": 2, "bin_boundaries": [0.0]}),
]


@pytest.mark.parametrize("name, arguments", BAD)
def test_bad_arguments(name, arguments):
    for layers in (keras.layers, minikeras.layers):
        with pytest.raises(ValueError):
            getattr(layers, name)(**arguments)
