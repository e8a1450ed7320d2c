"""Chance is the same in every run, so that a test fails always or never."""

import sys

import pytest

import minikeras
from minikeras.standin.finder import ROOTS, is_ours


@pytest.fixture(autouse=True)
def seed():
    minikeras.utils.set_random_seed(1)


@pytest.fixture
def no_real_keras(monkeypatch):
    """Hides a real Keras or TensorFlow that another test, or TensorBoard, imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOTS and not is_ours(module):
            monkeypatch.delitem(sys.modules, name)
