"""Model files that 24 Keras versions wrote: what opened once must open for ever."""

import pytest
from corpus_check import ARCHIVE, EXPECTED, pairs, run_pair, unpack

pytestmark = pytest.mark.filterwarnings("ignore")


def expectations():
    """{pair: {(file, check): what came of it}}, from the table."""
    found = {}
    for line in EXPECTED.read_text().splitlines():
        key, name, check, outcome = line.split("\t")
        found.setdefault(key, {})[name, check] = outcome
    return found


EXPECTATIONS = expectations()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return unpack(tmp_path_factory.mktemp("corpus"))


def test_table_lists_the_whole_corpus(corpus):
    assert ARCHIVE.exists()
    assert {str(one.relative_to(corpus)) for one in pairs(corpus)} == set(EXPECTATIONS)
    outcomes = [outcome for one in EXPECTATIONS.values() for outcome in one.values()]
    assert outcomes.count("ok") >= 0.97 * len(outcomes)


@pytest.mark.parametrize("key", sorted(EXPECTATIONS))
def test_files_open_predict_evaluate_and_train_on(corpus, key):
    want = EXPECTATIONS[key]
    got = {(name, check): outcome for name, check, outcome in run_pair(corpus / key)}
    assert set(got) == set(want)
    broken = {one: got[one] for one in got if want[one] == "ok" and got[one] != "ok"}
    assert not broken
