"""Architectures that Keras 3.15.1 wrote come out of minikeras as they went in."""

import json

import pytest
from corpus_check import pairs, unpack

import minikeras

pytestmark = pytest.mark.filterwarnings("ignore")
# Written after `save("x.h5")`, which takes the optimizer out of Keras's own compile state.
UNTOLD = ("compile_config",)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return unpack(tmp_path_factory.mktemp("corpus"))


def test_json_is_the_same(corpus):
    different, seen = [], 0
    for folder in pairs(corpus):
        if folder.parent.name != "keras-3.15.1-tf":
            continue
        seen += 1
        text = (folder / "model.json").read_text()
        theirs = json.loads(text)
        ours = json.loads(minikeras.models.model_from_json(text).to_json())
        for key in UNTOLD:
            theirs.pop(key, None)
            ours.pop(key, None)
        if json.dumps(theirs) != json.dumps(ours):
            different.append(folder.name)
    assert seen > 50
    # Another order or value in these, which Keras reads all the same; in `rnn_defaults` a
    # `training` flag that says no more than the layer's default is left out (DIFFERENCES.md).
    assert set(different) <= KNOWN


KNOWN = {"activation_layers", "rnn_defaults", "up_bilinear"}
