"""Chance is the same in every run, so that a test fails always or never."""

import pytest

import minikeras


@pytest.fixture(autouse=True)
def seed():
    minikeras.utils.set_random_seed(1)
