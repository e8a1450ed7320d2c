"""The namespaces of `ops` hold what they say."""

import pytest

from minikeras import ops
from minikeras.engine import registry


@pytest.mark.parametrize("space", ["image", "linalg", "nn", "numpy"])
def test_names_exist(space):
    module = getattr(ops, space)
    for name in module.__all__:
        assert callable(getattr(module, name)), name
        if space in ("nn", "numpy"):
            assert getattr(module, name) is getattr(ops, name)


def test_operations_name_their_home():
    kinds = registry.operations.objects()
    assert kinds["Add"]._keras_module == "keras.src.ops.numpy"
    assert kinds["Relu"]._keras_module == "keras.src.ops.nn"


@pytest.mark.parametrize(
    "make",
    [
        lambda k: k["Sum"](axis=(0, 1), keepdims=True),
        lambda k: k["Reshape"]((2, -1)),
        lambda k: k["Clip"](0.0, 1.0),
        lambda k: k["Std"](axis=1),
        lambda k: k["GetItem"](),
        lambda k: k["Threshold"](0.5, default_value=2.0),
    ],
)
def test_configs_round_trip(make):
    operation = make(registry.operations.objects())
    config = operation.get_config()
    assert type(operation).from_config(config).get_config() == config


def test_wrong_arguments_are_refused():
    kinds = registry.operations.objects()
    with pytest.raises(TypeError, match="newshape"):
        kinds["Reshape"]()
    with pytest.raises(TypeError, match="takes the arguments"):
        kinds["Sum"](axes=1)
