"""Names and signatures of the modules that hold no layers, as in Keras."""

import importlib
import inspect

import keras
import pytest

MODULES = [
    "backend",
    "config",
    "mixed_precision",
    "preprocessing",
    "preprocessing.image",
    "preprocessing.sequence",
    "tree",
    "utils",
    *(f"datasets.{name}" for name in "boston_housing california_housing cifar10 cifar100".split()),
    *(f"datasets.{name}" for name in "fashion_mnist imdb mnist reuters".split()),
]

# What is not there yet, and what takes fewer arguments with a reason.
NOT_YET: dict[str, set] = {}
OTHER_SIGNATURE = {
    "smart_resize",  # Keras's `**kwargs` choose another backend
    "name_scope",  # a class in Keras
}


def public(module):
    return {name for name in vars(module) if not name.startswith("_")}


def parameters(value):
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize("name", MODULES)
def test_public_names(name):
    theirs = public(importlib.import_module(f"keras.{name}")) - NOT_YET.get(name, set())
    ours = importlib.import_module(f"minikeras.{name}")
    assert not {each for each in theirs if not hasattr(ours, each)}


@pytest.mark.parametrize("name", MODULES)
def test_signatures(name):
    theirs = importlib.import_module(f"keras.{name}")
    ours = importlib.import_module(f"minikeras.{name}")
    for each in sorted(public(theirs) - NOT_YET.get(name, set()) - OTHER_SIGNATURE):
        expected = getattr(theirs, each)
        if callable(expected) and (wanted := parameters(expected)) is not None:
            assert parameters(getattr(ours, each)) == wanted, each


def test_nothing_that_is_there_is_listed_as_missing():
    import minikeras

    assert keras.__version__ == "3.15.1"
    for name, missing in NOT_YET.items():
        module = getattr(minikeras, name)
        assert not {each for each in missing if hasattr(module, each)}
