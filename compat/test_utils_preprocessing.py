"""Texts and sequences as in tf.keras, whose names Keras 3 dropped."""

import random

import numpy as np
import pytest
import tf_keras
from hypothesis import given
from hypothesis import strategies as st

from minikeras import preprocessing

OLD = tf_keras.preprocessing
TEXTS = st.lists(st.text("abAB .,!'\t", max_size=12), min_size=1, max_size=5)


def pairs(**options):
    return (
        preprocessing.text.Tokenizer(**options),
        OLD.text.Tokenizer(**options),
    )


@given(
    texts=TEXTS,
    new=TEXTS,
    num_words=st.sampled_from([None, 2, 3, 10]),
    lower=st.booleans(),
    char_level=st.booleans(),
    oov_token=st.sampled_from([None, "?"]),
    split=st.sampled_from([" ", "b"]),
)
def test_tokenizer(texts, new, **options):
    ours, theirs = pairs(**options)
    for tokenizer in (ours, theirs):
        tokenizer.fit_on_texts(texts)
        tokenizer.fit_on_texts([text.split() for text in texts])
    for name in ("word_index", "index_word", "word_counts", "word_docs", "document_count"):
        assert getattr(ours, name) == getattr(theirs, name)
    sequences = ours.texts_to_sequences(new)
    assert sequences == theirs.texts_to_sequences(new)
    assert ours.sequences_to_texts(sequences) == theirs.sequences_to_texts(sequences)
    if ours.word_index or ours.num_words:
        for mode in ("binary", "count", "freq", "tfidf"):
            np.testing.assert_allclose(
                ours.texts_to_matrix(new, mode), theirs.texts_to_matrix(new, mode), rtol=1e-12
            )


def test_tokenizers_read_each_others_json():
    ours, theirs = pairs(num_words=5, oov_token="?")
    for tokenizer in (ours, theirs):
        tokenizer.fit_on_texts(["to be or not to be", "that is the question"])
    for tokenizer in (
        preprocessing.text.tokenizer_from_json(theirs.to_json()),
        OLD.text.tokenizer_from_json(ours.to_json()),
    ):
        text = ["to question the answer"]
        assert tokenizer.texts_to_sequences(text) == ours.texts_to_sequences(text)
        assert tokenizer.word_index == theirs.word_index
    assert ours.get_config().keys() == theirs.get_config().keys()


@given(text=st.text("abAB .,!'\t", max_size=20), n=st.integers(2, 50))
def test_words_and_hashes(text, n):
    for name, arguments in (
        ("text_to_word_sequence", (text,)),
        ("one_hot", (text, n)),
        ("hashing_trick", (text, n)),
        ("hashing_trick", (text, n, "md5")),
    ):
        ours = getattr(preprocessing.text, name)(*arguments)
        assert ours == getattr(OLD.text, name)(*arguments)


@given(
    sequence=st.lists(st.integers(0, 9), max_size=12),
    window_size=st.integers(1, 4),
    negative_samples=st.sampled_from([0, 0.5, 1, 2]),
    shuffle=st.booleans(),
    categorical=st.booleans(),
    sampled=st.booleans(),
    seed=st.integers(0, 5),
)
def test_skipgrams(sequence, sampled, seed, **options):
    table = preprocessing.sequence.make_sampling_table(10, 0.1) if sampled else None
    found = []
    for module in (preprocessing, OLD):
        random.seed(seed)
        found.append(
            module.sequence.skipgrams(sequence, 10, sampling_table=table, seed=seed, **options)
        )
    assert found[0] == tuple(found[1])


@pytest.mark.parametrize("factor", [1e-5, 1e-2])
def test_sampling_table(factor):
    np.testing.assert_allclose(
        preprocessing.sequence.make_sampling_table(50, factor),
        OLD.sequence.make_sampling_table(50, factor),
        rtol=1e-12,
    )


@given(
    length=st.integers(1, 6),
    sampling_rate=st.integers(1, 3),
    stride=st.integers(1, 4),
    start_index=st.integers(0, 4),
    end_index=st.sampled_from([None, 15]),
    shuffle=st.booleans(),
    reverse=st.booleans(),
    batch_size=st.integers(1, 8),
)
def test_timeseries_generator(**options):
    data, targets = np.arange(40).reshape(20, 2), np.arange(20)
    ours, theirs = (
        module.sequence.TimeseriesGenerator(data, targets, **options)
        for module in (preprocessing, OLD)
    )
    assert len(ours) == len(theirs)
    for index in range(len(ours)):
        batches = []
        for generator in (ours, theirs):
            np.random.seed(index)
            batches.append(generator[index])
        np.testing.assert_array_equal(batches[0][0], batches[1][0])
        np.testing.assert_array_equal(batches[0][1], batches[1][1])
    assert ours.get_config() == theirs.get_config()
    assert ours.to_json() == theirs.to_json()
