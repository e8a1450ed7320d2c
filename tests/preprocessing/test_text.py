import json

import pytest

from minikeras.preprocessing import text
from minikeras.preprocessing.sequence import TimeseriesGenerator, skipgrams

TEXTS = ["The cat sat on the mat.", "The dog, the cat!"]


def test_tokenizer():
    tokenizer = text.Tokenizer(num_words=4, oov_token="?")
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.word_index["?"] == 1 and tokenizer.word_index["the"] == 2
    assert tokenizer.texts_to_sequences(["the cat sat", "unicorn"]) == [[2, 3, 1], [1]]
    assert tokenizer.sequences_to_texts([[2, 3, 9]]) == ["the cat ?"]
    assert tokenizer.texts_to_matrix(["the the cat"], "count").tolist() == [[0, 0, 2, 1]]
    assert tokenizer.texts_to_matrix(["the the cat", ""], "freq")[0, 2] == 2 / 3
    with pytest.raises(ValueError, match="mode"):
        tokenizer.texts_to_matrix(["x"], "bm25")


def test_tokenizer_goes_on_counting_after_json():
    tokenizer = text.Tokenizer(char_level=True)
    tokenizer.fit_on_texts(["aab"])
    loaded = text.tokenizer_from_json(tokenizer.to_json())
    for each in (tokenizer, loaded):
        each.fit_on_texts(["bbbc"])
    assert loaded.get_config() == tokenizer.get_config()
    assert loaded.word_index == {"b": 1, "a": 2, "c": 3}


@pytest.mark.parametrize("damaged", ["", "[]", "{}", json.dumps({"config": {}})])
def test_damaged_json(damaged):
    with pytest.raises(ValueError, match="to_json"):
        text.tokenizer_from_json(damaged)


def test_old_names_and_unknown_arguments():
    with pytest.warns(DeprecationWarning, match="num_words"):
        assert text.Tokenizer(nb_words=3).num_words == 3
    with pytest.raises(TypeError, match="nonsense"):
        text.Tokenizer(nonsense=1)
    with pytest.raises(ValueError, match="hash_function"):
        text.hashing_trick("a", 5, "sha1")
    with pytest.raises(ValueError, match="fit_on_texts"):
        text.Tokenizer().texts_to_matrix(["a"])


def test_timeseries_generator_refuses():
    with pytest.raises(ValueError, match="one length"):
        TimeseriesGenerator([1, 2], [1], length=1)
    with pytest.raises(ValueError, match="No window fits"):
        TimeseriesGenerator([1, 2], [1, 2], length=3)


def test_skipgrams_leave_out_padding():
    pairs, labels = skipgrams([0, 1, 0, 2], 3, window_size=2, negative_samples=0, shuffle=False)
    assert (pairs, labels) == ([[1, 2], [2, 1]], [1, 1])
