"""A real Keras or TensorFlow that another test imported is hidden from scripts that are checked."""

import sys

import pytest

from minikeras.standin.finder import ROOTS, is_ours


@pytest.fixture(autouse=True)
def no_real_keras(monkeypatch):
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOTS and not is_ours(module):
            monkeypatch.delitem(sys.modules, name)
